package newsletter

import (
	"context"
	"errors"

	"pressrun/newsletter/series"
)

// tellUnpinned tells the editors of articles whose pin went with a slot that was missed or waits behind what is on hold: they take their
// own turn in the order again (rule 10). Of one that went out meanwhile, or can't, there is nothing to say; nor of a held slot's, which
// goes along with the hold.
func (p *Publisher) tellUnpinned(ctx context.Context, due []series.Slot, happened []Happened) error {
	passed := map[string]string{}
	for _, h := range happened {
		if h.State == string(series.SlotMissed) || h.State == string(series.SlotWaiting) {
			passed[h.Slot] = h.Reason
		}
	}
	var errs []error
	for _, slot := range due {
		if why, gone := passed[slot.Wall]; gone && slot.PinnedID != 0 && !slot.Hold {
			errs = append(errs, p.tellPinGone(ctx, slot, why))
		}
	}
	return errors.Join(errs...)
}

func (p *Publisher) tellPinGone(ctx context.Context, slot series.Slot, why string) error {
	s, err := series.ByID(ctx, p.db, slot.SeriesID)
	if err != nil {
		return err
	}
	a, err := series.ArticleByID(ctx, p.db, slot.PinnedID)
	if err != nil || a.State == series.Withdrawn {
		return err
	}
	had, _, err := series.Had(ctx, p.db, s.ID)
	if _, issued := had[a.ID]; err != nil || issued && s.Mode == series.Live {
		return err
	}
	w := p.word("unpinned "+slotName(s, slot), "unpinned", "series", s.Title, "title", a.Title, "when", p.at(s, slot.At), "why", why,
		"slug", s.Slug, "article", a.Slug)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

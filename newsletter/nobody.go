package newsletter

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// nobodyThere is why a slot sends nothing while nobody of its series is mailable (rules 11 and 13).
const nobodyThere = "Nobody who can be mailed is in the series; without them a slot sends nothing, and no article is used up."

// allHadIt is why an article that was named or pinned is not sent: of itself none that everybody has had is next.
const allHadIt = "Everybody who can be mailed has had it: nobody gets it."

// hasReaders says whether anybody of a series is mailable.
func hasReaders(ctx context.Context, q store.Querier, s series.Series) (bool, error) {
	readers, err := outbox.Readers(ctx, q, s.ID, 0, 1)
	return len(readers) > 0, err
}

// slotFacts are liveFacts with what everybody mailable of a live series has had, as its slots need them.
func slotFacts(ctx context.Context, q store.Querier, s series.Series) (series.Facts, error) {
	f, err := liveFacts(ctx, q, s)
	if err == nil && s.Mode == series.Live {
		f.HadByAll, err = hadByAll(ctx, q, s, f)
	}
	return f, err
}

// errLacked ends a walk through the readers.
var errLacked = errors.New("somebody lacks each of them")

// hadByAll finds the articles in turn that everybody mailable has had, as a welcome, by an announcement, or before they came; none
// where nobody is there. As a rule the first reader lacks all of them; it reads everybody where somebody far back is the first
// to lack one.
func hadByAll(ctx context.Context, q store.Querier, s series.Series, f series.Facts) (map[int64]bool, error) {
	had := map[int64]bool{}
	for _, a := range f.InTurn() {
		had[a.ID] = true
	}
	look := func(readers []outbox.Reader) error {
		for _, r := range readers {
			for id := range had {
				if _, one := r.Had[id]; !one && !r.Before[id] {
					delete(had, id)
				}
			}
			if len(had) == 0 {
				return errLacked
			}
		}
		return nil
	}
	first, err := outbox.Readers(ctx, q, s.ID, 0, 1)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	if err = look(first); err == nil {
		err = eachReaders(ctx, q, s.ID, first[0].SubscriberID, look)
	}
	if errors.Is(err, errLacked) {
		err = nil
	}
	return had, err
}

// unsent says what becomes of the article of a slot that sends it to nobody: it keeps its turn, but a pin is spent. Of no
// article, as of a drip slot without a pin, there is nothing to say.
func (p *Publisher) unsent(ctx context.Context, s series.Series, f series.Facts, slot series.Slot, a series.Article) (string, error) {
	if a.ID == 0 {
		return "", nil
	}
	if a.ID != slot.PinnedID {
		return fmt.Sprintf("“%s” keeps its turn.", a.Title), nil
	}
	said := fmt.Sprintf("“%s” was pinned to this date, which is past: pin it to another (pressrun series pin %s DATE %s).", a.Title, s.Slug, a.Slug)
	slots, err := coming(ctx, p.db, s, slot.At, slotsAhead)
	if err != nil {
		return "", err
	}
	for _, after := range slots {
		if after.State == series.SlotSkipped {
			continue
		}
		if d := series.Next(atSlot(f, after)); d.Article.ID != 0 {
			said += fmt.Sprintf(" Next is “%s”.", d.Article.Title)
		}
		break
	}
	return said, nil
}

// noneFor says why nobody would get what a live slot sends; empty: somebody would. Of itself nothing is next that everybody has
// had, but it may be pinned.
func noneFor(ctx context.Context, q store.Querier, s series.Series, slot series.Slot, a series.Article) (string, error) {
	some, err := hasReaders(ctx, q, s)
	if err != nil || !some {
		return nobodyThere, err
	}
	if a.ID != slot.PinnedID {
		return "", nil
	}
	n, err := outbox.CountFill(ctx, q, s.ID, a.ID)
	if err != nil || n > 0 {
		return "", err
	}
	return allHadIt, nil
}

// passedReason is what an issued slot of a live series records of the articles that it passed over; empty: none.
func passedReason(over []series.Article) string {
	if len(over) == 0 {
		return ""
	}
	return "Passed over, since everybody who can be mailed has had them: " + titlesOf(over) + "."
}

// titlesOf names articles, the first few of many.
func titlesOf(all []series.Article) string {
	const few = 3
	var text strings.Builder
	for i, a := range all {
		switch {
		case i == few && len(all) > few+1:
			fmt.Fprintf(&text, " and %d more", len(all)-few)
			return text.String()
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString("“" + a.Title + "”")
	}
	return text.String()
}

// unread records a slot that nobody would get and why; a is the article that it had, zero in drip where none was pinned.
func (p *Publisher) unread(ctx context.Context, s series.Series, f series.Facts, slot series.Slot, a series.Article, why string) (Happened, error) {
	kept, err := p.unsent(ctx, s, f, slot, a)
	if err != nil {
		return Happened{}, err
	}
	reason := strings.TrimSpace(why + " " + kept)
	told := p.nobodyWord(s, slot, kept)
	if why != nobodyThere {
		told = p.emptyWord(s, slot, reason)
	}
	return p.close(ctx, s, slot, series.SlotEmpty, reason, told)
}

package newsletter

import (
	"context"
	"fmt"
	"strings"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// nobodyThere is why a slot sends nothing while nobody of its series is mailable (rules 11 and 13).
const nobodyThere = "Nobody who can be mailed is in the series; without them a slot sends nothing, and no article is used up."

// allHadIt is why a live slot reaches nobody while readers are there: its article is used up all the same, or the series would
// stand still.
const allHadIt = "Everybody who can be mailed has had it: its slot reaches nobody, and the series goes on with the next."

// hasReaders says whether anybody of a series is mailable.
func hasReaders(ctx context.Context, q store.Querier, s series.Series) (bool, error) {
	readers, err := outbox.Readers(ctx, q, s.ID, 0, 1)
	return len(readers) > 0, err
}

// nobodyFor says that a slot reaches nobody, now or once it is released: nobody is mailable, and where it is held neither its editor nor
// an import of its series can change that.
func (p *Publisher) nobodyFor(ctx context.Context, s series.Series, slot series.Slot, o opening) (bool, error) {
	some, err := hasReaders(ctx, p.db, s)
	held := o.state == series.IssueHeld
	if err != nil || some || held && slot.Hold {
		return false, err
	}
	u, err := unfinished(ctx, p.db, s)
	return u == nil || !held, err
}

// unsent says what becomes of the article of a slot that sends it to nobody: it keeps its turn, but a pin is spent, unless it goes on with
// a hold. Of no article, as of a drip slot without a pin, there is nothing to say.
func (p *Publisher) unsent(ctx context.Context, s series.Series, f series.Facts, slot series.Slot, a series.Article) (string, error) {
	if a.ID == 0 {
		return "", nil
	}
	if a.ID != slot.PinnedID || slot.Hold {
		return fmt.Sprintf("“%s” keeps its turn.", a.Title), nil
	}
	said := fmt.Sprintf("“%s” was pinned to this date, which is past: pin it to another (pressrun series pin %s DATE %s).", a.Title, s.Slug, a.Slug)
	after, found, err := firstOpen(ctx, p.db, s, slot.At)
	if err != nil {
		return "", err
	}
	if d := series.Next(atSlot(f, after)); found && d.Article.ID != 0 {
		said += fmt.Sprintf(" Next is “%s”.", d.Article.Title)
	}
	return said, nil
}

// unread records a slot without readers; a is the article that it had, zero in drip where none was pinned.
func (p *Publisher) unread(ctx context.Context, s series.Series, f series.Facts, slot series.Slot, a series.Article) (Happened, error) {
	kept, err := p.unsent(ctx, s, f, slot, a)
	if err != nil {
		return Happened{}, err
	}
	return p.close(ctx, s, slot, series.SlotEmpty, strings.TrimSpace(nobodyThere+" "+kept), p.nobodyWord(s, slot, kept))
}

package newsletter

import (
	"context"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// audience is who of a series is there in the slots of a forecast: those who are mailable now, and those whose break ends by then.
type audience struct {
	now       bool // somebody is mailable
	returning []outbox.Returning
}

func audienceOf(ctx context.Context, q store.Querier, s series.Series, slots []series.Slot) (a audience, err error) {
	if a.now, err = hasReaders(ctx, q, s); err == nil {
		a.returning, err = returns(ctx, q, s, slots)
	}
	return a, err
}

// returns are the readers of a series whose break ends by the last of some slots.
func returns(ctx context.Context, q store.Querier, s series.Series, slots []series.Slot) ([]outbox.Returning, error) {
	if len(slots) == 0 {
		return nil, nil
	}
	return outbox.Returns(ctx, q, s.ID, slots[len(slots)-1].At)
}

// some says whether anybody is there in a slot.
func (a audience) some(slot series.Slot) bool { return a.now || a.lacking(slot, 0) > 0 }

// lacking counts those who are back by a slot and lack an article.
func (a audience) lacking(slot series.Slot, articleID int64) (n int64) {
	for _, r := range a.returning {
		if _, had := r.Had[articleID]; !had && !r.Before[articleID] && !slot.At.Before(r.Back) {
			n++
		}
	}
	return n
}

// liveForecast decides the slots of a live series one after the other, as if each were sent: a slot without readers uses nothing up.
type liveForecast struct {
	audience
	facts series.Facts
}

func newLiveForecast(ctx context.Context, q store.Querier, s series.Series, facts series.Facts, slots []series.Slot) (f liveForecast, err error) {
	f.facts = facts
	f.audience, err = audienceOf(ctx, q, s, slots)
	return f, err
}

func (f liveForecast) decide(slot series.Slot) series.Decision {
	if f.some(slot) {
		return step(f.facts, slot)
	}
	return series.Next(atSlot(f.facts, slot))
}

// back is the first of some slots by which a break has ended; false: none.
func back(slots []series.Slot, ends time.Time) (time.Time, bool) {
	for _, slot := range slots {
		if !slot.At.Before(ends) {
			return slot.At, true
		}
	}
	return time.Time{}, false
}

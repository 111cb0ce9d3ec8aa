package newsletter

import (
	"context"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Lack is what it means for the readers of a live series that an article had its issue already: it is nobody's next any more.
type Lack struct {
	Issued  time.Time // in the series' zone; zero: it had none, or each reader of the series has a next of their own
	Readers int64     // who can be mailed and is without it
	Broken  bool      // its issue was broken off, so that it may be sent to these by hand
}

// LackIn says who is without an article that had its issue, as q sees things.
func (p *Publisher) LackIn(ctx context.Context, q store.Querier, a series.Article) (l Lack, err error) {
	s, err := series.ByID(ctx, q, a.SeriesID)
	if err != nil || s.Mode != series.Live {
		return l, err
	}
	had, _, err := series.Had(ctx, q, s.ID)
	issued, known := had[a.ID]
	if err != nil || !known {
		return l, err
	}
	fates, err := series.Fates(ctx, q, s.ID)
	if err != nil {
		return l, err
	}
	l.Issued, l.Broken = issued.In(location(s)), fates[a.ID].Broken
	l.Readers, err = outbox.CountFill(ctx, q, s.ID, a.ID)
	return l, err
}

package newsletter

import (
	"context"
	"errors"
	"fmt"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// ErrAgain says that somebody can't start a series again: all readers of it get the same issue, or they are not among them.
var ErrAgain = errors.New("nothing to start again")

// ErrAgainLive is ErrAgain in a live series.
var ErrAgainLive = fmt.Errorf("%w in a live series", ErrAgain)

// mayStartAgain says whether a new cycle would be another than the one that a reader of a series is in (rule 14).
func mayStartAgain(s series.Series, r outbox.Reader) bool { return s.Mode == series.Drip && r.Begun }

// startAgain begins a new cycle for a reader. While nothing of the present one was sent there is nothing to begin, so that pressing twice
// is pressing once. ErrAgainLive in a live series, ErrAgain for somebody who is not active in it; the series and what was had are read in tx,
// since both may have changed since the choice was shown.
func (p *Publisher) startAgain(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e subscribers.Evidence) error {
	s, err := series.ByID(ctx, tx, seriesID)
	if err != nil {
		return err
	}
	enrolment, err := subscribers.EnrolmentOf(ctx, tx, s.ID, subscriberID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if s.Mode != series.Drip {
		return fmt.Errorf("series %s: %w", s.Slug, ErrAgainLive)
	}
	if enrolment.State != subscribers.Active {
		return fmt.Errorf("series %s: %w", s.Slug, ErrAgain)
	}
	reader, err := outbox.ReaderOf(ctx, tx, s.ID, subscriberID)
	if err != nil || !mayStartAgain(s, reader) {
		return err
	}
	return p.people.StartAgain(ctx, tx, subscriberID, s.ID, e)
}

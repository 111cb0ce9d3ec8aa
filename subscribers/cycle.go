package subscribers

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

const beginCycle = `UPDATE enrolments SET cycle = cycle + 1, cycle_since = ?2, updated = ?2 WHERE id = ?1`

// StartAgain begins a new cycle for somebody active in a series, by their own choice (SERIES rule 14): in it nothing counts that they
// had, or had read before they came. Once the transaction is committed the view mailable has them in that cycle alone, so that nothing
// is marked any more that was to go to them in the one before. store.ErrNotFound for somebody who is not active in the series.
//
// Each call is a new cycle: whether there is anything to start again is known to those who know what was had.
func (r *Registry) StartAgain(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	if err := r.startAgain(ctx, tx, subscriberID, seriesID, e); err != nil {
		return fmt.Errorf("start again for subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

func (r *Registry) startAgain(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	p, err := personByID(ctx, tx, subscriberID)
	if err != nil {
		return err
	}
	enrolment, err := EnrolmentOf(ctx, tx, seriesID, subscriberID)
	if err != nil {
		return err
	}
	if enrolment.State != Active {
		return store.ErrNotFound
	}
	now := r.now() // one instant for both: the record says when the cycle began where the enrolment is gone
	if _, err := tx.Exec(ctx, beginCycle, enrolment.ID, now.UnixMilli()); err != nil {
		return err
	}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventRestarted, At: now, Evidence: e})
	return err
}

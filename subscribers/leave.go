package subscribers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// undoWithin is how long an unsubscribe can be taken back without a new confirmation.
const undoWithin = 7 * 24 * time.Hour

// Unsubscribe ends the enrolment in a series, or with seriesID 0 all of them and whatever may come. It is idempotent:
// leaving twice is one event. Once the transaction is committed the view mailable no longer has the person, and no
// confirmation link asked for before works any more. Somebody unknown or erased has nothing to leave: nil.
func (r *Registry) Unsubscribe(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	p, err := personByID(ctx, tx, subscriberID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = r.leave(ctx, tx, p, seriesID, e)
	}
	if err != nil {
		return fmt.Errorf("unsubscribe subscriber %d from series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

const insertLeave = `INSERT INTO suppressions (hash, series_id, reason, because, created)
SELECT ?1, ?2, 'unsubscribe', ?3, ?4
WHERE NOT EXISTS (SELECT 1 FROM suppressions WHERE hash = ?1 AND series_id = 0 AND reason = 'unsubscribe')
ON CONFLICT (hash, series_id, reason) DO NOTHING`

func (r *Registry) leave(ctx context.Context, tx *store.Tx, p person, seriesID int64, e Evidence) error {
	now := r.now() // one instant for both: by it Undo finds what this leave ended
	ended, err := end(ctx, tx, p, seriesID, reasonUnsubscribe, now)
	if err != nil {
		return err
	}
	left, err := tx.Exec(ctx, insertLeave, p.address, seriesID, e.Because, now.UnixMilli())
	if err != nil {
		return err
	}
	asking, err := Asking(ctx, tx, p.ID, seriesID)
	if err != nil {
		return err
	}
	if ended == 0 && left == 0 && !asking {
		return nil
	}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventUnsubscribed, Evidence: e})
	return err
}

// Leave is an unsubscribe that stands.
type Leave struct {
	At         time.Time // zero: none stands
	Everything bool      // from the whole site
	MayUndo    bool      // Undo of the same scope would work now
}

// Standing is how somebody stands to a series, as the page of their link says it.
type Standing struct {
	Address  Address
	Language string // their own; empty: none
	State    State  // empty: they never were in it
	Leave    Leave  // that keeps them from it: from everything where both stand
}

// Two looks for a leave, each by its index, where a list of series would make SQLite build a table.
const selectStandingOf = `SELECT s.email, s.language, coalesce((SELECT e.state FROM enrolled e WHERE e.series_id = ?2 AND e.subscriber_id = s.id), ''),
	coalesce((SELECT x.created FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = 0 AND x.reason = 'unsubscribe'), 0),
	coalesce((SELECT x.created FROM suppressions x WHERE x.hash = s.address_hash AND x.series_id = ?2 AND x.reason = 'unsubscribe'), 0)
FROM subscribers s WHERE s.id = ?1 AND s.erased IS NULL`

// StandingOf returns store.ErrNotFound for nobody and for the erased.
func (r *Registry) StandingOf(ctx context.Context, q store.Querier, subscriberID, seriesID int64) (Standing, error) {
	var st Standing
	var email string
	var everything, own int64
	err := q.QueryRow(ctx, selectStandingOf, subscriberID, seriesID).Scan(&email, &st.Language, &st.State, &everything, &own)
	if err == nil {
		st.Address, err = ParseAddress(email)
	}
	if err != nil {
		return Standing{}, fmt.Errorf("subscriber %d to series %d: %w", subscriberID, seriesID, err)
	}
	if st.Leave = (Leave{At: instant(cmp.Or(everything, own)), Everything: everything != 0}); !st.Leave.At.IsZero() {
		st.Leave.MayUndo = !r.now().After(st.Leave.At.Add(undoWithin))
	}
	return st, nil
}

const (
	deleteLeave = `DELETE FROM suppressions WHERE hash = ?1 AND series_id = ?2 AND reason = 'unsubscribe'`
	// Who never was active is pending again, and a pause that has not run out goes on.
	restoreEnrolments = `UPDATE enrolments SET
	state = CASE WHEN active_since IS NULL THEN 'pending' WHEN paused_until > ?4 THEN 'paused' ELSE 'active' END,
	ended_by = '', ended_at = NULL, updated = ?4
WHERE subscriber_id = ?1 AND (series_id = ?2 OR ?2 = 0) AND ended_by = 'unsubscribe' AND ended_at = ?3`
)

// Undo takes back an unsubscribe of the last seven days, by the person's own hand: the enrolments that it ended are as
// they were. ErrNotPending where there is none, and for a series while an unsubscribe from everything stands.
func (r *Registry) Undo(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	if err := r.undo(ctx, tx, subscriberID, seriesID, e); err != nil {
		return fmt.Errorf("undo the unsubscribe of subscriber %d from series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

func (r *Registry) undo(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	p, err := personByID(ctx, tx, subscriberID)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotPending
	}
	if err != nil {
		return err
	}
	st, err := r.StandingOf(ctx, tx, p.ID, seriesID)
	if err != nil {
		return err
	}
	l := st.Leave
	if !l.MayUndo || l.Everything != (seriesID == 0) {
		return ErrNotPending
	}
	if _, err := tx.Exec(ctx, deleteLeave, p.address, seriesID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, restoreEnrolments, p.ID, seriesID, l.At.UnixMilli(), r.now().UnixMilli()); err != nil {
		return err
	}
	_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventUndone, Evidence: e})
	return err
}

package subscribers

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// How long a series keeps people whose mere presence says something of them.
const (
	sensitiveRequests = 3 * 24 * time.Hour
	sensitiveLeft     = 90 * 24 * time.Hour
)

// SweepSensitive is Sweep for a series that says something of its readers: requests never confirmed go after 3 days. People who
// left 90 days ago are erased where they get nothing else; of those who do, what only this series needed goes: the enrolment, what
// they had read before they came, why they left and what was noted of it. They stay out as before, by a suppression under
// their hash, and who confirms again goes on behind the last letter they had.
//
// What stays of them until they have left everything for 90 days too: the consents, whose trigger lets go only of people in erasure
// (they are the proof that GDPR article 7(1) asks for), and with those the words and the form that they agreed to. Fields and tags stay as well:
// they are the person's, and nothing says by which series they came. So do the deliveries, which are not this package's: without
// them the same letter could come twice. An enrolment in a later cycle stays, since a new one would begin the first again.
//
// At most 200 people of each kind at a time, so that nobody waits for it.
func (r *Registry) SweepSensitive(ctx context.Context, tx *store.Tx, seriesID int64) error {
	if _, err := r.sweep(ctx, tx, r.now().Add(-sensitiveRequests).UnixMilli(), seriesID); err != nil {
		return fmt.Errorf("sweep requests of series %d: %w", seriesID, err)
	}
	before := r.now().Add(-sensitiveLeft).UnixMilli()
	if err := r.eraseGone(ctx, tx, seriesID, before); err != nil {
		return fmt.Errorf("sweep series %d: %w", seriesID, err)
	}
	if err := forgetLeft(ctx, tx, seriesID, before); err != nil {
		return fmt.Errorf("sweep series %d: %w", seriesID, err)
	}
	return nil
}

const selectLongGone = `SELECT g.subscriber_id FROM (
	SELECT e.subscriber_id FROM enrolments e WHERE e.series_id = ?1 AND e.state = 'ended' AND e.ended_at < ?2
	UNION SELECT p.subscriber_id FROM proven p) g
WHERE NOT EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = g.subscriber_id AND (o.state <> 'ended' OR o.ended_at >= ?2))
	AND NOT EXISTS (SELECT 1 FROM open_requests q WHERE q.subscriber_id = g.subscriber_id)
LIMIT 200`

// eraseGone erases who left the series, or is kept for the proof alone, and gets nothing else.
func (r *Registry) eraseGone(ctx context.Context, tx *store.Tx, seriesID, before int64) error {
	rows, err := tx.Query(ctx, selectLongGone, seriesID, before)
	if err != nil {
		return err
	}
	people, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for _, id := range people {
		if err := r.Erase(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

const selectLeftOne = `SELECT e.subscriber_id FROM enrolments e
WHERE e.series_id = ?1 AND e.state = 'ended' AND e.ended_at < ?2 AND e.cycle = 1
	AND EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = e.subscriber_id AND (o.state <> 'ended' OR o.ended_at >= ?2))
	AND NOT EXISTS (SELECT 1 FROM open_requests q WHERE q.subscriber_id = e.subscriber_id AND q.series_id = e.series_id)
LIMIT 200`

// What of a leave is kept, and what goes. The enrolment alone may keep them out, of whom a confirmation for another series lifted what stood
// against everything: so the leave is made to stand for this one first, as of its own time.
const (
	insertKeptLeave = `INSERT INTO suppressions (hash, series_id, reason, created)
SELECT s.address_hash, e.series_id, 'unsubscribe', e.ended_at FROM enrolments e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND e.subscriber_id = ?2
ON CONFLICT (hash, series_id, reason) DO NOTHING`
	silenceLeave = `UPDATE suppressions SET because = ''
WHERE hash = (SELECT s.address_hash FROM subscribers s WHERE s.id = ?2) AND series_id = ?1 AND reason = 'unsubscribe'`
	insertProven = `INSERT INTO proven (subscriber_id)
SELECT e.subscriber_id FROM enrolments e WHERE e.series_id = ?1 AND e.subscriber_id = ?2
ON CONFLICT (subscriber_id) DO NOTHING`
	deleteSeriesReasons = `DELETE FROM leave_reasons
WHERE consent_id IN (SELECT c.id FROM consents c WHERE c.subscriber_id = ?2 AND c.series_id = ?1)`
	deleteEnrolment = `DELETE FROM enrolments WHERE series_id = ?1 AND subscriber_id = ?2`
)

// forgetLeft removes what only the series needed of people who still get another.
func forgetLeft(ctx context.Context, tx *store.Tx, seriesID, before int64) error {
	rows, err := tx.Query(ctx, selectLeftOne, seriesID, before)
	if err != nil {
		return err
	}
	people, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for _, id := range people {
		for _, query := range []string{insertKeptLeave, silenceLeave, insertProven, deleteSeriesReasons, deleteEnrolment} {
			if _, err := tx.Exec(ctx, query, seriesID, id); err != nil {
				return err
			}
		}
	}
	return nil
}

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

const selectLongGone = `SELECT e.subscriber_id FROM enrolments e
WHERE e.series_id = ?1 AND e.state = 'ended' AND e.ended_at < ?2
	AND NOT EXISTS (SELECT 1 FROM enrolments o WHERE o.subscriber_id = e.subscriber_id AND (o.state <> 'ended' OR o.ended_at >= ?2))
ORDER BY e.subscriber_id LIMIT 200`

// SweepSensitive is Sweep for a series that says something of its readers: requests never confirmed go after 3 days, and
// people who left 90 days ago, and get nothing else, are erased. At most 200 of them at a time, so that nobody waits for it.
func (r *Registry) SweepSensitive(ctx context.Context, tx *store.Tx, seriesID int64) error {
	if _, err := r.sweep(ctx, tx, r.now().Add(-sensitiveRequests).UnixMilli(), seriesID); err != nil {
		return fmt.Errorf("sweep requests of series %d: %w", seriesID, err)
	}
	rows, err := tx.Query(ctx, selectLongGone, seriesID, r.now().Add(-sensitiveLeft).UnixMilli())
	if err != nil {
		return fmt.Errorf("sweep series %d: %w", seriesID, err)
	}
	people, err := scanIDs(rows)
	if err != nil {
		return fmt.Errorf("sweep series %d: %w", seriesID, err)
	}
	for _, id := range people {
		if err := r.Erase(ctx, tx, id); err != nil {
			return fmt.Errorf("sweep series %d: %w", seriesID, err)
		}
	}
	return nil
}

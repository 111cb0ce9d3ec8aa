package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// Returning is a reader on a break, with the facts as they are now, and when the break ends.
type Returning struct {
	Reader
	Back time.Time
}

// The plus has the planner walk the few who are on a break, not the series.
const selectReturning = `SELECT subscriber_id, cycle, cycle_since, coalesce(reading_id, 0), paused_until FROM on_break
WHERE +series_id = ?1 AND paused_until <= ?2 ORDER BY subscriber_id`

// Returns lists the readers of a series whose break ends by an instant and who are mailable then as things are, in order. It costs a look
// at each of them, whatever the size of the series.
func Returns(ctx context.Context, q store.Querier, seriesID int64, by time.Time) ([]Returning, error) {
	wrap := func(err error) error { return fmt.Errorf("returning readers of series %d: %w", seriesID, err) }
	rows, err := q.Query(ctx, selectReturning, seriesID, by.UnixMilli())
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	var all []factual
	var backs []time.Time
	for rows.Next() {
		var f factual
		var since sql.NullInt64
		var back int64
		if err := rows.Scan(&f.SubscriberID, &f.Cycle, &since, &f.reading, &back); err != nil {
			return nil, wrap(err)
		}
		f.since = instant(since)
		all, backs = append(all, f), append(backs, time.UnixMilli(back).UTC())
	}
	if err := rows.Err(); err != nil {
		return nil, wrap(err)
	}
	at, err := addBefore(ctx, q, seriesID, all)
	if err != nil {
		return nil, wrap(err)
	}
	returning := make([]Returning, len(all))
	for i, f := range all {
		if err := addHad(ctx, q, seriesID, f.SubscriberID, f.SubscriberID, at); err != nil { // far apart, so one by one
			return nil, wrap(err)
		}
		returning[i] = Returning{all[i].Reader, backs[i]}
	}
	return returning, nil
}

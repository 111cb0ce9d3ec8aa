package outbox

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

const countMailable = `SELECT series_id, count(*) FROM mailable GROUP BY series_id`

// learnMost finds out how many may be suppressed, by series; 0 stands for mail that belongs to none.
func (r *Reports) learnMost(ctx context.Context) error {
	if r.most != nil {
		return nil
	}
	most := map[int64]int64{}
	var id, readers int64
	err := eachRow(ctx, r.DB, countMailable, []any{&id, &readers}, func() {
		most[id] = max(capFloor, readers/capShare)
		most[0] = max(most[0], most[id])
	})
	if err != nil {
		return fmt.Errorf("readers of each series: %w", err)
	}
	r.most = most
	return nil
}

const (
	countSuppressed = `SELECT coalesce(sum(n), 0) FROM suppressed_counts WHERE series_id = ?1 AND hour >= ?2`
	addSuppressed   = `INSERT INTO suppressed_counts (series_id, hour, n) VALUES (?1, ?2, 1)
ON CONFLICT (series_id, hour) DO UPDATE SET n = suppressed_counts.n + 1`
)

// hourOf is an instant's hour since 1970.
func hourOf(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// full says that reports have suppressed as many of a series as they may. Hours count as a whole.
func (r *Reports) full(ctx context.Context, q store.Querier, seriesID int64) (bool, error) {
	var n int64
	err := q.QueryRow(ctx, countSuppressed, seriesID, hourOf(r.Now().Add(-capSpan))).Scan(&n)
	return n >= max(capFloor, r.most[seriesID]), err
}

const isCounted = `SELECT EXISTS (SELECT 1 FROM bounces WHERE subscriber_id = ?1 AND series_id = ?2 AND suppressed = 1 AND applied > ?3)`

// hasRoom says whether a bounce may suppress somebody: those whom another one did already take no more room.
func (r *Reports) hasRoom(ctx context.Context, tx *store.Tx, d returned) (bool, error) {
	var counted bool
	err := tx.QueryRow(ctx, isCounted, d.subscriber, d.series, r.Now().Add(-capSpan).UnixMilli()).Scan(&counted)
	if err != nil || counted {
		return counted, err
	}
	if full, err := r.full(ctx, tx, d.series); err != nil || full {
		return false, err
	}
	_, err = tx.Exec(ctx, addSuppressed, d.series, hourOf(r.Now()))
	return err == nil, err
}

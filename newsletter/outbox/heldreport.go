package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

const selectWaiting = `SELECT b.id, b.delivery_id, b.series_id, b.kind, b.class, b.code, b.enhanced, b.said, b.held
FROM bounces b WHERE b.applied IS NULL ORDER BY b.id`

// Again weighs what waits, and returns by series how many wait since too many were suppressed.
func (r *Reports) Again(ctx context.Context) (held map[int64]int64, err error) {
	var all []event
	var e event
	err = eachRow(ctx, r.DB, selectWaiting, []any{&e.id, &e.delivery, &e.series, &e.kind, &e.class, &e.reply.Code, &e.reply.Enhanced, &e.reply.Text, &e.held},
		func() { all = append(all, e) })
	if err == nil {
		err = r.settleArrived(ctx)
	}
	if err == nil && len(all) > 0 {
		err = r.learnMost(ctx)
	}
	held = map[int64]int64{}
	for _, e := range all {
		if err != nil {
			break
		}
		err = r.again(ctx, e, held)
	}
	if err != nil {
		return nil, fmt.Errorf("reports that wait: %w", err)
	}
	return held, nil
}

// again weighs one event that waits, and counts it in held if it goes on doing so.
func (r *Reports) again(ctx context.Context, e event, held map[int64]int64) error {
	if e.held {
		full := held[e.series] > 0
		if !full {
			var err error
			if full, err = r.full(ctx, r.DB, e.series); err != nil {
				return err
			}
		}
		if full {
			held[e.series]++
			return nil
		}
	}
	return r.DB.InTx(ctx, func(tx *store.Tx) error {
		d, err := returnedByID(ctx, tx, e.delivery)
		if errors.Is(err, store.ErrNotFound) { // it is over for so long that its row went
			_, err = tx.Exec(ctx, applyEvent, e.id, r.Now().UnixMilli(), 0)
			return err
		}
		if err == nil {
			err = r.weigh(ctx, tx, d, e)
		}
		return err
	})
}

const selectHeld = `SELECT series_id, count(*) FROM bounces WHERE applied IS NULL AND held = 1 GROUP BY series_id`

// HeldReports counts by series (0: of none) what waits since too many came at once.
func HeldReports(ctx context.Context, q store.Querier) (map[int64]int64, error) {
	held := map[int64]int64{}
	var id, n int64
	if err := eachRow(ctx, q, selectHeld, []any{&id, &n}, func() { held[id] = n }); err != nil {
		return nil, fmt.Errorf("reports that wait: %w", err)
	}
	return held, nil
}

const dropHeld = `UPDATE bounces SET applied = ?1, held = 0 WHERE applied IS NULL AND held = 1`

// DropHeld gives up what waits since too many came at once: it suppresses nobody, and stays an event of its delivery.
func DropHeld(ctx context.Context, tx *store.Tx, now time.Time) (int64, error) {
	n, err := tx.Exec(ctx, dropHeld, now.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("drop reports that wait: %w", err)
	}
	return n, nil
}

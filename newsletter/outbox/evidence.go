package outbox

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

const settleByEvidence = `UPDATE deliveries SET state = 'sent', reply = ?2, updated = ?3 WHERE id = ?1 AND state = 'uncertain'`

// Evidence makes sent of an uncertain delivery that turns out to have arrived: a bounce, a late line of the relay's log. was
// is false where the delivery is not uncertain; then nothing is changed. reply, without addresses, is kept as the relay's
// last words.
func Evidence(ctx context.Context, tx *store.Tx, deliveryID int64, reply string, now time.Time) (was bool, err error) {
	n, err := tx.Exec(ctx, settleByEvidence, deliveryID, reply, now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("delivery %d: evidence: %w", deliveryID, err)
	}
	return n == 1, nil
}

// arrivedByMail is kept as the relay's last words.
const arrivedByMail = "a report came by mail: it had arrived"

const insertEvidence = `INSERT INTO evidence (delivery_id, heard) VALUES (?1, ?2) ON CONFLICT (delivery_id) DO NOTHING`

// arrived takes it that a delivery had arrived. Where its own end isn't known yet, that waits for it: an owner that dies leaves the row
// uncertain, and its report was read by then.
func (r *Reports) arrived(ctx context.Context, tx *store.Tx, d returned) error {
	if !d.early() {
		_, err := Evidence(ctx, tx, d.id, arrivedByMail, r.Now())
		return err
	}
	if _, err := tx.Exec(ctx, insertEvidence, d.id, r.Now().UnixMilli()); err != nil {
		return fmt.Errorf("delivery %d: evidence: %w", d.id, err)
	}
	return nil
}

const (
	selectEvidence = `SELECT e.delivery_id FROM evidence e LEFT JOIN deliveries d ON d.id = e.delivery_id
WHERE d.id IS NULL OR (d.owner = '' AND d.state <> 'pending')`
	endEvidence = `DELETE FROM evidence WHERE delivery_id = ?1
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = ?1 AND (d.owner <> '' OR d.state = 'pending'))`
)

// settleArrived settles by the evidence that waited what has come to its end since.
func (r *Reports) settleArrived(ctx context.Context) error {
	ids, err := scanIDs(r.DB.Query(ctx, selectEvidence))
	for _, id := range ids {
		if err != nil {
			break
		}
		err = r.DB.InTx(ctx, func(tx *store.Tx) error {
			n, err := tx.Exec(ctx, endEvidence, id)
			if err == nil && n > 0 {
				_, err = Evidence(ctx, tx, id, arrivedByMail, r.Now())
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("evidence that waits: %w", err)
	}
	return nil
}

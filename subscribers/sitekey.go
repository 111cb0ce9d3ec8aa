package subscribers

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"pressrun/subscribers/store"
)

// ErrForeignKey says that a key is not the one that the database was made with.
var ErrForeignKey = errors.New("this key belongs to another database")

// fingerprint names a key without giving it away.
func (k Key) fingerprint() string { return hex.EncodeToString(k.MAC("fingerprint")[:8]) }

// BindKey makes key the one of a new database, and fails with ErrForeignKey, having changed nothing, where the database has
// another: its links would be dead and its suppressions would name nobody.
func BindKey(ctx context.Context, db *store.DB, key Key) error {
	own, err := fingerprintOf(ctx, db)
	if errors.Is(err, store.ErrNotFound) {
		err = db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, insertSiteKey, key.fingerprint()); err != nil {
				return err
			}
			own, err = fingerprintOf(ctx, tx)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("bind key: %w", err)
	}
	if own != key.fingerprint() {
		return fmt.Errorf("%w: the database's has the fingerprint %s, this one %s", ErrForeignKey, own, key.fingerprint())
	}
	return nil
}

const insertSiteKey = `INSERT INTO site_key (id, fingerprint) VALUES (1, ?1) ON CONFLICT DO NOTHING`

const selectSiteKey = `SELECT fingerprint FROM site_key WHERE id = 1`

func fingerprintOf(ctx context.Context, q store.Querier) (own string, err error) {
	return own, q.QueryRow(ctx, selectSiteKey).Scan(&own)
}

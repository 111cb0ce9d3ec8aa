package subscribers

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

const (
	selectWiped = `SELECT erased, wiped FROM wiped`
	setWiped    = `UPDATE wiped SET wiped = ?1 WHERE wiped < ?1`
)

// Wipe takes the erased out of the database's files too: in its write-ahead log they stand until that is emptied. clean is false where
// others were at it; then the next call tries again, whichever process makes it. Where nobody was erased since the last one that was clean
// it only looks. A crash loses nothing of that.
func Wipe(ctx context.Context, db *store.DB) (clean bool, err error) {
	var erased, wiped int64
	if err := db.QueryRow(ctx, selectWiped).Scan(&erased, &wiped); err != nil {
		return false, fmt.Errorf("wipe: %w", err)
	}
	if wiped == erased {
		return true, nil
	}
	if clean, err = db.EmptyLog(ctx); err == nil && clean {
		err = db.InTx(ctx, func(tx *store.Tx) error { _, err := tx.Exec(ctx, setWiped, erased); return err })
	}
	if err != nil {
		return false, fmt.Errorf("wipe: %w", err)
	}
	return clean, nil
}

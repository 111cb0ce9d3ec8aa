package subscribers

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"pressrun/subscribers/store"
)

var (
	// ErrForeignKey says that a key is not the one that the database was made with.
	ErrForeignKey = errors.New("this key belongs to another database")
	// ErrOldKey says that it is, but a copy from before a rotation.
	ErrOldKey = errors.New("this copy of the key is older than the database")
)

// fingerprint names a key without giving it away.
func (k Key) fingerprint() string { return hex.EncodeToString(k.MAC("fingerprint")[:8]) }

// fingerprints are those of all its secrets, in the order of their numbers.
func (k Key) fingerprints() string {
	all := k.fingerprint()
	for number := 2; number <= k.TokenKeys(); number++ {
		all += " " + k.tokenKey(number).fingerprint()
	}
	return all
}

// BindKey makes key the one of a new database, or of one that knows it from before a rotation. It fails, having changed nothing, with
// ErrForeignKey where the database has another: its links would be dead and its suppressions would name nobody; and with ErrOldKey
// where the database knows of later secrets for tokens: links made since would be dead.
func BindKey(ctx context.Context, db *store.DB, key Key) error {
	mine := key.fingerprints()
	own, err := fingerprintOf(ctx, db)
	if errors.Is(err, store.ErrNotFound) || err == nil && strings.HasPrefix(mine, own+" ") {
		err = db.InTx(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, upsertSiteKey, mine); err != nil {
				return err
			}
			own, err = fingerprintOf(ctx, tx)
			return err
		})
	}
	switch {
	case err != nil:
		return fmt.Errorf("bind key: %w", err)
	case own == mine:
		return nil
	case strings.HasPrefix(own, mine+" "):
		return fmt.Errorf("%w: the database has seen %d of its secrets, this copy has %d", ErrOldKey, 1+strings.Count(own, " "), key.TokenKeys())
	}
	return fmt.Errorf("%w: the database's has the fingerprint %s, this one %s", ErrForeignKey, own, mine)
}

// Another process may have been faster; then what it wrote is looked at.
const upsertSiteKey = `INSERT INTO site_key (id, fingerprint) VALUES (1, ?1)
ON CONFLICT (id) DO UPDATE SET fingerprint = ?1 WHERE substr(?1, 1, length(site_key.fingerprint) + 1) = site_key.fingerprint || ' '`

const selectSiteKey = `SELECT fingerprint FROM site_key WHERE id = 1`

func fingerprintOf(ctx context.Context, q store.Querier) (own string, err error) {
	return own, q.QueryRow(ctx, selectSiteKey).Scan(&own)
}

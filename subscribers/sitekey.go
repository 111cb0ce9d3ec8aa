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
// where the database knows of later secrets for tokens: links made since would be dead. A rotation is dated by it: requests to join that
// the database gets from then on are confirmed by the newest secret alone.
func BindKey(ctx context.Context, db *store.DB, key Key) error {
	mine := key.fingerprints()
	own, err := fingerprintOf(ctx, db)
	if errors.Is(err, store.ErrNotFound) || err == nil && strings.HasPrefix(mine, own+" ") {
		err = db.InTx(ctx, func(tx *store.Tx) error {
			own, err = adopt(ctx, tx, key)
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

// adopt makes key the database's, unless another process was faster: then own is that one's.
func adopt(ctx context.Context, tx *store.Tx, key Key) (own string, err error) {
	n, err := tx.Exec(ctx, upsertSiteKey, key.fingerprints())
	if err != nil {
		return "", err
	}
	for number := 1; n > 0 && number < key.TokenKeys(); number++ {
		if _, err := tx.Exec(ctx, retireSecret, number); err != nil {
			return "", err
		}
	}
	return fingerprintOf(ctx, tx)
}

const retireSecret = `INSERT INTO old_secrets (number, last_request) SELECT ?1, coalesce(max(id), 0) FROM consents
WHERE true ON CONFLICT (number) DO NOTHING`

// Another process may have been faster; then what it wrote is looked at.
const upsertSiteKey = `INSERT INTO site_key (id, fingerprint) VALUES (1, ?1)
ON CONFLICT (id) DO UPDATE SET fingerprint = ?1 WHERE substr(?1, 1, length(site_key.fingerprint) + 1) = site_key.fingerprint || ' '`

const selectLastRequest = `SELECT last_request FROM old_secrets WHERE number = ?1`

// confirms says whether a secret is good for a request to join: the newest for all of them, an older one for those made before it was
// replaced. Whoever stole it could seal the link of any other, and nobody's mailbox would have been asked.
func (k Key) confirms(ctx context.Context, q store.Querier, number int, serial int64) (bool, error) {
	if number == k.TokenKeys() {
		return true, nil
	}
	var last int64
	err := q.QueryRow(ctx, selectLastRequest, number).Scan(&last)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("secret %d of the key: %w", number, err)
	}
	return serial <= last, nil
}

// stillNewest fails with ErrOldKey where the key was rotated since it was bound: a link that is mailed now to ask somebody back would be
// dead.
func stillNewest(ctx context.Context, q store.Querier, key Key) error {
	own, err := fingerprintOf(ctx, q)
	if errors.Is(err, store.ErrNotFound) { // no key was ever bound
		return nil
	}
	if err == nil && strings.HasPrefix(own, key.fingerprints()+" ") {
		err = ErrOldKey
	}
	return err
}

const selectSiteKey = `SELECT fingerprint FROM site_key WHERE id = 1`

func fingerprintOf(ctx context.Context, q store.Querier) (own string, err error) {
	return own, q.QueryRow(ctx, selectSiteKey).Scan(&own)
}

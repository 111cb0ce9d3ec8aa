package series

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

const signedDomains = `SELECT domain FROM signed_domains ORDER BY domain`

// SignedDomains are the senders' domains whose mail was signed here.
func SignedDomains(ctx context.Context, q store.Querier) ([]string, error) {
	rows, err := q.Query(ctx, signedDomains)
	if err != nil {
		return nil, fmt.Errorf("signed domains: %w", err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var domain string
		if err := rows.Scan(&domain); err != nil {
			return nil, fmt.Errorf("signed domains: %w", err)
		}
		all = append(all, domain)
	}
	return all, rows.Err()
}

const rememberSigned = `INSERT INTO signed_domains (domain, since) VALUES (?1, ?2) ON CONFLICT (domain) DO NOTHING`

// RememberSigned keeps that mail of a domain is signed here.
func RememberSigned(ctx context.Context, tx *store.Tx, domain string, now time.Time) error {
	if _, err := tx.Exec(ctx, rememberSigned, domain, now.UnixMilli()); err != nil {
		return fmt.Errorf("signed domain %s: %w", domain, err)
	}
	return nil
}

const forgetSigned = `DELETE FROM signed_domains WHERE domain = ?1`

// ForgetSigned lets mail of a domain leave unsigned again; store.ErrNotFound where it was never signed.
func ForgetSigned(ctx context.Context, tx *store.Tx, domain string) error {
	n, err := tx.Exec(ctx, forgetSigned, domain)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("signed domain %s: %w", domain, err)
	}
	return nil
}

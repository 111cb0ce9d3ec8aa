package subscribers

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

const (
	insertNobody = `INSERT INTO subscribers (id, email, address_hash, domain_hash, created, erased)
SELECT CASE WHEN max(id) >= ?1 THEN max(id) + 1 ELSE ?1 END, '', '', '', ?1, ?1 FROM subscribers RETURNING id`
	insertNobodysConsent = `INSERT INTO consents (id, subscriber_id, event, at)
SELECT CASE WHEN max(id) >= ?2 THEN max(id) + 1 ELSE ?2 END, ?1, 'requested', ?2 FROM consents`
	insertNobodysLink = `INSERT INTO fresh_links (id, subscriber_id, purpose, address_hash, asked, expires)
SELECT CASE WHEN max(id) >= ?2 THEN max(id) + 1 ELSE ?2 END, ?1, 'manage', '', ?2, ?2 FROM fresh_links`
)

// SkipNumbers is for a database that is older than what was sent from it, restored or copied into its place by hand, before anybody
// is added to it. Links in mails that were sent since its backup name people, requests and fresh links by numbers that it would give
// again, to others: those who hold such a link would see and unsubscribe a stranger, or confirm for one. The next numbers are higher
// than the present instant in ms: no site gives so many, and of the restores of one backup each goes on behind the one before. The row
// of nobody stays, as that of somebody erased does.
//
// KeepJournal sees by the journal that a database is an older one; whoever opens it looks at its file and its last heartbeat. A snapshot of
// the whole disk takes all of these back with it, so that nothing shows it: make a backup of that and restore it.
func (r *Registry) SkipNumbers(ctx context.Context, tx *store.Tx) error {
	var id int64
	now := r.now().UnixMilli()
	err := tx.QueryRow(ctx, insertNobody, now).Scan(&id)
	for _, query := range []string{insertNobodysConsent, insertNobodysLink} {
		if err == nil {
			_, err = tx.Exec(ctx, query, id, now)
		}
	}
	for _, query := range []string{deletePersonLinks, deletePersonConsents} { // their numbers are never given twice
		if err == nil {
			_, err = tx.Exec(ctx, query, id)
		}
	}
	if err != nil {
		return fmt.Errorf("skip numbers: %w", err)
	}
	return nil
}

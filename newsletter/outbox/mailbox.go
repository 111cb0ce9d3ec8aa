package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// MailboxState is how far a mailbox was read, and since when it can't be; zero: it can.
type MailboxState struct {
	Validity, Next uint32
	Failing        time.Time
}

const selectMailbox = `SELECT validity, next, failing FROM mailboxes WHERE name = ?1`

// Mailbox reads the state of a mailbox; the zero one of a mailbox that was never read.
func Mailbox(ctx context.Context, q store.Querier, name string) (m MailboxState, err error) {
	var failing sql.NullInt64
	err = q.QueryRow(ctx, selectMailbox, name).Scan(&m.Validity, &m.Next, &failing)
	if errors.Is(err, store.ErrNotFound) {
		return MailboxState{}, nil
	}
	if err != nil {
		return MailboxState{}, fmt.Errorf("mailbox %s: %w", name, err)
	}
	m.Failing = instant(failing)
	return m, nil
}

const (
	// Two processes may read at once: who is behind changes nothing.
	passMessage = `INSERT INTO mailboxes (name, validity, next) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET validity = excluded.validity, next = excluded.next
	WHERE mailboxes.validity <> excluded.validity OR mailboxes.next < excluded.next`
	countMessage = `INSERT INTO mailbox_counts (day, heard, n) VALUES (?1, ?2, 1)
ON CONFLICT (day, heard) DO UPDATE SET n = mailbox_counts.n + 1`
)

// PassMessage notes that a mailbox was read up to the message before next, and counts that message once.
func PassMessage(ctx context.Context, tx *store.Tx, name string, validity, next uint32, heard Heard, now time.Time) error {
	n, err := tx.Exec(ctx, passMessage, name, validity, next)
	if err == nil && n > 0 {
		_, err = tx.Exec(ctx, countMessage, now.UTC().Format(time.DateOnly), string(heard))
	}
	if err != nil {
		return fmt.Errorf("mailbox %s: message before %d: %w", name, next, err)
	}
	return nil
}

const (
	failMailbox = `INSERT INTO mailboxes (name, failing) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET failing = coalesce(mailboxes.failing, excluded.failing)`
	mendMailbox = `UPDATE mailboxes SET failing = NULL WHERE name = ?1 AND failing IS NOT NULL`
)

// FailMailbox notes that a mailbox can't be read, and returns since when.
func FailMailbox(ctx context.Context, tx *store.Tx, name string, now time.Time) (since time.Time, err error) {
	if _, err := tx.Exec(ctx, failMailbox, name, now.UnixMilli()); err != nil {
		return time.Time{}, fmt.Errorf("mailbox %s fails: %w", name, err)
	}
	m, err := Mailbox(ctx, tx, name)
	return m.Failing, err
}

// MendMailbox notes that it can be read again.
func MendMailbox(ctx context.Context, tx *store.Tx, name string) error {
	if _, err := tx.Exec(ctx, mendMailbox, name); err != nil {
		return fmt.Errorf("mailbox %s: %w", name, err)
	}
	return nil
}

const selectHeard = `SELECT heard, sum(n) FROM mailbox_counts WHERE day >= ?1 GROUP BY heard`

// HeardSince counts the messages since a day by what they were.
func HeardSince(ctx context.Context, q store.Querier, day time.Time) (map[Heard]int64, error) {
	all := map[Heard]int64{}
	var heard string
	var n int64
	err := eachRow(ctx, q, selectHeard, []any{&heard, &n}, func() { all[Heard(heard)] = n }, day.UTC().Format(time.DateOnly))
	if err != nil {
		return nil, fmt.Errorf("messages heard: %w", err)
	}
	return all, nil
}

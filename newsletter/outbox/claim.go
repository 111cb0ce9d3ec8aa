package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"pressrun/subscribers/store"
)

// perConnection is how many rows wait, claimed, for each connection. All of them go back when the process dies.
const perConnection = 16

// room is how many rows may be claimed now: notices, issues' rows, and all together.
type room struct{ notices, issues, most int }

// claim makes rows ours, notices first, then the oldest sending issue's by next_try. With held set only what may leave before
// go-live is claimed: tests and login links.
func (w *Worker) claim(r room, held bool) (got []row, err error) {
	stray := w.doubt && w.held.Load() == 0
	err = w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error {
		if stray {
			if err := w.giveAllBack(ctx, tx); err != nil {
				return err
			}
		}
		now := w.now()
		lease := now.Add(w.cfg.Lease).UnixMilli()
		if got, err = scanRows(tx.Query(ctx, claimNotices, w.owner, lease, now.UnixMilli(), min(r.notices, r.most), flag(!held))); err != nil {
			return err
		}
		n := min(r.issues, r.most-len(got))
		if held || n == 0 {
			return nil
		}
		more, err := scanRows(tx.Query(ctx, claimIssues, w.owner, lease, now.UnixMilli(), n))
		if err == nil && len(more) > 0 {
			err = w.address(ctx, tx, more, lease)
		}
		got = append(got, more...)
		return err
	})
	if err != nil {
		w.doubt = true
		return nil, fmt.Errorf("claim: %w", err)
	}
	w.doubt = w.doubt && !stray
	return got, nil
}

const claimNotices = `UPDATE deliveries SET state = 'claimed', owner = ?1, epoch = epoch + 1, lease_until = ?2, updated = ?3
WHERE id IN (
	SELECT d.id FROM deliveries d JOIN notices n ON n.id = d.notice_id
	WHERE d.issue_id IS NULL AND d.state = 'pending' AND d.next_try <= ?3 AND (?5 = 1 OR n.kind IN ('test', 'login'))
	ORDER BY d.next_try LIMIT ?4)
RETURNING id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0), coalesce(series_id, 0),
	cycle, tries, next_try, waited, coalesce(dated, 0), amb`

// The issue before its rows, so that the index on (issue_id, next_try) gives them in order and nothing is sorted; "NOT IN"
// says again what "sending" implies, since that is how the index of open issues is found.
const claimIssues = `UPDATE deliveries SET state = 'claimed', owner = ?1, epoch = epoch + 1, lease_until = ?2, updated = ?3
WHERE id IN (
	SELECT d.id FROM issues i CROSS JOIN deliveries d
	WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')
		AND d.issue_id = i.id AND d.state = 'pending' AND d.next_try <= ?3
	ORDER BY i.id, d.next_try LIMIT ?4)
RETURNING id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0), coalesce(series_id, 0),
	cycle, tries, next_try, waited, coalesce(dated, 0), amb`

// Those among the rows just claimed that may be mailed now, and to whom. The mark asks again; this is what a message is
// written from.
const selectAddressees = `SELECT d.id, m.name, m.email
FROM deliveries d CROSS JOIN issues i LEFT JOIN articles a ON a.id = i.article_id CROSS JOIN mailable m
WHERE d.owner <> '' AND d.owner = ?1 AND d.lease_until = ?2 AND d.state = 'claimed'
	AND i.id = d.issue_id AND i.state = 'sending' AND (a.state IS NULL OR a.state <> 'withdrawn')
	AND m.series_id = d.series_id AND m.subscriber_id = d.subscriber_id AND m.cycle = d.cycle`

// address writes on the rows of one claim to whom they go.
func (w *Worker) address(ctx context.Context, tx *store.Tx, claimed []row, lease int64) error {
	at := make(map[int64]*row, len(claimed))
	for i := range claimed {
		at[claimed[i].id] = &claimed[i]
	}
	rows, err := tx.Query(ctx, selectAddressees, w.owner, lease)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var to person
		if err := rows.Scan(&id, &to.name, &to.email); err != nil {
			return err
		}
		if r := at[id]; r != nil {
			r.to = to
		}
	}
	return rows.Err()
}

func scanRows(rows *sql.Rows, err error) ([]row, error) {
	all, _, err := scanStates(rows, err)
	return all, err
}

// scanStates reads rows with the states they are in.
func scanStates(rows *sql.Rows, err error) (all []row, states []state, _ error) {
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var s state
		if err := rows.Scan(&r.id, &r.epoch, &r.owner, &s, &r.issue, &r.notice, &r.subscriber, &r.seriesID,
			&r.cycle, &r.tries, &r.nextTry, &r.waited, &r.dated, &r.amb); err != nil {
			return nil, nil, err
		}
		all, states = append(all, r), append(states, s)
	}
	return all, states, rows.Err()
}

const renewLeases = `UPDATE deliveries SET lease_until = ?2 WHERE owner <> '' AND owner = ?1`

// renew keeps what is ours, however long a relay takes.
func (w *Worker) renew() error {
	err := w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, renewLeases, w.owner, w.now().Add(w.cfg.Lease).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("renew leases: %w", err)
	}
	return nil
}

const selectDead = `SELECT id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0),
	coalesce(series_id, 0), cycle, tries, next_try, waited, coalesce(dated, 0), amb
FROM deliveries WHERE owner <> '' AND owner <> ?1 AND lease_until < ?2`

// takeOver frees the rows of other owners whose lease ended before the given instant: claimed ones are pending again; of
// one in flight nobody knows what became of it. Rows of this worker are never dead, whatever the clock does.
func takeOver(ctx context.Context, tx *store.Tx, owner string, before int64, shelf time.Duration, now time.Time) (freed, unknown int, err error) {
	rows, states, err := scanStates(tx.Query(ctx, selectDead, owner, before))
	if err != nil {
		return 0, 0, fmt.Errorf("take over: %w", err)
	}
	for i, r := range rows {
		t := turn{row: r, from: states[i], to: pending}
		if t.from == inflight {
			t = unanswered(r, "the sender died before it noted the relay's answer", shelf, now)
			unknown++
		} else {
			freed++
		}
		t.takeOver = true
		if _, err := t.make(ctx, tx, now); err != nil {
			return 0, 0, fmt.Errorf("take over: %w", err)
		}
	}
	return freed, unknown, nil
}

// anyLease is later than every lease: with the lock of the database file held, no other owner can be alive.
const anyLease = math.MaxInt64

// A next_try further ahead was written under a clock that has gone back since.
const (
	clampNotices = `UPDATE deliveries SET next_try = ?2 WHERE issue_id IS NULL AND state = 'pending' AND next_try > ?1`
	clampIssues  = `UPDATE deliveries SET next_try = ?2 WHERE id IN (
	SELECT d.id FROM issues i CROSS JOIN deliveries d
	WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') AND d.issue_id = i.id AND d.state = 'pending' AND d.next_try > ?1
	LIMIT 1000)`
)

// clamp keeps any row from waiting longer than the longest wait.
func clamp(ctx context.Context, tx *store.Tx, now time.Time) error {
	latest := now.Add(longestWait).UnixMilli()
	for _, query := range []string{clampNotices, clampIssues} {
		if _, err := tx.Exec(ctx, query, latest, latest); err != nil {
			return fmt.Errorf("clamp next tries: %w", err)
		}
	}
	return nil
}

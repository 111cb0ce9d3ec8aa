package subscribers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// LeaveReasons are what somebody can give as their reason for leaving: too many letters, not what they hoped for, never
// asked for them, reads elsewhere, something else.
func LeaveReasons() []string { return []string{"often", "content", "asked", "elsewhere", "other"} }

const (
	selectLastLeave = `SELECT max(id) FROM consents WHERE subscriber_id = ?1 AND event = 'unsubscribed' AND (series_id IS NULL OR series_id = ?2)
HAVING max(id) IS NOT NULL`
	insertReason = `INSERT INTO leave_reasons (consent_id, reason, note, at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (consent_id) DO UPDATE SET reason = excluded.reason, note = excluded.note, at = excluded.at`
)

// SayWhy keeps the reason of somebody's last leave from a series, or from everything; said again, it is the later one. It is
// never needed: the leave stands without. store.ErrNotFound where there is no leave, ErrField for a reason that is none or a
// note too long.
func (r *Registry) SayWhy(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, reason, note string) error {
	if err := r.sayWhy(ctx, tx, subscriberID, seriesID, reason, note); err != nil {
		return fmt.Errorf("reason of subscriber %d to leave series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

func (r *Registry) sayWhy(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, reason, note string) error {
	if !slices.Contains(LeaveReasons(), reason) {
		return fmt.Errorf("the reason %w: it is none of %s", ErrField, strings.Join(LeaveReasons(), ", "))
	}
	note = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimSpace(note))
	if err := checkText("the note", strings.NewReplacer("\n", "", "\t", "").Replace(note), maxFieldValue); err != nil {
		return err
	}
	if _, err := personByID(ctx, tx, subscriberID); err != nil {
		return err
	}
	var consent int64
	if err := tx.QueryRow(ctx, selectLastLeave, subscriberID, seriesID).Scan(&consent); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertReason, consent, reason, note, r.now().UnixMilli())
	return err
}

// LeaveReason is what somebody said of a leave.
type LeaveReason struct {
	Reason, Note string
	At           time.Time
}

const selectReasons = `SELECT x.consent_id, x.reason, x.note, x.at FROM leave_reasons x JOIN consents c ON c.id = x.consent_id
WHERE c.subscriber_id = ?1`

// Reasons are what a person said of their leaves, by the number of the consent.
func Reasons(ctx context.Context, q store.Querier, subscriberID int64) (map[int64]LeaveReason, error) {
	rows, err := q.Query(ctx, selectReasons, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("reasons of subscriber %d: %w", subscriberID, err)
	}
	defer rows.Close()
	all := map[int64]LeaveReason{}
	for rows.Next() {
		var id, at int64
		var said LeaveReason
		if err := rows.Scan(&id, &said.Reason, &said.Note, &at); err != nil {
			return nil, fmt.Errorf("reasons of subscriber %d: %w", subscriberID, err)
		}
		said.At = instant(at)
		all[id] = said
	}
	return all, rows.Err()
}

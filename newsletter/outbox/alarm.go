package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Alarm is what came back of an issue and says something of us, not of its readers.
type Alarm struct {
	IssueID             int64 // 0: of notices
	Blocked, Complained int64 // deliveries
}

const selectAlarms = `SELECT coalesce(issue_id, 0), count(DISTINCT CASE WHEN class = 'blocked' THEN delivery_id END),
	count(DISTINCT CASE WHEN kind = 'complained' THEN delivery_id END)
FROM bounces WHERE heard >= ?1 AND (class = 'blocked' OR kind = 'complained') GROUP BY 1 ORDER BY 1`

// Alarms lists by issue what came back since an instant that its editors must hear of.
func Alarms(ctx context.Context, q store.Querier, since time.Time) (all []Alarm, _ error) {
	var a Alarm
	err := eachRow(ctx, q, selectAlarms, []any{&a.IssueID, &a.Blocked, &a.Complained}, func() { all = append(all, a) }, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("refusals and complaints: %w", err)
	}
	return all, nil
}

const selectBlocked = `SELECT code, enhanced, said FROM bounces WHERE heard >= ?1 AND class = 'blocked' ORDER BY heard DESC, id DESC LIMIT 1`

// SaidBlocked is what the last report since an instant of mail that was refused because of us says; empty without one.
func SaidBlocked(ctx context.Context, q store.Querier, since time.Time) (string, error) {
	var reply mailer.Reply
	err := q.QueryRow(ctx, selectBlocked, since.UnixMilli()).Scan(&reply.Code, &reply.Enhanced, &reply.Text)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("last refusal: %w", err)
	}
	return reply.String(), nil
}

const insertComplaintStop = `INSERT INTO complaint_stops (issue_id, at) VALUES (?1, ?2) ON CONFLICT (issue_id) DO NOTHING`

// StopForComplaints pauses an issue that sends, once: whoever resumes it has decided. stopped is false where it did nothing.
func StopForComplaints(ctx context.Context, tx *store.Tx, issueID int64, reason string, now time.Time) (stopped bool, err error) {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil || issue.State != series.IssueSending {
		return false, err
	}
	n, err := tx.Exec(ctx, insertComplaintStop, issueID, now.UnixMilli())
	if err == nil && n > 0 {
		err = Pause(ctx, tx, issueID, reason, now)
	}
	if err != nil {
		return false, fmt.Errorf("issue %d: stop for complaints: %w", issueID, err)
	}
	return n > 0, nil
}

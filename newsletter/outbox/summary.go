package outbox

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// Begun is an issue that began to be sent.
type Begun struct {
	IssueID, SeriesID int64 // SeriesID 0: the site's
	Slot, Kind        string
	Since             time.Time
}

const selectUnsummed = `SELECT i.id, coalesce(i.series_id, 0), i.slot, i.kind, i.sending_since
FROM issues i
WHERE i.sending_since > ?1 AND i.kind <> 'welcome' AND NOT EXISTS (SELECT 1 FROM summaries x WHERE x.issue_id = i.id)
ORDER BY i.sending_since, i.id`

// Unsummed lists the issues that began after an instant and were not summed up for the editors, oldest first. Welcomes never are.
func Unsummed(ctx context.Context, q store.Querier, after time.Time) (all []Begun, _ error) {
	var b Begun
	var since int64
	err := eachRow(ctx, q, selectUnsummed, []any{&b.IssueID, &b.SeriesID, &b.Slot, &b.Kind, &since}, func() {
		b.Since = time.UnixMilli(since).UTC()
		all = append(all, b)
	}, after.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("issues without a summary: %w", err)
	}
	return all, nil
}

const insertSummary = `INSERT INTO summaries (issue_id, told) VALUES (?1, ?2) ON CONFLICT (issue_id) DO NOTHING`

// SumUp notes that an issue is summed up; first is false where it was before.
func SumUp(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) (first bool, err error) {
	n, err := tx.Exec(ctx, insertSummary, issueID, now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("issue %d: sum up: %w", issueID, err)
	}
	return n == 1, nil
}

// Skips are the skipped rows of an issue by what was in the way of each.
type Skips struct {
	Left    int64 // they had left the series, or were erased
	Refused int64 // their address had bounced, or they had complained
	Again   int64 // they had started the series again, so that its first article comes to them next
	Paused  int64 // they take a break
	Else    int64 // the issue or its article was taken back, or nothing may be mailed to them for another reason
}

// Plus is what two issues have together.
func (s Skips) Plus(t Skips) Skips {
	return Skips{Left: s.Left + t.Left, Refused: s.Refused + t.Refused, Again: s.Again + t.Again, Paused: s.Paused + t.Paused, Else: s.Else + t.Else}
}

// What ended an enrolment later than the row says nothing of the row.
const countSkips = `SELECT CASE
	WHEN e.id IS NULL OR (e.ended_at <= d.updated AND e.ended_by = 'unsubscribe') THEN 'left'
	WHEN e.ended_at <= d.updated THEN 'refused'
	WHEN e.cycle > d.cycle AND e.cycle_since <= d.updated
		AND EXISTS (SELECT 1 FROM articles o WHERE o.id = d.article_id AND o.series_id = d.series_id) THEN 'again'
	WHEN e.state = 'paused' THEN 'paused' ELSE '' END, count(*)
FROM deliveries d LEFT JOIN enrolments e ON e.series_id = d.series_id AND e.subscriber_id = d.subscriber_id
WHERE d.issue_id = ?1 AND d.owner = '' AND d.state <> 'pending' AND d.state = 'skipped' GROUP BY 1`

// CountSkips counts the skipped rows of an issue. Why is not kept with them: it is judged by how people stand now.
func CountSkips(ctx context.Context, q store.Querier, issueID int64) (s Skips, _ error) {
	var why string
	var n int64
	of := map[string]*int64{"left": &s.Left, "refused": &s.Refused, "again": &s.Again, "paused": &s.Paused, "": &s.Else}
	err := eachRow(ctx, q, countSkips, []any{&why, &n}, func() { *of[why] += n }, issueID)
	if err != nil {
		return Skips{}, fmt.Errorf("issue %d: skipped: %w", issueID, err)
	}
	return s, nil
}

// From those who left to their deliveries, since there are few of them.
const countLeft = `SELECT count(DISTINCT e.subscriber_id) FROM series s CROSS JOIN enrolments e CROSS JOIN deliveries d
WHERE e.series_id = s.id AND e.state = 'ended' AND e.ended_at >= ?2 AND e.ended_by = 'unsubscribe'
	AND d.issue_id = ?1 AND d.subscriber_id = e.subscriber_id AND d.series_id = s.id AND d.state = 'sent'`

// LeftSince counts the people who got an issue and have left its series since an instant, by whatever link.
func LeftSince(ctx context.Context, q store.Querier, issueID int64, since time.Time) (n int64, err error) {
	if err := q.QueryRow(ctx, countLeft, issueID, since.UnixMilli()).Scan(&n); err != nil {
		return 0, fmt.Errorf("issue %d: who left since: %w", issueID, err)
	}
	return n, nil
}

package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// mostCompacted is how long one call of Compact works, so that nothing that is due waits long for it.
const mostCompacted = 2 * time.Second

// Compact moves the rows that ended before the given instant, of issues that are over (and of welcomes, which never are), out
// of deliveries: who had what stays in kept, how many rows there were in kept_counts, and the evidence goes, with what servers
// said of them later. What is uncertain stays. So does the row with the greatest number, or the next one made would take its number
// again, by which Message-IDs are made and reports are kept. It works for some two seconds in transactions of at most 50 ms; a crash
// loses or doubles nothing, since a row leaves one table in the transaction that brings it into the other. It returns how many rows it
// moved, and whether there are more.
func Compact(ctx context.Context, db *store.DB, before time.Time) (moved int64, more bool, err error) {
	c := compaction{before: before.UnixMilli(), until: time.Now().Add(mostCompacted), size: firstChunk}
	var ids []int64
	if err = db.QueryRow(ctx, selectNewest).Scan(&c.newest); err == nil {
		ids, err = scanIDs(db.Query(ctx, selectCompactable, c.before, c.newest))
	}
	for _, id := range ids {
		for full := false; err == nil && !full; {
			if time.Now().After(c.until) {
				return c.moved, true, nil
			}
			began := time.Now()
			err = db.InTx(ctx, func(tx *store.Tx) error { full, err = c.chunk(ctx, tx, id); return err })
			took := time.Since(began)
			c.size = nextChunk(c.size, took)
			if err == nil {
				err = store.Rest(ctx, took)
			}
		}
		if err != nil {
			return c.moved, true, fmt.Errorf("compact deliveries of issue %d: %w", id, err)
		}
		c.after = 0
	}
	if err == nil {
		more, err = forgetOfNotices(ctx, db, before)
	}
	if err != nil {
		return c.moved, false, fmt.Errorf("compact deliveries: %w", err)
	}
	return c.moved, more, nil
}

const (
	mostForgotten = 1000
	forgetNotices = `UPDATE bounces SET said = ''
WHERE id IN (SELECT id FROM bounces WHERE issue_id IS NULL AND said <> '' AND heard < ?1 LIMIT ?2)`
)

// forgetOfNotices takes what was said of notices before an instant, whose rows stay; more says that there may be more of it.
func forgetOfNotices(ctx context.Context, db *store.DB, before time.Time) (more bool, err error) {
	err = db.InTx(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, forgetNotices, before.UnixMilli(), mostForgotten)
		more = n == mostForgotten
		return err
	})
	return more, err
}

const selectNewest = `SELECT coalesce(max(id), 0) FROM deliveries`

// Every issue that is over, as far as it has rows left: of one that was compacted the index says so at once.
const selectCompactable = `SELECT i.id FROM issues i
WHERE i.frozen < ?1 AND (i.state IN ('done', 'cancelled') OR i.kind = 'welcome')
	AND EXISTS (SELECT 1 FROM deliveries d WHERE d.issue_id = i.id AND d.owner = '' AND d.state <> 'pending'
		AND d.state <> 'uncertain' AND d.updated < ?1 AND +d.id < ?2)
ORDER BY i.id`

// compaction is one call of Compact.
type compaction struct {
	before int64 // rows that ended later stay
	newest int64 // and so do this one and what came after it
	until  time.Time
	after  int64 // the last subscriber of the last chunk
	size   int64 // rows in a chunk
	moved  int64
}

// An announcement is of the cycle in which its last try ended, which may be long after its first mark.
const (
	chunkEnd = `SELECT max(subscriber_id) FROM (
	SELECT subscriber_id FROM deliveries WHERE issue_id = ?1 AND subscriber_id > ?2 ORDER BY subscriber_id LIMIT ?3) c`
	keepHad = `INSERT INTO kept (subscriber_id, issue_id, series_id, article_id, cycle, sent, at)
SELECT subscriber_id, issue_id, series_id, article_id, cycle, CASE state WHEN 'sent' THEN 1 ELSE 0 END,
	CASE (SELECT kind FROM issues WHERE id = ?1) WHEN 'announcement' THEN updated ELSE coalesce(dated, created) END
FROM deliveries
WHERE issue_id = ?1 AND subscriber_id > ?2 AND subscriber_id <= ?3 AND updated < ?4 AND +id < ?5
	AND (state = 'sent' OR (state = 'failed' AND class = 'content' AND article_id IS NOT NULL))`
	keepCounts = `INSERT INTO kept_counts (issue_id, sent, failed, skipped)
SELECT issue_id, count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'skipped')
FROM deliveries
WHERE issue_id = ?1 AND subscriber_id > ?2 AND subscriber_id <= ?3 AND updated < ?4 AND +id < ?5 AND state IN ('sent', 'failed', 'skipped')
GROUP BY issue_id
ON CONFLICT (issue_id) DO UPDATE SET sent = kept_counts.sent + excluded.sent, failed = kept_counts.failed + excluded.failed,
	skipped = kept_counts.skipped + excluded.skipped`
	forgetSaid = `UPDATE bounces SET said = '' WHERE said <> '' AND delivery_id IN (SELECT id FROM deliveries
	WHERE issue_id = ?1 AND subscriber_id > ?2 AND subscriber_id <= ?3 AND updated < ?4 AND +id < ?5 AND state IN ('sent', 'failed', 'skipped'))`
	deleteKept = `DELETE FROM deliveries
WHERE issue_id = ?1 AND subscriber_id > ?2 AND subscriber_id <= ?3 AND updated < ?4 AND +id < ?5 AND state IN ('sent', 'failed', 'skipped')`
)

// chunk moves the rows of the next people of an issue; full says that there are none.
func (c *compaction) chunk(ctx context.Context, tx *store.Tx, issueID int64) (full bool, err error) {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil {
		return false, err
	}
	if over := issue.State == series.IssueDone || issue.State == series.IssueCancelled; !over && issue.Kind != welcome {
		return true, nil // somebody sends it again meanwhile
	}
	var last sql.NullInt64
	if err := tx.QueryRow(ctx, chunkEnd, issueID, c.after, c.size).Scan(&last); err != nil || !last.Valid {
		return true, err
	}
	var n int64
	for _, query := range []string{keepHad, keepCounts, forgetSaid, deleteKept} {
		if n, err = tx.Exec(ctx, query, issueID, c.after, last.Int64, c.before, c.newest); err != nil {
			return false, err
		}
	}
	c.after, c.moved = last.Int64, c.moved+n
	return false, nil
}

const anyKept = `SELECT EXISTS (SELECT 1 FROM kept_counts c JOIN issues i ON i.id = c.issue_id WHERE i.article_id = ?1)`

// isKept says whether some of those who had an article have it in kept: else nobody needs to be looked for there.
func isKept(ctx context.Context, q store.Querier, articleID int64) (is bool, err error) {
	err = q.QueryRow(ctx, anyKept, articleID).Scan(&is)
	return is, err
}

package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Counts are the rows of an issue by state: what is shown is what is there.
type Counts struct {
	Pending   int64 `json:"pending"`
	Claimed   int64 `json:"claimed"`
	Inflight  int64 `json:"inflight"`
	Sent      int64 `json:"sent"`
	Failed    int64 `json:"failed"`
	Skipped   int64 `json:"skipped"`
	Uncertain int64 `json:"uncertain"`

	Bounced    int64 `json:"bounced,omitempty"` // of Sent, so far: came back later, by mail; counted by CountReturned
	Complained int64 `json:"complained,omitempty"`
}

// Total is the number of rows.
func (c Counts) Total() int64 { return c.Open() + c.Sent + c.Failed + c.Skipped + c.Uncertain }

// Open is the number of rows that are not through yet: pending, claimed, inflight.
func (c Counts) Open() int64 { return c.Pending + c.Claimed + c.Inflight }

// Plus is what two issues have together.
func (c Counts) Plus(d Counts) Counts {
	return Counts{
		Pending: c.Pending + d.Pending, Claimed: c.Claimed + d.Claimed, Inflight: c.Inflight + d.Inflight, Sent: c.Sent + d.Sent,
		Failed: c.Failed + d.Failed, Skipped: c.Skipped + d.Skipped, Uncertain: c.Uncertain + d.Uncertain,
	}
}

// One count for each index that has some of the rows; what is claimed or in flight is little at any time.
const countStates = `SELECT state, count(*) FROM deliveries
WHERE issue_id = ?1 AND owner = '' AND state <> 'pending' GROUP BY state
UNION ALL SELECT state, count(*) FROM deliveries WHERE issue_id = ?1 AND state = 'pending' GROUP BY state
UNION ALL SELECT 'claimed', count(*) FROM deliveries WHERE +issue_id = ?1 AND owner <> '' AND state = 'claimed'
UNION ALL SELECT 'inflight', count(*) FROM deliveries WHERE +issue_id = ?1 AND owner <> '' AND state = 'inflight'
UNION ALL SELECT 'sent', sent FROM kept_counts WHERE issue_id = ?1
UNION ALL SELECT 'failed', failed FROM kept_counts WHERE issue_id = ?1
UNION ALL SELECT 'skipped', skipped FROM kept_counts WHERE issue_id = ?1`

// Count counts the rows of an issue, those included that Compact took away.
func Count(ctx context.Context, q store.Querier, issueID int64) (Counts, error) {
	rows, err := q.Query(ctx, countStates, issueID)
	if err != nil {
		return Counts{}, fmt.Errorf("issue %d: count: %w", issueID, err)
	}
	defer rows.Close()
	var c Counts
	of := map[state]*int64{
		pending: &c.Pending, claimed: &c.Claimed, inflight: &c.Inflight,
		sent: &c.Sent, failed: &c.Failed, skipped: &c.Skipped, uncertain: &c.Uncertain,
	}
	for rows.Next() {
		var s state
		var n int64
		if err := rows.Scan(&s, &n); err != nil {
			return Counts{}, fmt.Errorf("issue %d: count: %w", issueID, err)
		}
		*of[s] += n
	}
	if err := rows.Err(); err != nil {
		return Counts{}, fmt.Errorf("issue %d: count: %w", issueID, err)
	}
	return c, nil
}

// Two counts: joined, they would be one that reads every row's issue.
const countPending = `SELECT count(*), min(next_try) FROM (
	SELECT next_try FROM deliveries WHERE issue_id IS NULL AND state = 'pending'
	UNION ALL
	SELECT d.next_try FROM issues i CROSS JOIN deliveries d
	WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') AND d.issue_id = i.id AND d.state = 'pending')`

// CountPending counts pending rows of notices and of issues that are sending, and says when the next of them may be tried
// (zero: none).
func CountPending(ctx context.Context, q store.Querier) (rows int64, next time.Time, err error) {
	var earliest sql.NullInt64
	if err := q.QueryRow(ctx, countPending).Scan(&rows, &earliest); err != nil {
		return 0, time.Time{}, fmt.Errorf("count pending deliveries: %w", err)
	}
	return rows, instant(earliest), nil
}

// The row that is tried last is one that was put off, if any was: a wait is longer than none, and longer with each try.
const selectPutOff = `SELECT i.id FROM issues i
WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') AND i.reached = 0
	AND NOT EXISTS (SELECT 1 FROM issues o WHERE o.sending_since >= i.sending_since AND o.reached = 1)
	AND EXISTS (SELECT 1 FROM lanes l WHERE ?1 >= (
		SELECT CASE WHEN d.waited > 0 THEN d.next_try - d.waited END FROM deliveries d
		WHERE d.issue_id = i.id AND d.lane = l.id AND d.state = 'pending' ORDER BY d.next_try DESC LIMIT 1))
ORDER BY i.id`

// PutOff lists issues that the relay puts off since an instant, or longer, though it answers: of what it was offered of them it took
// nothing, nor of any that began later. One of which somebody had a letter is none, whatever became of the rest.
func PutOff(ctx context.Context, q store.Querier, since time.Time) ([]int64, error) {
	ids, err := scanIDs(q.Query(ctx, selectPutOff, since.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("issues that are put off: %w", err)
	}
	return ids, nil
}

const selectFinished = `SELECT i.id FROM issues i
WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled') AND i.kind <> 'welcome'
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue_id = i.id AND d.state = 'pending')
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.owner <> '' AND +d.issue_id = i.id)
ORDER BY i.id`

// Finish marks sending issues without open rows as done and returns their numbers. Welcomes stay: people come for months.
func Finish(ctx context.Context, db *store.DB, now time.Time) ([]int64, error) {
	ready, err := finished(ctx, db)
	if err != nil || len(ready) == 0 {
		return nil, err
	}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		if ready, err = finished(ctx, tx); err != nil {
			return err
		}
		for _, id := range ready {
			if err := series.Transition(ctx, tx, id, series.IssueDone, "", now); err != nil {
				return fmt.Errorf("finish issue %d: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ready, nil
}

func finished(ctx context.Context, q store.Querier) ([]int64, error) {
	ids, err := scanIDs(q.Query(ctx, selectFinished))
	if err != nil {
		return nil, fmt.Errorf("finish issues: %w", err)
	}
	return ids, nil
}

func scanIDs(rows *sql.Rows, err error) ([]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

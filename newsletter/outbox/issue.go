package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Open flips issues from filling to sending together, or to done where one has no rows (welcomes aside). It checks again
// what Freeze checked: an issue whose article was withdrawn is cancelled; one whose article or disclaimer changed since is
// held. Neither is an error. An issue without unsubscribe link fails with ErrHole, one in another state with
// series.ErrState.
func Open(ctx context.Context, tx *store.Tx, now time.Time, issueIDs ...int64) error {
	for _, id := range issueIDs {
		if err := open(ctx, tx, id, now); err != nil {
			return fmt.Errorf("issue %d: open: %w", id, err)
		}
	}
	return nil
}

func open(ctx context.Context, tx *store.Tx, id int64, now time.Time) error {
	issue, err := series.IssueByID(ctx, tx, id)
	if err != nil {
		return err
	}
	if issue.State != series.IssueFilling {
		return fmt.Errorf("the issue is %s: %w", issue.State, series.ErrState)
	}
	if err := checkHole(issue); err != nil {
		return err
	}
	to, reason, err := stillAsFrozen(ctx, tx, issue)
	if err != nil {
		return err
	}
	if to == series.IssueCancelled {
		return Cancel(ctx, tx, id, reason, now)
	}
	if err := series.Transition(ctx, tx, id, to, reason, now); err != nil || to != series.IssueSending {
		return err
	}
	counts, err := Count(ctx, tx, id)
	if err != nil || counts.Total() > 0 || issue.Kind == "welcome" {
		return err
	}
	return series.Transition(ctx, tx, id, series.IssueDone, "", now)
}

// stillAsFrozen says whether an issue may begin to send, and if not, what it becomes and why.
func stillAsFrozen(ctx context.Context, q store.Querier, issue series.Issue) (series.IssueState, string, error) {
	if issue.ArticleID != 0 {
		article, err := series.ArticleByID(ctx, q, issue.ArticleID)
		if err != nil {
			return "", "", err
		}
		if article.State == series.Withdrawn {
			return series.IssueCancelled, "The article was withdrawn before the issue began to send.", nil
		}
	}
	err := series.AsFrozen(ctx, q, issue)
	if errors.Is(err, series.ErrState) || errors.Is(err, series.ErrDisclaimer) {
		return series.IssueHeld, "The article or the disclaimer changed after this issue was frozen. Cancel the issue and send the article anew.", nil
	}
	return series.IssueSending, "", err
}

// Hold keeps an issue that is planned or filling from sending, with its rows; one that sends is paused instead.
func Hold(ctx context.Context, tx *store.Tx, issueID int64, reason string, now time.Time) error {
	return series.Transition(ctx, tx, issueID, series.IssueHeld, reason, now)
}

// Release ends a hold: an issue that never began to send is planned again and filled to the end (its rows are kept), one that
// had begun goes on.
func Release(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) error {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil {
		return fmt.Errorf("issue %d: release: %w", issueID, err)
	}
	if issue.State != series.IssueHeld {
		return fmt.Errorf("issue %s is %s and not held: %w", issue.Name, issue.State, series.ErrState)
	}
	to := series.IssuePlanned
	if !issue.SendingSince.IsZero() {
		to = series.IssueSending
	}
	return series.Transition(ctx, tx, issueID, to, "", now)
}

// Pause stops an issue that sends, on every connection within one transaction, since the mark asks for the issue's state.
func Pause(ctx context.Context, tx *store.Tx, issueID int64, reason string, now time.Time) error {
	return series.Transition(ctx, tx, issueID, series.IssuePaused, reason, now)
}

// Resume has an issue go on with the rows that are left, where it is paused or doesn't go to providers that refused it.
func Resume(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) error {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil {
		return fmt.Errorf("issue %d: resume: %w", issueID, err)
	}
	stops, err := goOn(ctx, tx, issueID)
	if err != nil || stops > 0 && issue.State == series.IssueSending {
		return err
	}
	if issue.State != series.IssuePaused {
		return fmt.Errorf("issue %s is %s and not paused: %w", issue.Name, issue.State, series.ErrState)
	}
	return series.Transition(ctx, tx, issueID, series.IssueSending, "", now)
}

// skipAtOnce is how many rows one transaction skips, so that nobody waits long for the database.
const skipAtOnce = 2000

// Cancel ends an issue: nothing of it is marked from here on. Its first 2,000 waiting rows become skipped at once, the others
// by the worker or SkipCancelled; rows that are claimed when their mark is refused. What the relay has stays. Where nobody
// got it, those whom its content was refused for may have the article from another issue.
func Cancel(ctx context.Context, tx *store.Tx, issueID int64, reason string, now time.Time) error {
	if err := series.Transition(ctx, tx, issueID, series.IssueCancelled, reason, now); err != nil {
		return err
	}
	if err := giveArticleBack(ctx, tx, issueID); err != nil {
		return err
	}
	_, err := skip(ctx, tx, issueID, now)
	return err
}

const unbindRefused = `UPDATE deliveries SET article_id = NULL
WHERE issue_id = ?1 AND state = 'failed' AND owner = '' AND state <> 'pending' AND class = 'content'
	AND EXISTS (SELECT 1 FROM issues i WHERE i.id = ?1 AND i.state = 'cancelled' AND i.reached = 0)`

// giveArticleBack has refused content no longer count as had where the cancelled issue gives its article back.
func giveArticleBack(ctx context.Context, tx *store.Tx, issueID int64) error {
	if _, err := tx.Exec(ctx, unbindRefused, issueID); err != nil {
		return fmt.Errorf("issue %d: give the article back: %w", issueID, err)
	}
	return nil
}

const skipRows = `UPDATE deliveries SET state = CASE WHEN amb = 1 THEN 'uncertain' ELSE 'skipped' END, updated = ?3
WHERE id IN (SELECT id FROM deliveries WHERE issue_id = ?1 AND state = 'pending' LIMIT ?2)`

func skip(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) (int64, error) {
	n, err := tx.Exec(ctx, skipRows, issueID, skipAtOnce, now.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("issue %d: skip: %w", issueID, err)
	}
	return n, nil
}

// From one issue with pending rows to the next through the index, however many rows each has.
const selectCancelled = `WITH RECURSIVE waiting (issue_id) AS (
	SELECT min(issue_id) FROM deliveries WHERE state = 'pending' AND issue_id > 0
	UNION ALL
	SELECT (SELECT min(d.issue_id) FROM deliveries d WHERE d.state = 'pending' AND d.issue_id > waiting.issue_id)
	FROM waiting WHERE waiting.issue_id IS NOT NULL)
SELECT i.id FROM waiting JOIN issues i ON i.id = waiting.issue_id WHERE i.state = 'cancelled'`

// SkipCancelled skips what still waits of cancelled issues, in short transactions, and returns how many rows that were.
func SkipCancelled(ctx context.Context, db *store.DB, now time.Time) (skipped int64, err error) {
	ids, err := scanIDs(db.Query(ctx, selectCancelled))
	if err != nil {
		return 0, fmt.Errorf("skip what was cancelled: %w", err)
	}
	for _, id := range ids {
		for n := int64(skipAtOnce); n == skipAtOnce; skipped += n {
			if err := db.InTx(ctx, func(tx *store.Tx) error { n, err = skip(ctx, tx, id, now); return err }); err != nil {
				return skipped, err
			}
		}
	}
	return skipped, nil
}

const (
	selectOpenOf  = `SELECT id FROM issues WHERE article_id = ?1 AND state NOT IN ('done', 'cancelled') ORDER BY id`
	countUnhanded = `SELECT (SELECT count(*) FROM deliveries WHERE issue_id = ?1 AND state = 'pending')
	+ (SELECT count(*) FROM deliveries WHERE +issue_id = ?1 AND owner <> '' AND state = 'claimed')`
)

// WithdrawArticle cancels the article's open issues: rows that were not handed over are skipped (see Cancel). It returns
// how many those are.
func WithdrawArticle(ctx context.Context, tx *store.Tx, articleID int64, now time.Time) (skipped int64, err error) {
	ids, err := scanIDs(tx.Query(ctx, selectOpenOf, articleID))
	if err != nil {
		return 0, fmt.Errorf("article %d: withdraw: %w", articleID, err)
	}
	for _, id := range ids {
		var n int64
		if err := tx.QueryRow(ctx, countUnhanded, id).Scan(&n); err != nil {
			return 0, fmt.Errorf("article %d: withdraw: %w", articleID, err)
		}
		skipped += n
		if err := Cancel(ctx, tx, id, "The article was withdrawn.", now); err != nil {
			return 0, fmt.Errorf("article %d: withdraw: %w", articleID, err)
		}
	}
	return skipped, nil
}

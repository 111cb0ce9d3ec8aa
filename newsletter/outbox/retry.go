package outbox

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

const (
	longestWait = 10 * time.Hour // eight hours and their 20 %
	ambWait     = 10 * time.Minute
	lostWait    = time.Minute // after an envelope that a fresh connection was lost in: no try, and no place at the head
)

// Backoff is the wait before try n+1: 1, 5, 15, 30 minutes, 1, 2, 4, then every 8 hours, each ±20 % by random in [0,1).
func Backoff(tries int, random float64) time.Duration {
	waits := [...]time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	}
	wait := waits[min(max(tries, 1), len(waits))-1]
	return time.Duration(float64(wait) * (0.8 + 0.4*random))
}

// arrow says where what the relay answered takes a delivery. From claimed it is the envelope's outcome, from inflight the
// content's.
func arrow(r row, from state, out mailer.Outcome, shelf time.Duration, now time.Time) turn {
	t := turn{row: r, from: from, reply: saidOf(r.to, out.Reply).String()}
	switch out.State {
	case mailer.Accepted:
		t.to = sent
		return t
	case mailer.Refused:
		t.to, t.class = failed, string(cmp.Or(out.Class, mailer.ClassMailbox))
		return t
	case mailer.Unknown:
		t = unanswered(r, cmp.Or(t.reply, "the relay had the content and did not answer"), shelf, now)
		return t
	case mailer.Away:
		if from == claimed {
			t.to, t.row.nextTry = pending, now.Add(lostWait).UnixMilli()
			return t
		}
	case mailer.Deferred:
		if from == claimed {
			t.row.tries++ // a mark has counted its try already
		}
	}
	t.later(Backoff(int(t.row.tries), rand.Float64()), shelf, now)
	return t
}

// unanswered is the arrow of a content whose reply nobody knows: never twice for an issue, never lost for a notice.
func unanswered(r row, reply string, shelf time.Duration, now time.Time) turn {
	t := turn{row: r, from: inflight, to: uncertain, reply: reply}
	if r.notice != 0 {
		t.row.amb = true
		t.later(max(ambWait, Backoff(int(r.tries), rand.Float64())), shelf, now)
	}
	return t
}

// later has the delivery wait, unless its waits would exceed the shelf life. Only these waits age it: a pause, a relay that
// is away or a stopped program do not.
func (t *turn) later(wait, shelf time.Duration, now time.Time) {
	if time.Duration(t.row.waited)*time.Millisecond+wait > shelf {
		t.to, t.class = failed, classExpired
		t.spare()
		return
	}
	t.to = pending
	t.row.waited += wait.Milliseconds()
	t.row.nextTry = now.Add(wait).UnixMilli()
}

// spare makes uncertain of a delivery that ends without a word of the relay though a copy may be out.
func (t *turn) spare() {
	if t.row.amb {
		t.to, t.class = uncertain, ""
	}
}

// Of a row of deliveries with an article of its own series: whether its reader has started that again, so that it may not go any more
// (see markIssues), and when the cycle that they are in began. An article of another series is of no cycle of the row's.
const (
	isOver = `EXISTS (SELECT 1 FROM articles a JOIN enrolments e ON e.series_id = a.series_id
		WHERE a.id = deliveries.article_id AND a.series_id = deliveries.series_id AND e.subscriber_id = deliveries.subscriber_id
			AND e.cycle > deliveries.cycle)`
	ownCycleSince = `coalesce((SELECT e.cycle_since FROM articles a JOIN enrolments e ON e.series_id = a.series_id
		WHERE a.id = deliveries.article_id AND a.series_id = deliveries.series_id AND e.subscriber_id = deliveries.subscriber_id), 0)`
)

const retryFailed = `UPDATE deliveries SET state = 'pending', class = '', waited = 0, next_try = ?2, updated = ?2
WHERE issue_id = ?1 AND state = 'failed' AND owner = '' AND state <> 'pending' AND class IN ('blocked', 'config', 'content', 'expired')
	AND NOT ` + isOver + `
	AND (article_id IS NULL OR NOT EXISTS (
		SELECT 1 FROM deliveries o
		WHERE o.subscriber_id = deliveries.subscriber_id AND o.article_id = deliveries.article_id AND o.id <> deliveries.id
			AND (o.series_id = deliveries.series_id AND o.cycle = deliveries.cycle OR o.series_id <> deliveries.series_id
				AND (o.state IN ('pending', 'claimed', 'inflight') OR o.updated >= ` + ownCycleSince + `))
			AND (o.state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain') OR (o.state = 'failed' AND o.class = 'content'))))
	AND (article_id IS NULL OR NOT EXISTS (
		SELECT 1 FROM kept k
		WHERE k.subscriber_id = deliveries.subscriber_id AND k.article_id = deliveries.article_id
			AND (k.series_id = deliveries.series_id AND k.cycle = deliveries.cycle OR k.series_id <> deliveries.series_id AND k.at >= ` + ownCycleSince + `)))`

// Retry makes failed rows of class blocked, config, content or expired pending again, but for people who had the article through
// another issue since, or started its series again and get it in its turn, and has a done issue send again, to providers that were stopped too. It returns how many rows those are. An
// issue that is cancelled, whose article is withdrawn, or that was corrected since, fails with series.ErrState.
func Retry(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) (int64, error) {
	if err := mayGoOut(ctx, tx, issueID); err != nil {
		return 0, fmt.Errorf("retry: %w", err)
	}
	n, err := tx.Exec(ctx, retryFailed, issueID, now.UnixMilli())
	if err == nil {
		_, err = goOn(ctx, tx, issueID)
	}
	if err == nil {
		err = reopen(ctx, tx, issueID, n, now)
	}
	if err != nil {
		return 0, fmt.Errorf("issue %d: retry: %w", issueID, err)
	}
	return n, nil
}

// A cancelled correction may still reach those for whom it is in flight.
const isCorrected = `SELECT EXISTS (SELECT 1 FROM issues c
	WHERE c.article_id = ?1 AND c.kind = 'correction' AND c.revision > ?2
		AND (c.state <> 'cancelled' OR c.reached = 1
			OR EXISTS (SELECT 1 FROM deliveries d WHERE d.owner <> '' AND d.state = 'inflight' AND +d.issue_id = c.id)))`

// mayGoOut says why an issue may not go to anybody again: it is cancelled, its article was withdrawn, or its text was corrected since.
func mayGoOut(ctx context.Context, tx *store.Tx, issueID int64) error {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil {
		return err
	}
	if issue.State == series.IssueCancelled {
		return fmt.Errorf("issue %s is cancelled: %w", issue.Name, series.ErrState)
	}
	if issue.ArticleID != 0 {
		article, err := series.ArticleByID(ctx, tx, issue.ArticleID)
		if err != nil {
			return err
		}
		if article.State == series.Withdrawn {
			return fmt.Errorf("%w: article %s is withdrawn, so issue %s goes to nobody else; make it ready again first if it should", series.ErrState, article.Slug, issue.Name)
		}
	}
	var corrected bool
	if err := tx.QueryRow(ctx, isCorrected, orNull(issue.ArticleID), issue.Revision).Scan(&corrected); err != nil {
		return err
	}
	if !corrected {
		return nil
	}
	lacking := "Who lacks the article gets it as it is now by: pressrun issue announce SERIES --article ARTICLE"
	if issue.Kind == "correction" {
		lacking = "Who lacks the later correction gets it by: pressrun issue correct " + issue.Name + " --note TEXT"
	}
	return fmt.Errorf("%w: what issue %s says was corrected since, so it goes to nobody else. %s", series.ErrState, issue.Name, lacking)
}

// reopen has a done issue send again if it got rows to send.
func reopen(ctx context.Context, tx *store.Tx, issueID, rows int64, now time.Time) error {
	if rows == 0 {
		return nil
	}
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil || issue.State != series.IssueDone {
		return err
	}
	return series.Transition(ctx, tx, issueID, series.IssueSending, "", now)
}

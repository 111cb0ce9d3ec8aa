package outbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// How many people one transaction of a fill or of a compaction looks at, and how long it is to hold the database: half of the 50 ms
// that it may at most, since no two take the same time.
const (
	firstChunk = 500
	smallChunk = 100 // which take a millisecond: where a commit alone takes too long, fewer would only make more of them
	largeChunk = 10_000
	chunkTime  = 25 * time.Millisecond
)

// nextChunk is the size of the chunk after one of the given size that took so long: at least half as large, since one that had to
// wait says little of the next, and at most twice, half of the way.
func nextChunk(size int64, took time.Duration) int64 {
	fitting := int64(float64(size) * chunkTime.Seconds() / max(took.Seconds(), 1e-6))
	if fitting > size {
		fitting = size + min((fitting-size)/2, size)
	}
	return min(max(fitting, size/2, smallChunk), largeChunk)
}

const welcome = "welcome"

// FillLive writes the rows of an issue in state planned (which becomes filling) or filling: everybody mailable in its series
// who has not had its article in this cycle, nor in its time by an announcement to another series, nor read it before they came; of a
// correction, those who had the article in an earlier revision, or were refused it there in this cycle for what it said, and
// neither it nor a correction with this one since. It works in short transactions and goes on where an interrupted call stopped. The last one opens the
// issue as Open does. It returns how many rows the issue has. Two calls at once, of two processes, do it together; an issue
// that was filled to the end is left as it is.
func FillLive(ctx context.Context, db *store.DB, issueID int64, now func() time.Time) (int64, error) {
	issue, err := series.IssueByID(ctx, db, issueID)
	if err == nil && issue.SeriesID == 0 {
		err = fmt.Errorf("the issue belongs to no series: %w", series.ErrInvalid)
	}
	if err == nil {
		err = checkHole(issue)
	}
	f := fill{issue: issue, size: firstChunk}
	if err == nil {
		f.read, err = readingsWith(ctx, db, issue.SeriesID, issue.ArticleID)
	}
	if err == nil {
		f.oldest, err = oldestFirst(ctx, db, issue)
	}
	for err == nil && !f.full {
		began := time.Now()
		err = db.InTx(ctx, func(tx *store.Tx) error { return f.chunk(ctx, tx, now()) })
		took := time.Since(began)
		f.size = nextChunk(f.size, took)
		if err == nil {
			err = store.Rest(ctx, took)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("issue %d: fill: %w", issueID, err)
	}
	counts, err := Count(ctx, db, issueID)
	return counts.Total(), err
}

// fill is one call of FillLive.
type fill struct {
	issue  series.Issue
	read   string // readings that have the article, as ",3,17,"
	kept   bool   // some of those who had it are in kept
	told   bool   // an announcement carries it, so that somebody may have had it as a reader of another series
	oldest bool   // who confirmed longest ago comes first
	size   int64  // people in a chunk
	full   bool
}

const nextMailable = `SELECT min(subscriber_id), max(subscriber_id) FROM (
	SELECT subscriber_id FROM mailable WHERE series_id = ?1 AND subscriber_id > ?2 ORDER BY subscriber_id LIMIT ?3) chunk`

// chunk writes the rows of the next people and where it stopped, or opens the issue where there are none.
func (f *fill) chunk(ctx context.Context, tx *store.Tx, now time.Time) error {
	issue, err := series.IssueByID(ctx, tx, f.issue.ID)
	if err != nil {
		return err
	}
	if issue.State == series.IssuePlanned {
		if err := series.Transition(ctx, tx, issue.ID, series.IssueFilling, "", now); err != nil {
			return err
		}
	} else if !issue.SendingSince.IsZero() {
		f.full = true // another process filled it to the end meanwhile
		return nil
	} else if issue.State != series.IssueFilling {
		return fmt.Errorf("the issue is %s: %w", issue.State, series.ErrState)
	}
	var first, last *int64
	if err := tx.QueryRow(ctx, nextMailable, issue.SeriesID, issue.FillAfter, f.size).Scan(&first, &last); err != nil {
		return err
	}
	if first == nil {
		f.full = true
		return Open(ctx, tx, now, issue.ID)
	}
	// In this transaction: what was moved there meanwhile is not in deliveries any more, and what was announced meanwhile is.
	if f.kept, err = isKept(ctx, tx, issue.ArticleID); err != nil {
		return err
	}
	if f.told, err = isAnnounced(ctx, tx, issue.ArticleID); err != nil {
		return err
	}
	if err := f.insert(ctx, tx, *first, *last, now); err != nil {
		return err
	}
	return series.Filled(ctx, tx, issue.ID, *last)
}

// Rows are shuffled within a chunk, so that one provider's people, imported together, don't all come in a row.
const (
	insertReaders = `INSERT INTO deliveries (kind, issue_id, subscriber_id, series_id, article_id, cycle, next_try, created, updated, lane)
SELECT 'issue', ?1, m.subscriber_id, ?2, ?3, m.cycle, CASE WHEN ?9 = 1 THEN m.active_since ELSE ?4 END, ?4, ?4,
	coalesce((SELECT l.lane FROM addressed a JOIN lane_domains l ON l.domain = a.domain WHERE a.subscriber_id = m.subscriber_id), 0)
FROM mailable m
WHERE m.series_id = ?2 AND m.subscriber_id BETWEEN ?5 AND ?6
	AND (m.reading_id IS NULL OR ?7 NOT LIKE '%,' || m.reading_id || ',%')
	AND (?8 = 0 OR NOT EXISTS (SELECT 1 FROM kept k
		WHERE k.subscriber_id = m.subscriber_id AND k.article_id = ?3
			AND (k.series_id = ?2 AND k.cycle = m.cycle OR k.series_id <> ?2 AND k.at >= coalesce(m.cycle_since, 0))))
	AND (?10 = 0 OR NOT EXISTS (SELECT 1 FROM deliveries d
		WHERE d.subscriber_id = m.subscriber_id AND d.series_id <> ?2 AND d.article_id = ?3 AND d.gone = 0
			AND (d.state IN ('pending', 'claimed', 'inflight') OR d.updated >= coalesce(m.cycle_since, 0))))
ORDER BY (m.subscriber_id * 7919) % 1009
ON CONFLICT DO NOTHING`
	insertCorrected = `INSERT INTO deliveries (kind, issue_id, subscriber_id, series_id, cycle, next_try, created, updated, lane)
SELECT 'issue', ?1, m.subscriber_id, ?2, m.cycle, CASE WHEN ?9 = 1 THEN m.active_since ELSE ?4 END, ?4, ?4,
	coalesce((SELECT l.lane FROM addressed a JOIN lane_domains l ON l.domain = a.domain WHERE a.subscriber_id = m.subscriber_id), 0)
FROM mailable m
WHERE m.series_id = ?2 AND m.subscriber_id BETWEEN ?5 AND ?6
	AND (EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
			WHERE d.subscriber_id = m.subscriber_id AND d.article_id = ?3 AND i.revision < ?7
				AND (d.state IN ('inflight', 'sent', 'uncertain')
					OR (d.state = 'failed' AND d.class = 'content' AND (d.series_id <> ?2 OR d.cycle = m.cycle))))
		OR (?8 = 1 AND EXISTS (SELECT 1 FROM kept k JOIN issues i ON i.id = k.issue_id
			WHERE k.subscriber_id = m.subscriber_id AND k.article_id = ?3 AND i.revision < ?7
				AND (k.sent = 1 OR k.series_id <> ?2 OR k.cycle = m.cycle))))
	AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
		WHERE d.subscriber_id = m.subscriber_id AND d.series_id = ?2 AND i.article_id = ?3 AND i.revision >= ?7
			AND (d.state IN ('inflight', 'sent', 'uncertain') OR (d.state IN ('pending', 'claimed') AND (d.article_id IS NULL OR d.cycle = m.cycle))))
	AND (?8 = 0 OR NOT EXISTS (SELECT 1 FROM kept k JOIN issues i ON i.id = k.issue_id
		WHERE k.subscriber_id = m.subscriber_id AND k.series_id = ?2 AND k.sent = 1 AND i.article_id = ?3 AND i.revision >= ?7))
ORDER BY (m.subscriber_id * 7919) % 1009
ON CONFLICT DO NOTHING`
)

func (f *fill) insert(ctx context.Context, tx *store.Tx, first, last int64, now time.Time) error {
	row := []any{f.issue.ID, f.issue.SeriesID, orNull(f.issue.ArticleID), now.UnixMilli(), first, last}
	if f.issue.Kind == "correction" {
		_, err := tx.Exec(ctx, insertCorrected, append(row, f.issue.Revision, flag(f.kept), flag(f.oldest))...)
		return err
	}
	_, err := tx.Exec(ctx, insertReaders, append(row, f.read, flag(f.kept), flag(f.oldest), flag(f.told))...)
	return err
}

const insertBare = `INSERT INTO deliveries (kind, issue_id, subscriber_id, series_id, article_id, cycle, next_try, created, updated)
SELECT 'issue', i.id, m.subscriber_id, i.series_id, i.article_id, m.cycle, ?2, ?2, ?2
FROM issues i JOIN mailable m ON m.series_id = i.series_id WHERE i.id = ?1`

// FillBare writes an issue's rows by one statement that looks at nothing and holds the database for as long as it takes: no way
// to fill an issue, but what the time of FillLive is compared with.
func FillBare(ctx context.Context, tx *store.Tx, issueID int64, now time.Time) (int64, error) {
	n, err := tx.Exec(ctx, insertBare, issueID, now.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("issue %d: fill bare: %w", issueID, err)
	}
	return n, nil
}

// readingsWith lists the readings of a series that have an article, as ",3,17,".
func readingsWith(ctx context.Context, q store.Querier, seriesID, articleID int64) (string, error) {
	all, err := subscribers.Readings(ctx, q, seriesID)
	if err != nil {
		return "", err
	}
	var list strings.Builder
	list.WriteByte(',')
	for id, articles := range all {
		if articleID != 0 && slices.Contains(articles, articleID) {
			list.WriteString(strconv.FormatInt(id, 10))
			list.WriteByte(',')
		}
	}
	return list.String(), nil
}

const countReaders = `SELECT count(*) FROM mailable m
WHERE m.series_id = ?1 AND (m.reading_id IS NULL OR ?3 NOT LIKE '%,' || m.reading_id || ',%')
	AND NOT EXISTS (SELECT 1 FROM deliveries d
		WHERE d.subscriber_id = m.subscriber_id AND d.series_id = ?1 AND d.article_id = ?2 AND d.cycle = m.cycle
			AND (d.state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain') OR (d.state = 'failed' AND d.class = 'content')))
	AND (?4 = 0 OR NOT EXISTS (SELECT 1 FROM kept k
		WHERE k.subscriber_id = m.subscriber_id AND k.article_id = ?2
			AND (k.series_id = ?1 AND k.cycle = m.cycle OR k.series_id <> ?1 AND k.at >= coalesce(m.cycle_since, 0))))
	AND (?5 = 0 OR NOT EXISTS (SELECT 1 FROM deliveries d
		WHERE d.subscriber_id = m.subscriber_id AND d.series_id <> ?1 AND d.article_id = ?2 AND d.gone = 0
			AND (d.state IN ('pending', 'claimed', 'inflight') OR d.updated >= coalesce(m.cycle_since, 0))))`

// CountFill counts the rows that FillLive would write for an article now.
func CountFill(ctx context.Context, q store.Querier, seriesID, articleID int64) (n int64, err error) {
	read, err := readingsWith(ctx, q, seriesID, articleID)
	kept, told := false, false
	if err == nil {
		kept, err = isKept(ctx, q, articleID)
	}
	if err == nil {
		told, err = isAnnounced(ctx, q, articleID)
	}
	if err == nil {
		err = q.QueryRow(ctx, countReaders, seriesID, articleID, read, flag(kept), flag(told)).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("article %d: count readers: %w", articleID, err)
	}
	return n, nil
}

const countCorrected = `SELECT count(*) FROM articles a JOIN mailable m ON m.series_id = a.series_id
WHERE a.id = ?1 AND (EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
			WHERE d.subscriber_id = m.subscriber_id AND d.article_id = ?1 AND i.revision < ?2
				AND (d.state IN ('inflight', 'sent', 'uncertain')
					OR (d.state = 'failed' AND d.class = 'content' AND (d.series_id <> m.series_id OR d.cycle = m.cycle))))
		OR EXISTS (SELECT 1 FROM kept k JOIN issues i ON i.id = k.issue_id
			WHERE k.subscriber_id = m.subscriber_id AND k.article_id = ?1 AND i.revision < ?2
				AND (k.sent = 1 OR k.series_id <> m.series_id OR k.cycle = m.cycle)))
	AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue_id
		WHERE d.subscriber_id = m.subscriber_id AND d.series_id = m.series_id AND i.article_id = ?1 AND i.revision >= ?2
			AND (d.state IN ('inflight', 'sent', 'uncertain') OR (d.state IN ('pending', 'claimed') AND (d.article_id IS NULL OR d.cycle = m.cycle))))
	AND NOT EXISTS (SELECT 1 FROM kept k JOIN issues i ON i.id = k.issue_id
		WHERE k.subscriber_id = m.subscriber_id AND k.series_id = m.series_id AND k.sent = 1 AND i.article_id = ?1 AND i.revision >= ?2)`

// Of what waits and of what is held by a worker: what is in flight may come back and go out again.
const (
	selectOutdated = `SELECT id FROM issues WHERE article_id = ?1 AND revision < ?2 AND state IN ('sending', 'paused') ORDER BY id`
	countOpen      = `SELECT (SELECT count(*) FROM deliveries WHERE issue_id = ?1 AND state = 'pending')
	+ (SELECT count(*) FROM deliveries WHERE +issue_id = ?1 AND owner <> '')`
)

// Outdated is the first issue with an article in a revision below the given one that is still to go to somebody, and to how many;
// 0: there is none.
func Outdated(ctx context.Context, q store.Querier, articleID, revision int64) (issueID, rows int64, err error) {
	ids, err := scanIDs(q.Query(ctx, selectOutdated, articleID, revision))
	for _, id := range ids {
		if err = q.QueryRow(ctx, countOpen, id).Scan(&rows); err != nil || rows > 0 {
			issueID = id
			break
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("article %d: look for outdated issues: %w", articleID, err)
	}
	return issueID, rows, nil
}

// CountCorrection counts the mailable people who had an article in a revision below the given one, or were refused it in this cycle for
// what it said, and had neither it as it is now nor a correction of it since.
func CountCorrection(ctx context.Context, q store.Querier, articleID, revision int64) (n int64, err error) {
	if err := q.QueryRow(ctx, countCorrected, articleID, revision).Scan(&n); err != nil {
		return 0, fmt.Errorf("article %d: count readers of a correction: %w", articleID, err)
	}
	return n, nil
}

// Add writes rows of an issue in state filling (or of a welcome in any open state) for the given people, those among them
// who are mailable in its series at that moment; a row that exists or counts as had already is left alone. It returns how
// many were written.
func Add(ctx context.Context, tx *store.Tx, issueID int64, subscriberIDs []int64, now time.Time) (int64, error) {
	return AddFor(ctx, tx, issueID, 0, subscriberIDs, now)
}

// AddNext is Add for readers whose next article it is by what they had: who has started again since is left out, as that holds for the
// cycle it was decided in.
func AddNext(ctx context.Context, tx *store.Tx, issueID int64, readers []Reader, now time.Time) (int64, error) {
	return add(ctx, tx, issueID, 0, readers, now)
}

const insertReader = `INSERT INTO deliveries (kind, issue_id, subscriber_id, series_id, article_id, cycle, next_try, created, updated, lane)
SELECT 'issue', ?1, m.subscriber_id, ?2, ?3, m.cycle, CASE WHEN ?6 = 1 THEN m.active_since ELSE ?4 END, ?4, ?4,
	coalesce((SELECT l.lane FROM addressed a JOIN lane_domains l ON l.domain = a.domain WHERE a.subscriber_id = m.subscriber_id), 0)
FROM mailable m WHERE m.series_id = ?2 AND m.subscriber_id = ?5 AND (?7 = 0 OR m.cycle = ?7)
	AND NOT EXISTS (SELECT 1 FROM kept k
		WHERE k.subscriber_id = ?5 AND (k.issue_id = ?1 OR (k.article_id = ?3
			AND (k.series_id = ?2 AND k.cycle = m.cycle OR k.series_id <> ?2 AND k.at >= coalesce(m.cycle_since, 0)))))
	AND NOT EXISTS (SELECT 1 FROM deliveries d
		WHERE d.subscriber_id = ?5 AND d.series_id <> ?2 AND d.article_id = ?3 AND d.gone = 0
			AND (d.state IN ('pending', 'claimed', 'inflight') OR d.updated >= coalesce(m.cycle_since, 0)))
ON CONFLICT DO NOTHING`

// AddFor is Add for an announcement, which belongs to no series: the people get it as readers of seriesID, and its
// unsubscribe link leaves that one. Who reads several of the announcement's series has one row. It counts as had in its article's
// series in the cycle that its last try ended in, or is to: the row has the cycle of seriesID, so the time tells.
func AddFor(ctx context.Context, tx *store.Tx, issueID, seriesID int64, subscriberIDs []int64, now time.Time) (int64, error) {
	people := make([]Reader, len(subscriberIDs))
	for i, id := range subscriberIDs {
		people[i].SubscriberID = id
	}
	return add(ctx, tx, issueID, seriesID, people, now)
}

// add writes rows for people, of a reader with a cycle only if it still is theirs.
func add(ctx context.Context, tx *store.Tx, issueID, seriesID int64, people []Reader, now time.Time) (added int64, err error) {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err == nil {
		err = mayAdd(issue)
	}
	if issue.SeriesID != 0 {
		seriesID = issue.SeriesID
	}
	if err == nil && seriesID == 0 {
		err = fmt.Errorf("an announcement is added for a series: %w", series.ErrInvalid)
	}
	article := orNull(issue.ArticleID)
	if issue.Kind == "correction" {
		article = orNull(0) // the original counts as had
	}
	oldest := false
	if err == nil {
		oldest, err = oldestFirst(ctx, tx, issue)
	}
	last := issue.FillAfter
	for _, r := range people {
		if err != nil {
			break
		}
		var n int64
		n, err = tx.Exec(ctx, insertReader, issueID, seriesID, article, now.UnixMilli(), r.SubscriberID, flag(oldest), r.Cycle)
		added, last = added+n, max(last, r.SubscriberID)
	}
	if err == nil && issue.State == series.IssueFilling && len(people) > 0 {
		err = series.Filled(ctx, tx, issueID, last)
	}
	if err != nil {
		return 0, fmt.Errorf("issue %d: add readers: %w", issueID, err)
	}
	return added, nil
}

func mayAdd(issue series.Issue) error {
	closed := issue.State == series.IssueDone || issue.State == series.IssueCancelled
	if issue.State != series.IssueFilling && (issue.Kind != welcome || closed) {
		return fmt.Errorf("the issue is %s: %w", issue.State, series.ErrState)
	}
	return checkHole(issue)
}

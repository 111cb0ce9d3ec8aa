package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Reader is one mailable subscriber of a series with the facts that series.Next needs in drip.
type Reader struct {
	SubscriberID, Cycle int64
	Had                 map[int64]time.Time // article -> when: rows that count as had, of this cycle or in its time announced to another series
	Announced           map[int64]bool      // of Had: by an announcement; nil: none
	Before              map[int64]bool      // had before they came (readings)
	Welcomed            time.Time           // when a welcome of this series was had, in whatever cycle; zero: never
	Begun               bool                // something of this cycle was marked, or had before they came: another cycle would be another
	Waiting             bool                // something of this cycle is being sent to them, and has not come yet
}

const selectReaders = `SELECT subscriber_id, cycle, cycle_since, coalesce(reading_id, 0) FROM mailable
WHERE series_id = ?1 AND subscriber_id > ?2 ORDER BY subscriber_id LIMIT ?3`

// Readers lists up to n mailable subscribers of a series with a number above after, in order.
func Readers(ctx context.Context, q store.Querier, seriesID, after int64, n int) ([]Reader, error) {
	all, err := scanReaders(q.Query(ctx, selectReaders, seriesID, after, n))
	if err == nil {
		err = addFacts(ctx, q, seriesID, all)
	}
	if err != nil {
		return nil, fmt.Errorf("readers of series %d: %w", seriesID, err)
	}
	readers := make([]Reader, len(all))
	for i, f := range all {
		readers[i] = f.Reader
	}
	return readers, nil
}

// ReaderOf is one person's facts whether mailable or not; store.ErrNotFound for somebody never in the series.
func ReaderOf(ctx context.Context, q store.Querier, seriesID, subscriberID int64) (Reader, error) {
	e, err := subscribers.EnrolmentOf(ctx, q, seriesID, subscriberID)
	all := []factual{{Reader: Reader{SubscriberID: subscriberID, Cycle: e.Cycle}, since: e.CycleSince}}
	if e.Cycle == 1 {
		all[0].reading = e.ReadingID
	}
	if err == nil {
		err = addFacts(ctx, q, seriesID, all)
	}
	if err != nil {
		return Reader{}, fmt.Errorf("reader %d of series %d: %w", subscriberID, seriesID, err)
	}
	return all[0].Reader, nil
}

// factual is a reader whose facts are being gathered.
type factual struct {
	Reader
	since   time.Time // when their cycle began; zero: it is the first
	reading int64
}

func scanReaders(rows *sql.Rows, err error) (all []factual, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f factual
		var since sql.NullInt64
		if err := rows.Scan(&f.SubscriberID, &f.Cycle, &since, &f.reading); err != nil {
			return nil, err
		}
		f.since = instant(since)
		all = append(all, f)
	}
	return all, rows.Err()
}

// addFacts fills in what readers, in order of their numbers, had.
func addFacts(ctx context.Context, q store.Querier, seriesID int64, all []factual) error {
	at, err := addBefore(ctx, q, seriesID, all)
	if err != nil || len(all) == 0 {
		return err
	}
	return addHad(ctx, q, seriesID, all[0].SubscriberID, all[len(all)-1].SubscriberID, at)
}

// addBefore fills in what readers had before they came, and returns them by their numbers.
func addBefore(ctx context.Context, q store.Querier, seriesID int64, all []factual) (map[int64]*factual, error) {
	if len(all) == 0 {
		return nil, nil
	}
	readings, err := subscribers.Readings(ctx, q, seriesID)
	if err != nil {
		return nil, err
	}
	before := make(map[int64]map[int64]bool, len(readings))
	for id, articles := range readings {
		before[id] = make(map[int64]bool, len(articles))
		for _, article := range articles {
			before[id][article] = true
		}
	}
	at := make(map[int64]*factual, len(all))
	for i := range all {
		f := &all[i]
		f.Had, f.Before = map[int64]time.Time{}, before[f.reading]
		f.Begun = len(f.Before) > 0
		at[f.SubscriberID] = f
	}
	return at, nil
}

// The plus keeps the planner to the people at hand: the index of what counts as had would bring all of the series.
const selectHad = `SELECT d.subscriber_id, CASE d.series_id WHEN ?1 THEN d.cycle ELSE 0 END, d.article_id, i.kind,
	CASE WHEN i.kind = 'announcement' AND d.state NOT IN ('pending', 'claimed', 'inflight') THEN d.updated ELSE coalesce(d.dated, d.created) END,
	d.dated, CASE WHEN d.state IN ('pending', 'claimed', 'inflight') THEN NULL ELSE d.updated END, i.state = 'sending'
FROM deliveries d JOIN issues i ON i.id = d.issue_id
WHERE d.subscriber_id BETWEEN ?2 AND ?3 AND d.article_id IS NOT NULL
	AND (+d.series_id = ?1 OR (i.kind = 'announcement' AND EXISTS (SELECT 1 FROM articles a WHERE a.id = d.article_id AND a.series_id = ?1)))
	AND (d.state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain') OR (d.state = 'failed' AND d.class = 'content'))
UNION ALL
SELECT k.subscriber_id, CASE k.series_id WHEN ?1 THEN k.cycle ELSE 0 END, k.article_id, i.kind, k.at, k.at, k.at, 1 = 0
FROM kept k JOIN issues i ON i.id = k.issue_id
WHERE k.subscriber_id BETWEEN ?2 AND ?3 AND k.article_id IS NOT NULL
	AND (k.series_id = ?1 OR (i.kind = 'announcement' AND EXISTS (SELECT 1 FROM articles a WHERE a.id = k.article_id AND a.series_id = ?1)))`

func addHad(ctx context.Context, q store.Querier, seriesID, first, last int64, readers map[int64]*factual) error {
	rows, err := q.Query(ctx, selectHad, seriesID, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var subscriber, cycle, article int64 // cycle 0: it is another series', and says nothing of this one's
		var kind string
		var at, dated, ended sql.NullInt64
		var sending bool
		if err := rows.Scan(&subscriber, &cycle, &article, &kind, &at, &dated, &ended, &sending); err != nil {
			return err
		}
		r, when := readers[subscriber], instant(at)
		if r == nil {
			continue // not mailable, between two who are
		}
		// What was announced to another series is of the cycle in which its last try ended, or, as long as it is still to go, of this one:
		// the first mark tells too little, since a put-off letter may come after they started again.
		present := !ended.Valid || !instant(ended).Before(r.since)
		if cycle == r.Cycle || cycle == 0 && present {
			r.Had[article] = when
			last := dated
			if ended.Valid {
				last = ended
			}
			r.Begun = r.Begun || dated.Valid && (cycle != 0 || instant(last).After(r.since)) // of the very instant is not since then
			r.Waiting = r.Waiting || sending && !ended.Valid && cycle != 0
			if kind == "announcement" {
				r.announced(article)
			}
		}
		if kind == welcome && when.After(r.Welcomed) {
			r.Welcomed = when
		}
	}
	return rows.Err()
}

func (r *Reader) announced(article int64) {
	if r.Announced == nil {
		r.Announced = map[int64]bool{}
	}
	r.Announced[article] = true
}

package outbox

import (
	"context"
	"errors"
	"fmt"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// verdict says whether a delivery may be marked now.
type verdict int

const (
	eligible verdict = iota
	out              // the person left, or the issue or its article was taken back: never
	late             // the notice's own end has come
	waits            // the issue is paused or held
)

// person is where a message goes.
type person struct{ name, email string }

// The view mailable decides about the person, as it stands at this moment. A cycle is of a series and its own articles: a correction, an
// announcement without an article or with one of another series, goes in the next one too. The empty texts keep SQLite from looking at
// what name and address are to be, and with that from planning the statement anew for each: that took five times as long as the mark.
const markIssues = `UPDATE deliveries SET state = 'inflight', tries = tries + 1, dated = coalesce(dated, v.column3), hash = v.column4,
	message_id = v.column5, updated = ?1, room = ''
FROM (VALUES %s) AS v
WHERE deliveries.id = v.column1 AND owner = ?2 || '' AND epoch = v.column2 AND state = 'claimed'
	AND EXISTS (SELECT 1 FROM issues i LEFT JOIN articles a ON a.id = i.article_id
		WHERE i.id = deliveries.issue_id AND i.state = 'sending' AND (a.state IS NULL OR a.state <> 'withdrawn'))
	AND EXISTS (SELECT 1 FROM mailable m
		WHERE m.series_id = deliveries.series_id AND m.subscriber_id = deliveries.subscriber_id
			AND (m.cycle = deliveries.cycle
				OR NOT EXISTS (SELECT 1 FROM articles o WHERE o.id = deliveries.article_id AND o.series_id = deliveries.series_id))
			AND m.email = v.column6 || '' AND m.name = v.column7 || '')`

var markMany = newMany(markIssues, 2, 7)

// markAll makes claimed deliveries of issues inflight, as many as may be at this moment, and returns their number. The content
// of none may leave before the transaction is committed.
func (w *Worker) markAll(ctx context.Context, tx *store.Tx, marks []*marking) (marked int, err error) {
	values := make([]any, 0, len(marks)*markMany.columns)
	for _, m := range marks {
		l := m.letter
		values = append(values, m.row.id, m.row.epoch, l.dated, l.Hash, l.MessageID, l.to.email, l.to.name)
	}
	n, err := markMany.exec(ctx, tx, []any{w.now().UnixMilli(), w.owner}, values)
	if err != nil {
		return 0, fmt.Errorf("mark %d deliveries: %w", len(marks), err)
	}
	return int(n), nil
}

const markNotice = `UPDATE deliveries SET state = 'inflight', tries = tries + 1, dated = coalesce(dated, ?4), hash = ?5, message_id = ?6, updated = ?7
WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND state = 'claimed'`

// mark makes one claimed delivery inflight. Where it may not be, the row goes where it belongs, and marked stays false.
func (m *marking) mark(ctx context.Context, tx *store.Tx) (err error) {
	w, r, l := m.w, m.row, m.letter
	var n int
	if r.issue != 0 {
		n, err = w.markAll(ctx, tx, []*marking{m})
	} else {
		n, err = w.markNotice(ctx, tx, r, l)
	}
	if err != nil {
		return fmt.Errorf("delivery %d: mark: %w", r.id, err)
	}
	if m.marked = n == 1; m.marked {
		return nil
	}
	return w.drop(ctx, tx, r)
}

// markNotice is markAll for a notice, whose eligibility asks for more than SQL can see: hashes of addresses.
func (w *Worker) markNotice(ctx context.Context, tx *store.Tx, r row, l letter) (int, error) {
	_, to, v, err := w.addressee(ctx, tx, r)
	if err != nil || v != eligible || to != l.to {
		return 0, err
	}
	n, err := tx.Exec(ctx, markNotice, r.id, r.owner, r.epoch, l.dated, l.Hash, l.MessageID, w.now().UnixMilli())
	return int(n), err
}

// drop looks why a claimed delivery can't be marked and takes it where it belongs. Where it is not ours any more, it stays
// untouched.
func (w *Worker) drop(ctx context.Context, tx *store.Tx, r row) error {
	_, _, v, err := w.addressee(ctx, tx, r)
	if err != nil {
		return fmt.Errorf("delivery %d: drop: %w", r.id, err)
	}
	t := turn{row: r, from: claimed}
	switch v {
	case eligible, waits: // eligible: name or address are no longer those that the message was written to
		t.to = pending
	case out:
		t.to = skipped
		t.spare()
	case late:
		t.to, t.class = failed, classExpired
		t.spare()
	}
	_, err = t.make(ctx, tx, w.now())
	return err
}

// addressee says to whom a delivery goes and whether it may. n is its notice's content, if it is one.
func (w *Worker) addressee(ctx context.Context, q store.Querier, r row) (n Notice, to person, v verdict, err error) {
	if r.issue != 0 {
		to, v, err = readerOf(ctx, q, r)
		return n, to, v, err
	}
	if n, err = noticeByID(ctx, q, r.notice); err != nil {
		return n, to, v, err
	}
	to, v, err = w.noticeTo(ctx, q, n)
	return n, to, v, err
}

const selectReader = `SELECT m.name, m.email, i.state, coalesce(a.state, '')
FROM mailable m JOIN issues i ON i.id = ?1 LEFT JOIN articles a ON a.id = i.article_id
WHERE m.series_id = ?2 AND m.subscriber_id = ?3
	AND (m.cycle = ?4 OR NOT EXISTS (SELECT 1 FROM deliveries d JOIN articles o ON o.id = d.article_id AND o.series_id = d.series_id WHERE d.id = ?5))`

// readerOf reads an issue's row as mark does, to know before the envelope and to say why after a mark that changed nothing.
func readerOf(ctx context.Context, q store.Querier, r row) (to person, v verdict, err error) {
	var issue series.IssueState
	var article series.ArticleState
	err = q.QueryRow(ctx, selectReader, r.issue, r.seriesID, r.subscriber, r.cycle, r.id).Scan(&to.name, &to.email, &issue, &article)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return to, out, nil
	case err != nil:
		return to, v, fmt.Errorf("reader of delivery %d: %w", r.id, err)
	case issue == series.IssueCancelled || article == series.Withdrawn:
		return to, out, nil
	case issue != series.IssueSending:
		return to, waits, nil
	}
	return to, eligible, nil
}

// noticeTo says whether a notice is still worth sending and may be: it has not ended, its person is there, the request that
// it would confirm still waits, and nothing stands against the address that keeps notices from it.
func (w *Worker) noticeTo(ctx context.Context, q store.Querier, n Notice) (to person, v verdict, err error) {
	to = person{n.ToName, n.ToEmail}
	if !w.now().Before(n.Expires) {
		return to, late, nil
	}
	if n.SubscriberID != 0 {
		s, err := subscribers.ByID(ctx, q, n.SubscriberID)
		if errors.Is(err, store.ErrNotFound) {
			return to, out, nil
		}
		if err != nil {
			return to, v, err
		}
		if n.ToEmail == "" {
			to = person{"", s.Email} // anybody can type a name beside somebody else's address: it never leads to a mail that says it
		}
	}
	if n.Kind == kindConfirmation {
		asking, err := subscribers.Asking(ctx, q, n.SubscriberID, n.SeriesID)
		if err != nil {
			return to, v, err
		}
		if !asking {
			return to, out, nil
		}
	}
	return w.unlessSuppressed(ctx, q, n, to)
}

func (w *Worker) unlessSuppressed(ctx context.Context, q store.Querier, n Notice, to person) (person, verdict, error) {
	against, err := w.people.Suppressions(ctx, q, to.email)
	if errors.Is(err, subscribers.ErrAddress) {
		return to, eligible, nil // composing it says so
	}
	if err != nil {
		return to, out, err
	}
	for _, s := range against {
		mine := s.SeriesID == 0 || s.SeriesID == n.SeriesID
		switch {
		case !mine:
		case s.Reason == "bounce" && n.Kind == kindConfirmation: // their answer lifts it
		case s.Reason == "bounce", s.Reason == "complaint", s.Reason == "manual":
			return to, out, nil
		}
	}
	return to, eligible, nil
}

package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

const (
	// softEvents is how many failures of one mailbox, over softSpan at least and with no delivery between, are the end.
	softEvents = 5
	softSpan   = 30 * 24 * time.Hour
)

const bounceReason = "bounce"

// failure is what may be held against the address of a delivery.
type failure struct {
	delivery, subscriber int64
	class                string
	reply                mailer.Reply
	said                 string    // the reply as it is kept
	at                   time.Time // when it failed; of a bounce: when its message was sent
	proved               time.Time // what was sent later may come back yet: it proves nothing
}

// bounce suppresses the address of a delivery that failed for good, in the same transaction, where what was said of the address
// leaves no hope (STANDARDS section 4): it doesn't exist, or it has refused everything for a month. What is said of us, of
// the message or of our settings is never held against a person. The evidence is the reply, without addresses, and the
// message's id.
func (w *Worker) bounce(ctx context.Context, tx *store.Tx, t turn, out mailer.Outcome) error {
	r, now := t.row, w.now()
	if r.subscriber == 0 {
		return nil
	}
	f := failure{delivery: r.id, subscriber: r.subscriber, class: t.class, reply: out.Reply, said: t.reply, at: now, proved: now}
	why, err := f.hopeless(ctx, tx)
	if err != nil || why == "" {
		return err
	}
	person, err := subscribers.ByID(ctx, tx, r.subscriber)
	if errors.Is(err, store.ErrNotFound) || err == nil && person.Email != r.to.email {
		return nil // erased meanwhile, or the address that was refused is theirs no more
	}
	var id string
	if err == nil {
		id, err = w.messageIDOf(ctx, r)
	}
	if err == nil {
		err = w.people.Suppress(ctx, tx, person.Email, 0, bounceReason, fmt.Sprintf("%s (message <%s>)", why, id))
	}
	if err != nil {
		return fmt.Errorf("delivery %d: suppress its address: %w", r.id, err)
	}
	w.log.Info("address suppressed", "delivery", r.id, "subscriber", r.subscriber, "code", out.Reply.Code, "enhanced", out.Reply.Enhanced, "class", t.class)
	return nil
}

// hopeless says why nothing more should go to the address of a failed delivery; empty: something may.
func (f failure) hopeless(ctx context.Context, q store.Querier) (string, error) {
	switch f.class {
	case string(mailer.ClassDead):
		if !mailer.Unresolved(f.reply) {
			return f.said, nil
		}
		if on, err := f.unresolvedOn(ctx, q); err != nil || !on.IsZero() {
			return fmt.Sprintf("%s, as on %s", f.said, on.Format("2 January 2006")), err
		}
	case string(mailer.ClassMailbox), classExpired:
	default:
		return "", nil
	}
	n, since, err := f.soft(ctx, q)
	if err != nil || n < softEvents || f.at.Sub(since) < softSpan {
		return "", err
	}
	return fmt.Sprintf("%d failures since %s and no delivery between, the last: %s", n, since.Format("2 January 2006"), f.said), nil
}

// heldSince is since when failures are held against a person: since they have their address, or since a bounce was last lifted.
func (f failure) heldSince(ctx context.Context, q store.Querier) (time.Time, error) {
	since, err := subscribers.AddressSince(ctx, q, f.subscriber)
	if err != nil {
		return time.Time{}, err
	}
	lifted, err := subscribers.BounceLifted(ctx, q, f.subscriber)
	if lifted.After(since) {
		since = lifted
	}
	return since, err
}

// lastDelivered is what came before the last delivery that hasn't come back: that has disproved it.
const lastDelivered = `(SELECT coalesce(max(s.updated), 0) FROM deliveries s
		WHERE s.subscriber_id = ?1 AND s.state = 'sent' AND s.updated <= ?3
			AND NOT EXISTS (SELECT 1 FROM bounces c WHERE c.delivery_id = s.id AND c.kind = 'bounced'))`

// A day is one by UTC.
const selectUnresolved = `SELECT coalesce(max(d.updated), 0) FROM deliveries d
WHERE d.subscriber_id = ?1 AND d.updated >= ?2 AND d.id <> ?4 AND d.updated / 86400000 <> ?5 / 86400000
	AND ((d.state = 'failed' AND d.class = 'dead')
		OR (d.state = 'sent' AND EXISTS (SELECT 1 FROM bounces b WHERE b.delivery_id = d.id AND b.class = 'dead')))
	AND d.updated > ` + lastDelivered

// unresolvedOn is the other day on which the address's domain was not found; zero: none. Name servers break, and are mended.
func (f failure) unresolvedOn(ctx context.Context, q store.Querier) (time.Time, error) {
	since, err := f.heldSince(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	var last int64
	err = q.QueryRow(ctx, selectUnresolved, f.subscriber, since.UnixMilli(), f.proved.UnixMilli(), f.delivery, f.at.UnixMilli()).Scan(&last)
	if err != nil || last == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(last).UTC(), nil
}

// A delivery that was put off until it was too old counts once, as long as its issue reached anybody, and unless the last word
// was about the sender (4.7, 421): a month in which all mail was put off says nothing about any of its readers. So does one that came
// back, however often.
const selectSoft = `SELECT count(*), coalesce(min(d.updated), 0) FROM deliveries d
WHERE d.subscriber_id = ?1 AND d.updated >= ?2
	AND ((d.state = 'failed' AND d.reply <> '' AND (d.class IN ('mailbox', 'dead')
			OR (d.class = 'expired' AND d.reply NOT LIKE '421%' AND d.reply NOT LIKE '4__ 4.7.%'
				AND EXISTS (SELECT 1 FROM issues i WHERE i.id = d.issue_id AND i.reached = 1))))
		OR (d.state = 'sent' AND EXISTS (SELECT 1 FROM bounces b WHERE b.delivery_id = d.id AND b.class IN ('mailbox', 'dead', 'expired'))))
	AND d.updated > ` + lastDelivered

// soft counts what failed for somebody since their last delivery, and says since when.
func (f failure) soft(ctx context.Context, q store.Querier) (n int, since time.Time, err error) {
	began, err := f.heldSince(ctx, q)
	if err != nil {
		return 0, time.Time{}, err
	}
	var first int64
	if err := q.QueryRow(ctx, selectSoft, f.subscriber, began.UnixMilli(), f.proved.UnixMilli()).Scan(&n, &first); err != nil {
		return 0, time.Time{}, fmt.Errorf("failures of subscriber %d: %w", f.subscriber, err)
	}
	return n, time.UnixMilli(first).UTC(), nil
}

// messageIDOf is the Message-ID of a delivery, also of one that was refused before it was marked.
func (w *Worker) messageIDOf(ctx context.Context, r row) (string, error) {
	if r.issue != 0 {
		issue, err := w.issues.get(ctx, w, r.issue)
		return w.messageID(r.id, issue.domain), err
	}
	n, err := noticeByID(ctx, w.cfg.DB, r.notice)
	if err != nil {
		return "", err
	}
	domain, err := senderDomain(n.FromEmail)
	return w.messageID(r.id, domain), err
}

const countFailed = `SELECT class, count(*) FROM deliveries WHERE issue_id = ?1 AND state = 'failed'
	AND owner = '' AND state <> 'pending' GROUP BY class`

// Failures counts the failed rows of an issue by class.
func Failures(ctx context.Context, q store.Querier, issueID int64) (map[string]int64, error) {
	rows, err := q.Query(ctx, countFailed, issueID)
	if err != nil {
		return nil, fmt.Errorf("issue %d: failures: %w", issueID, err)
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var class string
		var n int64
		if err := rows.Scan(&class, &n); err != nil {
			return nil, fmt.Errorf("issue %d: failures: %w", issueID, err)
		}
		all[class] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("issue %d: failures: %w", issueID, err)
	}
	return all, nil
}

package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

const kindConfirmation = "confirmation"

// Notice is a mail that belongs to no issue.
type Notice struct {
	Kind                string // confirmation, login, test, editors
	Dedupe              string
	SubscriberID        int64  // whose it is: once they are erased it isn't sent any more; 0: nobody's
	SeriesID            int64  // of the enrolment it is about; 0: none
	ToName, ToEmail     string // empty: to the subscriber's address as it is then
	FromName, FromEmail string
	ReplyTo             string
	Subject, HTML, Text string
	Expires             time.Time // its token's end: from then on it isn't sent any more
}

const (
	insertNotice = `INSERT INTO notices (kind, dedupe, subscriber_id, to_name, to_email, from_name, from_email, reply_to, subject, html, text,
	expires, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (dedupe) DO NOTHING
RETURNING id`
	insertNoticeDelivery = `INSERT INTO deliveries (kind, notice_id, subscriber_id, series_id, next_try, created, updated)
VALUES ('notice', ?1, ?2, ?3, ?4, ?4, ?4)`
)

// Enqueue queues a notice; queued is false where the same Dedupe was queued before. Its delivery is the subscriber's only where it goes to
// the address they have: what becomes of it elsewhere says nothing of that.
func Enqueue(ctx context.Context, tx *store.Tx, n Notice, now time.Time) (queued bool, err error) {
	var id int64
	subscriber, seriesID := orNull(n.SubscriberID), orNull(n.SeriesID)
	err = tx.QueryRow(ctx, insertNotice, n.Kind, n.Dedupe, subscriber, n.ToName, n.ToEmail, n.FromName, n.FromEmail, n.ReplyTo,
		n.Subject, n.HTML, n.Text, n.Expires.UnixMilli(), now.UnixMilli()).Scan(&id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if n.ToEmail != "" {
		subscriber = orNull(0)
	}
	if err == nil {
		_, err = tx.Exec(ctx, insertNoticeDelivery, id, subscriber, seriesID, now.UnixMilli())
	}
	if err != nil {
		return false, fmt.Errorf("notice %s: enqueue: %w", n.Kind, err)
	}
	return true, nil
}

func orNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

const selectNotice = `SELECT n.kind, n.dedupe, coalesce(n.subscriber_id, 0), coalesce(d.series_id, 0), n.to_name, n.to_email, n.from_name,
	n.from_email, n.reply_to, n.subject, n.html, n.text, n.expires
FROM notices n JOIN deliveries d ON d.notice_id = n.id WHERE n.id = ?1`

func noticeByID(ctx context.Context, q store.Querier, id int64) (Notice, error) {
	var n Notice
	var expires sql.NullInt64
	err := q.QueryRow(ctx, selectNotice, id).Scan(&n.Kind, &n.Dedupe, &n.SubscriberID, &n.SeriesID, &n.ToName, &n.ToEmail, &n.FromName,
		&n.FromEmail, &n.ReplyTo, &n.Subject, &n.HTML, &n.Text, &expires)
	if err != nil {
		return Notice{}, fmt.Errorf("notice %d: %w", id, err)
	}
	n.Expires = instant(expires)
	return n, nil
}

const blankNotice = `UPDATE notices SET from_email = CASE WHEN from_email = to_email THEN '' ELSE from_email END,
	to_name = '', to_email = '', html = '', text = '' WHERE id = ?1`

// emptyNotice forgets what a notice said, and to whom, once it is over: the links in it are secrets, and an erasure knows only addresses
// that are a subscriber's now. What is left is that there was one; its Message-ID stays with its delivery.
func emptyNotice(ctx context.Context, tx *store.Tx, id int64) error {
	_, err := tx.Exec(ctx, blankNotice, id)
	return err
}

const selectMessageID = `SELECT coalesce(max(d.message_id), '') FROM notices n JOIN deliveries d ON d.notice_id = n.id WHERE n.dedupe = ?1`

// MessageIDOf returns the Message-ID that the notice with a dedupe key went out under; empty where it has not, or is none of ours.
func MessageIDOf(ctx context.Context, q store.Querier, dedupe string) (id string, err error) {
	if err := q.QueryRow(ctx, selectMessageID, dedupe).Scan(&id); err != nil {
		return "", fmt.Errorf("message id of notice %q: %w", dedupe, err)
	}
	return id, nil
}

const queuedNotice = `SELECT EXISTS (SELECT 1 FROM notices WHERE dedupe = ?1)`

// Queued says whether a notice with this key was ever queued: Enqueue would leave it.
func Queued(ctx context.Context, q store.Querier, dedupe string) (queued bool, err error) {
	if err := q.QueryRow(ctx, queuedNotice, dedupe).Scan(&queued); err != nil {
		return false, fmt.Errorf("notice: %w", err)
	}
	return queued, nil
}

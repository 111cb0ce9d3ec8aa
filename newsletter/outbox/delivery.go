package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// state is where a delivery is. DELIVERY has the arrows; turn makes them.
type state string

const (
	pending   state = "pending"
	claimed   state = "claimed"
	inflight  state = "inflight"
	sent      state = "sent"
	failed    state = "failed"
	skipped   state = "skipped"
	uncertain state = "uncertain"
)

// classExpired is why a delivery failed whose shelf life, or whose notice's own end, came first. The other classes are
// mailer's.
const classExpired = "expired"

// row is a delivery as its holder knows it: all that only the holder changes. Instants are Unix milliseconds.
type row struct {
	id, epoch                            int64
	owner                                string
	issue, notice, subscriber, seriesID  int64 // 0: none
	cycle, tries, nextTry, waited, dated int64 // dated 0: never marked
	created                              int64
	amb                                  bool
	to                                   person // to whom its message is written; before that an issue's reader as claimed, empty: ask again
	lane                                 pace.Lane
	domain                               string // of the address, once its message is written
}

// turn is one arrow away from claimed or inflight.
type turn struct {
	row          row // as it was, but with the new tries, nextTry, waited and amb
	from, to     state
	class, reply string // class of failed rows alone; an empty reply leaves the last one
	takeOver     bool   // by the reaper, who raises the epoch, instead of by the holder
	reached      bool   // its issue is known to have reached somebody
}

// A cancelled issue has no pending rows: what would come back to it ends here.
const turnRow = `UPDATE deliveries SET
	state = CASE WHEN ?5 <> 'pending' OR NOT EXISTS (SELECT 1 FROM issues i WHERE i.id = issue_id AND i.state = 'cancelled') THEN ?5
		WHEN ?9 = 1 THEN 'uncertain' ELSE 'skipped' END,
	tries = ?6, next_try = ?7, waited = ?8, amb = ?9, class = ?10, reply = CASE WHEN ?11 = '' THEN reply ELSE ?11 END,
	epoch = epoch + ?12, owner = '', lease_until = 0, updated = ?13, lane = ?14, room = ''
WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND state = ?4
RETURNING state`

// The turn of nearly all rows.
const sentRows = `UPDATE deliveries SET state = 'sent', reply = CASE WHEN v.column3 = '' THEN reply ELSE v.column3 END, owner = '',
	lease_until = 0, updated = ?1
FROM (VALUES %s) AS v
WHERE deliveries.id = v.column1 AND owner = v.column4 AND epoch = v.column2 AND state = 'inflight'`

var sentMany = newMany(sentRows, 1, 4)

// makeSent writes turns from inflight to sent and returns how many rows were as they knew them. It tells nobody.
func makeSent(ctx context.Context, tx *store.Tx, turns []turn, now time.Time) (int64, error) {
	values := make([]any, 0, len(turns)*sentMany.columns)
	for _, t := range turns {
		values = append(values, t.row.id, t.row.epoch, t.reply, t.row.owner)
	}
	n, err := sentMany.exec(ctx, tx, []any{now.UnixMilli()}, values)
	if err != nil {
		return 0, fmt.Errorf("%d deliveries are sent: %w", len(turns), err)
	}
	return n, nil
}

// make writes the turn. became is the state that the row has now, or empty where it was no longer as the turn knew it:
// then nothing was changed.
func (t turn) make(ctx context.Context, tx *store.Tx, now time.Time) (became state, err error) {
	if became, err = t.write(ctx, tx, now); became != "" && err == nil {
		err = t.tell(ctx, tx, became)
	}
	if err != nil {
		return "", fmt.Errorf("delivery %d: %s to %s: %w", t.row.id, t.from, t.to, err)
	}
	return became, nil
}

func (t turn) write(ctx context.Context, tx *store.Tx, now time.Time) (became state, err error) {
	r := t.row
	if t.from == inflight && t.to == sent && !t.takeOver {
		n, err := makeSent(ctx, tx, []turn{t}, now)
		if n == 1 {
			became = sent
		}
		return became, err
	}
	err = tx.QueryRow(ctx, turnRow, r.id, r.owner, r.epoch, string(t.from), string(t.to), r.tries, r.nextTry, r.waited, flag(r.amb),
		t.class, t.reply, flag(t.takeOver), now.UnixMilli(), r.lane).Scan(&became)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return became, err
}

// tell passes on what a turn means for the row's issue or notice.
func (t turn) tell(ctx context.Context, tx *store.Tx, became state) error {
	switch {
	case t.row.issue != 0 && t.reached && became == sent:
		return nil
	case t.row.issue != 0 && (became == sent || became == uncertain):
		return series.Reached(ctx, tx, t.row.issue)
	case t.row.issue != 0 && became == failed && t.class == string(mailer.ClassContent):
		return giveArticleBack(ctx, tx, t.row.issue)
	case t.row.notice != 0 && became != pending:
		return emptyNotice(ctx, tx, t.row.notice)
	}
	return nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// instant reads an instant of the database; 0 and NULL are the zero time.
func instant(ms sql.NullInt64) time.Time {
	if !ms.Valid || ms.Int64 == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

// Delivery is one row, as shown to people.
type Delivery struct {
	ID, IssueID, SubscriberID, SeriesID, ArticleID, Cycle int64
	Kind, State, Class, Reply, MessageID                  string
	Issue                                                 string // its name; empty for notices
	Tries                                                 int
	Dated, NextTry, Updated                               time.Time
}

const selectRecipients = `SELECT subscriber_id FROM deliveries
WHERE issue_id = ?1 AND state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain')
UNION ALL SELECT subscriber_id FROM kept WHERE issue_id = ?1 AND sent = 1`

// Recipients calls f for everybody who has an issue or is to get it.
func Recipients(ctx context.Context, q store.Querier, issueID int64, f func(subscriberID int64)) error {
	ids, err := scanIDs(q.Query(ctx, selectRecipients, issueID))
	if err != nil {
		return fmt.Errorf("recipients of issue %d: %w", issueID, err)
	}
	for _, id := range ids {
		f(id)
	}
	return nil
}

const selectDeliveries = `SELECT d.id, coalesce(d.issue_id, 0), d.subscriber_id, coalesce(d.series_id, 0), coalesce(d.article_id, 0),
	d.cycle, d.kind, d.state, d.class, d.reply, d.message_id, coalesce(i.name, ''), d.tries, d.dated, d.next_try, d.updated
FROM deliveries d LEFT JOIN issues i ON i.id = d.issue_id
WHERE d.subscriber_id = ?1
UNION ALL
SELECT d.id, 0, n.subscriber_id, coalesce(d.series_id, 0), 0, d.cycle, d.kind, d.state, d.class, d.reply, d.message_id, '', d.tries, d.dated,
	d.next_try, d.updated
FROM notices n JOIN deliveries d ON d.notice_id = n.id
WHERE n.subscriber_id = ?1 AND d.subscriber_id IS NULL
UNION ALL
SELECT 0, k.issue_id, k.subscriber_id, k.series_id, coalesce(k.article_id, 0), k.cycle, 'issue', CASE k.sent WHEN 1 THEN 'sent' ELSE 'failed' END,
	CASE k.sent WHEN 1 THEN '' ELSE 'content' END, '', '', i.name, 0, k.at, 0, k.at
FROM kept k JOIN issues i ON i.id = k.issue_id
WHERE k.subscriber_id = ?1
ORDER BY 1, 16, 2`

// DeliveriesOf lists a person's deliveries, oldest first, with their notices to addresses that they move to or from. NextTry means something for pending ones only. Those that Compact
// took away have the number 0, and of their evidence nothing but when they were sent.
func DeliveriesOf(ctx context.Context, q store.Querier, subscriberID int64) ([]Delivery, error) {
	rows, err := q.Query(ctx, selectDeliveries, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("deliveries of subscriber %d: %w", subscriberID, err)
	}
	defer rows.Close()
	var all []Delivery
	for rows.Next() {
		var d Delivery
		var dated, next, updated sql.NullInt64
		if err := rows.Scan(&d.ID, &d.IssueID, &d.SubscriberID, &d.SeriesID, &d.ArticleID, &d.Cycle, &d.Kind, &d.State, &d.Class,
			&d.Reply, &d.MessageID, &d.Issue, &d.Tries, &dated, &next, &updated); err != nil {
			return nil, fmt.Errorf("deliveries of subscriber %d: %w", subscriberID, err)
		}
		d.Dated, d.NextTry, d.Updated = instant(dated), instant(next), instant(updated)
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("deliveries of subscriber %d: %w", subscriberID, err)
	}
	return all, nil
}

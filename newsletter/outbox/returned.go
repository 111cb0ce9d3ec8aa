package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/subscribers/store"
)

const countReturned = `SELECT count(DISTINCT CASE WHEN kind = 'bounced' THEN delivery_id END), count(DISTINCT CASE WHEN kind = 'complained' THEN delivery_id END)
FROM bounces WHERE issue_id = ?1`

// CountReturned adds to an issue's counts how many of its deliveries came back later, or were complained of.
func (c *Counts) CountReturned(ctx context.Context, q store.Querier, issueID int64) error {
	if err := q.QueryRow(ctx, countReturned, issueID).Scan(&c.Bounced, &c.Complained); err != nil {
		return fmt.Errorf("issue %d: count what came back: %w", issueID, err)
	}
	return nil
}

// Returned is what came back of a delivery.
type Returned struct {
	DeliveryID, IssueID int64 // IssueID 0: a notice
	Kind                string
	Said                string // the server's words, without addresses
	Heard               time.Time
}

const selectReturns = `SELECT delivery_id, coalesce(issue_id, 0), kind, code, enhanced, said, heard FROM bounces WHERE subscriber_id = ?1 ORDER BY id`

// ReturnsOf lists what came back of a person's deliveries, oldest first.
func ReturnsOf(ctx context.Context, q store.Querier, subscriberID int64) (all []Returned, _ error) {
	var r Returned
	var reply mailer.Reply
	var heard sql.NullInt64
	err := eachRow(ctx, q, selectReturns, []any{&r.DeliveryID, &r.IssueID, &r.Kind, &reply.Code, &reply.Enhanced, &reply.Text, &heard}, func() {
		r.Said, r.Heard = reply.String(), instant(heard)
		all = append(all, r)
	}, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("subscriber %d: what came back: %w", subscriberID, err)
	}
	return all, nil
}

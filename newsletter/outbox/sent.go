package outbox

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

const selectSent = `SELECT hash, tries FROM deliveries WHERE issue_id = ?1 AND state = 'sent'`

// EachSent calls f with the hash of each message of an issue that the relay took, and how many marks it took, in no order,
// until f errs.
func EachSent(ctx context.Context, q store.Querier, issueID int64, f func(hash string, marks int64) error) error {
	rows, err := q.Query(ctx, selectSent, issueID)
	if err != nil {
		return fmt.Errorf("issue %d: sent messages: %w", issueID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var hash string
		var marks int64
		if err = rows.Scan(&hash, &marks); err == nil {
			err = f(hash, marks)
		}
		if err != nil {
			return fmt.Errorf("issue %d: sent messages: %w", issueID, err)
		}
	}
	return rows.Err()
}

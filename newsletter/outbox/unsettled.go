package outbox

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

// Unsettled is an issue with uncertain deliveries.
type Unsettled struct {
	Issue      string `json:"issue"` // its name
	Deliveries int64  `json:"deliveries"`
}

const selectUnsettled = `SELECT i.name, count(*) FROM issues i CROSS JOIN deliveries d
WHERE d.issue_id = i.id AND d.owner = '' AND d.state <> 'pending' AND d.state = 'uncertain'
GROUP BY i.id ORDER BY i.id`

// AllUnsettled lists the issues whose uncertain deliveries wait for somebody's word, oldest first.
func AllUnsettled(ctx context.Context, q store.Querier) (all []Unsettled, _ error) {
	var u Unsettled
	err := eachRow(ctx, q, selectUnsettled, []any{&u.Issue, &u.Deliveries}, func() { all = append(all, u) })
	if err != nil {
		return nil, fmt.Errorf("unsettled issues: %w", err)
	}
	return all, nil
}

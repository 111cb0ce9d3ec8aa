package outbox

import (
	"context"
	"fmt"

	"pressrun/subscribers/store"
)

const countHad = `SELECT count(DISTINCT subscriber_id), count(DISTINCT article_id) FROM (
	SELECT subscriber_id, article_id FROM deliveries WHERE kind = 'issue' AND (state = 'sent' OR state = 'uncertain')
	UNION ALL SELECT subscriber_id, article_id FROM kept WHERE sent = 1) AS had
WHERE article_id IS NOT NULL`

// CountHad counts the people who had an article from this database, and the articles that somebody had. It reads every delivery.
func CountHad(ctx context.Context, q store.Querier) (people, articles int64, err error) {
	if err := q.QueryRow(ctx, countHad).Scan(&people, &articles); err != nil {
		return 0, 0, fmt.Errorf("count who had articles: %w", err)
	}
	return people, articles, nil
}

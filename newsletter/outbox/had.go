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

const anyAnnounced = `SELECT EXISTS (SELECT 1 FROM issues WHERE article_id = ?1 AND kind = 'announcement')`

// isAnnounced says whether an announcement carries an article: else nobody had it as a reader of another series than its own.
func isAnnounced(ctx context.Context, q store.Querier, articleID int64) (is bool, err error) {
	err = q.QueryRow(ctx, anyAnnounced, articleID).Scan(&is)
	return is, err
}

const hadBy = `SELECT d.subscriber_id FROM deliveries d
WHERE d.subscriber_id BETWEEN ?3 AND ?4 AND +d.article_id = ?2 AND d.gone = 0
UNION ALL SELECT k.subscriber_id FROM kept k WHERE k.subscriber_id BETWEEN ?3 AND ?4 AND k.article_id = ?2
UNION ALL SELECT e.subscriber_id FROM enrolled e
WHERE e.series_id = ?1 AND e.subscriber_id BETWEEN ?3 AND ?4 AND e.reading_id IS NOT NULL AND ?5 LIKE '%,' || e.reading_id || ',%'`

// HadBy says who of the people with numbers from first to last had an article, through whatever series and in whatever cycle, or
// read it before they came to its series.
func HadBy(ctx context.Context, q store.Querier, seriesID, articleID, first, last int64) (map[int64]bool, error) {
	read, err := readingsWith(ctx, q, seriesID, articleID)
	var ids []int64
	if err == nil {
		ids, err = scanIDs(q.Query(ctx, hadBy, seriesID, articleID, first, last, read))
	}
	if err != nil {
		return nil, fmt.Errorf("article %d: who had it: %w", articleID, err)
	}
	had := make(map[int64]bool, len(ids))
	for _, id := range ids {
		had[id] = true
	}
	return had, nil
}

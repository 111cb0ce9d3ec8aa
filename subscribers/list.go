package subscribers

import (
	"context"
	"fmt"
	"slices"

	"pressrun/subscribers/store"
)

// Listed is one line of a list of people.
type Listed struct {
	Subscriber
	Enrolment
	Mailable   bool
	Suppressed string // the gravest reason of a suppression that stands; empty: none
}

const selectListed = `SELECT s.id, s.email, s.address_hash, s.domain_hash, s.name, s.language, s.zone, s.fields, s.tags, s.created,
	e.id, e.series_id, e.subscriber_id, e.state, e.ended_by, e.cycle, coalesce(e.cycle_since, 0), coalesce(e.paused_until, 0), coalesce(e.reading_id, 0),
	coalesce(e.active_since, 0), coalesce(e.ended_at, 0), e.created, e.updated,
	EXISTS (SELECT 1 FROM mailable m WHERE m.series_id = e.series_id AND m.subscriber_id = e.subscriber_id),
	coalesce((SELECT x.reason FROM suppressions x WHERE x.hash IN (s.address_hash, s.domain_hash) AND x.series_id IN (0, e.series_id)
		ORDER BY CASE x.reason WHEN 'complaint' THEN 1 WHEN 'manual' THEN 2 WHEN 'bounce' THEN 3 WHEN 'erasure' THEN 4 ELSE 5 END LIMIT 1), '')
FROM enrolled e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND s.erased IS NULL AND %s
ORDER BY e.subscriber_id`

// List calls f for each person of a series whom where picks, in the order of their numbers. With a *store.Tx, f must not write.
func List(ctx context.Context, q store.Querier, seriesID int64, where Filter, f func(Listed) error) error {
	condition, args := where.sql(seriesID)
	rows, err := q.Query(ctx, fmt.Sprintf(selectListed, condition), args...)
	if err != nil {
		return fmt.Errorf("list series %d: %w", seriesID, err)
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanListed(rows)
		if err != nil {
			return fmt.Errorf("list series %d: %w", seriesID, err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list series %d: %w", seriesID, err)
	}
	return nil
}

func scanListed(row scanner) (Listed, error) {
	var p personRow
	var e enrolmentRow
	var l Listed
	if err := row.Scan(slices.Concat(p.columns(), e.columns(), []any{&l.Mailable, &l.Suppressed})...); err != nil {
		return Listed{}, err
	}
	known, err := p.value()
	l.Subscriber, l.Enrolment = known.Subscriber, e.value()
	return l, err
}

const countPeople = `SELECT count(*) FROM subscribers WHERE erased IS NULL`

// CountPeople counts everybody whose address is stored.
func CountPeople(ctx context.Context, q store.Querier) (n int64, err error) {
	if err := q.QueryRow(ctx, countPeople).Scan(&n); err != nil {
		return 0, fmt.Errorf("count people: %w", err)
	}
	return n, nil
}

const countPicked = `SELECT count(*) FROM enrolled e JOIN subscribers s ON s.id = e.subscriber_id
WHERE e.series_id = ?1 AND s.erased IS NULL AND %s`

// CountPicked counts the people of a series, whatever their state, whom where picks.
func CountPicked(ctx context.Context, q store.Querier, seriesID int64, where Filter) (n int64, err error) {
	condition, args := where.sql(seriesID)
	if err := q.QueryRow(ctx, fmt.Sprintf(countPicked, condition), args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count series %d: %w", seriesID, err)
	}
	return n, nil
}

const selectPicked = `SELECT m.subscriber_id FROM mailable m
JOIN enrolled e ON e.id = m.enrolment_id JOIN subscribers s ON s.id = m.subscriber_id
WHERE m.series_id = ?1 AND %s ORDER BY m.subscriber_id`

// Picked calls f with the number of each mailable person of a series whom where picks, in order.
func Picked(ctx context.Context, q store.Querier, seriesID int64, where Filter, f func(subscriberID int64)) error {
	condition, args := where.sql(seriesID)
	rows, err := q.Query(ctx, fmt.Sprintf(selectPicked, condition), args...)
	if err != nil {
		return fmt.Errorf("pick of series %d: %w", seriesID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("pick of series %d: %w", seriesID, err)
		}
		f(id)
	}
	return rows.Err()
}

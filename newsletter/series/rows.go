package series

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"pressrun/subscribers/store"
)

// millis is how instants are stored: milliseconds UTC.
func millis(t time.Time) int64 { return t.UnixMilli() }

// instant reads a stored instant.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// instantOrZero reads a stored instant that may not have come yet.
func instantOrZero(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return instant(ms.Int64)
}

// orNull stores a number whose zero means that there is none.
func orNull(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q store.Querier, scan func(*T, func(dest ...any) error) error, query string, args ...any) (all []T, err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one T
		if err := scan(&one, rows.Scan); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

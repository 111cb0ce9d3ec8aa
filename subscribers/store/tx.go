package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Querier reads: from the last commit through a *DB, or inside a transaction through its *Tx.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Row is the one row of a query.
type Row struct{ row *sql.Row }

// Scan reads the row's columns. It returns ErrNotFound where there is no row.
func (r Row) Scan(dest ...any) error {
	err := r.row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return fault(err)
}

// Query reads from the last commit.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	db.statements.Add(1)
	rows, err := db.reader.QueryContext(ctx, query, args...)
	return rows, fault(err)
}

// QueryRow reads one row from the last commit.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	db.statements.Add(1)
	return Row{db.reader.QueryRowContext(ctx, query, args...)}
}

// Tx is one transaction of the writer.
type Tx struct {
	tx         *sql.Tx
	statements *atomic.Int64
}

// Hook runs inside a transaction. What it fails with rolls that back.
type Hook func(context.Context, *Tx) error

// Around has begin run at the start and end at the end of every transaction of InTx. It is called once, before db is shared.
func (db *DB) Around(begin, end Hook) { db.begin, db.end = begin, end }

// Snapshot has f read from one commit, whatever is committed meanwhile. f reads through what it is given and nothing else: the readers
// are few, and one that waited for another could wait for ever.
func (db *DB) Snapshot(ctx context.Context, f func(Querier) error) error {
	tx, err := db.reader.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to read: %w", fault(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return f(&Tx{tx, &db.statements})
}

// InTx runs f in the one writing transaction: committed and on the disk when InTx returns nil, rolled back when f
// or the commit fails or f panics. No network call belongs inside f.
func (db *DB) InTx(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.lock(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	began := time.Now()
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	for _, step := range []Hook{db.begin, func(_ context.Context, tx *Tx) error { return f(tx) }, db.end} {
		if step == nil {
			continue
		}
		if err := step(ctx, &Tx{tx, &db.statements}); err != nil {
			return fault(err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", fault(err))
	}
	db.held(time.Since(began))
	return nil
}

// lock begins a transaction once no other program writes; ErrBusy after five seconds, the wait for a transaction of our own not counted.
func (db *DB) lock(ctx context.Context) (*sql.Tx, error) {
	var since time.Time
	for {
		tx, err := db.writer.BeginTx(ctx, nil)
		switch err = fault(err); {
		case !errors.Is(err, ErrBusy), !since.IsZero() && time.Since(since) >= patience:
			return tx, err
		case since.IsZero():
			since = time.Now()
		}
	}
}

// Used is what the transactions of a process came to.
type Used struct {
	Commits int64
	Longest time.Duration // that one of them held the database
}

// Used is what was committed since it was asked last.
func (db *DB) Used() Used {
	return Used{db.commits.Swap(0), time.Duration(db.longest.Swap(0))}
}

// held notes how long a committed transaction held the database.
func (db *DB) held(took time.Duration) {
	db.commits.Add(1)
	for longest := db.longest.Load(); int64(took) > longest; longest = db.longest.Load() {
		if db.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// Rest lets others write between the transactions of a long work, of which the last one took as long as given. Without it
// another process, which looks for the database every few milliseconds only, could wait until the whole work is done.
func Rest(ctx context.Context, took time.Duration) error {
	timer := time.NewTimer(took / 4)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Checkpoint moves what the write-ahead log has into the database file, as far as nobody reads older pages, while others read and
// write; both are on the disk then. SQLite does so itself too, within the commit that makes the log long.
func (db *DB) Checkpoint(ctx context.Context) error {
	if _, err := db.reader.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
		return fmt.Errorf("checkpoint: %w", fault(err))
	}
	return nil
}

// EmptyLog is Checkpoint of all there is, after which the write-ahead log has nothing in it: until then it keeps pages as they were, also
// of what was deleted since. done is false where somebody reads older pages or another process writes; the log is as long as before then,
// and whoever wrote went on after a moment. What is committed is on the disk either way.
func (db *DB) EmptyLog(ctx context.Context) (done bool, err error) {
	if err := db.Checkpoint(ctx); err != nil { // most of it, while others write
		return false, err
	}
	var busy, inLog, moved int // it waits for a glance, with the database locked, for those who read or write
	if err := db.writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &inLog, &moved); err != nil {
		return false, fmt.Errorf("empty the log: %w", fault(err))
	}
	return busy == 0, nil
}

// Query reads inside the transaction. The rows must be closed before the next statement that writes.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	tx.statements.Add(1)
	rows, err := tx.tx.QueryContext(ctx, query, args...)
	return rows, fault(err)
}

// QueryRow reads one row inside the transaction; an INSERT … RETURNING is read so too.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	tx.statements.Add(1)
	return Row{tx.tx.QueryRowContext(ctx, query, args...)}
}

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tx.statements.Add(1)
	res, err := tx.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fault(err)
	}
	return res.RowsAffected()
}

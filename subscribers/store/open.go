// Package store opens the database, migrates it and runs transactions. It knows no table: each package that owns
// tables brings its own migrations and SQL.
//
// One writer connection takes transactions one after the other, immediate from their first statement, so that a
// read followed by a write never meets "database is locked"; readers have a pool of their own and see the last commit.
// Synchronous is FULL: what InTx reported as committed is on the disk, also after a power cut.
package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

var (
	// ErrNotFound is returned by Row.Scan where the query had no row.
	ErrNotFound = errors.New("not found")
	// ErrForeign says that the file holds something else than a Pressrun database; it was left as it is.
	ErrForeign = errors.New("not a Pressrun database")
	// ErrNewer says that a newer Pressrun has migrated the database; nothing was changed.
	ErrNewer = errors.New("the database was made by a newer Pressrun")
	// ErrBusy says that another program held the write lock for longer than five seconds.
	ErrBusy = errors.New("the database is locked by another program")
	// ErrDisk says that the disk is full, failing or read-only, or the file damaged: nothing may be sent from here on,
	// since a mark could not be kept.
	ErrDisk = errors.New("the database can't be written")
	// ErrNoCgo says that the program was built without a C compiler, which SQLite needs.
	ErrNoCgo = errors.New("built without cgo, so without SQLite: install a C compiler (apt install gcc) and build it again with CGO_ENABLED=1")
)

// applicationID marks our files in SQLite's header ("Prsr"), so that a foreign database is never migrated.
const applicationID = 0x50727372

// DB is one database file: a writer and a pool of readers.
type DB struct {
	path           string
	writer, reader *sql.DB
	begin, end     Hook // of every transaction; nil: none
	joint          joint
	commits        atomic.Int64 // see Used
	longest        atomic.Int64 // ns, likewise
	statements     atomic.Int64
}

// Open opens the database file at path and makes it, for its owner alone, where it is missing. The caller closes it.
// A file that is not ours fails with ErrForeign and stays untouched.
func Open(ctx context.Context, path string) (*DB, error) {
	if !haveCgo {
		return nil, fmt.Errorf("open database %s: %w", path, ErrNoCgo)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := looksLikeSQLite(abs); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := errors.Join(keepPrivate(abs), dropCopies(abs)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db := &DB{path: abs}
	if err := db.connect(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, fault(err)), db.Close())
	}
	return db, nil
}

// keepPrivate makes a missing file so that only its owner can read it: it holds people's addresses. SQLite gives its -wal
// and -shm files the same permissions. Those of a file that exists are its owner's choice.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrDisk, err)
	}
	return f.Close()
}

// patience is how long a transaction waits for another program's write lock.
const patience = 5 * time.Second

// glance is how long SQLite waits for it before InTx asks anew: SQLite looks less and less often, each tenth of a second in the end, and
// so misses the moments that a long work leaves to others.
const glance = 20 * time.Millisecond

// What is deleted is overwritten: of somebody who was erased nothing may stay in free pages. For the log see EmptyLog.
func (db *DB) connect(ctx context.Context) (err error) {
	shared := "_busy_timeout=" + strconv.FormatInt(patience.Milliseconds(), 10) + "&_foreign_keys=on&_stmt_cache_size=64&_mutex=no&_synchronous=FULL"
	if db.writer, err = sql.Open("sqlite3", dsn(db.path, shared+"&_journal_mode=WAL&_txlock=immediate&_secure_delete=on&_cache_size=-6144")); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if err := db.claimFile(ctx); err != nil {
		return err
	}
	// Each statement makes a table of its own for every list of words in a CHECK or in the condition of an index. With a cache
	// meant for a file, that takes longer than the statement. A connection that had to be made anew would only be slower.
	if _, err := db.writer.ExecContext(ctx, `PRAGMA temp_store = MEMORY`); err != nil {
		return err
	}
	if err := db.waits(ctx, glance); err != nil {
		return err
	}
	if db.reader, err = sql.Open("sqlite3", dsn(db.path, shared+"&_query_only=on")); err != nil {
		return err
	}
	db.reader.SetMaxOpenConns(4)
	db.reader.SetMaxIdleConns(4)
	return db.reader.PingContext(ctx)
}

// waits sets how long SQLite waits for another program's lock within a statement of the writer.
func (db *DB) waits(ctx context.Context, d time.Duration) error {
	_, err := db.writer.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, d.Milliseconds()))
	return err
}

// looksLikeSQLite keeps the driver away from files that hold something else: it would switch them to WAL before
// it noticed.
func looksLikeSQLite(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 72)
	n, err := io.ReadFull(f, head)
	switch {
	case errors.Is(err, io.EOF):
		return nil // empty: SQLite makes such a file itself
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case n < len(head) || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return ErrForeign
	}
	// SQLite file format, section 1.3: the application id is at offset 68, big-endian. Zero is a database that our
	// first transaction has not reached yet; claimFile looks whether it has tables.
	id := uint32(head[68])<<24 | uint32(head[69])<<16 | uint32(head[70])<<8 | uint32(head[71])
	if id != 0 && id != applicationID {
		return ErrForeign
	}
	return nil
}

func (db *DB) claimFile(ctx context.Context) error {
	const selectID = `SELECT application_id FROM pragma_application_id`
	var id, tables int
	// Read alone first: who only looks must not wait for who writes.
	if err := db.writer.QueryRowContext(ctx, selectID).Scan(&id); err != nil || id == applicationID {
		return err
	}
	return db.InTx(ctx, func(tx *Tx) error {
		if err := tx.QueryRow(ctx, selectID).Scan(&id); err != nil || id == applicationID {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
			return err
		}
		if tables > 0 {
			return ErrForeign
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID))
		return err
	})
}

func dsn(path, query string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query}
	return u.String()
}

// Path is the absolute path of the database file.
func (db *DB) Path() string { return db.path }

// Statements is how many statements were run through db and its transactions. Where the time of an answer must not tell anything,
// their number must not either.
func (db *DB) Statements() int64 { return db.statements.Load() }

// Close closes all connections. It is safe to call twice.
func (db *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.reader, db.writer} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

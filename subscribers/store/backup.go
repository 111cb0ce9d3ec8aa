package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrDamaged says that a database file's content contradicts itself.
var ErrDamaged = errors.New("the file is damaged")

// Backup writes the last commit as a new database file at path, which only its owner can read. It is there whole, checked and
// on the disk, or not at all: an existing file is an error (os.ErrExist) and stays as it is. Nobody waits for it meanwhile.
func (db *DB) Backup(ctx context.Context, path string) error {
	// A connection of its own: the readers' may not write anywhere, and the writer's would keep everybody waiting.
	own, err := sql.Open("sqlite3", dsn(db.path, "_busy_timeout=5000"))
	if err == nil {
		err = errors.Join(vacuumInto(ctx, own, path), own.Close())
	}
	if err != nil {
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	return nil
}

func vacuumInto(ctx context.Context, db *sql.DB, path string) error {
	return writeWhole(path, func(unfinished string) error {
		if _, err := db.ExecContext(ctx, `VACUUM INTO ?1`, unfinished); err != nil {
			return fault(err)
		}
		return Check(ctx, unfinished, false)
	})
}

// CopyFile is Backup of a database that nobody has open, such as a backup: the file at from is only read.
func CopyFile(ctx context.Context, from, path string) error {
	db, err := openStill(ctx, from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if err := errors.Join(vacuumInto(ctx, db, path), db.Close()); err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, path, err)
	}
	return nil
}

// unfinishedPrefix leads the name of a backup on its way.
const unfinishedPrefix = ".pressrun-unfinished-"

// Unfinished says whether a file is what a killed program left of a backup: one that has not been touched for a day.
func Unfinished(e fs.DirEntry, now time.Time) bool {
	info, err := e.Info()
	return err == nil && strings.HasPrefix(e.Name(), unfinishedPrefix) && now.Sub(info.ModTime()) > 24*time.Hour
}

// writeWhole has write make a file under another name in the same folder, and gives it its own once it is on the disk.
func writeWhole(path string, write func(unfinished string) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return os.ErrExist
	}
	f, err := os.CreateTemp(filepath.Dir(path), unfinishedPrefix+"*") // 0600, and SQLite takes an empty file
	if path := (*fs.PathError)(nil); errors.As(err, &path) {          // of a name that nobody gave
		return fmt.Errorf("no file can be made in the folder %s: %w", filepath.Dir(path.Path), path.Err)
	}
	if err != nil {
		return err
	}
	unfinished := f.Name()
	defer func() { err = errors.Join(err, os.Remove(unfinished)) }()
	err = write(unfinished)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(unfinished, path); err != nil { // unlike a rename, never over another file
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Check looks into a database file that nobody has open, without changing it: ErrForeign where it is not ours, ErrDamaged where
// its pages don't fit together. whole looks at every index and reference too, which takes longer.
func Check(ctx context.Context, path string, whole bool) error {
	db, err := openStill(ctx, path)
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	defer db.Close()
	queries := []string{`SELECT quick_check FROM pragma_quick_check WHERE quick_check <> 'ok' LIMIT 1`}
	if whole {
		queries = []string{
			`SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 1`,
			`SELECT "table" || ': a row refers to one that is not there' FROM pragma_foreign_key_check LIMIT 1`,
		}
	}
	for _, query := range queries {
		var fault string
		switch err := db.QueryRowContext(ctx, query).Scan(&fault); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("check %s: %w (%w)", path, ErrDamaged, err)
		default:
			return fmt.Errorf("check %s: %w: %s", path, ErrDamaged, fault)
		}
	}
	return nil
}

// openStill opens a file that nobody changes, without as much as a lock file beside it, but for one that a killed program left with
// its write-ahead log: without that its last commits would be missing.
func openStill(ctx context.Context, path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err == nil {
		err = looksLikeSQLite(abs)
	}
	if err != nil {
		return nil, err
	}
	query := "mode=ro"
	if info, err := os.Stat(abs + "-wal"); err != nil || info.Size() == 0 {
		query += "&immutable=1"
	}
	db, err := sql.Open("sqlite3", dsn(abs, query))
	if err != nil {
		return nil, err
	}
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%w)", ErrDamaged, err), db.Close())
	}
	if tables == 0 {
		return nil, errors.Join(ErrForeign, db.Close())
	}
	return db, nil
}

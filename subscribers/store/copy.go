package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Copy opens a copy of the last commit, for what is tried and thrown away: nobody waits for it, however long it takes. Its
// file stands in a new folder beside the database that only its owner can read, and close removes both.
func (db *DB) Copy(ctx context.Context) (copied *DB, closeCopy func() error, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(db.path), ".copy-*")
	if err != nil {
		return nil, nil, fmt.Errorf("copy database: %w", err)
	}
	path := filepath.Join(dir, filepath.Base(db.path))
	// The writer's connection, but no transaction: SQLite reads one commit and locks nobody out.
	if _, err = db.writer.ExecContext(ctx, `VACUUM INTO ?1`, path); err == nil {
		copied, err = Open(ctx, path)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("copy database: %w", fault(err)), os.RemoveAll(dir))
	}
	return copied, func() error { return errors.Join(copied.Close(), os.RemoveAll(dir)) }, nil
}

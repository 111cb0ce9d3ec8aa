package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const copyPrefix = ".pressrun-copy-" // and the number of its process

// dropCopies removes copies that dead processes left beside a database.
func dropCopies(path string) error {
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(path), copyPrefix+"*"))
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), copyPrefix), "-")
		pid, bad := strconv.Atoi(number)
		if bad == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// Copy opens a copy of the last commit, for what is tried and thrown away: nobody waits for it, however long it takes. Its
// file stands in a new folder beside the database that only its owner can read; close removes both, and where the process
// dies before that, the next Open.
func (db *DB) Copy(ctx context.Context) (copied *DB, closeCopy func() error, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(db.path), fmt.Sprintf("%s%d-*", copyPrefix, os.Getpid()))
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

//go:build cgo

package store

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

const haveCgo = true

// fault gives the driver's errors the names that callers act on.
func fault(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	case sqlite3.ErrNotADB:
		return fmt.Errorf("%w (%w)", ErrForeign, err)
	case sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrReadonly, sqlite3.ErrCantOpen:
		return fmt.Errorf("%w (%w)", ErrDisk, err)
	}
	return err
}

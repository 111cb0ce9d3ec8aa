// Package storetest opens real database files for tests.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"pressrun/subscribers/store"
)

// Open makes an empty database file in the test's folder, runs the given migrations in order, and closes it when the
// test ends.
func Open(t testing.TB, migrations ...func(context.Context, *store.DB) error) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "pressrun.db"))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, migrate := range migrations {
		if err := migrate(t.Context(), db); err != nil {
			t.Fatalf("migrate: %v", err)
		}
	}
	return db
}

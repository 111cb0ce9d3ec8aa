package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// Migrate brings the tables of one package up to date: every migrations/NNNN_name.sql of files that has not run yet runs
// in a transaction of its own, in order. The versions are kept in NAME_migrations. It fails with ErrNewer, and changes
// nothing, where the database has a version that files does not know.
func Migrate(ctx context.Context, db *DB, name string, files fs.FS) error {
	err := db.waits(ctx, patience) // its transactions are not those of InTx
	if err == nil {
		err = migrate(ctx, db, name, files)
	}
	return errors.Join(err, db.waits(context.WithoutCancel(ctx), glance))
}

func migrate(ctx context.Context, db *DB, name string, files fs.FS) error {
	provider, err := provider(db, name, files)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, err)
	}
	have, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", name, fault(err))
	}
	sources := provider.ListSources()
	switch newest := sources[len(sources)-1].Version; {
	case have > newest:
		return fmt.Errorf("migrate %s: version %d is above ours, %d: %w", name, have, newest, ErrNewer)
	case have == newest:
		return nil // without asking for the lock: somebody may be writing
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", name, fault(err))
	}
	return nil
}

func provider(db *DB, name string, files fs.FS) (*goose.Provider, error) {
	versions, err := database.NewStore(database.DialectSQLite3, name+"_migrations")
	if err != nil {
		return nil, err
	}
	folder, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(database.DialectCustom, db.writer, folder, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, fmt.Errorf("no migration files: %w", err)
	}
	return p, err
}

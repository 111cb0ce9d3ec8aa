package desk

import (
	"context"
	"embed"
	"io/fs"

	"pressrun/subscribers/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the desk's tables (users, sessions, links) up to date.
func Migrate(ctx context.Context, db *store.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return store.Migrate(ctx, db, "desk", files)
}

package desk

import (
	"context"
	"embed"

	"pressrun/subscribers/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the desk's tables (users, sessions, links) up to date.
func Migrate(ctx context.Context, db *store.DB) error {
	return store.Migrate(ctx, db, "desk", migrations)
}

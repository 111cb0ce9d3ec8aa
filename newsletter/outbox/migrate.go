package outbox

import (
	"context"
	"embed"

	"pressrun/subscribers/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of this package up to date. Those of subscribers and series must be there before.
func Migrate(ctx context.Context, db *store.DB) error {
	return store.Migrate(ctx, db, "outbox", migrations)
}

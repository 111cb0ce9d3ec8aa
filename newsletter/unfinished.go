package newsletter

import (
	"context"
	"errors"
	"fmt"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// ErrImport says that an import of the series is not done: what went now would miss everybody whom it brings.
var ErrImport = errors.New("an import is not done")

// unfinished says which import of a series is not done and who goes on with it; empty: all are.
func unfinished(ctx context.Context, q store.Querier, s series.Series) (string, error) {
	u, err := subscribers.UnfinishedImport(ctx, q, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is not all in yet, and nobody of it is mailed before; if its import was stopped, serve or `pressrun run-due` goes on with it from %s on",
		u.File, u.Again.In(location(s)).Format("15:04:05 MST")), nil
}

// allImported fails with ErrImport while an import of the series is not done.
func allImported(ctx context.Context, q store.Querier, s series.Series) error {
	text, err := unfinished(ctx, q, s)
	if err == nil && text != "" {
		err = fmt.Errorf("series %s: %w: %s", s.Slug, ErrImport, text)
	}
	return err
}

// Unfinished says of each series which import is not done, in words; of most none.
func (p *Publisher) Unfinished(ctx context.Context) ([]string, error) {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return nil, fmt.Errorf("unfinished imports: %w", err)
	}
	var said []string
	for _, s := range all {
		text, err := unfinished(ctx, p.db, s)
		if err != nil {
			return nil, err
		}
		if text != "" {
			said = append(said, s.Slug+": "+text+".")
		}
	}
	return said, nil
}

package series

import (
	"context"
	"fmt"
	"time"

	"pressrun/subscribers/store"
)

// FactsOf are the facts of a series before any reader is looked at: of a live one those of all of them, of a drip one those of somebody who
// had nothing. Had is never nil.
func FactsOf(ctx context.Context, q store.Querier, s Series) (f Facts, err error) {
	f = Facts{Mode: s.Mode, WhenNotReady: s.WhenNotReady, MinGap: s.MinGap, Had: map[int64]time.Time{}}
	if f.Articles, err = Articles(ctx, q, s.ID); err == nil {
		f.Pins, err = Pins(ctx, q, s.ID)
	}
	if err == nil && s.Mode == Live {
		f.Had, f.Announced, err = Had(ctx, q, s.ID)
	}
	if err != nil {
		return f, fmt.Errorf("series %s: facts: %w", s.Slug, err)
	}
	return f, nil
}

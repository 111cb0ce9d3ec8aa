package newsletter

import (
	"context"
	"time"

	"pressrun/newsletter/series"
)

// Render and Inspect let tests put faults into a letter that the templates don't make.
func (p *Publisher) Render(ctx context.Context, s series.Series, a series.Article) (series.Frozen, error) {
	return p.writeArticle(ctx, s, a, p.now())
}

func (p *Publisher) Inspect(ctx context.Context, f series.Frozen, at time.Time) []Finding {
	return p.inspect(ctx, f, at)
}

// Turns returns what Run does in each of its turns, so that tests need not wait for the next.
func (p *Publisher) Turns() func(context.Context) {
	known := watch{troubles: said{}, waits: said{}}
	return func(ctx context.Context) { p.turn(ctx, &known) }
}

// WithAsking lets tests shorten the time in which own pages are asked.
func WithAsking(ctx context.Context, left time.Duration) context.Context {
	return withAsking(ctx, left)
}

package newsletter

import (
	"context"
	"time"

	"pressrun/newsletter/outbox"
)

// compactEvery is how often somebody looks for deliveries that have grown old.
const compactEvery = time.Hour

// compact takes the evidence from deliveries that have grown old, some seconds at a time. Who had what stays.
func (p *Publisher) compact(ctx context.Context, now time.Time) error {
	if p.keep == 0 || !p.compacted.IsZero() && now.Sub(p.compacted).Abs() < compactEvery {
		return nil
	}
	moved, more, err := outbox.Compact(ctx, p.db, now.Add(-p.keep))
	if moved > 0 {
		p.log.InfoContext(ctx, "old deliveries compacted", "deliveries", moved, "more", more)
	}
	if err == nil && !more {
		p.compacted = now
	}
	return err
}

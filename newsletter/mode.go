package newsletter

import (
	"context"
	"fmt"
	"maps"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// ModeChange is what another mode means for the readers of a series who can be mailed.
type ModeChange struct {
	Readers      int64
	Lose, Gain   int64    // of them: who doesn't get ready articles any more that were to come, and who gets some that weren't
	Lost, Gained []string // the slugs of those articles, in order
}

// CompareModes says what it means for the readers that a series changes from one mode to another (rule 2): which of the ready
// articles each of them would still get. It changes nothing.
func (p *Publisher) CompareModes(ctx context.Context, q store.Querier, before, after series.Series) (c ModeChange, err error) {
	wrap := func(err error) error { return fmt.Errorf("series %s: compare modes: %w", before.Slug, err) }
	asLive, asDrip := before, after
	if before.Mode == series.Drip {
		asLive, asDrip = after, before
	}
	live, err := series.FactsOf(ctx, q, asLive)
	if err != nil {
		return c, wrap(err)
	}
	drip, err := series.FactsOf(ctx, q, asDrip)
	if err != nil {
		return c, wrap(err)
	}
	readers, err := groups(ctx, q, asDrip, drip, p.now())
	if err != nil {
		return c, wrap(err)
	}
	long := series.Slot{At: p.now().AddDate(100, 0, 0)} // after every pin, and the gap behind every welcome
	together := ahead(live, long)
	lost, gained := map[int64]bool{}, map[int64]bool{}
	for _, g := range readers {
		own, others := ahead(g.facts, long), maps.Clone(together)
		maps.DeleteFunc(others, func(id int64, _ bool) bool {
			_, had := g.facts.Had[id]
			return had || g.facts.Before[id]
		})
		if after.Mode == series.Drip {
			own, others = others, own
		}
		c.Readers += g.readers
		if missing(own, others, lost) {
			c.Lose += g.readers
		}
		if missing(others, own, gained) {
			c.Gain += g.readers
		}
	}
	for _, a := range live.Articles {
		if lost[a.ID] {
			c.Lost = append(c.Lost, a.Slug)
		}
		if gained[a.ID] {
			c.Gained = append(c.Gained, a.Slug)
		}
	}
	return c, nil
}

// ahead are the ready articles that slots like one would send by some facts, which stay as they are.
func ahead(f series.Facts, slot series.Slot) map[int64]bool {
	f.Had = maps.Clone(f.Had)
	all := map[int64]bool{}
	for {
		switch d := step(f, slot); d.Outcome {
		case series.Send:
			all[d.Article.ID] = true
		case series.Blocked:
		default:
			return all
		}
	}
}

// missing notes what one set has and another lacks, and says whether there is any.
func missing(from, in, noted map[int64]bool) (some bool) {
	for id := range from {
		if !in[id] {
			noted[id], some = true, true
		}
	}
	return some
}

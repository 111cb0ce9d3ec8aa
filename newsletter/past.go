package newsletter

import (
	"context"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Passage is where the active readers of a series are as to one article's place in the order (rule 6).
type Passage struct {
	Past, Before int64 // who had a later one, and who had none
	Lacking      int64 // of Past: who is without the article itself
}

// PastIn says how many active readers of a series are past an article's place in the order and how many are before it
// (rule 6): past is who had a later one. A live series is past a place for all of its readers or for none. It reads as q
// sees things, so that a move can be looked at before it is committed.
func (p *Publisher) PastIn(ctx context.Context, q store.Querier, a series.Article) (past, before int64, err error) {
	s, err := series.ByID(ctx, q, a.SeriesID)
	if err != nil {
		return 0, 0, err
	}
	at, err := passages(ctx, q, s, a)
	if err != nil {
		return 0, 0, err
	}
	return at[0].Past, at[0].Before, nil
}

// passages are those of some articles of a series, in their order: the readers are gone through once.
func passages(ctx context.Context, q store.Querier, s series.Series, articles ...series.Article) ([]Passage, error) {
	all := make([]Passage, len(articles))
	if len(articles) == 0 {
		return all, nil
	}
	facts, err := series.FactsOf(ctx, q, s)
	if err != nil {
		return nil, err
	}
	furthest := furthestHad(facts)
	err = eachReaders(ctx, q, s.ID, 0, func(readers []outbox.Reader) error {
		for _, r := range readers {
			own := facts
			if s.Mode == series.Drip {
				own = readerFacts(facts, r)
				furthest = furthestHad(own)
			}
			for i, a := range articles {
				all[i].add(own, a, furthest)
			}
		}
		return nil
	})
	return all, err
}

func (p *Passage) add(f series.Facts, a series.Article, furthest int64) {
	if furthest <= a.Rank {
		p.Before++
		return
	}
	p.Past++
	if _, had := f.Had[a.ID]; !had && !f.Before[a.ID] {
		p.Lacking++
	}
}

// furthestHad is the rank of the last article that was had, but by an announcement, which is no place in the order (rule 18); 0: none.
func furthestHad(f series.Facts) (rank int64) {
	for _, x := range f.Articles {
		if _, had := f.Had[x.ID]; had && !f.Announced[x.ID] || f.Before[x.ID] {
			rank = max(rank, x.Rank)
		}
	}
	return rank
}

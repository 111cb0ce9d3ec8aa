package newsletter

import (
	"context"
	"fmt"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Synced is what a sync makes of a series.
type Synced struct {
	Articles []SyncedArticle // all of the series, in their order
	After    []Planned       // the next slots then, as NextSlots has them
}

// SyncedArticle is what a sync makes of one article, and what that means for readers.
type SyncedArticle struct {
	series.Synced
	Passage          // where Enters
	Lack      Lack   // where Enters in a live series: it had its issue, and is nobody's next. Readers are counted of what was withdrawn
	Open      []Open // its issues that are neither done nor cancelled, before the sync
	Cancelled int64  // deliveries not handed over yet that a withdrawal cancels
}

// Open is an issue that is neither done nor cancelled.
type Open struct {
	Issue string            `json:"issue"`
	State series.IssueState `json:"state"`
}

// syncSlots is how many coming slots a sync looks at.
const syncSlots = 4

// NextSlots are the slots of a series that a sync looks at, as things are.
func (p *Publisher) NextSlots(ctx context.Context, q store.Querier, s series.Series) ([]Planned, error) {
	slots, err := p.planSeries(ctx, q, s, syncSlots, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("series %s: next slots: %w", s.Slug, err)
	}
	return slots, nil
}

// SyncIn makes the articles of a series what in holds (see series.Sync) and cancels what is queued of those withdrawn (rule 8). It queues
// nothing. Whoever commits calls SkipCancelled afterwards.
func (p *Publisher) SyncIn(ctx context.Context, tx *store.Tx, s series.Series, looked []series.Article, in []series.Incoming) (done Synced, err error) {
	articles, err := series.Sync(ctx, tx, s.ID, looked, in, p.now())
	if err != nil {
		return done, fmt.Errorf("sync %s: %w", s.Slug, err)
	}
	if done.Articles, err = p.meaning(ctx, tx, s, articles); err != nil {
		return done, fmt.Errorf("sync %s: %w", s.Slug, err)
	}
	done.After, err = p.NextSlots(ctx, tx, s)
	return done, err
}

// SkipCancelled ends what a withdrawal left waiting, in short transactions.
func (p *Publisher) SkipCancelled(ctx context.Context) error {
	_, err := outbox.SkipCancelled(ctx, p.db, p.now())
	return err
}

// meaning withdraws what a sync withdrew from the queue too, and says what all of it means for readers.
func (p *Publisher) meaning(ctx context.Context, tx *store.Tx, s series.Series, articles []series.Synced) ([]SyncedArticle, error) {
	open, err := series.OpenIssues(ctx, tx)
	if err != nil {
		return nil, err
	}
	all := make([]SyncedArticle, len(articles))
	for i, a := range articles {
		all[i].Synced = a
		for _, issue := range open {
			if issue.ArticleID == a.Article.ID {
				all[i].Open = append(all[i].Open, Open{issue.Name, issue.State})
			}
		}
		if a.Leaves() {
			if all[i].Cancelled, err = outbox.WithdrawArticle(ctx, tx, a.Article.ID, p.now()); err != nil {
				return nil, err
			}
		}
	}
	return all, p.entrances(ctx, tx, s, all)
}

// entrances says of each article that is put somewhere who is past that place.
func (p *Publisher) entrances(ctx context.Context, tx *store.Tx, s series.Series, all []SyncedArticle) error {
	had := map[int64]time.Time{}
	if s.Mode == series.Live {
		var err error
		if had, _, err = series.Had(ctx, tx, s.ID); err != nil {
			return err
		}
	}
	var entering []series.Article
	var places []int
	for i := range all {
		a := &all[i]
		issued, known := had[a.Article.ID]
		switch {
		case !a.Enters():
		case !known:
			entering, places = append(entering, a.Article), append(places, i)
		case a.Was != series.Withdrawn:
			a.Lack.Issued = issued.In(location(s))
		default:
			var err error
			if a.Lack, err = p.LackIn(ctx, tx, a.Article); err != nil {
				return err
			}
		}
	}
	at, err := passages(ctx, tx, s, entering...)
	if err != nil {
		return err
	}
	for i, place := range places {
		all[place].Passage = at[i]
	}
	return nil
}

package series

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

// Synced is what a sync makes of one article.
type Synced struct {
	Article Article      // as it is then
	Source  string       // the file that holds it; empty: none does
	Was     ArticleState // empty: it is new
	From    int64        // its place before; 0: it is new
	Changed []string     // what of its text, by the names of front matter; "text" is the Markdown
	Moved   bool         // by itself; others may close up or make room
}

// Same says that a sync leaves an article as it is, its number in the order aside.
func (s Synced) Same() bool {
	return s.Was == s.Article.State && len(s.Changed) == 0 && !s.Moved
}

// Leaves says that a sync takes the article out of next.
func (s Synced) Leaves() bool {
	return s.Was != "" && s.Was != Withdrawn && s.Article.State == Withdrawn
}

// Enters says that a sync puts a ready article where it was not, or not ready: whoever is past that place skips it (rule 4).
func (s Synced) Enters() bool {
	return s.Article.State == Ready && (s.Was != Ready || s.Moved)
}

// Compare says what Sync would make of the articles of a series, all of them, given by rank: the result is in the order that they would
// have. The texts of in must be in their stored form, as CheckSync leaves them.
func Compare(all []Article, in []Incoming) []Synced {
	known, taken := map[string]Article{}, map[string]bool{}
	for _, a := range all {
		known[a.Slug] = a
	}
	var ranks []int64
	for _, one := range in {
		taken[one.Slug] = true
		if a, ok := known[one.Slug]; ok {
			ranks = append(ranks, a.Rank)
		}
	}
	stays := staying(ranks)
	order := make([]Synced, 0, len(in))
	for _, one := range in {
		a, ok := known[one.Slug]
		s := Synced{Article: Article{Slug: one.Slug, Text: one.Text}, Source: one.Source}
		if ok {
			s = Synced{Article: a, Source: one.Source, Was: a.State, From: a.Rank, Changed: a.differences(one.Text), Moved: !stays[a.Rank]}
		}
		if len(s.Changed) > 0 {
			s.Article.Text = one.Text
		}
		s.Article.State = one.wants()
		order = append(order, s)
	}
	for _, a := range all {
		if !taken[a.Slug] {
			s := Synced{Article: a, Was: a.State, From: a.Rank}
			s.Article.State = Withdrawn
			order = slices.Insert(order, placeOfGone(order, a.Rank), s)
		}
	}
	for i := range order {
		order[i].Article.Rank = int64(i + 1)
	}
	return order
}

// placeOfGone is where an article without a file goes: after the last of those that stay in their order and stood before it.
func placeOfGone(order []Synced, rank int64) int {
	for i := len(order) - 1; i >= 0; i-- {
		if s := order[i]; !s.Moved && s.From > 0 && s.From < rank {
			return i + 1
		}
	}
	return 0
}

// staying finds the articles that can stay where they are while the fewest others move, given the old ranks in their new order. Where
// there is a choice, those that stood first move, since nobody skips an article that moves to a later place.
func staying(ranks []int64) map[int64]bool {
	type run struct {
		length, sum int64
		before      int
	}
	runs := make([]run, len(ranks))
	best := -1
	better := func(a, b run) bool { return a.length > b.length || a.length == b.length && a.sum > b.sum }
	for i, rank := range ranks {
		runs[i] = run{1, rank, -1}
		for j := range i {
			if longer := (run{runs[j].length + 1, runs[j].sum + rank, j}); ranks[j] < rank && better(longer, runs[i]) {
				runs[i] = longer
			}
		}
		if best < 0 || better(runs[i], runs[best]) {
			best = i
		}
	}
	stays := map[int64]bool{}
	for i := best; i >= 0; i = runs[i].before {
		stays[ranks[i]] = true
	}
	return stays
}

// CheckSync brings articles into their stored form and says of each what keeps a sync of a series from storing it; nil: nothing.
func CheckSync(ctx context.Context, q store.Querier, seriesID int64, in []Incoming) []error {
	faults := make([]error, len(in))
	for i := range in {
		faults[i] = errors.Join(in[i].settle(ImportOptions{Ready: true}), ownSlug(ctx, q, seriesID, in[i].Slug))
	}
	return faults
}

// Sync makes the articles of a series what in holds, in its order: unknown slugs are added, known ones get the text and state of
// theirs, and those that in lacks are withdrawn. What moves or becomes ready is placed now, and a backfill that was asked for its old place
// is forgotten. Cancelling what is queued of those withdrawn is outbox's part in the same transaction. Looked are the articles
// that Compare was asked with: where they changed since, it fails with ErrState. Otherwise its errors are those of ImportArticles.
func Sync(ctx context.Context, tx *store.Tx, seriesID int64, looked []Article, in []Incoming, now time.Time) ([]Synced, error) {
	in = slices.Clone(in)
	if err := checkIncoming(in, ImportOptions{Ready: true}); err != nil {
		return nil, err
	}
	im := importing{tx: tx, seriesID: seriesID, now: now}
	if err := im.load(ctx, in); err != nil {
		return nil, err
	}
	if !slices.EqualFunc(looked, im.order, func(a Article, r ranked) bool { return a.ID == r.id && im.asLooked(a) }) {
		return nil, wrong(ErrState, "the articles of the series were changed by somebody meanwhile; nothing was done: sync again")
	}
	texts := map[string]Incoming{}
	for _, one := range in {
		texts[one.Slug] = one
	}
	order := Compare(looked, in)
	for i := range order {
		if err := im.take(ctx, &order[i], texts[order[i].Article.Slug]); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// asLooked says whether an article still is as it was when somebody looked.
func (im *importing) asLooked(a Article) bool {
	is := im.known[a.Slug]
	return is.ID == a.ID && is.Rank == a.Rank && is.State == a.State && is.Revision == a.Revision && is.Backfill == a.Backfill
}

const syncArticle = `UPDATE articles SET rank = ?2, state = ?3, revision = ?4, placed = ?5, backfill = ?6, source = ?7, updated = ?8 WHERE id = ?1`

// take stores what a sync makes of one article; one is what its file holds.
func (im *importing) take(ctx context.Context, s *Synced, one Incoming) (err error) {
	a := s.Article
	switch {
	case s.Was == "":
		if a.ID, err = im.add(ctx, one, a.State); err == nil {
			_, err = im.tx.Exec(ctx, setRank, a.ID, a.Rank)
		}
	case s.Same() && a.Rank == s.From:
		return nil
	case s.Same():
		_, err = im.tx.Exec(ctx, setRank, a.ID, a.Rank)
	default:
		err = im.alter(ctx, s, one)
	}
	if err == nil {
		s.Article, err = ArticleByID(ctx, im.tx, a.ID)
	}
	if err != nil {
		return fmt.Errorf("sync article %s: %w", a.Slug, err)
	}
	return nil
}

// alter stores what is another about a known article.
func (im *importing) alter(ctx context.Context, s *Synced, one Incoming) error {
	a := s.Article
	if len(s.Changed) > 0 {
		a.Revision++
		if err := im.revise(ctx, a.ID, a.Revision, one); err != nil {
			return err
		}
	}
	if s.Source != "" {
		a.Source = s.Source
	}
	if s.Moved || s.Was != a.State && a.State == Ready {
		a.Placed = im.now
	}
	// As MarkReady and Move have it: only a draft that becomes ready where it stands keeps what was asked for.
	if s.Moved || s.Was != a.State && !(s.Was == Draft && a.State == Ready) {
		a.Backfill = false
	}
	_, err := im.tx.Exec(ctx, syncArticle, a.ID, a.Rank, string(a.State), a.Revision, millis(a.Placed), flag(a.Backfill), a.Source, millis(im.now))
	return err
}

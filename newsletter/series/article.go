package series

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// ArticleState is draft, ready or withdrawn.
type ArticleState string

const (
	Draft     ArticleState = "draft"
	Ready     ArticleState = "ready"
	Withdrawn ArticleState = "withdrawn"
)

// Text is what an author writes: the content of one revision.
type Text struct {
	Title, Subject, Preheader, Description string
	Markdown                               string
	Disclaimer, DisclaimerMode             string            // mode: add (default) or replace
	Date                                   string            // YYYY-MM-DD or empty
	Meta                                   map[string]string // other front matter, kept for export
	Pictures                               map[string]string // hash by path, as Markdown and front matter name them
}

// Article is a text with its place in the series.
type Article struct {
	ID, SeriesID        int64
	Slug                string
	Rank                int64 // from 1, without holes
	State               ArticleState
	Revision            int64
	Placed              time.Time // when it got its place in the order, or became ready (rule 4)
	Elsewhere, Backfill bool
	Source              string
	Created, Updated    time.Time
	Text                // of the newest revision
}

const articleColumns = `a.id, a.series_id, a.slug, a.rank, a.state, a.revision, a.placed, a.elsewhere, a.backfill, a.source, a.created, a.updated,
	r.title, r.subject, r.preheader, r.description, r.markdown, r.disclaimer, r.disclaimer_mode, r.date, r.meta, r.pictures`

const articleRows = `SELECT ` + articleColumns + `
FROM articles a
JOIN revisions r ON r.article_id = a.id AND r.number = a.revision`

// scan reads a row that begins with articleColumns; more are what follows them.
func (a *Article) scan(scan func(dest ...any) error, more ...any) error {
	var placed, created, updated int64
	var meta, pictures string
	err := scan(append([]any{
		&a.ID, &a.SeriesID, &a.Slug, &a.Rank, &a.State, &a.Revision, &placed, &a.Elsewhere, &a.Backfill, &a.Source, &created, &updated,
		&a.Title, &a.Subject, &a.Preheader, &a.Description, &a.Markdown, &a.Disclaimer, &a.DisclaimerMode, &a.Date, &meta, &pictures,
	}, more...)...)
	if err != nil {
		return err
	}
	a.Placed, a.Created, a.Updated = instant(placed), instant(created), instant(updated)
	if err := json.Unmarshal([]byte(meta), &a.Meta); err != nil {
		return fmt.Errorf("front matter of article %s: %w", a.Slug, err)
	}
	if err := json.Unmarshal([]byte(pictures), &a.Pictures); err != nil {
		return fmt.Errorf("pictures of article %s: %w", a.Slug, err)
	}
	return nil
}

func scanArticle(a *Article, scan func(dest ...any) error) error { return a.scan(scan) }

const articlesOf = articleRows + ` WHERE a.series_id = ?1 ORDER BY a.rank`

// Articles lists the articles of a series by rank, each with its newest revision.
func Articles(ctx context.Context, q store.Querier, seriesID int64) ([]Article, error) {
	all, err := collect(ctx, q, scanArticle, articlesOf, seriesID)
	if err != nil {
		return nil, fmt.Errorf("articles of series %d: %w", seriesID, err)
	}
	return all, nil
}

const articleBySlug = articleRows + ` WHERE a.slug = ?1`

// ErrNoArticle is store.ErrNotFound of an article that somebody named.
var ErrNoArticle = fmt.Errorf("%w", store.ErrNotFound)

// ArticleBySlug returns ErrNoArticle for an unknown article.
func ArticleBySlug(ctx context.Context, q store.Querier, slug string) (Article, error) {
	var a Article
	if err := a.scan(q.QueryRow(ctx, articleBySlug, slug).Scan); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = ErrNoArticle
		}
		return Article{}, fmt.Errorf("article %s: %w", printable(slug), err)
	}
	return a, nil
}

const articleByID = articleRows + ` WHERE a.id = ?1`

// ArticleByID returns store.ErrNotFound for an unknown article.
func ArticleByID(ctx context.Context, q store.Querier, id int64) (Article, error) {
	var a Article
	if err := a.scan(q.QueryRow(ctx, articleByID, id).Scan); err != nil {
		return Article{}, fmt.Errorf("article %d: %w", id, err)
	}
	return a, nil
}

const markReady = `UPDATE articles SET state = 'ready', placed = ?2, backfill = ?3, updated = ?2 WHERE id = ?1`

// MarkReady makes a draft or withdrawn article ready, placed now. It refuses an article without text (ErrInvalid). One
// that is ready already stays where it was placed; one that was withdrawn needs a new Backfill to go to those past it.
func MarkReady(ctx context.Context, tx *store.Tx, articleID int64, now time.Time) error {
	a, err := ArticleByID(ctx, tx, articleID)
	switch {
	case err != nil:
		return err
	case a.State == Ready:
		return nil
	case strings.TrimSpace(a.Markdown) == "":
		return wrong(ErrInvalid, "article %s: it has no text; blank mail never leaves: give it a text, then make it ready", a.Slug)
	}
	if _, err := tx.Exec(ctx, markReady, a.ID, millis(now), flag(a.Backfill && a.State == Draft)); err != nil {
		return fmt.Errorf("article %s: %w", a.Slug, err)
	}
	return nil
}

// flag is how a condition is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

const withdraw = `UPDATE articles SET state = 'withdrawn', updated = ?2 WHERE id = ?1 AND state <> 'withdrawn'`

// Withdraw takes an article out of next. Cancelling what is queued of it is outbox's part in the same transaction.
func Withdraw(ctx context.Context, tx *store.Tx, articleID int64, now time.Time) error {
	a, err := ArticleByID(ctx, tx, articleID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, withdraw, a.ID, millis(now)); err != nil {
		return fmt.Errorf("article %s: %w", a.Slug, err)
	}
	return nil
}

const moved = `UPDATE articles SET placed = ?2, backfill = 0, updated = ?2 WHERE id = ?1`

// Move places an article right before (or after) another of the same series. Only the moved one's Placed changes, and a
// backfill that was asked for its old place is forgotten. A move to where it stands already changes nothing.
func Move(ctx context.Context, tx *store.Tx, articleID int64, before bool, otherID int64, now time.Time) error {
	a, err := ArticleByID(ctx, tx, articleID)
	if err != nil {
		return err
	}
	order, err := orderOf(ctx, tx, a.SeriesID)
	if err != nil {
		return fmt.Errorf("move article %s: %w", a.Slug, err)
	}
	old := slices.Clone(order)
	order = slices.DeleteFunc(order, func(r ranked) bool { return r.id == a.ID })
	to := slices.IndexFunc(order, func(r ranked) bool { return r.id == otherID })
	switch {
	case articleID == otherID:
		return wrong(ErrInvalid, "move article %s: it can't stand beside itself", a.Slug)
	case to < 0:
		return wrong(ErrInvalid, "move article %s: the other article is not of the same series", a.Slug)
	case !before:
		to++
	}
	order = slices.Insert(order, to, ranked{a.ID, a.Rank})
	if slices.Equal(old, order) {
		return nil
	}
	if err := renumber(ctx, tx, order); err != nil {
		return fmt.Errorf("move article %s: %w", a.Slug, err)
	}
	if _, err := tx.Exec(ctx, moved, a.ID, millis(now)); err != nil {
		return fmt.Errorf("move article %s: %w", a.Slug, err)
	}
	return nil
}

// ranked is an article's place.
type ranked struct{ id, rank int64 }

func (r *ranked) scan(scan func(dest ...any) error) error { return scan(&r.id, &r.rank) }

const orderRows = `SELECT id, rank FROM articles WHERE series_id = ?1 ORDER BY rank`

func orderOf(ctx context.Context, q store.Querier, seriesID int64) ([]ranked, error) {
	return collect(ctx, q, (*ranked).scan, orderRows, seriesID)
}

const setRank = `UPDATE articles SET rank = ?2 WHERE id = ?1`

// renumber gives the articles of a series the ranks of the given order, from 1.
func renumber(ctx context.Context, tx *store.Tx, order []ranked) error {
	for i, r := range order {
		if rank := int64(i + 1); r.rank != rank {
			if _, err := tx.Exec(ctx, setRank, r.id, rank); err != nil {
				return err
			}
		}
	}
	return nil
}

const backfill = `UPDATE articles SET backfill = 1, updated = ?2 WHERE id = ?1`

// Backfill asks that an article is sent also to those who are past it (rule 4). In a live series that is everybody: it
// becomes the next article, unless it had its issue.
func Backfill(ctx context.Context, tx *store.Tx, articleID int64, now time.Time) error {
	a, err := ArticleByID(ctx, tx, articleID)
	switch {
	case err != nil:
		return err
	case a.State == Withdrawn:
		return wrong(ErrState, "article %s is withdrawn; make it ready first", a.Slug)
	}
	if _, err := tx.Exec(ctx, backfill, a.ID, millis(now)); err != nil {
		return fmt.Errorf("article %s: %w", a.Slug, err)
	}
	return nil
}

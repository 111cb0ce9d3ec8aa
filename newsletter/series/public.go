package series

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"pressrun/subscribers/store"
)

// PublicName stands for the series in links and headers that go to readers: its slug, or, where the series is sensitive, a
// name that says nothing of what it is about.
func (s Series) PublicName() string {
	if s.Sensitive {
		return s.Opaque
	}
	return s.Slug
}

// Label is what the pages of a reader's own links say of a series.
type Label struct {
	Title, Language string
	PublicName      string // see Series.PublicName
}

const selectLabel = `SELECT title, language, slug, sensitive, public_name FROM series WHERE id = ?1`

// LabelOf is ByID for those who need no more than that. store.ErrNotFound for an unknown series.
func LabelOf(ctx context.Context, q store.Querier, id int64) (Label, error) {
	var s Series
	if err := q.QueryRow(ctx, selectLabel, id).Scan(&s.Title, &s.Language, &s.Slug, &s.Sensitive, &s.Opaque); err != nil {
		return Label{}, fmt.Errorf("series %d: %w", id, err)
	}
	return s.Label(), nil
}

// Label is the series' own.
func (s Series) Label() Label {
	return Label{Title: s.Title, Language: s.Language, PublicName: s.PublicName()}
}

// ArticleName stands for one of its articles likewise.
func (s Series) ArticleName(a Article) string {
	if s.Sensitive {
		return strconv.FormatInt(a.ID, 10)
	}
	return a.Slug
}

// ListLabel is the series' name in its List-Id, which must not change in its life (RFC 2919 section 3): a series that was
// sensitive once keeps the opaque one.
func (s Series) ListLabel() string {
	if s.Opaque != "" {
		return s.Opaque
	}
	return s.Slug
}

// show takes what the public may see of the series. Its opaque name is made once and kept.
func (s *Series) show(c Change) {
	if c.Private != nil {
		s.Private = *c.Private
	}
	if c.Sensitive != nil {
		s.Sensitive = *c.Sensitive
	}
	if s.Sensitive && s.Opaque == "" {
		s.Opaque = strings.ToLower(rand.Text())[:opaqueLetters]
	}
}

// opaqueLetters is how long an opaque name is: 60 bits, so that nobody finds a private series by trying.
const opaqueLetters = 12

const seriesByName = seriesRows + ` WHERE s.slug = ?1 OR s.public_name = ?1 ORDER BY s.slug <> ?1 LIMIT 1`

// ByName finds a series by any name that links to it ever had: its slug or its opaque one. store.ErrNotFound for none.
func ByName(ctx context.Context, q store.Querier, name string) (Series, error) {
	var s Series
	err := store.ErrNotFound
	if name != "" {
		err = s.scan(q.QueryRow(ctx, seriesByName, name).Scan)
	}
	if err != nil {
		return Series{}, fmt.Errorf("series %s: %w", printable(name), err)
	}
	return s, nil
}

// ArticleByName finds an article of the series by any name that a link to it ever had. In a series that was sensitive once,
// numbers come before slugs: that is what its letters have. store.ErrNotFound for none.
func ArticleByName(ctx context.Context, q store.Querier, s Series, name string) (Article, error) {
	a, err := Article{}, store.ErrNotFound
	if id, failed := strconv.ParseInt(name, 10, 64); failed == nil && s.Opaque != "" {
		a, err = ArticleByID(ctx, q, id)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && a.SeriesID != s.ID {
		a, err = ArticleBySlug(ctx, q, name)
	}
	if err == nil && a.SeriesID != s.ID {
		err = fmt.Errorf("article %s in series %s: %w", printable(name), s.Slug, store.ErrNotFound)
	}
	return a, err
}

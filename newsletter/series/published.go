package series

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

// Published is an article as the public may see it: as last sent, or, of one published elsewhere before us (rule 5) and not
// sent by us, as it is now.
type Published struct {
	Article Article // its present slug, rank and state; Title and texts of the revision that was sent, else the newest
	Issue   Issue   // the newest issue of it that began sending (welcomes and drip included); zero: it was published elsewhere
	Part    int     // place among the ready articles, as in Neighbours, from 1; 0: withdrawn
	Of      int     // how many are ready

	First     time.Time // when it became public
	TextSince time.Time // when its present text did: in drip the same goes out again and again
}

// isPublic is the condition on an issue x that makes its article public: it began sending, and was not cancelled before
// anybody had it.
const isPublic = `x.sending_since IS NOT NULL AND NOT (x.state = 'cancelled' AND x.reached = 0)`

const (
	publishedRows  = `SELECT ` + articleColumns + `, ` + issueHead + `, i.article_html` + publishedFrom
	publishedHeads = `SELECT ` + articleColumns + `, ` + issueHead + `, ''` + publishedFrom
)

const publishedFrom = `
FROM articles a
JOIN issues i ON i.id = (SELECT x.id FROM issues x WHERE x.article_id = a.id AND ` + isPublic + ` ORDER BY x.sending_since DESC, x.id DESC LIMIT 1)
JOIN revisions r ON r.article_id = a.id AND r.number = i.revision
WHERE a.series_id = ?1`

// scan reads a row of publishedRows or publishedHeads.
func (p *Published) scan(scan func(dest ...any) error) error {
	return p.Issue.scan(func(issue ...any) error { return p.Article.scan(scan, issue...) }, &p.Issue.ArticleHTML)
}

const elsewhereRows = articleRows + `
WHERE a.series_id = ?1 AND a.elsewhere = 1 AND NOT EXISTS (SELECT 1 FROM issues x WHERE x.article_id = a.id AND ` + isPublic + `)`

// scanElsewhere reads a row of elsewhereRows.
func (p *Published) scanElsewhere(scan func(dest ...any) error) error { return p.Article.scan(scan) }

const publishedArticles = publishedHeads + ` AND a.state <> 'withdrawn'`

const elsewhereArticles = elsewhereRows + ` AND a.state = 'ready'`

// PublishedArticles lists by rank what of a series began to be sent or was published elsewhere; withdrawn articles are left
// out. The issues come without their documents: PublishedBySlug has the one that a page shows, ArticleHTML any.
func PublishedArticles(ctx context.Context, q store.Querier, seriesID int64) ([]Published, error) {
	all, err := collect(ctx, q, (*Published).scan, publishedArticles, seriesID)
	if err != nil {
		return nil, fmt.Errorf("published articles of series %d: %w", seriesID, err)
	}
	elsewhere, err := collect(ctx, q, (*Published).scanElsewhere, elsewhereArticles, seriesID)
	if err != nil {
		return nil, fmt.Errorf("articles of series %d published elsewhere: %w", seriesID, err)
	}
	all = append(all, elsewhere...)
	slices.SortFunc(all, func(a, b Published) int { return cmp.Compare(a.Article.Rank, b.Article.Rank) })
	places, err := readyOnly(ctx, q, seriesID)
	if err != nil {
		return nil, err
	}
	since, err := publicSince(ctx, q, seriesID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Part, all[i].Of = partOf(places, all[i].Article.ID), len(places)
		all[i].dates(since)
	}
	return all, nil
}

const (
	publishedBySlug = publishedRows + ` AND a.slug = ?2`
	elsewhereBySlug = elsewhereRows + ` AND a.state <> 'draft' AND a.slug = ?2`
)

// PublishedBySlug finds one article that began to be sent, with its ArticleHTML, or was published elsewhere, also where it
// was withdrawn since: see Article.State. It returns store.ErrNotFound for all others.
func PublishedBySlug(ctx context.Context, q store.Querier, seriesID int64, slug string) (Published, error) {
	var p Published
	err := p.scan(q.QueryRow(ctx, publishedBySlug, seriesID, slug).Scan)
	if errors.Is(err, store.ErrNotFound) {
		p = Published{}
		err = p.scanElsewhere(q.QueryRow(ctx, elsewhereBySlug, seriesID, slug).Scan)
	}
	if err != nil {
		return Published{}, fmt.Errorf("published article %s: %w", printable(slug), err)
	}
	places, err := readyOnly(ctx, q, seriesID)
	if err != nil {
		return Published{}, err
	}
	since, err := publicSince(ctx, q, seriesID)
	if err != nil {
		return Published{}, err
	}
	p.Part, p.Of = partOf(places, p.Article.ID), len(places)
	p.dates(since)
	return p, nil
}

// publicFact is what of an article decides how the public sees it: a revision and an issue never change.
type publicFact struct {
	id, rank, revision, elsewhere, updated int64
	state, slug                            string
	issues, newest, sent                   int64 // public ones: how many, the newest's number, when the last began
}

func (f *publicFact) scan(scan func(dest ...any) error) error {
	return scan(&f.id, &f.rank, &f.revision, &f.elsewhere, &f.updated, &f.state, &f.slug, &f.issues, &f.newest, &f.sent)
}

const publicFacts = `SELECT a.id, a.rank, a.revision, a.elsewhere, a.updated, a.state, a.slug, count(x.id), coalesce(max(x.id), 0), coalesce(max(x.sending_since), 0)
FROM articles a LEFT JOIN issues x ON x.article_id = a.id AND ` + isPublic + `
WHERE a.series_id = ?1 GROUP BY a.id ORDER BY a.id`

// PublicMark differs wherever what the public may see of a series does: its articles, their texts and order, and what the series
// says of itself. changed is when that was last. It reads no text, so that who asks whether something is new costs little.
func PublicMark(ctx context.Context, q store.Querier, s Series) (mark string, changed time.Time, err error) {
	all, err := collect(ctx, q, (*publicFact).scan, publicFacts, s.ID)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("series %d: what is public of it: %w", s.ID, err)
	}
	last := millis(s.Updated)
	for _, f := range all {
		last = max(last, f.updated, f.sent)
	}
	s.PlannedUntil = time.Time{} // moves on by itself
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v %+v", s, all))
	return hex.EncodeToString(sum[:]), instant(last), nil
}

const articleHTML = `SELECT article_html FROM issues WHERE id = ?1`

// ArticleHTML is the article of an issue as the archive shows it.
func ArticleHTML(ctx context.Context, q store.Querier, issueID int64) (html string, err error) {
	if err := q.QueryRow(ctx, articleHTML, issueID).Scan(&html); err != nil {
		return "", fmt.Errorf("article of issue %d: %w", issueID, err)
	}
	return html, nil
}

// sending is when a text of an article was first sent: a revision under a wording of the disclaimer.
type sending struct {
	article, revision, disclaimer int64
	at                            int64
}

func (s *sending) scan(scan func(dest ...any) error) error {
	return scan(&s.article, &s.revision, &s.disclaimer, &s.at)
}

const firstSent = `SELECT x.article_id, x.revision, x.disclaimer_id, min(x.sending_since) FROM issues x
WHERE x.series_id = ?1 AND x.article_id IS NOT NULL AND x.revision IS NOT NULL AND ` + isPublic + `
GROUP BY x.article_id, x.revision, x.disclaimer_id`

func publicSince(ctx context.Context, q store.Querier, seriesID int64) ([]sending, error) {
	all, err := collect(ctx, q, (*sending).scan, firstSent, seriesID)
	if err != nil {
		return nil, fmt.Errorf("series %d: when its articles were sent: %w", seriesID, err)
	}
	return all, nil
}

// dates says since when an article and its text are public. Of one published elsewhere the first is its author's date.
func (p *Published) dates(since []sending) {
	if p.Issue.ID == 0 {
		p.First, p.TextSince = p.Article.Created, p.Article.Updated
		if day, err := time.Parse(time.DateOnly, p.Article.Date); err == nil {
			p.First = day
		}
		return
	}
	for _, s := range since {
		at := instant(s.at)
		if s.article == p.Article.ID && (p.First.IsZero() || at.Before(p.First)) {
			p.First = at
		}
		if s.article == p.Article.ID && s.revision == p.Issue.Revision && s.disclaimer == p.Issue.DisclaimerID {
			p.TextSince = at
		}
	}
}

// readyOnly lists the articles that parts are counted by.
func readyOnly(ctx context.Context, q store.Querier, seriesID int64) ([]standing, error) {
	places, err := placesOf(ctx, q, seriesID)
	return slices.DeleteFunc(places, func(x standing) bool { return x.state != Ready }), err
}

// partOf is an article's place, from 1; 0: it is not among them.
func partOf(places []standing, articleID int64) int {
	return 1 + slices.IndexFunc(places, func(x standing) bool { return x.id == articleID })
}

// standing is what the neighbours of an article need to know of each other.
type standing struct {
	id     int64
	state  ArticleState
	public bool
}

func (s *standing) scan(scan func(dest ...any) error) error { return scan(&s.id, &s.state, &s.public) }

const standings = `SELECT a.id, a.state, a.elsewhere = 1 AND a.state = 'ready' OR EXISTS (SELECT 1 FROM issues x WHERE x.article_id = a.id AND ` + isPublic + `)
FROM articles a WHERE a.series_id = ?1 ORDER BY a.rank`

func placesOf(ctx context.Context, q store.Querier, seriesID int64) ([]standing, error) {
	all, err := collect(ctx, q, (*standing).scan, standings, seriesID)
	if err != nil {
		return nil, fmt.Errorf("articles of series %d: %w", seriesID, err)
	}
	return all, nil
}

// Neighbours are the articles before and after one, by today's ranks, among those ready or published (rule 17).
type Neighbours struct {
	Previous, Next             *Article // nil at the ends; with their newest revision
	PreviousPublic, NextPublic bool     // may be linked
	Part, Of                   int      // its own place among these articles, from 1
}

// NeighboursOf finds the neighbours of an article of its series. A draft has neighbours too: those it will have.
func NeighboursOf(ctx context.Context, q store.Querier, articleID int64) (Neighbours, error) {
	a, err := ArticleByID(ctx, q, articleID)
	if err != nil {
		return Neighbours{}, err
	}
	places, err := placesOf(ctx, q, a.SeriesID)
	if err != nil {
		return Neighbours{}, err
	}
	places = slices.DeleteFunc(places, func(x standing) bool { return x.state != Ready && x.id != articleID })
	at := partOf(places, articleID) - 1
	n := Neighbours{Part: at + 1, Of: len(places)}
	if at > 0 {
		if n.Previous, err = neighbour(ctx, q, places[at-1]); err != nil {
			return Neighbours{}, err
		}
		n.PreviousPublic = places[at-1].public
	}
	if at < len(places)-1 {
		if n.Next, err = neighbour(ctx, q, places[at+1]); err != nil {
			return Neighbours{}, err
		}
		n.NextPublic = places[at+1].public
	}
	return n, nil
}

func neighbour(ctx context.Context, q store.Querier, at standing) (*Article, error) {
	a, err := ArticleByID(ctx, q, at.id)
	return &a, err
}

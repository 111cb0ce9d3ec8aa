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

// Incoming is one article of an import, in the order it shall have.
type Incoming struct {
	Slug      string
	Draft     bool // its own front matter says draft, or it is not for all readers where it comes from
	Withdrawn bool // its own front matter says so
	Kept      bool // Text is what the article had when it was read for: whatever it has by now stays
	Source    string
	Line      int // of the first line of Markdown in Source; 0: its lines are not those of the file
	Text
	Pictures []Picture // those that Text names and that may not be stored yet
}

// Imported is the change of one article by an import.
type Imported struct {
	Article Article
	Outcome string // added, changed, unchanged
}

// ImportOptions say what happens to the articles of an import.
type ImportOptions struct {
	Ready          bool   // drafts become ready, but those whose front matter says draft or withdrawn
	PublishedUntil string // YYYY-MM-DD: dated up to here are marked as published elsewhere (rule 5); empty: none
}

// ImportArticles stores the articles in the given order: unknown slugs are added after the article that precedes them
// in the list (at the end where none does), a known slug with other content gets a revision, the same content changes
// nothing. It never changes the rank of a known article, nor a ready one by a draft, and a withdrawn one stays withdrawn; new ones come in
// as withdrawn where their front matter says so. A slug that another series has fails with ErrSlug. All that is wrong is said at once, and then nothing is stored.
func ImportArticles(ctx context.Context, tx *store.Tx, seriesID int64, in []Incoming, o ImportOptions, now time.Time) ([]Imported, error) {
	in = slices.Clone(in)
	if err := checkIncoming(in, o); err != nil {
		return nil, err
	}
	im := importing{tx: tx, seriesID: seriesID, options: o, now: now}
	if err := im.load(ctx, in); err != nil {
		return nil, err
	}
	out := make([]Imported, len(in))
	after := len(im.order) // where the next unknown article goes
	for i, one := range in {
		known, ok := im.known[one.Slug]
		var err error
		if ok {
			after = slices.IndexFunc(im.order, func(r ranked) bool { return r.id == known.ID }) + 1
			out[i].Outcome, err = im.change(ctx, known, one)
		} else {
			var id int64
			id, err = im.add(ctx, one, im.entry(one))
			out[i].Outcome, im.order = "added", slices.Insert(im.order, after, ranked{id: id})
			after++
		}
		if err != nil {
			return nil, fmt.Errorf("import article %s: %w", one.Slug, err)
		}
	}
	if err := renumber(ctx, tx, im.order); err != nil {
		return nil, fmt.Errorf("import articles: %w", err)
	}
	for i, one := range in {
		var err error
		if out[i].Article, err = ArticleBySlug(ctx, tx, one.Slug); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkIncoming brings the texts into their stored form and refuses those that can't be stored.
func checkIncoming(in []Incoming, o ImportOptions) error {
	var problems []error
	if o.PublishedUntil != "" && checkDate(o.PublishedUntil) != nil {
		problems = append(problems, wrong(ErrInvalid, "--published-until: %v", checkDate(o.PublishedUntil)))
	}
	seen := map[string]bool{}
	for i := range in {
		one := &in[i]
		if err := checkArticleSlug(one.Slug); err != nil {
			problems = append(problems, fmt.Errorf("article %d of the import: %w", i+1, err))
		} else if seen[one.Slug] {
			problems = append(problems, wrong(ErrSlug, "article %s: it comes twice in this import", one.Slug))
		}
		seen[one.Slug] = true
		problems = append(problems, one.settle(o))
	}
	return errors.Join(problems...)
}

// settle brings an article into its stored form and says what of it can't be stored.
func (in *Incoming) settle(o ImportOptions) error {
	var problems []error
	if err := in.check(); err != nil {
		problems = append(problems, wrong(ErrInvalid, "article %s: %v", printable(in.Slug), err))
	}
	for _, p := range in.Pictures {
		if err := p.check(); err != nil {
			problems = append(problems, fmt.Errorf("article %s: %w", printable(in.Slug), err))
		}
	}
	if o.Ready && in.wants() == Ready && in.Markdown == "" {
		problems = append(problems, wrong(ErrInvalid, "article %s: it has no text; blank mail never leaves: give it a text, or mark it as draft", printable(in.Slug)))
	}
	return errors.Join(problems...)
}

// wants is the state that the front matter of an article asks for.
func (in Incoming) wants() ArticleState {
	switch {
	case in.Withdrawn:
		return Withdrawn
	case in.Draft:
		return Draft
	}
	return Ready
}

// check normalises a text and says what of it can't be stored.
func (t *Text) check() error {
	var problems []error
	for _, f := range []struct {
		name  string
		value *string
		trim  func(string) string
		check func(string, int) error
		most  int
	}{
		{"title", &t.Title, strings.TrimSpace, checkLine, 500},
		{"subject", &t.Subject, strings.TrimSpace, checkLine, 500},
		{"preheader", &t.Preheader, strings.TrimSpace, checkLine, 500},
		{"description", &t.Description, trimText, checkText, 2_000},
		{"disclaimer", &t.Disclaimer, func(s string) string { return strings.TrimSpace(trimText(s)) }, checkText, 10_000},
		{"text", &t.Markdown, trimText, checkText, 1 << 20},
	} {
		*f.value = f.trim(*f.value)
		if err := f.check(*f.value, f.most); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	if t.Title == "" {
		problems = append(problems, errors.New("title: it is required"))
	}
	if t.Date != "" && checkDate(t.Date) != nil {
		problems = append(problems, fmt.Errorf("date: %w", checkDate(t.Date)))
	}
	switch t.DisclaimerMode {
	case "":
		t.DisclaimerMode = "add"
	case "add", "replace":
	default:
		problems = append(problems, fmt.Errorf("disclaimer mode: %q is neither add nor replace", t.DisclaimerMode))
	}
	return errors.Join(problems...)
}

// importing is one import on its way.
type importing struct {
	tx       *store.Tx
	seriesID int64
	options  ImportOptions
	now      time.Time
	known    map[string]Article // by slug, of this series
	order    []ranked
}

// load reads the series as it is and refuses slugs of others.
func (im *importing) load(ctx context.Context, in []Incoming) error {
	all, err := Articles(ctx, im.tx, im.seriesID)
	if err != nil {
		return err
	}
	im.known = make(map[string]Article, len(all))
	for _, a := range all {
		im.known[a.Slug] = a
		im.order = append(im.order, ranked{a.ID, a.Rank})
	}
	var problems []error
	for _, one := range in {
		problems = append(problems, ownSlug(ctx, im.tx, im.seriesID, one.Slug))
	}
	return errors.Join(problems...)
}

const slugsOfOthers = `SELECT slug FROM articles WHERE series_id <> ?1`

// TakenSlugs are those of the articles of all other series.
func TakenSlugs(ctx context.Context, q store.Querier, seriesID int64) (map[string]bool, error) {
	slugs, err := collect(ctx, q, func(slug *string, scan func(...any) error) error { return scan(slug) }, slugsOfOthers, seriesID)
	if err != nil {
		return nil, fmt.Errorf("slugs of other series: %w", err)
	}
	taken := map[string]bool{}
	for _, slug := range slugs {
		taken[slug] = true
	}
	return taken, nil
}

// ownSlug fails with ErrSlug where another series has an article of a name.
func ownSlug(ctx context.Context, q store.Querier, seriesID int64, slug string) error {
	other, err := ArticleBySlug(ctx, q, slug)
	if errors.Is(err, store.ErrNotFound) || err == nil && other.SeriesID == seriesID {
		return nil
	}
	if err != nil {
		return err
	}
	owner, err := ByID(ctx, q, other.SeriesID)
	if err != nil {
		return err
	}
	return wrong(ErrSlug, "article %s: series %s has an article of this name, and names are unique in the site; give it another slug", slug, owner.Slug)
}

func (im *importing) elsewhere(t Text) bool {
	return t.Date != "" && t.Date <= im.options.PublishedUntil
}

const newArticle = `INSERT INTO articles (series_id, slug, rank, state, revision, placed, elsewhere, source, created, updated)
VALUES (?1, ?2, 0, ?3, 1, ?4, ?5, ?6, ?4, ?4) RETURNING id`

// entry is the state in which an import stores an unknown article.
func (im *importing) entry(one Incoming) ArticleState {
	if state := one.wants(); state != Ready || im.options.Ready {
		return state
	}
	return Draft
}

// add stores an unknown article, still without its place.
func (im *importing) add(ctx context.Context, one Incoming, state ArticleState) (id int64, err error) {
	err = im.tx.QueryRow(ctx, newArticle, im.seriesID, one.Slug, string(state), millis(im.now), flag(im.elsewhere(one.Text)), one.Source).Scan(&id)
	if err == nil {
		err = im.revise(ctx, id, 1, one)
	}
	return id, err
}

const newRevision = `INSERT INTO revisions (article_id, number, title, subject, preheader, description, markdown, disclaimer, disclaimer_mode, date, meta, created, pictures)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`

func (im *importing) revise(ctx context.Context, articleID, number int64, one Incoming) error {
	t := one.Text
	for _, p := range one.Pictures {
		if err := p.keep(ctx, im.tx, im.now); err != nil {
			return err
		}
	}
	encoded, err := encodeMap(t.Meta)
	if err != nil {
		return err
	}
	pictures, err := encodeMap(t.Pictures)
	if err != nil {
		return err
	}
	_, err = im.tx.Exec(ctx, newRevision, articleID, number, t.Title, t.Subject, t.Preheader, t.Description, t.Markdown, t.Disclaimer,
		t.DisclaimerMode, t.Date, encoded, millis(im.now), pictures)
	return err
}

// encodeMap is a map as a JSON object; {} for none.
func encodeMap(m map[string]string) (string, error) {
	if m == nil {
		m = map[string]string{}
	}
	encoded, err := json.Marshal(m)
	return string(encoded), err
}

const changeArticle = `UPDATE articles SET revision = ?2, state = ?3, placed = ?4, elsewhere = ?5, source = ?6, updated = ?7 WHERE id = ?1`

// change stores what is new about a known article.
func (im *importing) change(ctx context.Context, a Article, one Incoming) (outcome string, err error) {
	if one.Kept {
		one.Text = a.Text
	}
	ready := a.State == Draft && im.options.Ready && one.wants() == Ready
	elsewhere := im.elsewhere(one.Text) && !a.Elsewhere
	revised := len(a.differences(one.Text)) > 0
	switch {
	case a.State == Ready && one.Draft, !ready && !elsewhere && !revised:
		return "unchanged", nil
	case a.State == Ready && one.Markdown == "":
		return "", wrong(ErrInvalid, "it is ready and has no text now; blank mail never leaves: give it a text, or withdraw it")
	}
	if revised {
		a.Revision++
		if err := im.revise(ctx, a.ID, a.Revision, one); err != nil {
			return "", err
		}
	}
	if ready {
		a.State, a.Placed = Ready, im.now
	}
	_, err = im.tx.Exec(ctx, changeArticle, a.ID, a.Revision, string(a.State), millis(a.Placed), flag(a.Elsewhere || elsewhere), one.Source, millis(im.now))
	return "changed", err
}

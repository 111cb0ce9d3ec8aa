package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/html"

	"pressrun/newsletter/series"
	"pressrun/templates"
)

// Finding is what preflight says of an article's letter. An error holds its issue; a warning never does.
type Finding struct {
	Rule  string `json:"rule"`
	Error bool   `json:"error"`
	What  string `json:"what"`
	Why   string `json:"why"`
	Mend  string `json:"mend"`
}

// sheet is a letter as the rules of preflight look at it.
type sheet struct {
	series              series.Series
	article             series.Article
	subject, html, text string     // as a reader without a name gets them
	letter              *html.Node // html, parsed
	body                *html.Node // the article and its disclaimers alone
	prose               string     // the words of body
	postal              string
	inert               string    // the unsubscribe link in it
	at                  time.Time // when it is to leave
	zone                *time.Location
	site                Site
	asked               map[string]answer // what own pages said, by link
	words               templates.Words   // the editors' language
}

// find says something by the texts preflight.RULE.what, why and mend, whose placeholders args fill.
func (s *sheet) find(rule string, isError bool, args ...any) Finding {
	key := "preflight." + rule + "."
	return Finding{rule, isError, s.words.T(key+"what", args...), s.words.T(key+"why", args...), s.words.T(key+"mend", args...)}
}

func (s *sheet) wrong(rule string, args ...any) []Finding {
	return []Finding{s.find(rule, true, args...)}
}

func (s *sheet) odd(rule string, args ...any) []Finding {
	return []Finding{s.find(rule, false, args...)}
}

// rules are all that preflight looks at. They look at what was rendered, not at what was meant, so that a fault of a template is
// found as well.
var rules = []func(*sheet) []Finding{
	disclaimerRule, postalRule, unnamedRule, leaveRule, sizeRule, textRule,
	linkRule, deadRule, pictureRule, contrastRule,
	subjectRule, placeholderRule, claimRule, dateRule, reviewRule,
}

// inspect looks at a rendered letter that is to leave at an instant. Own pages are really asked, so no lock of the database may
// be held.
func (p *Publisher) inspect(ctx context.Context, f series.Frozen, at time.Time) []Finding {
	s := &sheet{
		series: f.Series, article: f.Article, postal: cmp.Or(f.Series.PostalAddress, p.site.PostalAddress),
		inert: p.InertLink(f.Series), at: at, zone: location(f.Series), site: p.site, words: templates.In(p.site.Language),
	}
	reader := p.nobody(f.Series)
	s.subject, s.html, s.text = reader.Fill(f.Subject, f.HTML, f.Text)
	_, body, _ := reader.Fill("", f.ArticleHTML, "")
	var err error
	if s.letter, err = html.Parse(strings.NewReader(s.html)); err == nil {
		s.body, err = html.Parse(strings.NewReader(body))
	}
	if err != nil {
		return s.wrong("html", "problem", err.Error())
	}
	s.prose = proseOf(s.body)
	s.asked = p.askOwn(ctx, f, linksOf(s.body))
	var found []Finding
	for _, rule := range rules {
		found = append(found, rule(s)...)
	}
	return found
}

// Preflight looks at an article's letter as it would be frozen now and leave at the series' next slot. What keeps it from
// being rendered at all is a finding too.
func (p *Publisher) Preflight(ctx context.Context, articleSlug string) ([]Finding, error) {
	a, err := series.ArticleBySlug(ctx, p.db, articleSlug)
	if err != nil {
		return nil, fmt.Errorf("preflight: %w", err)
	}
	s, err := series.ByID(ctx, p.db, a.SeriesID)
	if err != nil {
		return nil, fmt.Errorf("preflight: article %s: %w", articleSlug, err)
	}
	at, err := p.leaves(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("preflight: article %s: %w", articleSlug, err)
	}
	return p.foresee(ctx, s, a, at)
}

// PreflightIncoming is Preflight for articles that are not stored yet, and so have no neighbours; found has their findings in the same
// order. Drafts and withdrawn ones have none. looked is told before each how many were looked at.
func (p *Publisher) PreflightIncoming(ctx context.Context, s series.Series, in []series.Incoming, looked func(n int)) (found [][]Finding, err error) {
	ctx = withAsking(ctx, askFor)
	at, err := p.leaves(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("preflight: %w", err)
	}
	found = make([][]Finding, len(in))
	for i, each := range in {
		looked(i)
		if each.Draft || each.Withdrawn {
			continue
		}
		pictures := map[string]series.Picture{}
		for _, picture := range each.Pictures {
			pictures[picture.Path] = picture
		}
		a := series.Article{SeriesID: s.ID, Slug: each.Slug, Text: each.Text}
		l, err := p.alone(ctx, p.db, s, a, pictures)
		if err != nil {
			return nil, fmt.Errorf("preflight: article %s: %w", each.Slug, err)
		}
		l.Day, l.Part, l.Of = at.In(location(s)), 1, 1
		frozen, err := p.write(ctx, s, a, l)
		if found[i], err = p.judge(ctx, each.Slug, frozen, err, at); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// foresee is inspect for an article that is not frozen yet.
func (p *Publisher) foresee(ctx context.Context, s series.Series, a series.Article, at time.Time) ([]Finding, error) {
	frozen, err := p.writeArticle(ctx, s, a, at)
	return p.judge(ctx, a.Slug, frozen, err, at)
}

// judge is what preflight says of a letter before the freeze, or of why it can't be written. A link to what is published before the
// slot is dead today only, so it doesn't count as an error yet.
func (p *Publisher) judge(ctx context.Context, slug string, frozen series.Frozen, err error, at time.Time) ([]Finding, error) {
	var h *hindrance
	if errors.As(err, &h) {
		return []Finding{{"letter", true, h.what, templates.In(p.site.Language).T("preflight.letter.why"), h.mend}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("preflight: article %s: %w", slug, err)
	}
	found := p.inspect(ctx, frozen, at)
	for i := range found {
		if found[i].Rule == "dead" {
			found[i].Error = false
		}
	}
	return found, nil
}

// leaves is the instant of a series' next slot, or now where none is planned.
func (p *Publisher) leaves(ctx context.Context, s series.Series) (time.Time, error) {
	slot, found, err := firstOpen(ctx, p.db, s, p.now())
	if err != nil || !found {
		return p.now(), err
	}
	return slot.At, nil
}

// cleared fails with a *hindrance where preflight finds an error in what is to be frozen. Warnings stop nothing: the log has them, and
// the editors had them with the proof.
func (p *Publisher) cleared(ctx context.Context, f series.Frozen) error {
	var what, mend []string
	for _, found := range p.inspect(ctx, f, p.now()) {
		if !found.Error {
			p.log.InfoContext(ctx, "preflight", "article", f.Article.Slug, "rule", found.Rule)
			continue
		}
		what, mend = append(what, found.What+" "+found.Why), append(mend, found.Mend)
	}
	if len(what) == 0 {
		return nil
	}
	return &hindrance{strings.Join(what, " "), strings.Join(mend, " ")}
}

// writeCleared is writeArticle for a letter that leaves.
func (p *Publisher) writeCleared(ctx context.Context, s series.Series, a series.Article) (series.Frozen, error) {
	f, err := p.writeArticle(ctx, s, a, p.now())
	if err != nil {
		return f, err
	}
	return f, p.cleared(ctx, f)
}

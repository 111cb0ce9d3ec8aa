package newsletter

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// largestHTML is how many bytes of HTML a mail may have: Gmail clips longer ones, and the unsubscribe link with them
// (STANDARDS section 1). From warnHTML on the log says so.
const (
	largestHTML = 102_400
	warnHTML    = 90_000
)

// hindrance is what keeps an article from becoming an issue until somebody acts: what is wrong and what to do. Its slot
// is held, and the series keeps its turn.
type hindrance struct{ what, mend string }

func (h *hindrance) Error() string { return h.what + " " + h.mend }

// letter puts together all that the mail of an article shows (rules 16 and 17).
func (p *Publisher) letter(ctx context.Context, q store.Querier, s series.Series, a series.Article) (render.Letter, error) {
	near, err := series.NeighboursOf(ctx, q, a.ID)
	if err != nil {
		return render.Letter{}, fmt.Errorf("article %s: neighbours: %w", a.Slug, err)
	}
	pictures, err := series.PicturesOf(ctx, q, a)
	if err != nil {
		return render.Letter{}, err
	}
	l, err := p.alone(ctx, q, s, a, pictures)
	if err != nil {
		return render.Letter{}, err
	}
	l.Part, l.Of = near.Part, near.Of
	if near.Previous != nil && near.PreviousPublic {
		l.Previous = &render.Link{Title: near.Previous.Title, URL: p.articleURL(s, *near.Previous)}
	}
	if near.Next != nil {
		l.Next = &render.Link{Title: near.Next.Title}
		if near.NextPublic {
			l.Next.URL = p.articleURL(s, *near.Next)
		}
	}
	return l, nil
}

// Page renders the archive's page of an article that we have not sent, from its newest revision, with its disclaimers
// (rules 5 and 16): sanitised HTML.
func (p *Publisher) Page(ctx context.Context, s series.Series, a series.Article) (html string, err error) {
	l, err := p.letter(ctx, p.db, s, a)
	if err != nil {
		return "", err
	}
	mail, err := render.Issue(l)
	if err != nil {
		return "", fmt.Errorf("page of article %s: %w", a.Slug, err)
	}
	return mail.ArticleHTML, nil
}

// alone is an article's letter without its neighbours: the series' frame, the text, its pictures by path, and what its front matter
// says of sources and reviews.
func (p *Publisher) alone(ctx context.Context, q store.Querier, s series.Series, a series.Article, pictures map[string]series.Picture) (render.Letter, error) {
	l, err := p.frame(ctx, q, s)
	if err != nil {
		return l, err
	}
	l.Title, l.Subject, l.Preheader, l.Markdown = a.Title, a.Subject, a.Preheader, a.Markdown
	l.ArticleDisclaimer, l.ArticleMode = a.Disclaimer, a.DisclaimerMode
	l.ViewURL = p.articleURL(s, a)
	l.Pictures = make(map[string]render.Picture, len(pictures))
	for path, picture := range pictures {
		l.Pictures[path] = render.Picture{URL: p.url("p", picture.File(a.Pictures[path])), Width: picture.Width, Height: picture.Height}
	}
	beside(&l, a.Text)
	if day, err := time.Parse(time.DateOnly, a.Meta["review_by"]); err == nil { // an import refuses anything else
		l.ReviewBy = day
	}
	return l, nil
}

// CheckFields says which merge fields of a text no issue could fill (render.Check).
func CheckFields(t series.Text) error {
	l := render.Letter{Title: t.Title, Subject: t.Subject, Preheader: t.Preheader, Markdown: t.Markdown}
	beside(&l, t)
	return render.Check(l)
}

// beside adds what the front matter says that a letter shows beside its article.
func beside(l *render.Letter, t series.Text) {
	l.Image, l.ImageAlt, l.ImageCaption = t.Meta["image"], t.Meta["image_alt"], t.Meta["image_caption"]
	l.Sources, l.ReviewedBy = sourcesOf(t), t.Meta["reviewed_by"]
}

// sourcesOf are the sources that an article's front matter lists, or the one it names. What was kept in another shape is
// none that a letter could show.
func sourcesOf(t series.Text) []string {
	one := t.Meta["sources"]
	var list []string
	if json.Unmarshal([]byte(one), &list) == nil {
		return list
	}
	if one == "" || strings.ContainsAny(one[:1], "[{") && json.Valid([]byte(one)) {
		return nil
	}
	return []string{one}
}

// frame is a letter of a series that has no article yet.
func (p *Publisher) frame(ctx context.Context, q store.Querier, s series.Series) (render.Letter, error) {
	style, err := p.style(ctx, q, s)
	if err != nil {
		return render.Letter{}, err
	}
	return render.Letter{
		Style:    style,
		Language: cmp.Or(s.Language, p.site.Language), SiteName: p.site.Name, BaseURL: p.url(),
		SeriesTitle: s.Title, SeriesURL: p.url("s", s.PublicName()),
		Disclaimer: s.Disclaimer.Text, DisclaimerPlace: s.Disclaimer.Place,
		PostalAddress: cmp.Or(s.PostalAddress, p.site.PostalAddress),
		PrivacyURL:    p.site.PrivacyURL, ImprintURL: p.site.ImprintURL,
		UnsubscribeURL: outbox.UnsubscribeHole, PreferencesURL: outbox.PreferencesHole,
		Day: p.now().In(location(s)), NameHole: render.Hole{Before: outbox.NameHoleBefore, After: outbox.NameHoleAfter},
	}, nil
}

// style is how the mails of a series look.
func (p *Publisher) style(ctx context.Context, q store.Querier, s series.Series) (render.Style, error) {
	style := render.Style{Look: s.Look.Look, Templates: p.site.Templates}
	if s.Look.Logo == "" {
		return style, nil
	}
	logo, err := series.PictureByHash(ctx, q, s.Look.Logo)
	if err != nil {
		return style, fmt.Errorf("series %s: logo: %w", s.Slug, err)
	}
	style.Logo = render.Picture{URL: p.url("p", logo.File(s.Look.Logo)), Width: logo.Width, Height: logo.Height}
	return style, nil
}

// articleURL is the public page of an article.
func (p *Publisher) articleURL(s series.Series, a series.Article) string {
	return p.url("s", s.PublicName(), s.ArticleName(a))
}

// lacks says what a series misses without which nothing of it may leave (rule 16, STANDARDS section 9); nil: nothing.
func (p *Publisher) lacks(s series.Series) error {
	set := "Set it with: pressrun series set " + s.Slug
	switch {
	case s.FromEmail == "":
		return &hindrance{"The series has no sender.", set + ` --from "Name <name@example.org>"`}
	case cmp.Or(s.PostalAddress, p.site.PostalAddress) == "":
		return &hindrance{"The series has no postal address.", set + " --postal-address TEXT"}
	case s.Disclaimer.Text == "":
		return &hindrance{"The series has no disclaimer.", set + " --disclaimer TEXT"}
	}
	return nil
}

// write renders a letter of a series into what Freeze keeps; slot, kind and state are the caller's to add. The error is a
// *hindrance where an editor can mend it. No lock is held meanwhile.
func (p *Publisher) write(ctx context.Context, s series.Series, a series.Article, l render.Letter) (series.Frozen, error) {
	if err := p.lacks(s); err != nil {
		return series.Frozen{}, err
	}
	mail, err := render.Issue(l)
	if err != nil {
		return series.Frozen{}, &hindrance{
			fmt.Sprintf("“%s” can't be made into a mail: %v.", l.Title, err),
			"Edit the article and import it again.",
		}
	}
	if n := len(mail.HTML); n >= largestHTML {
		return series.Frozen{}, &hindrance{
			fmt.Sprintf("“%s” is too long for a mail: %d bytes of HTML, and from %d on Gmail cuts the end off, the unsubscribe link too.", l.Title, n, largestHTML),
			"Shorten the article or split it in two.",
		}
	} else if n >= warnHTML {
		p.log.WarnContext(ctx, "article nearly too long for a mail", "article", a.Slug, "bytes", n)
	}
	return series.Frozen{
		Series: s, Article: a, State: series.IssueFilling,
		Subject: mail.Subject, HTML: mail.HTML, Text: mail.Text, ArticleHTML: mail.ArticleHTML,
	}, nil
}

// writeArticle is write for an article's ordinary letter, which leaves at an instant: {{date}} says that day, also where
// somebody looks before it comes.
func (p *Publisher) writeArticle(ctx context.Context, s series.Series, a series.Article, leaves time.Time) (series.Frozen, error) {
	l, err := p.letter(ctx, p.db, s, a)
	if err != nil {
		return series.Frozen{}, err
	}
	l.Day = leaves.In(location(s))
	return p.write(ctx, s, a, l)
}

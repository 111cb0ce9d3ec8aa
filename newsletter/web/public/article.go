package public

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"time"

	"pressrun/newsletter/series"
	"pressrun/templates"
)

// article is the archive's page of an article, as it was last sent (rule 17) or as it is where it was published elsewhere
// (rule 5); of a withdrawn one only the news of that.
func (p *pages) article(w http.ResponseWriter, r *http.Request) error {
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	known, err := series.ArticleByName(r.Context(), p.DB, s, r.PathValue("article"))
	if err != nil {
		return err
	}
	a, err := series.PublishedBySlug(r.Context(), p.DB, s.ID, known.Slug)
	if err != nil {
		return err
	}
	if a.Article.State == series.Withdrawn {
		return p.gone(w, r, s)
	}
	if moved(w, r, articlePath(s, a.Article)) {
		return nil
	}
	n, err := series.NeighboursOf(r.Context(), p.DB, a.Article.ID)
	if err != nil {
		return err
	}
	body, language := a.Issue.ArticleHTML, a.Issue.Language
	if a.Issue.ID == 0 {
		language = cmp.Or(s.Language, p.Site.Language)
		if body, err = p.Publisher.Page(r.Context(), s, a.Article); err != nil {
			return err
		}
	}
	words := chosen(r, s.Language)
	frame := p.frame(words, "s", s.PublicName(), s.ArticleName(a.Article))
	frame.Description, frame.NoIndex, frame.Feed = a.Article.Description, s.Private, p.feedURL(s)
	frame.Languages = languages(articlePath(s, a.Article), words)
	if frame.Share, err = p.share(r.Context(), s, a); err != nil {
		return err
	}
	page := templates.PublicArticle{
		PublicFrame: frame, Series: s.Title, SeriesPath: seriesPath(s) + lang(r), Title: a.Article.Title,
		Part: n.Part, Of: n.Of, Sent: sentDate(s, a),
		TextLang: language, TextDir: templates.Dir(language),
		Body:     template.HTML(body), // sanitised by render, for an issue before it was frozen
		Previous: neighbour(r, s, n.Previous, n.PreviousPublic), Next: neighbour(r, s, n.Next, n.NextPublic),
		Signup: p.signup(words, s),
	}
	unlisted(w, s)
	return p.cached(w, r, page.Signup.Token, page.Write)
}

// share is what other sites show of the article where somebody links to it.
func (p *pages) share(ctx context.Context, s series.Series, a series.Published) (templates.PublicShare, error) {
	share := templates.PublicShare{Kind: "article", Title: a.Article.Title, Published: sentDate(s, a)}
	if path := a.Article.Meta["image"]; path != "" {
		pictures, err := series.PicturesOf(ctx, p.DB, a.Article)
		if err != nil {
			return share, err
		}
		if picture, ok := pictures[path]; ok {
			share.Image = p.BaseURL.JoinPath("p", picture.File(a.Article.Pictures[path])).String()
			share.ImageAlt = a.Article.Meta["image_alt"]
		}
	}
	return share, nil
}

func neighbour(r *http.Request, s series.Series, a *series.Article, public bool) *templates.PublicNeighbour {
	if a == nil {
		return nil
	}
	n := &templates.PublicNeighbour{Title: a.Title}
	if public {
		n.Path = articlePath(s, *a) + lang(r)
	}
	return n
}

// sentDate is the day a live article went out; in drip it goes out again and again, which is nobody's date. Of an article
// published elsewhere it is its author's date.
func sentDate(s series.Series, a series.Published) time.Time {
	if a.Issue.ID == 0 {
		date, _ := time.Parse(time.DateOnly, a.Article.Date) // without one the zero time
		return date
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Mode == series.Drip || a.Issue.SendingSince.IsZero() {
		return time.Time{}
	}
	return a.Issue.SendingSince.In(zone)
}

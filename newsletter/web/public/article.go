package public

import (
	"cmp"
	"html/template"
	"net/http"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
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
		return web.ErrGone
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
	frame := p.frame(s.Language, "s", s.PublicName(), s.ArticleName(a.Article))
	frame.Description = a.Article.Description
	page := templates.PublicArticle{
		PublicFrame: frame, Series: s.Title, SeriesPath: seriesPath(s), Title: a.Article.Title,
		Part: n.Part, Of: n.Of, Sent: sentDate(s, a),
		TextLang: language, TextDir: templates.Dir(language),
		Body:     template.HTML(body), // sanitised by render, for an issue before it was frozen
		Previous: neighbour(s, n.Previous, n.PreviousPublic), Next: neighbour(s, n.Next, n.NextPublic),
		Signup: p.signup(s),
	}
	return web.Show(w, http.StatusOK, page.Write)
}

func neighbour(s series.Series, a *series.Article, public bool) *templates.PublicNeighbour {
	if a == nil {
		return nil
	}
	n := &templates.PublicNeighbour{Title: a.Title}
	if public {
		n.Path = articlePath(s, *a)
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

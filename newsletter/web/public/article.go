package public

import (
	"html/template"
	"net/http"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

// article is the archive's page of an article, as it was last sent (rule 17); of a withdrawn one only the news of that.
func (p *pages) article(w http.ResponseWriter, r *http.Request) error {
	s, err := series.BySlug(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	a, err := series.PublishedBySlug(r.Context(), p.DB, s.ID, r.PathValue("article"))
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
	frame := p.frame(s.Language, "s", s.Slug, a.Article.Slug)
	frame.Description = a.Article.Description
	page := templates.PublicArticle{
		PublicFrame: frame, Series: s.Title, SeriesPath: seriesPath(s), Title: a.Article.Title,
		Part: n.Part, Of: n.Of, Sent: sentDate(s, a.Issue),
		TextLang: a.Issue.Language, TextDir: templates.Dir(a.Issue.Language),
		Body:     template.HTML(a.Issue.ArticleHTML), // sanitised by render before it was frozen
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

// sentDate is the day a live article went out; in drip it goes out again and again, which is nobody's date.
func sentDate(s series.Series, issue series.Issue) time.Time {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil || s.Mode == series.Drip || issue.SendingSince.IsZero() {
		return time.Time{}
	}
	return issue.SendingSince.In(zone)
}

package public

import (
	"net/http"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

func (p *pages) series(w http.ResponseWriter, r *http.Request) error {
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	if moved(w, r, seriesPath(s)) {
		return nil
	}
	articles, err := series.PublishedArticles(r.Context(), p.DB, s.ID)
	if err != nil {
		return err
	}
	words := chosen(r, s.Language)
	page := templates.PublicSeries{
		PublicFrame: p.frame(words, "s", s.PublicName()), Title: s.Title, Rhythm: series.DescribeScheduleIn(words, s.Schedule),
		Drip: s.Mode == series.Drip, Signup: p.signup(words, s), TextLang: s.Language, TextDir: templates.Dir(s.Language),
	}
	page.Languages, page.Feed, page.NoIndex = languages(seriesPath(s), words), p.feedURL(s), s.Private
	page.Share = templates.PublicShare{Kind: "website", Title: s.Title}
	for _, a := range articles {
		page.Parts = append(page.Parts, templates.PublicPart{
			Number: a.Part, Title: a.Article.Title, Path: articlePath(s, a.Article) + lang(r), Description: a.Article.Description,
		})
	}
	unlisted(w, s)
	return p.cached(w, r, page.Signup.Token, page.Write)
}

// today is now in the series' zone.
func (p *pages) today(s series.Series) time.Time {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	return p.Now().In(zone)
}

func seriesPath(s series.Series) string { return "/s/" + s.PublicName() }

func articlePath(s series.Series, a series.Article) string {
	return seriesPath(s) + "/" + s.ArticleName(a)
}

// moved leads from another name of a page, which letters of before may have, to its present one. Not for good: the name
// of a series that is sensitive no more is its slug again.
func moved(w http.ResponseWriter, r *http.Request, path string) bool {
	if r.URL.Path == path {
		return false
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, path, http.StatusFound)
	return true
}

// unlisted keeps what belongs to a private series from search programs.
func unlisted(w http.ResponseWriter, s series.Series) {
	if s.Private {
		w.Header().Set("X-Robots-Tag", "noindex")
	}
}

// gone is what is left of a withdrawn article.
func (p *pages) gone(w http.ResponseWriter, r *http.Request, s series.Series) error {
	page := templates.PublicGone{PublicFrame: p.frame(chosen(r, s.Language)), Series: s.Title, SeriesPath: seriesPath(s)}
	w.Header().Set("X-Robots-Tag", "noindex")
	return web.Show(w, http.StatusGone, page.Write)
}

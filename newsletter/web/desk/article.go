package desk

import (
	"net/http"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

// article shows an article as its letter would be today, with what preflight finds in it.
func (d *desk) article(w http.ResponseWriter, r *http.Request, u User) error {
	a, err := series.ArticleBySlug(r.Context(), d.DB, r.PathValue("article"))
	if err != nil {
		return err
	}
	s, err := series.ByID(r.Context(), d.DB, a.SeriesID)
	if err != nil {
		return err
	}
	found, err := d.Publisher.Preflight(r.Context(), a.Slug)
	if err != nil {
		return err
	}
	page := templates.DeskArticlePage{
		DeskFrame: d.frame(r, u), Series: s.Title, SeriesPath: "/desk/series/" + s.Slug, Title: a.Title, State: string(a.State),
		Letter: "/desk/article/" + a.Slug + "/letter",
	}
	for _, f := range found {
		page.Findings = append(page.Findings, templates.FindingView{Error: f.Error, What: f.What, Why: f.Why, Mend: f.Mend})
	}
	return web.Show(w, http.StatusOK, page.Write)
}

// preview is the letter in that page's frame.
func (d *desk) preview(w http.ResponseWriter, r *http.Request, _ User) error {
	a, err := series.ArticleBySlug(r.Context(), d.DB, r.PathValue("article"))
	if err != nil {
		return err
	}
	s, err := series.ByID(r.Context(), d.DB, a.SeriesID)
	if err != nil {
		return err
	}
	letter, err := d.Publisher.Preview(r.Context(), s.Slug, a.Slug, "")
	if err != nil {
		return err
	}
	return web.Letter(w, letter.HTML)
}

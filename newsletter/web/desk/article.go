package desk

import (
	"net/http"
	"slices"
	"strings"

	"pressrun/newsletter/mailer/catcher"
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
	}
	for _, f := range found {
		page.Findings = append(page.Findings, templates.FindingView{Error: f.Error, What: f.What, Why: f.Why, Mend: f.Mend})
	}
	if err := d.show(r, s, a, &page); err != nil {
		return err
	}
	return web.Show(w, http.StatusOK, page.Write)
}

// letterViews are the ways of looking at a letter, the first one unless another is asked for.
var letterViews = []string{"desktop", "phone", "dark", "pictures_off", "text", "source"}

// show adds the letter in the view that is asked for.
func (d *desk) show(r *http.Request, s series.Series, a series.Article, page *templates.DeskArticlePage) error {
	page.View = r.URL.Query().Get("view")
	if !slices.Contains(letterViews, page.View) {
		page.View = letterViews[0]
	}
	at := "/desk/article/" + a.Slug
	for _, view := range letterViews {
		page.Views = append(page.Views, templates.DeskView{Name: view, Path: at + "?view=" + view + "#letter"})
	}
	if page.View != "text" && page.View != "source" {
		page.Frame = at + "/letter?view=" + page.View
		return nil
	}
	letter, err := d.Publisher.Preview(r.Context(), s.Slug, a.Slug, "")
	if err != nil {
		return err
	}
	if page.Text = letter.Text; page.View == "source" {
		page.Text = strings.ToValidUTF8(string(letter.EML), "\uFFFD")
	}
	return nil
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
	return web.Letter(w, catcher.Framed(letter.HTML, strings.ReplaceAll(r.URL.Query().Get("view"), "_", "-")))
}

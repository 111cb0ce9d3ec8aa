package public

import (
	"net/http"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

func (p *pages) home(w http.ResponseWriter, r *http.Request) error {
	all, err := series.All(r.Context(), p.DB)
	if err != nil {
		return err
	}
	page := templates.PublicHome{PublicFrame: p.frame(p.Site.Language, "/")}
	for _, s := range all {
		articles, err := series.PublishedArticles(r.Context(), p.DB, s.ID)
		if err != nil {
			return err
		}
		page.Series = append(page.Series, templates.PublicHomeSeries{
			Title: s.Title, Path: seriesPath(s), Rhythm: series.DescribeSchedule(s.Schedule), Parts: len(articles),
		})
	}
	return web.Show(w, http.StatusOK, page.Write)
}

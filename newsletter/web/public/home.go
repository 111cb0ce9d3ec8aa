package public

import (
	"context"
	"net/http"
	"slices"

	"pressrun/newsletter/series"
	"pressrun/templates"
)

func (p *pages) home(w http.ResponseWriter, r *http.Request) error {
	all, err := p.shown(r.Context())
	if err != nil {
		return err
	}
	words := chosen(r, p.Site.Language)
	page := templates.PublicHome{PublicFrame: p.frame(words, "/"), Subscribe: "/subscribe?lang=" + words.Language()}
	page.Languages = languages("/", words)
	for _, s := range all {
		articles, err := series.PublishedArticles(r.Context(), p.DB, s.ID)
		if err != nil {
			return err
		}
		page.Series = append(page.Series, templates.PublicHomeSeries{
			Title: s.Title, Path: seriesPath(s) + lang(r), Rhythm: series.DescribeScheduleIn(words, s.Schedule), Parts: len(articles),
		})
	}
	return p.cached(w, r, "", page.Write)
}

// shown are the series that the site shows of itself: not the private ones.
func (p *pages) shown(ctx context.Context) ([]series.Series, error) {
	all, err := series.All(ctx, p.DB)
	return slices.DeleteFunc(all, func(s series.Series) bool { return s.Private }), err
}

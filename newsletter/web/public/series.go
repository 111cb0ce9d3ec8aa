package public

import (
	"context"
	"net/http"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/templates"
)

func (p *pages) series(w http.ResponseWriter, r *http.Request) error {
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	page, err := p.seriesPage(r.Context(), s)
	if err != nil {
		return err
	}
	return web.Show(w, http.StatusOK, page.Write)
}

func (p *pages) seriesPage(ctx context.Context, s series.Series) (templates.PublicSeries, error) {
	articles, err := series.PublishedArticles(ctx, p.DB, s.ID)
	if err != nil {
		return templates.PublicSeries{}, err
	}
	page := templates.PublicSeries{
		PublicFrame: p.frame(s.Language, "s", s.PublicName()), Title: s.Title, Rhythm: series.DescribeSchedule(s.Schedule),
		Drip: s.Mode == series.Drip, Signup: p.signup(s),
	}
	for _, a := range articles {
		page.Parts = append(page.Parts, templates.PublicPart{
			Number: a.Part, Title: a.Article.Title, Path: articlePath(s, a.Article), Description: a.Article.Description,
		})
	}
	return page, nil
}

func articlePath(s series.Series, a series.Article) string {
	return seriesPath(s) + "/" + s.ArticleName(a)
}

// signup is the empty form of a series.
func (p *pages) signup(s series.Series) templates.PublicSignup {
	return templates.PublicSignup{
		Words: templates.In(s.Language), Action: seriesPath(s) + "/subscribe", Series: s.Title,
		Wording: p.wording(s), PrivacyURL: p.Site.PrivacyURL, Shown: p.Now().UnixMilli(),
	}
}

// wording is what somebody agrees to who signs up or confirms.
func (p *pages) wording(s series.Series) string {
	return templates.In(s.Language).T("public.signup.wording", "series", s.Title, "site", p.Site.Name)
}

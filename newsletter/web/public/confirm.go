package public

import (
	"net/http"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// askConfirm shows the button of a confirmation link. Looking confirms nothing.
func (p *pages) askConfirm(w http.ResponseWriter, r *http.Request) error {
	v, err := p.Publisher.VisitConfirm(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return personal(w, p.confirmPage(r, v).Write)
}

func (p *pages) confirm(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	before, err := p.Publisher.VisitConfirm(r.Context(), token)
	if err != nil {
		return err
	}
	form := p.BaseURL.JoinPath("c", "[token]").String()
	v, err := p.Publisher.Confirm(web.Lasting(r), token, evidence(r, form, p.wording(before.Series)))
	if err != nil {
		return err
	}
	page := p.confirmPage(r, v)
	page.Done = true
	return personal(w, page.Write)
}

func (p *pages) confirmPage(r *http.Request, v newsletter.Visit) templates.PublicConfirm {
	return templates.PublicConfirm{
		PublicFrame: p.frame(v.Series.Language), Series: v.Series.Title, SeriesPath: seriesPath(v.Series), Masked: v.Masked,
		Action: "/c/" + r.PathValue("token"), Wording: p.wording(v.Series), Done: v.State == subscribers.Active,
		Welcome: v.Welcomed, Next: v.Next, From: v.Series.FromEmail,
	}
}

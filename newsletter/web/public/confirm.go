package public

import (
	"net/http"
	"slices"
	"strings"

	"pressrun/newsletter"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// askConfirm shows the button of a confirmation link. Looking confirms nothing.
func (p *pages) askConfirm(w http.ResponseWriter, r *http.Request) error {
	all, err := p.Publisher.VisitConfirm(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return personal(w, p.confirmPage(r, all).Write)
}

func (p *pages) confirm(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	before, err := p.Publisher.VisitConfirm(r.Context(), token)
	if err != nil {
		return err
	}
	form := p.BaseURL.JoinPath("c", "[token]").String()
	shown := p.confirmPage(r, before)
	e := evidence(r, form, shown.Wording)
	e.Language = shown.Language()
	var again []string
	for _, v := range before {
		if name := v.Series.PublicName(); r.PostForm.Get("begin-"+name) == "again" {
			again = append(again, name)
		}
	}
	all, err := p.Publisher.Confirm(web.Lasting(r), token, e, again...)
	if err != nil {
		return err
	}
	page := p.confirmPage(r, all)
	page.Done = true
	return personal(w, page.Write)
}

func (p *pages) confirmPage(r *http.Request, all []newsletter.Joining) templates.PublicConfirm {
	words := chosen(r, all[0].Language)
	page := templates.PublicConfirm{
		PublicFrame: p.personalFrame(words, "/c/"+r.PathValue("token")), Masked: all[0].Masked,
		Action: "/c/" + r.PathValue("token") + lang(r), Done: true,
	}
	var titles, senders []string
	for _, v := range all {
		page.Series = append(page.Series, templates.PublicJoined{
			Words: words, Title: v.Series.Title, Path: seriesPath(v.Series), Name: v.Series.PublicName(), Welcome: v.Welcomed || v.Again && v.Waiting, Next: v.Next,
			MayAgain: v.MayAgain && v.State != subscribers.Active, Again: v.Again,
		})
		page.Done = page.Done && v.State == subscribers.Active
		titles = append(titles, v.Series.Title)
		if !slices.Contains(senders, v.Series.FromEmail) {
			senders = append(senders, v.Series.FromEmail)
		}
		page.Sensitive = page.Sensitive || v.Series.Sensitive
	}
	page.Titles, page.From = words.List(titles...), strings.Join(senders, ", ")
	page.Wording = p.wording(words, page.Titles, page.Sensitive)
	return page
}

// lang keeps a language that was asked for in the address of the next page.
func lang(r *http.Request) string {
	if w, ok := asked(r); ok {
		return "?lang=" + w.Language()
	}
	return ""
}

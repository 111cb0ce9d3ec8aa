package public

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// askForMine shows the form that mails a fresh link to an address.
func (p *pages) askForMine(w http.ResponseWriter, r *http.Request) error {
	words := negotiated(w, r, p.Site.Language)
	page := templates.PublicAskMine{PublicFrame: p.frame(words, "mine")}
	page.NoIndex, page.Languages = true, languages("/mine", words)
	return web.Show(w, http.StatusOK, page.Write)
}

// mailMine mails a fresh link, if anybody has the address. The answer is the same to the byte.
func (p *pages) mailMine(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	words := negotiated(w, r, p.Site.Language)
	page := templates.PublicAskMine{PublicFrame: p.frame(words), Sent: true}
	how := evidence(r, p.BaseURL.JoinPath("mine").String(), "")
	err := p.Publisher.AskMine(web.Lasting(r), r.PostForm.Get("email"), words.Language(), how)
	if errors.Is(err, subscribers.ErrAddress) {
		page.Sent, page.Fault, page.Email = false, true, line(r.PostForm.Get("email"), 254)
		web.Personal(w)
		return web.Show(w, http.StatusUnprocessableEntity, page.Write)
	}
	if err != nil {
		return err
	}
	return personal(w, page.Write)
}

// mine shows what the reader of a fresh link may do. Looking changes nothing.
func (p *pages) mine(w http.ResponseWriter, r *http.Request) error {
	page, err := p.minePage(r)
	if err != nil {
		return err
	}
	return personal(w, page.Write)
}

func (p *pages) minePage(r *http.Request) (templates.PublicMine, error) {
	token := r.PathValue("token")
	m, err := p.Publisher.VisitMine(r.Context(), token)
	if err != nil {
		return templates.PublicMine{}, err
	}
	page := templates.PublicMine{PublicFrame: p.personalFrame(chosen(r, m.Language), "/mine/"+token), Masked: m.Masked, Action: "/mine/" + token}
	if m.Preferences != "" {
		page.Preferences = "/preferences/" + m.Preferences + lang(r)
	}
	return page, nil
}

// download gives the person of a fresh link all that is known about them.
func (p *pages) download(w http.ResponseWriter, r *http.Request) error {
	person, err := p.Publisher.Download(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	document, err := json.MarshalIndent(person, "", "  ")
	if err != nil {
		return err
	}
	web.Private(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="my-data.json"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(document)+1))
	_, _ = w.Write(append(document, '\n')) // fails only where the visitor has gone
	return nil
}

// moveAddress mails a link to a new address.
func (p *pages) moveAddress(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	page, err := p.minePage(r)
	if err != nil {
		return err
	}
	how := evidence(r, p.BaseURL.JoinPath("mine", "[token]").String(), "")
	page.To, err = p.Publisher.AskAddress(web.Lasting(r), r.PathValue("token"), r.PostForm.Get("email"), page.Language(), how)
	if errors.Is(err, subscribers.ErrAddress) {
		page.Fault, page.Email = true, line(r.PostForm.Get("email"), 254)
		web.Private(w)
		return web.Show(w, http.StatusUnprocessableEntity, page.Write)
	}
	if err != nil {
		return err
	}
	return personal(w, page.Write)
}

// erase erases the person of a fresh link, once they have ticked that they mean it.
func (p *pages) erase(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	page, err := p.minePage(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("sure") != "yes" {
		return web.ErrForm
	}
	if err := p.Publisher.EraseMine(web.Lasting(r), r.PathValue("token")); err != nil {
		return err
	}
	page.Erased, page.Preferences, page.Languages = true, "", nil // the link opens nothing any more
	return personal(w, page.Write)
}

// askMove shows the button of the link that a new address got.
func (p *pages) askMove(w http.ResponseWriter, r *http.Request) error {
	page, err := p.movePage(r)
	if err != nil {
		return err
	}
	return personal(w, page.Write)
}

func (p *pages) movePage(r *http.Request) (templates.PublicMove, error) {
	v, err := p.Publisher.VisitAddress(r.Context(), r.PathValue("token"))
	return templates.PublicMove{
		PublicFrame: p.personalFrame(chosen(r, v.Language), "/address/"+r.PathValue("token")), Old: v.Old, New: v.New,
		Action: "/address/" + r.PathValue("token") + lang(r),
	}, err
}

func (p *pages) move(w http.ResponseWriter, r *http.Request) error {
	page, err := p.movePage(r)
	if err != nil {
		return err
	}
	how := evidence(r, p.BaseURL.JoinPath("address", "[token]").String(), "")
	if err := p.Publisher.ChangeAddress(web.Lasting(r), r.PathValue("token"), how); err != nil {
		return err
	}
	page.Done, page.Languages = true, nil // the link opens nothing any more
	return personal(w, page.Write)
}

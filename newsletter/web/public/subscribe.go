package public

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// subscribe takes the sign-up form, ours or one on another site. For a new, a known and a suppressed address the answer is
// the same to the byte: it tells nobody who is on the list.
func (p *pages) subscribe(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	if err := p.signups.Allow(r); err != nil {
		return err
	}
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	email, name := r.PostForm.Get("email"), line(r.PostForm.Get("name"), 100)
	if !p.trapped(r) {
		err = p.Publisher.Subscribe(web.Lasting(r), newsletter.Signup{
			Series: s.Slug, Email: email, Name: name, Language: s.Language, Evidence: p.signupEvidence(r, s),
		})
	}
	switch {
	case errors.Is(err, subscribers.ErrAddress):
		return p.askAgain(w, r, s, email, name)
	case err != nil:
		return err
	}
	page := templates.PublicAsked{PublicFrame: p.frame(s.Language), Series: s.Title, SeriesPath: seriesPath(s)}
	return personal(w, page.Write)
}

// trapped says whether a program filled the form in: it wrote into a field that people never see, or needed less time than
// anybody does. Forms on other sites don't say when they were shown.
func (p *pages) trapped(r *http.Request) bool {
	const least = time.Second
	if r.PostForm.Get("comment") != "" {
		return true
	}
	shown, err := strconv.ParseInt(r.PostForm.Get("shown"), 10, 64)
	took := p.Now().Sub(time.UnixMilli(shown))
	return err == nil && took >= 0 && took < least
}

// askAgain shows the form with what was typed, to be mended.
func (p *pages) askAgain(w http.ResponseWriter, r *http.Request, s series.Series, email, name string) error {
	page, err := p.seriesPage(r.Context(), s)
	if err != nil {
		return err
	}
	page.Canonical = ""
	page.Signup.Email, page.Signup.Name, page.Signup.Fault = line(email, 254), name, true
	web.Personal(w) // and no more: the form that is sent next says by its referrer where it stood
	return web.Show(w, http.StatusUnprocessableEntity, page.Write)
}

// signupEvidence names the page that the form stood on, and the wording where that page is ours: what another site's form
// said we don't know, so the confirmation page says it again. Browsers may keep the page to themselves ("Origin: null").
func (p *pages) signupEvidence(r *http.Request, s series.Series) subscribers.Evidence {
	form, ours := "", r.Header.Get("Sec-Fetch-Site") == "same-origin"
	if from, err := url.Parse(cmp.Or(r.Referer(), r.Header.Get("Origin"))); err == nil && from.Host != "" {
		from.User, from.RawQuery, from.Fragment = nil, "", "" // none of them says where the form is
		form, ours = from.String(), from.Host == r.Host
	} else if ours {
		form = p.BaseURL.String()
	}
	if !ours {
		return evidence(r, form, "")
	}
	return evidence(r, form, p.wording(s))
}

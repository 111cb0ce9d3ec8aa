package public

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// askSubscribe shows the form of the whole site: one or more of its series.
func (p *pages) askSubscribe(w http.ResponseWriter, r *http.Request) error {
	words := negotiated(w, r, p.Site.Language)
	page, err := p.subscribePage(r, words)
	if err != nil {
		return err
	}
	return p.cached(w, r, page.Signup.Token, page.Write)
}

// askSubscribeTo shows the form of one series alone, for links from anywhere.
func (p *pages) askSubscribeTo(w http.ResponseWriter, r *http.Request) error {
	s, err := series.ByName(r.Context(), p.DB, r.PathValue("series"))
	if err != nil {
		return err
	}
	words := negotiated(w, r, s.Language)
	page := templates.PublicSubscribe{PublicFrame: p.frame(words, "subscribe", s.PublicName()), Signup: p.signup(words, s)}
	page.Languages, page.NoIndex = languages("/subscribe/"+s.PublicName(), words), s.Private
	return p.cached(w, r, page.Signup.Token, page.Write)
}

func (p *pages) subscribePage(r *http.Request, words templates.Words) (templates.PublicSubscribe, error) {
	page := templates.PublicSubscribe{PublicFrame: p.frame(words, "subscribe")}
	page.Languages = languages("/subscribe", words)
	all, err := p.shown(r.Context())
	if err != nil {
		return page, err
	}
	page.Signup = p.signup(words, all...)
	page.Signup.Action = "/subscribe"
	for _, s := range all {
		page.Signup.Choices = append(page.Signup.Choices, templates.PublicChoice{
			Name: s.PublicName(), Title: s.Title, Rhythm: series.DescribeScheduleIn(words, s.Schedule), Sensitive: s.Sensitive,
			Chosen: len(all) == 1 || slices.Contains(chosenSeries(r), s.PublicName()),
		})
	}
	return page, nil
}

// signup is the empty form of one or more series.
func (p *pages) signup(words templates.Words, of ...series.Series) templates.PublicSignup {
	form := templates.PublicSignup{Words: words, PrivacyURL: p.Site.PrivacyURL, Token: p.Publisher.SealForm(), Site: p.Site.Name}
	if len(of) == 1 {
		form.Action, form.Series, form.Drip = seriesPath(of[0])+"/subscribe", of[0].Title, of[0].Mode == series.Drip
	}
	form.Lang = words.Language()
	if len(of) > 0 && templates.In(of[0].Language).Language() == form.Lang {
		form.Lang = of[0].Language
	}
	var titles []string
	for _, s := range of {
		titles = append(titles, s.Title)
		form.Sensitive = form.Sensitive || s.Sensitive
	}
	form.Wording = p.wording(words, words.List(titles...), form.Sensitive)
	if len(of) > 1 {
		form.Wording = words.T("public.signup.wording_several", "site", p.Site.Name)
		if form.Sensitive {
			form.Wording += " " + words.T("public.signup.wording_sensitive_several", "site", p.Site.Name)
		}
	}
	return form
}

// wording is what somebody agrees to who signs up or confirms.
func (p *pages) wording(words templates.Words, titles string, sensitive bool) string {
	wording := words.T("public.signup.wording", "series", titles, "site", p.Site.Name)
	if sensitive {
		wording += " " + words.T("public.signup.wording_sensitive", "series", titles, "site", p.Site.Name)
	}
	return wording
}

// request is a sign-up form as it came.
type request struct {
	words       templates.Words
	language    string // of the mail: that of the page, or a series' own, which may have letters and no pages
	series      []series.Series
	email, name string
	from        string // page that the form stood on
}

// subscribe takes the sign-up form, ours or one on another site. For a new, a known and a suppressed address the answer is
// the same to the byte: it tells nobody who is on the list. A form that is not ours, that came back at once, or that lacks the consent
// that a sensitive series needs, gets a page with one button.
func (p *pages) subscribe(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	q, err := p.read(r)
	if err != nil {
		return err
	}
	form := p.signup(q.words, q.series...)
	_, bad := subscribers.ParseAddress(q.email)
	ago, ours := p.Publisher.OpenForm(r.PostForm.Get("form"))
	switch {
	case len(q.series) == 0, bad != nil:
		return p.askAgain(w, r, q)
	case r.PostForm.Get("comment") != "": // a field that people never see: a program wrote into it, and is told nothing of that
		return p.asked(w, q)
	case !ours, hasty(r, ago), form.Sensitive && r.PostForm.Get("agree") != "yes":
		return p.askOnce(w, q, form)
	}
	names := make([]string, len(q.series))
	for i, s := range q.series {
		names[i] = s.PublicName()
	}
	wording := form.Wording
	if r.PathValue("series") == "" && r.PostForm.Get("once") == "" { // the site's form says it of all of them
		page, err := p.subscribePage(r, q.words)
		if err != nil {
			return err
		}
		wording = page.Signup.Wording
	}
	err = p.Publisher.Subscribe(web.Lasting(r), newsletter.Signup{
		Series: names, Email: q.email, Name: q.name, Language: q.language, Evidence: evidence(r, q.from, wording),
	})
	if err != nil {
		return err
	}
	return p.asked(w, q)
}

// read finds out what a form asks for, in which language, and where it stood.
func (p *pages) read(r *http.Request) (q request, err error) {
	names := chosenSeries(r)
	if name := r.PathValue("series"); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		s, err := series.ByName(r.Context(), p.DB, name)
		if err != nil {
			return q, err
		}
		if !slices.ContainsFunc(q.series, func(x series.Series) bool { return x.ID == s.ID }) {
			q.series = append(q.series, s)
		}
	}
	language := p.Site.Language
	if len(q.series) > 0 {
		language = cmp.Or(q.series[0].Language, language)
	}
	q.words, q.language = chosen(r, language), language
	if w, ok := asked(r); ok {
		q.language = w.Language()
	}
	q.email, q.name, q.from = line(r.PostForm.Get("email"), 254), line(r.PostForm.Get("name"), 100), p.stood(r)
	return q, nil
}

// chosenSeries are the names of the series in a form. Those of the site's form are in brackets, since they are several; a form on
// another site may leave these out.
func chosenSeries(r *http.Request) []string {
	return append(r.PostForm["series[]"], r.PostForm["series"]...)
}

// hasty says whether a form came back faster than people type. A browser that fills in for its user is as fast, so they are asked for one
// press more, which a program that fills forms in does not make; that one may be fast.
func hasty(r *http.Request, ago time.Duration) bool {
	const least = time.Second
	return ago < least && r.PostForm.Get("once") == ""
}

// asked says that a mail is on its way; for a program in a trap too.
func (p *pages) asked(w http.ResponseWriter, q request) error {
	page := templates.PublicAsked{PublicFrame: p.frame(q.words), Titles: q.titles(), Back: "/", BackTo: p.Site.Name}
	if len(q.series) == 1 {
		page.Back, page.BackTo = seriesPath(q.series[0]), q.series[0].Title
	}
	return personal(w, page.Write)
}

func (q request) titles() string {
	var titles []string
	for _, s := range q.series {
		titles = append(titles, s.Title)
	}
	return q.words.List(titles...)
}

// askOnce shows the button by which a visitor says that the form was theirs.
func (p *pages) askOnce(w http.ResponseWriter, q request, form templates.PublicSignup) error {
	page := templates.PublicOnce{
		PublicFrame: p.frame(q.words), Action: "/subscribe", Titles: q.titles(), Email: q.email, Name: q.name, From: q.from,
		Token: form.Token, Lang: form.Lang, Wording: form.Wording, Sensitive: form.Sensitive,
	}
	for _, s := range q.series {
		page.Series = append(page.Series, s.PublicName())
	}
	web.Personal(w)
	return web.Show(w, http.StatusOK, page.Write)
}

// askAgain shows the form with what was typed, to be mended.
func (p *pages) askAgain(w http.ResponseWriter, r *http.Request, q request) error {
	page, err := p.subscribePage(r, q.words)
	if err != nil {
		return err
	}
	if len(q.series) == 1 {
		page.Signup = p.signup(q.words, q.series[0])
	}
	page.Canonical, page.Languages = "", nil
	page.Signup.Email, page.Signup.Name, page.Signup.Fault = q.email, q.name, "fault"
	if len(q.series) == 0 {
		page.Signup.Fault = "choose"
	}
	web.Personal(w) // and no more: the form that is sent next says by its referrer where it stood
	return web.Show(w, http.StatusUnprocessableEntity, page.Write)
}

// stood names the page that a form stood on, as the browser says it or, behind the page with one button, said it before.
// Browsers may keep it to themselves.
func (p *pages) stood(r *http.Request) string {
	told := cmp.Or(r.PostForm.Get("from"), r.Referer(), r.Header.Get("Origin"))
	if from, err := url.Parse(told); err == nil && from.Host != "" {
		from.User, from.RawQuery, from.Fragment = nil, "", "" // none of them says where the form is
		return from.String()
	}
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return p.BaseURL.String()
	}
	return ""
}

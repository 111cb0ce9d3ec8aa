package public

import (
	"errors"
	"net/http"
	"slices"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/templates"
)

// askPreferences shows what the reader of an unsubscribe link gets, and how. Looking changes nothing.
func (p *pages) askPreferences(w http.ResponseWriter, r *http.Request) error {
	page, err := p.preferencesPage(r, r.PathValue("token"))
	if err != nil {
		return err
	}
	return personal(w, page.Write)
}

// setPreferences makes one change, and says on the same page what came of it.
func (p *pages) setPreferences(w http.ResponseWriter, r *http.Request) error {
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	token, verb := r.PathValue("token"), r.PostForm.Get("wish")
	how := evidence(r, p.BaseURL.JoinPath("preferences", "[token]").String(), "")
	var err error
	switch verb {
	case "pause", "resume", "again", "leave", "join", "language":
		err = p.Publisher.Prefer(web.Lasting(r), token, newsletter.Wish{
			Verb: verb, Series: r.PostForm.Get("series"), Until: r.PostForm.Get("until"), Language: r.PostForm.Get("language"),
		}, how)
	case "link":
		err = p.Publisher.AskMineBy(web.Lasting(r), token, how)
	default:
		err = web.ErrForm
	}
	refused := err
	if err != nil && !errors.Is(err, newsletter.ErrDay) && !errors.Is(err, newsletter.ErrAgain) {
		return err
	}
	page, err := p.preferencesPage(r, token)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(page.Series, func(s templates.PublicPreference) bool { return s.Name == r.PostForm.Get("series") })
	if refused == nil {
		page.Done = verb
		if verb == "again" && at >= 0 {
			page.Again = &page.Series[at]
		}
		return personal(w, page.Write)
	}
	if at >= 0 {
		refuse(&page.Series[at], refused)
	}
	web.Private(w)
	return web.Show(w, http.StatusUnprocessableEntity, page.Write)
}

// refuse says at a series why a change of it was not made.
func refuse(view *templates.PublicPreference, why error) {
	switch {
	case errors.Is(why, newsletter.ErrDay):
		view.Fault = true
	case view.State != string(subscribers.Active) && view.State != string(subscribers.Paused):
		view.Refused = "out"
	case errors.Is(why, newsletter.ErrAgainLive):
		view.Refused = "live"
	default:
		view.Refused = "break"
	}
}

func (p *pages) preferencesPage(r *http.Request, token string) (templates.PublicPreferences, error) {
	prefs, err := p.Publisher.Preferences(web.Lasting(r), token)
	if err != nil {
		return templates.PublicPreferences{}, err
	}
	words := chosen(r, prefs.Language)
	if words.Language() != templates.In(prefs.Language).Language() && r.PostForm.Get("wish") == "language" {
		words = templates.In(prefs.Language) // just chosen
	}
	page := templates.PublicPreferences{
		PublicFrame: p.personalFrame(words, "/preferences/"+token), Masked: prefs.Masked, Action: "/preferences/" + token + lang(r), Leave: "/u/" + token + lang(r),
		Everything: prefs.Everything, Old: prefs.Old,
	}
	if prefs.Old {
		return page, nil
	}
	for _, w := range templates.Languages() {
		page.Choices = append(page.Choices, templates.PublicLanguage{
			Name: w.Name(), Tag: w.Language(), Dir: w.Dir(), Current: prefs.Own != "" && w.Language() == templates.In(prefs.Own).Language(),
		})
	}
	for _, one := range prefs.Series {
		view := p.preference(words, one)
		view.Action = page.Action
		page.Series = append(page.Series, view)
	}
	return page, nil
}

func (p *pages) preference(words templates.Words, one newsletter.Preference) templates.PublicPreference {
	s := one.Series
	view := templates.PublicPreference{
		Words: words, Title: s.Title, Path: seriesPath(s), Name: s.PublicName(), Rhythm: series.DescribeScheduleIn(words, s.Schedule),
		State: string(one.State), Asking: one.Asking, MayAgain: one.MayAgain, Waiting: one.Waiting, Until: one.PausedUntil, Next: one.Next,
		TextLang: s.Language, TextDir: templates.Dir(s.Language),
	}
	if view.State == "" {
		view.State = "none"
	}
	today := p.today(s)
	view.Soonest, view.Proposed, view.Latest = today.AddDate(0, 0, 1), today.AddDate(0, 1, 0), today.AddDate(1, 0, 0)
	return view
}

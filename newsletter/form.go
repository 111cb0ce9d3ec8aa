package newsletter

import (
	"fmt"
	"html"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/templates"
)

// FormSnippet is the HTML of a form that subscribes to a series from any page of any site, without a script.
func (p *Publisher) FormSnippet(s series.Series) string {
	w := templates.In(s.Language)
	return fmt.Sprintf(`<form method="post" action="%s" lang="%s">
  <label>%s <input type="email" name="email" autocomplete="email" required></label>
  <button>%s</button>
</form>
`, html.EscapeString(p.url("s", s.PublicName(), "subscribe")), w.Language(),
		html.EscapeString(w.T("public.signup.email")), html.EscapeString(w.T("public.signup.button")))
}

// formLives is how long a form that we showed may lie in a browser; later its visitor is asked once more.
const formLives = 24 * time.Hour

// SealForm is what a form of ours carries, so that its answer is known from one that another site, or a program, made.
func (p *Publisher) SealForm() string {
	return p.key.Seal(subscribers.Token{Purpose: subscribers.PurposeForm, Serial: p.now().UnixMilli()})
}

// OpenForm says how long ago a form was shown; ok is false where it is not ours, or too old.
func (p *Publisher) OpenForm(token string) (ago time.Duration, ok bool) {
	t, err := p.key.Open(token, subscribers.PurposeForm)
	if err != nil {
		return 0, false
	}
	ago = p.now().Sub(time.UnixMilli(t.Serial))
	return ago, ago >= 0 && ago < formLives
}

package newsletter

import (
	"fmt"
	"html"

	"pressrun/newsletter/series"
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

package public_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// formToken is what the form on a page carries, once somebody has had time to fill it in.
func formToken(t *testing.T, s *webtest.Site, h http.Handler, path string) string {
	t.Helper()
	found := regexp.MustCompile(`name="form" value="([a-z2-7]+)"`).FindStringSubmatch(get(t, h, path).Body)
	if found == nil {
		t.Fatalf("%s has no form of ours", path)
	}
	s.Pass(time.Second)
	return found[1]
}

// signUp sends our form for the series skin.
func signUp(t *testing.T, s *webtest.Site, h http.Handler, form url.Values) webtest.Answer {
	t.Helper()
	form.Set("form", formToken(t, s, h, "/s/skin"))
	return post(t, h, "/s/skin/subscribe", form)
}

func TestSubscribeAndConfirm(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep")
	answer := webtest.Do(t, h, webtest.Request{
		Method: "POST", Path: "/s/skin/subscribe", From: "192.0.2.7",
		Form:   url.Values{"email": {"Ada@example.org"}, "name": {"Ada\r\nBcc: x"}, "form": {formToken(t, s, h, "/s/skin")}},
		Header: map[string]string{"Referer": "http://127.0.0.1:8080/s/skin?from=blog", "User-Agent": "Test\x00Browser", "Sec-Fetch-Site": "same-origin"},
	})
	wants(t, "asked", answer, 200, "Look into your mailbox")
	ada, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org")
	if err != nil {
		t.Fatalf("the request is not stored: %v", err)
	}
	if got := state(t, s, skin, ada.ID); got != subscribers.Pending {
		t.Fatalf("after the form: got %s, want pending", got)
	}
	consents, err := subscribers.Consents(t.Context(), s.DB, ada.ID)
	if err != nil || len(consents) != 1 {
		t.Fatalf("got consents %v (%v), want one", consents, err)
	}
	if c := consents[0]; c.Language != "en" || len(c.WordingVersion) != 16 {
		t.Errorf("got evidence %+v, want the language and the version of the wording", c)
	}
	if c := consents[0]; c.IP != "192.0.2.7" || c.Agent != "Test Browser" || c.Form != "http://127.0.0.1:8080/s/skin" || !strings.Contains(c.Wording, "You agree") {
		t.Errorf("got evidence %+v, want address, agent, form and wording", c.Evidence)
	}
	token := mailedToken(t, s)
	page := get(t, h, "/c/"+token)
	wants(t, "before the button", page, 200, "A••••@example.org", "You agree", `action="/c/`+token+`"`)
	if strings.Contains(page.Body, "Ada@example.org") {
		t.Error("the page gives the address away")
	}
	if got := state(t, s, skin, ada.ID); got != subscribers.Pending {
		t.Fatalf("looking changed the state to %s", got)
	}
	for range 2 { // a second press is one confirmation
		wants(t, "confirmed", post(t, h, "/c/"+token, nil), 200, "You’re in", "Tuesday 2 March 2027 at 09:00 (Europe/London)", "mara@harbour.example")
	}
	if got := state(t, s, skin, ada.ID); got != subscribers.Active {
		t.Errorf("after the button: got %s, want active", got)
	}
	if n := s.Count(t, `SELECT count(*) FROM consents WHERE subscriber_id = ?1 AND event = 'confirmed'`, ada.ID); n != 1 {
		t.Errorf("got %d confirmations, want 1", n)
	}
	wants(t, "the link afterwards", get(t, h, "/c/"+token), 200, "You’re in", "Tuesday 2 March 2027 at 09:00 (Europe/London)")
	s.InTx(t, func(tx *store.Tx) error {
		_, err := series.SkipDate(t.Context(), tx, skin, "2027-03-02", s.Now())
		return err
	})
	wants(t, "that date skipped", get(t, h, "/c/"+token), 200, "Tuesday 9 March 2027 at 09:00")
}

// mailedToken is the token in the last confirmation mail.
func mailedToken(t *testing.T, s *webtest.Site) string {
	t.Helper()
	var text string
	err := s.DB.QueryRow(t.Context(), `SELECT text FROM notices WHERE kind = 'confirmation' ORDER BY id DESC LIMIT 1`).Scan(&text)
	if err != nil {
		t.Fatalf("no confirmation mail: %v", err)
	}
	found := regexp.MustCompile(`http://127\.0\.0\.1:8080/c/(\S+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link in the mail:\n%s", text)
	}
	return found[1]
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z\[\]]+)" value="([^"]*)">`)

// pressed is what the one button of a page sends.
func pressed(a webtest.Answer) url.Values {
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(a.Body, -1) {
		form.Add(field[1], field[2])
	}
	return form
}

// A form on a foreign site works without a script or a token: one button more, then our wording was read and is kept, with
// the page that the form stood on.
func TestSubscribeFromAnotherSite(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	foreign := webtest.Request{
		Method: "POST", Path: "/s/skin/subscribe", Form: url.Values{"email": {"ada@example.org"}},
		Header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://blog.example", "Referer": "https://blog.example/about?x=1"},
	}
	once := webtest.Do(t, h, foreign)
	wants(t, "one button", once, 200, "One more press", "<b>ada@example.org</b>", "You agree", `action="/subscribe"`)
	if n := s.Count(t, `SELECT count(*) FROM subscribers`); n != 0 {
		t.Errorf("the first contact stored %d people, want none", n)
	}
	wants(t, "pressed", post(t, h, "/subscribe", pressed(once)), 200, "Look into your mailbox")
	ada, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org")
	if err != nil {
		t.Fatalf("the request is not stored: %v", err)
	}
	consents, err := subscribers.Consents(t.Context(), s.DB, ada.ID)
	if err != nil || len(consents) != 1 || consents[0].Form != "https://blog.example/about" || !strings.Contains(consents[0].Wording, "You agree") {
		t.Errorf("got consents %+v (%v), want the foreign page with our wording", consents, err)
	}
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 1 {
		t.Errorf("got %d mails, want one", n)
	}
}

// A form of ours that lay in the browser for longer than a day is asked about once more, and nothing is lost.
func TestSubscribeByAnOldForm(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	form := url.Values{"email": {"ada@example.org"}, "name": {"Ada"}, "form": {formToken(t, s, h, "/s/skin")}}
	s.Pass(24 * time.Hour)
	once := post(t, h, "/s/skin/subscribe", form)
	wants(t, "a day later", once, 200, "One more press")
	wants(t, "pressed", post(t, h, "/subscribe", pressed(once)), 200, "Look into your mailbox")
	if ada, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org"); err != nil || ada.Name != "Ada" {
		t.Errorf("got %+v, %v", ada, err)
	}
}

// Several series are one form, one mail and one button.
func TestSubscribeToSeveral(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	s.AddSeries(t, "sleep", "Night")
	secret := s.AddSeries(t, "secret", "Hush")
	s.Set(t, secret, series.Change{Private: new(true)})
	page := get(t, h, "/subscribe")
	wants(t, "the form of the site", page, 200, `name="series[]" value="skin"`, `name="series[]" value="gut"`, `action="/subscribe"`)
	if strings.Contains(page.Body, "secret") {
		t.Error("a private series is offered to everybody")
	}
	form := url.Values{"email": {"ada@example.org"}, "form": {formToken(t, s, h, "/subscribe")}}
	none := post(t, h, "/subscribe", form)
	wants(t, "nothing chosen", none, 422, "Nothing is chosen yet", `value="ada@example.org"`)
	form["series[]"] = []string{"skin", "gut", "skin"}
	wants(t, "asked", post(t, h, "/subscribe", form), 200, "“The skin letters and The gut letters” is yours")
	token := mailedToken(t, s)
	wants(t, "before the button", get(t, h, "/c/"+token), 200, "The skin letters and The gut letters")
	wants(t, "confirmed", post(t, h, "/c/"+token, nil), 200, "You’re in", `<a href="/s/skin">The skin letters</a>`, `<a href="/s/gut">`)
	ada, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []series.Series{skin, gut} {
		if got := state(t, s, in, ada.ID); got != subscribers.Active {
			t.Errorf("%s: got %s, want active", in.Slug, got)
		}
	}
}

// A sensitive series asks for a consent of its own, names itself in no link, and in no subject.
func TestSubscribeToASensitiveSeries(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.Set(t, s.AddSeries(t, "skin", "Water"), series.Change{Sensitive: new(true)})
	path := "/s/" + skin.PublicName()
	page := get(t, h, path)
	wants(t, "the form", page, 200, "Article 9", `name="agree" value="yes" required`)
	if strings.Contains(page.Body, "/s/skin") {
		t.Error("a link says what the series is about")
	}
	if a := get(t, h, "/s/skin"); a.Status != 302 || a.Header.Get("Location") != path {
		t.Errorf("by its slug: got %d to %q, want 302 to %s", a.Status, a.Header.Get("Location"), path)
	}
	form := url.Values{"email": {"ada@example.org"}, "form": {formToken(t, s, h, path)}}
	once := post(t, h, path+"/subscribe", form)
	wants(t, "without the consent", once, 200, "One more press", `name="agree" value="yes" required`)
	wants(t, "pressed without it", post(t, h, "/subscribe", pressed(once)), 200, "One more press")
	form = pressed(once)
	form.Set("agree", "yes")
	wants(t, "with it", post(t, h, "/subscribe", form), 200, "Look into your mailbox")
	if n := s.Count(t, `SELECT count(*) FROM notices WHERE subject LIKE '%skin%'`); n != 0 {
		t.Error("the subject of the confirmation says what the series is about")
	}
	wants(t, "confirm", get(t, h, "/c/"+mailedToken(t, s)), 200, "Article 9", "Yes, I agree, send it to me")
}

// What is kept of where a form of ours stood, by what the browser tells.
func TestSubscribeEvidence(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for i, tt := range []struct {
		name   string
		header map[string]string
		form   string
	}{
		{"referrer of ours", map[string]string{"Referer": "http://127.0.0.1:8080/s/skin"}, "http://127.0.0.1:8080/s/skin"},
		{"origin alone", map[string]string{"Origin": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"},
		{"ours, the page kept back", map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, "http://127.0.0.1:8080"},
		{"nothing said", nil, ""},
	} {
		email := fmt.Sprintf("reader%d@example.org", i)
		wants(t, tt.name, webtest.Do(t, h, webtest.Request{
			Method: "POST", Path: "/s/skin/subscribe", Header: tt.header,
			Form: url.Values{"email": {email}, "form": {formToken(t, s, h, "/s/skin")}},
		}), 200)
		person, err := subscribers.ByEmail(t.Context(), s.DB, email)
		if err != nil {
			t.Fatal(err)
		}
		consents, err := subscribers.Consents(t.Context(), s.DB, person.ID)
		if err != nil || len(consents) != 1 || consents[0].Form != tt.form || consents[0].Wording == "" {
			t.Errorf("%s: got %+v (%v), want form %q with the wording", tt.name, consents, err, tt.form)
		}
	}
}

// New, known, pending, suppressed and left addresses, and the robots' trap, get the same answer to the byte.
func TestSubscribeTellsNothing(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	s.AddReader(t, skin, "active@example.org")
	s.AskToJoin(t, skin, "pending@example.org")
	_, token := s.AddReader(t, skin, "left@example.org")
	wants(t, "leave", post(t, h, "/u/"+token, url.Values{"leave": {"series"}}), 200)
	s.InTx(t, func(tx *store.Tx) error {
		return s.People.Suppress(t.Context(), tx, "suppressed@example.org", 0, "complaint", "a test")
	})
	want := signUp(t, s, h, url.Values{"email": {"new@example.org"}})
	for _, form := range []url.Values{
		{"email": {"active@example.org"}},
		{"email": {"pending@example.org"}},
		{"email": {"left@example.org"}},
		{"email": {"suppressed@example.org"}},
		{"email": {"new@example.org"}},
		{"email": {"robot@example.org"}, "comment": {"cheap pills"}},
		{"email": {"no-such-domain@nowhere.invalid"}},
	} {
		got := signUp(t, s, h, form)
		if got.Status != want.Status || got.Body != want.Body {
			t.Errorf("%s: the answer differs from a new address's", form.Get("email"))
		}
		for name := range want.Header {
			if got.Header.Get(name) != want.Header.Get(name) {
				t.Errorf("%s: header %s is %q, want %q", form.Get("email"), name, got.Header.Get(name), want.Header.Get(name))
			}
		}
	}
	if _, err := subscribers.ByEmail(t.Context(), s.DB, "robot@example.org"); err == nil {
		t.Error("what filled the trap was stored")
	}
}

// A form that comes back in less time than people type was filled in by a program, or by a browser for its user: who presses once more
// gets the mail, and nobody is told of one that isn't sent.
func TestSubscribeTimeTrap(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	send := func(email, token string, want string) bool {
		t.Helper()
		wants(t, email, post(t, h, "/s/skin/subscribe", url.Values{"email": {email}, "form": {token}}), 200, want)
		_, err := subscribers.ByEmail(t.Context(), s.DB, email)
		return err == nil
	}
	token := formToken(t, s, h, "/s/skin")
	s.Pass(-time.Second)
	if send("robot@example.org", token, "One more press") {
		t.Error("a form sent in the moment it was shown was stored")
	}
	pressed := post(t, h, "/subscribe", url.Values{"email": {"robot@example.org"}, "form": {token}, "once": {"yes"}, "series[]": {"skin"}})
	wants(t, "one more press", pressed, 200, "Look into your mailbox")
	if _, err := subscribers.ByEmail(t.Context(), s.DB, "robot@example.org"); err != nil {
		t.Errorf("somebody whose browser filled the form in got no mail: %v", err)
	}
	s.Pass(time.Second)
	if !send("ada@example.org", token, "Look into your mailbox") {
		t.Error("somebody who took a second was left out")
	}
	other := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, Serial: s.Now().UnixMilli()})
	for _, none := range []string{"", "yesterday", token + "a", other} {
		if send("bob@example.org", none, "One more press") {
			t.Errorf("by the token %q a form was taken for ours", none)
		}
	}
}

func TestSubscribeOneMailForManyPosts(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	limited, token := 0, formToken(t, s, h, "/s/skin")
	for range 100 {
		if post(t, h, "/s/skin/subscribe", url.Values{"email": {"victim@example.org"}, "form": {token}}).Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 1 {
		t.Errorf("got %d mails for one victim, want 1", n)
	}
	if limited != 80 {
		t.Errorf("got %d of 100 posts from one network refused, want 80", limited)
	}
	wants(t, "the next from there", post(t, h, "/s/skin/subscribe", url.Values{"email": {"b@example.org"}, "form": {token}}), 429, "A little slower")
}

func TestSubscribeWithABadAddress(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for _, email := range []string{"", "ada", "ada@", "ada@localhost", `"><script>alert(1)</script>@example.org`, "ada@example.org\r\nBcc: b@example.org"} {
		a := post(t, h, "/s/skin/subscribe", url.Values{"email": {email}, "name": {`"><img src=x onerror=alert(1)>`}})
		wants(t, email, a, 422, `role="alert"`, `aria-invalid="true"`)
		if policy := a.Header.Get("Referrer-Policy"); policy != "same-origin" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: got referrer policy %q, cache %q; the next form must say where it stood, and nobody keep this one",
				email, policy, a.Header.Get("Cache-Control"))
		}
		if strings.Contains(a.Body, "<script") || strings.Contains(a.Body, "<img") {
			t.Errorf("%q: markup came back:\n%s", email, a.Body)
		}
	}
	wants(t, "an unknown series", post(t, h, "/s/none/subscribe", url.Values{"email": {"ada@example.org"}}), 404)
	if n := s.Count(t, `SELECT count(*) FROM subscribers`); n != 0 {
		t.Errorf("got %d people stored, want none", n)
	}
}

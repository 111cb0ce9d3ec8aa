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

func TestSubscribeAndConfirm(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep")
	answer := webtest.Do(t, h, webtest.Request{
		Method: "POST", Path: "/s/skin/subscribe", Form: url.Values{"email": {"Ada@example.org"}, "name": {"Ada\r\nBcc: x"}}, From: "192.0.2.7",
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

// A form on a foreign site works, and for what it said there is no wording of ours.
func TestSubscribeFromAnotherSite(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	answer := webtest.Do(t, h, webtest.Request{
		Method: "POST", Path: "/s/skin/subscribe", Form: url.Values{"email": {"ada@example.org"}},
		Header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://blog.example"},
	})
	wants(t, "asked", answer, 200, "Look into your mailbox")
	ada, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org")
	if err != nil {
		t.Fatalf("the request is not stored: %v", err)
	}
	consents, err := subscribers.Consents(t.Context(), s.DB, ada.ID)
	if err != nil || len(consents) != 1 || consents[0].Form != "https://blog.example" || consents[0].Wording != "" {
		t.Errorf("got consents %+v (%v), want the foreign form without our wording", consents, err)
	}
}

// What is kept of where a form stood and what it said, by what the browser tells.
func TestSubscribeEvidence(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for i, tt := range []struct {
		name    string
		header  map[string]string
		form    string
		wording bool
	}{
		{"referrer of ours", map[string]string{"Referer": "http://127.0.0.1:8080/s/skin"}, "http://127.0.0.1:8080/s/skin", true},
		{"origin alone", map[string]string{"Origin": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", true},
		{"ours, the page kept back", map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, "http://127.0.0.1:8080", true},
		{"kept back by another site", map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}, "", false},
		{"nothing said", nil, "", false},
	} {
		email := fmt.Sprintf("reader%d@example.org", i)
		wants(t, tt.name, webtest.Do(t, h, webtest.Request{
			Method: "POST", Path: "/s/skin/subscribe", Form: url.Values{"email": {email}}, Header: tt.header,
		}), 200)
		person, err := subscribers.ByEmail(t.Context(), s.DB, email)
		if err != nil {
			t.Fatal(err)
		}
		consents, err := subscribers.Consents(t.Context(), s.DB, person.ID)
		if err != nil || len(consents) != 1 || consents[0].Form != tt.form || (consents[0].Wording != "") != tt.wording {
			t.Errorf("%s: got %+v (%v), want form %q, wording %t", tt.name, consents, err, tt.form, tt.wording)
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
	want := post(t, h, "/s/skin/subscribe", url.Values{"email": {"new@example.org"}})
	for _, form := range []url.Values{
		{"email": {"active@example.org"}},
		{"email": {"pending@example.org"}},
		{"email": {"left@example.org"}},
		{"email": {"suppressed@example.org"}},
		{"email": {"new@example.org"}},
		{"email": {"robot@example.org"}, "comment": {"cheap pills"}},
		{"email": {"no-such-domain@nowhere.invalid"}},
	} {
		got := post(t, h, "/s/skin/subscribe", form)
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

// A form that comes back in less time than anybody needs was filled in by a program. It is told nothing of that.
func TestSubscribeTimeTrap(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	shown := regexp.MustCompile(`name="shown" value="(\d+)"`).FindStringSubmatch(get(t, h, "/s/skin").Body)
	if shown == nil {
		t.Fatal("the form doesn't say when it was shown")
	}
	send := func(email, shown string) bool {
		t.Helper()
		wants(t, email, post(t, h, "/s/skin/subscribe", url.Values{"email": {email}, "shown": {shown}}), 200, "Look into your mailbox")
		_, err := subscribers.ByEmail(t.Context(), s.DB, email)
		return err == nil
	}
	if send("robot@example.org", shown[1]) {
		t.Error("a form sent in the moment it was shown was stored")
	}
	s.Pass(time.Second)
	if !send("ada@example.org", shown[1]) || !send("bob@example.org", "") || !send("eve@example.org", "yesterday") {
		t.Error("somebody who took a second, or whose form doesn't say, was left out")
	}
}

func TestSubscribeOneMailForManyPosts(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	limited := 0
	for range 100 {
		if post(t, h, "/s/skin/subscribe", url.Values{"email": {"victim@example.org"}}).Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 1 {
		t.Errorf("got %d mails for one victim, want 1", n)
	}
	if limited != 80 {
		t.Errorf("got %d of 100 posts from one network refused, want 80", limited)
	}
	wants(t, "the next from there", post(t, h, "/s/skin/subscribe", url.Values{"email": {"b@example.org"}}), 429, "A little slower")
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

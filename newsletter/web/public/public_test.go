package public_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/public"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func handler(t *testing.T, s *webtest.Site) http.Handler {
	t.Helper()
	h, err := public.New(public.Config{
		DB: s.DB, Publisher: s.Publisher, Site: s.Config(), BaseURL: s.Base, Now: s.Now, Log: s.Log.Logger(),
	})
	if err != nil {
		t.Fatalf("public pages: %v", err)
	}
	return h
}

func get(t *testing.T, h http.Handler, path string) webtest.Answer {
	t.Helper()
	return webtest.Do(t, h, webtest.Request{Method: "GET", Path: path})
}

func post(t *testing.T, h http.Handler, path string, form url.Values) webtest.Answer {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return webtest.Do(t, h, webtest.Request{Method: "POST", Path: path, Form: form, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
}

// state is the enrolment's state of a person, or "none".
func state(t *testing.T, s *webtest.Site, in series.Series, id int64) subscribers.State {
	t.Helper()
	e, err := subscribers.EnrolmentOf(t.Context(), s.DB, in.ID, id)
	if err != nil {
		t.Fatalf("enrolment of %d: %v", id, err)
	}
	return e.State
}

func wants(t *testing.T, what string, a webtest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: got status %d, want %d:\n%s", what, a.Status, status, a.Body)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%s: the page lacks %q:\n%s", what, text, a.Body)
		}
	}
	if key := regexp.MustCompile(`\[(public|desk|date)\.[a-z_.]+\]`).FindString(a.Body); key != "" {
		t.Errorf("%s: no text for %s", what, key)
	}
}

func TestArchive(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	wants(t, "an empty site", get(t, h, "/"), 200, "Harbour Clinic", "Nothing to read here yet")
	skin := s.AddSeries(t, "skin", "Water", "Sleep & <rest>", "Stress")
	s.AddReader(t, skin, "ada@example.org")
	wants(t, "nothing sent yet", get(t, h, "/s/skin"), 200, "The first article has not gone out yet", `action="/s/skin/subscribe"`)
	wants(t, "an article that is not public yet", get(t, h, "/s/skin/skin-1"), 404, "no such page")
	s.Send(t, skin)
	s.Send(t, skin)
	wants(t, "home", get(t, h, "/"), 200, `href="/s/skin"`, "The skin letters", "2 articles to read")
	wants(t, "series", get(t, h, "/s/skin"), 200, `<a href="/s/skin/skin-1">Water</a>`, "Sleep &amp; &lt;rest&gt;", "About Water",
		`<link rel="canonical" href="http://127.0.0.1:8080/s/skin">`)
	first := get(t, h, "/s/skin/skin-1")
	wants(t, "first article", first, 200, "Part 1 of 3", "<em>Water</em>", webtest.Disclaimer, `<a rel="next" href="/s/skin/skin-2">`,
		`<link rel="canonical" href="http://127.0.0.1:8080/s/skin/skin-1">`)
	if strings.Contains(first.Body, `rel="prev"`) {
		t.Error("the first article has a previous one")
	}
	second := get(t, h, "/s/skin/skin-2")
	wants(t, "second article", second, 200, "Part 2 of 3", `<a rel="prev" href="/s/skin/skin-1">Water</a>`, "Coming next", "Stress")
	if strings.Contains(second.Body, "/s/skin/skin-3") {
		t.Error("an article that is not public yet is linked")
	}
	for _, path := range []string{"/s/none", "/s/skin/none", "/s/none/skin-1", "/nothing", "/static/none.css", "/u", "/c"} {
		wants(t, path, get(t, h, path), 404)
	}
}

func TestArticleOfAnotherSeries(t *testing.T) {
	s := webtest.New(t)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	s.AddReader(t, skin, "ada@example.org")
	s.Send(t, skin)
	wants(t, "an article under another series", get(t, handler(t, s), "/s/"+gut.Slug+"/skin-1"), 404)
}

func TestWithdrawnArticle(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep", "Stress")
	s.AddReader(t, skin, "ada@example.org")
	issue, err := series.IssueByName(t.Context(), s.DB, s.Send(t, skin))
	if err != nil {
		t.Fatal(err)
	}
	s.InTx(t, func(tx *store.Tx) error { return series.Reached(t.Context(), tx, issue.ID) })
	s.Send(t, skin)
	for _, slug := range []string{"skin-1", "skin-3"} {
		if _, err := s.Publisher.Withdraw(t.Context(), slug); err != nil {
			t.Fatalf("withdraw %s: %v", slug, err)
		}
	}
	gone := get(t, h, "/s/skin/skin-1")
	wants(t, "withdrawn", gone, 410, "withdrawn")
	if strings.Contains(gone.Body, "The text of") {
		t.Error("the page of a withdrawn article shows its text")
	}
	wants(t, "withdrawn before it was sent", get(t, h, "/s/skin/skin-3"), 404)
	if body := get(t, h, "/s/skin").Body; strings.Contains(body, "skin-1") {
		t.Error("the series still lists the withdrawn article")
	}
}

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
		wants(t, "confirmed", post(t, h, "/c/"+token, nil), 200, "You’re in", "Tuesday 2 March 2027 at 09:00", "mara@harbour.example")
	}
	if got := state(t, s, skin, ada.ID); got != subscribers.Active {
		t.Errorf("after the button: got %s, want active", got)
	}
	if n := s.Count(t, `SELECT count(*) FROM consents WHERE subscriber_id = ?1 AND event = 'confirmed'`, ada.ID); n != 1 {
		t.Errorf("got %d confirmations, want 1", n)
	}
	wants(t, "the link afterwards", get(t, h, "/c/"+token), 200, "You’re in")
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
		if strings.Contains(a.Body, "<script") || strings.Contains(a.Body, "<img") {
			t.Errorf("%q: markup came back:\n%s", email, a.Body)
		}
	}
	wants(t, "an unknown series", post(t, h, "/s/none/subscribe", url.Values{"email": {"ada@example.org"}}), 404)
	if n := s.Count(t, `SELECT count(*) FROM subscribers`); n != 0 {
		t.Errorf("got %d people stored, want none", n)
	}
}

// oneClick sends what a mail program sends: no cookie, no origin, either encoding.
func oneClick(t *testing.T, h http.Handler, token string, multi bool) webtest.Answer {
	t.Helper()
	q := webtest.Request{Method: "POST", Path: "/u/" + token, Form: url.Values{"List-Unsubscribe": {"One-Click"}}}
	if multi {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		if err := m.WriteField("List-Unsubscribe", "One-Click"); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		q.Form, q.Body, q.Header = nil, body.String(), map[string]string{"Content-Type": m.FormDataContentType()}
	}
	return webtest.Do(t, h, q)
}

func TestOneClick(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	for _, multi := range []bool{false, true} {
		email := map[bool]string{false: "ada@example.org", true: "bob@example.org"}[multi]
		id, token := s.AddReader(t, skin, email)
		s.AddReader(t, gut, email)
		want := oneClick(t, h, token, multi)
		if want.Status != 200 || want.Header.Get("Location") != "" || len(want.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("multipart %t: got %d, headers %v, want a bare 200", multi, want.Status, want.Header)
		}
		if got := state(t, s, skin, id); got != subscribers.Ended {
			t.Errorf("multipart %t: got %s, want ended", multi, got)
		}
		if got := state(t, s, gut, id); got != subscribers.Active {
			t.Errorf("multipart %t: the other series: got %s, want active", multi, got)
		}
		unknown := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 9999, SeriesID: skin.ID})
		confirm := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: id, SeriesID: gut.ID, Serial: 1})
		for what, token := range map[string]string{"repeated": token, "unknown": unknown, "of another purpose": confirm, "garbage": "x", "altered": token[:len(token)-2] + "AA"} {
			got := oneClick(t, h, token, multi)
			if got.Status != want.Status || got.Body != want.Body || got.Header.Get("Location") != "" {
				t.Errorf("%s: got %d %q, want %d %q", what, got.Status, got.Body, want.Status, want.Body)
			}
		}
		if got := state(t, s, gut, id); got != subscribers.Active {
			t.Errorf("a token of another purpose ended an enrolment: %s", got)
		}
	}
	if n := s.Count(t, `SELECT count(*) FROM consents WHERE event = 'unsubscribed'`); n != 2 {
		t.Errorf("got %d unsubscribes, want 2: repeating is one event", n)
	}
}

// Only the exact body is a click: scanners that send something else change nothing.
func TestLeaveNeedsItsField(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	for _, form := range []url.Values{{}, {"List-Unsubscribe": {"Yes"}}, {"leave": {"nothing"}}, {"list-unsubscribe": {"One-Click"}}} {
		wants(t, form.Encode(), post(t, h, "/u/"+token, form), 400, "We could not read that")
	}
	query := webtest.Do(t, h, webtest.Request{Method: "POST", Path: "/u/" + token + "?List-Unsubscribe=One-Click"})
	wants(t, "the field in the address", query, 400)
	if got := state(t, s, skin, id); got != subscribers.Active {
		t.Errorf("got %s, want active", got)
	}
}

func TestLeavePage(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	id, token := s.AddReader(t, skin, "ada@example.org")
	s.AddReader(t, gut, "ada@example.org")
	at := "/u/" + token
	page := get(t, h, at)
	wants(t, "before", page, 200, "Leave “The skin letters”?", "a••••@example.org", `name="leave" value="series"`, `name="leave" value="everything"`)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	wants(t, "left", post(t, h, at, url.Values{"leave": {"series"}}), 200, "You have left", `action="`+at+`/undo"`, `value="everything"`)
	wants(t, "the link afterwards", get(t, h, at), 200, "You have left", `action="`+at+`/undo"`)
	for range 2 { // pressing twice says the same
		wants(t, "undone", post(t, h, at+"/undo", nil), 200, "Welcome back")
	}
	if got := state(t, s, skin, id); got != subscribers.Active {
		t.Errorf("after the undo: got %s, want active", got)
	}
	all := post(t, h, at, url.Values{"leave": {"everything"}})
	wants(t, "left everything", all, 200, "You have left", "No further letter from Harbour Clinic")
	if strings.Contains(all.Body, `value="everything"`) {
		t.Error("who left everything is asked to leave everything")
	}
	for _, in := range []series.Series{skin, gut} {
		if ok, err := subscribers.Mailable(t.Context(), s.DB, in.ID, id); err != nil || ok {
			t.Errorf("%s: mailable after leaving everything: %t, %v", in.Slug, ok, err)
		}
	}
	s.Pass(8 * 24 * time.Hour)
	late := get(t, h, at)
	wants(t, "a week later", late, 200, "You have left")
	if strings.Contains(late.Body, "/undo") {
		t.Error("an undo is offered after seven days")
	}
	wants(t, "undo a week later", post(t, h, at+"/undo", nil), 410, "seven days")
}

func TestLinksThatAreNone(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, leave := s.AddReader(t, skin, "ada@example.org")
	confirm := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: id, SeriesID: skin.ID, Serial: 77})
	for _, path := range []string{"/u/x", "/c/x", "/u/" + confirm, "/c/" + leave} {
		wants(t, "GET "+path, get(t, h, path), 404, "This link is not whole")
	}
	wants(t, "POST confirm with an unsubscribe token", post(t, h, "/c/"+leave, nil), 404)
	wants(t, "undo with a confirmation token", post(t, h, "/u/"+confirm+"/undo", nil), 404)
	wants(t, "leave with a confirmation token", post(t, h, "/u/"+confirm, url.Values{"leave": {"series"}}), 404)
	wants(t, "a request that never was", post(t, h, "/c/"+confirm, nil), 410, "nothing to confirm")
}

// Whoever was erased meets a page that knows nothing of them.
func TestLeavePageOfTheErased(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	s.InTx(t, func(tx *store.Tx) error { return s.People.Erase(t.Context(), tx, id) })
	wants(t, "erased", get(t, h, "/u/"+token), 200, "goes to this address")
	wants(t, "erased, pressed", post(t, h, "/u/"+token, url.Values{"leave": {"everything"}}), 200)
}

var links = regexp.MustCompile(`(?:href|action|src)="(/[^"]*)"`)

// Every link that can be found from the first page and from the links of a mail is followed twice, by GET and HEAD, with
// nothing changed.
func TestLookingChangesNothing(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep", "Stress")
	s.AddSeries(t, "gut", "Bread")
	_, token := s.AddReader(t, skin, "ada@example.org")
	confirm := s.AskToJoin(t, skin, "bob@example.org")
	_, left := s.AddReader(t, skin, "left@example.org")
	wants(t, "leave", post(t, h, "/u/"+left, url.Values{"leave": {"series"}}), 200)
	s.Send(t, skin)
	s.Send(t, skin)
	before := s.Dump(t)
	for range 2 {
		todo, seen := []string{"/", "/u/" + token, "/u/" + left, "/c/" + confirm}, map[string]bool{}
		for len(todo) > 0 {
			path := todo[0]
			todo = todo[1:]
			if seen[path] {
				continue
			}
			seen[path] = true
			page := get(t, h, path)
			head := webtest.Do(t, h, webtest.Request{Method: "HEAD", Path: path, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
			if head.Status != page.Status {
				t.Errorf("%s: HEAD gives %d, GET %d", path, head.Status, page.Status)
			}
			for _, found := range links.FindAllStringSubmatch(page.Body, -1) {
				todo = append(todo, found[1])
			}
		}
		if len(seen) < 13 {
			t.Errorf("got only %d links: %v", len(seen), seen)
		}
	}
	if after := s.Dump(t); after != before {
		t.Errorf("looking changed the database:\nbefore\n%s\nafter\n%s", before, after)
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, token := s.AddReader(t, skin, "ada@example.org")
	confirm := s.AskToJoin(t, skin, "bob@example.org")
	before := s.Dump(t)
	for _, path := range []string{"/c/" + confirm, "/u/" + token + "/undo", "/", "/s/skin", "/s/skin/skin-1", "/nothing", "/static/x"} {
		a := webtest.Do(t, h, webtest.Request{Method: "POST", Path: path, Form: url.Values{}, Header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}})
		wants(t, "POST "+path, a, 403, "another site")
	}
	if after := s.Dump(t); after != before {
		t.Error("a foreign form changed the database")
	}
}

func TestLogsKeepSecrets(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, token := s.AddReader(t, skin, "ada@example.org")
	confirm := s.AskToJoin(t, skin, "bob@example.org")
	do := func() {
		for _, path := range []string{"/u/" + token, "/c/" + confirm} {
			get(t, h, path)
			post(t, h, path, url.Values{"leave": {"series"}})
		}
		oneClick(t, h, token, false)
		post(t, h, "/u/"+token+"/undo", nil)
		post(t, h, "/s/skin/subscribe", url.Values{"email": {"carl@example.org"}})
	}
	do()
	if err := s.DB.Close(); err != nil { // now everything fails, and says so
		t.Fatal(err)
	}
	do()
	log := s.Log.String()
	if !strings.Contains(log, "/u/[token]") {
		t.Errorf("the failures are not in the log:\n%s", log)
	}
	for _, secret := range []string{token, confirm, "ada@", "bob@", "carl@"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", secret, log)
		}
	}
}

// While nothing can be written, a mail program is told to try again, and a person that nothing was lost.
func TestOneClickWithoutADatabase(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	_, token := s.AddReader(t, s.AddSeries(t, "skin", "Water"), "ada@example.org")
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if a := oneClick(t, h, token, false); a.Status < 500 {
		t.Errorf("got %d although nothing was written, want an error", a.Status)
	}
}

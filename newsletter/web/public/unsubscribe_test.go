package public_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

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

// The page that people and scanners meet most often asks the database for two rows, for anybody.
func TestLeavePageAsksLittle(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	unknown := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: id + 1, SeriesID: skin.ID})
	for what, token := range map[string]string{"a reader": token, "nobody": unknown} {
		before := s.DB.Statements()
		if got := get(t, h, "/u/"+token); got.Status != 200 {
			t.Errorf("%s: got %d", what, got.Status)
		}
		if got := s.DB.Statements() - before; got != 2 {
			t.Errorf("%s: the page took %d statements, want 2", what, got)
		}
	}
}

// What is said of a series is what it is now.
func TestLeavePageIsNeverStale(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, token := s.AddReader(t, skin, "ada@example.org")
	at := "/u/" + token
	wants(t, "before", get(t, h, at), 200, "The skin letters")
	skin = s.Set(t, skin, series.Change{Title: new("Quiet letters"), Sensitive: new(true)})
	if got := get(t, h, at); !strings.Contains(got.Body, "Quiet letters") || strings.Contains(got.Body, "skin") {
		t.Errorf("a renamed series:\n%s", got.Body)
	}
	post(t, h, at, url.Values{"leave": {"series"}})
	wants(t, "undone, sensitive since", post(t, h, at+"/undo", nil), 200, `href="/s/`+skin.Opaque+`"`)
}

// A mail program is told the same of a link that is none, but whoever runs the site hears of it, without the token, and not
// once for each.
func TestOneClickByAStrayLink(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	_, token := s.AddReader(t, s.AddSeries(t, "skin", "Water"), "ada@example.org")
	oneClick(t, h, token, false)
	if log := s.Log.String(); strings.Contains(log, "not ours") {
		t.Errorf("a link of ours is called a stray:\n%s", log)
	}
	altered := token[:len(token)-2] + "AA"
	for range 5 {
		oneClick(t, h, altered, false)
	}
	s.Pass(time.Minute)
	oneClick(t, h, altered, false)
	log := s.Log.String()
	if got := strings.Count(log, "level=WARN"); got != 2 || !strings.Contains(log, "nobody was removed\" count=6") {
		t.Errorf("got %d warnings, want 2, the second counting 6:\n%s", got, log)
	}
	if strings.Contains(log, altered) {
		t.Errorf("the link is in the log:\n%s", log)
	}
}

// Limits are for forms: a mail program that sends all its clicks from one address is never refused.
func TestOneClickIsNotLimited(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	for i := range 50 {
		id, token := s.AddReader(t, skin, fmt.Sprintf("reader%d@example.org", i))
		if a := oneClick(t, h, token, false); a.Status != 200 || state(t, s, skin, id) != subscribers.Ended {
			t.Fatalf("click %d: got %d, %s", i, a.Status, state(t, s, skin, id))
		}
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
	if strings.Contains(all.Body, `name="leave"`) {
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

// Leaving a series and then everything are two leaves. Taking back the second brings back the rest, says so, and however often it
// is pressed leaves the first alone.
func TestUndoEverythingFromALeftSeries(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water"), s.AddSeries(t, "gut", "Bread")
	id, token := s.AddReader(t, skin, "ada@example.org")
	_, other := s.AddReader(t, gut, "ada@example.org")
	wants(t, "left one", post(t, h, "/u/"+other, url.Values{"leave": {"series"}}), 200)
	s.Pass(time.Minute)
	wants(t, "left everything", post(t, h, "/u/"+token, url.Values{"leave": {"everything"}}), 200)
	wants(t, "the other link", get(t, h, "/u/"+other), 200, `name="undo" value="everything"`)
	for range 2 {
		page := post(t, h, "/u/"+other+"/undo", url.Values{"undo": {"everything"}})
		wants(t, "undone", page, 200, "Welcome back", "is as it was before", "“The gut letters” you had left by itself", `name="undo" value="series"`)
		if got := state(t, s, skin, id); got != subscribers.Active {
			t.Errorf("the rest: got %s, want active", got)
		}
		if got := state(t, s, gut, id); got != subscribers.Ended {
			t.Errorf("the series left by itself: got %s, want ended", got)
		}
	}
	wants(t, "that one too", post(t, h, "/u/"+other+"/undo", url.Values{"undo": {"series"}}), 200, "“The gut letters” comes to")
	if got := state(t, s, gut, id); got != subscribers.Active {
		t.Errorf("after its own undo: got %s, want active", got)
	}
}

// Whoever was erased meets a page that knows nothing of them.
func TestLeavePageOfTheErased(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	s.InTx(t, func(tx *store.Tx) error { return s.People.Erase(t.Context(), tx, id) })
	wants(t, "erased", get(t, h, "/u/"+token), 200, "goes to <b>this address</b>")
	wants(t, "erased, pressed", post(t, h, "/u/"+token, url.Values{"leave": {"everything"}}), 200)
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

// What is kept of a page is what would be written anew: of two readers whose addresses look the same, masked, one presses through a
// site whose pages are kept, and one through a site that writes each, as it does with an operator's templates.
func TestLeavePageKeptIsThePageWritten(t *testing.T) {
	s := webtest.New(t)
	about := s.Config()
	var err error
	if about.Templates, err = templates.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	writing, err := newsletter.New(newsletter.Config{DB: s.DB, Key: s.Key, Site: about, Now: s.Now, Log: s.Log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	kept := handler(t, s)
	s.Publisher = writing
	anew := handler(t, s)
	skin := s.Set(t, s.AddSeries(t, "skin", "Water"), series.Change{Title: new(`Skin & "<more>"`)})
	press := func(h http.Handler, email, lang string) (pages []string) {
		_, token := s.AddReader(t, skin, email)
		at, q := "/u/"+token, "?lang="+lang
		for _, a := range []webtest.Answer{
			get(t, h, at), get(t, h, at+q), post(t, h, at+q, url.Values{"leave": {"series"}}), get(t, h, at+q),
			post(t, h, at+"/why"+q, url.Values{"reason": {"often"}}), post(t, h, at+"/undo"+q, nil),
			post(t, h, at+q, url.Values{"leave": {"everything"}}), post(t, h, at+"/undo"+q, url.Values{"undo": {"everything"}}), get(t, h, at),
		} {
			if a.Status != 200 || !strings.Contains(a.Body, token) {
				t.Fatalf("%s: got %d:\n%s", email, a.Status, a.Body)
			}
			pages = append(pages, strings.ReplaceAll(a.Body, token, "TOKEN"))
		}
		return pages
	}
	for i, first := range []string{"a", "a", "&", "'", "=", "ß", "ع"} {
		for _, lang := range []string{"en", "fr", "ar", ""} {
			want := press(anew, fmt.Sprintf("%sone%d%s@bücher.example", first, i, lang), lang)
			got := press(kept, fmt.Sprintf("%sother%d%s@bücher.example", first, i, lang), lang)
			for j := range want {
				if got[j] != want[j] {
					t.Errorf("%s in %q, page %d:\n%s\nwritten anew:\n%s", first, lang, j+1, got[j], want[j])
				}
			}
		}
	}
	stranger := s.Key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 9999, SeriesID: skin.ID})
	if got, want := get(t, kept, "/u/"+stranger+"?lang=fr").Body, get(t, anew, "/u/"+stranger+"?lang=fr").Body; got != want {
		t.Errorf("nobody's link:\n%s\nwritten anew:\n%s", got, want)
	}
}

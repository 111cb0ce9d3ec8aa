package public_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
)

// linkMailed is the path of the link in the newest mail to an address, or to the person of a number.
func linkMailed(t *testing.T, s *webtest.Site) string {
	t.Helper()
	var text string
	if err := s.DB.QueryRow(t.Context(), `SELECT text FROM notices WHERE kind = 'login' ORDER BY id DESC LIMIT 1`).Scan(&text); err != nil {
		t.Fatalf("no mail: %v", err)
	}
	found := regexp.MustCompile(`http://127\.0\.0\.1:8080(/(?:mine|address)/[a-z2-7]+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link in the mail:\n%s", text)
	}
	return found[1]
}

func TestMine(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, token := s.AddReader(t, skin, "ada@example.org")
	wants(t, "the form", get(t, h, "/mine"), 200, `action="/mine"`)
	wants(t, "no address", post(t, h, "/mine", url.Values{"email": {"ada"}}), 422, `role="alert"`)
	known := post(t, h, "/mine", url.Values{"email": {"Ada@example.org"}})
	wants(t, "asked", known, 200, "If that address gets letters from us")
	if stranger := post(t, h, "/mine", url.Values{"email": {"who@example.org"}}); stranger.Status != known.Status || stranger.Body != known.Body {
		t.Error("the answer tells who is known")
	}
	if n := s.Count(t, `SELECT count(*) FROM notices`); n != 1 {
		t.Fatalf("got %d mails, want one", n)
	}
	at := linkMailed(t, s)
	page := get(t, h, at)
	wants(t, "the page", page, 200, "a••••@example.org", at+"/download", at+"/erase", at+"/address", "/preferences/"+token)
	if strings.Contains(page.Body, "ada@example.org") || page.Header.Get("Referrer-Policy") != "no-referrer" || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the page gives the address away, or may be kept: %v", page.Header)
	}
	file := post(t, h, at+"/download", nil)
	var got newsletter.Person
	if err := json.Unmarshal([]byte(file.Body), &got); err != nil || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("download: %v, %v", err, file.Header)
	}
	want, err := s.Publisher.Person(t.Context(), "ada@example.org")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("download: got %+v, want what an owner is shown: %+v (%v)", got, want, err)
	}
	wants(t, "erase without being sure", post(t, h, at+"/erase", nil), 400)
	wants(t, "erased", post(t, h, at+"/erase", url.Values{"sure": {"yes"}}), 200, "You are erased")
	if _, err := subscribers.ByID(t.Context(), s.DB, id); err == nil {
		t.Error("the person is still there")
	}
	wants(t, "the link afterwards", get(t, h, at), 410, "had its hour")
}

// No link but a fresh one lets anybody at more than letters (THREATS T27), and that for an hour.
func TestMineNeedsAFreshLink(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, token := s.AddReader(t, skin, "ada@example.org")
	before := s.Dump(t)
	for _, path := range []string{"/mine/" + token, "/mine/x", "/address/" + token} {
		wants(t, path, get(t, h, path), 404, "not whole")
	}
	for _, path := range []string{"/mine/" + token + "/download", "/mine/" + token + "/erase", "/mine/" + token + "/address", "/address/" + token} {
		wants(t, path, post(t, h, path, url.Values{"sure": {"yes"}, "email": {"eve@example.org"}}), 404)
	}
	if s.Dump(t) != before {
		t.Error("an unsubscribe link changed more than letters")
	}
	wants(t, "by the preferences", post(t, h, "/preferences/"+token, url.Values{"wish": {"link"}}), 200, "on its way to your mailbox")
	at := linkMailed(t, s)
	s.Pass(time.Hour)
	wants(t, "an hour later", get(t, h, at), 410, "had its hour")
	wants(t, "erase an hour later", post(t, h, at+"/erase", url.Values{"sure": {"yes"}}), 410)
}

// Both addresses are proved, and the old one is told.
func TestMoveAddress(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	id, _ := s.AddReader(t, skin, "ada@example.org")
	wants(t, "asked", post(t, h, "/mine", url.Values{"email": {"ada@example.org"}}), 200)
	mine := linkMailed(t, s)
	wants(t, "no address", post(t, h, mine+"/address", url.Values{"email": {"ada"}}), 422, `role="alert"`)
	wants(t, "a new one", post(t, h, mine+"/address", url.Values{"email": {"lovelace@example.net"}}), 200, "l••••@example.net")
	at := linkMailed(t, s)
	if !strings.HasPrefix(at, "/address/") {
		t.Fatalf("the new address got %s", at)
	}
	wants(t, "before the button", get(t, h, at), 200, "a••••@example.org", "l••••@example.net")
	if _, err := subscribers.ByEmail(t.Context(), s.DB, "ada@example.org"); err != nil {
		t.Errorf("looking moved the address: %v", err)
	}
	wants(t, "moved", post(t, h, at, nil), 200, "Moved", "l••••@example.net")
	if got, err := subscribers.ByEmail(t.Context(), s.DB, "lovelace@example.net"); err != nil || got.ID != id {
		t.Errorf("got %+v, %v, want the same person", got, err)
	}
	if n := s.Count(t, `SELECT count(*) FROM notices WHERE to_email = 'ada@example.org'`); n != 1 {
		t.Errorf("the old address was told %d times, want once", n)
	}
	for _, path := range []string{at, mine} {
		wants(t, path+" afterwards", get(t, h, path), 410)
	}
}

// TestManyReadersOneVictim: what a reader is answered doesn't say whether the address that they name gets a mail.
func TestManyReadersOneVictim(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	mailed := func() int { return s.Count(t, `SELECT count(*) FROM notices WHERE to_email <> ''`) }
	var first webtest.Answer
	for i, email := range []string{"ada@example.org", "amy@example.org", "alf@example.org"} {
		s.AddReader(t, skin, email)
		from := fmt.Sprintf("198.51.%d.1", i)
		ask := webtest.Request{Method: "POST", Path: "/mine", Form: url.Values{"email": {email}}, From: from}
		wants(t, "asked", webtest.Do(t, h, ask), 200)
		if err := s.Publisher.TakeRequests(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := linkMailed(t, s)
		got := webtest.Do(t, h, webtest.Request{Method: "POST", Path: at + "/address", Form: url.Values{"email": {"victim@example.net"}}, From: from})
		got.Body = strings.ReplaceAll(got.Body, at, "/mine/TOKEN")
		got.Body = regexp.MustCompile(`/preferences/[a-z2-7]+`).ReplaceAllString(got.Body, "/preferences/TOKEN")
		if i == 0 {
			first = got
		}
		if got.Status != 200 || got.Body != first.Body || mailed() != 1 {
			t.Errorf("%s: %d, %d mails to the victim, the same page: %v", email, got.Status, mailed(), got.Body == first.Body)
		}
	}
}

// TestNewAddressesCountLikeSignUps: from one network no more mails to strangers can be had in an hour.
func TestNewAddressesCountLikeSignUps(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	s.AddReader(t, skin, "ada@example.org")
	post(t, h, "/mine", url.Values{"email": {"ada@example.org"}})
	at := linkMailed(t, s)
	for i := range 19 { // the form was one
		wants(t, "a new address", post(t, h, at+"/address", url.Values{"email": {fmt.Sprintf("new%d@example.net", i)}}), 200)
	}
	wants(t, "one too many", post(t, h, at+"/address", url.Values{"email": {"more@example.net"}}), 429)
	wants(t, "the page itself", get(t, h, at), 200)
}

// A new name beside the old one must not look the same, masked as both are.
func TestMoveToANameThatLooksAlike(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddReader(t, s.AddSeries(t, "skin", "Water"), "ada.l@example.org")
	post(t, h, "/mine", url.Values{"email": {"ada.l@example.org"}})
	wants(t, "asked", post(t, h, linkMailed(t, s)+"/address", url.Values{"email": {"ada.lovelace@example.org"}}), 200, "a••o••@example.org")
	at := linkMailed(t, s)
	page := get(t, h, at)
	wants(t, "before the button", page, 200, "a••••@example.org", "a••o••@example.org")
	moved := post(t, h, at, nil)
	wants(t, "moved", moved, 200, "a••••@example.org", "a••o••@example.org")
	if strings.Contains(page.Body+moved.Body, "ada") {
		t.Error("a page gives an address away")
	}
}

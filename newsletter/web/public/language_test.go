package public_test

import (
	"net/url"
	"strings"
	"testing"

	"pressrun/newsletter/web/webtest"
)

// The visitor's language is the form's, the answer's and the mail's, and the reader's from then on.
func TestSubscribeInAnotherLanguage(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for _, tt := range []struct{ path, accept, want string }{
		{"/subscribe", "", "en"},
		{"/subscribe", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"/subscribe?lang=ar", "de", "ar"},
		{"/subscribe?lang=xx", "xx, ja", "en"},
		{"/subscribe/skin", "fr-CH", "fr"},
		{"/s/skin", "fr", "en"}, // the archive speaks its own language, unless it is told
		{"/s/skin?lang=es", "fr", "es"},
	} {
		a := webtest.Do(t, h, webtest.Request{Method: "GET", Path: tt.path, Header: map[string]string{"Accept-Language": tt.accept}})
		wants(t, tt.path+" for "+tt.accept, a, 200, `<html lang="`+tt.want+`"`, `name="lang" value="`+tt.want+`"`)
	}
	form := url.Values{"email": {"ada@example.org"}, "lang": {"de"}, "form": {formToken(t, s, h, "/s/skin")}}
	wants(t, "asked", post(t, h, "/s/skin/subscribe", form), 200, `<html lang="de"`)
	token := mailedToken(t, s)
	wants(t, "confirm", get(t, h, "/c/"+token), 200, `<html lang="de"`)
	wants(t, "in another after all", get(t, h, "/c/"+token+"?lang=ar"), 200, `<html lang="ar" dir="rtl"`, `action="/c/`+token+`?lang=ar"`)
}

// Who reads a page in the site's language and follows its links stays in it, whatever their browser asks for.
func TestFormsKeepThePagesLanguage(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	ask := func(path string) webtest.Answer {
		return webtest.Do(t, h, webtest.Request{Method: "GET", Path: path, Header: map[string]string{"Accept-Language": "fr"}})
	}
	for page, links := range map[string][]string{
		"/": {"/subscribe?lang=en", "/mine?lang=en"}, "/?lang=de": {"/subscribe?lang=de", "/mine?lang=de"}, "/s/skin": {"/mine?lang=en"},
	} {
		for _, link := range links {
			wants(t, page, ask(page), 200, `href="`+link+`"`)
			wants(t, link, ask(link), 200, `<html lang="`+link[len(link)-2:]+`"`)
		}
	}
}

// The pages of a link can be had in each language, by links that keep its token, and the language is kept nowhere else.
func TestLanguagesOfALink(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water")
	_, reader := s.AddReader(t, skin, "ada@example.org")
	ask := s.AskToJoin(t, skin, "bob@example.org")
	post(t, h, "/mine", url.Values{"email": {"ada@example.org"}})
	mine := linkMailed(t, s)
	post(t, h, mine+"/address", url.Values{"email": {"lovelace@example.org"}})
	before := s.Dump(t)
	for _, path := range []string{"/u/" + reader, "/preferences/" + reader, "/c/" + ask, mine, linkMailed(t, s)} {
		page := get(t, h, path)
		wants(t, path, page, 200, `<html lang="en"`, `<span lang="en" aria-current="true">English</span>`)
		if strings.Contains(page.Body, `rel="alternate"`) || page.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: it is nobody's but this reader's, and keeps nothing", path)
		}
		for _, tag := range []string{"de", "fr", "es", "ar"} {
			link := path + "?lang=" + tag
			wants(t, path, page, 200, `<a lang="`+tag+`" hreflang="`+tag+`" href="`+link+`">`)
			wants(t, link, get(t, h, link), 200, `<html lang="`+tag+`"`, `href="`+path+`?lang=en"`)
		}
		wants(t, path+" afterwards", get(t, h, path), 200, `<html lang="en"`)
	}
	if s.Dump(t) != before {
		t.Error("a choice of language changed the database")
	}
	left := post(t, h, "/u/"+reader+"?lang=de", url.Values{"leave": {"series"}})
	wants(t, "left in German", left, 200, `<html lang="de"`, `action="/u/`+reader+`/undo?lang=de"`, `href="/u/`+reader+`?lang=fr"`)
	wants(t, "undone in German", post(t, h, "/u/"+reader+"/undo?lang=de", nil), 200, `<html lang="de"`, `href="/u/`+reader+`?lang=fr"`)
	paused := post(t, h, "/preferences/"+reader+"?lang=de", url.Values{"wish": {"pause"}, "series": {"skin"}, "until": {"2027-04-01"}})
	wants(t, "paused in German", paused, 200, `<html lang="de"`, `href="/preferences/`+reader+`?lang=fr"`)
}

package public_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

// shownPage is a page as a checker can load it.
type shownPage struct {
	path   string
	status int
}

// everyPage makes a site that has all public pages, in the state that shows most, and lists them by name. Answers to forms
// are kept as they were given, under /answer/.
func everyPage(t *testing.T, s *webtest.Site, h http.Handler, lang string) (map[string]shownPage, http.Handler) {
	t.Helper()
	skin := s.AddSeries(t, "skin", "A glass of water & <more>", "Sleep", "Stress", "Kitchen herbs")
	s.Set(t, skin, series.Change{Language: new(lang)})
	gut := s.Set(t, s.AddSeries(t, "gut", "Bread"), series.Change{Mode: new(series.Drip), Sensitive: new(true)})
	s.AddSeries(t, "sleep", "Night")
	later := s.AddSeries(t, "later", "Soon")
	for range 3 {
		issue, err := series.IssueByName(t.Context(), s.DB, s.Send(t, skin))
		if err != nil {
			t.Fatal(err)
		}
		s.InTx(t, func(tx *store.Tx) error { return series.Reached(t.Context(), tx, issue.ID) })
	}
	if _, err := s.Publisher.Withdraw(t.Context(), "skin-3"); err != nil {
		t.Fatal(err)
	}
	_, reader := s.AddReader(t, skin, "ada@example.org")
	s.AddReader(t, later, "ada@example.org")
	_, left := s.AddReader(t, skin, "left@example.org")
	course := s.Set(t, s.AddSeries(t, "course", "First steps", "Second steps"), series.Change{Mode: new(series.Drip)})
	_, again := s.AddReader(t, course, "again@example.org")
	_, back := s.AddReader(t, course, "back@example.org")
	hadNext(t, s, course)
	confirmed := s.AskToJoin(t, skin, "new@example.org")
	q := "?lang=" + lang
	answers := map[string]webtest.Answer{}
	keep := func(name string, a webtest.Answer) webtest.Answer {
		answers["/answer/"+name] = a
		return a
	}
	form := func(path string, f url.Values) url.Values {
		f.Set("lang", lang)
		f.Set("form", formToken(t, s, h, path))
		return f
	}
	keep("undone", post(t, h, "/u/"+left+q, url.Values{"leave": {"series"}}))
	keep("undone", post(t, h, "/u/"+left+"/undo"+q, nil))
	keep("left", post(t, h, "/u/"+left+q, url.Values{"leave": {"everything"}}))
	keep("thanks", post(t, h, "/u/"+left+"/why"+q, url.Values{"reason": {"often"}}))
	keep("asked", post(t, h, "/s/skin/subscribe", form("/s/skin", url.Values{"email": {"b@example.org"}})))
	keep("fault", post(t, h, "/s/skin/subscribe", form("/s/skin", url.Values{"email": {"b@"}})))
	keep("choose", post(t, h, "/subscribe", form("/subscribe", url.Values{"email": {"b@example.org"}})))
	keep("once", post(t, h, "/s/"+gut.PublicName()+"/subscribe", url.Values{"email": {"b@example.org"}, "lang": {lang}}))
	keep("foreign", webtest.Do(t, h, webtest.Request{Method: "POST", Path: "/c/" + confirmed + q, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}}))
	keep("paused", post(t, h, "/preferences/"+reader+q, url.Values{"wish": {"pause"}, "series": {"later"}, "until": {"2027-04-01"}}))
	keep("day", post(t, h, "/preferences/"+reader+q, url.Values{"wish": {"pause"}, "series": {"skin"}, "until": {"2020-04-01"}}))
	keep("again", post(t, h, "/preferences/"+again+q, url.Values{"wish": {"again"}, "series": {"course"}}))
	hadNext(t, s, course)
	keep("again-refused", post(t, h, "/preferences/"+reader+q, url.Values{"wish": {"again"}, "series": {"skin"}}))
	keep("again-left", post(t, h, "/preferences/"+back+q, url.Values{"wish": {"leave"}, "series": {"course"}}))
	comes := s.AskToJoin(t, course, "back@example.org")
	keep("coming-back", get(t, h, "/c/"+comes+q))
	keep("coming-back-again", post(t, h, "/c/"+comes+q, url.Values{"begin-course": {"again"}}))
	keep("mailed", post(t, h, "/mine"+q, url.Values{"email": {"ada@example.org"}}))
	mine := linkMailed(t, s)
	keep("moving", post(t, h, mine+"/address"+q, url.Values{"email": {"new@example.net"}}))
	move := linkMailed(t, s)
	keep("erased", func() webtest.Answer {
		s.AddReader(t, skin, "gone@example.org")
		post(t, h, "/mine"+q, url.Values{"email": {"gone@example.org"}})
		return post(t, h, linkMailed(t, s)+"/erase"+q, url.Values{"sure": {"yes"}})
	}())
	ask := s.AskToJoin(t, skin, "ask@example.org")
	wants(t, "confirm", post(t, h, "/c/"+confirmed, nil), 200)
	pages := map[string]shownPage{
		"home": {"/" + q, 200}, "subscribe": {"/subscribe" + q, 200}, "subscribe-one": {"/subscribe/" + gut.PublicName() + q, 200},
		"series": {"/s/skin" + q, 200}, "series-empty": {"/s/later" + q, 200}, "article": {"/s/skin/skin-2" + q, 200}, "withdrawn": {"/s/skin/skin-3" + q, 410},
		"confirm": {"/c/" + ask + q, 200}, "confirmed": {"/c/" + confirmed + q, 200}, "leave": {"/u/" + reader + q, 200},
		"preferences": {"/preferences/" + reader + q, 200}, "may-again": {"/preferences/" + again + q, 200}, "ask-mine": {"/mine" + q, 200}, "mine": {mine + q, 200}, "move": {move + q, 200},
		"missing": {"/nothing" + q, 404}, "bad-link": {"/u/x" + q, 404},
	}
	for path, a := range answers {
		pages[strings.TrimPrefix(path, "/answer/")] = shownPage{path, a.Status}
	}
	return pages, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.URL.Path]
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write([]byte(a.Body))
	})
}

// TestPageCheck has an independent checker judge every public page in a browser: light, dark and on a phone, by keyboard and
// without JavaScript. PAGE_CHECK names the checker; PAGE_CHECK_OUT a folder that keeps its pictures.
func TestPageCheck(t *testing.T) {
	checker := os.Getenv("PAGE_CHECK")
	if checker == "" {
		t.Skip("PAGE_CHECK names no checker of web pages: the structure of the pages is tested without one")
	}
	for _, lang := range []string{"en", "ar"} {
		s := webtest.New(t)
		pages, h := everyPage(t, s, handler(t, s), lang)
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		for name, page := range pages {
			t.Run(lang+"/"+name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				args := []string{server.URL + page.path, "--status", strconv.Itoa(page.status)}
				if out := os.Getenv("PAGE_CHECK_OUT"); out != "" {
					args = append(args, "--out", filepath.Join(out, lang+"-"+name))
				}
				if said, err := exec.CommandContext(ctx, checker, args...).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", page.path, err, said)
				}
			})
		}
	}
}

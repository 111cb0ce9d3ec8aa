package public_test

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
)

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

// Browsers that send no Sec-Fetch-Site are known by their Origin, also behind a proxy that asks under another Host.
func TestOldBrowsersBehindAProxy(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	s.AddSeries(t, "skin", "Water")
	for origin, want := range map[string]int{s.Base.String(): 200, "https://evil.example": 403} {
		r := httptest.NewRequest("POST", "/mine", strings.NewReader("email=ada@example.org"))
		r.Host = "10.0.0.7:8080"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from origin %s: got %d, want %d", origin, w.Code, want)
		}
	}
}

var links = regexp.MustCompile(`(?:href|action|src)="(?:http://127\.0\.0\.1:8080)?(/[^"]*)"`)

// mailed are the links of all mails that are queued, those of an issue filled for a reader.
func mailed(t *testing.T, s *webtest.Site, token string) (paths []string) {
	t.Helper()
	rows, err := s.DB.Query(t.Context(), `SELECT html FROM issues UNION ALL SELECT html FROM notices`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	fill := outbox.Personal{UnsubscribeURL: s.Base.JoinPath("u", token).String(), PreferencesURL: s.Base.JoinPath("preferences", token).String()}
	for rows.Next() {
		var html string
		if err := rows.Scan(&html); err != nil {
			t.Fatal(err)
		}
		_, html, _ = fill.Fill("", html, "")
		for _, found := range links.FindAllStringSubmatch(html, -1) {
			paths = append(paths, found[1])
		}
	}
	if err := rows.Err(); err != nil || len(paths) < 10 {
		t.Fatalf("got only the links %v (%v)", paths, err)
	}
	return paths
}

// Every link that can be found from the first page and from the links of all mails is followed twice, by GET and HEAD, with
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
	wants(t, "a link", post(t, h, "/mine", url.Values{"email": {"ada@example.org"}}), 200)
	wants(t, "a move", post(t, h, linkMailed(t, s)+"/address", url.Values{"email": {"new@example.org"}}), 200)
	before := s.Dump(t)
	for range 2 {
		todo, seen := append(mailed(t, s, token), "/", "/u/"+token, "/u/"+left, "/c/"+confirm, "/preferences/"+token, "/sitemap.xml", "/robots.txt"), map[string]bool{}
		for len(todo) > 0 {
			path := todo[0]
			todo = todo[1:]
			if seen[path] {
				continue
			}
			seen[path] = true
			page := get(t, h, path)
			if page.Status >= 500 {
				t.Errorf("%s: %d", path, page.Status)
			}
			head := webtest.Do(t, h, webtest.Request{Method: "HEAD", Path: path, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
			if head.Status != page.Status {
				t.Errorf("%s: HEAD gives %d, GET %d", path, head.Status, page.Status)
			}
			for _, found := range links.FindAllStringSubmatch(page.Body, -1) {
				todo = append(todo, found[1])
			}
		}
		if len(seen) < 40 {
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
	for _, path := range []string{
		"/c/" + confirm, "/u/" + token + "/undo", "/u/" + token + "/why", "/preferences/" + token, "/mine", "/mine/x/erase", "/mine/x/address",
		"/mine/x/download", "/address/x", "/", "/s/skin", "/s/skin/skin-1", "/nothing", "/static/x",
	} {
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
		post(t, h, "/u/"+token+"/why", url.Values{"reason": {"often"}})
		get(t, h, "/preferences/"+token)
		post(t, h, "/preferences/"+token, url.Values{"wish": {"link"}})
		post(t, h, "/mine", url.Values{"email": {"ada@example.org"}})
		for _, path := range []string{"/mine/" + token, "/address/" + token} {
			get(t, h, path)
		}
		for _, path := range []string{"/mine/" + token + "/download", "/mine/" + token + "/erase", "/mine/" + token + "/address"} {
			post(t, h, path, url.Values{"sure": {"yes"}, "email": {"ada@example.org"}})
		}
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

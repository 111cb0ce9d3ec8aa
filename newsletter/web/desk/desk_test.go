package desk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// office is a desk with a site under it.
type office struct {
	*webtest.Site
	http.Handler
	weeks   int
	trouble error
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{Site: webtest.New(t, desk.Migrate)}
	h, err := desk.New(desk.Config{
		DB: o.DB, Publisher: o.Publisher, BaseURL: o.Base, Now: o.Now, SessionNow: o.Now, Log: o.Log.Logger(), InboxURL: "/inbox/",
		Trouble:  func() error { return o.trouble },
		NextWeek: func(context.Context) error { o.weeks++; return nil },
	})
	if err != nil {
		t.Fatalf("desk: %v", err)
	}
	o.Handler = h
	return o
}

func (o *office) add(t *testing.T, email string, role desk.Role) {
	t.Helper()
	o.InTx(t, func(tx *store.Tx) error {
		_, err := desk.AddUser(t.Context(), tx, email, role, o.Now())
		return err
	})
}

func (o *office) link(t *testing.T, email string) (path string) {
	t.Helper()
	o.InTx(t, func(tx *store.Tx) (err error) {
		path, err = desk.NewLink(t.Context(), tx, email, o.Now())
		return err
	})
	return path
}

// signIn makes a user and returns their cookie.
func (o *office) signIn(t *testing.T, email string, role desk.Role) *http.Cookie {
	t.Helper()
	o.add(t, email, role)
	a := o.post(t, nil, o.link(t, email), nil)
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/desk/" {
		t.Fatalf("sign in %s: got %d to %s:\n%s", email, a.Status, a.Header.Get("Location"), a.Body)
	}
	return cookie(t, a)
}

func cookie(t *testing.T, a webtest.Answer) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: a.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got cookies %v, want one", cookies)
	}
	return cookies[0]
}

func (o *office) do(t *testing.T, c *http.Cookie, q webtest.Request) webtest.Answer {
	t.Helper()
	if c != nil {
		q.Cookies = []*http.Cookie{c}
	}
	return webtest.Do(t, o, q)
}

func (o *office) get(t *testing.T, c *http.Cookie, path string) webtest.Answer {
	t.Helper()
	return o.do(t, c, webtest.Request{Method: "GET", Path: path})
}

func (o *office) post(t *testing.T, c *http.Cookie, path string, form url.Values) webtest.Answer {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return o.do(t, c, webtest.Request{Method: "POST", Path: path, Form: form, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
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

func TestUsers(t *testing.T) {
	o := open(t)
	o.add(t, "Mara@Example.org", desk.Owner)
	o.add(t, "eve@example.org", desk.Viewer)
	o.add(t, "mara@example.org", desk.Editor) // the same person
	users, err := desk.Users(t.Context(), o.DB)
	if err != nil || len(users) != 2 {
		t.Fatalf("got users %v (%v), want two", users, err)
	}
	if u := users[0]; u.Email != "Mara@Example.org" || u.Role != desk.Editor || !u.Created.Equal(o.Now()) {
		t.Errorf("got %+v, want Mara as typed first, now an editor", u)
	}
	for _, tt := range []struct {
		email string
		role  desk.Role
		want  error
	}{{"x@example.org", "boss", desk.ErrRole}, {"x@example.org", "", desk.ErrRole}, {"no address", desk.Owner, subscribers.ErrAddress}} {
		err := o.DB.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := desk.AddUser(t.Context(), tx, tt.email, tt.role, o.Now())
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("add %s as %q: got %v, want %v", tt.email, tt.role, err, tt.want)
		}
	}
	remove := func(email string) error {
		return o.DB.InTx(t.Context(), func(tx *store.Tx) error { return desk.RemoveUser(t.Context(), tx, email) })
	}
	if err := remove("EVE@example.org"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := remove("eve@example.org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("remove again: got %v, want ErrNotFound", err)
	}
}

func TestLoginLink(t *testing.T) {
	o := open(t)
	o.add(t, "mara@example.org", desk.Owner)
	link := o.link(t, "")
	before := o.Dump(t)
	for range 2 { // scanners look, and look again
		wants(t, "the link", o.get(t, nil, link), 200, "Welcome to the desk", `action="`+link+`"`)
		o.do(t, nil, webtest.Request{Method: "HEAD", Path: link})
	}
	if o.Dump(t) != before {
		t.Fatal("looking at a login link changed the database")
	}
	if secret := strings.TrimPrefix(link, "/desk/login/"); strings.Contains(before, secret) {
		t.Error("the link's secret is in the database")
	}
	a := o.post(t, nil, link, nil)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("sign in: got %d", a.Status)
	}
	c := cookie(t, a)
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 7*24*3600 {
		t.Errorf("got cookie %+v, want HttpOnly, Lax, seven days", c)
	}
	if strings.Contains(o.Dump(t), c.Value) {
		t.Error("the session's secret is in the database")
	}
	wants(t, "signed in", o.get(t, c, "/desk/"), 200, "What is going on", "mara@example.org")
	wants(t, "the link again", o.get(t, nil, link), 410, "This link has done its work")
	wants(t, "the link pressed again", o.post(t, nil, link, nil), 410, "This link has done its work")
	old := o.link(t, "mara@example.org")
	o.Pass(time.Hour)
	wants(t, "an old link", o.post(t, nil, old, nil), 410)
	wants(t, "no link", o.post(t, nil, "/desk/login/AAAA", nil), 410)
	err := o.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := desk.NewLink(t.Context(), tx, "nobody@example.org", o.Now())
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a link for nobody: got %v, want ErrNotFound", err)
	}
}

// Two presses of one link at the same moment sign in once.
func TestLoginLinkRace(t *testing.T) {
	o := open(t)
	o.add(t, "mara@example.org", desk.Owner)
	link := o.link(t, "")
	status := make(chan int)
	for range 8 {
		go func() { status <- o.post(t, nil, link, nil).Status }()
	}
	in := 0
	for range 8 {
		if <-status == http.StatusSeeOther {
			in++
		}
	}
	if in != 1 {
		t.Errorf("got %d sign-ins from one link, want 1", in)
	}
}

func TestSessions(t *testing.T) {
	t.Run("a planted cookie is worth nothing", func(t *testing.T) {
		o := open(t)
		o.add(t, "mara@example.org", desk.Owner)
		planted := &http.Cookie{Name: "pressrun-8080", Value: "PLANTED"}
		a := o.post(t, planted, o.link(t, ""), nil)
		if c := cookie(t, a); c.Value == planted.Value {
			t.Error("the session took the planted secret")
		}
		wants(t, "the planted one", o.get(t, planted, "/desk/"), 303)
	})
	t.Run("signing in ends the browser's session before", func(t *testing.T) {
		o := open(t)
		first := o.signIn(t, "mara@example.org", desk.Owner)
		second := cookie(t, o.post(t, first, o.link(t, ""), nil))
		wants(t, "the first", o.get(t, first, "/desk/"), 303)
		wants(t, "the second", o.get(t, second, "/desk/"), 200)
	})
	t.Run("sign out", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		a := o.post(t, c, "/desk/logout", nil)
		if got := cookie(t, a); a.Status != 303 || got.MaxAge >= 0 {
			t.Errorf("got %d and cookie %+v, want 303 and no cookie any more", a.Status, got)
		}
		wants(t, "afterwards", o.get(t, c, "/desk/"), 303)
	})
	t.Run("idle", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		for range 3 { // used every eleven hours it lives
			o.Pass(11 * time.Hour)
			wants(t, "after eleven hours", o.get(t, c, "/desk/"), 200)
		}
		o.Pass(12 * time.Hour)
		wants(t, "after twelve", o.get(t, c, "/desk/"), 303)
	})
	t.Run("seven days", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		for range 15 {
			o.Pass(11 * time.Hour)
			wants(t, "in use", o.get(t, c, "/desk/"), 200)
		}
		o.Pass(3 * time.Hour)
		wants(t, "after seven days", o.get(t, c, "/desk/"), 303)
	})
	t.Run("another role", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		o.add(t, "mara@example.org", desk.Owner)
		wants(t, "the same role", o.get(t, c, "/desk/"), 200)
		o.add(t, "mara@example.org", desk.Viewer)
		wants(t, "another role", o.get(t, c, "/desk/"), 303)
	})
	t.Run("removed", func(t *testing.T) {
		o := open(t)
		c := o.signIn(t, "mara@example.org", desk.Owner)
		link := o.link(t, "")
		o.InTx(t, func(tx *store.Tx) error { return desk.RemoveUser(t.Context(), tx, "mara@example.org") })
		wants(t, "the session", o.get(t, c, "/desk/"), 303)
		wants(t, "the link", o.post(t, nil, link, nil), 410)
	})
}

func TestAskForLink(t *testing.T) {
	o := open(t)
	o.AddSeries(t, "skin")
	o.add(t, "mara@example.org", desk.Editor)
	ask := func(email, from string) webtest.Answer {
		return o.do(t, nil, webtest.Request{Method: "POST", Path: "/desk/login", Form: url.Values{"email": {email}}, From: from})
	}
	known := ask("Mara@example.org", "192.0.2.1")
	wants(t, "known", known, 200, "Look into your mailbox")
	for _, email := range []string{"nobody@example.org", "no address", ""} {
		if got := ask(email, "192.0.2.1"); got.Status != 200 || got.Body != known.Body {
			t.Errorf("%q: the answer differs from a user's", email)
		}
	}
	var to, text string
	if err := o.DB.QueryRow(t.Context(), `SELECT to_email, text FROM notices WHERE kind = 'login'`).Scan(&to, &text); err != nil {
		t.Fatalf("no mail: %v", err)
	}
	link := regexp.MustCompile(`http://127\.0\.0\.1:8080(/desk/login/\S+)`).FindStringSubmatch(text)
	if to != "mara@example.org" || link == nil {
		t.Fatalf("got a mail to %s:\n%s", to, text)
	}
	wants(t, "the mailed link", o.post(t, nil, link[1], nil), 303)
	for i := range 30 { // from many networks
		ask("mara@example.org", fmt.Sprintf("192.0.%d.1", i+3))
	}
	if n := o.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 5 {
		t.Errorf("got %d mails to one user in an hour, want 5", n)
	}
	for range 30 {
		ask("nobody@example.org", "198.51.100.1")
	}
	wants(t, "one network", ask("nobody@example.org", "198.51.100.2"), 429, "A little slower")
}

// address puts things that exist into a pattern.
func (o *office) address(pattern, issue string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{$}", "", "{issue...}", issue, "{series}", "skin", "{article}", "skin-1", "{token}", "AAAA").Replace(path)
}

// Every route of the table, by nobody and by each role: who may not is turned away, who may is not.
func TestRoles(t *testing.T) {
	order := map[desk.Role]int{"": 0, desk.Viewer: 1, desk.Editor: 2, desk.Owner: 3}
	for _, role := range []desk.Role{"", desk.Viewer, desk.Editor, desk.Owner} {
		t.Run("role "+string(role), func(t *testing.T) {
			o := open(t)
			skin := o.AddSeries(t, "skin", "Water", "Sleep")
			o.AddReader(t, skin, "ada@example.org")
			issue := o.Send(t, skin)
			for _, r := range desk.Routes() {
				var c *http.Cookie
				if role != "" {
					c = o.signIn(t, "user@example.org", role)
				}
				method, path := o.address(r.Pattern, issue)
				before := o.Dump(t)
				a := o.do(t, c, webtest.Request{Method: method, Path: path, Form: url.Values{"as": {"sent"}}, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
				switch {
				case order[role] >= order[r.Least] && r.Least != "":
					if a.Status == 403 || a.Header.Get("Location") == "/desk/login" || a.Status >= 500 {
						t.Errorf("%s: got %d to %q, want it let through", r.Pattern, a.Status, a.Header.Get("Location"))
					}
				case r.Least == "":
				case role == "":
					if a.Status != 303 || a.Header.Get("Location") != "/desk/login" {
						t.Errorf("%s: got %d to %q, want 303 to the way in", r.Pattern, a.Status, a.Header.Get("Location"))
					}
				default:
					wants(t, r.Pattern, a, 403, "Your role does not reach so far")
				}
				if order[role] < order[r.Least] && o.Dump(t) != before {
					t.Errorf("%s: changed the database all the same", r.Pattern)
				}
			}
		})
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water")
	o.AddReader(t, skin, "ada@example.org")
	issue := o.Send(t, skin)
	c := o.signIn(t, "mara@example.org", desk.Owner)
	link := o.link(t, "")
	before := o.Dump(t)
	posts := 0
	for _, r := range desk.Routes() {
		method, path := o.address(r.Pattern, issue)
		if method != "POST" {
			continue
		}
		posts++
		path = strings.Replace(path, "/desk/login/AAAA", link, 1)
		a := o.do(t, c, webtest.Request{Method: "POST", Path: path, Form: url.Values{"as": {"sent"}}, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
		wants(t, r.Pattern, a, 403, "another site")
	}
	if posts < 10 {
		t.Errorf("got only %d routes that take forms", posts)
	}
	if o.Dump(t) != before || o.weeks != 0 {
		t.Error("a foreign form changed something")
	}
}

func TestLookingChangesNothing(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	o.Send(t, skin)
	c := o.signIn(t, "mara@example.org", desk.Owner)
	before := o.Dump(t)
	links := regexp.MustCompile(`(?:href|action|src)="(/desk/[^"]*)"`)
	for range 2 {
		todo, seen := []string{"/desk/"}, map[string]bool{}
		for len(todo) > 0 {
			path := todo[0]
			todo = todo[1:]
			if seen[path] {
				continue
			}
			seen[path] = true
			page := o.get(t, c, path)
			if page.Status >= 500 {
				t.Errorf("%s: got %d", path, page.Status)
			}
			o.do(t, c, webtest.Request{Method: "HEAD", Path: path})
			for _, found := range links.FindAllStringSubmatch(page.Body, -1) {
				todo = append(todo, found[1])
			}
		}
		if len(seen) < 10 {
			t.Errorf("got only %d links: %v", len(seen), seen)
		}
	}
	if o.Dump(t) != before {
		t.Error("looking changed the database")
	}
}

func TestOverview(t *testing.T) {
	o := open(t)
	c := o.signIn(t, "mara@example.org", desk.Editor)
	wants(t, "an empty desk", o.get(t, c, "/desk/"), 200, "There is no series yet", "Nothing is being sent", "Nothing has been sent yet",
		`action="/desk/next-week"`, `href="/inbox/"`)
	skin := o.AddSeries(t, "skin", "Water", "Sleep & <rest>", "Stress")
	o.AddReader(t, skin, "ada@example.org")
	wants(t, "before anything was sent", o.get(t, c, "/desk/"), 200, "Tuesday 2 March 2027", "09:00 GMT", "Water", "1 reader",
		`action="/desk/hold/skin/2027-03-02T09:00"`)
	issue := o.Send(t, skin)
	page := o.get(t, c, "/desk/")
	wants(t, "while it is sent", page, 200, `data-issue="`+issue+`"`, "0 of 1 sent", "<noscript><meta http-equiv=\"refresh\"", "Sleep &amp; &lt;rest&gt;",
		`action="/desk/pause/`+issue+`"`)
	o.trouble = errors.New("relay <b>away</b>")
	wants(t, "with a relay away", o.get(t, c, "/desk/"), 200, "Needs a decision", "Mail can’t leave", "relay &lt;b&gt;away&lt;/b&gt;")
	wants(t, "next week", o.post(t, c, "/desk/next-week", nil), 303)
	if o.weeks != 1 {
		t.Errorf("got %d weeks, want 1", o.weeks)
	}
	viewer := o.signIn(t, "eve@example.org", desk.Viewer)
	if body := o.get(t, viewer, "/desk/").Body; strings.Contains(body, "/desk/pause") || strings.Contains(body, "/desk/hold") || strings.Contains(body, "next-week") {
		t.Error("a viewer is shown buttons that are not theirs")
	}
}

// change presses a button and follows it to the page it leads to.
func (o *office) change(t *testing.T, c *http.Cookie, verb, name string, form url.Values) webtest.Answer {
	t.Helper()
	a := o.post(t, c, "/desk/"+verb+"/"+name, form)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%s %s: got %d:\n%s", verb, name, a.Status, a.Body)
	}
	return o.get(t, c, a.Header.Get("Location"))
}

func TestIssueButtons(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	issue := o.Send(t, skin)
	page := o.get(t, c, "/desk/issue/"+issue)
	wants(t, "issue", page, 200, "Water", "sending", "0 of 1 sent", `<iframe class="letter" sandbox src="/desk/issue/`+issue+`?view=letter"`, "for good")
	wants(t, "paused", o.change(t, c, "pause", issue, nil), 200, "it goes on where it stopped", "by mara@example.org", `action="/desk/resume/`+issue+`"`)
	wants(t, "resumed", o.change(t, c, "resume", issue, nil), 200, "It goes on.")
	wants(t, "nothing to try again", o.change(t, c, "retry", issue, nil), 200, "None of the failed ones")
	again := o.post(t, c, "/desk/resume/"+issue, nil)
	wants(t, "resumed twice", again, 409, "That is not possible now", "sending")
	wants(t, "settle", o.change(t, c, "settle", issue, url.Values{"as": {"sent"}}), 200, "Counted as sent")
	wants(t, "cancelled", o.change(t, c, "cancel", issue, nil), 200, "Cancelled.", "cancelled")
	wants(t, "settle as something", o.post(t, c, "/desk/settle/"+issue, url.Values{"as": {"lost"}}), 400)
	wants(t, "no such issue", o.get(t, c, "/desk/issue/skin/2030-01-01T00:00"), 404)
	wants(t, "hold no issue", o.post(t, c, "/desk/hold/none/2030-01-01T00:00", nil), 404)
}

func TestHoldComingSlot(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	slot := "skin/2027-03-02T09:00"
	held := o.change(t, c, "hold", slot, nil)
	wants(t, "held", held, 200, "Held: nothing of it leaves", `action="/desk/release/`+slot+`"`, "by mara@example.org")
	o.Pass(24 * time.Hour)
	if _, err := o.Publisher.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = o.signIn(t, "mara@example.org", desk.Editor)
	wants(t, "at its time", o.get(t, c, "/desk/"), 200, "Needs a decision", "Water", `action="/desk/release/`+slot+`"`)
	wants(t, "released", o.change(t, c, "release", slot, nil), 200, "Released.", "sending")
}

func TestLetterFrame(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Viewer)
	issue := o.Send(t, skin)
	for path, text := range map[string]string{"/desk/issue/" + issue + "?view=letter": "Water", "/desk/article/skin-2/letter": "Sleep"} {
		a := o.get(t, c, path)
		wants(t, path, a, 200, text, webtest.Disclaimer)
		if policy := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox; ") || a.Header.Get("X-Frame-Options") != "SAMEORIGIN" {
			t.Errorf("%s: got policy %q, frame options %q", path, policy, a.Header.Get("X-Frame-Options"))
		}
		if strings.Contains(a.Body, "ada@example.org") {
			t.Errorf("%s: a reader's address is in the letter", path)
		}
	}
	wants(t, "article", o.get(t, c, "/desk/article/skin-2"), 200, "Sleep", "ready", `src="/desk/article/skin-2/letter"`)
	wants(t, "no article", o.get(t, c, "/desk/article/none"), 404)
}

func TestSeriesPage(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep", "Stress")
	o.AddReader(t, skin, "ada@example.org")
	o.AskToJoin(t, skin, "bob@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	o.Send(t, skin)
	wants(t, "series", o.get(t, c, "/desk/series/skin"), 200, "The skin letters", "Tuesdays at 09:00", "Europe/London", "Water", "Stress",
		"went out Monday 1 March 2027", "http://127.0.0.1:8080/s/skin/subscribe", `action="/desk/series/skin/pause"`)
	paused := o.post(t, c, "/desk/series/skin/pause", nil)
	wants(t, "paused", o.get(t, c, paused.Header.Get("Location")), 200, "no slot of this series fires", `action="/desk/series/skin/resume"`)
	resumed := o.post(t, c, "/desk/series/skin/resume", nil)
	wants(t, "resumed", o.get(t, c, resumed.Header.Get("Location")), 200, "goes on with its next regular slot")
	wants(t, "no series", o.post(t, c, "/desk/series/none/pause", nil), 404)
}

// The stream tells numbers as they change, and to load the page again when more has changed.
func TestProgress(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	issue := o.Send(t, skin)
	c := o.signIn(t, "mara@example.org", desk.Viewer)
	server := httptest.NewServer(web.NewServer(o, o.Log.Logger()).Handler)
	defer server.Close()
	path := regexp.MustCompile(`data-stream="([^"]+)"`).FindStringSubmatch(o.get(t, c, "/desk/").Body)
	if path == nil {
		t.Fatal("the overview has no stream")
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(c)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("got Content-Type %q", got)
	}
	lines := bufio.NewScanner(response.Body)
	next := func() (event, data string) {
		for lines.Scan() {
			line := lines.Text()
			if e, ok := strings.CutPrefix(line, "event: "); ok {
				event = e
			} else if d, ok := strings.CutPrefix(line, "data: "); ok {
				data = d
			} else if line == "" && event != "" {
				return event, data
			}
		}
		return "", ""
	}
	event, data := next()
	var issues []struct {
		Issue, Line string
		Counts      map[string]string
	}
	if err := json.Unmarshal([]byte(data), &issues); event != "progress" || err != nil || len(issues) != 1 {
		t.Fatalf("got event %q with %s (%v)", event, data, err)
	}
	if got := issues[0]; got.Issue != issue || got.Line != "0 of 1 sent" || got.Counts["open"] != "1" {
		t.Errorf("got %+v", got)
	}
	if err := o.Publisher.PauseIssue(t.Context(), issue, "a test"); err != nil {
		t.Fatal(err)
	}
	if event, _ := next(); event != "changed" {
		t.Errorf("after the pause: got event %q, want changed", event)
	}
	wants(t, "a page of before", o.get(t, c, path[1]), 200, "event: changed")
}

func TestStrangersAreShownIn(t *testing.T) {
	o := open(t)
	wants(t, "the way in", o.get(t, nil, "/desk/login"), 200, "The desk needs no password", `action="/desk/login"`)
	for _, path := range []string{"/desk/", "/desk/nothing", "/desk/issue/skin/x", "/desk/progress"} {
		a := o.get(t, nil, path)
		if a.Status != 303 || a.Header.Get("Location") != "/desk/login" {
			t.Errorf("%s: got %d to %q, want 303 to the way in", path, a.Status, a.Header.Get("Location"))
		}
	}
	c := o.signIn(t, "mara@example.org", desk.Owner)
	wants(t, "no page", o.get(t, c, "/desk/nothing"), 404, "There is no such page")
}

func TestLogsKeepSecrets(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Owner)
	issue := o.Send(t, skin)
	link := o.link(t, "")
	do := func() {
		o.get(t, nil, link)
		o.post(t, nil, "/desk/login", url.Values{"email": {"mara@example.org"}})
		o.post(t, c, "/desk/pause/"+issue, nil)
		o.post(t, nil, link, nil)
		o.get(t, c, "/desk/")
	}
	do()
	if err := o.DB.Close(); err != nil {
		t.Fatal(err)
	}
	do()
	log := o.Log.String()
	for _, want := range []string{"issue changed on the desk", "/desk/login/[token]"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, secret := range []string{strings.TrimPrefix(link, "/desk/login/"), c.Value, "mara@", "ada@"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", secret, log)
		}
	}
}

// A label of the table that no page leads to, or a name that is markup, stays harmless.
func TestNaughtyNames(t *testing.T) {
	o := open(t)
	c := o.signIn(t, "mara@example.org", desk.Owner)
	naughty := `"><script>alert(1)</script>{{.Env}}`
	var skin series.Series
	o.InTx(t, func(tx *store.Tx) (err error) {
		skin, err = series.Add(t.Context(), tx, "skin", series.Change{
			Title: &naughty, FromName: new("Mara"), FromEmail: new("mara@harbour.example"), PostalAddress: new("12 Quay Street"),
			Zone: new("Europe/London"), Disclaimer: new(webtest.Disclaimer), Schedule: []string{"0 9 * * 2"},
		}, o.Now())
		if err != nil {
			return err
		}
		_, err = series.ImportArticles(t.Context(), tx, skin.ID, []series.Incoming{{Slug: "skin-1", Text: series.Text{
			Title: naughty, Markdown: naughty + "\n\n[x](javascript:alert(1)) <img src=x onerror=alert(1)>",
		}}}, series.ImportOptions{Ready: true}, o.Now())
		return err
	})
	o.AddReader(t, skin, "ada@example.org")
	issue := o.Send(t, skin)
	for _, path := range []string{"/desk/", "/desk/series/skin", "/desk/article/skin-1", "/desk/article/skin-1/letter", "/desk/issue/" + issue, "/desk/issue/" + issue + "?view=letter"} {
		body := o.get(t, c, path).Body
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: %s survived:\n%s", path, bad, body)
			}
		}
	}
}

package desk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

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
	o.mailLinks(t)
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
	o.mailLinks(t)
	if n := o.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 5 {
		t.Errorf("got %d mails to one user in an hour, want 5", n)
	}
	for range 30 {
		ask("nobody@example.org", "198.51.100.1")
	}
	wants(t, "one network", ask("nobody@example.org", "198.51.100.2"), 429, "A little slower")
}

// The page waits for nothing that is done for a user, and not for anybody else: the database is busy, and it is there.
func TestAskingTellsNothingByItsTime(t *testing.T) {
	o := open(t)
	o.AddSeries(t, "skin")
	o.add(t, "mara@example.org", desk.Editor)
	begun, finish := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- o.DB.InTx(context.Background(), func(*store.Tx) error { close(begun); <-finish; return nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { o.MailLinks(ctx); close(ended) }()
	answered := make(chan int, 1)
	go func() { answered <- o.post(t, nil, "/desk/login", url.Values{"email": {"mara@example.org"}}).Status }()
	select {
	case status := <-answered:
		if status != 200 {
			t.Errorf("got status %d, want 200", status)
		}
	case <-time.After(time.Minute):
		t.Error("the page waits for what is done for a user")
	}
	cancel() // who was told to look into their mailbox gets the mail all the same
	close(finish)
	<-ended
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	if n := o.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 1 {
		t.Errorf("got %d mails, want 1", n)
	}
}

// Where more links are asked for than can be mailed, users and strangers see the same, and nothing piles up.
func TestAskingTooOften(t *testing.T) {
	o := open(t)
	o.AddSeries(t, "skin")
	o.add(t, "mara@example.org", desk.Editor)
	asked := 0
	ask := func(email string) webtest.Answer {
		asked++
		return o.do(t, nil, webtest.Request{Method: "POST", Path: "/desk/login", Form: url.Values{"email": {email}}, From: fmt.Sprintf("192.0.%d.1", asked)})
	}
	first := ask("nobody@example.org")
	for range 150 {
		ask("nobody@example.org")
	}
	for _, email := range []string{"nobody@example.org", "mara@example.org"} {
		if got := ask(email); got.Status != first.Status || got.Body != first.Body {
			t.Errorf("%s: got %d and another page than at first:\n%s", email, got.Status, got.Body)
		}
	}
	o.mailLinks(t)
	if n := o.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 0 {
		t.Errorf("got %d mails, want none: 100 were waiting", n)
	}
	if !strings.Contains(o.Log.String(), "too many wait") {
		t.Error("the log doesn't say why no link was mailed")
	}
	ask("mara@example.org")
	o.mailLinks(t)
	if n := o.Count(t, `SELECT count(*) FROM notices WHERE kind = 'login'`); n != 1 {
		t.Errorf("afterwards: got %d mails, want 1", n)
	}
}

// Browsers that send no Sec-Fetch-Site are known by their Origin. They write it where the page of the form allows to, and it is
// the site's own also where a proxy asks under another Host.
func TestOldBrowsersSignIn(t *testing.T) {
	o := open(t)
	o.AddSeries(t, "skin")
	o.add(t, "mara@example.org", desk.Editor)
	for _, page := range []string{"/desk/login", "/desk/login/AAAA"} {
		if got := o.get(t, nil, page).Header.Get("Referrer-Policy"); got != "same-origin" {
			t.Errorf("%s, where the link is asked for: got Referrer-Policy %q, want same-origin", page, got)
		}
	}
	link := o.link(t, "mara@example.org")
	if got := o.get(t, nil, link).Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("a link that is good: got Referrer-Policy %q, want no-referrer", got)
	}
	for origin, want := range map[string]int{o.Base.String(): 200, "https://evil.example": 403, "null": 403} {
		r := httptest.NewRequest("POST", "/desk/login", strings.NewReader("email=mara@example.org"))
		r.Host = "10.0.0.7:8080"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from origin %s: got %d, want %d", origin, w.Code, want)
		}
	}
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

package desk_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

// office is a desk with a site under it.
type office struct {
	*webtest.Site
	*desk.Desk
	weeks   int
	trouble error
}

func open(t *testing.T) *office {
	t.Helper()
	return openAt(t, pace.Plan{})
}

// openAt is open for a site that sends at a pace.
func openAt(t *testing.T, plan pace.Plan) *office {
	t.Helper()
	o := &office{Site: webtest.New(t, desk.Migrate)}
	o.Pace(t, plan)
	var err error
	o.Desk, err = desk.New(desk.Config{
		DB: o.DB, Publisher: o.Publisher, BaseURL: o.Base, Now: o.Now, SessionNow: o.Now, Log: o.Log.Logger(), InboxURL: "/inbox/",
		Trouble:  func() error { return o.trouble },
		NextWeek: func(context.Context) error { o.weeks++; return nil },
	})
	if err != nil {
		t.Fatalf("desk: %v", err)
	}
	return o
}

// mailLinks mails the login links that were asked for.
func (o *office) mailLinks(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.MailLinks(ctx)
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

// The desk has English words alone: on the site of another language, too, it says so and has nothing of the other.
func TestDeskIsEnglish(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Wasser", "Schlaf")
	o.AddReader(t, skin, "ada@example.org")
	german := o.Config()
	german.Language = "de"
	publisher, err := newsletter.New(newsletter.Config{DB: o.DB, Key: o.Key, Site: german, Now: o.Now, Log: o.Log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	o.Desk, err = desk.New(desk.Config{DB: o.DB, Publisher: publisher, BaseURL: o.Base, Now: o.Now, SessionNow: o.Now, Log: o.Log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	c := o.signIn(t, "mara@example.org", desk.Editor)
	english := []string{`<html lang="en" dir="ltr">`, "Skip to the text"}
	wants(t, "overview", o.get(t, c, "/desk/"), 200, append(english, "Tuesday 2 March 2027")...)
	wants(t, "series", o.get(t, c, "/desk/series/skin"), 200, english...)
	wants(t, "slot", o.get(t, c, "/desk/issue/skin/2027-03-02T09:00"), 200, append(english, "Tuesday 2 March 2027 at 09:00")...)
	wants(t, "no page", o.get(t, c, "/desk/nothing"), 404, append(english, "There is no such page")...)
	wants(t, "sign in", o.get(t, nil, "/desk/login"), 200, english...)
}

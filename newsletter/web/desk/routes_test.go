package desk_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/webtest"
)

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

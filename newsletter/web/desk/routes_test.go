package desk_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
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

// least is the least role that may use each address, written down once more: the table under test is not asked. "" is anybody.
var least = map[string]desk.Role{
	"GET /desk/login":                    "",
	"POST /desk/login":                   "",
	"GET /desk/login/{token}":            "",
	"POST /desk/login/{token}":           "",
	"POST /desk/logout":                  "",
	"GET /desk/{$}":                      desk.Viewer,
	"GET /desk/progress":                 desk.Viewer,
	"GET /desk/series/{series}":          desk.Viewer,
	"GET /desk/article/{article}":        desk.Viewer,
	"GET /desk/article/{article}/letter": desk.Viewer,
	"GET /desk/issue/{issue...}":         desk.Viewer,
	"POST /desk/series/{series}/pause":   desk.Editor,
	"POST /desk/series/{series}/resume":  desk.Editor,
	"POST /desk/hold/{issue...}":         desk.Editor,
	"POST /desk/release/{issue...}":      desk.Editor,
	"POST /desk/pause/{issue...}":        desk.Editor,
	"POST /desk/resume/{issue...}":       desk.Editor,
	"POST /desk/cancel/{issue...}":       desk.Editor,
	"POST /desk/retry/{issue...}":        desk.Editor,
	"POST /desk/settle/{issue...}":       desk.Editor,
	"POST /desk/next-week":               desk.Editor,
}

// Every route, by nobody and by each role: who may not is turned away and changes nothing, who may is let through.
func TestRoles(t *testing.T) {
	if got, want := slices.Sorted(slices.Values(desk.Patterns())), slices.Sorted(maps.Keys(least)); !slices.Equal(got, want) {
		t.Fatalf("got routes %q, want %q", got, want)
	}
	order := []desk.Role{"", desk.Viewer, desk.Editor, desk.Owner}
	for _, role := range order {
		t.Run("role "+string(role), func(t *testing.T) {
			o := open(t)
			skin := o.AddSeries(t, "skin", "Water", "Sleep")
			o.AddReader(t, skin, "ada@example.org")
			issue := o.Send(t, skin)
			for _, pattern := range desk.Patterns() {
				least := least[pattern]
				var c *http.Cookie
				if role != "" {
					c = o.signIn(t, "user@example.org", role)
				}
				method, path := o.address(pattern, issue)
				before, weeks := o.Dump(t), o.weeks
				a := o.do(t, c, webtest.Request{Method: method, Path: path, Form: url.Values{"as": {"sent"}}, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
				shownIn := a.Status == 303 && a.Header.Get("Location") == "/desk/login" && a.Header.Get("Set-Cookie") == "" // signing out sets one
				switch {
				case slices.Index(order, role) >= slices.Index(order, least):
					if a.Status == 403 || shownIn || a.Status >= 500 {
						t.Errorf("%s: got %d to %q, want it let through", pattern, a.Status, a.Header.Get("Location"))
					}
					continue
				case role == "":
					if !shownIn {
						t.Errorf("%s: got %d to %q, want 303 to the way in", pattern, a.Status, a.Header.Get("Location"))
					}
				default:
					wants(t, pattern, a, 403, "Your role does not reach so far")
				}
				if o.Dump(t) != before || o.weeks != weeks {
					t.Errorf("%s: changed something all the same", pattern)
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
	for _, pattern := range desk.Patterns() {
		method, path := o.address(pattern, issue)
		if method != "POST" {
			continue
		}
		posts++
		path = strings.Replace(path, "/desk/login/AAAA", link, 1)
		a := o.do(t, c, webtest.Request{Method: "POST", Path: path, Form: url.Values{"as": {"sent"}}, Header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
		wants(t, pattern, a, 403, "another site")
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
		o.mailLinks(t)
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

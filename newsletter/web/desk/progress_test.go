package desk_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"pressrun/newsletter/web"
	"pressrun/newsletter/web/desk"
)

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

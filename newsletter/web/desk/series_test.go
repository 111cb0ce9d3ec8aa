package desk_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/web/desk"
)

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
	page := o.get(t, c, "/desk/series/skin").Body
	if n := strings.Count(page, "The series is paused"); n != 1 || strings.Contains(page, "pressrun series resume") {
		t.Errorf("the pause is said %d times, want once and by the button:\n%s", n, page)
	}
	for _, path := range []string{"/desk/", "/desk/issue/skin/2027-03-02T09:00"} {
		other := o.get(t, c, path)
		wants(t, path, other, 200, "The series is paused.")
		if strings.Contains(other.Body, "pressrun series resume") {
			t.Errorf("%s: it names a command where a button is:\n%s", path, other.Body)
		}
	}
	resumed := o.post(t, c, "/desk/series/skin/resume", nil)
	wants(t, "resumed", o.get(t, c, resumed.Header.Get("Location")), 200, "goes on with its next regular slot")
	wants(t, "no series", o.post(t, c, "/desk/series/none/pause", nil), 404)
}

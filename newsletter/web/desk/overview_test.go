package desk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pressrun/newsletter/pace"
	"pressrun/newsletter/web/desk"
)

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

// Wherever an issue is sent or planned, its end at the pace that is set stands beside it.
func TestEnds(t *testing.T) {
	rate, err := pace.ParseRate("10/h")
	if err != nil {
		t.Fatal(err)
	}
	o := openAt(t, pace.Plan{Relay: rate})
	c := o.signIn(t, "mara@example.org", desk.Editor)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	for i := range 31 {
		o.AddReader(t, skin, fmt.Sprintf("reader%d@example.org", i))
	}
	const planned = "its last message leaves by Tuesday 2 March 2027 at 12:00."
	for _, path := range []string{"/desk/", "/desk/series/skin"} {
		wants(t, path+", planned", o.get(t, c, path), 200, planned)
	}
	issue := o.Send(t, skin)
	const sending = "its last message leaves by Monday 1 March 2027 at 15:00."
	for _, path := range []string{"/desk/", "/desk/issue/" + issue} {
		wants(t, path+", sending", o.get(t, c, path), 200, sending)
	}
	free := open(t)
	free.AddReader(t, free.AddSeries(t, "skin", "Water"), "ada@example.org")
	if a := free.get(t, free.signIn(t, "mara@example.org", desk.Editor), "/desk/"); strings.Contains(a.Body, "its last message leaves") {
		t.Error("without a pace nobody knows when an issue ends")
	}
}

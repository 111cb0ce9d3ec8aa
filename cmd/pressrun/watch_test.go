package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMeter: the rate is that of the last ten seconds, and the time left what the rest takes at it.
func TestMeter(t *testing.T) {
	type reading struct {
		after time.Duration // the one before
		done  int64
	}
	for _, tt := range []struct {
		name      string
		readings  []reading
		remaining int64
		want      string
	}{
		{"the first one", []reading{{0, 500}}, 100, ""},
		{"steady", []reading{{0, 0}, {time.Second, 100}, {time.Second, 200}}, 1000, "100/s, 10s left"},
		{"slow", []reading{{0, 0}, {10 * time.Second, 5}}, 5, "0.5/s, 10s left"},
		{"what was long ago", []reading{{0, 0}, {time.Second, 10_000}, {10 * time.Second, 10_100}}, 100, "10/s, 10s left"},
		{"stands", []reading{{0, 7}, {time.Second, 7}, {time.Second, 7}}, 100, ""},
		{"goes back, where somebody sends again", []reading{{0, 7}, {time.Second, 5}}, 2, ""},
		{"through", []reading{{0, 0}, {time.Second, 100}}, 0, "100/s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m meter
			rate, at := 0.0, time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
			for _, r := range tt.readings {
				at = at.Add(r.after)
				rate = m.rate(at, r.done)
			}
			if got := strings.Join(progressWords(tt.remaining, rate), ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestWatchBesideServe: serve sends, and issue send --watch says so, follows it to the end and tells what serve has done.
func TestWatchBesideServe(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example", "ben@reader.example")
	defer site.serve()()
	said := site.run("issue", "send", "bread", "--yes", "--watch")
	for _, want := range []string{"/now · done · 2 of 2 · 2 sent\n", "for 2 readers. The running pressrun delivered: 2 sent.\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("issue send --watch beside serve lacks %q:\n%s", want, said)
		}
	}
}

// TestWelcomeIsReadable: a welcome is never done, since newcomers are added to it; it isn't shown as if it were stuck, and a watch of it ends.
func TestWelcomeIsReadable(t *testing.T) {
	site := newTrial(t)
	site.bread("ben@reader.example")
	site.run("series", "set", "bread", "--welcome", "latest", "--start", "2099-01-06") // no slot is near, to which it would give way
	site.run("issue", "send", "bread", "--yes")
	stop := site.serve()
	site.run("subscriber", "add", "bread", "ada@reader.example", "--yes")
	asked := site.await(2)[1]
	site.post("/c/"+confirmToken.FindStringSubmatch(readMail(t, asked.Data).text)[1], nil)
	site.await(3)
	stop()
	listed := site.run("issue", "list")
	name := regexp.MustCompile(`bread/\S+/welcome`).FindString(listed)
	if !regexp.MustCompile(`/welcome +a-warm-oven +for newcomers +1 +0 +0 +0 +0\n`).MatchString(listed) {
		t.Fatalf("the welcome isn't listed as one for newcomers:\n%s", listed)
	}
	if said := site.run("issue", "show", name, "--watch"); said != name+" · for newcomers · 1 of 1 · 1 sent\n" {
		t.Errorf("issue show --watch of a welcome: %q", said)
	}
	if shown := site.run("issue", "show", name, "--json"); !strings.Contains(shown, `"state": "sending"`) {
		t.Errorf("the state in JSON changed:\n%s", shown)
	}
}

package newsletter_test

import (
	"testing"
	"time"

	"pressrun/newsletter/series"
)

// TestRule3NoWelcomeWithWhatIsStopped: while the issue of an article waits for an editor's word no newcomer is welcomed with it.
func TestRule3NoWelcomeWithWhatIsStopped(t *testing.T) {
	hold := func(w *world) {
		w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figure two is wrong"))
		w.run(tuesday(2))
	}
	late := func(w *world) { w.run(tuesday(2).Add(7 * time.Hour)) }
	pause := func(w *world) {
		w.run(tuesday(2))
		w.check("pause", w.p.PauseIssue(w.ctx, "skin/"+wall(2), "figure two is wrong"))
	}
	cancel := func(w *world) {
		w.run(tuesday(2))
		w.check("cancel", w.p.CancelIssue(w.ctx, "skin/"+wall(2), "figure two is wrong"))
	}
	for _, tt := range []struct {
		name    string
		mode    series.Mode
		welcome string
		stop    func(w *world)
		want    []string
	}{
		{"latest, held by an editor", series.Live, "latest", hold, []string{"one pending"}},
		{"latest, held since it is late", series.Live, "latest", late, []string{"one pending"}},
		{"latest, paused", series.Live, "latest", pause, []string{"one pending"}},
		{"latest, cancelled", series.Live, "latest", cancel, []string{"one pending"}},
		{"latest, sent", series.Live, "latest", func(w *world) { w.run(tuesday(2)) }, []string{"two pending"}},
		{"first, held", series.Live, "first", func(w *world) {
			_, err := w.p.Withdraw(w.ctx, "one")
			w.check("withdraw", err)
			hold(w)
		}, []string{}},
		{"drip, held", series.Drip, "first", func(w *world) {
			w.enrol(series.Series{ID: 1}, "cyd") // who is at the first
			hold(w)
		}, []string{}},
		{"drip, going", series.Drip, "first", func(w *world) { w.run(tuesday(2)) }, []string{"one pending"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode, Welcome: &tt.welcome})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ben")
			w.run(monday)
			w.run(tuesday(1))
			w.clock.set(tuesday(1).Add(time.Hour))
			tt.stop(w)
			w.clock.set(w.clock.now().Add(time.Hour))
			w.join(s, "ada")
			equal(t, "welcome", w.deliveriesOf("ada")[1:], tt.want)
		})
	}
}

// TestRule3TheWelcomeGivesWayPastASkippedDate: what the next slot with a date sends is not given away before it.
func TestRule3TheWelcomeGivesWayPastASkippedDate(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Welcome: ptr("first")})
	w.articles(s, "one", "two")
	w.enrol(s, "ben")
	w.clock.set(monday.Add(-2 * 24 * time.Hour))
	w.run(w.clock.now())
	for n := 1; n <= 9; n++ {
		w.skip(s, n)
	}
	_, next := w.join(s, "ada")
	equal(t, "next", next, tuesday(10))
	equal(t, "no welcome", w.deliveriesOf("ada")[1:], []string{})
	w.run(tuesday(10))
	equal(t, "the slot's issue", w.deliveriesOf("ada")[1:], []string{"one pending"})
}

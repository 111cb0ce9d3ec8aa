package newsletter_test

import (
	"testing"
	"time"

	"pressrun/newsletter"
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

// promised is when a reader's preferences say that the next letter of a series comes.
func (w *world) promised(s series.Series, name string) time.Time {
	w.t.Helper()
	prefs, err := w.p.Preferences(w.ctx, w.link(s, name))
	w.check("preferences", err)
	for _, one := range prefs.Series {
		if one.Series.ID == s.ID {
			return one.Next
		}
	}
	w.t.Fatalf("%s is not in series %s", name, s.Slug)
	return time.Time{}
}

// TestRule3TheNextLetterIsPromisedForWhenItComes: the welcome puts the drip's coming slot off, and to who has had everything none comes.
func TestRule3TheNextLetterIsPromisedForWhenItComes(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one", "two")
	w.enrol(s, "ben")
	w.run(tuesday(1))
	w.clock.set(tuesday(2).Add(-48 * time.Hour))
	joined, next := w.join(s, "ada")
	equal(t, "welcomed", joined.Welcomed, true)
	equal(t, "promised to ada", []time.Time{next, w.promised(s, "ada")}, []time.Time{tuesday(3), tuesday(3)})
	equal(t, "promised to ben", w.promised(s, "ben"), tuesday(2))
	w.run(tuesday(2))
	equal(t, "ada before", w.deliveriesOf("ada"), []string{"notice pending", "one pending"})
	w.run(tuesday(3))
	equal(t, "ada", w.deliveriesOf("ada"), []string{"notice pending", "one pending", "two pending"})
	equal(t, "of nothing more", w.promised(s, "ada"), time.Time{})
}

// TestRule11NothingHeldIsPromised: neither what is on hold nor what comes behind it.
func TestRule11NothingHeldIsPromised(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(mode)})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figure two"))
			equal(t, "before the hold", w.promised(s, "ada"), tuesday(1))
			w.run(tuesday(1))
			equal(t, "on hold", w.promised(s, "ada"), time.Time{})
			w.run(tuesday(2))
			equal(t, "behind a held issue", w.promised(s, "ada"), time.Time{})
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)))
			equal(t, "released", w.promised(s, "ada"), tuesday(3))
		})
	}
}

// TestRule14WhatWasHadIsNotPromised: the coming issue of a live series is one that ada had by an announcement.
func TestRule14WhatWasHadIsNotPromised(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada", "ben")
	_, _, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Where: "email = ada@reader.example", Article: "one"}, false)
	w.check("announce", err)
	equal(t, "promised", []time.Time{w.promised(s, "ada"), w.promised(s, "ben")}, []time.Time{tuesday(2), tuesday(1)})
}

// TestRule11NobodyIsWelcomedWithWhatIsHeld: in drip a newcomer gets what the slot on hold has for them once it is released.
func TestRule11NobodyIsWelcomedWithWhatIsHeld(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one", "two")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	joined, next := w.join(s, "ada")
	equal(t, "welcomed", joined.Welcomed, false)
	equal(t, "promised", next, time.Time{})
	equal(t, "her slot", w.run(tuesday(1)), []string{wall(1) + " held 1"})
	joined, _ = w.join(s, "ben")
	equal(t, "once it is an issue", joined.Welcomed, false)
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "ada", w.deliveriesOf("ada"), []string{"notice pending", "one pending"})
}

// TestRule11NobodyIsWelcomedWithWhatCouldNotBeFrozen: nor once that is mended, since the slot on hold has it still.
func TestRule11NobodyIsWelcomedWithWhatCouldNotBeFrozen(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first"), WhenNotReady: ptr("hold")})
	w.articles(s, "one?", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	equal(t, "a draft", w.run(tuesday(1)), []string{wall(1) + " held 0"})
	w.article("one", series.MarkReady)
	joined, _ := w.join(s, "ben")
	equal(t, "welcomed", joined.Welcomed, false)
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "ben", w.deliveriesOf("ben"), []string{"notice pending", "one pending"})
}

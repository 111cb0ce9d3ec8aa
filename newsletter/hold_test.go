package newsletter_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestRule11AHoldOutlivesAnOutage: the program is away over slots of which an editor holds one or more. Nothing that is held goes out by
// itself, and plan and explain say before what the run does.
func TestRule11AHoldOutlivesAnOutage(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    series.Mode
		hold    []int
		pin     int // slot that "three" is pinned to; 0: none
		back    time.Time
		want    []string // slots of the run
		planned []string // the same slots before it, and the one after
		held    string   // the issue
		next    []string // two slots once that is released: ada's deliveries
	}{
		{
			"the slot that an outage passed over", series.Live,
			[]int{1},
			0, tuesday(2).Add(5 * time.Minute),
			[]string{wall(1) + " held 0", wall(2) + " waiting 0"},
			[]string{wall(1) + " one blocked-by-hold 1", wall(2) + "  waiting 11", wall(3) + " two send 1"},
			wall(1),
			[]string{"one pending", "two pending", "three pending"},
		},
		{
			"slots before it are missed", series.Live,
			[]int{2},
			0, tuesday(3).Add(24 * time.Hour),
			[]string{wall(1) + " missed 0", wall(2) + " held 0", wall(3) + " waiting 0"},
			[]string{wall(1) + "  missed 12", wall(2) + " one blocked-by-hold 1", wall(3) + "  waiting 11", wall(4) + " two send 1"},
			wall(2),
			[]string{"one pending", "two pending", "three pending"},
		},
		{
			"the second hold goes on to the next slot", series.Live,
			[]int{1, 2},
			0, tuesday(3),
			[]string{wall(1) + " held 0", wall(2) + " waiting 0", wall(3) + " waiting 0"},
			[]string{wall(1) + " one blocked-by-hold 1", wall(2) + "  waiting 11", wall(3) + "  waiting 11", wall(4) + " two blocked-by-hold 1"},
			wall(1),
			[]string{"one pending"},
		},
		{
			"what is pinned to it is what is held", series.Live,
			[]int{1},
			1, tuesday(2),
			[]string{wall(1) + " held 0", wall(2) + " waiting 0"},
			[]string{wall(1) + " three blocked-by-hold 10", wall(2) + "  waiting 11", wall(3) + " one send 1"},
			wall(1),
			[]string{"three pending", "one pending", "two pending"},
		},
		{
			"drip", series.Drip,
			[]int{1},
			0, tuesday(2),
			[]string{wall(1) + " held 1", wall(2) + " waiting 0"},
			[]string{wall(1) + " one blocked-by-hold 1", wall(2) + "  waiting 11", wall(3) + " two send 1"},
			wall(1) + "/one",
			[]string{"one pending", "two pending", "three pending"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.run(monday)
			for _, n := range tt.hold {
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(n), "figure "+itoa(n)+" is wrong"))
			}
			if tt.pin > 0 {
				w.pin(s, tt.pin, "three")
			}
			w.clock.set(tt.back)
			w.foretold(tt.planned)
			equal(t, "run", w.run(tt.back), tt.want)
			equal(t, "held", strings.Fields(w.issue("skin/" + tt.held))[0], "held")
			st, err := w.p.Issue(w.ctx, "skin/"+tt.held)
			w.check("issue", err)
			contains(t, "its reason", st.Issue.Reason, "figure "+itoa(tt.hold[0])+" is wrong")
			contains(t, "editors", strings.Join(w.notices("editors"), "\n"), "an issue is held", "still held")
			equal(t, "once more", w.run(tt.back.Add(time.Hour)), []string{})
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+tt.held))
			last := len(tt.want)
			w.run(tuesday(last + 1))
			w.run(tuesday(last + 2))
			equal(t, "ada", w.deliveriesOf("ada"), tt.next)
		})
	}
}

// foretold compares what plan and explain say to each other and to what is wanted, as "SLOT ARTICLE OUTCOME RULE".
func (w *world) foretold(want []string) {
	w.t.Helper()
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", len(want))
	w.check("explain", err)
	planned, err := w.p.Plan(w.ctx, "skin", len(want), time.Time{})
	w.check("plan", err)
	for i, line := range lines {
		outcome := line.Outcome
		if outcome == "send" && strings.Contains(line.Why, "It is held") {
			outcome = "blocked-by-hold"
		}
		got := strings.Join([]string{line.Slot, line.Article, outcome, itoa(line.Rule)}, " ")
		if got != want[i] {
			w.t.Errorf("explain: got %q, want %q (%s)", got, want[i], line.Why)
		}
		if planned[i].Article != line.Article || planned[i].Slot != line.Slot || (planned[i].Blocked == "") != (outcome == "send") {
			w.t.Errorf("the plan says %+v, explain %+v", planned[i], line)
		}
	}
}

// TestRule11TheSecondHoldIsKept: the slot that waits behind a held issue was held for a reason of its own.
func TestRule11TheSecondHoldIsKept(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figure two"))
	w.run(tuesday(1))
	equal(t, "the second waits behind the first", w.run(tuesday(2)), []string{wall(2) + " waiting 0"})
	equal(t, "and is held no more itself", w.issue("skin/"+wall(2)), "waiting")
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
	equal(t, "what it held", w.run(tuesday(3)), []string{wall(3) + " held 0"})
	st, err := w.p.Issue(w.ctx, "skin/"+wall(3))
	w.check("issue", err)
	equal(t, "reason", []string{st.Article, st.Issue.Reason}, []string{"two", "figure two"})
}

// pause pauses a series and resumes it at an instant.
func (w *world) pause(s series.Series, until time.Time) {
	w.t.Helper()
	w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, s.Slug, w.clock.now()) })
	w.clock.set(until)
	w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, s.Slug, w.clock.now()) })
}

// TestRule11EachHoldIsKept: several slots in a row are held, and one of them, or two, end without an issue. Each letter is held with its
// own reason then, and what is not held goes.
func TestRule11EachHoldIsKept(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hold  []int
		pin   int // slot that "four" is pinned to; 0: none
		end   func(w *world, s series.Series)
		first int      // slot whose letter is looked at first; each is released before the next
		want  []string // state, article and reason of its issue, and of those after it
	}{
		{
			"skipped",
			[]int{1, 2},
			0, func(w *world, s series.Series) { w.skip(s, 1) },
			2,
			[]string{"held one figure 1", "held two figure 2", "sending three "},
		},
		{
			"skipped before one that is not held",
			[]int{1, 3},
			0, func(w *world, s series.Series) { w.skip(s, 1) },
			2,
			[]string{"held one figure 1", "held two figure 3", "sending three "},
		},
		{
			"paused",
			[]int{1, 2, 3},
			0, func(w *world, s series.Series) { w.pause(s, tuesday(2).Add(time.Hour)) },
			3,
			[]string{"held one figure 1", "held two figure 2", "held three figure 3", "sending four "},
		},
		{
			"waiting",
			[]int{1, 2, 3},
			0, func(w *world, _ series.Series) {
				w.run(tuesday(1))
				w.run(tuesday(2))
				w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
			},
			3,
			[]string{"held two figure 2", "held three figure 3", "sending four "},
		},
		{
			"its pin goes along",
			[]int{1, 2},
			1, func(w *world, s series.Series) { w.skip(s, 1) },
			2,
			[]string{"held four figure 1", "held one figure 2", "sending two "},
		},
		{
			"all of them pass by a pin",
			[]int{1, 2, 3},
			3, func(w *world, s series.Series) { w.pause(s, tuesday(2).Add(time.Hour)) },
			3,
			[]string{"held four figure 3", "held one figure 1", "held two figure 2", "sending three "},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.run(monday)
			if tt.pin > 0 {
				w.pin(s, tt.pin, "four")
			}
			for _, n := range tt.hold {
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(n), "figure "+itoa(n)))
			}
			tt.end(w, s)
			w.clock.set(tuesday(tt.first).Add(-time.Hour))
			w.goesOn(tt.first, tt.want)
		})
	}
}

// goesOn runs slots from one on and compares what they do with what is wanted and with what the plan said before; what is held is released.
func (w *world) goesOn(first int, want []string) {
	w.t.Helper()
	planned := w.plan("skin", len(want))
	for i := range want {
		slot := wall(first + i)
		w.run(tuesday(first + i))
		st, err := w.p.Issue(w.ctx, "skin/"+slot)
		w.check("issue", err)
		got := string(st.Issue.State) + " " + st.Article + " " + st.Issue.Reason
		if got != want[i] {
			w.t.Errorf("slot %d: got %q, want %q", first+i, got, want[i])
		}
		foretold := slot + " " + st.Article + " 1"
		if st.Issue.State == series.IssueHeld {
			foretold += " !"
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+slot))
		}
		if planned[i] != foretold {
			w.t.Errorf("slot %d: the plan said %q, want %q", first+i, planned[i], foretold)
		}
	}
}

// unskip takes back that the date of the nth slot is left out.
func (w *world) unskip(s series.Series, n int) {
	w.t.Helper()
	w.tx("take the skip back", func(tx *store.Tx) error {
		_, err := series.UnskipDate(w.ctx, tx, s, tuesday(n).Format(time.DateOnly), w.clock.now())
		return err
	})
}

// TestRule11AHoldComesBackWithItsDate: a skip that is taken back leaves every letter held that was.
func TestRule11AHoldComesBackWithItsDate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hold  []int
		pin   int // slot that "four" is pinned to; 0: none
		skips func(w *world, s series.Series)
		want  []string // of the slots from the first on
	}{
		{
			"one",
			[]int{1},
			0, func(w *world, s series.Series) { w.skip(s, 1); w.unskip(s, 1) },
			[]string{"held one figure 1", "sending two "},
		},
		{
			"not that of the next slot",
			[]int{2},
			0, func(w *world, s series.Series) { w.skip(s, 1); w.unskip(s, 1) },
			[]string{"sending one ", "held two figure 2", "sending three "},
		},
		{
			"with its pin",
			[]int{1},
			1, func(w *world, s series.Series) { w.skip(s, 1); w.unskip(s, 1) },
			[]string{"held four figure 1", "sending one "},
		},
		{
			"from behind another pin",
			[]int{1},
			2, func(w *world, s series.Series) { w.skip(s, 1); w.unskip(s, 1) },
			[]string{"held one figure 1", "sending four ", "sending two "},
		},
		{
			"from a slot that was pinned since",
			[]int{1},
			0, func(w *world, s series.Series) { w.skip(s, 1); w.pin(s, 2, "four"); w.unskip(s, 1) },
			[]string{"held one figure 1", "held four figure 1", "sending two "},
		},
		{
			"both of two",
			[]int{1, 2},
			0, func(w *world, s series.Series) { w.skip(s, 1); w.unskip(s, 1) },
			[]string{"held one figure 1", "held two figure 2", "sending three ", "sending four "},
		},
		{
			"from behind another pin that is skipped too",
			[]int{1},
			2, func(w *world, s series.Series) { w.skip(s, 1); w.skip(s, 2); w.unskip(s, 2); w.unskip(s, 1) },
			[]string{"held one figure 1", "sending four ", "sending two "},
		},
		{
			"the same, the first one first",
			[]int{1},
			2, func(w *world, s series.Series) { w.skip(s, 1); w.skip(s, 2); w.unskip(s, 1); w.unskip(s, 2) },
			[]string{"held one figure 1", "sending four ", "sending two "},
		},
		{
			"where that pin went elsewhere since",
			[]int{1},
			2, func(w *world, s series.Series) {
				w.skip(s, 1)
				w.skip(s, 2)
				w.pin(s, 4, "four")
				w.unskip(s, 2)
				w.unskip(s, 1)
			},
			[]string{"held one figure 1", "sending two ", "sending three ", "sending four "},
		},
		{
			"not another one, given once it was released",
			[]int{1},
			0, func(w *world, s series.Series) {
				w.skip(s, 1)
				w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)))
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(3), "figure 3"))
				w.unskip(s, 1)
			},
			[]string{"sending one ", "sending two ", "held three figure 3"},
		},
		{
			"two dates, the first one first",
			[]int{1},
			0, func(w *world, s series.Series) { w.skip(s, 1); w.skip(s, 2); w.unskip(s, 1); w.unskip(s, 2) },
			[]string{"held one figure 1", "sending two ", "sending three "},
		},
		{
			"released meanwhile",
			[]int{1},
			0, func(w *world, s series.Series) {
				w.skip(s, 1)
				w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)))
				w.unskip(s, 1)
			},
			[]string{"sending one ", "sending two "},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.run(monday)
			if tt.pin > 0 {
				w.pin(s, tt.pin, "four")
			}
			for _, n := range tt.hold {
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(n), "figure "+itoa(n)))
			}
			tt.skips(w, s)
			w.goesOn(1, tt.want)
		})
	}
}

// TestRule11AHoldComesBackWhereAPinLeaves: it went past a pinned slot, which sends now what is held.
func TestRule11AHoldComesBackWhereAPinLeaves(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three", "four")
	w.enrol(s, "ada")
	w.run(monday)
	w.pin(s, 2, "four")
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure 1"))
	w.skip(s, 1)
	w.pin(s, 4, "four")
	w.clock.set(tuesday(2).Add(-time.Hour))
	w.goesOn(2, []string{"held one figure 1", "sending two ", "sending four "})
}

// TestRule11AHoldOutlivesAPause: the held slot passes while the series is paused, and the slots after it are skipped dates.
func TestRule11AHoldOutlivesAPause(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(mode)})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 1, "two")
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure two"))
			w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
			w.tx("skip", func(tx *store.Tx) error {
				_, err := series.SkipDate(w.ctx, tx, s, tuesday(3).Format(time.DateOnly), w.clock.now())
				return err
			})
			w.run(tuesday(2))
			w.clock.set(tuesday(2).Add(time.Hour))
			w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, "skin", w.clock.now()) })
			equal(t, "the slot that passed", w.issue("skin/"+wall(1)), "skipped")
			equal(t, "plan", w.plan("skin", 3), []string{wall(3) + "  0 !", wall(4) + " two 1 !", wall(5) + " one 1"})
			equal(t, "skipped", w.run(tuesday(3)), []string{})
			want := map[series.Mode]string{series.Live: " held 0", series.Drip: " held 1"}[mode]
			equal(t, "held with its pin", w.run(tuesday(4)), []string{wall(4) + want})
			equal(t, "ada", w.deliveriesOf("ada"), map[series.Mode][]string{series.Live: {}, series.Drip: {"two pending"}}[mode])
		})
	}
}

// TestRule11AHoldOutlivesAnEmptySlot: at its time the held slot had nobody, or nothing, to send to.
func TestRule11AHoldOutlivesAnEmptySlot(t *testing.T) {
	for name, tt := range map[string]struct {
		mode     series.Mode
		articles []string
		before   func(w *world, s series.Series)
		then     func(w *world, s series.Series)
		want     string // article that the next slot holds
	}{
		"nobody there": {
			series.Drip,
			[]string{"one", "two"},
			func(*world, series.Series) {},
			func(w *world, s series.Series) { w.enrol(s, "ada") },
			"one",
		},
		"all welcomed lately": {
			series.Drip,
			[]string{"one", "two"},
			func(w *world, s series.Series) { w.join(s, "ada") },
			func(*world, series.Series) {},
			"two",
		},
		"all had everything": {
			series.Drip,
			[]string{"one?"},
			func(w *world, s series.Series) { w.enrol(s, "ada") },
			func(w *world, _ series.Series) { w.article("one", series.MarkReady) },
			"one",
		},
		"nothing ready": {
			series.Live,
			[]string{"one?"},
			func(w *world, s series.Series) { w.enrol(s, "ada") },
			func(w *world, _ series.Series) { w.article("one", series.MarkReady) },
			"one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(tt.mode), Welcome: ptr("first"), WhenNotReady: ptr("skip")})
			w.articles(s, tt.articles...)
			tt.before(w, s)
			w.run(monday)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
			equal(t, "empty", w.run(tuesday(1)), []string{wall(1) + " empty 0"})
			contains(t, "editors", strings.Join(strings.Fields(w.noticeText("editors")), " "), "(wait for the lawyer). The hold is on the next slot now")
			tt.then(w, s)
			w.goesOn(2, []string{"held " + tt.want + " wait for the lawyer"})
		})
	}
}

// write gives an article so many words; 30,000 are more than a mail takes.
func (w *world) write(s series.Series, slug string, words int) {
	w.t.Helper()
	w.importArticles(s, series.Incoming{Slug: slug, Text: series.Text{Title: "About " + slug, Markdown: strings.Repeat("word ", words)}})
}

// TestRule11AHoldOutlivesWhatWasInItsWay: at its time the held slot had nothing that could be frozen. Once that is mended the letter still
// waits for its editor, and the slots after it wait behind it.
func TestRule11AHoldOutlivesWhatWasInItsWay(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		for name, tt := range map[string]struct {
			first string
			way   func(w *world, s series.Series)
			mend  func(w *world, s series.Series)
			says  string
		}{
			"a draft": {
				"one?",
				func(*world, series.Series) {},
				func(w *world, _ series.Series) { w.article("one", series.MarkReady) },
				"draft",
			},
			"too many words": {
				"one",
				func(w *world, s series.Series) { w.write(s, "one", 30000) },
				func(w *world, s series.Series) { w.write(s, "one", 30) },
				"split it into several articles",
			},
		} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: ptr(mode), WhenNotReady: ptr("hold")})
				w.articles(s, tt.first, "two")
				w.enrol(s, "ada")
				w.run(monday)
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
				tt.way(w, s)
				equal(t, "nothing to freeze", w.run(tuesday(1)), []string{wall(1) + " held 0"})
				st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
				w.check("issue", err)
				contains(t, "reason", st.Issue.Reason, "wait for the lawyer. ", tt.says)
				contains(t, "editors", w.noticeText("editors"), "wait for the lawyer", "the issues after it wait")
				err = w.p.ReleaseIssue(w.ctx, "skin/"+wall(1))
				if !errors.Is(err, series.ErrState) {
					t.Fatalf("release: got %v, want ErrState", err)
				}
				contains(t, "what is in the way", err.Error(), tt.says)
				tt.mend(w, s)
				if _, _, _, err := w.p.SendNow(w.ctx, "skin", "", false); !errors.Is(err, newsletter.ErrNothing) {
					t.Errorf("by hand: got %v, want ErrNothing", err)
				}
				equal(t, "plan", w.plan("skin", 2), []string{wall(2) + " one 1 !", wall(3) + " two 1"})
				equal(t, "behind it", w.run(tuesday(2)), []string{wall(2) + " waiting 0"})
				equal(t, "ada", w.deliveriesOf("ada"), []string{})
				w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
				w.run(tuesday(3))
				equal(t, "ada then", w.deliveriesOf("ada"), []string{"one pending", "two pending"})
			})
		}
	}
}

// TestRule11AReleaseThatIsCutCanBeDoneAgain: the process that releases a drip slot without an issue dies, or is slower than the scheduler of
// another one. Nothing of it leaves, and the slot is released, cancelled or passed as before.
func TestRule11AReleaseThatIsCutCanBeDoneAgain(t *testing.T) {
	name := "skin/" + wall(1)
	for what, tt := range map[string]struct {
		hold bool
		then func(t *testing.T, w *world)
		slot string // what becomes of it
		next string // what the next slot sends to all
	}{
		"released": {true, func(_ *testing.T, w *world) { w.check("release", w.p.ReleaseIssue(w.ctx, name)) }, "sending pending=1200", "/two"},
		"cancelled": {true, func(t *testing.T, w *world) {
			err := w.p.CancelIssue(w.ctx, name+"/one", "")
			if !errors.Is(err, series.ErrState) {
				t.Errorf("cancel one of its issues: got %v, want ErrState", err)
			}
			contains(t, "why", err.Error(), "nobody got it", "pressrun issue release "+name+")", "pressrun issue cancel "+name+")")
			w.check("cancel", w.p.CancelIssue(w.ctx, name, "by the lawyer"))
			equal(t, "taken back at once", w.issue(name+"/one"), "cancelled skipped=500")
		}, "cancelled skipped=500", "/one"},
		"passed":      {false, func(*testing.T, *world) {}, "cancelled skipped=500", "/one"},
		"passed live": {false, toLive, "cancelled skipped=500", ""},
		"released live": {true, func(t *testing.T, w *world) {
			toLive(t, w)
			w.check("release", w.p.ReleaseIssue(w.ctx, name))
		}, "sending pending=1200", ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(series.Drip), WhenNotReady: ptr("hold")})
			w.articles(s, "one?", "two")
			w.enrol(s, names(1200)...)
			w.run(monday)
			if tt.hold {
				w.check("hold", w.p.HoldIssue(w.ctx, name, "wait for the lawyer"))
			}
			equal(t, "a draft", w.run(tuesday(1)), []string{wall(1) + " held 0"})
			w.article("one", series.MarkReady)
			w.cut(name+"/one", func(ctx context.Context, p *newsletter.Publisher) error { return p.ReleaseIssue(ctx, name) })
			equal(t, "the scheduler", w.run(tuesday(1).Add(time.Hour)), []string{})
			equal(t, "still held", w.issue(name), "held")
			equal(t, "kept", w.issue(name+"/one"), "filling pending=500")
			tt.then(t, w)
			equal(t, "next", w.run(tuesday(2)), []string{wall(2) + " issued 1200"})
			equal(t, "it", w.issue(name+"/one"), tt.slot)
			equal(t, "its next", w.issue("skin/"+wall(2)+tt.next), "sending pending=1200")
		})
	}
}

// toLive changes the mode of the series skin.
func toLive(_ *testing.T, w *world) {
	w.tx("live", func(tx *store.Tx) error {
		_, err := series.Set(w.ctx, tx, "skin", series.Change{Mode: ptr(series.Live)}, w.clock.now())
		return err
	})
}

// TestRule11NothingHeldGoesByHand: the letter that the coming slot holds doesn't leave before it is released; another may.
func TestRule11NothingHeldGoesByHand(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(mode)})
			w.articles(s, "one", "two")
			w.enrol(s, "ada")
			w.run(monday)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
			if !errors.Is(err, newsletter.ErrNothing) {
				t.Fatalf("send what is held: got %v, want ErrNothing", err)
			}
			contains(t, "why", err.Error(), "skin/"+wall(1)+" is on hold (figure one)", "release it first")
			_, article, _, err := w.p.SendNow(w.ctx, "skin", "two", true)
			w.check("send another", err)
			equal(t, "another", article, "two")
		})
	}
}

// TestRule11AnotherLetterByHandEndsNoHold: another article goes by hand past a held slot, at whose time there was nothing to freeze.
func TestRule11AnotherLetterByHandEndsNoHold(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(mode)})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
			w.write(s, "one", 30000)
			equal(t, "nothing to freeze", w.run(tuesday(1)), []string{wall(1) + " held 0"})
			w.clock.set(tuesday(1).Add(time.Hour))
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "two", false)
			w.check("send another", err)
			w.write(s, "one", 30)
			equal(t, "behind it", w.run(tuesday(2)), []string{wall(2) + " waiting 0"})
			equal(t, "ada", w.deliveriesOf("ada"), []string{"two pending"})
			st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
			w.check("issue", err)
			contains(t, "why", st.Issue.Reason, "wait for the lawyer")
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(1)))
			equal(t, "ada then", w.deliveriesOf("ada"), []string{"two pending", "one pending"})
		})
	}
}

// TestRule11NothingHeldGoesByHandEither: nor what a slot holds whose time is past, whose pin is dead, or that has its issue.
func TestRule11NothingHeldGoesByHandEither(t *testing.T) {
	for _, tt := range []struct {
		name string
		pin  bool // "two" to the held slot
		then func(w *world, s series.Series)
		want string // of the refusal; empty: "one" goes
	}{
		{"its time came in a pause", false, func(w *world, _ series.Series) {
			w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
			w.run(tuesday(1).Add(24 * time.Hour))
		}, "is on hold (figure one)"},
		{"its time has just come", false, func(w *world, _ series.Series) { w.clock.set(tuesday(1).Add(time.Minute)) }, "is on hold (figure one)"},
		{"its pin is withdrawn", true, func(w *world, _ series.Series) {
			_, err := w.p.Withdraw(w.ctx, "two")
			w.check("withdraw", err)
		}, "is on hold (figure one)"},
		{"its issue is held", false, func(w *world, _ series.Series) { w.run(tuesday(1)) }, "is held and keeps its turn"},
		{"its pin is what it holds", true, func(*world, series.Series) {}, ""},
	} {
		for _, mode := range []series.Mode{series.Live, series.Drip} {
			t.Run(tt.name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: ptr(mode)})
				w.articles(s, "one", "two")
				w.enrol(s, "ada")
				w.run(monday)
				if tt.pin {
					w.pin(s, 1, "two")
				}
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
				tt.then(w, s)
				_, article, _, err := w.p.SendNow(w.ctx, "skin", "", true)
				if tt.want == "" {
					w.check("send", err)
					equal(t, "article", article, "one")
					return
				}
				if !errors.Is(err, newsletter.ErrNothing) {
					t.Fatalf("send what is held: got %q, %v, want ErrNothing", article, err)
				}
				contains(t, "why", err.Error(), tt.want, "skin/"+wall(1))
			})
		}
	}
}

// TestRule11NothingHeldGoesByHandBehindAPin: the coming slot sends its pin, and what would go by hand is what one after it holds.
func TestRule11NothingHeldGoesByHandBehindAPin(t *testing.T) {
	for name, tt := range map[string]struct {
		pin, hold int // slots; "three" is pinned
		skip      bool
		held      int // slot that holds "one"; 0: "one" goes
	}{
		"the second slot is held":        {1, 2, false, 2},
		"its hold passed the pinned one": {2, 1, true, 3},
		"a slot before it has it":        {1, 3, false, 0},
	} {
		for _, mode := range []series.Mode{series.Live, series.Drip} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: ptr(mode)})
				w.articles(s, "one", "two", "three")
				w.enrol(s, "ada")
				w.run(monday)
				w.pin(s, tt.pin, "three")
				w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(tt.hold), "figure one"))
				if tt.skip {
					w.skip(s, tt.hold)
				}
				_, article, _, err := w.p.SendNow(w.ctx, "skin", "", true)
				if tt.held == 0 {
					w.check("send", err)
					equal(t, "article", article, "one")
					return
				}
				if !errors.Is(err, newsletter.ErrNothing) {
					t.Fatalf("send what is held: got %q, %v, want ErrNothing", article, err)
				}
				contains(t, "why", err.Error(), "skin/"+wall(tt.held)+" is on hold (figure one)")
			})
		}
	}
}

// TestRule11AHoldPassesAnotherPin: the slot with a pin sends that, and what is held is still held in the one after it.
func TestRule11AHoldPassesAnotherPin(t *testing.T) {
	for name, end := range map[string]func(w *world, s series.Series){
		"skipped": func(w *world, s series.Series) {
			w.tx("skip", func(tx *store.Tx) error {
				_, err := series.SkipDate(w.ctx, tx, s, tuesday(1).Format(time.DateOnly), w.clock.now())
				return err
			})
		},
		"paused": func(w *world, _ series.Series) {
			w.tx("pause", func(tx *store.Tx) error { return series.Pause(w.ctx, tx, "skin", w.clock.now()) })
			w.clock.set(tuesday(1).Add(time.Hour))
			w.tx("resume", func(tx *store.Tx) error { return series.Resume(w.ctx, tx, "skin", w.clock.now()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 2, "three")
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
			end(w, s)
			w.clock.set(tuesday(1).Add(time.Hour))
			equal(t, "plan", w.plan("skin", 2), []string{wall(2) + " three 1", wall(3) + " one 1 !"})
			w.run(tuesday(2))
			equal(t, "ada", w.deliveriesOf("ada"), []string{"three pending"})
			equal(t, "what is held", w.run(tuesday(3)), []string{wall(3) + " held 0"})
			equal(t, "ada then", w.deliveriesOf("ada"), []string{"three pending"})
		})
	}
}

// TestRule11AHoldPassesNoPinThatIsNotForAll: where the pin can't go, or in drip some had it, the slot sends others what is held as well.
func TestRule11AHoldPassesNoPinThatIsNotForAll(t *testing.T) {
	send := func(w *world) {
		_, _, _, err := w.p.SendNow(w.ctx, "skin", "three", false)
		w.check("send", err)
	}
	withdraw := func(w *world) {
		_, err := w.p.Withdraw(w.ctx, "three")
		w.check("withdraw", err)
	}
	nothing := func(*world) {}
	for name, tt := range map[string]struct {
		mode   series.Mode
		pinned string
		then   func(w *world)
		want   []string // articles of the pinned slot's issue and of the next one's, both held
	}{
		"withdrawn":     {series.Live, "three", withdraw, []string{"one", "two"}},
		"a draft":       {series.Live, "three?", nothing, []string{"one", "two"}},
		"sent by hand":  {series.Live, "three", send, []string{"one", "two"}},
		"had in drip":   {series.Drip, "three", send, []string{"one", "two"}},
		"still to come": {series.Drip, "three", nothing, []string{"three", "one"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: ptr(tt.mode), WhenNotReady: ptr("skip")})
			w.articles(s, "one", "two", tt.pinned)
			w.enrol(s, "ada")
			w.run(monday)
			w.pin(s, 2, "three")
			tt.then(w)
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "wait for the lawyer"))
			w.skip(s, 1)
			for i, article := range tt.want {
				tt.want[i] = "held " + article + " wait for the lawyer"
			}
			w.clock.set(tuesday(2).Add(-time.Hour))
			w.goesOn(2, tt.want)
		})
	}
}

// TestRule11AHoldOutlivesAChangeOfZone: the date's time passes by the change.
func TestRule11AHoldOutlivesAChangeOfZone(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	w.clock.set(tuesday(1).Add(-time.Hour)) // 08:00 in UTC, 17:00 in Tokyo
	w.tx("zone", func(tx *store.Tx) error {
		_, err := series.Set(w.ctx, tx, "skin", series.Change{Zone: ptr("Asia/Tokyo")}, w.clock.now())
		return err
	})
	equal(t, "passed", w.issue("skin/"+wall(1)), "missed")
	equal(t, "the next", w.run(tuesday(2)), []string{wall(2) + " held 0"})
}

// TestRule11AHoldGoesToNoSlotThatPassed: by the change of the zone the slot after the held one is past too.
func TestRule11AHoldGoesToNoSlotThatPassed(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Schedule: []string{"0 9,17 * * *"}})
	w.articles(s, "one")
	w.enrol(s, "ada")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/2027-03-01T09:00", "figure one"))
	w.tx("zone", func(tx *store.Tx) error { // 21:00 in Auckland
		_, err := series.Set(w.ctx, tx, "skin", series.Change{Zone: ptr("Pacific/Auckland")}, w.clock.now())
		return err
	})
	equal(t, "at once", w.run(monday.Add(time.Minute)), []string{})
	equal(t, "plan", w.plan("skin", 2), []string{"2027-03-02T09:00 one 1 !", "2027-03-02T17:00  0 !"})
}

// TestRule9TwoTimesAtOneInstant: at 01:00 the clocks of London jump to 02:00, for which a slot is planned too.
func TestRule9TwoTimesAtOneInstant(t *testing.T) {
	const gap = "2027-03-28T0"
	for _, held := range []string{"", gap + "2:00"} {
		w := newWorld(t)
		w.clock.set(time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC))
		s := w.series("skin", series.Change{Schedule: []string{"0 1,2 * * *"}})
		w.tx("zone", func(tx *store.Tx) (err error) {
			s, err = series.Set(w.ctx, tx, "skin", series.Change{Zone: ptr("Europe/London")}, w.clock.now())
			return err
		})
		w.articles(s, "one", "two")
		w.enrol(s, "ada")
		w.run(w.clock.now())
		want := []string{gap + "1:00 issued 1", gap + "2:00 missed 0"}
		planned := []string{gap + "1:00 one send 1", gap + "2:00  missed 9", "2027-03-29T01:00 two send 1"}
		if held != "" {
			w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+held, "by night"))
			want = []string{gap + "1:00 missed 0", gap + "2:00 held 0"}
			planned = []string{gap + "1:00  missed 9", gap + "2:00 one blocked-by-hold 1", "2027-03-29T01:00 two send 1"}
		}
		w.foretold(planned)
		got := w.run(time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC))
		slices.Sort(got)
		equal(t, "run", got, want)
		equal(t, "no second issue", w.run(time.Date(2027, 3, 28, 2, 0, 0, 0, time.UTC)), []string{})
	}
}

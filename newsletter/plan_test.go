package newsletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func TestPlanFromALaterTime(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three", "four")
	w.enrol(s, "ada")
	planned, err := w.p.Plan(w.ctx, "", 2, tuesday(3))
	w.check("plan", err)
	got := []string{}
	for _, row := range planned {
		got = append(got, row.Slot+" "+row.Article)
	}
	equal(t, "plan", got, []string{wall(3) + " three", wall(4) + " four"})
	if _, err := w.p.Plan(w.ctx, "nothing", 2, time.Time{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("plan of an unknown series: got %v, want ErrNotFound", err)
	}
}

// TestPlanCountsForWhatItShows: a slot far ahead costs the counting of one, not of all before it.
func TestPlanCountsForWhatItShows(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	var slugs []string
	for n := range 40 {
		slugs = append(slugs, "a"+itoa(n))
	}
	w.articles(s, slugs...)
	w.enrol(s, "ada")
	w.run(monday)
	asked := func(n int) int64 {
		before := w.db.Statements()
		planned, err := w.p.Plan(w.ctx, "skin", 1, tuesday(n))
		w.check("plan", err)
		equal(t, "plan", []string{planned[0].Article, itoa(int(planned[0].Readers))}, []string{"a" + itoa(n-1), "1"})
		return w.db.Statements() - before
	}
	if near, far := asked(2), asked(40); far > near+10 { // the schedule is looked at further each time
		t.Errorf("statements for slot 40: got %d, want about as many as for slot 2: %d", far, near)
	}
}

func TestPlanAfterAPlayedFuture(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.run(tuesday(2))
	w.clock.set(monday) // as after run-due --now
	equal(t, "plan", w.plan("skin", 2), []string{wall(3) + " three 1", wall(4) + "  0 !"})
}

func TestPlanOfDripAdvancesEveryReader(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben", "cyd")
	equal(t, "plan", w.plan("skin", 4), []string{
		wall(2) + " one 3", wall(3) + " two 3", wall(4) + " three 2", wall(5) + "  0 !",
	})
}

// TestForeseeSlot: a slot that has not fired, with a row or without, is shown as the plan has it; only who asks for that pays for it.
func TestForeseeSlot(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	for n, want := range map[int]string{1: "one", 2: "two", 40: ""} {
		st, err := w.p.Issue(w.ctx, "skin/"+wall(n))
		w.check("issue", err)
		if st.Planned == nil || st.Planned.Readers != 0 || st.Article != "" {
			t.Fatalf("slot %d before it is foreseen: got %+v, article %q", n, st.Planned, st.Article)
		}
		w.check("foresee", w.p.ForeseeSlot(w.ctx, &st))
		if st.Article != want || st.Planned.Article != want || !st.Planned.At.Equal(tuesday(n)) || (st.Planned.Readers == 1) != (want != "") {
			t.Errorf("slot %d: got %+v, article %q, want %q", n, st.Planned, st.Article, want)
		}
	}
	w.run(tuesday(1))
	st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
	w.check("issue", err)
	if err := w.p.ForeseeSlot(w.ctx, &st); err != nil || st.Planned != nil || st.Article != "one" {
		t.Errorf("once it has fired: got %+v, article %q, %v", st.Planned, st.Article, err)
	}
	w.clock.set(monday)
	far := tuesday(1).AddDate(12, 0, 0)
	for far.Weekday() != time.Tuesday {
		far = far.AddDate(0, 0, 1)
	}
	st, err = w.p.Issue(w.ctx, "skin/"+far.Format("2006-01-02T09:00"))
	w.check("far ahead", err)
	if err := w.p.ForeseeSlot(w.ctx, &st); err != nil || st.Article != "" || !strings.Contains(st.Planned.Blocked, "more than 500 slots ahead") {
		t.Errorf("far ahead: got %q, %+v, %v", st.Article, st.Planned, err)
	}
}

// TestForeseeSlotBehindAnother: two are due after an outage, and each is shown as the plan has it.
func TestForeseeSlotBehindAnother(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.clock.set(tuesday(2).Add(time.Minute))
	planned, err := w.p.Plan(w.ctx, "skin", 2, time.Time{})
	w.check("plan", err)
	for i, row := range planned {
		st, err := w.p.Issue(w.ctx, "skin/"+wall(i+1))
		w.check("issue", err)
		w.check("foresee", w.p.ForeseeSlot(w.ctx, &st))
		equal(t, wall(i+1), []string{st.Planned.Slot, st.Planned.Article, st.Planned.Blocked}, []string{row.Slot, row.Article, row.Blocked})
	}
	equal(t, "the second one sends", planned[1].Article, "one")
	equal(t, "the first one alone", w.plan("skin", 1), []string{wall(1) + "  0 !"})
}

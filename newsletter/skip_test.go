package newsletter_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/ics"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// skipCalendar lays a calendar of events over a series; each is given by its lines.
func (w *world) skipCalendar(slug string, undo bool, events ...string) (newsletter.Skipped, error) {
	w.t.Helper()
	return w.p.SkipCalendar(w.ctx, slug, calendarOf(events), undo, false)
}

// dryCalendar is a dry run of skipCalendar. It is given up where it waits for a lock.
func (w *world) dryCalendar(slug string, undo bool, events ...string) (newsletter.Skipped, error) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.ctx, 30*time.Second)
	defer stop()
	return w.p.SkipCalendar(ctx, slug, calendarOf(events), undo, true)
}

func calendarOf(events []string) func(zone *time.Location, from, until time.Time) (ics.Calendar, error) {
	content := "BEGIN:VCALENDAR\n"
	for _, e := range events {
		content += "BEGIN:VEVENT\n" + e + "\nEND:VEVENT\n"
	}
	return func(zone *time.Location, from, until time.Time) (ics.Calendar, error) {
		return ics.Read(strings.NewReader(content+"END:VCALENDAR\n"), zone, from, until)
	}
}

const secondAndThird = "SUMMARY:Spring break\nDTSTART;VALUE=DATE:20270308\nDTEND;VALUE=DATE:20270317"

// TestRule10CalendarFile: dates of a file cost time and no content, as those that an editor skips by hand do; once more changes nothing,
// and it can be taken back.
func TestRule10CalendarFile(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	plain := w.plan("skin", 5)
	done, err := w.skipCalendar("skin", false, secondAndThird, "SUMMARY:Morning\nDTSTART:20270302T080000Z\nDTEND:20270302T090000Z")
	w.check("skip", err)
	equal(t, "skipped", done.Slots, []newsletter.SkippedSlot{
		{Slot: wall(2), Event: "Spring break", Article: "two", Goes: wall(4)},
		{Slot: wall(3), Event: "Spring break", Article: "three", Goes: wall(5)},
	})
	skipped := []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + "  0 !", wall(4) + " two 1", wall(5) + " three 1"}
	equal(t, "plan", w.plan("skin", 5), skipped)
	w.skip(s, 4) // by hand
	done, err = w.skipCalendar("skin", false, secondAndThird, "DTSTART;VALUE=DATE:20270323")
	w.check("skip again", err)
	equal(t, "skipped again", []int{len(done.Slots), done.Already}, []int{0, 3})
	done, err = w.skipCalendar("skin", true, secondAndThird, "DTSTART;VALUE=DATE:20270323")
	w.check("undo", err)
	equal(t, "given back", done.Slots, []newsletter.SkippedSlot{
		{Slot: wall(2), Event: "Spring break"},
		{Slot: wall(3), Event: "Spring break"},
		{Slot: wall(4), Event: "an event without a name", Stays: "by an editor"},
	})
	equal(t, "what was skipped by hand stays so", w.plan("skin", 5)[3], wall(4)+"  0 !")
	w.unskip(s, 4)
	equal(t, "plan as before", w.plan("skin", 5), plain)
}

// TestRule10CalendarFileTimes: an event with times takes the slots of its time, in the zone of the series where it names none.
func TestRule10CalendarFileTimes(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Schedule: []string{"0 9,17 * * TUE"}})
	w.tx("zone", func(tx *store.Tx) error {
		_, err := series.Set(w.ctx, tx, "skin", series.Change{Zone: ptr("America/New_York")}, w.clock.now())
		return err
	})
	w.articles(s, "one", "two", "three")
	w.run(monday)
	done, err := w.skipCalendar("skin", false, "SUMMARY:Inventory\nDTSTART:20270302T163000\nDTEND:20270302T173000", "SUMMARY:Ball\nDTSTART:20270309T140000Z\nDTEND:20270309T140001Z")
	w.check("skip", err)
	equal(t, "skipped", done.Slots, []newsletter.SkippedSlot{{Slot: "2027-03-02T17:00", Event: "Inventory"}, {Slot: "2027-03-09T09:00", Event: "Ball"}})
}

// TestRule10CalendarFileHoldsAndPins: what a file does to holds and pins, and what is left of them once it is taken back, is what the same
// dates do by hand, one after the other.
func TestRule10CalendarFileHoldsAndPins(t *testing.T) {
	plans := func(skip, undo func(w *world, s series.Series)) (all [][]string) {
		w := newWorld(t)
		s := w.series("skin", series.Change{})
		w.articles(s, "one", "two", "three", "four")
		w.enrol(s, "ada")
		w.run(monday)
		w.pin(s, 2, "three")
		w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figures"))
		w.pin(s, 3, "four")
		all = append(all, w.plan("skin", 5))
		skip(w, s)
		all = append(all, w.plan("skin", 5))
		undo(w, s)
		return append(all, w.plan("skin", 5))
	}
	byHand := plans(func(w *world, s series.Series) { w.skip(s, 2); w.skip(s, 3) }, func(w *world, s series.Series) { w.unskip(s, 3); w.unskip(s, 2) })
	byFile := plans(func(w *world, _ series.Series) {
		_, err := w.skipCalendar("skin", false, secondAndThird)
		w.check("skip", err)
	}, func(w *world, _ series.Series) {
		_, err := w.skipCalendar("skin", true, secondAndThird)
		w.check("undo", err)
	})
	equal(t, "plans", byFile, byHand)
	equal(t, "skipped", byFile[1], []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + "  0 !", wall(4) + " three 1 !", wall(5) + " four 1"})
	equal(t, "taken back", byFile[2], byFile[0])
}

// TestRule10CalendarFileOfSeveral: a slot that several files skip, or a file and an editor, is left out until the last of them is taken back.
func TestRule10CalendarFileOfSeveral(t *testing.T) {
	const eve = "SUMMARY:Eve\nDTSTART;VALUE=DATE:20270309"
	const other = "SUMMARY:Eve of another\nDTSTART;VALUE=DATE:20270309"
	given := func(n int, event string) newsletter.SkippedSlot {
		return newsletter.SkippedSlot{Slot: wall(n), Event: event}
	}
	stays := func(n int, event, because string) newsletter.SkippedSlot {
		return newsletter.SkippedSlot{Slot: wall(n), Event: event, Stays: because}
	}
	for name, tt := range map[string]struct {
		skips [][]string // files of events, in turn; none: by hand
		undo  []string
		want  []newsletter.SkippedSlot
	}{
		"another file skips too": {
			[][]string{{secondAndThird}, {other}},
			[]string{secondAndThird},
			[]newsletter.SkippedSlot{stays(2, "Spring break", "by an editor: Eve of another"), given(3, "Spring break")},
		},
		"another file skipped before": {
			[][]string{{other}, {secondAndThird}},
			[]string{secondAndThird},
			[]newsletter.SkippedSlot{stays(2, "Spring break", "by an editor: Eve of another"), given(3, "Spring break")},
		},
		"an editor skips too": {
			[][]string{{secondAndThird}, nil},
			[]string{secondAndThird},
			[]newsletter.SkippedSlot{stays(2, "Spring break", "by an editor"), given(3, "Spring break")},
		},
		"the events in another order": {
			[][]string{{secondAndThird, eve}, {secondAndThird, eve}},
			[]string{eve, secondAndThird},
			[]newsletter.SkippedSlot{given(2, "Eve"), given(3, "Spring break")},
		},
		"an event got another name": {
			[][]string{{secondAndThird}},
			[]string{strings.Replace(secondAndThird, "Spring break", "Spring", 1)},
			[]newsletter.SkippedSlot{stays(2, "Spring", "by an editor: Spring break"), stays(3, "Spring", "by an editor: Spring break")},
		},
		"an event was added": {
			[][]string{{eve}, {secondAndThird, eve}},
			[]string{secondAndThird, eve},
			[]newsletter.SkippedSlot{given(2, "Spring break"), given(3, "Spring break")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two", "three")
			w.run(monday)
			for _, events := range tt.skips {
				if events == nil {
					w.skip(s, 2)
					continue
				}
				_, err := w.skipCalendar("skin", false, events...)
				w.check("skip", err)
			}
			would, err := w.dryCalendar("skin", true, tt.undo...)
			w.check("dry run", err)
			done, err := w.skipCalendar("skin", true, tt.undo...)
			w.check("undo", err)
			equal(t, "given back", done.Slots, tt.want)
			equal(t, "said before", would, done)
			slots, err := series.Slots(w.ctx, w.db, s.ID, tuesday(2), 2)
			w.check("slots", err)
			for i, slot := range slots {
				equal(t, "skipped", slot.State == series.SlotSkipped, tt.want[i].Stays != "")
			}
			if tt.want[0].Stays != "" {
				w.unskip(s, 2) // by hand, whatever skips it
			}
		})
	}
}

// TestRule10CalendarFileLocksNobodyOut: a dry run is done while another writes.
func TestRule10CalendarFileLocksNobodyOut(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.run(monday)
	w.pin(s, 2, "three")
	w.tx("another writes", func(*store.Tx) error {
		for _, undo := range []bool{false, true} {
			if _, err := w.dryCalendar("skin", undo, secondAndThird); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestRule10CalendarFileNamesPins: articles whose pin goes on, or comes back, are named, by a dry run as well.
func TestRule10CalendarFileNamesPins(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three", "four")
	w.enrol(s, "ada")
	w.run(monday)
	w.pin(s, 3, "four")
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figures"))
	before := w.plan("skin", 6)
	article, err := series.ArticleBySlug(w.ctx, w.db, "four")
	w.check("article", err)
	for _, tt := range []struct {
		undo     bool
		from, to int
	}{{false, 3, 5}, {true, 5, 3}} {
		would, err := w.dryCalendar("skin", tt.undo, secondAndThird)
		w.check("dry run", err)
		done, err := w.skipCalendar("skin", tt.undo, secondAndThird)
		w.check("run", err)
		equal(t, "said before", would, done)
		equal(t, "pins", done.Pins, []series.Moved{{ArticleID: article.ID, From: wall(tt.from), To: wall(tt.to)}})
	}
	equal(t, "plan", w.plan("skin", 6), before)
}

// TestRule10CalendarFileIsWhole: what isn't understood skips nothing, and a dry run changes nothing.
func TestRule10CalendarFileIsWhole(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	before := w.plan("skin", 5)
	if _, err := w.skipCalendar("skin", false, secondAndThird, "SUMMARY:Eclipse\nDTSTART:20270331\nRRULE:FREQ=SAROS"); err == nil || !strings.Contains(err.Error(), "“Eclipse”") {
		t.Errorf("got %v, want the event that isn't understood", err)
	}
	done, err := w.dryCalendar("skin", false, secondAndThird)
	w.check("dry run", err)
	equal(t, "it would skip", len(done.Slots), 2)
	equal(t, "plan", w.plan("skin", 5), before)
	done, err = w.skipCalendar("skin", false, secondAndThird)
	w.check("skip", err)
	equal(t, "it skips", len(done.Slots), 2)
	equal(t, "plan of drip", w.plan("skin", 4), []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + "  0 !", wall(4) + " two 1"})
}

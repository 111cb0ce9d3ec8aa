package newsletter_test

import (
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
	content := "BEGIN:VCALENDAR\n"
	for _, e := range events {
		content += "BEGIN:VEVENT\n" + e + "\nEND:VEVENT\n"
	}
	read := func(zone *time.Location, from, until time.Time) (ics.Calendar, error) {
		return ics.Read(strings.NewReader(content+"END:VCALENDAR\n"), zone, from, until)
	}
	return w.p.SkipCalendar(w.ctx, slug, read, undo, false)
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
	equal(t, "given back", done.Slots, []newsletter.SkippedSlot{{Slot: wall(2), Event: "Spring break"}, {Slot: wall(3), Event: "Spring break"}})
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
	equal(t, "skipped", byFile[1], []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + "  0 !", wall(4) + " three 1 !", wall(5) + " two 1"})
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
	read := func(zone *time.Location, from, until time.Time) (ics.Calendar, error) {
		return ics.Read(strings.NewReader("BEGIN:VCALENDAR\nBEGIN:VEVENT\n"+secondAndThird+"\nEND:VEVENT\nEND:VCALENDAR\n"), zone, from, until)
	}
	done, err := w.p.SkipCalendar(w.ctx, "skin", read, false, true)
	w.check("dry run", err)
	equal(t, "it would skip", len(done.Slots), 2)
	equal(t, "plan", w.plan("skin", 5), before)
	done, err = w.p.SkipCalendar(w.ctx, "skin", read, false, false)
	w.check("skip", err)
	equal(t, "it skips", len(done.Slots), 2)
	equal(t, "plan of drip", w.plan("skin", 4), []string{wall(1) + " one 1", wall(2) + "  0 !", wall(3) + "  0 !", wall(4) + " two 1"})
}

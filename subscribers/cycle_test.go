package subscribers_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// startAgain is a reader's choice, by a page.
func (p *people) startAgain(id, seriesID int64) error {
	return p.tx(func(tx *store.Tx) error {
		return p.StartAgain(p.Context(), tx, id, seriesID, subscribers.Evidence{IP: "192.0.2.7", Form: "https://news.example.org/preferences/[token]"})
	})
}

// wantCycle says in which cycle somebody is, whatever their state.
func (p *people) wantCycle(id, seriesID, want int64, when string) subscribers.Enrolment {
	p.Helper()
	e, err := subscribers.EnrolmentOf(p.Context(), p.db, seriesID, id)
	if err != nil || e.Cycle != want || e.CycleSince.IsZero() != (want == 1) {
		p.Errorf("%s: in cycle %d since %v, %v, want cycle %d", when, e.Cycle, e.CycleSince, err, want)
	}
	return e
}

func TestStartAgain(t *testing.T) {
	p := newPeople(t)
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", Because: "they signed", As: subscribers.Active, Reading: []int64{4}}
	if _, err := p.imports("email\nada@example.org\n", o); err != nil {
		t.Fatal(err)
	}
	ada, err := subscribers.ByEmail(t.Context(), p.db, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	readings := `SELECT count(*) FROM mailable WHERE subscriber_id = ?1 AND reading_id IS NOT NULL`
	if n := p.count(readings, ada.ID); n != 1 {
		t.Fatalf("got %d readings before, want 1", n)
	}
	p.pass(day)
	if err := p.startAgain(ada.ID, skin); err != nil {
		t.Fatal(err)
	}
	if e := p.wantCycle(ada.ID, skin, 2, "started again"); !e.CycleSince.Equal(p.clock) || e.State != subscribers.Active {
		t.Errorf("got %+v, want it active, and the cycle since %v", e, p.clock)
	}
	p.wantGets(skin, "ada@example.org", true, "started again")
	if n := p.count(readings, ada.ID); n != 0 {
		t.Error("what was read before they came counts in a later cycle")
	}
	all, err := subscribers.Consents(t.Context(), p.db, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	if last.Event != "restarted" || last.SeriesID != skin || !last.At.Equal(p.clock) || last.IP != "192.0.2.7" || last.Form != "https://news.example.org/preferences/[token]" {
		t.Errorf("the record says %+v", last)
	}
	o.File, o.Reading = "again.csv", []int64{4, 5}
	rep, err := p.imports("email\nada@example.org\n", o)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Changed != 0 || rep.Unchanged != 1 {
		t.Errorf("imported again: got %+v, want one unchanged", rep.ImportReport)
	}
	if n := p.count(readings, ada.ID); n != 0 {
		t.Error("an import took the choice back")
	}
	p.wantCycle(ada.ID, skin, 2, "imported again")
}

// TestStartAgainIsForTheActive: nobody starts again what they don't get.
func TestStartAgainIsForTheActive(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	asked := p.join(skin, "ben@example.org").Subscriber
	refused := func(what string, id, seriesID int64) {
		t.Helper()
		if err := p.startAgain(id, seriesID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
	refused("another series", ada.ID, gut)
	refused("nobody", 4711, skin)
	refused("not confirmed", asked.ID, skin)
	p.must(func(tx *store.Tx) error {
		return p.Pause(t.Context(), tx, ada.ID, skin, p.clock.Add(30*day), subscribers.Evidence{})
	})
	refused("on a break", ada.ID, skin)
	p.leave(ada.ID, skin)
	refused("left", ada.ID, skin)
	p.wantCycle(ada.ID, skin, 1, "after all that")
	p.erase(ada.ID)
	refused("erased", ada.ID, skin)
	if n := p.count(`SELECT count(*) FROM consents WHERE event = 'restarted'`); n != 0 {
		t.Errorf("got %d restarts on record, want none", n)
	}
}

// TestCyclesStay: whoever leaves and comes back goes on in the cycle that they were in, also where a sweep took the enrolment away, and
// the site's own export read back changes nothing.
func TestCyclesStay(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	p.active(gut, "ada@example.org")
	for range 2 {
		p.pass(day)
		if err := p.startAgain(ada.ID, skin); err != nil {
			t.Fatal(err)
		}
	}
	since := p.wantCycle(ada.ID, skin, 3, "started again twice").CycleSince
	var file bytes.Buffer
	if _, err := subscribers.Export(t.Context(), p.db, skin, subscribers.Filter{}, &file, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.imports(file.String(), subscribers.ImportOptions{SeriesID: skin, File: "own.csv", Because: "x"}); err != nil {
		t.Fatal(err)
	}
	p.wantCycle(ada.ID, skin, 3, "exported and imported")
	p.leave(ada.ID, skin)
	p.pass(day)
	if err := p.undo(ada.ID, skin); err != nil {
		t.Fatal(err)
	}
	p.wantCycle(ada.ID, skin, 3, "a leave taken back")
	p.leave(ada.ID, skin)
	p.pass(90*day + 1e6)
	p.sweepSensitive(skin)
	if n := p.count(`SELECT count(*) FROM enrolments WHERE series_id = 1`); n != 0 {
		t.Error("the sweep keeps the enrolment of who started again")
	}
	p.active(skin, "ada@example.org")
	if e := p.wantCycle(ada.ID, skin, 3, "back after the sweep"); !e.CycleSince.Equal(since) {
		t.Errorf("the cycle began %v, want %v", e.CycleSince, since)
	}
	p.wantCycle(ada.ID, gut, 1, "the other series")
	if events := strings.Join(p.events(ada.ID), " "); strings.Count(events, "restarted") != 2 {
		t.Errorf("got events %s", events)
	}
}

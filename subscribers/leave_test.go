package subscribers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestUnsubscribe(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.active(gut, "ada@example.org")

	p.leave(id, skin)
	p.wantGets(skin, "ada@example.org", false, "after leaving the series")
	p.wantGets(gut, "ada@example.org", true, "after leaving the other series")
	e := p.enrolment(skin, id)
	if e.State != subscribers.Ended || e.EndedBy != "unsubscribe" || !e.EndedAt.Equal(p.clock) {
		t.Errorf("enrolment = %+v, want ended by unsubscribe now", e)
	}
	before := dump(p)
	p.pass(time.Hour)
	p.leave(id, skin)
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("leaving twice (-once +twice):\n%s", diff)
	}

	p.leave(id, 0)
	p.wantGets(gut, "ada@example.org", false, "after leaving everything")
	before = dump(p)
	p.leave(id, 0)
	p.leave(id, gut)
	p.leave(id, skin)
	p.leave(id, 99)
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("leaving after everything (-before +after):\n%s", diff)
	}
	consents, err := subscribers.Consents(t.Context(), p.db, id)
	if err != nil {
		t.Fatal(err)
	}
	last := consents[len(consents)-1]
	if last.Event != "unsubscribed" || last.SeriesID != 0 || last.IP != "192.0.2.7" {
		t.Errorf("last consent = %+v, want unsubscribed from everything with its evidence", last)
	}
}

func TestLeavingEverythingCoversWhatMayCome(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.leave(id, 0)
	if err := p.enrol(gut, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol in a series they never were in: %v, want ErrSuppressed", err)
	}
}

func TestLeavingASeriesOneNeverWasIn(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.leave(id, gut)
	p.wantGets(skin, "ada@example.org", true, "after leaving another")
	if err := p.enrol(gut, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol in it: %v, want ErrSuppressed", err)
	}
}

func TestUnsubscribeOfNobody(t *testing.T) {
	p := newPeople(t)
	erased := p.active(skin, "ada@example.org").ID
	p.erase(erased)
	before := dump(p)
	for _, id := range []int64{0, 4711, erased} {
		p.leave(id, skin)
		p.leave(id, 0)
	}
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("leaves of nobody changed (-before +after):\n%s", diff)
	}
}

func TestUndo(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.active(gut, "ada@example.org")
	p.leave(id, gut)
	p.pass(time.Hour)
	p.leave(id, 0)
	p.pass(7 * day)

	if err := p.undo(id, skin); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("undo of a series while everything is left: %v, want ErrNotPending", err)
	}
	if err := p.undo(id, 0); err != nil {
		t.Fatalf("undo of everything: %v", err)
	}
	p.wantGets(skin, "ada@example.org", true, "after the undo")
	p.wantGets(gut, "ada@example.org", false, "after the undo of a later leave")
	if e := p.enrolment(skin, id); e.EndedBy != "" || !e.EndedAt.IsZero() {
		t.Errorf("enrolment = %+v, want no trace of the end", e)
	}
	if e := p.enrolment(gut, id); e.State != subscribers.Ended {
		t.Errorf("the enrolment left before = %+v, want it still ended", e)
	}
	if err := p.undo(id, 0); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("a second undo: %v, want ErrNotPending", err)
	}
	if err := p.undo(id, gut); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("undo of the leave seven days and an hour ago: %v, want ErrNotPending", err)
	}
	want := []string{"requested", "confirmed", "requested", "confirmed", "unsubscribed", "unsubscribed", "undone"}
	if diff := cmp.Diff(want, p.events(id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUndoGivesBackWhatWas(t *testing.T) {
	p := newPeople(t)
	pending := p.join(skin, "pending@example.org").Subscriber.ID
	pausedLong := p.active(skin, "long@example.org").ID
	pausedShort := p.active(skin, "short@example.org").ID
	bounced := p.active(skin, "bounced@example.org").ID
	for id, until := range map[int64]time.Duration{pausedLong: 30 * day, pausedShort: day} {
		p.must(func(tx *store.Tx) error {
			return p.Pause(t.Context(), tx, id, skin, p.clock.Add(until), subscribers.Evidence{})
		})
	}
	all := []int64{pending, pausedLong, pausedShort, bounced}
	for _, id := range all {
		p.leave(id, skin)
	}
	p.suppress("bounced@example.org", 0, "bounce")
	p.pass(3 * day)
	for _, id := range all {
		if err := p.undo(id, skin); err != nil {
			t.Errorf("undo of %d: %v", id, err)
		}
	}
	for id, want := range map[int64]subscribers.State{
		pending: subscribers.Pending, pausedLong: subscribers.Paused, pausedShort: subscribers.Active, bounced: subscribers.Ended,
	} {
		if got := p.enrolment(skin, id); got.State != want {
			t.Errorf("enrolment of %d after the undo = %+v, want %s", id, got, want)
		}
	}
}

func TestUndoOfNobody(t *testing.T) {
	p := newPeople(t)
	erased := p.active(skin, "ada@example.org").ID
	p.leave(erased, skin)
	p.erase(erased)
	in := p.active(skin, "bob@example.org").ID
	for _, id := range []int64{0, 4711, erased, in} {
		if err := p.undo(id, skin); !errors.Is(err, subscribers.ErrNotPending) {
			t.Errorf("undo of %d: %v, want ErrNotPending", id, err)
		}
	}
}

func TestStandingOf(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "Ada@Example.org").ID
	at := p.clock
	check := func(seriesID int64, state subscribers.State, want subscribers.Leave) {
		t.Helper()
		got, err := p.StandingOf(t.Context(), p.db, id, seriesID)
		if err != nil || got.State != state || got.Leave != want || got.Address.Typed != "Ada@Example.org" {
			t.Errorf("StandingOf(series %d) = %+v, %v; want %q and %+v", seriesID, got, err, state, want)
		}
	}
	check(skin, subscribers.Active, subscribers.Leave{})
	p.leave(id, skin)
	check(skin, subscribers.Ended, subscribers.Leave{At: at, MayUndo: true})
	check(gut, "", subscribers.Leave{})
	check(0, "", subscribers.Leave{})
	p.pass(time.Hour)
	p.leave(id, 0)
	check(skin, subscribers.Ended, subscribers.Leave{At: at.Add(time.Hour), Everything: true, MayUndo: true})
	check(gut, "", subscribers.Leave{At: at.Add(time.Hour), Everything: true, MayUndo: true})
	p.pass(7*day + time.Millisecond)
	check(0, "", subscribers.Leave{At: at.Add(time.Hour), Everything: true})
	if got, err := p.StandingOf(t.Context(), p.db, id+1, skin); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("StandingOf of nobody = %+v, %v; want store.ErrNotFound", got, err)
	}
}

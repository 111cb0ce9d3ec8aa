package subscribers_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestEnrol(t *testing.T) {
	p := newPeople(t)
	if err := p.enrol(skin, "Ada@example.org"); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", true, "after Enrol")
	pending := p.join(skin, "bob@example.org").Subscriber
	if err := p.enrol(skin, "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "bob@example.org", true, "pending, then Enrol")
	consents, err := subscribers.Consents(t.Context(), p.db, pending.ID)
	if err != nil || len(consents) != 2 || consents[1].Event != "added" || consents[1].Because != "signed a paper form" {
		t.Errorf("consents = %+v, %v; want the owner's word kept", consents, err)
	}
	before := dump(p)
	if err := p.enrol(skin, "ada@example.org"); err != nil {
		t.Errorf("Enrol twice: %v", err)
	}
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("Enrol twice (-once +twice):\n%s", diff)
	}
	for _, tt := range []struct {
		email, because string
		want           error
	}{{"ada", "x", subscribers.ErrAddress}, {"zoe@example.org", " ", subscribers.ErrBecause}} {
		err := p.tx(func(tx *store.Tx) error {
			_, err := p.Enrol(t.Context(), tx, skin, subscribers.Addition{Email: tt.email}, tt.because)
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("Enrol(%q because %q): %v, want %v", tt.email, tt.because, err, tt.want)
		}
	}
}

func TestEnrolNeverRevives(t *testing.T) {
	for name, gone := range map[string]func(p *people, id int64){
		"unsubscribed":            func(p *people, id int64) { p.leave(id, skin) },
		"unsubscribed everything": func(p *people, id int64) { p.leave(id, 0) },
		"bounced":                 func(p *people, _ int64) { p.suppress("ada@example.org", 0, "bounce") },
		"complained":              func(p *people, _ int64) { p.suppress("ada@example.org", skin, "complaint") },
		"by hand":                 func(p *people, _ int64) { p.suppress("ada@example.org", 0, "manual") },
		"domain":                  func(p *people, _ int64) { p.suppress("example.org", skin, "manual") },
		"erased":                  func(p *people, id int64) { p.erase(id) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeople(t)
			gone(p, p.active(skin, "ada@example.org").ID)
			before := dump(p)
			if err := p.enrol(skin, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
				t.Errorf("Enrol: %v, want ErrSuppressed", err)
			}
			if diff := cmp.Diff(before, dump(p)); diff != "" {
				t.Errorf("Enrol changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestPauseAndWake(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	since := p.clock
	until := p.clock.Add(10 * day)
	pause := func(id int64) error {
		return p.tx(func(tx *store.Tx) error { return p.Pause(t.Context(), tx, id, skin, until, subscribers.Evidence{}) })
	}
	if err := pause(id); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", false, "paused")
	if e := p.enrolment(skin, id); e.State != subscribers.Paused || !e.PausedUntil.Equal(until) {
		t.Errorf("enrolment = %+v, want paused until %s", e, until)
	}
	wake := func(want int64) {
		t.Helper()
		p.must(func(tx *store.Tx) error {
			if n, err := p.Wake(t.Context(), tx); err != nil || n != want {
				t.Errorf("Wake = %d, %v; want %d", n, err, want)
			}
			return nil
		})
	}
	p.clock = until.Add(-1)
	wake(0)
	p.wantGets(skin, "ada@example.org", false, "a moment before the date")
	p.clock = until
	wake(1)
	wake(0)
	p.wantGets(skin, "ada@example.org", true, "on the date")
	if e := p.enrolment(skin, id); !e.PausedUntil.IsZero() || !e.ActiveSince.Equal(since) {
		t.Errorf("enrolment = %+v, want active since %s", e, since)
	}
	if diff := cmp.Diff([]string{"requested", "confirmed", "paused", "resumed"}, p.events(id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	p.leave(id, skin)
	pending := p.join(skin, "bob@example.org").Subscriber.ID
	for _, id := range []int64{id, pending, 4711} {
		if err := pause(id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Pause of %d, not active: %v, want ErrNotFound", id, err)
		}
	}
}

func TestCount(t *testing.T) {
	p := newPeople(t)
	if got, err := subscribers.Count(t.Context(), p.db, skin); err != nil || got != (subscribers.Counts{}) {
		t.Errorf("Count of an empty series = %+v, %v; want zeros", got, err)
	}
	for _, email := range []string{"a@example.org", "b@example.org", "c@example.org", "d@example.com"} {
		p.active(skin, email)
	}
	p.active(gut, "e@example.org")
	p.join(skin, "f@example.org")
	p.leave(p.active(skin, "g@example.org").ID, skin)
	p.must(func(tx *store.Tx) error {
		s, err := subscribers.ByEmail(t.Context(), tx, "c@example.org")
		if err != nil {
			return err
		}
		return p.Pause(t.Context(), tx, s.ID, skin, p.clock.Add(day), subscribers.Evidence{})
	})
	p.suppress("example.com", 0, "manual")
	got, err := subscribers.Count(t.Context(), p.db, skin)
	if want := (subscribers.Counts{Pending: 1, Active: 3, Paused: 1, Ended: 1, Mailable: 2}); err != nil || got != want {
		t.Errorf("Count = %+v, %v; want %+v", got, err, want)
	}
}

func TestEnrolments(t *testing.T) {
	p := newPeople(t)
	p.active(gut, "bob@example.org")
	id := p.active(gut, "ada@example.org").ID
	first := p.clock
	p.active(skin, "ada@example.org")
	p.leave(id, gut)
	got, err := subscribers.Enrolments(t.Context(), p.db, id)
	if err != nil || len(got) != 2 {
		t.Fatalf("Enrolments = %+v, %v; want two", got, err)
	}
	want := []subscribers.Enrolment{
		{ID: got[0].ID, SeriesID: skin, SubscriberID: id, State: "active", Cycle: 1, ActiveSince: p.clock, Created: p.clock, Updated: p.clock},
		{ID: got[1].ID, SeriesID: gut, SubscriberID: id, State: "ended", EndedBy: "unsubscribe", Cycle: 1, ActiveSince: first, EndedAt: p.clock, Created: first, Updated: p.clock},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Enrolments (-want +got):\n%s", diff)
	}
	if _, err := subscribers.EnrolmentOf(t.Context(), p.db, 99, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("EnrolmentOf an unknown series: %v, want ErrNotFound", err)
	}
}

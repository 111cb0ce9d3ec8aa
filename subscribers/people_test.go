package subscribers_test

import (
	"errors"
	"testing"
	"time"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

const (
	skin = int64(1) // two series: to this package they are numbers
	gut  = int64(2)
)

// people is a registry on a real database file with a clock of the test's own.
type people struct {
	testing.TB
	*subscribers.Registry
	db    *store.DB
	clock time.Time
}

func newPeople(t testing.TB) *people {
	t.Helper()
	p := &people{TB: t, db: storetest.Open(t, subscribers.Migrate), clock: time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)}
	p.Registry = &subscribers.Registry{Key: newKey(t), Now: func() time.Time { return p.clock }}
	return p
}

func (p *people) pass(d time.Duration) { p.clock = p.clock.Add(d) }

const day = 24 * time.Hour

// tx runs f in a transaction and returns its error.
func (p *people) tx(f func(tx *store.Tx) error) error {
	return p.db.InTx(p.Context(), f)
}

// must is tx for what can't fail in the test.
func (p *people) must(f func(tx *store.Tx) error) {
	p.Helper()
	if err := p.tx(f); err != nil {
		p.Fatal(err)
	}
}

func (p *people) join(seriesID int64, email string) subscribers.Request {
	p.Helper()
	var req subscribers.Request
	p.must(func(tx *store.Tx) (err error) {
		req, err = p.Join(p.Context(), tx, []int64{seriesID}, subscribers.Addition{Email: email}, subscribers.Evidence{Form: "https://news.example.org/"})
		return err
	})
	return req
}

func (p *people) confirm(token string) (e subscribers.Enrolment, fresh bool, err error) {
	p.Helper()
	err = p.tx(func(tx *store.Tx) (err error) {
		all, err := p.Confirm(p.Context(), tx, token, subscribers.Evidence{IP: "192.0.2.7"})
		if err == nil {
			e, fresh = all[0].Enrolment, all[0].Fresh
		}
		return err
	})
	return e, fresh, err
}

// active joins and confirms.
func (p *people) active(seriesID int64, email string) subscribers.Subscriber {
	p.Helper()
	req := p.join(seriesID, email)
	if req.Token == "" { // asked today for another series
		p.pass(day)
		req = p.join(seriesID, email)
	}
	if _, fresh, err := p.confirm(req.Token); err != nil || !fresh {
		p.Fatalf("confirm %s: fresh %v, %v", email, fresh, err)
	}
	return req.Subscriber
}

func (p *people) leave(id, seriesID int64) {
	p.Helper()
	p.must(func(tx *store.Tx) error {
		return p.Unsubscribe(p.Context(), tx, id, seriesID, subscribers.Evidence{IP: "192.0.2.7"})
	})
}

func (p *people) undo(id, seriesID int64) error {
	return p.tx(func(tx *store.Tx) error {
		return p.Undo(p.Context(), tx, id, seriesID, subscribers.Evidence{})
	})
}

func (p *people) suppress(target string, seriesID int64, reason string) {
	p.Helper()
	p.must(func(tx *store.Tx) error {
		return p.Suppress(p.Context(), tx, target, seriesID, reason, "the test says so")
	})
}

func (p *people) unsuppress(target string) error {
	return p.tx(func(tx *store.Tx) error { return p.Unsuppress(p.Context(), tx, target, 0, "they asked by letter") })
}

func (p *people) enrol(seriesID int64, email string) error {
	return p.tx(func(tx *store.Tx) error {
		_, err := p.Enrol(p.Context(), tx, seriesID, subscribers.Addition{Email: email}, "signed a paper form")
		return err
	})
}

func (p *people) erase(id int64) {
	p.Helper()
	p.must(func(tx *store.Tx) error { return p.Erase(p.Context(), tx, id) })
}

// gets says whether an address is mailable in a series.
func (p *people) gets(seriesID int64, email string) bool {
	p.Helper()
	s, err := subscribers.ByEmail(p.Context(), p.db, email)
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	if err != nil {
		p.Fatal(err)
	}
	yes, err := subscribers.Mailable(p.Context(), p.db, seriesID, s.ID)
	if err != nil {
		p.Fatal(err)
	}
	return yes
}

func (p *people) wantGets(seriesID int64, email string, want bool, when string) {
	p.Helper()
	if got := p.gets(seriesID, email); got != want {
		p.Errorf("%s: %s mailable in series %d = %v, want %v", when, email, seriesID, got, want)
	}
}

func (p *people) enrolment(seriesID, id int64) subscribers.Enrolment {
	p.Helper()
	e, err := subscribers.EnrolmentOf(p.Context(), p.db, seriesID, id)
	if err != nil {
		p.Fatal(err)
	}
	return e
}

// events lists the events of a person's consents.
func (p *people) events(id int64) []string {
	p.Helper()
	consents, err := subscribers.Consents(p.Context(), p.db, id)
	if err != nil {
		p.Fatal(err)
	}
	events := []string{}
	for _, c := range consents {
		events = append(events, c.Event)
	}
	return events
}

func (p *people) count(query string, args ...any) int {
	p.Helper()
	var n int
	if err := p.db.QueryRow(p.Context(), query, args...).Scan(&n); err != nil {
		p.Fatalf("%s: %v", query, err)
	}
	return n
}

package subscribers_test

import (
	"errors"
	"strings"
	"testing"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestResume(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	resume := func() {
		p.must(func(tx *store.Tx) error { return p.Resume(t.Context(), tx, ada.ID, skin, subscribers.Evidence{}) })
	}
	resume() // nothing to resume
	p.must(func(tx *store.Tx) error {
		return p.Pause(t.Context(), tx, ada.ID, skin, p.clock.Add(30*day), subscribers.Evidence{})
	})
	p.wantGets(skin, "ada@example.org", false, "paused")
	resume()
	resume()
	p.wantGets(skin, "ada@example.org", true, "resumed")
	if got := strings.Join(p.events(ada.ID), " "); got != "requested confirmed paused resumed" {
		t.Errorf("got events %s", got)
	}
	p.leave(ada.ID, skin)
	resume()
	p.wantGets(skin, "ada@example.org", false, "a resume after leaving")
}

func TestSetLanguage(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	for _, tt := range []struct{ tag, want string }{{"de", "de"}, {"pt-br", "pt-BR"}, {"", ""}, {"no language", ""}} {
		err := p.tx(func(tx *store.Tx) error { return p.SetLanguage(t.Context(), tx, ada.ID, tt.tag) })
		got, failed := subscribers.ByID(t.Context(), p.db, ada.ID)
		if failed != nil || got.Language != tt.want || errors.Is(err, subscribers.ErrField) != (tt.tag == "no language") {
			t.Errorf("SetLanguage(%q): %v; stored %q, want %q (%v)", tt.tag, err, got.Language, tt.want, failed)
		}
	}
}

// A reason belongs to the leave that it is about, the later one counts, and it goes with the person.
func TestSayWhy(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org")
	why := func(seriesID int64, reason, note string) error {
		return p.tx(func(tx *store.Tx) error { return p.SayWhy(t.Context(), tx, ada.ID, seriesID, reason, note) })
	}
	if err := why(skin, "often", ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before a leave: got %v, want ErrNotFound", err)
	}
	p.leave(ada.ID, skin)
	for _, tt := range []struct {
		series       int64
		reason, note string
		want         error
	}{
		{skin, "often", "Daily is too much.\r\nSorry.", nil},
		{skin, "other", "  On second thoughts.  ", nil},
		{skin, "boring", "", subscribers.ErrField},
		{skin, "other", "a\x00b", subscribers.ErrField},
		{gut, "other", "", store.ErrNotFound},
	} {
		if err := why(tt.series, tt.reason, tt.note); !errors.Is(err, tt.want) {
			t.Errorf("%q, %q: got %v, want %v", tt.reason, tt.note, err, tt.want)
		}
	}
	said, err := subscribers.Reasons(t.Context(), p.db, ada.ID)
	if err != nil || len(said) != 1 {
		t.Fatalf("got reasons %v, %v, want one", said, err)
	}
	for _, r := range said {
		if r.Reason != "other" || r.Note != "On second thoughts." {
			t.Errorf("got %+v, want the later one", r)
		}
	}
	p.erase(ada.ID)
	if said, err = subscribers.Reasons(t.Context(), p.db, ada.ID); err != nil || len(said) != 0 {
		t.Errorf("after the erasure: %v, %v", said, err)
	}
}

// One form asks for several series by one confirmation, which counts once.
func TestJoinSeveral(t *testing.T) {
	p := newPeople(t)
	join := func(series ...int64) (req subscribers.Request) {
		t.Helper()
		p.must(func(tx *store.Tx) (err error) {
			req, err = p.Join(t.Context(), tx, series, subscribers.Addition{Email: "ada@example.org"}, subscribers.Evidence{})
			return err
		})
		return req
	}
	for n := range 3 {
		if req := join(skin, gut); req.Token == "" || len(req.Series) != 2 {
			t.Fatalf("request %d: got %+v, want a token for two series", n+1, req)
		}
		p.pass(day)
	}
	if req := join(skin, gut); req.Token != "" {
		t.Error("a fourth unanswered request was made")
	}
	p = newPeople(t)
	token := join(skin, gut).Token
	for _, fresh := range []bool{true, false} {
		var all []subscribers.Confirmed
		p.must(func(tx *store.Tx) (err error) {
			all, err = p.Confirm(t.Context(), tx, token, subscribers.Evidence{})
			return err
		})
		if len(all) != 2 || all[0].Fresh != fresh || all[1].Fresh != fresh || all[0].SeriesID == all[1].SeriesID {
			t.Errorf("confirmed: %+v, want both series, fresh %t", all, fresh)
		}
	}
	p.wantGets(skin, "ada@example.org", true, "confirmed")
	p.wantGets(gut, "ada@example.org", true, "confirmed")
	ada, err := subscribers.ByEmail(t.Context(), p.db, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	p.leave(ada.ID, gut)
	p.pass(day)
	if req := join(skin, gut); len(req.Series) != 1 || req.Series[0] != gut {
		t.Errorf("asked for one that they get and one that they left: got %v, want the second alone", req.Series)
	}
}

// Whoever only asked for a sensitive series is forgotten after three days, whoever left it after ninety.
func TestSweepSensitive(t *testing.T) {
	p := newPeople(t)
	sweep := func() { p.must(func(tx *store.Tx) error { return p.SweepSensitive(t.Context(), tx, skin) }) }
	known := func(email string, want bool) {
		t.Helper()
		_, err := subscribers.ByEmail(t.Context(), p.db, email)
		if (err == nil) != want {
			t.Errorf("%s: %v, want known %t", email, err, want)
		}
	}
	left, both := p.active(skin, "left@example.org"), p.active(skin, "both@example.org")
	p.active(gut, "both@example.org")
	p.leave(left.ID, skin)
	p.leave(both.ID, skin)
	other := p.active(gut, "other@example.org")
	p.leave(other.ID, gut)
	p.join(skin, "asked@example.org")
	p.join(gut, "gut@example.org")
	sweep()
	known("asked@example.org", true)
	p.pass(3*day + 1e6)
	sweep()
	known("asked@example.org", false)
	known("gut@example.org", true)
	known("left@example.org", true)
	p.pass(90 * day)
	sweep()
	known("left@example.org", false)
	known("both@example.org", true)
	known("other@example.org", true)
	if err := p.enrol(skin, "left@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("forgotten and imported: got %v, want ErrSuppressed", err)
	}
}

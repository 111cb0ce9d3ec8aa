package subscribers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func (p *people) sweepSensitive(series ...int64) {
	p.Helper()
	if err := p.SweepSensitive(p.Context(), p.db, series); err != nil {
		p.Fatal(err)
	}
}

// Whoever only asked for a sensitive series is forgotten after three days, whoever left it after ninety.
func TestSweepSensitive(t *testing.T) {
	p := newPeople(t)
	sweep := func() { p.sweepSensitive(skin) }
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

// Of whoever left a sensitive series ninety days ago and gets another, the proof stays and nothing else; they stay out until they come
// back themselves, and are erased once they have left everything.
func TestSweepSensitiveOfWhoGetsAnother(t *testing.T) {
	p := newPeople(t)
	sweep := func() { p.sweepSensitive(skin) }
	enrolled := func(id int64) bool {
		t.Helper()
		return p.count(`SELECT count(*) FROM enrolments WHERE series_id = 1 AND subscriber_id = ?1`, id) > 0
	}
	ids := map[string]int64{}
	for _, email := range []string{"one@example.org", "all@example.org", "asks@example.org"} {
		ids[email] = p.active(skin, email).ID
		p.active(gut, email)
	}
	p.leave(ids["one@example.org"], skin)
	p.must(func(tx *store.Tx) error {
		return p.SayWhy(t.Context(), tx, ids["one@example.org"], skin, "content", "my rash is gone")
	})
	p.leave(ids["all@example.org"], 0)
	p.must(func(tx *store.Tx) error {
		return p.SayWhy(t.Context(), tx, ids["all@example.org"], 0, "content", "my rash is back")
	})
	p.active(gut, "all@example.org") // which lifts the leave from everything
	p.leave(ids["asks@example.org"], skin)
	p.pass(90*day - 1e6)
	sweep()
	if !enrolled(ids["one@example.org"]) {
		t.Error("forgotten before the ninety days are over")
	}
	asked := p.join(skin, "asks@example.org")
	before := p.events(ids["one@example.org"])
	p.pass(2e6)
	sweep()
	for email, want := range map[string]bool{"one@example.org": false, "all@example.org": false, "asks@example.org": true} {
		if got := enrolled(ids[email]); got != want {
			t.Errorf("%s: enrolment there %t, want %t", email, got, want)
		}
		p.wantGets(gut, email, true, "after the ninety days")
		p.wantGets(skin, email, false, "after the ninety days")
	}
	if diff := cmp.Diff(before, p.events(ids["one@example.org"])); diff != "" {
		t.Errorf("the proof changed (-before +after):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM leave_reasons`); n != 0 {
		t.Error("why they left is still there")
	}
	for _, email := range []string{"one@example.org", "all@example.org"} {
		if err := p.enrol(skin, email); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("%s added by the owner: %v, want ErrSuppressed", email, err)
		}
		if err := p.undo(ids[email], skin); !errors.Is(err, subscribers.ErrNotPending) {
			t.Errorf("%s undoes the leave: %v, want ErrNotPending", email, err)
		}
	}
	rep, err := p.Import(t.Context(), p.db, strings.NewReader("email\nall@example.org\n"),
		subscribers.ImportOptions{SeriesID: skin, File: "f", As: subscribers.Active, Because: "x"})
	if err != nil || rep.KeptOut != 1 {
		t.Errorf("import: %+v, %v, want them kept out", rep, err)
	}
	if _, _, err := p.confirm(asked.Token); err != nil {
		t.Errorf("confirm a request of before the sweep: %v", err)
	}
	p.active(skin, "one@example.org")
	for _, email := range []string{"one@example.org", "asks@example.org"} {
		p.wantGets(skin, email, true, "confirmed again")
	}

	p.leave(ids["all@example.org"], gut)
	p.pass(90*day + 1e6)
	sweep()
	if _, err := subscribers.ByEmail(t.Context(), p.db, "all@example.org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ninety days after they left the other series: %v, want them erased", err)
	}
	if n := p.count(`SELECT count(*) FROM consents WHERE subscriber_id = ?1`, ids["all@example.org"]); n != 0 {
		t.Errorf("%d consents outlive the erasure", n)
	}
}

// TestSweepSensitiveKeepsHowItEnded: what ended an enrolment stands as that, and never keeps out for longer than it did.
func TestSweepSensitiveKeepsHowItEnded(t *testing.T) {
	for _, tt := range []struct {
		reason         string
		lifted         bool // by the owner, so that only the enrolment says it
		stands         string
		mayConfirmSkin bool
	}{
		{"bounce", false, "bounce", true},
		{"bounce", true, "bounce", true},
		{"complaint", false, "complaint", false},
		{"complaint", true, "unsubscribe", true},
	} {
		t.Run(fmt.Sprintf("%s, lifted %t", tt.reason, tt.lifted), func(t *testing.T) {
			p := newPeople(t)
			const email = "ada@example.org"
			id := p.active(skin, email).ID
			p.active(gut, email)
			p.suppress(email, skin, tt.reason)
			if tt.lifted {
				if err := p.unsuppress(email); err != nil {
					t.Fatal(err)
				}
			}
			p.pass(90*day + 1e6)
			p.sweepSensitive(skin)
			if n := p.count(`SELECT count(*) FROM enrolments WHERE series_id = 1 AND subscriber_id = ?1`, id); n != 0 {
				t.Error("the enrolment is still there")
			}
			all, err := p.Suppressions(t.Context(), p.db, email)
			if err != nil || len(all) != 1 || all[0].Reason != tt.stands || all[0].SeriesID != skin || all[0].Because != "" {
				t.Errorf("what stands: %+v, %v; want %s of this series without a text", all, err, tt.stands)
			}
			if err := p.enrol(skin, email); !errors.Is(err, subscribers.ErrSuppressed) {
				t.Errorf("added by the owner: %v, want ErrSuppressed", err)
			}
			p.wantGets(gut, email, true, "swept")
			if tt.mayConfirmSkin {
				p.active(skin, email)
			}
			p.wantGets(skin, email, tt.mayConfirmSkin, "asked again")
		})
	}
}

// TestSweepProofs: whoever is kept for the proof alone is erased ninety days after they left everything, whether or not a series is
// sensitive still, and until then is looked at when that may be.
func TestSweepProofs(t *testing.T) {
	p := newPeople(t)
	const email = "ada@example.org"
	id := p.active(skin, email).ID
	p.active(gut, email)
	p.leave(id, skin)
	p.pass(90*day + 1e6)
	p.sweepSensitive(skin)
	p.sweepSensitive()
	if n := p.count(`SELECT count(*) FROM proven WHERE look_at = ?1`, p.clock.Add(90*day).UnixMilli()); n != 1 {
		t.Error("they get another series, and are looked at before ninety days are over")
	}
	known := func(want bool, when string) {
		t.Helper()
		if _, err := subscribers.ByEmail(t.Context(), p.db, email); (err == nil) != want {
			t.Errorf("%s: %v, want known %t", when, err, want)
		}
	}
	p.pass(1e6)
	p.leave(id, gut)
	p.pass(90*day - 1e6)
	p.sweepSensitive()
	known(true, "looked at a moment before the ninety days are over")
	p.pass(1e6)
	p.sweepSensitive()
	known(true, "at the ninety days")
	p.pass(1e6)
	p.sweepSensitive()
	known(false, "behind them")
}

package subscribers_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestDoubleOptIn(t *testing.T) {
	p := newPeople(t)
	var req subscribers.Request
	p.must(func(tx *store.Tx) (err error) {
		req, err = p.Join(t.Context(), tx, []int64{skin}, subscribers.Addition{Email: "Ada@Example.org", Name: " Ada ", Language: "en_GB"},
			subscribers.Evidence{IP: "192.0.2.1", Agent: "Browser", Form: "https://news.example.org/", Wording: "Yes, weekly."})
		return err
	})
	if req.Enrolment.State != subscribers.Pending || req.Token == "" || req.Subscriber.Name != "Ada" || req.Subscriber.Language != "en-GB" {
		t.Fatalf("Join = %+v, want a pending enrolment of Ada with a token", req)
	}
	if strings.Contains(strings.ToLower(req.Token), "example") { // "ada" is in one of a thousand by chance
		t.Errorf("the token %q shows the address", req.Token)
	}
	p.wantGets(skin, "ada@example.org", false, "before confirming")
	p.pass(time.Hour)
	e, fresh, err := p.confirm(req.Token)
	if err != nil || !fresh || e.State != subscribers.Active || !e.ActiveSince.Equal(p.clock) {
		t.Fatalf("Confirm = %+v, fresh %v, %v; want active now and fresh", e, fresh, err)
	}
	p.wantGets(skin, "ada@example.org", true, "after confirming")
	p.wantGets(gut, "ada@example.org", false, "in another series")

	p.pass(time.Hour)
	again, fresh, err := p.confirm(req.Token)
	if err != nil || fresh || again != e {
		t.Errorf("Confirm a second time = %+v, fresh %v, %v; want %+v, false", again, fresh, err, e)
	}
	consents, err := subscribers.Consents(t.Context(), p.db, req.Subscriber.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []subscribers.Consent{
		{
			ID: req.Serial, SeriesID: skin, Event: "requested", At: p.clock.Add(-2 * time.Hour), Email: "Ada@Example.org",
			Evidence:       subscribers.Evidence{IP: "192.0.2.1", Agent: "Browser", Form: "https://news.example.org/", Wording: "Yes, weekly."},
			WordingVersion: "5747bbb25fd46cea",
		},
		{
			ID: req.Serial + 1, SeriesID: skin, Event: "confirmed", RequestID: req.Serial, At: p.clock.Add(-time.Hour), Email: "Ada@Example.org",
			Evidence: subscribers.Evidence{IP: "192.0.2.7"}, Token: fmt.Sprintf("%x", sha256.Sum256([]byte(req.Token)))[:16],
		},
	}
	if diff := cmp.Diff(want, consents); diff != "" {
		t.Errorf("consents (-want +got):\n%s", diff)
	}
}

func TestJoinChangesNothingWithoutAToken(t *testing.T) {
	for _, tt := range []struct {
		name string
		prep func(p *people)
	}{
		{"active", func(p *people) { p.active(skin, "ada@example.org") }},
		{"enrolled by the owner", func(p *people) {
			if err := p.enrol(skin, "ada@example.org"); err != nil {
				p.Fatal(err)
			}
		}},
		{"paused", func(p *people) {
			id := p.active(skin, "ada@example.org").ID
			p.must(func(tx *store.Tx) error {
				return p.Pause(p.Context(), tx, id, skin, p.clock.Add(30*day), subscribers.Evidence{})
			})
		}},
		{"complained", func(p *people) { p.active(skin, "ada@example.org"); p.suppress("ada@example.org", skin, "complaint") }},
		{"suppressed, unknown", func(p *people) { p.suppress("ada@example.org", 0, "manual") }},
		{"domain suppressed", func(p *people) { p.suppress("example.org", 0, "manual") }},
		{"asked today", func(p *people) { p.join(gut, "ada@example.org") }},
		{"asked three times", func(p *people) {
			for range 3 {
				p.join(skin, "ada@example.org")
				p.pass(2 * day)
			}
		}},
		{"asked three times, swept since", func(p *people) {
			for range 3 {
				if req := p.join(skin, "ada@example.org"); req.Token == "" {
					p.Fatal("one of the first three requests got no token")
				}
				p.pass(20 * day)
				p.must(func(tx *store.Tx) error { _, err := p.Sweep(p.Context(), tx); return err })
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeople(t)
			tt.prep(p)
			before := dump(p)
			for range 3 {
				if req := p.join(skin, "Ada@example.org"); req.Token != "" || req.Serial != 0 {
					t.Errorf("Join = %+v, want no token", req)
				}
			}
			if diff := cmp.Diff(before, dump(p)); diff != "" {
				t.Errorf("the database changed (-before +after):\n%s", diff)
			}
		})
	}
}

// dump is all the package's rows that a person could find themselves in.
func dump(p *people) []string {
	p.Helper()
	var all []string
	for _, query := range []string{
		`SELECT 'person ' || id || ' ' || email || ' ' || name || ' ' || fields FROM subscribers ORDER BY id`,
		`SELECT 'enrolment ' || series_id || ' ' || subscriber_id || ' ' || state || ' ' || ended_by || ' ' || coalesce(reading_id, 0) || ' ' || updated
			FROM enrolments ORDER BY id`,
		`SELECT 'consent ' || id || ' ' || subscriber_id || ' ' || event FROM consents ORDER BY id`,
		`SELECT 'suppression ' || hash || ' ' || series_id || ' ' || reason FROM suppressions ORDER BY hash, series_id, reason`,
		`SELECT 'unanswered ' || hash || ' ' || requests FROM unanswered ORDER BY hash`,
	} {
		rows, err := p.db.Query(p.Context(), query)
		if err != nil {
			p.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				p.Fatal(err)
			}
			all = append(all, line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			p.Fatal(err)
		}
	}
	return all
}

func TestListBombing(t *testing.T) {
	p := newPeople(t)
	tokens, days := 0, 0
	for range 1000 { // more than a month of posts
		if p.join(skin, "victim@example.org").Token != "" {
			tokens++
		}
		if p.pass(time.Hour); p.clock.Hour() == 0 {
			days++
			p.must(func(tx *store.Tx) error { _, err := p.Sweep(p.Context(), tx); return err })
		}
	}
	if tokens != 3 {
		t.Errorf("%d confirmations in %d days, want 3 ever", tokens, days)
	}
}

func TestJoinAsksOnceADay(t *testing.T) {
	p := newPeople(t)
	first := p.join(skin, "ada@example.org")
	p.pass(day - time.Millisecond)
	if req := p.join(skin, "ada@example.org"); req.Token != "" {
		t.Error("a second confirmation within a day")
	}
	p.pass(time.Millisecond)
	second := p.join(skin, "ada@example.org")
	if second.Token == "" || second.Token == first.Token {
		t.Fatalf("after a day: token %q, want a new one", second.Token)
	}
	if _, _, err := p.confirm(first.Token); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("the first link after the second: %v, want ErrNotPending", err)
	}
	if _, fresh, err := p.confirm(second.Token); err != nil || !fresh {
		t.Errorf("the second link: fresh %v, %v", fresh, err)
	}
	if req := p.join(gut, "ada@example.org"); req.Token != "" {
		t.Error("a second confirmation within a day, for another series and after an answer")
	}
	p.pass(day)
	if req := p.join(gut, "ada@example.org"); req.Token == "" {
		t.Error("a day later another series may be joined, but got no token")
	}
}

func TestAnAnswerForgivesWhatWasNotAnswered(t *testing.T) {
	p := newPeople(t)
	sweep := func() {
		t.Helper()
		p.must(func(tx *store.Tx) error { _, err := p.Sweep(t.Context(), tx); return err })
	}
	for range 2 { // one before what the sweep counted, one before what it has yet to count
		p.join(skin, "ada@example.org")
		p.pass(20 * day)
		sweep()
		p.join(skin, "ada@example.org")
		p.pass(2 * day)
		id := p.active(skin, "ada@example.org").ID
		p.pass(20 * day)
		sweep()
		p.leave(id, skin)
	}
	for i := range 3 {
		if req := p.join(skin, "ada@example.org"); req.Token == "" {
			t.Errorf("request %d after an answer got no token", i+1)
		}
		p.pass(2 * day)
	}
}

// TestANameBelongsToWhoeverConfirms: a stranger typed the first one.
func TestANameBelongsToWhoeverConfirms(t *testing.T) {
	p := newPeople(t)
	ask := func(seriesID int64, name string) (req subscribers.Request) {
		p.must(func(tx *store.Tx) (err error) {
			req, err = p.Join(t.Context(), tx, []int64{seriesID}, subscribers.Addition{Email: "ada@example.org", Name: name, Language: "en"}, subscribers.Evidence{})
			return err
		})
		p.pass(day)
		return req
	}
	want := func(when, want string) {
		t.Helper()
		if got, err := subscribers.ByEmail(t.Context(), p.db, "ada@example.org"); err != nil || got.Name != want {
			t.Errorf("%s: got name %q, %v; want %q", when, got.Name, err, want)
		}
	}
	ask(skin, "CHEAP PILLS")
	req := ask(skin, "Ada")
	want("asked again", "Ada")
	if _, _, err := p.confirm(req.Token); err != nil || req.Subscriber.Name != "Ada" {
		t.Errorf("confirm %+v: %v", req.Subscriber, err)
	}
	ask(gut, "CHEAP PILLS")
	want("confirmed, and a stranger asks", "Ada")
}

func TestJoinNeverChangesAKnownPerson(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "ada@example.org")
	p.must(func(tx *store.Tx) error {
		_, err := p.Join(t.Context(), tx, []int64{gut}, subscribers.Addition{Email: "ADA@example.org", Name: "Buy at evil.example", Fields: map[string]string{"a": "b"}}, subscribers.Evidence{})
		return err
	})
	got, err := subscribers.ByEmail(t.Context(), p.db, "ada@example.org")
	if err != nil || got.Name != "" || len(got.Fields) != 0 || got.Email != "ada@example.org" {
		t.Errorf("a stranger's form made the person %+v, %v", got, err)
	}
}

func TestJoinRefuses(t *testing.T) {
	p := newPeople(t)
	for _, tt := range []struct {
		a    subscribers.Addition
		want error
	}{
		{subscribers.Addition{Email: "ada"}, subscribers.ErrAddress},
		{subscribers.Addition{Email: "ada@example.org", Name: "Ada\r\nBcc: x@example.org"}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Name: "Ada\u2028x"}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Name: "\xff"}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Name: strings.Repeat("a", 201)}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Language: "not a language"}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Fields: map[string]string{"x": "a\x00b"}}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Fields: map[string]string{"": "x"}}, subscribers.ErrField},
		{subscribers.Addition{Email: "ada@example.org", Fields: map[string]string{"a\nb": "x"}}, subscribers.ErrField},
	} {
		err := p.tx(func(tx *store.Tx) error {
			_, err := p.Join(t.Context(), tx, []int64{skin}, tt.a, subscribers.Evidence{})
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("Join(%+v): %v, want %v", tt.a, err, tt.want)
		}
	}
	if n := p.count(`SELECT count(*) FROM subscribers`); n != 0 {
		t.Errorf("%d people stored, want none", n)
	}
}

func TestConfirmRefuses(t *testing.T) {
	p := newPeople(t)
	req := p.join(skin, "ada@example.org")
	seal := func(purpose subscribers.Purpose, id, series, serial int64) string {
		return p.Key.Seal(subscribers.Token{Purpose: purpose, SubscriberID: id, SeriesID: series, Serial: serial})
	}
	id := req.Subscriber.ID
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"nonsense", "x", subscribers.ErrToken},
		{"an unsubscribe link", seal(subscribers.PurposeUnsubscribe, id, skin, req.Serial), subscribers.ErrToken},
		{"another request", seal(subscribers.PurposeConfirm, id, skin, req.Serial+1), subscribers.ErrNotPending},
		{"another series", seal(subscribers.PurposeConfirm, id, gut, req.Serial), subscribers.ErrNotPending},
		{"another person", seal(subscribers.PurposeConfirm, id+1, skin, req.Serial), subscribers.ErrNotPending},
	} {
		if _, _, err := p.confirm(tt.token); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	p.wantGets(skin, "ada@example.org", false, "after wrong links")
}

// TestABounceIsLiftedByConfirming (SERIES rule 15): a mailbox can come back, and who confirms has shown that it has.
func TestABounceIsLiftedByConfirming(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.active(gut, "ada@example.org")
	p.suppress("ada@example.org", 0, "bounce")
	p.pass(8 * day)
	if err := p.undo(id, skin); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("Undo: %v, want ErrNotPending", err)
	}
	if err := p.enrol(skin, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol on the owner's word: %v, want ErrSuppressed", err)
	}
	req := p.join(skin, "ada@example.org")
	p.wantGets(skin, "ada@example.org", false, "asked")
	if _, _, err := p.confirm(req.Token); err != nil {
		t.Fatalf("Confirm: %v", err)
	}
	p.wantGets(skin, "ada@example.org", true, "confirmed again")
	p.wantGets(gut, "ada@example.org", false, "confirmed another series only")
}

func TestOldLinksNeverBringAnybodyBack(t *testing.T) {
	both, unused := []bool{false, true}, []bool{false} // links used before, where what comes after ends the enrolment
	for _, tt := range []struct {
		name  string
		used  []bool
		after func(p *people, id int64)
	}{
		{"unsubscribe", both, func(p *people, id int64) { p.leave(id, skin) }},
		{"unsubscribe from everything", both, func(p *people, id int64) { p.leave(id, 0) }},
		{"bounce", both, func(p *people, _ int64) { p.suppress("ada@example.org", 0, "bounce") }},
		{"complaint", both, func(p *people, _ int64) { p.suppress("ada@example.org", skin, "complaint") }},
		{"complaint, lifted", both, func(p *people, _ int64) {
			p.suppress("ada@example.org", skin, "complaint")
			if err := p.unsuppress("ada@example.org"); err != nil {
				p.Fatal(err)
			}
		}},
		{"by hand", unused, func(p *people, _ int64) { p.suppress("ada@example.org", 0, "manual") }},
		{"domain by hand", unused, func(p *people, _ int64) { p.suppress("@example.org", 0, "manual") }},
		{"erasure", both, func(p *people, id int64) { p.erase(id) }},
		{"sweep", unused, func(p *people, _ int64) {
			p.pass(15 * day)
			p.must(func(tx *store.Tx) error { _, err := p.Sweep(p.Context(), tx); return err })
		}},
	} {
		for _, used := range tt.used {
			t.Run(fmt.Sprintf("%s, used %v", tt.name, used), func(t *testing.T) {
				p := newPeople(t)
				req := p.join(skin, "ada@example.org")
				if used {
					if _, _, err := p.confirm(req.Token); err != nil {
						t.Fatal(err)
					}
				}
				tt.after(p, req.Subscriber.ID)
				before := dump(p)
				if _, fresh, err := p.confirm(req.Token); !errors.Is(err, subscribers.ErrNotPending) || fresh {
					t.Errorf("the old link: fresh %v, %v; want ErrNotPending", fresh, err)
				}
				p.wantGets(skin, "ada@example.org", false, "after the old link")
				if diff := cmp.Diff(before, dump(p)); diff != "" {
					t.Errorf("the old link changed (-before +after):\n%s", diff)
				}
			})
		}
	}
}

func TestLeavingAgainKillsTheLinkAskedForSince(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.leave(id, skin)
	p.pass(day)
	req := p.join(skin, "ada@example.org")
	p.leave(id, skin)
	if _, _, err := p.confirm(req.Token); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("a link asked for before the last leave: %v, want ErrNotPending", err)
	}
	p.leave(id, skin)
	want := []string{"requested", "confirmed", "unsubscribed", "requested", "unsubscribed"}
	if diff := cmp.Diff(want, p.events(id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAsking(t *testing.T) {
	p := newPeople(t)
	check := func(when string, id int64, skinWant, gutWant bool) {
		t.Helper()
		for series, want := range map[int64]bool{skin: skinWant, gut: gutWant, 0: skinWant || gutWant} {
			if got, err := subscribers.Asking(t.Context(), p.db, id, series); err != nil || got != want {
				t.Errorf("%s: Asking(series %d) = %v, %v; want %v", when, series, got, err, want)
			}
		}
	}
	check("nobody", 4711, false, false)
	req := p.join(skin, "ada@example.org")
	id := req.Subscriber.ID
	check("asked", id, true, false)
	if _, _, err := p.confirm(req.Token); err != nil {
		t.Fatal(err)
	}
	check("confirmed", id, false, false)
	p.leave(id, 0)
	p.pass(day)
	p.join(gut, "ada@example.org")
	check("left and asked for another", id, false, true)
	p.leave(id, skin)
	check("left the first again", id, false, true)
	p.leave(id, 0)
	check("left everything", id, false, false)
}

func TestComingBackKeepsTheCycle(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE enrolments SET cycle = 3, cycle_since = 1 WHERE subscriber_id = ?1`, id)
		return err
	})
	for _, scope := range []int64{skin, 0} {
		p.leave(id, scope)
		p.wantGets(skin, "ada@example.org", false, "after leaving")
		p.pass(day)
		req := p.join(skin, "ada@example.org")
		if req.Token == "" || req.Enrolment.State != subscribers.Ended {
			t.Fatalf("Join after leaving = %+v, want a token and an enrolment still ended", req)
		}
		e, fresh, err := p.confirm(req.Token)
		if err != nil || !fresh || e.State != subscribers.Active || e.Cycle != 3 || e.EndedBy != "" || !e.EndedAt.IsZero() || !e.ActiveSince.Equal(p.clock) {
			t.Fatalf("Confirm after leaving %d = %+v, fresh %v, %v; want active in cycle 3", scope, e, fresh, err)
		}
		p.wantGets(skin, "ada@example.org", true, "back again")
	}
}

func TestConfirmLiftsEverythingButNotOtherSeries(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.active(gut, "ada@example.org")
	p.leave(id, 0)
	p.pass(day)
	if _, fresh, err := p.confirm(p.join(skin, "ada@example.org").Token); err != nil || !fresh {
		t.Fatalf("confirm again: fresh %v, %v", fresh, err)
	}
	p.wantGets(skin, "ada@example.org", true, "confirmed again")
	p.wantGets(gut, "ada@example.org", false, "not asked for again")
	if err := p.enrol(gut, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol in the series they left: %v, want ErrSuppressed", err)
	}
}

func TestConfirmAfterTheOwnerEnrolled(t *testing.T) {
	p := newPeople(t)
	req := p.join(skin, "ada@example.org")
	if err := p.enrol(skin, "ada@example.org"); err != nil {
		t.Fatal(err)
	}
	since := p.enrolment(skin, req.Subscriber.ID).ActiveSince
	p.pass(time.Hour)
	e, fresh, err := p.confirm(req.Token)
	if err != nil || !fresh || e.State != subscribers.Active || !e.ActiveSince.Equal(since) {
		t.Errorf("Confirm = %+v, fresh %v, %v; want the enrolment as it was", e, fresh, err)
	}
	want := []string{"requested", "added", "confirmed"}
	if diff := cmp.Diff(want, p.events(req.Subscriber.ID)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSweep(t *testing.T) {
	p := newPeople(t)
	old := p.join(skin, "old@example.org")
	confirmed := p.active(skin, "confirmed@example.org")
	p.pass(day)
	p.join(gut, "confirmed@example.org")
	left := p.join(skin, "left@example.org").Subscriber
	p.leave(left.ID, skin)
	p.pass(3 * day)
	p.join(skin, "young@example.org")
	p.pass(11*day + time.Second)

	var n int64
	sweep := func() {
		t.Helper()
		p.must(func(tx *store.Tx) (err error) { n, err = p.Sweep(t.Context(), tx); return err })
	}
	if sweep(); n != 3 {
		t.Errorf("swept %d requests, want 3: old, confirmed's second, left's", n)
	}
	if _, err := subscribers.ByEmail(t.Context(), p.db, "old@example.org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("old@example.org: %v, want ErrNotFound", err)
	}
	if _, err := subscribers.ByID(t.Context(), p.db, old.Subscriber.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("by the old number: %v, want ErrNotFound", err)
	}
	p.wantGets(skin, "confirmed@example.org", true, "after the sweep")
	if diff := cmp.Diff([]string{"requested", "confirmed"}, p.events(confirmed.ID)); diff != "" {
		t.Errorf("events of the confirmed (-want +got):\n%s", diff)
	}
	if _, err := subscribers.EnrolmentOf(t.Context(), p.db, gut, confirmed.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the unconfirmed second series: %v, want ErrNotFound", err)
	}
	if err := p.enrol(skin, "left@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("who left before confirming: %v, want ErrSuppressed", err)
	}
	if _, err := subscribers.ByEmail(t.Context(), p.db, "young@example.org"); err != nil {
		t.Errorf("a request of eleven days: %v, want it kept", err)
	}
	if sweep(); n != 0 {
		t.Errorf("swept %d requests the second time, want 0", n)
	}
	if req := p.join(skin, "old@example.org"); req.Token == "" || req.Subscriber.ID == old.Subscriber.ID {
		t.Errorf("asking again after the sweep = %+v, want a token for a new person", req)
	}
}

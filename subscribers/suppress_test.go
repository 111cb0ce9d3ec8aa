package subscribers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestSuppress(t *testing.T) {
	for _, tt := range []struct {
		target, reason string
		series         int64
		skin, gut      bool   // whether Ada still gets them
		state          string // of her enrolment in skin
	}{
		{"ada@example.org", "manual", 0, false, false, "active"},
		{"ada@example.org", "manual", skin, false, true, "active"},
		{"ADA@Example.org", "manual", skin, false, true, "active"},
		{"ada@example.org", "bounce", 0, false, false, "ended by bounce"},
		{"ada@example.org", "complaint", 0, false, false, "ended by complaint"},
		{"ada@example.org", "complaint", skin, false, true, "ended by complaint"},
		{"ada@example.org", "unsubscribe", gut, true, false, "active"},
		{"ada@example.org", "unsubscribe", 0, false, false, "ended by unsubscribe"},
		{"example.org", "manual", 0, false, false, "active"},
		{"@Example.ORG", "manual", gut, true, false, "active"},
		{"other.example.org", "manual", 0, true, true, "active"},
		{"org.example", "manual", 0, true, true, "active"},
		{"adda@example.org", "bounce", 0, true, true, "active"},
	} {
		t.Run(tt.target+" "+tt.reason, func(t *testing.T) {
			p := newPeople(t)
			id := p.active(skin, "ada@example.org").ID
			p.active(gut, "ada@example.org")
			p.active(skin, "bob@example.com")
			p.suppress(tt.target, tt.series, tt.reason)
			p.wantGets(skin, "ada@example.org", tt.skin, "after "+tt.reason)
			p.wantGets(gut, "ada@example.org", tt.gut, "after "+tt.reason)
			p.wantGets(skin, "bob@example.com", true, "after "+tt.reason)
			e := p.enrolment(skin, id)
			if got := strings.TrimSuffix(string(e.State)+" by "+e.EndedBy, " by "); got != tt.state {
				t.Errorf("enrolment in skin is %q, want %q", got, tt.state)
			}
			before := dump(p)
			p.suppress(tt.target, tt.series, tt.reason)
			if diff := cmp.Diff(before, dump(p)); diff != "" {
				t.Errorf("suppressing twice (-once +twice):\n%s", diff)
			}
		})
	}
}

func TestSuppressTheUnknown(t *testing.T) {
	p := newPeople(t)
	p.suppress("ada@example.org", 0, "manual")
	p.suppress("ada@example.org", skin, "unsubscribe")
	p.suppress("example.com", 0, "manual")
	if n := p.count(`SELECT count(*) FROM subscribers`); n != 0 {
		t.Errorf("%d people stored for suppressions of unknown addresses, want none", n)
	}
	for _, email := range []string{"ada@example.org", "bob@example.com"} {
		if err := p.enrol(skin, email); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("Enrol(%s): %v, want ErrSuppressed", email, err)
		}
	}
	if n := p.count(`SELECT count(*) FROM suppressions WHERE hash LIKE '%ada%' OR hash LIKE '%example%'`); n != 0 {
		t.Error("a suppression shows the address or the domain")
	}
}

func TestSuppressRefuses(t *testing.T) {
	p := newPeople(t)
	for _, tt := range []struct{ target, reason string }{
		{"", "manual"},
		{"localhost", "manual"},
		{"ada@localhost", "manual"},
		{"a@b@example.org", "manual"},
		{"example.org", "bounce"},
		{"@example.org", "unsubscribe"},
	} {
		err := p.tx(func(tx *store.Tx) error { return p.Suppress(t.Context(), tx, tt.target, 0, tt.reason, "x") })
		if !errors.Is(err, subscribers.ErrAddress) {
			t.Errorf("Suppress(%q, %s): %v, want ErrAddress", tt.target, tt.reason, err)
		}
	}
	if err := p.tx(func(tx *store.Tx) error { return p.Suppress(t.Context(), tx, "ada@example.org", 0, "mood", "") }); err == nil {
		t.Error("the database took an unknown reason")
	}
}

func TestUnsuppress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prep   func(p *people, id int64)
		target string
		want   error
		gets   bool // at once
		asks   bool // may join again
	}{
		{"by hand", func(p *people, _ int64) { p.suppress("ada@example.org", skin, "manual") }, "Ada@example.org", nil, true, false},
		{"domain", func(p *people, _ int64) { p.suppress("example.org", 0, "manual") }, "example.org", nil, true, false},
		{"domain by its address", func(p *people, _ int64) { p.suppress("example.org", 0, "manual") }, "ada@example.org", subscribers.ErrSuppressed, false, false},
		{"bounce", func(p *people, _ int64) { p.suppress("ada@example.org", 0, "bounce") }, "ada@example.org", nil, false, true},
		{"complaint", func(p *people, _ int64) { p.suppress("ada@example.org", 0, "complaint") }, "ada@example.org", nil, false, true},
		{"unsubscribe", func(p *people, id int64) { p.leave(id, skin) }, "ada@example.org", subscribers.ErrSuppressed, false, true},
		{"erasure", func(p *people, id int64) { p.erase(id) }, "ada@example.org", subscribers.ErrSuppressed, false, true},
		{"by hand and unsubscribed", func(p *people, id int64) {
			p.suppress("ada@example.org", 0, "manual")
			p.leave(id, 0)
		}, "ada@example.org", nil, false, true},
		{"nothing", func(*people, int64) {}, "ada@example.org", store.ErrNotFound, true, false},
		{"nobody", func(*people, int64) {}, "zoe@example.org", store.ErrNotFound, true, false},
		{"no address", func(*people, int64) {}, "zoe", subscribers.ErrAddress, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeople(t)
			id := p.active(skin, "ada@example.org").ID
			tt.prep(p, id)
			if err := p.unsuppress(tt.target); !errors.Is(err, tt.want) {
				t.Errorf("Unsuppress(%s): %v, want %v", tt.target, err, tt.want)
			}
			p.wantGets(skin, "ada@example.org", tt.gets, "after Unsuppress")
			if !tt.gets {
				if err := p.enrol(skin, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
					t.Errorf("Enrol after Unsuppress: %v, want ErrSuppressed", err)
				}
			}
			p.pass(day)
			req := p.join(skin, "ada@example.org")
			if got := req.Token != ""; got != tt.asks {
				t.Errorf("Join after Unsuppress gives a token: %v, want %v", got, tt.asks)
			}
			if tt.asks {
				if _, _, err := p.confirm(req.Token); err != nil {
					t.Errorf("Confirm: %v", err)
				}
				p.wantGets(skin, "ada@example.org", true, "after confirming again")
			}
		})
	}
	p := newPeople(t)
	p.suppress("ada@example.org", 0, "complaint")
	if err := p.tx(func(tx *store.Tx) error { return p.Unsuppress(t.Context(), tx, "ada@example.org", 0, " ") }); !errors.Is(err, subscribers.ErrBecause) {
		t.Errorf("Unsuppress without a reason: %v, want ErrBecause", err)
	}
}

func TestSuppressions(t *testing.T) {
	p := newPeople(t)
	start := p.clock
	id := p.active(skin, "ada@example.org").ID
	p.suppress("example.org", 0, "manual")
	p.pass(day)
	p.suppress("ada@example.org", gut, "bounce")
	p.pass(day)
	p.leave(id, 0)
	got, err := p.Suppressions(t.Context(), p.db, "ADA@example.org")
	if err != nil {
		t.Fatal(err)
	}
	want := []subscribers.Suppression{
		{SeriesID: 0, Reason: "manual", Because: "the test says so", Domain: true, Created: start},
		{SeriesID: gut, Reason: "bounce", Because: "the test says so", Created: start.Add(day)},
		{SeriesID: 0, Reason: "unsubscribe", Created: start.Add(2 * day)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("suppressions (-want +got):\n%s", diff)
	}
	if got, err := p.Suppressions(t.Context(), p.db, "zoe@example.com"); err != nil || len(got) != 0 {
		t.Errorf("of somebody unknown: %v, %v; want none", got, err)
	}
	if _, err := p.Suppressions(t.Context(), p.db, "zoe"); !errors.Is(err, subscribers.ErrAddress) {
		t.Errorf("of no address: %v, want ErrAddress", err)
	}
}

func TestUnsuppressInOneSeries(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "ada@example.org")
	p.active(gut, "ada@example.org")
	lift := func(target string, seriesID int64) error {
		return p.tx(func(tx *store.Tx) error { return p.Unsuppress(t.Context(), tx, target, seriesID, "she wrote") })
	}
	p.suppress("ada@example.org", skin, "manual")
	p.suppress("ada@example.org", gut, "manual")
	if err := lift("ada@example.org", gut); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", false, "lifted in the other series")
	p.wantGets(gut, "ada@example.org", true, "lifted there")
	if err := lift("ada@example.org", gut); !errors.Is(err, subscribers.ErrSuppressed) || !strings.Contains(err.Error(), "not in this series") {
		t.Errorf("lifted where nothing stands: %v, want ErrSuppressed saying that it stands elsewhere", err)
	}
	if err := lift("ada@example.org", 0); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", true, "lifted everywhere")
	if err := lift("ada@example.org", 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nothing stands: %v, want ErrNotFound", err)
	}
}

// TestSuppressionOutlivesErasure: the hash stays with reason and day, without the words, and no import brings the address back.
func TestSuppressionOutlivesErasure(t *testing.T) {
	for _, reason := range []string{"bounce", "complaint", "manual", "unsubscribe"} {
		p := newPeople(t)
		id := p.active(skin, "ada@example.org").ID
		p.suppress("ada@example.org", 0, reason)
		p.erase(id)
		got, err := p.Suppressions(t.Context(), p.db, "ada@example.org")
		if err != nil || len(got) != 2 || got[0].Because+got[1].Because != "" {
			t.Errorf("%s: after the erasure %+v, %v stand; want the reason and the erasure, without words", reason, got, err)
		}
		rep, err := p.imports("email,status\nada@example.org,active\n", onWord)
		if err != nil || rep.KeptOut != 1 || p.count(`SELECT count(*) FROM subscribers WHERE erased IS NULL`) != 0 {
			t.Errorf("%s: the import of the erased is %+v, %v; want them kept out and unknown", reason, rep, err)
		}
	}
}

// TestOnlyAnOwnerLiftsAComplaint: not an import, not the owner's word for somebody, not their own confirmation.
func TestOnlyAnOwnerLiftsAComplaint(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "ada@example.org")
	p.suppress("ada@example.org", 0, "complaint")
	p.pass(8 * day)
	if rep, err := p.imports("email,status\nada@example.org,active\n", onWord); err != nil || rep.KeptOut != 1 {
		t.Errorf("import: %+v, %v; want her kept out", rep, err)
	}
	if err := p.enrol(skin, "ada@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol: %v, want ErrSuppressed", err)
	}
	if req := p.join(skin, "ada@example.org"); req.Token != "" {
		t.Error("she was asked to confirm")
	}
	if err := p.unsuppress("ada@example.org"); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", false, "lifted, not confirmed")
	if _, _, err := p.confirm(p.join(skin, "ada@example.org").Token); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", true, "lifted and confirmed")
}

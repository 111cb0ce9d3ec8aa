package subscribers_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// TestHistories plays random histories and holds after every step: nobody is mailable after they left, bounced,
// complained, were suppressed or erased, until they themselves confirmed anew (or what stood was lifted as the rules allow); imports
// and owners never revive; whoever confirmed and did none of that is mailable; consents only grow but in erasures and sweeps; nobody is
// in another cycle than the one that they began themselves.
func TestHistories(t *testing.T) {
	p := newPeople(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		h := newHistory(p, rt, runs)
		rt.Repeat(map[string]func(*rapid.T){
			"":           h.check,
			"join":       h.join,
			"confirm":    h.confirm,
			"leave":      h.leave,
			"undo":       h.undo,
			"again":      h.again,
			"enrol":      h.enrol,
			"import":     h.imports,
			"suppress":   h.suppress,
			"unsuppress": h.unsuppress,
			"erase":      h.erase,
			"sweep":      h.sweep,
			"time":       h.time,
		})
	})
	p.wantBreaksAlike(t)
}

// wantBreaksAlike sends everybody of the histories on a break, and takes that back: who is mailable is who comes back from one.
func (p *people) wantBreaksAlike(t *testing.T) {
	t.Helper()
	list := func(q store.Querier, view string) (all []string) {
		rows, err := q.Query(t.Context(), `SELECT series_id || '/' || subscriber_id || '/' || cycle FROM `+view+` ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var one string
			if err := rows.Scan(&one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	}
	back := errors.New("taken back")
	err := p.tx(func(tx *store.Tx) error {
		mailable := list(tx, "mailable")
		if _, err := tx.Exec(t.Context(), `UPDATE enrolments SET state = 'paused', paused_until = 1 WHERE state = 'active'`); err != nil {
			return err
		}
		if diff := cmp.Diff(mailable, list(tx, "on_break")); diff != "" || len(mailable) == 0 {
			t.Errorf("of %d who were mailable, who comes back from a break (-want +got):\n%s", len(mailable), diff)
		}
		return back
	})
	if !errors.Is(err, back) {
		t.Fatal(err)
	}
}

// place is an address in a series; series 0 is the whole site.
type place struct {
	email  string
	series int64
}

// history is what one run knows of its people, told apart from other runs' by their addresses.
type history struct {
	p      *people
	emails []string

	in       map[place]bool      // they would get mail if nothing stood against it
	ended    map[place]string    // how their enrolment ended: leave, or hard for a bounce or a complaint
	leaves   map[place]time.Time // unsubscribes that stand
	undoable map[place][]place   // what a leave ended: undo gives it back
	bounced  map[place]bool      // a bounce that stands: they lift it by confirming
	hard     map[place]bool      // a complaint that stands
	manual   map[place]bool      // by hand; of a domain too
	erased   map[string]bool     // and did not confirm since
	cycles   map[place]int64     // begun by starting again
	tokens   []string            // of confirmations
	of       map[string]place    // whom a token is for

	consents map[int64]string // those seen, by number
	may      bool             // delete consents in this step
}

func newHistory(p *people, rt *rapid.T, run int) *history {
	h := &history{
		p: p, in: map[place]bool{}, ended: map[place]string{}, leaves: map[place]time.Time{}, undoable: map[place][]place{},
		bounced: map[place]bool{}, hard: map[place]bool{}, manual: map[place]bool{}, erased: map[string]bool{}, cycles: map[place]int64{},
		of: map[string]place{}, consents: map[int64]string{},
	}
	for _, form := range []string{"a@x%d.example", "b@x%d.example", "c@y%d.example"} {
		h.emails = append(h.emails, fmt.Sprintf(form, run))
	}
	return h
}

var bothSeries = []int64{skin, gut}

func (h *history) someone(rt *rapid.T) string { return rapid.SampledFrom(h.emails).Draw(rt, "email") }

func (h *history) somewhere(rt *rapid.T) place {
	return place{h.someone(rt), rapid.SampledFrom(bothSeries).Draw(rt, "series")}
}

func (h *history) scope(rt *rapid.T) place {
	return place{h.someone(rt), rapid.SampledFrom([]int64{0, skin, gut}).Draw(rt, "scope")}
}

func (at place) site() place { return place{at.email, 0} }

func (h *history) isHard(at place) bool { return h.hard[at] || h.hard[at.site()] }

func (h *history) byHand(at place) bool {
	_, domain, _ := strings.Cut(at.email, "@")
	return h.manual[at] || h.manual[at.site()] || h.manual[place{domain, at.series}] || h.manual[place{domain, 0}]
}

func (h *history) left(at place) bool {
	return !h.leaves[at].IsZero() || !h.leaves[at.site()].IsZero()
}

// keptOut says whether no import and no owner's word may make them active in a series.
func (h *history) keptOut(at place) bool {
	return h.ended[at] != "" || h.left(at) || h.bounced[at] || h.bounced[at.site()] || h.isHard(at) || h.byHand(at) || h.erased[at.email]
}

// id returns the person's number; 0 for nobody.
func (h *history) id(rt *rapid.T, email string) int64 {
	rt.Helper()
	s, err := subscribers.ByEmail(h.p.Context(), h.p.db, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		rt.Fatal(err)
	}
	return s.ID
}

// enrolments lists a person's enrolments of a scope.
func (h *history) enrolments(rt *rapid.T, scope place) []subscribers.Enrolment {
	rt.Helper()
	all, err := subscribers.Enrolments(h.p.Context(), h.p.db, h.id(rt, scope.email))
	if err != nil {
		rt.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e subscribers.Enrolment) bool { return scope.series != 0 && scope.series != e.SeriesID })
}

func (h *history) join(rt *rapid.T) {
	at := h.somewhere(rt)
	req := h.p.join(at.series, at.email)
	if req.Token == "" {
		return
	}
	if h.isHard(at) || h.byHand(at) {
		rt.Fatalf("%v got a confirmation though suppressed", at)
	}
	h.of[req.Token] = at
	h.tokens = append(h.tokens, req.Token)
}

func (h *history) confirm(rt *rapid.T) {
	if len(h.tokens) == 0 {
		rt.Skip("no link yet")
	}
	token := rapid.SampledFrom(h.tokens).Draw(rt, "token")
	at := h.of[token]
	_, fresh, err := h.p.confirm(token)
	if err != nil && !errors.Is(err, subscribers.ErrNotPending) {
		rt.Fatal(err)
	}
	if err != nil || !fresh {
		return
	}
	if h.isHard(at) || h.byHand(at) {
		rt.Fatalf("%v confirmed though suppressed", at)
	}
	delete(h.leaves, at)
	delete(h.leaves, at.site())
	delete(h.bounced, at)
	delete(h.bounced, at.site())
	delete(h.ended, at)
	delete(h.erased, at.email)
	h.in[at] = true
}

func (h *history) leave(rt *rapid.T) {
	scope := h.scope(rt)
	id := h.id(rt, scope.email)
	if id != 0 {
		h.notesLeave(rt, scope)
	}
	h.p.leave(id, scope.series)
}

// notesLeave notes an unsubscribe that is about to happen.
func (h *history) notesLeave(rt *rapid.T, scope place) {
	first := !h.left(scope)
	if first {
		h.leaves[scope], h.undoable[scope] = h.p.clock, nil
	}
	for _, e := range h.enrolments(rt, scope) {
		at := place{scope.email, e.SeriesID}
		if h.ended[at] != "" {
			continue
		}
		h.ended[at], h.in[at] = "leave", false
		if first {
			h.undoable[scope] = append(h.undoable[scope], at)
		}
	}
}

func (h *history) undo(rt *rapid.T) {
	scope := h.scope(rt)
	id := h.id(rt, scope.email)
	wereActive := map[place]bool{}
	for _, e := range h.enrolments(rt, scope) {
		wereActive[place{scope.email, e.SeriesID}] = !e.ActiveSince.IsZero()
	}
	left := h.leaves[scope]
	want := id != 0 && !left.IsZero() && !h.p.clock.After(left.Add(7*day)) && (scope.series == 0 || h.leaves[scope.site()].IsZero())
	err := h.p.undo(id, scope.series)
	if got := err == nil; got != want {
		rt.Fatalf("undo of %v: %v; it left at %s, it is %s", scope, err, left, h.p.clock)
	}
	if !want {
		return
	}
	delete(h.leaves, scope)
	for _, at := range h.undoable[scope] {
		if h.ended[at] == "leave" {
			delete(h.ended, at)
			h.in[at] = wereActive[at]
		}
	}
}

func (h *history) again(rt *rapid.T) {
	at := h.somewhere(rt)
	active := slices.ContainsFunc(h.enrolments(rt, at), func(e subscribers.Enrolment) bool { return e.State == subscribers.Active })
	if err := h.p.startAgain(h.id(rt, at.email), at.series); (err == nil) != active {
		rt.Fatalf("%v starts again: %v; active: %v", at, err, active)
	}
	if active {
		h.cycles[at]++
	}
}

func (h *history) enrol(rt *rapid.T) {
	at := h.somewhere(rt)
	err := h.p.enrol(at.series, at.email)
	if got, want := err != nil, h.keptOut(at); got != want {
		rt.Fatalf("Enrol %v: %v; kept out: %v", at, err, want)
	}
	if err == nil {
		h.in[at] = true
	}
}

func (h *history) imports(rt *rapid.T) {
	series := rapid.SampledFrom(bothSeries).Draw(rt, "series")
	lines := []string{"email,status"}
	for range rapid.IntRange(1, 4).Draw(rt, "rows") {
		state := rapid.SampledFrom([]string{"active", "pending", "active", "unsubscribed", "bounced", "complained", "suppressed"}).Draw(rt, "state")
		lines = append(lines, h.someone(rt)+","+state)
	}
	dry := rapid.Bool().Draw(rt, "dry run")
	h.p.pass(time.Millisecond) // an undo tells by its instant what a leave ended
	defer h.p.pass(time.Millisecond)
	for _, line := range lines[1:] {
		if email, state, _ := strings.Cut(line, ","); !dry {
			h.importsGone(rt, place{email, series}, state)
		}
	}
	rep, err := h.p.imports(strings.Join(lines, "\n"), subscribers.ImportOptions{SeriesID: series, Because: "x", DryRun: dry})
	if err != nil {
		rt.Fatal(err)
	}
	for _, r := range rep.Rows {
		at := place{r.Email, series}
		_, state, _ := strings.Cut(lines[r.Line-1], ",")
		if dry || state != "active" && state != "pending" {
			continue
		}
		if got, want := r.Outcome == subscribers.OutcomeKeptOut, h.keptOut(at); got != want {
			rt.Fatalf("import of %v as %s: %s; kept out: %v", at, state, r.Outcome, want)
		}
		if state == "active" && !h.keptOut(at) {
			h.in[at] = true
		}
	}
}

// importsGone notes what an import is about to do to somebody whom a line says to be gone.
func (h *history) importsGone(rt *rapid.T, at place, state string) {
	switch state {
	case "unsubscribed":
		first := !h.left(at)
		if first {
			h.leaves[at], h.undoable[at] = h.p.clock, nil
		}
		if h.ended[at] == "" {
			h.ended[at], h.in[at] = "leave", false
			if first {
				h.undoable[at] = []place{at}
			}
		}
	case "bounced", "complained":
		h.hits(rt, at.site(), map[string]string{"bounced": "bounce", "complained": "complaint"}[state])
		h.ended[at], h.in[at] = "hard", false
	case "suppressed":
		h.manual[at] = true
	}
}

// hits notes a bounce or a complaint that is about to happen.
func (h *history) hits(rt *rapid.T, scope place, reason string) {
	if reason == "complaint" {
		h.hard[scope] = true
	} else {
		h.bounced[scope] = true
	}
	for _, e := range h.enrolments(rt, scope) {
		at := place{scope.email, e.SeriesID}
		h.ended[at], h.in[at] = "hard", false
	}
}

func (h *history) suppress(rt *rapid.T) {
	at := h.scope(rt)
	target := at.email
	reason := rapid.SampledFrom([]string{"manual", "domain", "bounce", "complaint"}).Draw(rt, "reason")
	switch reason {
	case "domain":
		_, target, _ = strings.Cut(at.email, "@")
		reason = "manual"
		h.manual[place{target, at.series}] = true
	case "manual":
		h.manual[at] = true
	default:
		h.hits(rt, at, reason)
	}
	h.p.suppress(target, at.series, reason)
}

func (h *history) unsuppress(rt *rapid.T) {
	target := h.someone(rt)
	if rapid.Bool().Draw(rt, "domain") {
		_, target, _ = strings.Cut(target, "@")
	}
	err := h.p.unsuppress(target)
	if err != nil && !errors.Is(err, subscribers.ErrSuppressed) && !errors.Is(err, store.ErrNotFound) {
		rt.Fatal(err)
	}
	for _, series := range []int64{0, skin, gut} {
		delete(h.manual, place{target, series})
		delete(h.hard, place{target, series})
		delete(h.bounced, place{target, series})
	}
}

func (h *history) erase(rt *rapid.T) {
	email := h.someone(rt)
	id := h.id(rt, email)
	if id == 0 {
		rt.Skip("nobody")
	}
	h.p.erase(id)
	h.erased[email], h.may = true, true
	for _, series := range []int64{0, skin, gut} {
		at := place{email, series}
		delete(h.ended, at)
		delete(h.undoable, at)
		delete(h.in, at)
		delete(h.cycles, at)
	}
}

func (h *history) sweep(rt *rapid.T) {
	h.p.must(func(tx *store.Tx) error { _, err := h.p.Sweep(h.p.Context(), tx); return err })
	h.may = true
}

func (h *history) time(rt *rapid.T) {
	h.p.pass(time.Duration(rapid.IntRange(1, 400).Draw(rt, "hours")) * time.Hour)
}

// check compares the view with what must be, and the consents with those of the step before.
func (h *history) check(rt *rapid.T) {
	now := map[int64]string{}
	for _, email := range h.emails {
		for _, series := range bothSeries {
			at := place{email, series}
			want := h.in[at] && !h.keptOut(at)
			if got := h.p.gets(series, email); got != want {
				rt.Fatalf("%v is mailable: %v, want %v", at, got, want)
			}
			for _, e := range h.enrolments(rt, at) {
				if e.Cycle != 1+h.cycles[at] {
					rt.Fatalf("%v is in cycle %d, and started again %d times", at, e.Cycle, h.cycles[at])
				}
			}
		}
		consents, err := subscribers.Consents(h.p.Context(), h.p.db, h.id(rt, email))
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range consents {
			now[c.ID] = fmt.Sprint(c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.consents)) {
		if now[id] != h.consents[id] && !h.may {
			rt.Fatalf("consent %d was %s and is %q", id, h.consents[id], now[id])
		}
	}
	h.consents, h.may = now, false
}

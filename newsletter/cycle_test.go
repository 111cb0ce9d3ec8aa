package newsletter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// again has somebody press the button of the page behind their letters.
func (w *world) again(s series.Series, name string) error {
	w.t.Helper()
	return w.p.Prefer(w.ctx, w.link(s, name), newsletter.Wish{Verb: "again", Series: s.Slug}, evidence())
}

// cycle is the one that somebody is in.
func (w *world) cycle(s series.Series, name string) int64 {
	w.t.Helper()
	e, err := subscribers.EnrolmentOf(w.ctx, w.db, s.ID, w.person(name).ID)
	w.check("enrolment of "+name, err)
	return e.Cycle
}

// events are how somebody came, stayed and left a series.
func (w *world) events(name string) (all []string) {
	w.t.Helper()
	shown, err := w.p.Person(w.ctx, name+"@reader.example")
	w.check("person "+name, err)
	for _, e := range shown.Events {
		all = append(all, e.Event)
	}
	return all
}

// mayAgain says whether somebody's page offers them to start a series again.
func (w *world) mayAgain(s series.Series, name string) bool {
	w.t.Helper()
	prefs, err := w.p.Preferences(w.ctx, w.link(s, name))
	w.check("preferences", err)
	return slices.ContainsFunc(prefs.Series, func(one newsletter.Preference) bool { return one.Series.ID == s.ID && one.MayAgain })
}

// TestRule14StartAgain: the next slot brings the first article, and then all of them come again, whoever else is where they are.
func TestRule14StartAgain(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben")
	relay := &moody{}
	w.run(monday)
	equal(t, "nothing to start again yet", w.mayAgain(s, "ada"), false)
	for n := 1; n <= 2; n++ {
		w.run(tuesday(n))
		w.deliver(relay)
	}
	w.clock.set(tuesday(2).Add(time.Hour))
	w.compactAll([]string{"ada", "ben"}, []series.Series{s})
	equal(t, "offered", w.mayAgain(s, "ada"), true)
	for range 3 {
		w.check("start again", w.again(s, "ada"))
		w.clock.set(w.clock.now().Add(20 * time.Second))
	}
	equal(t, "pressed three times", w.cycle(s, "ada"), int64(2))
	equal(t, "her record", w.events("ada"), []string{"added", "restarted"})
	equal(t, "offered no more", w.mayAgain(s, "ada"), false)
	equal(t, "promised", w.promised(s, "ada"), tuesday(3))
	w.deliver(relay)
	equal(t, "nothing comes at once", len(relay.all()), 4)

	planned, err := w.p.Plan(w.ctx, "skin", 1, time.Time{})
	w.check("plan", err)
	equal(t, "plan", planned[0].Articles, []newsletter.PlannedArticle{{Article: "one", Readers: 1}, {Article: "three", Readers: 1}})
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", 4)
	w.check("explain", err)
	equal(t, "explained", short(lines), []string{wall(3) + " one send 14", wall(4) + " two send 14", wall(5) + " three send 14", wall(6) + "  empty 11"})
	contains(t, "why", lines[0].Why, "started again", "(cycle 2)")
	equal(t, "cycle", lines[0].Cycle, int64(2))
	for n := 3; n <= 5; n++ {
		w.run(tuesday(n))
		w.deliver(relay)
	}
	equal(t, "hers", w.deliveriesOf("ada"), []string{"one sent", "two sent", "one sent", "two sent", "three sent"})
	equal(t, "ben's", w.deliveriesOf("ben"), []string{"one sent", "two sent", "three sent"})
	equal(t, "all had", w.run(tuesday(6)), []string{wall(6) + " empty 0"})
	shown, err := w.p.Person(w.ctx, "ada@reader.example")
	w.check("person", err)
	equal(t, "shown", []any{shown.Enrolments[0].Cycle, shown.Enrolments[0].CycleSince}, []any{int64(2), "2027-03-09T10:00:00Z"})
	var cycles []int64
	for _, d := range shown.Deliveries {
		cycles = append(cycles, d.Cycle)
	}
	equal(t, "cycles of her letters", cycles, []int64{1, 1, 2, 2, 2})
	w.check("start again at the end", w.again(s, "ada"))
	equal(t, "the slot after", w.run(tuesday(7)), []string{wall(7) + " issued 1"})
	equal(t, "a third time", w.cycle(s, "ada"), int64(3))
}

// TestRule14SettleTellsOfWhoStartedAgain: what nobody knows the end of can't be sent once more to them, and is not left to go round.
func TestRule14SettleTellsOfWhoStartedAgain(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.deliver(&moody{loses: "ada@reader.example"})
	w.clock.set(tuesday(1).Add(time.Hour))
	w.check("start again", w.again(s, "ada"))
	settle := func(as string, settled, left int64) {
		t.Helper()
		n, over, err := w.p.SettleIssue(w.ctx, "skin/"+wall(1)+"/one", as)
		w.check("settle", err)
		equal(t, "settled as "+as, []int64{n, over}, []int64{settled, left})
	}
	for range 2 {
		settle("again", 0, 1)
		relay := &moody{}
		w.deliver(relay)
		equal(t, "sent", len(relay.all()), 0)
		equal(t, "still", w.issue("skin/"+wall(1)+"/one"), "done uncertain=1")
	}
	settle("sent", 1, 0)
	equal(t, "ended", w.issue("skin/"+wall(1)+"/one"), "done sent=1")
}

// TestRule14StartAgainIsRefused: where everybody gets the same issue, and to whom nothing comes.
func TestRule14StartAgainIsRefused(t *testing.T) {
	w := newWorld(t)
	live, drip := w.series("live", series.Change{}), w.series("drip", series.Change{Mode: ptr(series.Drip)})
	w.articles(live, "news")
	w.articles(drip, "one", "two")
	w.enrol(live, "ada")
	w.enrol(drip, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	w.deliver(&moody{})
	refused := func(what string, s series.Series, name string) {
		t.Helper()
		if err := w.again(s, name); !errors.Is(err, newsletter.ErrAgain) {
			t.Errorf("%s: got %v, want ErrAgain", what, err)
		}
	}
	refused("live", live, "ada")
	equal(t, "offered in live", w.mayAgain(live, "ada"), false)
	w.takeBreak(drip, "ada", tuesday(4))
	refused("on a break", drip, "ada")
	w.check("leave", w.p.Unsubscribe(w.ctx, w.link(drip, "ben"), false, evidence()))
	refused("left", drip, "ben")
	w.tx("as live", func(tx *store.Tx) error {
		_, err := series.Set(w.ctx, tx, "drip", series.Change{Mode: ptr(series.Live)}, w.clock.now())
		return err
	})
	w.takeBreak(drip, "ada", w.clock.now())
	w.run(w.clock.now())
	refused("has become live", drip, "ada")
	for _, name := range []string{"ada", "ben"} {
		equal(t, "cycle of "+name, w.cycle(drip, name), int64(1))
	}
}

// TestRule14AStartAgainEndsWhatWaits: of a slot that is held, or due and not sent, nothing comes beside the first article, and no slot
// brings two letters.
func TestRule14AStartAgainEndsWhatWaits(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben")
	relay := &moody{}
	w.run(monday)
	w.run(tuesday(1))
	w.check("start again before the first is sent", w.again(s, "ada"))
	equal(t, "there was nothing to start again", w.cycle(s, "ada"), int64(1))
	w.deliver(relay)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(2), "figure two"))
	equal(t, "held", w.run(tuesday(2)), []string{wall(2) + " held 2"})
	w.check("start again", w.again(s, "ada"))
	w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)+"/two"))
	w.deliver(relay)
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one sent", "two skipped"})
	equal(t, "ben", w.deliveriesOf("ben"), []string{"one sent", "two sent"})
	equal(t, "the slot's issue", w.issue("skin/"+wall(2)+"/two"), "done sent=1 skipped=1")
	w.run(tuesday(3))
	w.check("again before that is sent", w.again(s, "ada"))
	w.deliver(relay)
	equal(t, "ada", w.deliveriesOf("ada"), []string{"one sent", "two skipped", "one sent"})
	equal(t, "in cycle", w.cycle(s, "ada"), int64(2))
}

// TestRule3TheGapHoldsForWhoStartsAgain: the slot that the welcome puts off stays put off.
func TestRule3TheGapHoldsForWhoStartsAgain(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip), Welcome: ptr("first")})
	w.articles(s, "one", "two")
	w.run(monday)
	w.clock.set(tuesday(2).Add(-48 * time.Hour))
	w.join(s, "ada")
	w.deliver(&moody{})
	w.check("start again", w.again(s, "ada"))
	equal(t, "in cycle", w.cycle(s, "ada"), int64(2))
	equal(t, "promised", w.promised(s, "ada"), tuesday(3))
	w.run(tuesday(2))
	equal(t, "too soon", w.deliveriesOf("ada")[1:], []string{"one sent"})
	w.run(tuesday(3))
	equal(t, "the slot after", w.deliveriesOf("ada")[1:], []string{"one sent", "one pending"})
}

// TestRule14ComingBack: who left a drip series and confirms it again goes on, or starts again if they say so.
func TestRule14ComingBack(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    series.Mode
		again   []string
		before  string // a letter they had; empty: none
		restart bool
		welcome []string // what comes at once
		third   string   // what the slot after brings
	}{
		{"goes on", series.Drip, nil, "one", false, []string{"two pending"}, ""},
		{"starts again", series.Drip, []string{"skin"}, "one", true, []string{}, "one"},
		{"another one", series.Drip, []string{"gut"}, "one", false, []string{"two pending"}, ""},
		{"is new", series.Drip, []string{"skin"}, "", false, []string{"one pending"}, ""},
		{"live", series.Live, []string{"skin"}, "one", false, []string{}, "two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode, Welcome: ptr("first")})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ben")
			relay := &moody{}
			w.run(monday)
			if tt.before != "" {
				w.enrol(s, "ada")
				w.run(tuesday(1))
				w.deliver(relay)
				w.clock.set(tuesday(1).Add(time.Hour))
				w.check("leave", w.p.Unsubscribe(w.ctx, w.link(s, "ada"), false, evidence()))
				equal(t, "told of the choice", w.mayAgain(s, "ada"), tt.mode == series.Drip)
			}
			w.clock.set(tuesday(2).Add(-48 * time.Hour))
			w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{"skin"}, Email: "ada@reader.example", Evidence: evidence()}))
			link := w.confirmLink()
			shown, err := w.p.VisitConfirm(w.ctx, link)
			w.check("visit", err)
			equal(t, "asked", shown[0].MayAgain, tt.before != "" && tt.mode == series.Drip)
			joined, err := w.p.Confirm(w.ctx, link, evidence(), tt.again...)
			w.check("confirm", err)
			equal(t, "started again", joined[0].Again, tt.restart)
			if tt.restart {
				equal(t, "no welcome is said", joined[0].Welcomed, false)
				equal(t, "next", joined[0].Next, tuesday(2))
			}
			had := slices.DeleteFunc(w.deliveriesOf("ada"), func(d string) bool { return strings.HasPrefix(d, "notice") || strings.HasSuffix(d, "sent") })
			equal(t, "at once", had, tt.welcome)
			_, err = w.p.Confirm(w.ctx, link, evidence(), "skin")
			w.check("confirm again", err)
			equal(t, "in cycle", w.cycle(s, "ada"), map[bool]int64{false: 1, true: 2}[tt.restart])
			equal(t, "on record", slices.Contains(w.events("ada"), "restarted"), tt.restart)
			w.run(tuesday(2))
			if all := w.deliveriesOf("ada"); tt.third != "" {
				equal(t, "the next slot", all[len(all)-1], tt.third+" pending")
			}
		})
	}
}

// TestRule14AnAnnouncementIsOfItsCycle: what came by one before they started again comes again in its turn; one since then counts.
func TestRule14AnAnnouncementIsOfItsCycle(t *testing.T) {
	w := newWorld(t)
	drip, live := w.series("drip", series.Change{Mode: ptr(series.Drip)}), w.series("live", series.Change{})
	w.articles(drip, "one", "two", "three")
	w.enrol(drip, "ada")
	w.enrol(live, "ada")
	relay := &moody{}
	w.run(monday)
	announce := func(article string, readers int64) {
		t.Helper()
		w.clock.set(w.clock.now().Add(time.Minute))
		_, n, err := w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"live"}, Article: article}, false)
		if !errors.Is(err, newsletter.ErrNothing) {
			w.check("announce", err)
		}
		equal(t, "told of "+article, n, readers)
		w.deliver(relay)
	}
	announce("one", 1)
	w.clock.set(w.clock.now().Add(time.Minute))
	w.check("start again", w.again(drip, "ada"))
	announce("one", 0) // they had it in another cycle, and get it in its turn
	announce("two", 1)
	equal(t, "plan", w.plan("drip", 3), []string{wall(1) + " one 1", wall(2) + " three 1", wall(3) + "  0 !"})
	w.run(tuesday(1))
	w.run(tuesday(2))
	w.deliver(relay)
	equal(t, "hers", w.deliveriesOf("ada"), []string{"one sent", "two sent", "one sent", "three sent"})
	reader, err := outbox.ReaderOf(w.ctx, w.db, drip.ID, w.person("ada").ID)
	w.check("reader", err)
	equal(t, "had in this cycle", len(reader.Had), 3)
}

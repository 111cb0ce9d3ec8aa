package newsletter_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestMain(m *testing.M) {
	// Every history commits some hundred times to a real disk; -rapid.checks plays more of them.
	if err := flag.Set("rapid.checks", "2"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// tape is a relay that takes every message and remembers it.
type tape struct {
	mu     sync.Mutex
	taken  []taken
	busy   bool            // it puts off each message that it has the content of for the first time
	putOff map[string]bool // their Message-IDs
}

// tapeLine is one connection to it.
type tapeLine struct {
	*tape
	offered mailer.Message
}

// taken is one message of an issue: who got which article of which series.
type taken struct {
	to, series, article string
	late                bool // it was put off before
}

func (r *tape) Connect(context.Context) (outbox.Conn, error) { return &tapeLine{tape: r}, nil }

func (r *tapeLine) Envelope(_ context.Context, m mailer.Message) (mailer.Outcome, error) {
	r.offered = m
	return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 354}}, nil
}

func (r *tapeLine) Content(context.Context, *mailer.Message) (mailer.Outcome, error) {
	m := r.offered
	r.mu.Lock()
	defer r.mu.Unlock()
	head := string(m.Bytes)
	if _, list, isIssue := strings.Cut(head, "\r\nList-Id:"); isIssue {
		_, list, _ = strings.Cut(list, "<")
		slug, _, _ := strings.Cut(list, ".")
		_, subject, _ := strings.Cut(head, "\r\nSubject: About ")
		article, _, _ := strings.Cut(subject, "\r\n")
		_, id, _ := strings.Cut(head, "\r\nMessage-ID: ")
		id, _, _ = strings.Cut(id, "\r\n")
		if r.busy && !r.putOff[id] {
			r.putOff[id] = true
			return mailer.Outcome{State: mailer.Deferred, Reply: mailer.Reply{Code: 451, Enhanced: "4.3.0", Text: "not now"}}, nil
		}
		r.taken = append(r.taken, taken{m.To, slug, article, r.putOff[id]})
	}
	return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250, Text: "taken"}}, nil
}

func (r *tapeLine) Drop(context.Context) error { return nil }
func (r *tapeLine) Quit(context.Context) error { return nil }
func (r *tapeLine) Close() error               { return nil }

func (r *tape) setBusy(busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = busy
}

func (r *tape) all() []taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// history plays random steps against a site with a live and a drip series and a real worker, and checks after each step
// what SERIES.md promises of all histories.
type history struct {
	*world
	rt       *rapid.T
	relay    *tape
	worker   *outbox.Worker
	series   []series.Series
	slugs    map[int64][]string // in order
	people   []string
	left     map[string]bool  // series and person: an unsubscribe was acknowledged
	onHold   map[string]bool  // series that an editor holds and has not let go on
	got      map[string]int64 // person and article -> the cycle of the article's series in which it came
	articles int
	seen     int // messages checked
}

// kept counts the steps of all histories in which time went by and a hold kept its series, foreseen the slots that ran after a plan, begun
// the cycles that somebody began by starting again, and anew the letters that came to somebody who had them in an earlier one.
var kept, foreseen, begun, anew atomic.Int64

func TestHistories(t *testing.T) {
	t.Cleanup(func() {
		t.Logf("holds kept their series in %d steps, %d slots were as planned, %d cycles were begun and brought %d letters anew",
			kept.Load(), foreseen.Load(), begun.Load(), anew.Load())
	})
	for i := range 4 { // side by side, since they mostly wait for the disk
		t.Run(itoa(i), func(t *testing.T) {
			t.Parallel()
			playHistories(t)
		})
	}
}

func playHistories(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), fmt.Sprintf("history%d.db", n)))
		if err != nil {
			rt.Fatalf("open: %v", err)
		}
		defer db.Close()
		if err := newsletter.Migrate(t.Context(), db); err != nil {
			rt.Fatalf("migrate: %v", err)
		}
		h := newHistory(rt, worldOn(rt, db))
		defer func() {
			if err := h.worker.Close(); err != nil {
				rt.Errorf("close worker: %v", err)
			}
		}()
		for step := range 40 {
			h.step(step)
		}
		h.runOut()
		h.nobodyTwice()
	})
}

func newHistory(rt *rapid.T, w *world) *history {
	h := &history{world: w, rt: rt, relay: &tape{putOff: map[string]bool{}}, slugs: map[int64][]string{}, left: map[string]bool{}, onHold: map[string]bool{}, got: map[string]int64{}}
	welcome := rapid.SampledFrom([]string{"none", "first", "latest"})
	h.series = []series.Series{
		w.series("live", series.Change{Welcome: ptr(welcome.Draw(rt, "welcome in live"))}),
		w.series("drip", series.Change{Mode: ptr(series.Drip), Welcome: ptr(welcome.Draw(rt, "welcome in drip"))}),
	}
	for _, s := range h.series {
		for range 4 {
			h.insert(s, len(h.slugs[s.ID]))
		}
	}
	h.worker = w.start(h.relay)
	for range 3 {
		h.join(h.series[len(h.people)%2], "")
	}
	h.deliver()
	for _, m := range h.relay.all() {
		h.once(0, "welcome", m)
	}
	h.seen = len(h.relay.all())
	return h
}

// step does one random thing. Only time, a confirmation, a release and a send by hand may make mail; nothing else does,
// and time gives nobody more than one issue a series however much of it went by.
func (h *history) step(n int) {
	s := rapid.SampledFrom(h.series).Draw(h.rt, "series")
	kinds := []string{
		"week", "week", "slot", "slot", "weeks", "break", "insert", "move", "withdraw", "ready", "pause", "resume", "join", "return", "leave",
		"undo", "restart", "send", "hold", "hold and weeks", "hold and spoiled week", "release", "cancel", "pin", "pin", "compact", "announce", "announce",
		"again", "again", "again", "put off and again", "put off and again",
	}
	kind := rapid.SampledFrom(kinds).Draw(h.rt, fmt.Sprintf("step %d", n))
	planned := h.planned(kind, s)
	h.do(kind, s)
	happened := h.deliver()
	h.holds(n, kind)
	h.asPlanned(n, planned, happened)
	perSeries := map[taken]int{}
	stopped := h.stopped()
	for _, m := range h.relay.all()[h.seen:] {
		if h.left[m.series+" "+m.to] {
			h.rt.Fatalf("step %d (%s): %s left %s and got %s", n, kind, m.to, m.series, m.article)
		}
		h.once(n, kind, m)
		if m.late {
			continue // an announcement of an earlier step
		}
		if (kind == "join" || kind == "return") && stopped[m.article] {
			h.rt.Fatalf("step %d (%s): %s was welcomed with %s, whose issue is held", n, kind, m.to, m.article)
		}
		if day := h.waits(s, m); kind != "release" && kind != "announce" && day != "" {
			h.rt.Fatalf("step %d (%s): %s got %s, which is pinned to %s", n, kind, m.to, m.article, day)
		}
		of := taken{to: m.to, series: m.series}
		perSeries[of]++
		if most := h.most(kind); perSeries[of] > most {
			h.rt.Fatalf("step %d (%s): %s got %d issues of %s, want at most %d", n, kind, m.to, perSeries[of], m.series, most)
		}
	}
	h.seen = len(h.relay.all())
}

// next is the plan's coming slot of a series.
func (h *history) next(s series.Series) newsletter.Planned {
	planned, err := h.p.Plan(h.ctx, s.Slug, 1, time.Time{})
	h.check("plan", err)
	return planned[0]
}

// planned is what the plan says of the slot that the step runs in its time; the zero value for other steps.
func (h *history) planned(kind string, s series.Series) (p newsletter.Planned) {
	if kind == "slot" {
		p = h.next(s)
	}
	return p
}

// asPlanned checks that a slot which the plan saw no obstacle for was issued to as many readers as that said, and one for which it said
// nothing comes sent nothing (rule 21).
func (h *history) asPlanned(n int, planned newsletter.Planned, happened []newsletter.Happened) {
	i := slices.IndexFunc(happened, func(x newsletter.Happened) bool { return x.Series == planned.Series && x.Slot == planned.Slot })
	if i < 0 {
		return // another step, a skipped date, a paused series
	}
	foreseen.Add(1)
	got := happened[i]
	if planned.Blocked == "" && (got.State != "issued" || got.Readers != planned.Readers) || planned.Readers == 0 && got.Readers > 0 {
		h.rt.Fatalf("step %d: the plan said %+v, and %+v happened", n, planned, got)
	}
}

// holds checks that time alone sends nothing of a series on hold. A hold is over by an editor's word alone (see change).
func (h *history) holds(n int, kind string) {
	for _, s := range h.series {
		if !h.onHold[s.Slug] || kind != "slot" && !strings.Contains(kind, "week") {
			continue
		}
		kept.Add(1)
		for _, m := range h.relay.all()[h.seen:] {
			if m.series == s.Slug && !m.late && !h.byPin(s, m.article) {
				h.rt.Fatalf("step %d (%s): %s got %s of %s, which an editor holds", n, kind, m.to, m.article, s.Slug)
			}
		}
	}
}

// byPin says whether an article went in a slot that it was pinned to and that was not on hold: holds pass it.
func (h *history) byPin(s series.Series, article string) bool {
	a, err := series.ArticleBySlug(h.ctx, h.db, article)
	h.check("article", err)
	slots, err := series.Slots(h.ctx, h.db, s.ID, time.Time{}, 0)
	h.check("slots", err)
	return slices.ContainsFunc(slots, func(slot series.Slot) bool {
		return slot.State == series.SlotIssued && slot.PinnedID == a.ID && !slot.Hold
	})
}

// stopped are the articles of issues that are held.
func (h *history) stopped() map[string]bool {
	all, err := h.p.IssueList(h.ctx, "", 0)
	h.check("issues", err)
	stopped := map[string]bool{}
	for _, st := range all {
		stopped[st.Article] = stopped[st.Article] || st.Issue.State == series.IssueHeld
	}
	return stopped
}

// most is how many issues of a series one person may get by one step.
func (h *history) most(kind string) int {
	switch kind {
	case "week", "slot", "weeks", "hold and weeks", "hold and spoiled week", "join", "return", "send", "announce":
		return 1
	case "release":
		return len(h.issues()) // as many as were held: each by an editor's word
	}
	return 0
}

func (h *history) do(kind string, s series.Series) {
	slugs := h.slugs[s.ID]
	pick := func() string { return rapid.SampledFrom(slugs).Draw(h.rt, "article") }
	switch kind {
	case "week":
		h.clock.set(h.clock.now().Add(7 * 24 * time.Hour))
	case "slot":
		h.clock.set(h.next(s).At)
	case "break":
		h.takeBreak(s, rapid.SampledFrom(h.people).Draw(h.rt, "person"), rapid.IntRange(1, 20).Draw(h.rt, "days"))
	case "hold and weeks":
		planned, err := h.p.Plan(h.ctx, s.Slug, 3, time.Time{})
		h.check("plan", err)
		h.change("hold", s)
		h.clock.set(planned[rapid.IntRange(1, 2).Draw(h.rt, "slot")].At.Add(time.Hour)) // within the grace of the last one
	case "hold and spoiled week":
		h.spoil(s)
	case "weeks":
		h.clock.set(h.clock.now().Add(rapid.SampledFrom([]time.Duration{8 * time.Hour, 15 * 24 * time.Hour, 24 * 24 * time.Hour}).Draw(h.rt, "time")))
	case "insert":
		h.insert(s, rapid.IntRange(0, len(slugs)).Draw(h.rt, "place"))
	case "move":
		h.move(s, pick(), pick())
	case "withdraw":
		slug := pick()
		if h.stopped()[slug] {
			delete(h.onHold, s.Slug) // nothing is left of what was held
		}
		_, err := h.p.Withdraw(h.ctx, slug)
		h.check("withdraw", err)
	case "ready":
		h.article(pick(), series.MarkReady)
	case "pause":
		h.tx("pause", func(tx *store.Tx) error { return series.Pause(h.ctx, tx, s.Slug, h.clock.now()) })
	case "resume":
		h.tx("resume", func(tx *store.Tx) error { return series.Resume(h.ctx, tx, s.Slug, h.clock.now()) })
	case "join":
		h.join(s, "")
	case "return":
		h.join(s, rapid.SampledFrom(h.people).Draw(h.rt, "person"))
	case "leave", "undo":
		h.leave(kind, s)
	case "again":
		for _, name := range h.people {
			if rapid.Bool().Draw(h.rt, name) {
				h.startAgain(s, name)
			}
		}
	case "restart":
		h.check("close worker", h.worker.Close())
		h.worker = h.start(h.relay)
	case "send":
		if _, _, _, err := h.p.SendNow(h.ctx, s.Slug, "", false); err != nil && !errors.Is(err, newsletter.ErrNothing) && !errors.Is(err, series.ErrSlot) {
			h.rt.Fatalf("send now: %v", err)
		}
	case "hold", "release", "cancel":
		h.change(kind, s)
	case "compact":
		h.compactAll(h.people, h.series)
	case "put off and again": // the letter comes with the next step that lets time go on, in the cycle that begins here
		h.relay.setBusy(true)
		h.announce(rapid.SampledFrom(h.slugs[h.series[1].ID]).Draw(h.rt, "article of drip"))
		h.deliver()
		for _, name := range h.people {
			h.startAgain(h.series[1], name)
		}
	case "announce":
		h.relay.setBusy(rapid.Bool().Draw(h.rt, "put off"))
		h.announce(pick())
	case "pin":
		h.pin(s, pick(), rapid.IntRange(1, 4).Draw(h.rt, "weeks ahead"))
	}
}

// spoil holds the coming slot of a live series, whose article can't be frozen at that time, and mends that. In drip others may be at it.
func (h *history) spoil(s series.Series) {
	coming := h.next(s)
	if coming.Article == "" || s.Mode != series.Live {
		return
	}
	write := func(text string) {
		h.importArticles(s, series.Incoming{Slug: coming.Article, Text: series.Text{Title: "About " + coming.Article, Markdown: text}})
	}
	write(strings.Repeat("word ", 30000))
	h.change("hold", s)
	h.clock.set(coming.At)
	h.deliver()
	write("Words of " + coming.Article + ".")
}

// announce sends an article to the readers of one or both series, or to one person of them; as many as were counted before.
func (h *history) announce(article string) {
	to := [][]string{{"live"}, {"drip"}, {"live", "drip"}, {"drip", "live"}}
	a := newsletter.Announcement{Article: article, Series: rapid.SampledFrom(to).Draw(h.rt, "to")}
	if rapid.Bool().Draw(h.rt, "to one") {
		a.Where = "email = " + rapid.SampledFrom(h.people).Draw(h.rt, "person") + "@reader.example"
	}
	_, would, err := h.p.Announce(h.ctx, a, true)
	if errors.Is(err, newsletter.ErrNothing) {
		return // it isn't ready
	}
	h.check("count an announcement", err)
	_, readers, err := h.p.Announce(h.ctx, a, false)
	if errors.Is(err, series.ErrSlot) {
		return // the minute has one
	}
	if !errors.Is(err, newsletter.ErrNothing) {
		h.check("announce", err)
	}
	if readers != would {
		h.rt.Fatalf("announced to %d, counted %d before", readers, would)
	}
}

// takeBreak pauses a person for some days; of somebody who isn't there nothing changes.
func (h *history) takeBreak(s series.Series, name string, days int) {
	until := h.clock.now().AddDate(0, 0, days)
	err := h.db.InTx(h.ctx, func(tx *store.Tx) error {
		return h.world.people.Pause(h.ctx, tx, h.person(name).ID, s.ID, until, evidence())
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		h.rt.Fatalf("break: %v", err)
	}
}

// pin puts an article on one of the coming slots; one that had its issue, or is withdrawn, can't be.
func (h *history) pin(s series.Series, slug string, ahead int) {
	planned, err := h.p.Plan(h.ctx, s.Slug, ahead, time.Time{})
	h.check("plan", err)
	err = h.db.InTx(h.ctx, func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(h.ctx, tx, slug)
		if err != nil {
			return err
		}
		_, err = series.PinDate(h.ctx, tx, s, planned[ahead-1].Slot[:len(time.DateOnly)], a.ID, h.clock.now())
		return err
	})
	if err != nil && !errors.Is(err, series.ErrState) && !errors.Is(err, series.ErrInvalid) {
		h.rt.Fatalf("pin: %v", err)
	}
}

// waits is the date to come that the article of a message is pinned to; empty: none.
func (h *history) waits(s series.Series, m taken) string {
	if m.series != s.Slug {
		return ""
	}
	slots, err := series.Slots(h.ctx, h.db, s.ID, h.clock.now().Add(time.Millisecond), 0)
	h.check("slots", err)
	for _, slot := range slots {
		if a, err := series.ArticleByID(h.ctx, h.db, slot.PinnedID); err == nil && a.Slug == m.article && slot.State == series.SlotPlanned {
			return slot.Wall
		}
	}
	return ""
}

// insert adds an article; one in four is a draft.
func (h *history) insert(s series.Series, place int) {
	h.articles++
	slug := fmt.Sprintf("a%d", h.articles)
	h.slugs[s.ID] = slices.Insert(h.slugs[s.ID], place, slug)
	var in []series.Incoming
	for _, known := range h.slugs[s.ID] {
		in = append(in, series.Incoming{
			Slug: known, Draft: rapid.IntRange(0, 3).Draw(h.rt, "draft") == 0,
			Text: series.Text{Title: "About " + known, Markdown: "Words of " + known + "."},
		})
	}
	h.importArticles(s, in...)
}

func (h *history) move(s series.Series, slug, other string) {
	if slug == other {
		return
	}
	h.tx("move", func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(h.ctx, tx, slug)
		if err != nil {
			return err
		}
		b, err := series.ArticleBySlug(h.ctx, tx, other)
		if err != nil {
			return err
		}
		return series.Move(h.ctx, tx, a.ID, true, b.ID, h.clock.now())
	})
	all, err := series.Articles(h.ctx, h.db, s.ID)
	h.check("articles", err)
	h.slugs[s.ID] = nil
	for _, a := range all {
		h.slugs[s.ID] = append(h.slugs[s.ID], a.Slug)
	}
}

// join asks for a series and confirms where a mail came; name "" is somebody new. Some of those who come back start again.
func (h *history) join(s series.Series, name string) {
	if name == "" {
		name = fmt.Sprintf("p%d", len(h.people))
		h.people = append(h.people, name)
	}
	before := len(h.notices("confirmation"))
	h.check("subscribe", h.subscribe(newsletter.Signup{Series: []string{s.Slug}, Email: name + "@reader.example", Evidence: evidence()}))
	if len(h.notices("confirmation")) == before {
		return // in the series already, or asked too often
	}
	var again []string
	if rapid.Bool().Draw(h.rt, "start again") {
		again = []string{s.Slug}
	}
	joined, err := h.p.Confirm(h.ctx, h.confirmLink(), evidence(), again...)
	h.check("confirm", err)
	if len(again) > 0 && joined[0].Again {
		begun.Add(1)
	}
	delete(h.left, s.Slug+" "+name+"@reader.example")
}

func (h *history) leave(kind string, s series.Series) {
	name := rapid.SampledFrom(h.people).Draw(h.rt, "person")
	key := s.Slug + " " + name + "@reader.example"
	link := h.link(s, name)
	if kind == "leave" {
		h.check("leave", h.p.Unsubscribe(h.ctx, link, false, evidence()))
		h.left[key] = true
		return
	}
	if err := h.p.UndoUnsubscribe(h.ctx, link, evidence()); err == nil {
		delete(h.left, key)
	} else if !errors.Is(err, subscribers.ErrNotPending) {
		h.rt.Fatalf("undo: %v", err)
	}
}

// startAgain presses the button twice: where a cycle is begun by that, it is one, and nothing of it was had.
func (h *history) startAgain(s series.Series, name string) {
	before, err := subscribers.EnrolmentOf(h.ctx, h.db, s.ID, h.person(name).ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		h.rt.Fatalf("enrolment: %v", err)
	}
	may := s.Mode == series.Drip && before.State == subscribers.Active
	for range 2 {
		if err := h.again(s, name); may && err != nil || !may && !errors.Is(err, newsletter.ErrAgain) && !errors.Is(err, store.ErrNotFound) {
			h.rt.Fatalf("%s, %s in %s, starts again: %v", name, before.State, s.Slug, err)
		}
	}
	if !may {
		return
	}
	grown := h.cycle(s, name) - before.Cycle
	if grown < 0 || grown > 1 {
		h.rt.Fatalf("%s pressed twice and went on by %d cycles", name, grown)
	}
	begun.Add(grown)
}

// once checks that nobody gets an article a second time in a cycle of its series.
func (h *history) once(n int, kind string, m taken) {
	a, err := series.ArticleBySlug(h.ctx, h.db, m.article)
	h.check("article", err)
	name, _, _ := strings.Cut(m.to, "@")
	cycle := int64(1) // of who reads another series only
	if e, err := subscribers.EnrolmentOf(h.ctx, h.db, a.SeriesID, h.person(name).ID); err == nil {
		cycle = e.Cycle
	}
	key := m.to + " " + m.article
	if h.got[key] == cycle {
		h.rt.Fatalf("step %d (%s): %s got %s twice in cycle %d", n, kind, m.to, m.article, cycle)
	}
	if h.got[key] != 0 {
		anew.Add(1)
	}
	h.got[key] = cycle
}

// change holds the coming slot, or releases or cancels what is held.
func (h *history) change(kind string, s series.Series) {
	if kind == "hold" {
		planned, err := h.p.Plan(h.ctx, s.Slug, 1, time.Time{})
		h.check("plan", err)
		err = h.p.HoldIssue(h.ctx, s.Slug+"/"+planned[0].Slot, "by chance")
		if err != nil && !errors.Is(err, series.ErrSlot) && !errors.Is(err, store.ErrNotFound) {
			h.rt.Fatalf("hold: %v", err)
		}
		if err == nil {
			h.onHold[s.Slug] = true
		}
		return
	}
	all, err := h.p.IssueList(h.ctx, s.Slug, 0)
	h.check("issues", err)
	for _, st := range all {
		if st.Issue.State != series.IssueHeld {
			continue
		}
		if kind == "cancel" {
			h.check("cancel", h.p.CancelIssue(h.ctx, st.Issue.Name, "by chance"))
		} else if !h.release(s, st.Issue.Name) {
			continue
		}
		delete(h.onHold, s.Slug)
	}
	h.changeSlot(kind, s)
}

// changeSlot releases or cancels a slot on hold that got no issue. A release has no effect while what was in its way still is.
func (h *history) changeSlot(kind string, s series.Series) {
	slot, err := series.HeldSlot(h.ctx, h.db, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	h.check("held slot", err)
	name := s.Slug + "/" + slot.Wall
	if kind == "cancel" {
		h.check("cancel", h.p.CancelIssue(h.ctx, name, "by chance"))
	} else if err := h.p.ReleaseIssue(h.ctx, name); err != nil {
		if !errors.Is(err, newsletter.ErrNothing) && !errors.Is(err, series.ErrState) {
			h.rt.Fatalf("release a slot: %v", err)
		}
		return
	}
	delete(h.onHold, s.Slug)
}

// release says whether it had an effect: none where nobody can be mailed or the series is paused. Then the issue is still held.
func (h *history) release(s series.Series, issue string) bool {
	s, err := series.ByID(h.ctx, h.db, s.ID)
	h.check("series", err)
	err = h.p.ReleaseIssue(h.ctx, issue)
	if !errors.Is(err, newsletter.ErrNothing) && (!s.Paused || !errors.Is(err, series.ErrState)) {
		h.check("release", err)
		return true
	}
	if st, err := h.p.Issue(h.ctx, issue); err != nil || st.Issue.State != series.IssueHeld {
		h.rt.Fatalf("released without effect: got %s (%v), want it held", st.Issue.State, err)
	}
	return false
}

// deliver does what is due and hands over what can be.
func (h *history) deliver() []newsletter.Happened {
	happened, err := h.p.RunDue(h.ctx)
	h.check("run due", err)
	h.check("drain", h.worker.Drain(h.ctx))
	h.relay.setBusy(false)
	return happened
}

// runOut lets time go on until everybody active has had everything that isn't behind them (drip).
func (h *history) runOut() {
	for range len(h.slugs[h.series[1].ID]) + 2 {
		for _, s := range h.series {
			h.do("resume", s)
			h.change("release", s)
		}
		h.clock.set(h.clock.now().Add(7 * 24 * time.Hour))
		h.deliver()
	}
	for _, m := range h.relay.all()[h.seen:] {
		if h.left[m.series+" "+m.to] {
			h.rt.Fatalf("at the end: %s left %s and got %s", m.to, m.series, m.article)
		}
		h.once(40, "time", m)
	}
	for _, name := range h.people {
		lines, err := h.p.Explain(h.ctx, name+"@reader.example", 1)
		h.check("explain", err)
		for _, line := range lines {
			if line.Series == "drip" && line.Outcome != "empty" && line.Outcome != "out" {
				h.rt.Fatalf("%s has a next in drip after all that time: %+v", name, line)
			}
		}
	}
}

// By whatever series: an announcement of an article counts in the article's own, in the cycle that it came in, or is to come in.
const hadTwice = `SELECT count(*) FROM (
	SELECT 1 FROM (
		SELECT article_id, subscriber_id, series_id, cycle, CASE WHEN state IN ('pending', 'claimed', 'inflight') THEN NULL ELSE updated END AS ended
		FROM deliveries
		WHERE article_id IS NOT NULL AND state IN ('pending', 'claimed', 'inflight', 'sent', 'uncertain')
		UNION ALL SELECT article_id, subscriber_id, series_id, cycle, at FROM kept WHERE article_id IS NOT NULL) x
	JOIN articles a ON a.id = x.article_id
	GROUP BY x.article_id, x.subscriber_id, CASE x.series_id WHEN a.series_id THEN x.cycle ELSE (
		SELECT 1 + count(*) FROM consents c
		WHERE c.subscriber_id = x.subscriber_id AND c.series_id = a.series_id AND c.event = 'restarted' AND (x.ended IS NULL OR c.at <= x.ended)) END
	HAVING count(*) > 1) x`

// nobodyTwice asks the database whether somebody had an article twice in a cycle; what the relay took was looked at as it came.
func (h *history) nobodyTwice() {
	var twice int
	h.check("count", h.db.QueryRow(h.ctx, hadTwice).Scan(&twice))
	if twice > 0 {
		h.rt.Fatalf("%d people have an article twice in a cycle", twice)
	}
}

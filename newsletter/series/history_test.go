package series_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
)

// reader is one subscriber of the model.
type reader struct {
	active   bool
	cycle    int64
	had      map[int64]time.Time // of this cycle
	told     map[int64]bool      // of them, by an announcement
	before   map[int64]bool
	welcomed time.Time
}

// history is one series and its readers in memory, changed by random steps. Each decision of Next is judged by rules
// written down a second time, one by one and without regard to speed.
type history struct {
	draw     func(n int) int                   // 0 to n-1
	facts    func(f series.Facts) series.Facts // what Next gets to see; a mutation hides a rule's facts
	decided  map[int]int                       // rule -> how often it decided
	broken   string                            // the first property that did not hold
	log      []string                          // steps, for a failure
	mode     series.Mode
	notReady string
	articles []series.Article
	lastID   int64
	now      time.Time
	issued   map[int64]time.Time // live: articles with an issue
	told     map[int64]bool      // of them, by an announcement to everybody
	last     int64               // live: article of the newest issue; 0: none
	readers  []*reader
	pins     map[int]int64 // slot, counted from now -> article
	paused   bool
	skipped  bool // the next slot
	mails    int  // sent in slots
	slots    int  // that could send
}

const gap = 72 * time.Hour

func newHistory(draw func(n int) int, decided map[int]int) *history {
	h := &history{
		draw: draw, decided: decided, now: day0, issued: map[int64]time.Time{}, told: map[int64]bool{}, mode: series.Live, notReady: "hold", pins: map[int]int64{},
		facts: func(f series.Facts) series.Facts { return f },
	}
	if draw(2) == 1 {
		h.mode = series.Drip
	}
	if draw(2) == 1 {
		h.notReady = "skip"
	}
	for range 3 {
		h.insert()
		h.join()
	}
	return h
}

// step does one of the things that happen to a series.
func (h *history) step() {
	h.now = h.now.Add(time.Hour)
	before := h.mails
	steps := []struct {
		name string
		do   func()
	}{
		{"slot", h.slot},
		{"slot", h.slot},
		{"slot", h.slot},
		{"slot", h.slot},
		{"insert", h.insert},
		{"insert", h.insert},
		{"make ready", h.makeReady},
		{"move", h.move},
		{"withdraw", h.withdraw},
		{"un-withdraw", h.unwithdraw},
		{"backfill", h.backfill},
		{"pause or resume", func() { h.paused = !h.paused && h.draw(2) == 0 }},
		{"join", h.join},
		{"join", h.join},
		{"leave or return", h.leave},
		{"start again", h.startAgain},
		{"pin", h.pin},
		{"announce", h.announce},
		{"skip the next slot", func() { h.skipped = true }},
		{"cancel", h.cancel},
		{"change when_not_ready", func() { h.notReady = []string{"hold", "skip"}[h.draw(2)] }},
	}
	s := steps[h.draw(len(steps))]
	h.log = append(h.log, s.name)
	s.do()
	if s.name != "slot" && h.mails != before {
		h.fail("%s sent something by itself", s.name)
	}
}

func (h *history) fail(format string, args ...any) {
	if h.broken == "" {
		h.broken = fmt.Sprintf(format, args...)
	}
}

func (h *history) insert() {
	h.lastID++
	a := series.Article{ID: h.lastID, State: []series.ArticleState{series.Ready, series.Ready, series.Draft}[h.draw(3)], Placed: h.now}
	a.Elsewhere = h.draw(6) == 0
	h.articles = slices.Insert(h.articles, h.draw(len(h.articles)+1), a)
}

// any picks one of the articles that fit; nil where none does.
func (h *history) any(fits func(a series.Article) bool) *series.Article {
	var at []int
	for i, a := range h.articles {
		if fits(a) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return &h.articles[at[h.draw(len(at))]]
}

func is(state series.ArticleState) func(series.Article) bool {
	return func(a series.Article) bool { return a.State == state }
}

func (h *history) makeReady() {
	if a := h.any(is(series.Draft)); a != nil {
		a.State, a.Placed = series.Ready, h.now
	}
}

func (h *history) withdraw() {
	if a := h.any(is(series.Ready)); a != nil {
		a.State = series.Withdrawn
	}
}

func (h *history) unwithdraw() {
	if a := h.any(is(series.Withdrawn)); a != nil {
		a.State, a.Placed, a.Backfill = series.Ready, h.now, false
	}
}

func (h *history) backfill() {
	if a := h.any(func(series.Article) bool { return true }); a != nil && h.draw(3) == 0 {
		a.Backfill = true
	}
}

func (h *history) move() {
	from, to := h.draw(len(h.articles)), h.draw(len(h.articles))
	if from == to {
		return
	}
	a := h.articles[from]
	a.Placed, a.Backfill = h.now, false
	h.articles = slices.Insert(slices.Delete(h.articles, from, from+1), to, a)
}

func (h *history) pin() {
	if a := h.any(func(series.Article) bool { return true }); a != nil {
		h.pins[h.draw(6)] = a.ID
	}
}

// untilSlot is how much time goes by from the step before a slot to the slot.
const untilSlot = 47 * time.Hour

// pinned are the pins as the facts of a slot have them, its own included.
func (h *history) pinned() (pins []series.Pin) {
	for _, n := range slices.Sorted(maps.Keys(h.pins)) {
		at := h.now.Add(time.Duration(n) * untilSlot)
		pins = append(pins, series.Pin{ArticleID: h.pins[n], Wall: at.Format("2006-01-02T15:04"), At: at})
	}
	return pins
}

// slotOver lets the pins come one slot nearer.
func (h *history) slotOver() {
	nearer := map[int]int64{}
	for n, id := range h.pins {
		if n > 0 {
			nearer[n-1] = id
		}
	}
	h.pins = nearer
}

// join adds a reader, perhaps one who read up to some article elsewhere, perhaps with a welcome.
func (h *history) join() {
	r := &reader{active: true, had: map[int64]time.Time{}, told: map[int64]bool{}, before: map[int64]bool{}}
	h.readers = append(h.readers, r)
	if h.draw(3) == 0 && len(h.articles) > 0 {
		for _, a := range h.articles[:h.draw(len(h.articles))] {
			r.before[a.ID] = true
		}
	}
	if h.mode == series.Live || h.draw(2) == 0 {
		return
	}
	for _, a := range h.articles {
		if a.State == series.Ready && !r.before[a.ID] {
			r.had[a.ID], r.welcomed = h.now, h.now
			return
		}
	}
}

func (h *history) leave() {
	r := h.readers[h.draw(len(h.readers))]
	r.active = !r.active
}

func (h *history) startAgain() {
	r := h.readers[h.draw(len(h.readers))]
	r.had, r.told, r.before, r.active = map[int64]time.Time{}, map[int64]bool{}, nil, true
	r.cycle++
}

// announce sends a ready article outside the order, to everybody active or to about half of them.
func (h *history) announce() {
	a := h.any(is(series.Ready))
	if a == nil {
		return
	}
	everybody := h.draw(2) == 0
	if _, had := h.issued[a.ID]; everybody && !had {
		h.issued[a.ID], h.told[a.ID] = h.now, true
	}
	for _, r := range h.readers {
		if _, had := r.had[a.ID]; r.active && !had && !r.before[a.ID] && (everybody || h.draw(2) == 0) {
			r.had[a.ID], r.told[a.ID] = h.now, true
		}
	}
}

// cancel takes the newest live issue back before anybody had it.
func (h *history) cancel() {
	if h.mode == series.Drip || h.last == 0 {
		return
	}
	delete(h.issued, h.last)
	for _, r := range h.readers {
		delete(r.had, h.last)
	}
	h.last = 0
}

func (h *history) slot() {
	h.now = h.now.Add(untilSlot)
	defer h.slotOver()
	skipped := h.skipped
	h.skipped = false
	if h.paused || skipped {
		return // what was pinned keeps its turn in the order
	}
	h.slots++
	if h.mode == series.Live {
		if id := h.decide(h.issued, h.told, nil, time.Time{}, 0); id != 0 {
			h.issued[id], h.last = h.now, id
			for _, r := range h.readers {
				if _, had := r.had[id]; r.active && !had && !r.before[id] {
					r.had[id] = h.now
				}
			}
			h.mails++
		}
		return
	}
	for _, r := range h.readers {
		if !r.active {
			continue
		}
		if id := h.decide(r.had, r.told, r.before, r.welcomed, r.cycle); id != 0 {
			r.had[id] = h.now
			h.mails++
		}
	}
}

// decide asks Next and judges the answer. It returns the article to send; 0: none.
func (h *history) decide(had map[int64]time.Time, told, before map[int64]bool, welcomed time.Time, cycle int64) int64 {
	truth := series.Facts{
		Mode: h.mode, WhenNotReady: h.notReady, Articles: slices.Clone(h.articles), Had: maps.Clone(had), Announced: maps.Clone(told),
		Before: maps.Clone(before), Pinned: h.pins[0], Pins: h.pinned(), Welcomed: welcomed, Cycle: cycle, MinGap: gap, At: h.now,
	}
	seen := h.facts(truth)
	d := series.Next(seen)
	h.decided[d.Rule]++
	for _, p := range series.Passed(seen) {
		h.decided[p.Rule]++
	}
	if why := judge(truth, d); why != "" {
		h.fail("%s: got %s of article %d by rule %d (%s)", why, d.Outcome, d.Article.ID, d.Rule, d.Why)
	}
	if d.Outcome != series.Send {
		return 0
	}
	return d.Article.ID
}

// judge says what is wrong with a decision; empty: nothing.
func judge(f series.Facts, d series.Decision) string {
	at := slices.IndexFunc(f.Articles, func(a series.Article) bool { return a.ID == d.Article.ID })
	pinned := slices.IndexFunc(f.Articles, func(a series.Article) bool { return a.ID == f.Pinned })
	pinGoes := pinned >= 0 && f.Articles[pinned].State == series.Ready && !hadOrRead(f, pinned)
	tooSoon := f.Mode == series.Drip && !f.Welcomed.IsZero() && f.At.Sub(f.Welcomed) < f.MinGap
	isPinned := f.Pinned != 0 && d.Article.ID == f.Pinned
	switch {
	case (d.Outcome == series.Send || d.Outcome == series.Blocked) && at < 0:
		return "rule 1: an article of the series is next"
	case d.Outcome == series.Send && f.Articles[at].State == series.Withdrawn:
		return "rule 8: withdrawn is out of next"
	case d.Outcome == series.Send && f.Articles[at].State != series.Ready:
		return "rule 11: a draft never leaves"
	case d.Outcome == series.Send && hadOrRead(f, at):
		return "rules 1, 5 and 14: nobody gets it twice"
	case d.Outcome == series.Send && tooSoon:
		return "rule 3: the gap after a welcome"
	case pinGoes && d.Outcome != series.TooSoon && !isPinned:
		return "rule 10: the pinned article goes"
	case d.Outcome == series.TooSoon && !tooSoon:
		return "rule 3: without a welcome nothing is too soon"
	case isPinned:
		return ""
	case d.Rule == 1 && f.Cycle > 1, d.Rule == 14 && f.Cycle <= 1:
		return "rule 14: who started again is told so"
	case (d.Outcome == series.Send || d.Outcome == series.Blocked) && isReserved(f, at):
		return "rule 10: what is pinned to a later slot waits for it"
	case d.Outcome == series.Send && f.Mode == series.Live && f.Articles[at].Elsewhere:
		return "rule 5: published elsewhere is never next in live"
	case d.Outcome == series.Send && isBehind(f, at):
		return "rule 4: no going back"
	}
	return judgeOrder(f, d, at)
}

// judgeOrder looks at the articles that a decision passed over.
func judgeOrder(f series.Facts, d series.Decision, at int) string {
	if d.Outcome == series.Send || d.Outcome == series.Blocked {
		for i := range at {
			switch {
			case f.Articles[i].State == series.Ready && inTurn(f, i):
				return "rule 1: the lowest-ranked goes"
			case f.Articles[i].State == series.Draft && inTurn(f, i) && f.WhenNotReady == "hold":
				return "rule 11: a draft at the head holds"
			}
		}
	}
	if d.Outcome == series.Blocked && (f.Articles[at].State != series.Draft || !inTurn(f, at) || f.WhenNotReady != "hold") {
		return "rule 11: only a draft at the head holds, and only where holding was chosen"
	}
	if d.Outcome == series.Empty {
		for i, a := range f.Articles {
			if a.State == series.Ready && inTurn(f, i) {
				return "rule 1: there is a next article"
			}
		}
	}
	return ""
}

func isReserved(f series.Facts, i int) bool {
	return slices.ContainsFunc(f.Pins, func(p series.Pin) bool { return p.ArticleID == f.Articles[i].ID && p.At.After(f.At) })
}

func hadOrRead(f series.Facts, i int) bool {
	_, had := f.Had[f.Articles[i].ID]
	return had || f.Before[f.Articles[i].ID]
}

// inTurn says whether an article would be next if it was ready and the first.
func inTurn(f series.Facts, i int) bool {
	a := f.Articles[i]
	return !hadOrRead(f, i) && a.State != series.Withdrawn && (!a.Elsewhere || f.Mode == series.Drip) && !isBehind(f, i) && !isReserved(f, i)
}

func isBehind(f series.Facts, i int) bool {
	a := f.Articles[i]
	for j := i + 1; j < len(f.Articles); j++ {
		at, had := f.Had[f.Articles[j].ID]
		had = had && !f.Announced[f.Articles[j].ID]
		if f.Before[f.Articles[j].ID] || had && (a.State == series.Draft || at.Before(a.Placed)) {
			return !a.Backfill
		}
	}
	return false
}

// finish lets time go on without any change and looks whether everybody got everything.
func (h *history) finish() {
	h.paused, h.skipped, h.notReady = false, false, "skip"
	for range len(h.articles) + len(h.pins) + 2 {
		h.slot()
	}
	everything := func(who string, had map[int64]time.Time, told, before map[int64]bool) {
		f := series.Facts{Mode: h.mode, Articles: h.articles, Had: had, Announced: told, Before: before}
		for i, a := range h.articles {
			if a.State == series.Ready && inTurn(f, i) {
				h.fail("%s never got article %d though it is not behind", who, a.ID)
			}
		}
	}
	if h.mode == series.Live {
		everything("the live series", h.issued, h.told, nil)
		return
	}
	for i, r := range h.readers {
		if r.active {
			everything(fmt.Sprintf("reader %d", i), r.had, r.told, r.before)
		}
	}
}

// run is one history: at least 40 steps, and then time without changes.
func (h *history) run() {
	for range 40 + h.draw(40) {
		h.step()
	}
	h.finish()
	if h.mode == series.Live && h.mails > h.slots {
		h.fail("%d live issues in %d slots", h.mails, h.slots)
	}
}

func TestHistories(t *testing.T) {
	decided := map[int]int{}
	for range 6 { // each Check is 100 histories
		rapid.Check(t, func(rt *rapid.T) {
			h := newHistory(func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "n") }, decided)
			h.run()
			if h.broken != "" {
				rt.Fatalf("%s\nafter %s", h.broken, strings.Join(h.log, ", "))
			}
		})
	}
	for _, rule := range []int{1, 3, 4, 5, 8, 10, 11, 14, 18} {
		t.Logf("rule %2d decided %6d times", rule, decided[rule])
		if decided[rule] < 100 {
			t.Errorf("rule %d decided %d times, want 100 at least", rule, decided[rule])
		}
	}
}

// TestHistoriesNeedEachRule hides the facts of one rule after the other from Next: the properties must notice.
func TestHistoriesNeedEachRule(t *testing.T) {
	each := func(change func(a *series.Article)) func(series.Facts) series.Facts {
		return func(f series.Facts) series.Facts {
			f.Articles = slices.Clone(f.Articles)
			for i := range f.Articles {
				change(&f.Articles[i])
			}
			return f
		}
	}
	for _, tt := range []struct {
		rule string
		hide func(f series.Facts) series.Facts
	}{
		{"1: next in a live series has no issue yet", func(f series.Facts) series.Facts {
			if f.Mode == series.Live {
				f.Had = nil
			}
			return f
		}},
		{"3: the gap after a welcome", func(f series.Facts) series.Facts { f.MinGap = 0; return f }},
		{"4: no going back", each(func(a *series.Article) { a.Backfill = true })},
		{"4: but with a backfill", each(func(a *series.Article) { a.Backfill = false })},
		{"5: published elsewhere", each(func(a *series.Article) { a.Elsewhere = false })},
		{"5: read before the enrolment", func(f series.Facts) series.Facts { f.Before = nil; return f }},
		{"8: withdrawn", each(func(a *series.Article) {
			if a.State == series.Withdrawn {
				a.State = series.Ready
			}
		})},
		{"10: pinned", func(f series.Facts) series.Facts { f.Pinned = 0; return f }},
		{"10: pinned to a later slot", func(f series.Facts) series.Facts { f.Pins = nil; return f }},
		{"11: a draft holds", func(f series.Facts) series.Facts { f.WhenNotReady = "skip"; return f }},
		{"11: or is skipped", func(f series.Facts) series.Facts { f.WhenNotReady = "hold"; return f }},
		{"11: a draft is not ready", each(func(a *series.Article) {
			if a.State == series.Draft {
				a.State = series.Ready
			}
		})},
		{"18: what was announced has no place in the order", func(f series.Facts) series.Facts { f.Announced = nil; return f }},
		{"14: once per cycle in drip", func(f series.Facts) series.Facts {
			if f.Mode == series.Drip {
				f.Had = nil
			}
			return f
		}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			for seed := range uint64(200) {
				random := rand.New(rand.NewPCG(seed, 1))
				h := newHistory(random.IntN, map[int]int{})
				h.facts = tt.hide
				if h.run(); h.broken != "" {
					t.Logf("noticed in history %d: %s", seed, h.broken)
					return
				}
			}
			t.Errorf("200 histories did not notice that this rule is gone")
		})
	}
}

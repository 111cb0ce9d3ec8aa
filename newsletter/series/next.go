package series

import (
	"fmt"
	"time"
)

// Facts is all that the decision needs, as values. For a live series it describes the series as if it were one reader;
// for drip one subscriber.
type Facts struct {
	Mode         Mode
	WhenNotReady string              // hold: a draft at the head holds; skip: the next ready one goes
	Articles     []Article           // by rank; the text is not looked at
	Had          map[int64]time.Time // article number -> when it was had; in live: when its issue was frozen
	Announced    map[int64]bool      // of Had: by an announcement alone, outside the order; nil: none
	Before       map[int64]bool      // articles had before they came to us (received-through); nil: none
	Pinned       int64               // article pinned to the slot; 0: none
	Pins         []Pin               // of all planned slots, by time: what is pinned to one after At waits for it
	Welcomed     time.Time           // drip: when a welcome was had last; zero: never
	Cycle        int64               // drip: above 1 they have started again, and Had is of that cycle (rule 14)
	MinGap       time.Duration       // drip: rule 3
	At           time.Time           // the slot's instant
}

// Reserved returns the first slot after At that an article is pinned to, and so waits for; false: none.
func (f Facts) Reserved(articleID int64) (Pin, bool) {
	for _, p := range f.Pins {
		if p.ArticleID == articleID && p.At.After(f.At) {
			return p, true
		}
	}
	return Pin{}, false
}

// Outcome says what a slot does for a reader.
type Outcome string

const (
	Send    Outcome = "send"
	Empty   Outcome = "empty"    // no article left (rule 11)
	Blocked Outcome = "blocked"  // a draft stands at the head (rule 11)
	TooSoon Outcome = "too soon" // a welcome came less than MinGap ago (rule 3)
)

// Decision is what Next decided, and which rule of the series' 21 decided it.
type Decision struct {
	Outcome Outcome
	Article Article // set for Send, and for Blocked the draft that is in the way
	Rule    int
	Why     string // one English sentence without names of people
}

// Next decides what the next article is (rules 1, 3, 4, 5, 8, 10, 11, 14). It is a pure function: plan, explain, live,
// drip and the tests all ask it. Every skipped-over article has a reason, see Passed.
func Next(f Facts) Decision {
	d := f.choose(nil)
	// Only what would be sent can come too soon: an empty or blocked slot says so whatever was welcomed.
	if d.Outcome == Send && f.Mode == Drip && !f.Welcomed.IsZero() && f.At.Sub(f.Welcomed) < f.MinGap {
		return Decision{Outcome: TooSoon, Rule: 3, Why: "The welcome came too short a time before this slot, so the next article waits for the slot after."}
	}
	return d
}

// Passed says for each article that stands before the decision why it isn't next: its number -> rule and sentence.
// Their Outcome is empty. Where Next found no article, that is all of them.
func Passed(f Facts) map[int64]Decision {
	passed := map[int64]Decision{}
	f.choose(passed)
	return passed
}

// choose walks the articles in their order up to the one that decides, and notes in passed, unless it is nil, why those
// before it don't.
func (f Facts) choose(passed map[int64]Decision) Decision {
	note := func(a Article, rule int, why string) {
		if passed != nil {
			passed[a.ID] = Decision{Article: a, Rule: rule, Why: why}
		}
	}
	pin, aside := f.pin()
	past := f.past()
	turn, why := f.turn()
	rule, waiting := turn, ""
	for i, a := range f.Articles {
		out, because := f.out(a, past[i])
		reserved, waits := f.Reserved(a.ID)
		switch {
		case pin != nil && pin.Article.ID == a.ID:
			return *pin
		case out != 0:
			note(a, out, because)
		case pin != nil:
			note(a, 10, "Another article is pinned to this slot; this one keeps its turn.")
		case waits:
			rule, waiting = 10, waiting+reserved.aside(a)
			note(a, 10, "It is pinned to "+reserved.date()+" and waits for that date.")
		case a.State == Ready:
			return Decision{Outcome: Send, Article: a, Rule: rule, Why: why + waiting + aside}
		case f.WhenNotReady == "skip":
			if rule == turn {
				rule, why = 11, why+"; a draft stands before it, and this series does not wait for drafts"
			}
			note(a, 11, "It is a draft, and this series goes on with the next ready article.")
		default:
			return Decision{Outcome: Blocked, Article: a, Rule: 11, Why: "The next article is still a draft, and this series waits for it" + waiting + aside}
		}
	}
	return Decision{Outcome: Empty, Rule: 11, Why: "No ready article is left" + waiting + aside}
}

// out says which rule takes an article out of next, whatever stands around it; 0: none, it is ready or a draft in turn.
func (f Facts) out(a Article, past had) (rule int, why string) {
	switch at, issued := f.Had[a.ID]; {
	case issued && f.Mode == Drip:
		return 14, "It was had on " + at.UTC().Format(time.DateOnly) + ", and nobody gets an article twice in a cycle."
	case issued && f.Announced[a.ID]:
		return 18, "It was announced to the whole series on " + at.UTC().Format(time.DateOnly) + "."
	case issued:
		return 1, "It had its issue on " + at.UTC().Format(time.DateOnly) + "."
	case f.Before[a.ID]:
		return 5, "It was read before the enrolment here."
	case a.State == Withdrawn:
		return 8, "It is withdrawn."
	case a.Elsewhere && f.Mode == Live:
		return 5, "It was published elsewhere before; it is in the archive only."
	case a.Backfill || !past.any:
		return 0, ""
	case a.State == Draft: // once ready it would have been placed later than all that was had
		return 4, "It is a draft, and a later article went out already: it stays behind."
	case past.first.Before(a.Placed):
		return 4, "A later article had gone out before this one was put here, and no backfill was asked for."
	}
	return 0, ""
}

// had is what is known about the articles after one place in the order: whether any was had, and when first.
type had struct {
	any   bool
	first time.Time
}

// past finds for each article when one that ranks after it was had first. What was read before the enrolment was had
// before anything here was placed: the zero time. An announcement moves nobody's next: it has no place in the order (rule 18).
func (f Facts) past() []had {
	past := make([]had, len(f.Articles))
	var later had
	for i := len(f.Articles) - 1; i >= 0; i-- {
		past[i] = later
		id := f.Articles[i].ID
		at, ok := f.Had[id]
		ok = ok && !f.Announced[id]
		if f.Before[id] {
			at, ok = time.Time{}, true
		}
		if ok && (!later.any || at.Before(later.first)) {
			later = had{true, at}
		}
	}
	return past
}

// pin says what the pinned article does to the slot (rule 10): it decides, or, where it can't go any more, aside ends
// the sentence of the decision that the order takes instead. Aside ends every sentence, if only by its full stop.
func (f Facts) pin() (d *Decision, aside string) {
	if f.Pinned == 0 {
		return nil, "."
	}
	var a Article
	for _, x := range f.Articles {
		if x.ID == f.Pinned {
			a = x
		}
	}
	_, issued := f.Had[a.ID]
	switch {
	case a.ID == 0:
		return nil, "; the article pinned to this slot is not in the series any more."
	case issued || f.Before[a.ID]:
		return nil, "; the article pinned to this slot was had already."
	case a.State == Withdrawn:
		return nil, "; the article pinned to this slot is withdrawn."
	case a.State == Ready:
		return &Decision{Outcome: Send, Article: a, Rule: 10, Why: "It is pinned to this slot."}, "."
	case f.WhenNotReady == "skip":
		return nil, "; the article pinned to this slot is still a draft."
	}
	return &Decision{Outcome: Blocked, Article: a, Rule: 10, Why: "The article pinned to this slot is still a draft, and this series waits for it."}, "."
}

// turn is the rule by which an article goes whose turn it is in the order, and the beginning of a sentence that says so.
func (f Facts) turn() (rule int, why string) {
	switch {
	case f.Mode != Drip:
		return 1, "It is the first ready article in the order that has no issue yet"
	case f.Cycle > 1:
		return 14, fmt.Sprintf("They started again, and it is the first ready article in the order that was not had since (cycle %d)", f.Cycle)
	}
	return 1, "It is the first ready article in the order that was not had yet"
}

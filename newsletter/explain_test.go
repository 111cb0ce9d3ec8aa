package newsletter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func TestRule21ExplainAgreesWithThePlanAndTheSender(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two?", "three")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "ben"), false, evidence()))
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", 3)
	w.check("explain", err)
	equal(t, "ada", short(lines), []string{wall(2) + " two blocked 11", wall(3) + " three send 1", wall(4) + "  empty 11"})
	lines, err = w.p.Explain(w.ctx, "ben@reader.example", 1)
	w.check("explain", err)
	equal(t, "ben", short(lines), []string{wall(2) + "  out 13"})
	if _, err := w.p.Explain(w.ctx, "nobody@reader.example", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("explain nobody: got %v, want ErrNotFound", err)
	}
}

// TestRule21NothingNamesWhatIsMeant: whoever asks why nothing comes has an article in mind.
func TestRule21NothingNamesWhatIsMeant(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{WhenNotReady: ptr("skip")})
	w.articles(s, "one?", "two")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.run(tuesday(1))
	w.clock.set(tuesday(1).Add(time.Hour))
	w.article("one", series.MarkReady)
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", 1)
	w.check("explain", err)
	equal(t, "behind", short(lines), []string{wall(2) + "  empty 4"})
	contains(t, "why", lines[0].Why, "No ready article is left.", "“About one” stands behind")

	w.articles(s, "three")
	w.run(tuesday(2).Add(12 * time.Hour))
	name := "skin/" + wall(2)
	equal(t, "issue", w.issue(name), "held")
	lines, err = w.p.Explain(w.ctx, "ada@reader.example", 2)
	w.check("explain", err)
	contains(t, "why, with an issue held", lines[0].Why, name+" is held and keeps its turn")
}

// TestRule21WhatIsInTheWayIsSaidOfTheFirstSlot: also to who is on a break in it; the plan says it of no other.
func TestRule21WhatIsInTheWayIsSaidOfTheFirstSlot(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben")
	w.run(monday)
	w.check("hold", w.p.HoldIssue(w.ctx, "skin/"+wall(1), "figure one"))
	w.run(tuesday(1))
	w.takeBreak(s, "ada", tuesday(2).Add(time.Hour))
	equal(t, "plan", w.plan("skin", 2), []string{wall(2) + " two 1 !", wall(3) + " three 2"})
	lines, err := w.p.Explain(w.ctx, "ada@reader.example", 2)
	w.check("explain", err)
	equal(t, "ada", short(lines), []string{wall(2) + "  paused 13", wall(3) + " three send 1"})
	if strings.Contains(lines[1].Why, "is held and keeps its turn") {
		t.Errorf("of the slot after it is said: %q", lines[1].Why)
	}
}

func short(lines []newsletter.Explained) []string {
	all := []string{}
	for _, l := range lines {
		all = append(all, strings.Join([]string{l.Slot, l.Article, l.Outcome}, " ")+" "+itoa(l.Rule))
	}
	return all
}

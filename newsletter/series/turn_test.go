package series_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
)

// TestTurns judges random slots by rules written down a second time; each rule decides often, and without its facts the judge notices.
func TestTurns(t *testing.T) {
	decided := map[series.Turn]int{}
	for range 6 { // each Check is 100 trials
		rapid.Check(t, func(rt *rapid.T) {
			slots, now := drawSlots(rt)
			turns := series.Turns(slots, now)
			for _, turn := range turns {
				decided[turn]++
			}
			if why := judgeTurns(slots, turns, now); why != "" {
				rt.Fatalf("%s: %v at %s for %+v", why, turns, now, slots)
			}
		})
	}
	for _, turn := range []series.Turn{series.TurnRuns, series.TurnPassed, series.TurnWaits, series.TurnTogether} {
		t.Logf("%s decided %d times", turn, decided[turn])
		if decided[turn] < 100 {
			t.Errorf("%s decided %d times, want 100 at least", turn, decided[turn])
		}
	}
}

func TestTurnsNeedEachFact(t *testing.T) {
	for name, hide := range map[string]func(*series.Slot, int){
		"a hold":     func(s *series.Slot, _ int) { s.Hold = false },
		"an instant": func(s *series.Slot, i int) { s.At = s.At.Add(time.Duration(i) * time.Second) },
	} {
		noticed := false
		rapid.Check(t, func(rt *rapid.T) {
			slots, now := drawSlots(rt)
			hidden := make([]series.Slot, len(slots))
			for i := range slots {
				hidden[i] = slots[i]
				hide(&hidden[i], i)
			}
			noticed = noticed || judgeTurns(slots, series.Turns(hidden, now), now) != ""
		})
		if !noticed {
			t.Errorf("nobody notices that %s is not looked at", name)
		}
	}
}

// drawSlots are up to eight slots an hour apart, some of them at one instant, some of them held, and a now among them.
func drawSlots(rt *rapid.T) ([]series.Slot, time.Time) {
	var slots []series.Slot
	at := day0
	for i := range rapid.IntRange(1, 8).Draw(rt, "slots") {
		if rapid.IntRange(0, 3).Draw(rt, "together") > 0 {
			at = at.Add(time.Hour)
		}
		slots = append(slots, series.Slot{Wall: fmt.Sprint(i), At: at, Hold: rapid.IntRange(0, 3).Draw(rt, "hold") == 0})
	}
	return slots, day0.Add(time.Duration(rapid.IntRange(0, 9).Draw(rt, "now")) * time.Hour)
}

// judgeTurns says what is wrong; empty: nothing.
func judgeTurns(slots []series.Slot, turns []series.Turn, now time.Time) string {
	due, runs, holds, runsHeld := 0, 0, 0, false
	for i, slot := range slots {
		if slot.At.After(now) {
			if turns[i] != series.TurnRuns && turns[i] != series.TurnTogether {
				return "rule 12: what is to come runs"
			}
			continue
		}
		due++
		if slot.Hold {
			holds++
		}
		if turns[i] == series.TurnRuns {
			runs++
			runsHeld = slot.Hold
		}
		if turns[i] == series.TurnWaits && (runs == 0 || !runsHeld) {
			return "rule 11: it waits behind one on hold"
		}
		if slot.Hold && turns[i] == series.TurnPassed {
			return "rule 11: what is held is not passed over"
		}
	}
	switch {
	case due > 0 && runs != 1:
		return "rule 12: one of those that are due runs"
	case holds > 0 && !runsHeld:
		return "rule 11: while one is held none sends"
	case holds == 0 && due > 0 && turns[due-1] != series.TurnRuns && turns[due-1] != series.TurnTogether:
		return "rule 12: the last one runs"
	}
	return judgeInstants(slots, turns)
}

// judgeInstants wants one slot of each instant to have its turn.
func judgeInstants(slots []series.Slot, turns []series.Turn) string {
	for i := 0; i < len(slots); {
		own, held, ownHeld, first := 0, false, false, i
		for ; i < len(slots) && slots[i].At.Equal(slots[first].At); i++ {
			held = held || slots[i].Hold
			if turns[i] != series.TurnTogether {
				own, ownHeld = own+1, slots[i].Hold
			}
		}
		if own != 1 || held != ownHeld {
			return "rule 9: one slot of an instant, and a held one before others"
		}
	}
	return ""
}

package series

import "time"

// Turn says what a slot does once it is due, as far as the slots around it decide that.
type Turn string

const (
	TurnRuns     Turn = "runs"     // it sends, or where it is late or on hold it gets a held issue
	TurnPassed   Turn = "passed"   // a later one was due when the program came back: it is missed, so that nothing bursts (rule 12)
	TurnWaits    Turn = "waits"    // behind one due before it that is on hold and keeps its turn (rule 11)
	TurnTogether Turn = "together" // a gap of the clocks puts it at the instant of another one, which runs (rule 9)
)

// Turns says what becomes of planned slots, given by time, where those up to now run together: of the due ones the first on hold
// runs, so that what an editor holds is never passed over and sent by a later one; where none is on hold, the last. Of slots at one
// instant one on hold runs, else the first. It is a pure function: plan, explain, the scheduler and the tests all ask it.
func Turns(slots []Slot, now time.Time) []Turn {
	all := make([]Turn, len(slots))
	due, behind := -1, false // the last due slot that neither ran nor waits; whether one on hold ran
	for i := 0; i < len(slots); {
		next := i + 1
		for next < len(slots) && slots[next].At.Equal(slots[i].At) {
			next++
		}
		one := i
		for j := next - 1; j >= i; j-- {
			all[j] = TurnTogether
			if slots[j].Hold {
				one = j
			}
		}
		all[one], i = TurnRuns, next
		if slots[one].At.After(now) {
			continue
		}
		if due >= 0 {
			all[due] = TurnPassed
		}
		if behind {
			all[one] = TurnWaits
		}
		if due = one; slots[one].Hold {
			due, behind = -1, true
		}
	}
	return all
}

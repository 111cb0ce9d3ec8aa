package pace

import "time"

// Warming is how far a new sender domain has come: 50 messages on its first day of sending, then twice as many each day on
// which at least half of them left and no more than a twentieth was refused.
type Warming struct {
	Step    int
	Day     string // the last on which it sent, YYYY-MM-DD
	Taken   int    // on that day, also what was never offered since the relay was away
	Judged  int    // of those, how many were taken or refused for good
	Refused int
}

const (
	warmFirst = 50
	warmSteps = 15 // from 1.6 million a day on it is warm
	// fewJudged is from how many answers on their refusals say something.
	fewJudged = 20
)

const dayForm = "2006-01-02"

// Allowance is how many messages a day the plan has at this step; warm: as many as there are.
func (w Warming) Allowance() (perDay int, warm bool) {
	return warmFirst << min(w.Step, warmSteps), w.Step >= warmSteps
}

// Refusing says that more than 5 % of the day's messages were refused: the rest waits for another day.
func (w Warming) Refusing() bool { return w.Judged >= fewJudged && 20*w.Refused > w.Judged }

// On is the plan on the day of t, in its zone.
func (w Warming) On(t time.Time) Warming {
	today := t.Format(dayForm)
	switch {
	case w.Day > tomorrow(t).Format(dayForm): // the clock was ahead
		return Warming{Step: w.Step, Day: today}
	case today <= w.Day: // also where the clock went back a little
		return w
	}
	if n, warm := w.Allowance(); !warm && 2*w.Judged >= n && !w.Refusing() {
		w.Step++
	}
	return Warming{Step: w.Step, Day: today}
}

func (w Warming) left() int {
	n, warm := w.Allowance()
	switch {
	case w.Refusing():
		return 0
	case warm:
		return unlimited
	}
	return max(n-w.Taken, 0)
}

// tomorrow is the first instant of the day after t's, in its zone.
func tomorrow(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
}

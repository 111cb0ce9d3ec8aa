package pace

import (
	"math"
	"time"
)

// Lane is a mailbox provider whose deliveries have a pace of their own. Numbers above those here are domains that were given
// a lane later.
type Lane int64

// The lanes that are there from the start.
const (
	Rest Lane = iota
	Gmail
	Microsoft
	Yahoo
	ICloud
)

var laneNames = [...]string{Rest: "rest", Gmail: "gmail", Microsoft: "microsoft", Yahoo: "yahoo", ICloud: "icloud"}

// LaneNamed finds a lane by its name in the configuration.
func LaneNamed(name string) (Lane, bool) {
	for lane, known := range laneNames {
		if name == known {
			return Lane(lane), true
		}
	}
	return 0, false
}

// LaneNames are the names that LaneNamed knows.
func LaneNames() []string { return laneNames[:] }

// Speed is what a provider has shown it takes: two connections with a message a second each at first.
type Speed struct {
	PerSecond float64
	Clean     int // messages taken since it changed
}

const (
	firstSpeed = 2.0
	slowest    = 1.0 / 60
	fastest    = 1000.0
	growth     = 1.1
	growsAfter = 100
)

// connections is how many the lane may have at once: each carries a message a second.
func (s Speed) connections() int { return max(1, int(math.Ceil(s.PerSecond))) }

func (s Speed) grown(clean int) Speed {
	for s.Clean += clean; s.Clean >= growsAfter; s.Clean -= growsAfter {
		s.PerSecond = min(growth*s.PerSecond, fastest)
	}
	return s
}

func (s Speed) halved() Speed { return Speed{PerSecond: max(s.PerSecond/2, slowest)} }

// limit is the speed as a window about as long as grain.
func (s Speed) limit(grain time.Duration) Limit {
	n := max(1, int(s.PerSecond*grain.Seconds()))
	return Limit{n, time.Duration(float64(n) / s.PerSecond * float64(time.Second))}
}

// lane is what a Pacer knows of one.
type lane struct {
	speed    Speed
	window   window // of that speed
	ceilings []*window
	held     int // granted, and not through yet
	echoes   int // of those, how many left before the speed was halved: what they meet says nothing new
}

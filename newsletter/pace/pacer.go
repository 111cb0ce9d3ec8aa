package pace

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Plan is the pace that was set. The zero Plan is none: everything may leave at once.
type Plan struct {
	Relay       Rate           // of all messages
	Ceilings    map[Lane]Rate  // of a provider's
	Adapt       bool           // providers begin slowly and go faster as long as they take what comes
	Hours       Hours          // of issues; notices leave at any time
	WarmUp      []string       // new sender domains
	Zone        *time.Location // whose days a warm-up counts; nil means UTC
	Connections int            // to the relay; 0: no bound
}

// Off says that nothing is ever held back.
func (p Plan) Off() bool { return !p.limits() && p.Hours.AllDay() }

// limits says that something but the hours bounds how fast an issue leaves.
func (p Plan) limits() bool {
	return len(p.Relay) > 0 || len(p.Ceilings) > 0 || p.Adapt || len(p.WarmUp) > 0
}

// Left is a slice of one of the limits that are longer than a run may be.
type Left struct {
	Scope string // relay, or a provider's name
	Per   time.Duration
	Slice
}

// Kept is what outlives a run.
type Kept struct {
	Speeds map[Lane]Speed
	Left   []Left
	Warm   map[string]Warming
}

// Pacer says how many messages may leave. Its methods may be called from many goroutines.
type Pacer struct {
	mu    sync.Mutex
	plan  Plan
	grain time.Duration // length of the windows of speeds
	relay []*window
	lanes map[Lane]*lane
	warm  map[string]Warming
	held  int

	speedsChanged, warmChanged bool // since they were kept
}

const (
	unlimited = math.MaxInt32
	relayName = "relay"
	// keptFrom is how long a limit is that must be known after a restart.
	keptFrom = time.Hour
	// spare is the part of a long limit that issues leave to notices: whoever signs up must not wait for tomorrow.
	spare = 50
)

// New makes a Pacer that goes on where the one before it stopped.
func New(plan Plan, kept Kept) *Pacer {
	if plan.Zone == nil {
		plan.Zone = time.UTC
	}
	p := &Pacer{plan: plan, grain: time.Second, lanes: map[Lane]*lane{}, warm: map[string]Warming{}}
	p.relay = windows(plan.Relay, relayName, kept.Left)
	for id, rate := range plan.Ceilings {
		p.lane(id).ceilings = windows(rate, laneNames[id], kept.Left)
	}
	for id, speed := range kept.Speeds {
		l := p.lane(id)
		l.speed = speed
		l.window.Limit = speed.limit(p.grain)
	}
	for _, domain := range plan.WarmUp {
		p.warm[domain] = kept.Warm[domain]
	}
	return p
}

func windows(rate Rate, scope string, kept []Left) (all []*window) {
	for _, limit := range rate {
		w := &window{Limit: limit}
		for _, left := range kept {
			if left.Scope == scope && left.Per == limit.Per {
				w.slices = append(w.slices, left.Slice)
			}
		}
		slices.SortFunc(w.slices, func(a, b Slice) int { return a.Until.Compare(b.Until) })
		all = append(all, w)
	}
	return all
}

func (p *Pacer) lane(id Lane) *lane {
	l := p.lanes[id]
	if l == nil {
		l = &lane{speed: Speed{PerSecond: firstSpeed}}
		l.window.Limit = l.speed.limit(p.grain)
		p.lanes[id] = l
	}
	return l
}

// Warming says whether messages of a sender domain follow a warm-up plan.
func (p *Pacer) Warming(domain string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, yes := p.warm[domain]
	return yes
}

// gate is one thing that messages may have to wait for.
type gate struct {
	left int
	next time.Time // when left is more than 0 again
	why  string
}

// gates are all that a message of an issue has to pass. warming is its sender's domain where that is being warmed up.
func (p *Pacer) gates(id Lane, warming string, now time.Time) (all []gate) {
	add := func(w *window, keep int, why string) {
		all = append(all, gate{w.left(now, keep), w.next(now, keep), why})
	}
	if !p.plan.Hours.Open(now) {
		all = append(all, gate{0, p.plan.Hours.Opens(now), "issues are sent from " + p.plan.Hours.String()})
	}
	for _, w := range p.relay {
		keep := 0
		if w.Per >= keptFrom {
			keep = w.N / spare
		}
		add(w, keep, "the relay takes "+w.Limit.String())
	}
	l := p.lane(id)
	for _, w := range l.ceilings {
		add(w, 0, fmt.Sprintf("%s gets %s", laneNames[id], w.Limit))
	}
	if p.plan.Adapt {
		add(&l.window, 0, "the mailbox provider gets only as much as it takes without complaint")
	}
	if w, yes := p.warm[warming]; yes && warming != "" {
		local := now.In(p.plan.Zone)
		all = append(all, gate{w.On(local).left(), tomorrow(local), warming + " is new and warms up"})
	}
	return all
}

// May is how many messages of an issue to a provider may leave now. warming is the sender's domain where that is warming up,
// else empty.
func (p *Pacer) May(id Lane, warming string, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.room(p.lane(id))
	for _, g := range p.gates(id, warming, now) {
		n = min(n, g.left)
	}
	return n
}

// room keeps what was granted and is not through from piling up: after a delay it would leave all at once.
func (p *Pacer) room(l *lane) int {
	n := unlimited
	if p.plan.Connections > 0 && p.plan.limits() {
		n = max(2*p.plan.Connections-p.held, 0)
	}
	if p.plan.Adapt {
		n = min(n, max(l.speed.connections()-l.held, 0))
	}
	return n
}

// MayNotices is how many notices may leave now: the relay's limits are theirs too, nothing else is.
func (p *Pacer) MayNotices(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := unlimited
	for _, w := range p.relay {
		n = min(n, w.left(now, 0))
	}
	return n
}

// granted is after how long to look again whether what was granted is through; Done says so sooner.
const granted = time.Second

// Next is when a message of an issue may leave that may not now, and what it waits for; now and "" where it may. Where nothing
// keeps it but that what was granted is not through yet, it is a second later.
func (p *Pacer) Next(id Lane, warming string, now time.Time) (at time.Time, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, why = p.next(id, warming, now); at.Equal(now) && p.room(p.lane(id)) == 0 {
		at = now.Add(granted)
	}
	return at, why
}

func (p *Pacer) next(id Lane, warming string, now time.Time) (at time.Time, why string) {
	at = now
	for _, g := range p.gates(id, warming, now) {
		if g.left <= 0 && g.next.After(at) {
			at, why = g.next, g.why
		}
	}
	return at, why
}

// NextNotice is when a notice may leave.
func (p *Pacer) NextNotice(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now
	for _, w := range p.relay {
		at = later(at, w.next(now, 0))
	}
	return at
}

// Take notes that n messages of an issue leave now. Each is held until Done.
func (p *Pacer) Take(id Lane, warming string, n int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(id, warming, n, now)
	p.lane(id).held += n
	p.held += n
}

func (p *Pacer) take(id Lane, warming string, n int, now time.Time) {
	for _, w := range p.relay {
		w.take(n, now)
	}
	l := p.lane(id)
	for _, w := range l.ceilings {
		w.take(n, now)
	}
	if p.plan.Adapt {
		l.window.take(n, now)
	}
	if w, yes := p.warm[warming]; yes {
		w = w.On(now.In(p.plan.Zone))
		w.Taken += n
		p.warm[warming], p.warmChanged = w, true
	}
}

// GiveBack takes a Take back: the messages don't leave, and nothing of this was kept.
func (p *Pacer) GiveBack(id Lane, warming string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(id)
	for _, w := range slices.Concat(p.relay, l.ceilings, []*window{&l.window}) {
		w.giveBack(n)
	}
	if w, yes := p.warm[warming]; yes {
		w.Taken = max(w.Taken-n, 0)
		p.warm[warming], p.warmChanged = w, true
	}
	l.held, p.held = max(l.held-n, 0), max(p.held-n, 0)
}

// GiveBackNotices takes a TakeNotices back.
func (p *Pacer) GiveBackNotices(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.relay {
		w.giveBack(n)
	}
}

// TakeNotices notes that n notices leave now.
func (p *Pacer) TakeNotices(n int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.relay {
		w.take(n, now)
	}
}

// Done notes that a message is through, or was never offered.
func (p *Pacer) Done(id Lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(id)
	l.held, p.held = max(l.held-1, 0), max(p.held-1, 0)
	l.echoes = min(l.echoes, l.held)
}

// Answer is what a provider said to a message, as far as its pace goes.
type Answer int

// The answers.
const (
	Taken   Answer = iota
	Refused        // for good
	TooFast        // 421, 4.7.28 and their like: half the speed
	NoNews         // anything else
)

// Judge learns from an answer, before Done is called for its message.
func (p *Pacer) Judge(id Lane, warming string, answer Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(id)
	echo := l.echoes > 0
	if echo {
		l.echoes--
	}
	switch {
	case !p.plan.Adapt || echo:
	case answer == Taken:
		p.setSpeed(l, l.speed.grown(1))
	case answer == TooFast:
		p.setSpeed(l, l.speed.halved())
		l.echoes = max(l.held-1, 0)
	}
	if w, yes := p.warm[warming]; yes && (answer == Taken || answer == Refused) {
		w.Judged++
		if answer == Refused {
			w.Refused++
		}
		p.warm[warming], p.warmChanged = w, true
	}
}

func (p *Pacer) setSpeed(l *lane, s Speed) {
	l.speed, l.window.Limit = s, s.limit(p.grain)
	p.speedsChanged = true
}

// Keep is what changed since the last call and must outlive this run; with all, everything.
func (p *Pacer) Keep(all bool) (k Kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plan.Adapt && (all || p.speedsChanged) {
		k.Speeds = map[Lane]Speed{}
		for id, l := range p.lanes {
			k.Speeds[id] = l.speed
		}
	}
	if all || p.warmChanged {
		k.Warm = maps.Clone(p.warm)
	}
	k.Left = p.leftOf(relayName, p.relay, all, k.Left)
	for id := range p.plan.Ceilings {
		k.Left = p.leftOf(laneNames[id], p.lane(id).ceilings, all, k.Left)
	}
	p.speedsChanged, p.warmChanged = false, false
	return k
}

func (p *Pacer) leftOf(scope string, ws []*window, all bool, kept []Left) []Left {
	for _, w := range ws {
		if w.Per < keptFrom || len(w.slices) == 0 || !all && !w.changed {
			continue
		}
		from := len(w.slices) - 1
		if all || w.moved {
			from = 0
		}
		for _, s := range w.slices[from:] {
			kept = append(kept, Left{scope, w.Per, s})
		}
		w.changed, w.moved = false, false
	}
	return kept
}

package pace

import (
	"maps"
	"slices"
	"time"
)

// Course is when an issue goes out at the pace of now.
type Course struct {
	Begins time.Time
	Ends   time.Time // zero: nothing but the relay's own speed bounds it, or it takes longer than can be told
}

const (
	coarse    = 2000 // steps in which a course is followed, about
	longGrain = 10 * time.Minute
	mostSteps = 100_000
)

// Course follows the messages of an issue, by lane, through the pace as it stands: what already left counts, the speeds grow
// as if each message was taken. Answers that slow it down, and other issues at the same time, are not foreseen.
func (p *Pacer) Course(rows map[Lane]int, warming string, now time.Time) (c Course) {
	total := 0
	for _, n := range rows {
		total += n
	}
	sim := p.copied(total)
	left, at := maps.Clone(rows), now
	for range mostSteps {
		moved := sim.step(left, warming, at)
		if moved && c.Begins.IsZero() {
			c.Begins = at.In(now.Location())
		}
		if len(left) == 0 {
			if sim.plan.limits() {
				c.Ends = at.In(now.Location())
			}
			return c
		}
		next := sim.soonest(left, warming, at)
		if !next.After(at) {
			next = at.Add(time.Millisecond)
		}
		at = next
	}
	return c
}

// step lets leave what may at one instant, the relay's share even among the lanes.
func (p *Pacer) step(left map[Lane]int, warming string, at time.Time) (moved bool) {
	share := unlimited
	for _, w := range p.relay {
		share = min(share, w.left(at, 0)/len(left)+1)
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		n := min(left[id], share)
		for _, g := range p.gates(id, warming, at) {
			n = min(n, g.left)
		}
		if n > 0 {
			p.take(id, warming, n, at)
			p.setSpeed(p.lane(id), p.lane(id).speed.grown(n))
			if w, yes := p.warm[warming]; yes {
				w.Judged += n
				p.warm[warming] = w
			}
			left[id] -= n
			moved = true
		}
		if left[id] <= 0 {
			delete(left, id)
		}
	}
	return moved
}

func (p *Pacer) soonest(left map[Lane]int, warming string, at time.Time) (soonest time.Time) {
	for id := range left {
		if next, _ := p.next(id, warming, at); soonest.IsZero() || next.Before(soonest) {
			soonest = next
		}
	}
	return soonest
}

// copied is a Pacer to play with. Its short limits are long ones of the same speed where the way is long, so that following
// a million messages takes no longer than following some thousand.
func (p *Pacer) copied(total int) *Pacer {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &Pacer{plan: p.plan, grain: p.grain, lanes: map[Lane]*lane{}, warm: maps.Clone(p.warm)}
	for _, limit := range p.plan.Relay {
		if limit.Per < keptFrom {
			c.grain = min(max(c.grain, limit.Per/time.Duration(limit.N)*time.Duration(total)/coarse), longGrain)
		}
	}
	c.relay = c.copiedWindows(p.relay)
	for id, l := range p.lanes {
		c.lanes[id] = &lane{speed: l.speed, window: window{Limit: l.speed.limit(c.grain)}, ceilings: c.copiedWindows(l.ceilings)}
	}
	return c
}

func (p *Pacer) copiedWindows(ws []*window) (all []*window) {
	for _, w := range ws {
		c := &window{Limit: w.Limit, slices: slices.Clone(w.slices)}
		if w.Per < p.grain {
			times := int(p.grain / w.Per)
			c.Limit = Limit{w.N * times, w.Per * time.Duration(times)}
			c.slices = nil
		}
		all = append(all, c)
	}
	return all
}

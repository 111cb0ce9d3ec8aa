package pace_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/pace"
)

var start = time.Date(2027, 3, 2, 9, 0, 0, 0, time.UTC)

func rate(s string) pace.Rate {
	r, err := pace.ParseRate(s)
	if err != nil {
		panic(err)
	}
	return r
}

// leaves is when messages left, one instant for each.
type leaves []time.Time

// most is how many left in any stretch of the given length.
func (l leaves) most(per time.Duration) (most int) {
	first := 0
	for last, at := range l {
		for !l[first].Add(per).After(at) {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// TestNeverMoreThanTheLimit plays random demands against random limits, with restarts and a clock that goes on unevenly.
func TestNeverMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := pace.Rate{
			{N: rapid.IntRange(1, 40).Draw(t, "a second"), Per: time.Second},
			{N: rapid.IntRange(1, 400).Draw(t, "a minute"), Per: time.Minute},
			{N: rapid.IntRange(1, 2000).Draw(t, "a day"), Per: 24 * time.Hour},
		}
		ceiling := pace.Limit{N: rapid.IntRange(1, 50).Draw(t, "gmail an hour"), Per: time.Hour}
		plan := pace.Plan{Relay: limits, Ceilings: map[pace.Lane]pace.Rate{pace.Gmail: {ceiling}}}
		p, kept := pace.New(plan, pace.Kept{}), pace.Kept{}
		now := start
		var all, gmail leaves
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			lane := rapid.SampledFrom([]pace.Lane{pace.Rest, pace.Gmail}).Draw(t, "lane")
			n := min(p.May(lane, "", now), rapid.IntRange(0, 100).Draw(t, "wanted"))
			p.Take(lane, "", n, now)
			for range n {
				all = append(all, now)
				if lane == pace.Gmail {
					gmail = append(gmail, now)
				}
				p.Done(lane)
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				// What is shorter than an hour starts anew: so long a restart takes.
				kept, now = p.Keep(true), now.Add(time.Minute)
				p = pace.New(plan, kept)
			}
			switch rapid.IntRange(0, 3).Draw(t, "time") {
			case 0:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "a moment")))
			case 1:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Hour)).Draw(t, "a while")))
			case 2:
				next, _ := p.Next(lane, "", now)
				if now = next; p.May(lane, "", now) == 0 {
					t.Fatalf("at %s, which Next named, nothing may leave", now)
				}
			}
		}
		for _, l := range limits {
			if got := all.most(l.Per); got > l.N {
				t.Errorf("got %d in one stretch of %s, want %d at most", got, l.Per, l.N)
			}
		}
		if got := gmail.most(ceiling.Per); got > ceiling.N {
			t.Errorf("got %d to gmail in an hour, want %d at most", got, ceiling.N)
		}
	})
}

// TestAClockThatWasAhead holds up what is paced no longer than its limits are long, also over a restart.
func TestAClockThatWasAhead(t *testing.T) {
	plan := pace.Plan{Relay: rate("10/s 2000/d")}
	right := start
	ahead := right.AddDate(1, 0, 0)
	p := pace.New(plan, pace.Kept{})
	p.TakeNotices(10, ahead)
	for range 2 {
		if n := p.MayNotices(right); n != 0 {
			t.Errorf("got %d, want none beside those that seem to have left just now", n)
		}
		if at := p.NextNotice(right); at.Sub(right) > 2*time.Second {
			t.Errorf("the next may leave %v later, want within two seconds", at.Sub(right))
		}
		if n := p.MayNotices(right.Add(2 * time.Second)); n != 10 {
			t.Errorf("got %d two seconds later, want ten", n)
		}
		p = pace.New(plan, p.Keep(true))
		p.TakeNotices(10, right)
	}
}

// TestWhatLeftUnderAClockThatWasAheadIsKept: it counts from when the clock was set right, and so the next restart knows of it, though
// nothing left or was kept until a later slice.
func TestWhatLeftUnderAClockThatWasAheadIsKept(t *testing.T) {
	plan := pace.Plan{Relay: rate("100/d")}
	p := pace.New(plan, pace.Kept{})
	p.TakeNotices(60, start.Add(12*time.Hour))
	p.Keep(false)
	p.NextNotice(start)
	later := start.Add(time.Hour)
	p.TakeNotices(1, later)
	p = pace.New(plan, p.Keep(false))
	if n := p.MayNotices(later); n != 39 {
		t.Errorf("after a restart: got %d, want the 39 that are left of 100", n)
	}
}

func TestAWarmUpByAClockThatWasAhead(t *testing.T) {
	const domain = "new.example"
	p := pace.New(pace.Plan{WarmUp: []string{domain}}, pace.Kept{})
	p.Take(pace.Rest, domain, 50, start.AddDate(1, 0, 0))
	for day := range 2 {
		now := start.AddDate(0, 0, day)
		if n := p.May(pace.Rest, domain, now); n != 50 {
			t.Errorf("day %d: got %d, want the fifty of the first step", day, n)
		}
		p.Take(pace.Rest, domain, 20, now)
		if n := p.May(pace.Rest, domain, now); n != 30 {
			t.Errorf("day %d: got %d after twenty, want thirty", day, n)
		}
	}
}

// TestNextIsNotNowWhileNothingMayLeave: as long as what was granted is not through, nobody need ask again at once.
func TestNextIsNotNowWhileNothingMayLeave(t *testing.T) {
	for name, plan := range map[string]pace.Plan{
		"a provider's connections": {Adapt: true, Connections: 4},
		"the relay's connections":  {Relay: pace.Rate{{N: 10, Per: time.Second}}, Connections: 1},
	} {
		p, now := pace.New(plan, pace.Kept{}), start.Add(time.Minute)
		p.Take(pace.Gmail, "", 2, start)
		if at, _ := p.Next(pace.Gmail, "", now); p.May(pace.Gmail, "", now) != 0 || !at.After(now) {
			t.Errorf("%s: got %d now and the next in %s, want none now and the next later", name, p.May(pace.Gmail, "", now), at.Sub(now))
		}
		p.Done(pace.Gmail)
		if at, why := p.Next(pace.Gmail, "", now); p.May(pace.Gmail, "", now) != 1 || !at.Equal(now) || why != "" {
			t.Errorf("%s, one is through: got %d now, the next in %s %s, want one now", name, p.May(pace.Gmail, "", now), at.Sub(now), why)
		}
	}
}

func TestNoPlanHoldsNothingBack(t *testing.T) {
	p := pace.New(pace.Plan{}, pace.Kept{})
	for range 3 {
		if got := p.May(pace.Gmail, "", start); got < 1_000_000 {
			t.Fatalf("got %d, want no limit", got)
		}
		p.Take(pace.Gmail, "", 1_000_000, start)
	}
	if c := p.Course(map[pace.Lane]int{pace.Rest: 10}, "", start); !c.Ends.IsZero() || !c.Begins.Equal(start) {
		t.Errorf("got %v, want an end that nobody knows", c)
	}
}

// TestNoticesHaveTheLastOfADay: a long limit is not used up by issues.
func TestNoticesHaveTheLastOfADay(t *testing.T) {
	p := pace.New(pace.Plan{Relay: rate("100/d")}, pace.Kept{})
	if got := p.May(pace.Rest, "", start); got != 98 {
		t.Errorf("got %d for issues, want 98", got)
	}
	p.Take(pace.Rest, "", 98, start)
	if got := p.MayNotices(start); got != 2 {
		t.Errorf("got %d for notices, want 2", got)
	}
	p.TakeNotices(2, start)
	if got, next := p.MayNotices(start), p.NextNotice(start); got != 0 || next.Sub(start) < 24*time.Hour {
		t.Errorf("got %d now and the next at %s, want none until tomorrow", got, next)
	}
}

// TestSpeeds: two connections at first, half of it on complaint, a tenth more for each hundred taken.
func TestSpeeds(t *testing.T) {
	p := pace.New(pace.Plan{Adapt: true, Connections: 16}, pace.Kept{})
	speed := func() float64 {
		t.Helper()
		return p.Keep(true).Speeds[pace.Gmail].PerSecond
	}
	if got := p.May(pace.Gmail, "", start); got != 2 {
		t.Errorf("at first: got %d, want 2", got)
	}
	p.Take(pace.Gmail, "", 2, start)
	if got := p.May(pace.Gmail, "", start.Add(time.Hour)); got != 0 {
		t.Errorf("with two held: got %d, want 0", got)
	}
	p.Judge(pace.Gmail, "", pace.TooFast)
	p.Done(pace.Gmail)
	p.Judge(pace.Gmail, "", pace.TooFast) // it was on its way already
	p.Done(pace.Gmail)
	if got := speed(); got != 1 {
		t.Errorf("after a complaint: got %v a second, want 1", got)
	}
	for range 100 {
		p.Take(pace.Gmail, "", 1, start)
		p.Judge(pace.Gmail, "", pace.Taken)
		p.Done(pace.Gmail)
	}
	if got := speed(); got != 1.1 {
		t.Errorf("after a hundred: got %v a second, want 1.1", got)
	}
	if got := p.May(pace.Yahoo, "", start); got != 2 {
		t.Errorf("another provider: got %d, want 2", got)
	}
	again := pace.New(pace.Plan{Adapt: true}, p.Keep(true))
	if got := again.Keep(true).Speeds[pace.Gmail].PerSecond; got != 1.1 {
		t.Errorf("after a restart: got %v a second, want 1.1", got)
	}
}

// TestWarmUp doubles from day to day, and stays where it is while too much is refused.
func TestWarmUp(t *testing.T) {
	const domain = "new.example.org"
	plan := pace.Plan{WarmUp: []string{domain}}
	p, now := pace.New(plan, pace.Kept{}), start
	refusedOn := map[int]int{2: 20}
	for i, want := range []int{50, 100, 200, 200, 400} {
		if got := p.May(pace.Rest, domain, now); got != want {
			t.Fatalf("day %d: got %d, want %d", i+1, got, want)
		}
		if got := p.May(pace.Rest, "", now); got < 1_000_000 {
			t.Errorf("another sender: got %d, want no limit", got)
		}
		p.Take(pace.Rest, domain, want, now)
		for n := range want {
			answer := pace.Taken
			if n < refusedOn[i] {
				answer = pace.Refused
			}
			p.Judge(pace.Rest, domain, answer)
			p.Done(pace.Rest)
		}
		if got := p.May(pace.Rest, domain, now.Add(time.Hour)); got != 0 {
			t.Errorf("day %d, later: got %d, want 0", i+1, got)
		}
		now = now.Add(24 * time.Hour)
		p = pace.New(plan, p.Keep(true))
	}
	if next, why := p.Next(pace.Rest, domain, start); why != "" && next.Before(start) {
		t.Errorf("got %s, %q", next, why)
	}
}

// TestWarmUpIsNotByWaiting: what was to leave on a day on which the relay was away, and didn't, warms nothing up.
func TestWarmUpIsNotByWaiting(t *testing.T) {
	const domain = "new.example.org"
	p, now := pace.New(pace.Plan{WarmUp: []string{domain}}, pace.Kept{}), start
	for range 3 {
		p.Take(pace.Rest, domain, 50, now)
		for range 50 {
			p.Judge(pace.Rest, domain, pace.NoNews)
			p.Done(pace.Rest)
		}
		now = now.Add(24 * time.Hour)
		if got := p.May(pace.Rest, domain, now); got != 50 {
			t.Fatalf("on %s: got %d, want 50 as on the first day", now.Format(time.DateOnly), got)
		}
	}
}

// TestWarmUpHoldsAtOnce: with more than 5 % refused the rest of the day's messages waits.
func TestWarmUpHoldsAtOnce(t *testing.T) {
	const domain = "new.example.org"
	p := pace.New(pace.Plan{WarmUp: []string{domain}}, pace.Kept{})
	p.Take(pace.Rest, domain, 20, start)
	for n := range 20 {
		answer := pace.Taken
		if n < 2 {
			answer = pace.Refused
		}
		p.Judge(pace.Rest, domain, answer)
	}
	if got := p.May(pace.Rest, domain, start); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
	if next, _ := p.Next(pace.Rest, domain, start); !next.Equal(time.Date(2027, 3, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %s, want the next midnight", next)
	}
}

// TestCourseIsWhatHappens compares each course with a run of the same pacer, message by message.
func TestCourseIsWhatHappens(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	hours, err := pace.ParseHours("08:00-20:00", berlin)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		plan pace.Plan
		rows map[pace.Lane]int
		from string
	}{
		{"a second", pace.Plan{Relay: rate("10/s")}, map[pace.Lane]int{pace.Rest: 5000, pace.Gmail: 5000}, ""},
		{"a day", pace.Plan{Relay: rate("50/s 2000/d")}, map[pace.Lane]int{pace.Rest: 6000, pace.Gmail: 3000}, ""},
		{"hours", pace.Plan{Relay: rate("1/s"), Hours: hours}, map[pace.Lane]int{pace.Rest: 60_000}, ""},
		{"a ceiling", pace.Plan{Relay: rate("20/s"), Ceilings: map[pace.Lane]pace.Rate{pace.Gmail: rate("500/h")}}, map[pace.Lane]int{pace.Rest: 100, pace.Gmail: 2000}, ""},
		{"learning", pace.Plan{Relay: rate("100/s"), Adapt: true, Connections: 16}, map[pace.Lane]int{pace.Rest: 20_000, pace.Yahoo: 2000}, ""},
		{"warming up", pace.Plan{WarmUp: []string{"new.example.org"}, Zone: berlin}, map[pace.Lane]int{pace.Rest: 5000}, "new.example.org"},
		{"all", pace.Plan{Relay: rate("20/s 10000/d"), Adapt: true, Hours: hours, WarmUp: []string{"new.example.org"}, Zone: berlin}, map[pace.Lane]int{pace.Rest: 20_000, pace.Gmail: 9000}, "new.example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			foreseen := pace.New(tt.plan, pace.Kept{}).Course(tt.rows, tt.from, start)
			began, ended := play(tt.plan, tt.rows, tt.from)
			took, said := ended.Sub(start), foreseen.Ends.Sub(start)
			if d := (said - took).Abs(); d > took/50+2*time.Second || !foreseen.Begins.Equal(began) {
				t.Errorf("began %s and took %s, foreseen were %s and %s", began, took, foreseen.Begins, said)
			}
		})
	}
}

// play hands over message by message as soon as it may, to the hundredth of a second.
func play(plan pace.Plan, rows map[pace.Lane]int, from string) (began, ended time.Time) {
	p, left := pace.New(plan, pace.Kept{}), 0
	waiting := map[pace.Lane]int{}
	for lane, n := range rows {
		waiting[lane], left = n, left+n
	}
	for now := start; ; {
		soonest := now.Add(30 * 24 * time.Hour)
		for lane := range waiting {
			for n := min(p.May(lane, from, now), waiting[lane]); n > 0; n-- {
				p.Take(lane, from, 1, now)
				p.Judge(lane, from, pace.Taken)
				p.Done(lane)
				if waiting[lane]--; began.IsZero() {
					began = now
				}
				if left--; left == 0 {
					return began, now
				}
			}
			if next, _ := p.Next(lane, from, now); waiting[lane] > 0 && next.Before(soonest) {
				soonest = next
			}
		}
		now = soonest.Truncate(10 * time.Millisecond)
		if now.Before(soonest) {
			now = now.Add(10 * time.Millisecond)
		}
	}
}

// TestCourseOfAMillion is told in some thousand steps.
func TestCourseOfAMillion(t *testing.T) {
	p := pace.New(pace.Plan{Relay: rate("10/s"), Adapt: true}, pace.Kept{})
	c := p.Course(map[pace.Lane]int{pace.Rest: 600_000, pace.Gmail: 400_000}, "", start)
	if got := c.Ends.Sub(start); got < 27*time.Hour || got > 29*time.Hour {
		t.Errorf("got %s, want about 100,000 seconds", got)
	}
	if got := p.May(pace.Rest, "", start); got != 2 {
		t.Errorf("afterwards: got %d, want the pacer as it was", got)
	}
}

func TestLaneNames(t *testing.T) {
	for i, name := range pace.LaneNames() {
		if lane, ok := pace.LaneNamed(name); !ok || lane != pace.Lane(i) {
			t.Errorf("%s: got %d, %t", name, lane, ok)
		}
	}
	if _, ok := pace.LaneNamed("aol"); ok {
		t.Error("aol: got a lane, want none")
	}
}

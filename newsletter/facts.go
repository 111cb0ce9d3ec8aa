package newsletter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// readerFacts are the facts of one reader of a series whose common facts are f. A forecast may add to Had.
func readerFacts(f series.Facts, r outbox.Reader) series.Facts {
	f.Had, f.Announced, f.Before, f.Welcomed, f.Cycle = r.Had, r.Announced, r.Before, r.Welcomed, r.Cycle
	if f.Had == nil {
		f.Had = map[int64]time.Time{}
	}
	return f
}

// atSlot are the facts at one slot.
func atSlot(f series.Facts, slot series.Slot) series.Facts {
	f.Pinned, f.At = slot.PinnedID, slot.At
	return f
}

// step forecasts one slot: it decides and goes on as if the slot's article had been sent. A draft that blocks is taken to
// be ready in time.
func step(f series.Facts, slot series.Slot) series.Decision {
	d := series.Next(atSlot(f, slot))
	if d.Outcome == series.Send || d.Outcome == series.Blocked {
		f.Had[d.Article.ID] = slot.At
	}
	return d
}

// readersAtOnce is how many readers are read, decided on and filled together.
const readersAtOnce = 500

// eachReaders calls f with the mailable readers of a series after a number, in order, some at a time.
func eachReaders(ctx context.Context, q store.Querier, seriesID, after int64, f func([]outbox.Reader) error) error {
	for {
		readers, err := outbox.Readers(ctx, q, seriesID, after, readersAtOnce)
		if err != nil || len(readers) == 0 {
			return err
		}
		if err := f(readers); err != nil {
			return err
		}
		after = readers[len(readers)-1].SubscriberID
	}
}

// group is a number of readers of a drip series about whom Next can't tell a difference.
type group struct {
	facts   series.Facts
	readers int64
	back    time.Time // the slot in which they are back from a break; zero: they are there now
}

// grouping puts readers together.
type grouping struct {
	common series.Facts
	placed []int64
	now    time.Time
	begun  []series.Issue
	groups []group
	index  map[string]int
}

func (g *grouping) add(r outbox.Reader, back time.Time) {
	own := readerFacts(g.common, r)
	for _, i := range g.begun {
		if at, had := own.Had[i.ArticleID]; had && !at.Before(i.Frozen) && !own.Announced[i.ArticleID] {
			delete(own.Had, i.ArticleID)
		}
	}
	key := signature(own, g.placed, g.now)
	if !back.IsZero() {
		key = back.String() + key
	}
	i, known := g.index[key]
	if !known {
		i = len(g.groups)
		g.index[key] = i
		g.groups = append(g.groups, group{facts: own, back: back})
	}
	g.groups[i].readers++
}

// groups puts the mailable readers of a drip series together by what Next looks at, so that a forecast costs as much as
// there are different positions, not people. With slots there are groups of those too who are back from a break in one of them; who
// has a row already in what is being filled for one of them is still to get that, and has not had it.
func groups(ctx context.Context, q store.Querier, s series.Series, f series.Facts, now time.Time, slots ...series.Slot) ([]group, error) {
	g := grouping{common: f, placed: placements(f.Articles), now: now, index: map[string]int{}}
	var err error
	if g.begun, err = begunFor(ctx, q, s, slots); err != nil {
		return nil, err
	}
	err = eachReaders(ctx, q, s.ID, 0, func(readers []outbox.Reader) error {
		for _, r := range readers {
			g.add(r, time.Time{})
		}
		return nil
	})
	var returning []outbox.Returning
	if err == nil {
		returning, err = returns(ctx, q, s, slots)
	}
	if err != nil {
		return nil, fmt.Errorf("series %s: readers: %w", s.Slug, err)
	}
	for _, r := range returning {
		if at, found := back(slots, r.Back); found {
			g.add(r.Reader, at)
		}
	}
	return g.groups, nil
}

// placements are the instants at which articles got their places, in order: all that rule 4 compares with.
func placements(articles []series.Article) []int64 {
	placed := make([]int64, 0, len(articles))
	for _, a := range articles {
		placed = append(placed, a.Placed.UnixMilli())
	}
	slices.Sort(placed)
	return slices.Compact(placed)
}

// signature is equal for two readers exactly when Next decides the same for both at every slot after now: same articles
// had and read before, on the same side of every placement (rule 4) unless by an announcement (rule 18), and the same welcome while it
// still counts (rule 3).
func signature(f series.Facts, placed []int64, now time.Time) string {
	var key []byte
	for _, a := range f.Articles {
		if at, ok := f.Had[a.ID]; ok {
			key = strconv.AppendInt(append(key, 'h'), a.ID, 10)
			if !f.Announced[a.ID] {
				side, _ := slices.BinarySearch(placed, at.UnixMilli()+1)
				key = strconv.AppendInt(append(key, '/'), int64(side), 10)
			}
		}
		if f.Before[a.ID] {
			key = strconv.AppendInt(append(key, 'b'), a.ID, 10)
		}
	}
	if now.Sub(f.Welcomed) < f.MinGap {
		key = strconv.AppendInt(append(key, 'w'), f.Welcomed.UnixMilli(), 10)
	}
	return string(key)
}

// coming lists the next n slots of a series after from that have not ended, skipped ones included: the rows that are there,
// and beyond them what the schedule will have.
func coming(ctx context.Context, q store.Querier, s series.Series, from time.Time, n int) ([]series.Slot, error) {
	rows, err := series.Slots(ctx, q, s.ID, from, 0)
	if err != nil {
		return nil, fmt.Errorf("series %s: coming slots: %w", s.Slug, err)
	}
	var known []series.Slot
	walls := map[string]bool{}
	for _, row := range rows {
		walls[row.Wall] = true
		if row.At.After(from) && (row.State == series.SlotPlanned || row.State == series.SlotSkipped) {
			known = append(known, row)
		}
	}
	for ask := n; ; ask *= 2 { // of a played future some may have ended already
		planned, err := series.Upcoming(s.Schedule, s.Zone, s.StartDate, from, ask)
		if err != nil {
			return nil, fmt.Errorf("series %s: coming slots: %w", s.Slug, err)
		}
		all := slices.Clone(known)
		for _, x := range planned {
			if !walls[x.Wall] {
				all = append(all, series.Slot{SeriesID: s.ID, Wall: x.Wall, At: x.At, State: series.SlotPlanned})
			}
		}
		slices.SortFunc(all, series.ByTime)
		// Up to the last one planned nothing is missing; beyond it a row, pinned far ahead, may stand alone.
		if len(planned) < ask || len(all) >= n && !all[n-1].At.After(planned[len(planned)-1].At) {
			return all[:min(n, len(all))], nil
		}
	}
}

// openSlots are the first n slots of a series after from that are not skipped, or fewer where no more are to come.
func openSlots(ctx context.Context, q store.Querier, s series.Series, from time.Time, n int) ([]series.Slot, error) {
	for ask := 8; ; ask *= 2 {
		slots, err := coming(ctx, q, s, from, ask)
		if err != nil {
			return nil, err
		}
		more := len(slots) == ask
		slots = slices.DeleteFunc(slots, func(slot series.Slot) bool { return slot.State == series.SlotSkipped })
		if len(slots) >= n || !more {
			return slots[:min(n, len(slots))], nil
		}
	}
}

// firstOpen is the first slot of a series after from that is not skipped; false: none is to come.
func firstOpen(ctx context.Context, q store.Querier, s series.Series, from time.Time) (series.Slot, bool, error) {
	slots, err := openSlots(ctx, q, s, from, 1)
	if err != nil || len(slots) == 0 {
		return series.Slot{}, false, err
	}
	return slots[0], true, nil
}

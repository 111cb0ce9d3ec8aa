package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

// Inherits is a slot as it is once some before it have ended without an issue: it is to send what the first of them would have sent
// (rule 10), so what an editor held of that is held here, and a held slot's pin goes along. Its own hold then goes on to those after it,
// behind the others. One that an article is pinned to leaves all of them, and is held too where not all of its readers get that article.
// held is given by time, f are the facts of the series (see FactsOf); left is what the slots after it inherit.
func (s Slot) Inherits(f Facts, held []Slot) (slot Slot, left []Slot) {
	if len(held) == 0 {
		return s, nil
	}
	if s.PinnedID != 0 {
		f.Pinned = s.PinnedID
		if pin, _ := f.pin(); !s.Hold && (pin == nil || f.Mode == Drip) {
			s.Hold, s.Reason, s.HoldOf = true, held[0].Reason, held[0].holdOf()
		}
		return s, held
	}
	left = held[1:]
	if s.Hold {
		left = slices.Concat(left, []Slot{s})
	}
	s.Hold, s.Reason, s.HoldOf = true, held[0].Reason, held[0].holdOf()
	if held[0].PinnedID != 0 {
		s.takePin(held[0])
	}
	return s, left
}

// holdOf is the wall time of the slot whose hold a slot has.
func (s Slot) holdOf() string { return cmp.Or(s.HoldOf, s.Wall) }

// pinOf is the wall time of the slot that the pin of a slot was given to.
func (s Slot) pinOf() string { return cmp.Or(s.PinOf, s.Wall) }

const heldPassed = slotRows + ` WHERE s.series_id = ?1 AND s.state = 'planned' AND s.fires <= ?2 AND s.hold = 1 ORDER BY s.fires, s.wall`

// HeldPassed lists, by time, the slots of a series that an editor holds and whose time came at or before now without their turn, as in a
// pause.
func HeldPassed(ctx context.Context, q store.Querier, seriesID int64, now time.Time) ([]Slot, error) {
	held, err := collect(ctx, q, (*Slot).scan, heldPassed, seriesID, millis(now))
	if err != nil {
		return nil, fmt.Errorf("held slots of series %d: %w", seriesID, err)
	}
	return held, nil
}

// The last one that the series went on with: while it is on hold those after it wait, and no other state has to be read.
const heldSlot = `SELECT * FROM (` + slotRows + ` WHERE s.series_id = ?1 AND s.state IN ('issued', 'empty', 'held')
	ORDER BY s.fires DESC, s.wall DESC LIMIT 1) AS last
WHERE state = 'held' AND hold = 1`

// HeldSlot is the slot of a series that an editor holds and that got no issue at its time; store.ErrNotFound where there is none.
func HeldSlot(ctx context.Context, q store.Querier, seriesID int64) (s Slot, err error) {
	if err := s.scan(q.QueryRow(ctx, heldSlot, seriesID).Scan); err != nil {
		return Slot{}, fmt.Errorf("held slot of series %d: %w", seriesID, err)
	}
	return s, nil
}

const heldSlots = slotRows + ` WHERE s.series_id = ?1 AND s.state = 'held' AND (s.hold = 1 OR s.fires >= ?2) ORDER BY s.fires, s.wall`

// HeldSlots lists, by time, the slots of a series that got no issue at their time and are held: all that an editor holds, since those after
// them wait, and of the others those with since <= fires.
func HeldSlots(ctx context.Context, q store.Querier, seriesID int64, since time.Time) ([]Slot, error) {
	held, err := collect(ctx, q, (*Slot).scan, heldSlots, seriesID, millis(since))
	if err != nil {
		return nil, fmt.Errorf("held slots of series %d: %w", seriesID, err)
	}
	return held, nil
}

const holdAnew = `UPDATE slots SET hold = ?2, reason = ?3, article_id = ?4, updated = ?5, hold_of = ?6, pin_of = ?7 WHERE id = ?1`

// write writes what a slot holds and what is pinned to it.
func (s Slot) write(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, holdAnew, s.ID, flag(s.Hold), s.Reason, orNull(s.PinnedID), millis(now), s.HoldOf, s.PinOf)
	return err
}

// passHolds has the planned slots after some of a series that ended, given by time, inherit what those held. Nothing is left to hold where
// the schedule has ended.
func passHolds(ctx context.Context, tx *store.Tx, now time.Time, ended ...Slot) error {
	held := slices.DeleteFunc(ended, func(s Slot) bool { return !s.Hold })
	if len(held) == 0 {
		return nil
	}
	s, err := ByID(ctx, tx, held[0].SeriesID)
	if err != nil {
		return err
	}
	c, err := s.calendar()
	if err != nil {
		return err
	}
	f, err := FactsOf(ctx, tx, s)
	for after := held[0]; err == nil && len(held) > 0; {
		if after, err = c.plannedAfter(ctx, tx, after, now); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		slot, left := after.Inherits(f, held)
		if held = left; err == nil && slot != after {
			err = slot.write(ctx, tx, now)
		}
	}
	return err
}

const plannedAfter = slotRows + ` WHERE s.series_id = ?1 AND s.state = 'planned' AND (s.fires > ?2 OR s.fires = ?2 AND s.wall > ?3)
ORDER BY s.fires, s.wall LIMIT 1`

// plannedAfter is the first planned slot after one, whose row is written before its time if need be. What has passed without a row gets
// none: it would be due at once.
func (c calendar) plannedAfter(ctx context.Context, tx *store.Tx, slot Slot, now time.Time) (next Slot, err error) {
	for p := range c.after(slot.At.Add(-time.Millisecond)) { // after a gap of the clocks two may be at one instant
		if !p.At.After(now) || p.At.Equal(slot.At) && p.Wall <= slot.Wall {
			continue
		}
		if err := addSlot(ctx, tx, Slot{SeriesID: slot.SeriesID, Wall: p.Wall, At: p.At, State: SlotPlanned}, now); err != nil {
			return next, err
		}
		row, err := SlotByWall(ctx, tx, slot.SeriesID, p.Wall)
		if err != nil {
			return next, err
		}
		if row.State == SlotPlanned {
			break
		}
	}
	err = next.scan(tx.QueryRow(ctx, plannedAfter, slot.SeriesID, millis(slot.At), slot.Wall).Scan)
	return next, err
}

// moveUp gives a slot that is free what went on past it while it was not, and each that gave something what went on past that one in turn.
// line are planned slots of a series, by time: the free one and those after it that have something of one before them; f are the series'
// facts. What was pinned to a slot itself since it inherited a hold stays there, and so does the hold: rather one too many than one too few.
func moveUp(line []Slot, to int, f Facts) {
	free := []int{line[to].pinFrom(line, func(s Slot) bool { return s.PinOf == line[to].Wall })}
	passed := func(s Slot) bool { return s.passed(line[to], s.Hold, s.HoldOf) }
	beside := slices.IndexFunc(line, passed)
	from := slices.IndexFunc(line, func(s Slot) bool { return passed(s) && (s.PinnedID == 0 || s.PinOf != "") })
	switch {
	case line[to].Hold || beside < 0:
	case line[to].PinnedID != 0:
		line[to], _ = line[to].Inherits(f, line[beside:beside+1])
	case from < 0:
		line[to].Hold, line[to].Reason, line[to].HoldOf = true, line[beside].Reason, line[beside].HoldOf
	default:
		line[to].holdFrom(line, from)
		free = append(free, from)
	}
	if !line[to].Hold {
		free = append(free, line[to].pinFrom(line, func(s Slot) bool { return s.passed(line[to], true, s.PinOf) }))
	}
	line[to].settle()
	for _, next := range free {
		if next >= 0 {
			moveUp(line, next, f)
		}
	}
}

// settle drops where hold and pin of a slot are from once they are back.
func (s *Slot) settle() {
	if s.HoldOf == s.Wall {
		s.HoldOf = ""
	}
	if s.PinOf == s.Wall {
		s.PinOf = ""
	}
}

// pinFrom takes, where a slot has no pin, the first one of a kind that went on from before alone, and returns its place in line; below 0:
// none. What was pinned to a slot on hold is held there too.
func (s *Slot) pinFrom(line []Slot, kind func(Slot) bool) int {
	from := slices.IndexFunc(line, func(x Slot) bool { return x.PinnedID != 0 && x.PinOf != "" && !x.pinnedByHold() && kind(x) })
	if s.PinnedID != 0 || from < 0 {
		return -1
	}
	if x := line[from]; x.Hold && x.HoldOf <= s.Wall {
		s.Hold, s.Reason, s.HoldOf = true, x.Reason, x.HoldOf
		line[from].Hold = x.HoldOf == "" // rather one too many than one too few
	}
	s.takePin(line[from])
	line[from].PinnedID, line[from].PinOf = 0, ""
	if !line[from].Hold {
		line[from].Reason, line[from].HoldOf = "", ""
	}
	return from
}

// holdFrom takes the hold of a slot after it, with the pin that came along. Slots that were held beside, for readers who don't get what is
// pinned to them, are so no more.
func (s *Slot) holdFrom(line []Slot, from int) {
	if x := line[from]; x.PinOf != "" && x.PinOf <= s.Wall {
		s.takePin(x)
		line[from].PinnedID, line[from].PinOf = 0, ""
	}
	of := line[from].HoldOf
	s.Hold, s.Reason, s.HoldOf = false, line[from].Reason, of
	for i, x := range line {
		if x.Hold && x.HoldOf == of {
			line[i].Hold, line[i].Reason, line[i].HoldOf = false, "", ""
		}
	}
	s.Hold = true
}

// passed says of what a slot has of the slot of another wall time that it went past a slot in between.
func (s Slot) passed(between Slot, has bool, of string) bool {
	return has && of != "" && of <= between.Wall && ByTime(s, between) > 0
}

// pinnedByHold says that what is pinned to a slot came with its hold.
func (s Slot) pinnedByHold() bool { return s.Hold && s.HoldOf != "" && s.HoldOf == s.PinOf }

// ByTime orders slots as they run.
func ByTime(a, b Slot) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Wall, b.Wall)) }

// moved says that a slot has something of one before it.
func (s Slot) moved() bool { return s.State == SlotPlanned && (s.HoldOf != "" || s.PinOf != "") }

const movedSlots = slotRows + ` WHERE s.series_id = ?1 AND s.fires >= ?2 AND (hold_of <> '' OR pin_of <> '') ORDER BY s.fires, s.wall`

// takeBack writes what moveUp says once a slot is free again.
func takeBack(ctx context.Context, tx *store.Tx, again Slot, now time.Time) error {
	rows, err := collect(ctx, tx, (*Slot).scan, movedSlots, again.SeriesID, millis(again.At))
	if err != nil {
		return err
	}
	line := []Slot{again}
	for _, row := range rows {
		if row.moved() && ByTime(row, again) > 0 {
			line = append(line, row)
		}
	}
	if len(line) == 1 {
		return nil
	}
	of, err := ByID(ctx, tx, again.SeriesID)
	if err != nil {
		return err
	}
	f, err := FactsOf(ctx, tx, of)
	if err != nil {
		return err
	}
	was := slices.Clone(line)
	moveUp(line, 0, f)
	for i, slot := range line {
		if slot == was[i] {
			continue
		}
		if err := slot.write(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

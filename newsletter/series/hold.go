package series

import (
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
			s.Hold, s.Reason = true, held[0].Reason
		}
		return s, held
	}
	left = held[1:]
	if s.Hold {
		left = slices.Concat(left, []Slot{s})
	}
	s.Hold, s.Reason, s.PinnedID = true, held[0].Reason, held[0].PinnedID
	return s, left
}

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

const holdAnew = `UPDATE slots SET hold = ?2, reason = ?3, article_id = ?4, updated = ?5 WHERE id = ?1`

// write writes what a slot holds and what is pinned to it.
func (s Slot) write(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, holdAnew, s.ID, flag(s.Hold), s.Reason, orNull(s.PinnedID), millis(now))
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

// takeHolds is passHolds taken back for a slot that is planned again: it holds what the next one inherited, that one what went on from it,
// and so on. Of several in a row the last one stays held too: whether it was before is not known, and rather one too many than one too few.
// So does one that got a pin of its own since it inherited the hold.
func takeHolds(ctx context.Context, tx *store.Tx, ended Slot, now time.Time) error {
	if !ended.Hold {
		return nil
	}
	rows, err := Slots(ctx, tx, ended.SeriesID, ended.At, 0)
	if err != nil {
		return err
	}
	taken, to := 0, ended
	var pinned Slot // the first on hold with a pin of its own
	for _, from := range rows {
		after := from.At.After(ended.At) || from.Wall > ended.Wall
		beside := !from.Hold && from.Wall[:len(time.DateOnly)] == ended.Wall[:len(time.DateOnly)] // its own pin let the hold pass
		if !after || beside || from.State != SlotPlanned {
			continue
		}
		if from.PinnedID != 0 && from.PinnedID != ended.PinnedID {
			if from.Hold && !pinned.Hold {
				pinned = from
			}
			continue // it passed them on, or was pinned since
		}
		if !from.Hold {
			break
		}
		to.Hold, to.Reason, to.PinnedID = true, from.Reason, from.PinnedID
		if err := to.write(ctx, tx, now); err != nil {
			return err
		}
		taken, to = taken+1, from
	}
	switch {
	case taken == 0 && pinned.Hold:
		to.Reason, to.PinnedID = pinned.Reason, 0
	case taken == 1:
		to.Hold, to.Reason, to.PinnedID = false, "", 0
	default:
		return nil
	}
	return to.write(ctx, tx, now)
}

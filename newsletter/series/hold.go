package series

import (
	"context"
	"errors"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// passHolds has each of some slots that ended pass its hold on.
func passHolds(ctx context.Context, tx *store.Tx, ended []Slot, now time.Time) error {
	for _, slot := range ended {
		if err := passHold(ctx, tx, slot, now); err != nil {
			return err
		}
	}
	return nil
}

// Inherits is a slot as it is once one before it has ended without an issue: it is to send what that one would have sent (rule 10), so
// what an editor holds of it is held here, with the reasons of both. A held slot's pin goes along. One that another article is pinned to
// sends that, so it leaves the hold to those after it; left is what they inherit.
func (s Slot) Inherits(ended Slot) (slot, left Slot) {
	switch {
	case !ended.Hold:
		return s, Slot{}
	case s.PinnedID != 0 && s.PinnedID != ended.PinnedID:
		return s, ended
	case !s.Hold || s.Reason == ended.Reason:
		s.Reason = ended.Reason
	default:
		s.Reason = strings.TrimRight(ended.Reason, ".") + ". " + s.Reason
	}
	s.Hold, s.PinnedID = true, ended.PinnedID
	return s, Slot{}
}

const (
	plannedAfter = slotRows + ` WHERE s.series_id = ?1 AND s.state = 'planned' AND (s.fires > ?2 OR s.fires = ?2 AND s.wall > ?3)
	AND (s.article_id IS NULL OR s.article_id = ?4)
ORDER BY s.fires, s.wall LIMIT 1`
	inherit = `UPDATE slots SET hold = ?2, reason = ?3, article_id = ?4, updated = ?5 WHERE id = ?1`
)

// passHold has the next planned slot that Inherits allows inherit from one that ended. Nothing is left to hold where the schedule has ended.
func passHold(ctx context.Context, tx *store.Tx, ended Slot, now time.Time) error {
	s, err := ByID(ctx, tx, ended.SeriesID)
	if err == nil {
		err = s.planAfter(ctx, tx, ended, now)
	}
	if err != nil {
		return err
	}
	var next Slot
	err = next.scan(tx.QueryRow(ctx, plannedAfter, s.ID, millis(ended.At), ended.Wall, orNull(ended.PinnedID)).Scan)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	next, _ = next.Inherits(ended)
	_, err = tx.Exec(ctx, inherit, next.ID, flag(next.Hold), next.Reason, orNull(next.PinnedID), millis(now))
	return err
}

// planAfter writes the rows of the schedule after a slot that ended, before their time if need be, up to the first that can inherit from it.
func (s Series) planAfter(ctx context.Context, tx *store.Tx, ended Slot, now time.Time) error {
	c, err := s.calendar()
	if err != nil {
		return err
	}
	for p := range c.after(ended.At) {
		if err := addSlot(ctx, tx, Slot{SeriesID: s.ID, Wall: p.Wall, At: p.At, State: SlotPlanned}, now); err != nil {
			return err
		}
		row, err := SlotByWall(ctx, tx, s.ID, p.Wall)
		if err != nil {
			return err
		}
		if _, left := row.Inherits(ended); row.State == SlotPlanned && !left.Hold {
			return nil
		}
	}
	return nil
}

package series

import (
	"context"
	"errors"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

const skipPlanned = `UPDATE slots SET state = 'skipped', reason = ?3, hold = 0, updated = ?2
WHERE series_id = ?1 AND state = 'planned' AND fires <= ?2`

// skipPassed records the slots that passed during a pause, with or without a row, as skipped. What an editor holds of them goes on to
// the next slot.
func skipPassed(ctx context.Context, tx *store.Tx, s Series, now time.Time) error {
	const reason = "the series was paused"
	c, err := s.calendar()
	if err != nil {
		return err
	}
	for p := range c.after(s.PlannedUntil) {
		if p.At.After(now) {
			break
		}
		if err := addSlot(ctx, tx, Slot{SeriesID: s.ID, Wall: p.Wall, At: p.At, State: SlotSkipped, Reason: reason}, now); err != nil {
			return err
		}
	}
	held, err := HeldPassed(ctx, tx, s.ID, now)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, skipPlanned, s.ID, millis(now), reason); err != nil {
		return err
	}
	return passHolds(ctx, tx, now, held...)
}

const dropPlanned = `DELETE FROM slots WHERE series_id = ?1 AND fires > ?2 AND state IN ('planned', 'skipped')`

// replan takes back the slots to come after a change of schedule, zone or first date. What an editor said of a date stays
// with that date: a skip covers its slots of the new schedule, a pin or hold keeps its time, else it goes to the first of them that is
// free, and all keep their old time where the new schedule has none for them on that date. EnsureSlots then plans from now on, so that
// nothing bursts.
func replan(ctx context.Context, tx *store.Tx, s Series, now time.Time) error {
	c, err := s.calendar()
	if err != nil {
		return err
	}
	kept, err := Slots(ctx, tx, s.ID, now.Add(time.Millisecond), 0)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, dropPlanned, s.ID, millis(now)); err != nil {
		return err
	}
	var stay, move, passed []Slot
	for _, slot := range kept {
		bound := slot.State == SlotPlanned && (slot.PinnedID != 0 || slot.Hold)
		switch {
		case !bound && slot.State != SlotSkipped:
		case bound && c.has(slot.Wall):
			stay = append(stay, slot)
		default:
			move = append(move, slot)
		}
	}
	for _, slot := range slices.Concat(stay, move) {
		in, err := keep(ctx, tx, c, slot, now)
		if err != nil {
			return err
		}
		if in.State == SlotMissed && slot.Hold {
			slot.Wall, slot.At = in.Wall, in.At
			passed = append(passed, slot)
		}
	}
	if err := setPlanned(ctx, tx, s.ID, now, now); err != nil {
		return err
	}
	slices.SortStableFunc(passed, func(a, b Slot) int { return a.At.Compare(b.At) })
	return passHolds(ctx, tx, now, passed...)
}

// keep writes what an editor said of one date again under the new schedule, and returns the last row of it.
func keep(ctx context.Context, tx *store.Tx, c calendar, slot Slot, now time.Time) (Slot, error) {
	wall, err := time.Parse(wallLayout, slot.Wall)
	if err != nil {
		return slot, err
	}
	places := slices.Collect(c.on(wall.Truncate(24 * time.Hour)))
	if slot.State == SlotPlanned { // pinned or on hold
		places, err = freeFor(ctx, tx, slot, places, now)
	}
	if err != nil {
		return slot, err
	}
	if len(places) == 0 {
		places = []Planned{{slot.Wall, place(wall, c.loc)}}
	}
	if slot.State == SlotPlanned && !places[0].At.After(now) { // a change of the zone must not send at once
		slot.State, slot.Reason, slot.Hold = SlotMissed, "its time had passed when the schedule was changed", false
	}
	for _, p := range places {
		slot.Wall, slot.At = p.Wall, p.At
		if err := addSlot(ctx, tx, slot, now); err != nil {
			return slot, err
		}
	}
	return slot, nil
}

// freeFor is the place of a slot among those of its date: its own, or the first one to come that no other has; none: all are taken or past.
func freeFor(ctx context.Context, q store.Querier, slot Slot, places []Planned, now time.Time) ([]Planned, error) {
	if own := slices.IndexFunc(places, func(p Planned) bool { return p.Wall == slot.Wall }); own >= 0 {
		return places[own : own+1], nil
	}
	for i, p := range places {
		if !p.At.After(now) {
			continue
		}
		_, err := SlotByWall(ctx, q, slot.SeriesID, p.Wall)
		if errors.Is(err, store.ErrNotFound) {
			return places[i : i+1], nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

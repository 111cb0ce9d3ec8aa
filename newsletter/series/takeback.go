package series

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/subscribers/store"
)

const unskipSlot = `UPDATE slots SET state = 'planned', reason = '', article_id = NULL, hold = 0, hold_of = '', pin_of = '', updated = ?2 WHERE id = ?1`

// UnskipDate takes SkipDate back, and SkipSlot for all slots of the date: they are planned again. What went on to those after them is held,
// and pinned, where it was. It returns their wall times; ErrInvalid is as for SkipDate, ErrState says that nobody skipped the date.
func UnskipDate(ctx context.Context, tx *store.Tx, s Series, date string, now time.Time) ([]string, error) {
	wrap := func(err error) error { return fmt.Errorf("series %s: skip %s taken back: %w", s.Slug, date, err) }
	planned, err := s.slotsOn(ctx, tx, date, now)
	if err != nil {
		return nil, wrap(err)
	}
	var walls []string
	for _, p := range slices.Backward(planned) { // the last one inherited from those before it
		was, err := SlotByWall(ctx, tx, s.ID, p.Wall)
		if errors.Is(err, store.ErrNotFound) || err == nil && !was.skippedByEditor() {
			continue
		}
		if err == nil {
			err = unskip(ctx, tx, was, now)
		}
		if err != nil {
			return nil, wrap(err)
		}
		walls = append(walls, p.Wall)
	}
	if len(walls) == 0 {
		return nil, wrap(wrong(ErrState, "no editor skipped it"))
	}
	slices.Reverse(walls)
	return walls, nil
}

// UnskipSlot takes SkipSlot back, for all events that it may have been because of; of several slots the last one first, since it inherited
// from those before it. It returns the slot as it is then; did is false where it wasn't skipped because of them.
func UnskipSlot(ctx context.Context, tx *store.Tx, was Slot, events []string, now time.Time) (is Slot, did bool, err error) {
	row, err := SlotByWall(ctx, tx, was.SeriesID, was.Wall)
	if errors.Is(err, store.ErrNotFound) {
		return was, false, nil
	}
	is, did = row.Without(events)
	switch {
	case err != nil || !did:
	case is.State == SlotPlanned:
		err = unskip(ctx, tx, row, now)
	default:
		_, err = tx.Exec(ctx, setReason, row.ID, is.Reason, millis(now))
	}
	if err != nil {
		return row, false, fmt.Errorf("slot %s of series %d: skip taken back: %w", was.Wall, was.SeriesID, err)
	}
	return is, did, nil
}

func unskip(ctx context.Context, tx *store.Tx, was Slot, now time.Time) error {
	if _, err := tx.Exec(ctx, unskipSlot, was.ID, millis(now)); err != nil {
		return err
	}
	return takeBack(ctx, tx, Slot{ID: was.ID, SeriesID: was.SeriesID, Wall: was.Wall, At: was.At, State: SlotPlanned}, now)
}

// UnpinDate takes the pins of a local date off: their articles take their own turn in the order again. It returns them;
// ErrState says that nothing is pinned to the date.
func UnpinDate(ctx context.Context, tx *store.Tx, s Series, date string, now time.Time) (off []Pin, err error) {
	wrap := func(err error) error { return fmt.Errorf("series %s: pin of %s taken off: %w", s.Slug, date, err) }
	pins, err := Pins(ctx, tx, s.ID)
	if err != nil {
		return nil, wrap(err)
	}
	c, err := s.calendar()
	if err != nil {
		return nil, wrap(err)
	}
	for _, pin := range pins {
		if pin.date() != date {
			continue
		}
		if err := s.takeOff(ctx, tx, c, pin, "its pin was taken off", now); err != nil {
			return nil, wrap(err)
		}
		off = append(off, pin)
	}
	if len(off) == 0 {
		return nil, wrap(wrong(ErrState, "nothing is pinned to it"))
	}
	return off, nil
}

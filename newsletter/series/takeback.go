package series

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

const unskipSlot = `UPDATE slots SET state = 'planned', reason = '', article_id = NULL, hold = 0, updated = ?2 WHERE id = ?1`

// UnskipDate takes SkipDate back: the slots of the date are planned again, without the pins that they had. What those after them inherited
// they hold again, with its pin. It returns their wall times; ErrInvalid is as for SkipDate, ErrState says that nobody skipped the date.
func UnskipDate(ctx context.Context, tx *store.Tx, s Series, date string, now time.Time) ([]string, error) {
	wrap := func(err error) error { return fmt.Errorf("series %s: skip %s taken back: %w", s.Slug, date, err) }
	planned, err := s.slotsOn(ctx, tx, date, now)
	if err != nil {
		return nil, wrap(err)
	}
	var walls []string
	for _, p := range slices.Backward(planned) { // the last one inherited from those before it
		was, err := SlotByWall(ctx, tx, s.ID, p.Wall)
		if errors.Is(err, store.ErrNotFound) || err == nil && (was.State != SlotSkipped || !strings.HasPrefix(was.Reason, byEditor)) {
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

// UnskipSlot takes SkipSlot back, as UnskipDate does for a date: of several the last one first, since it inherited from those before it. did
// is false where the slot isn't skipped because of that.
func UnskipSlot(ctx context.Context, tx *store.Tx, s Series, wall, because string, now time.Time) (did bool, err error) {
	was, err := SlotByWall(ctx, tx, s.ID, wall)
	if errors.Is(err, store.ErrNotFound) || err == nil && (was.State != SlotSkipped || was.Reason != byEditor+": "+because) {
		return false, nil
	}
	if err == nil {
		err = unskip(ctx, tx, was, now)
	}
	if err != nil {
		return false, fmt.Errorf("series %s: skip %s taken back: %w", s.Slug, wall, err)
	}
	return true, nil
}

func unskip(ctx context.Context, tx *store.Tx, was Slot, now time.Time) error {
	if _, err := tx.Exec(ctx, unskipSlot, was.ID, millis(now)); err != nil {
		return err
	}
	return takeHolds(ctx, tx, was, now)
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

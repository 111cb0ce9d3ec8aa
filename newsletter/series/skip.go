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

// byEditor is the reason of a slot that SkipDate left out, and begins that of one that SkipSlot did. One that several did has a line of each.
const byEditor = "by an editor"

// SkippedBy says in a few words what left a slot out; with several all of them.
func (s Slot) SkippedBy() string {
	if s.Reason == "" {
		return byEditor
	}
	return strings.ReplaceAll(s.Reason, "\n", "; ")
}

// skippedByEditor says whether an editor left the slot out, by date or by calendar.
func (s Slot) skippedByEditor() bool {
	return s.State == SlotSkipped && strings.HasPrefix(s.Reason, byEditor)
}

// Without is a skipped slot once none of some events skips it any more: planned, or skipped by what else does. did is false where none of
// them did.
func (s Slot) Without(events []string) (left Slot, did bool) {
	reason, did := s.without(events)
	if s.Reason = reason; did && reason == "" {
		s.State = SlotPlanned
	}
	return s, did
}

func (s Slot) without(events []string) (left string, did bool) {
	if !s.skippedByEditor() {
		return s.Reason, false
	}
	all := strings.Split(s.Reason, "\n")
	others := slices.DeleteFunc(slices.Clone(all), func(line string) bool {
		event, found := strings.CutPrefix(line, byEditor+": ")
		return found && slices.Contains(events, event)
	})
	return strings.Join(others, "\n"), len(others) < len(all)
}

// SkipDate marks the slots of a local date (YYYY-MM-DD) as skipped, also before they are planned as rows. It returns
// their wall times; ErrInvalid where the schedule has none on that date or the date is past. What is pinned to one goes to the next slot
// that is neither pinned nor held; a held one's hold and pin go to the next one as Inherits says. Skipping a date twice is no fault.
func SkipDate(ctx context.Context, tx *store.Tx, s Series, date string, now time.Time) ([]string, error) {
	planned, err := s.slotsOn(ctx, tx, date, now)
	if err != nil {
		return nil, fmt.Errorf("series %s: skip %s: %w", s.Slug, date, err)
	}
	var walls []string
	for _, p := range planned {
		if _, err := s.skip(ctx, tx, p, nil, now); err != nil {
			return nil, fmt.Errorf("series %s: skip %s: %w", s.Slug, date, err)
		}
		walls = append(walls, p.Wall)
	}
	return walls, nil
}

// SkipSlot is SkipDate for one slot to come, because of events that are on then, each in a few words. did is false where it is skipped
// already, or over. One that something else skipped is skipped because of this as well.
func SkipSlot(ctx context.Context, tx *store.Tx, s Series, p Planned, events []string, now time.Time) (did bool, err error) {
	if did, err = s.skip(ctx, tx, p, events, now); err != nil {
		return false, fmt.Errorf("series %s: skip %s: %w", s.Slug, p.Wall, err)
	}
	return did, nil
}

const skipSlot = `INSERT INTO slots (series_id, wall, fires, state, reason, created, updated) VALUES (?1, ?2, ?3, 'skipped', ?4, ?5, ?5)
ON CONFLICT (series_id, wall) DO UPDATE SET state = 'skipped', reason = excluded.reason, article_id = NULL, hold = 0, hold_of = '', pin_of = '',
	updated = excluded.updated
WHERE slots.state = 'planned'`

// skip leaves a slot out that is planned, by a row or by the schedule, because of the first of some events, or with none of its date.
func (s Series) skip(ctx context.Context, tx *store.Tx, p Planned, events []string, now time.Time) (did bool, err error) {
	was, err := SlotByWall(ctx, tx, s.ID, p.Wall)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if was.skippedByEditor() {
		return false, skipAlso(ctx, tx, was, events, now)
	}
	n, err := tx.Exec(ctx, skipSlot, s.ID, p.Wall, millis(p.At), skipReason(events), millis(now))
	switch {
	case err != nil || was.State != SlotPlanned:
	case was.Hold:
		err = passHolds(ctx, tx, now, was)
	case was.PinnedID != 0:
		err = s.passPin(ctx, tx, was, now)
	}
	return n > 0, err
}

func skipReason(events []string) string {
	if len(events) == 0 {
		return byEditor
	}
	return byEditor + ": " + events[0]
}

const setReason = `UPDATE slots SET reason = ?2, updated = ?3 WHERE id = ?1`

// skipAlso notes of a slot that is skipped that something else skips it too.
func skipAlso(ctx context.Context, tx *store.Tx, was Slot, events []string, now time.Time) error {
	_, did := was.without(events)
	if did || len(events) == 0 && slices.Contains(strings.Split(was.Reason, "\n"), byEditor) {
		return nil
	}
	_, err := tx.Exec(ctx, setReason, was.ID, was.Reason+"\n"+skipReason(events), millis(now))
	return err
}

// passPin has the first open slot after one that is skipped send what was pinned to that (rule 10).
func (s Series) passPin(ctx context.Context, tx *store.Tx, skipped Slot, now time.Time) error {
	f, err := FactsOf(ctx, tx, s)
	if err != nil || !f.mayGo(skipped.PinnedID) {
		return err
	}
	c, err := s.calendar()
	for after := skipped; err == nil; {
		if after, err = c.plannedAfter(ctx, tx, after, now); err == nil && after.open() {
			after.takePin(skipped)
			return after.write(ctx, tx, now)
		}
	}
	if errors.Is(err, store.ErrNotFound) { // the schedule has ended
		return nil
	}
	return err
}

// open says that a planned slot sends what comes next: nothing is pinned to it, and no article waits in it for an editor.
func (s Slot) open() bool { return s.State == SlotPlanned && s.PinnedID == 0 && !s.Hold }

// takePin pins to a slot what was pinned to one before it.
func (s *Slot) takePin(from Slot) { s.PinnedID, s.PinOf = from.PinnedID, from.pinOf() }

// mayGo says whether an article can still go out where it is pinned to; in drip there may always be somebody who has not had it.
func (f Facts) mayGo(articleID int64) bool {
	_, issued := f.Had[articleID]
	there := slices.ContainsFunc(f.Articles, func(a Article) bool { return a.ID == articleID && a.State != Withdrawn })
	return there && (f.Mode == Drip || !issued)
}

// Skip is SkipSlot for the ith of some slots to come that have not ended, by time, as values: what the others would have then.
func Skip(slots []Slot, i int, events []string, f Facts) {
	was := slots[i]
	slots[i] = Slot{ID: was.ID, SeriesID: was.SeriesID, Wall: was.Wall, At: was.At, State: SlotSkipped, Reason: skipReason(events)}
	var held []Slot
	if was.Hold {
		held = []Slot{was}
	}
	pin := !was.Hold && was.PinnedID != 0 && f.mayGo(was.PinnedID)
	for j := i + 1; j < len(slots) && (len(held) > 0 || pin); j++ {
		if slots[j].State == SlotPlanned {
			slots[j], held = slots[j].Inherits(f, held)
		}
		if pin && slots[j].open() {
			slots[j].takePin(was)
			pin = false
		}
	}
}

// Unskip is UnskipSlot for one that nothing else skips, as Skip is SkipSlot.
func Unskip(slots []Slot, i int, f Facts) {
	slots[i].State, slots[i].Reason = SlotPlanned, ""
	line, places := []Slot{slots[i]}, []int{i}
	for j := i + 1; j < len(slots); j++ {
		if slots[j].moved() {
			line, places = append(line, slots[j]), append(places, j)
		}
	}
	moveUp(line, 0, f)
	for j, place := range places {
		slots[place] = line[j]
	}
}

// Moved is an article that is pinned to another slot than before, by their wall times.
type Moved struct {
	ArticleID int64
	From, To  string // To is empty where it is pinned to none any more
}

// MovedPins compares what was pinned with what is.
func MovedPins(was, is []Pin) (moved []Moved) {
	for _, pin := range was {
		at := slices.IndexFunc(is, func(p Pin) bool { return p.ArticleID == pin.ArticleID })
		switch {
		case at < 0:
			moved = append(moved, Moved{pin.ArticleID, pin.Wall, ""})
		case is[at].Wall != pin.Wall:
			moved = append(moved, Moved{pin.ArticleID, pin.Wall, is[at].Wall})
		}
	}
	return moved
}

package series

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// SlotState is the state of a slot.
type SlotState string

const (
	SlotPlanned SlotState = "planned"
	SlotIssued  SlotState = "issued"
	SlotEmpty   SlotState = "empty"
	SlotMissed  SlotState = "missed"
	SlotSkipped SlotState = "skipped"
	SlotWaiting SlotState = "waiting" // behind a held issue (rule 11)
	SlotHeld    SlotState = "held"    // nothing could be frozen: a draft at the head, a missing disclaimer
)

// Slot is one planned local date and time of a series.
type Slot struct {
	ID, SeriesID int64
	Wall         string    // 2027-03-28T02:30, local, without zone: the key
	At           time.Time // the instant it fires, in UTC
	State        SlotState
	PinnedID     int64 // article; 0: none
	Hold         bool  // an editor holds it: its issue will be frozen as held (rule 11)
	Reason       string
	HoldOf       string // wall time of the slot whose hold it has, since that one ended without an issue; empty: its own
	PinOf        string // the same of what is pinned to it
}

// scan reads a row of slotRows.
func (s *Slot) scan(scan func(dest ...any) error) error {
	var fires int64
	var pinned sql.NullInt64
	err := scan(&s.ID, &s.SeriesID, &s.Wall, &fires, &s.State, &pinned, &s.Hold, &s.Reason, &s.HoldOf, &s.PinOf)
	s.At, s.PinnedID = instant(fires), pinned.Int64
	return err
}

const slotRows = `SELECT s.id, s.series_id, s.wall, s.fires, s.state, s.article_id, s.hold, s.reason, s.hold_of, s.pin_of FROM slots s`

const slotsFrom = slotRows + ` WHERE s.series_id = ?1 AND s.fires >= ?2 ORDER BY s.fires, s.wall LIMIT ?3`

// Slots lists the rows of a series with from <= fires, by time, at most n (0: all).
func Slots(ctx context.Context, q store.Querier, seriesID int64, from time.Time, n int) ([]Slot, error) {
	slots, err := collect(ctx, q, (*Slot).scan, slotsFrom, seriesID, millis(from), limit(n))
	if err != nil {
		return nil, fmt.Errorf("slots of series %d: %w", seriesID, err)
	}
	return slots, nil
}

const slotByWall = slotRows + ` WHERE s.series_id = ?1 AND s.wall = ?2`

// SlotByWall returns store.ErrNotFound where the series has no such row.
func SlotByWall(ctx context.Context, q store.Querier, seriesID int64, wall string) (Slot, error) {
	var s Slot
	if err := s.scan(q.QueryRow(ctx, slotByWall, seriesID, wall).Scan); err != nil {
		return Slot{}, fmt.Errorf("slot %s of series %d: %w", wall, seriesID, err)
	}
	return s, nil
}

// SlotNamed is the slot of a wall time: its row, or what the schedule will plan at it, which has no row and so ID 0. Its error is
// store.ErrNotFound where there is neither.
func SlotNamed(ctx context.Context, q store.Querier, s Series, wall string, now time.Time) (Slot, error) {
	slot, err := SlotByWall(ctx, q, s.ID, wall)
	at, bad := time.Parse(wallLayout, wall)
	if !errors.Is(err, store.ErrNotFound) || bad != nil {
		return slot, err
	}
	c, failed := s.calendar()
	if failed != nil {
		return slot, fmt.Errorf("slot %s of series %s: %w", wall, s.Slug, failed)
	}
	for p := range c.on(at.Truncate(24 * time.Hour)) {
		if p.Wall == wall && p.At.After(s.PlannedUntil) && (p.At.After(now) || !s.Paused) {
			return Slot{SeriesID: s.ID, Wall: wall, At: p.At.UTC(), State: SlotPlanned}, nil
		}
	}
	return slot, err
}

const holdSlot = `INSERT INTO slots (series_id, wall, fires, hold, reason, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
ON CONFLICT (series_id, wall) DO UPDATE SET hold = excluded.hold, reason = excluded.reason, updated = excluded.updated,
	hold_of = CASE WHEN excluded.hold = 1 AND slots.hold = 1 THEN slots.hold_of ELSE '' END
WHERE slots.state = 'planned'
RETURNING id`

// HoldSlot has a slot that has not fired yet hold its issue when it does, or with on false takes that back. The slot stays
// planned, and gets its row where it is far ahead; ErrSlot where it has ended already.
func HoldSlot(ctx context.Context, tx *store.Tx, slot Slot, on bool, reason string, now time.Time) error {
	var id int64
	err := tx.QueryRow(ctx, holdSlot, slot.SeriesID, slot.Wall, millis(slot.At), flag(on), reason, millis(now)).Scan(&id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("hold slot %s: %w, or it was ended otherwise", slot.Wall, ErrSlot)
	}
	if err != nil {
		return fmt.Errorf("hold slot %s: %w", slot.Wall, err)
	}
	return nil
}

// Pin is an article that an editor has put on a slot.
type Pin struct {
	ArticleID int64
	Wall      string // of the slot
	At        time.Time
}

func (p *Pin) scan(scan func(dest ...any) error) error {
	var fires int64
	err := scan(&p.ArticleID, &p.Wall, &fires)
	p.At = instant(fires)
	return err
}

// date is the local date of the slot.
func (p Pin) date() string { return p.Wall[:len(time.DateOnly)] }

// aside goes on a sentence about the article that goes instead of one that waits.
func (p Pin) aside(a Article) string {
	return fmt.Sprintf("; “%s” waits for %s, to which it is pinned", a.Title, p.date())
}

const pinnedSlots = `SELECT article_id, wall, fires FROM slots
WHERE series_id = ?1 AND state = 'planned' AND article_id IS NOT NULL ORDER BY fires, wall`

// Pins lists what is pinned to the planned slots of a series, by time.
func Pins(ctx context.Context, q store.Querier, seriesID int64) ([]Pin, error) {
	pins, err := collect(ctx, q, (*Pin).scan, pinnedSlots, seriesID)
	if err != nil {
		return nil, fmt.Errorf("pins of series %d: %w", seriesID, err)
	}
	return pins, nil
}

// limit is n as SQL's LIMIT takes it; 0 means all.
func limit(n int) int64 {
	if n <= 0 {
		return 1 << 40
	}
	return int64(n)
}

const dueSlots = slotRows + ` JOIN series x ON x.id = s.series_id
WHERE s.state = 'planned' AND x.state = 'active' AND s.fires <= ?1 ORDER BY s.fires, s.wall, s.id`

// Due lists planned rows of all unpaused series that fire at or before now, by time.
func Due(ctx context.Context, q store.Querier, now time.Time) ([]Slot, error) {
	due, err := collect(ctx, q, (*Slot).scan, dueSlots, millis(now))
	if err != nil {
		return nil, fmt.Errorf("due slots: %w", err)
	}
	return due, nil
}

// EnsureSlots writes the rows of all slots of a series from its last known one (or PlannedFrom) up to until, and at
// least one after now, so that none vanishes while the program is down. Existing rows stay, but their instants follow
// the zone's rules of today. A paused series gets none.
func EnsureSlots(ctx context.Context, tx *store.Tx, s Series, now, until time.Time) error {
	s, err := ByID(ctx, tx, s.ID) // schedule and pause as they are inside this transaction
	if err != nil || s.Paused {
		return err
	}
	c, err := s.calendar()
	if err != nil {
		return fmt.Errorf("slots of series %s: %w", s.Slug, err)
	}
	if err := followZone(ctx, tx, s, c.loc, now); err != nil {
		return fmt.Errorf("slots of series %s: %w", s.Slug, err)
	}
	known := s.PlannedUntil
	for p := range c.after(s.PlannedUntil) {
		if p.At.After(until) && known.After(now) && !p.At.Equal(known) { // after a gap of the clocks two may be at one instant
			break
		}
		if err := addSlot(ctx, tx, Slot{SeriesID: s.ID, Wall: p.Wall, At: p.At, State: SlotPlanned}, now); err != nil {
			return fmt.Errorf("slots of series %s: %w", s.Slug, err)
		}
		known = p.At
	}
	if known.Equal(s.PlannedUntil) {
		return nil
	}
	if err := setPlanned(ctx, tx, s.ID, s.PlannedFrom, known); err != nil {
		return fmt.Errorf("slots of series %s: %w", s.Slug, err)
	}
	return nil
}

const newSlot = `INSERT INTO slots (series_id, wall, fires, state, article_id, hold, reason, created, updated, hold_of, pin_of)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10)
ON CONFLICT (series_id, wall) DO NOTHING`

// addSlot writes a row; one that is there already stays.
func addSlot(ctx context.Context, tx *store.Tx, s Slot, now time.Time) error {
	_, err := tx.Exec(ctx, newSlot, s.SeriesID, s.Wall, millis(s.At), string(s.State), orNull(s.PinnedID), flag(s.Hold), s.Reason, millis(now),
		s.HoldOf, s.PinOf)
	return err
}

const plannedSeries = `UPDATE series SET planned_from = ?2, planned_until = ?3 WHERE id = ?1`

func setPlanned(ctx context.Context, tx *store.Tx, seriesID int64, from, until time.Time) error {
	_, err := tx.Exec(ctx, plannedSeries, seriesID, millis(from), millis(until))
	return err
}

const refire = `UPDATE slots SET fires = ?2, updated = ?3 WHERE id = ?1`

// followZone places the slots to come anew: a country may have changed its clocks since they were written.
func followZone(ctx context.Context, tx *store.Tx, s Series, loc *time.Location, now time.Time) error {
	slots, err := Slots(ctx, tx, s.ID, now.Add(time.Millisecond), 0)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		wall, err := time.Parse(wallLayout, slot.Wall)
		if err != nil {
			return err
		}
		if at := place(wall, loc); !at.Equal(slot.At) {
			if _, err := tx.Exec(ctx, refire, slot.ID, millis(at), millis(now)); err != nil {
				return err
			}
		}
	}
	return nil
}

const recordSlot = `UPDATE slots SET state = ?2, reason = ?3, hold = CASE WHEN ?2 = 'issued' OR ?2 = 'held' THEN hold ELSE 0 END, updated = ?4
WHERE id = ?1 AND state IN ('planned', 'held', 'waiting')`

// RecordSlot ends a planned (or held, or waiting) slot: issued, empty, missed, skipped, waiting, held, with its reason.
// Where the series went on with it, as by the first two, or is held by it now, slots held before are over, but for those that an editor
// holds. What an editor holds of a planned one that ends without an issue goes on to the next slot. Ending it twice fails with ErrSlot.
func RecordSlot(ctx context.Context, tx *store.Tx, slotID int64, state SlotState, reason string, now time.Time) error {
	if state == SlotPlanned {
		return wrong(ErrInvalid, "slot %d: a slot is planned once", slotID)
	}
	var slot Slot
	err := slot.scan(tx.QueryRow(ctx, slotByID, slotID).Scan)
	n := int64(0)
	if err == nil {
		n, err = tx.Exec(ctx, recordSlot, slotID, string(state), reason, millis(now))
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && n == 0 {
		return fmt.Errorf("slot %d: %w, or it was ended otherwise", slotID, ErrSlot)
	}
	if err == nil && (state == SlotIssued || state == SlotEmpty || state == SlotHeld) {
		err = overtake(ctx, tx, slot.SeriesID, slot.Wall, slot.At, now)
	}
	if err == nil && slot.State == SlotPlanned && state != SlotIssued && state != SlotHeld {
		err = passHolds(ctx, tx, now, slot)
	}
	if err != nil {
		return fmt.Errorf("slot %d: %w", slotID, err)
	}
	return nil
}

const slotByID = slotRows + ` WHERE s.id = ?1`

const overtakeHeld = `UPDATE slots SET state = 'missed', reason = ?3, updated = ?4
WHERE series_id = ?1 AND state = 'held' AND hold = 0 AND fires < ?2`

// overtake ends the slots of a series that were held without an issue before an instant: what stood in their way takes its
// turn where the series is now, so a release would send something else. One that an editor holds stays, or it would go unheld.
func overtake(ctx context.Context, tx *store.Tx, seriesID int64, wall string, at, now time.Time) error {
	_, err := tx.Exec(ctx, overtakeHeld, seriesID, millis(at), "The series went on at "+wall+"; nothing of it is lost.", millis(now))
	return err
}

const pinSlot = `INSERT INTO slots (series_id, wall, fires, article_id, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
ON CONFLICT (series_id, wall) DO UPDATE SET article_id = excluded.article_id, pin_of = '', updated = excluded.updated
WHERE slots.state = 'planned'
RETURNING id`

// PinDate has the first slot of a local date send a given article, instead of one pinned to it before; the article itself
// leaves the slots that it was pinned to, see Pins. ErrInvalid is as for SkipDate; ErrState says that the date is skipped or
// that the article can't go out any more.
func PinDate(ctx context.Context, tx *store.Tx, s Series, date string, articleID int64, now time.Time) (Slot, error) {
	wrap := func(err error) error { return fmt.Errorf("series %s: pin %s: %w", s.Slug, date, err) }
	planned, err := s.slotsOn(ctx, tx, date, now)
	if err != nil {
		return Slot{}, wrap(err)
	}
	if err := s.checkPin(ctx, tx, articleID); err != nil {
		return Slot{}, wrap(err)
	}
	slot := Slot{SeriesID: s.ID, Wall: planned[0].Wall, At: planned[0].At.UTC(), State: SlotPlanned, PinnedID: articleID}
	err = tx.QueryRow(ctx, pinSlot, s.ID, slot.Wall, millis(slot.At), articleID, millis(now)).Scan(&slot.ID)
	if errors.Is(err, store.ErrNotFound) {
		return Slot{}, wrap(wrong(ErrState, "the slot %s is skipped or over", slot.Wall))
	}
	if err == nil {
		err = s.unpin(ctx, tx, slot, now)
	}
	if err != nil {
		return Slot{}, wrap(err)
	}
	return slot, nil
}

const unpinSlot = `UPDATE slots SET article_id = NULL, pin_of = '', updated = ?3 WHERE series_id = ?1 AND wall = ?2`

// unpin takes the article of a slot off all others. One that the schedule has no more, kept for its pin alone, is skipped.
func (s Series) unpin(ctx context.Context, tx *store.Tx, to Slot, now time.Time) error {
	pins, err := Pins(ctx, tx, s.ID)
	if err != nil {
		return err
	}
	c, err := s.calendar()
	if err != nil {
		return err
	}
	for _, pin := range pins {
		if pin.ArticleID != to.PinnedID || pin.Wall == to.Wall {
			continue
		}
		if err := s.takeOff(ctx, tx, c, pin, "its article was pinned to "+to.Wall, now); err != nil {
			return err
		}
	}
	return nil
}

// takeOff takes the article off one slot. What the slot holds stays on hold, here or after it, and what went past the pin comes back.
func (s Series) takeOff(ctx context.Context, tx *store.Tx, c calendar, pin Pin, why string, now time.Time) error {
	if _, err := tx.Exec(ctx, unpinSlot, s.ID, pin.Wall, millis(now)); err != nil {
		return err
	}
	slot, err := SlotByWall(ctx, tx, s.ID, pin.Wall)
	if err == nil && c.has(pin.Wall) {
		return takeBack(ctx, tx, slot, now)
	}
	if err == nil {
		_, err = tx.Exec(ctx, skipSlot, s.ID, pin.Wall, millis(pin.At), why, millis(now))
	}
	if err == nil {
		err = passHolds(ctx, tx, now, slot)
	}
	return err
}

func (s Series) checkPin(ctx context.Context, q store.Querier, articleID int64) error {
	a, err := ArticleByID(ctx, q, articleID)
	if err != nil {
		return err
	}
	had, _, err := Had(ctx, q, s.ID)
	if err != nil {
		return err
	}
	_, issued := had[a.ID]
	switch {
	case a.SeriesID != s.ID:
		return wrong(ErrInvalid, "article %s belongs to another series", a.Slug)
	case a.State == Withdrawn:
		return wrong(ErrState, "article %s is withdrawn; make it ready first", a.Slug)
	case s.Mode == Live && issued:
		return wrong(ErrState, "article %s had its issue already", a.Slug)
	}
	return nil
}

const slotsOfDate = slotRows + ` WHERE s.series_id = ?1 AND s.wall >= ?2 AND s.wall < ?3 AND s.fires > ?4 AND s.state IN ('planned', 'skipped')`

// slotsOn finds the slots to come of a local date: those of the schedule, and one that was pinned to the date under an
// older schedule.
func (s Series) slotsOn(ctx context.Context, q store.Querier, date string, now time.Time) ([]Planned, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil, wrong(ErrInvalid, "%v", checkDate(date))
	}
	c, err := s.calendar()
	if err != nil {
		return nil, err
	}
	all := slices.Collect(c.on(day))
	rows, err := collect(ctx, q, (*Slot).scan, slotsOfDate, s.ID, date, date+"U", millis(now)) // U comes after the T of wall times
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !slices.ContainsFunc(all, func(p Planned) bool { return p.Wall == r.Wall }) {
			all = append(all, Planned{r.Wall, r.At})
		}
	}
	slices.SortFunc(all, func(a, b Planned) int { return strings.Compare(a.Wall, b.Wall) })
	open := slices.DeleteFunc(slices.Clone(all), func(p Planned) bool { return !p.At.After(now) || !p.At.After(s.PlannedFrom) })
	switch {
	case len(open) > 0:
		return open, nil
	case len(all) > 0 || day.Before(wallClock(now.In(c.loc)).Truncate(24*time.Hour)):
		return nil, wrong(ErrInvalid, "the date is past")
	}
	return nil, wrong(ErrInvalid, "the schedule (%s) has no slot on that date", DescribeSchedule(s.Schedule))
}

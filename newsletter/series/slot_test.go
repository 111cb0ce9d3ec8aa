package series_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func diff(t interface {
	Helper()
	Errorf(format string, args ...any)
}, got, want any,
) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("got other than wanted (-want +got):\n%s", d)
	}
}

func berlin(t testing.TB, wall string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02T15:04", wall, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func ensure(t testing.TB, db *store.DB, now, until time.Time) {
	t.Helper()
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		s, err := series.BySlug(ctx, tx, "skin")
		if err != nil {
			return err
		}
		return series.EnsureSlots(ctx, tx, s, now, until)
	})
}

// rows shows the slots of the one series as "2027-01-12T09:00 planned", with a star for a pin.
func rows(t testing.TB, db *store.DB) []string {
	t.Helper()
	s, err := series.BySlug(t.Context(), db, "skin")
	if err != nil {
		t.Fatal(err)
	}
	slots, err := series.Slots(t.Context(), db, s.ID, time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, slot := range slots {
		row := slot.Wall + " " + string(slot.State)
		if slot.PinnedID != 0 {
			row += "*"
		}
		if slot.Hold {
			row += " on hold"
		}
		all = append(all, row)
	}
	return all
}

func set(t testing.TB, db *store.DB, c series.Change, now time.Time) series.Series {
	t.Helper()
	var s series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		s, err = series.Set(ctx, tx, "skin", c, now)
		return err
	})
	return s
}

func TestEnsureSlots(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	ensure(t, db, day(0), day(0))
	diff(t, rows(t, db), []string{"2027-01-12T09:00 planned"}) // one after now, though none until then
	ensure(t, db, day(0), day(20))
	diff(t, rows(t, db), []string{"2027-01-12T09:00 planned", "2027-01-19T09:00 planned"})
	ensure(t, db, day(0), day(20))
	ensure(t, db, day(8), day(0))
	diff(t, rows(t, db), []string{"2027-01-12T09:00 planned", "2027-01-19T09:00 planned"})

	// Down for three weeks: every slot has its row afterwards, and one more.
	ensure(t, db, day(36), day(36))
	want := []string{
		"2027-01-12T09:00 planned", "2027-01-19T09:00 planned", "2027-01-26T09:00 planned", "2027-02-02T09:00 planned",
		"2027-02-09T09:00 planned", "2027-02-16T09:00 planned",
	}
	diff(t, rows(t, db), want)

	due, err := series.Due(t.Context(), db, day(14))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, due, []series.Slot{
		{ID: 1, SeriesID: s.ID, Wall: "2027-01-12T09:00", At: berlin(t, "2027-01-12T09:00").UTC(), State: series.SlotPlanned},
		{ID: 2, SeriesID: s.ID, Wall: "2027-01-19T09:00", At: berlin(t, "2027-01-19T09:00").UTC(), State: series.SlotPlanned},
	})
	some, err := series.Slots(t.Context(), db, s.ID, berlin(t, "2027-01-19T09:00"), 2)
	if err != nil || len(some) != 2 || some[0].Wall != "2027-01-19T09:00" {
		t.Errorf("got %v, %v; want two slots from the 19th", some, err)
	}
}

func TestRecordSlot(t *testing.T) {
	record := func(db *store.DB, id int64, state series.SlotState) error {
		return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			return series.RecordSlot(ctx, tx, id, state, "because", day(8))
		})
	}
	for _, tt := range []struct {
		states []series.SlotState
		want   error // of the last
	}{
		{[]series.SlotState{series.SlotIssued}, nil},
		{[]series.SlotState{series.SlotHeld, series.SlotIssued}, nil},
		{[]series.SlotState{series.SlotWaiting, series.SlotHeld, series.SlotEmpty}, nil},
		{[]series.SlotState{series.SlotIssued, series.SlotIssued}, series.ErrSlot},
		{[]series.SlotState{series.SlotEmpty, series.SlotIssued}, series.ErrSlot},
		{[]series.SlotState{series.SlotMissed, series.SlotHeld}, series.ErrSlot},
		{[]series.SlotState{series.SlotSkipped, series.SlotIssued}, series.ErrSlot},
		{[]series.SlotState{series.SlotPlanned}, series.ErrInvalid},
	} {
		t.Run(fmt.Sprint(tt.states), func(t *testing.T) {
			db := open(t)
			add(t, db, weekly())
			ensure(t, db, day(8), day(8))
			for i, state := range tt.states {
				err := record(db, 1, state)
				if last := i == len(tt.states)-1; last && !errors.Is(err, tt.want) || !last && err != nil {
					t.Errorf("%s: got %v, want %v at the end", state, err, tt.want)
				}
			}
		})
	}
	if err := record(open(t), 99, series.SlotIssued); !errors.Is(err, series.ErrSlot) {
		t.Errorf("got %v for an unknown slot, want ErrSlot", err)
	}
}

func TestHoldSlot(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	ensure(t, db, day(0), day(0))
	first, err := series.SlotByWall(t.Context(), db, s.ID, "2027-01-12T09:00")
	if err != nil {
		t.Fatal(err)
	}
	hold := func(on bool, reason string) error {
		return tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			return series.HoldSlot(ctx, tx, first, on, reason, day(1))
		})
	}
	if err := hold(true, "read it again"); err != nil {
		t.Fatal(err)
	}
	slot, err := series.SlotByWall(t.Context(), db, s.ID, "2027-01-12T09:00")
	if err != nil || !slot.Hold || slot.Reason != "read it again" || slot.State != series.SlotPlanned {
		t.Errorf("got %+v, %v", slot, err)
	}
	set(t, db, series.Change{Schedule: []string{"tuesdays 18:00"}}, day(2))
	diff(t, rows(t, db), []string{"2027-01-12T18:00 planned on hold"})
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		slots, err := series.Slots(ctx, tx, s.ID, day(0), 1)
		if err != nil {
			return err
		}
		return errors.Join(
			series.HoldSlot(ctx, tx, slots[0], false, "", day(2)),
			series.RecordSlot(ctx, tx, slots[0].ID, series.SlotIssued, "", day(8)),
		)
	})
	ensure(t, db, day(8), day(8))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		slot, err := series.SlotByWall(ctx, tx, s.ID, "2027-01-19T18:00")
		if err != nil {
			return err
		}
		return series.HoldSlot(ctx, tx, slot, true, "a holiday?", day(8))
	})
	skip(t, db, "2027-01-19", day(8))
	diff(t, rows(t, db), []string{"2027-01-12T18:00 issued", "2027-01-19T18:00 skipped", "2027-01-26T18:00 planned on hold"})
	first.Wall = "2027-01-12T18:00"
	if err := hold(true, "too late"); !errors.Is(err, series.ErrSlot) {
		t.Errorf("got %v, want ErrSlot for a slot that has ended", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	db := open(t)
	add(t, db, weekly())
	ensure(t, db, day(0), day(9)) // the 12th, and no more
	pause := func(ctx context.Context, tx *store.Tx) error { return series.Pause(ctx, tx, "skin", day(1)) }
	in(t, db, pause)
	in(t, db, pause)
	ensure(t, db, day(20), day(40))
	diff(t, rows(t, db), []string{"2027-01-12T09:00 planned"})
	if due, err := series.Due(t.Context(), db, day(20)); err != nil || len(due) != 0 {
		t.Errorf("got %v, %v; want nothing due in a pause", due, err)
	}

	resume := func(ctx context.Context, tx *store.Tx) error { return series.Resume(ctx, tx, "skin", day(20)) }
	in(t, db, resume)
	ensure(t, db, day(20), day(20))
	want := []string{"2027-01-12T09:00 skipped", "2027-01-19T09:00 skipped", "2027-01-26T09:00 planned"}
	diff(t, rows(t, db), want)
	if due, err := series.Due(t.Context(), db, day(20)); err != nil || len(due) != 0 {
		t.Errorf("got %v, %v; want no burst after a pause", due, err)
	}
	in(t, db, resume) // does nothing more
	s, err := series.BySlug(t.Context(), db, "skin")
	if err != nil || s.Paused || !s.PlannedFrom.Equal(day(20)) {
		t.Errorf("got paused %v, planned from %s, %v", s.Paused, s.PlannedFrom, err)
	}
}

func TestRescheduling(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	article := importOne(t, db, s.ID, "a")
	ensure(t, db, day(0), day(22)) // 12, 19, 26
	skip(t, db, "2027-01-19", day(1))
	pin(t, db, "2027-01-26", article, day(1))

	set(t, db, series.Change{Schedule: []string{"daily 18:00"}}, day(2)) // Thursday 7
	diff(t, rows(t, db), []string{"2027-01-19T18:00 skipped", "2027-01-26T18:00 planned*"})
	ensure(t, db, day(2), day(4))
	want := []string{
		"2027-01-07T18:00 planned", "2027-01-08T18:00 planned", "2027-01-19T18:00 skipped", "2027-01-26T18:00 planned*",
	}
	diff(t, rows(t, db), want)

	// The pinned date stays where the new schedule has no slot of its own on it, and can be skipped there.
	set(t, db, series.Change{Schedule: []string{"fridays 09:00"}}, day(3))
	ensure(t, db, day(3), day(3))
	diff(t, rows(t, db), []string{
		"2027-01-07T18:00 planned", "2027-01-15T09:00 planned", "2027-01-19T18:00 skipped", "2027-01-26T18:00 planned*",
	})
	diff(t, skip(t, db, "2027-01-26", day(3)), []string{"2027-01-26T18:00"})

	// The same lines again change nothing.
	set(t, db, series.Change{Schedule: []string{"Fridays at 09:00"}, Title: new("Skin")}, day(4))
	diff(t, rows(t, db), []string{
		"2027-01-07T18:00 planned", "2027-01-15T09:00 planned", "2027-01-19T18:00 skipped", "2027-01-26T18:00 skipped", "2027-01-29T09:00 planned*",
	})
}

// TestReschedulingADateWithTwo: one slot of a date is pinned, the other one is on hold, and the new schedule has room for both, or one.
func TestReschedulingADateWithTwo(t *testing.T) {
	for to, want := range map[string][]string{
		"0 10 * * TUE":    {"2027-01-12T10:00 planned*", "2027-01-12T17:00 planned on hold"},
		"0 17 * * TUE":    {"2027-01-12T09:00 planned*", "2027-01-12T17:00 planned on hold"},
		"0 8,17 * * TUE":  {"2027-01-12T08:00 planned*", "2027-01-12T17:00 planned on hold"},
		"0 10,18 * * TUE": {"2027-01-12T10:00 planned*", "2027-01-12T18:00 planned on hold"},
	} {
		t.Run(to, func(t *testing.T) {
			db := open(t)
			c := weekly()
			c.Schedule = []string{"0 9,17 * * TUE"}
			s := add(t, db, c)
			ensure(t, db, day(0), day(0))
			pin(t, db, "2027-01-12", importOne(t, db, s.ID, "a"), day(0))
			in(t, db, func(ctx context.Context, tx *store.Tx) error {
				slot, err := series.SlotNamed(ctx, tx, s, "2027-01-12T17:00", day(0))
				if err != nil {
					return err
				}
				return series.HoldSlot(ctx, tx, slot, true, "figure two", day(0))
			})
			set(t, db, series.Change{Schedule: []string{to}}, day(1))
			diff(t, rows(t, db), append([]string{"2027-01-05T17:00 planned"}, want...)) // that one is past
		})
	}
}

// TestReschedulingADateThatHasBegun: what is pinned to a time to come goes to one to come, or keeps its own.
func TestReschedulingADateThatHasBegun(t *testing.T) {
	for to, want := range map[string]string{
		"0 9,18 * * TUE": "2027-01-12T18:00 planned*",
		"0 9 * * TUE":    "2027-01-12T17:00 planned*",
	} {
		t.Run(to, func(t *testing.T) {
			db := open(t)
			c := weekly()
			c.Schedule = []string{"0 17 * * TUE"}
			s := add(t, db, c)
			ensure(t, db, day(0), day(0))
			noon := berlin(t, "2027-01-12T12:00")
			pin(t, db, "2027-01-12", importOne(t, db, s.ID, "a"), day(0))
			set(t, db, series.Change{Schedule: []string{to}}, noon)
			if got := rows(t, db); !slices.Contains(got, want) {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}

// TestTwoHoldsOfADateComeBack: both times of a date are pinned and on hold, the later one since it inherited that of a date before.
func TestTwoHoldsOfADateComeBack(t *testing.T) {
	db := open(t)
	c := weekly()
	c.Schedule = []string{"0 9,17 * * TUE"}
	s := add(t, db, c)
	ensure(t, db, day(0), day(0))
	hold := func(slot series.Slot, reason string) {
		t.Helper()
		in(t, db, func(ctx context.Context, tx *store.Tx) error {
			return series.HoldSlot(ctx, tx, slot, true, reason, day(0))
		})
	}
	hold(pin(t, db, "2027-01-05", importOne(t, db, s.ID, "a"), day(0)), "figure a") // at 17:00: the other time is past
	hold(pin(t, db, "2027-01-12", importOne(t, db, s.ID, "b"), day(0)), "figure b")
	skip(t, db, "2027-01-05", day(0))
	before := rows(t, db)
	diff(t, before, []string{"2027-01-05T17:00 skipped", "2027-01-12T09:00 planned* on hold", "2027-01-12T17:00 planned* on hold"})
	skip(t, db, "2027-01-12", day(0))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		walls, err := series.UnskipDate(ctx, tx, s, "2027-01-12", day(0))
		diff(t, walls, []string{"2027-01-12T09:00", "2027-01-12T17:00"})
		return err
	})
	diff(t, rows(t, db), append(before, "2027-01-19T09:00 planned", "2027-01-19T17:00 planned"))
}

func TestChangeOfZone(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	article := importOne(t, db, s.ID, "a")
	ensure(t, db, day(0), day(15)) // 12, 19
	pin(t, db, "2027-01-12", article, day(1))
	set(t, db, series.Change{Zone: new("America/New_York")}, day(2))
	ensure(t, db, day(2), day(15))
	diff(t, rows(t, db), []string{"2027-01-12T09:00 planned*", "2027-01-19T09:00 planned"})
	slot, err := series.SlotByWall(t.Context(), db, s.ID, "2027-01-12T09:00")
	if want := berlin(t, "2027-01-12T15:00"); err != nil || !slot.At.Equal(want) {
		t.Errorf("got %s, %v; want %s: nine in New York", slot.At, err, want)
	}

	// A slot whose time passes by the change is not sent at once.
	now := berlin(t, "2027-01-12T12:00")
	set(t, db, series.Change{Zone: new("Asia/Tokyo")}, now)
	ensure(t, db, now, now)
	diff(t, rows(t, db), []string{"2027-01-12T09:00 missed*", "2027-01-19T09:00 planned"})
	if due, err := series.Due(t.Context(), db, now); err != nil || len(due) != 0 {
		t.Errorf("got %v, %v; want nothing due", due, err)
	}
}

// TestNewClockRules changes the instant of a slot that is written, as an update of the zone's rules would.
func TestNewClockRules(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	ensure(t, db, day(0), day(0))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE slots SET fires = fires - 3600000`)
		return err
	})
	ensure(t, db, day(1), day(1))
	slot, err := series.SlotByWall(t.Context(), db, s.ID, "2027-01-12T09:00")
	if want := berlin(t, "2027-01-12T09:00"); err != nil || !slot.At.Equal(want) {
		t.Errorf("got %s, %v; want %s", slot.At, err, want)
	}
}

func skip(t testing.TB, db *store.DB, date string, now time.Time) []string {
	t.Helper()
	var walls []string
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		s, err := series.BySlug(ctx, tx, "skin")
		if err != nil {
			return err
		}
		walls, err = series.SkipDate(ctx, tx, s, date, now)
		return err
	})
	return walls
}

func pin(t testing.TB, db *store.DB, date string, articleID int64, now time.Time) series.Slot {
	t.Helper()
	slot, err := tryPin(t, db, date, articleID, now)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func tryPin(t testing.TB, db *store.DB, date string, articleID int64, now time.Time) (slot series.Slot, err error) {
	t.Helper()
	err = tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
		s, err := series.BySlug(ctx, tx, "skin")
		if err != nil {
			return err
		}
		slot, err = series.PinDate(ctx, tx, s, date, articleID, now)
		return err
	})
	return slot, err
}

func TestSkipDate(t *testing.T) {
	db := open(t)
	c := weekly()
	c.Schedule = []string{"tuesdays 09:00", "tuesdays 18:00"}
	s := add(t, db, c)
	now := berlin(t, "2027-01-12T12:00")
	ensure(t, db, now, now)
	diff(t, skip(t, db, "2027-03-30", now), []string{"2027-03-30T09:00", "2027-03-30T18:00"}) // no rows yet
	diff(t, skip(t, db, "2027-03-30", now), []string{"2027-03-30T09:00", "2027-03-30T18:00"})
	diff(t, skip(t, db, "2027-01-12", now), []string{"2027-01-12T18:00"}) // today: what is still to come
	ensure(t, db, now, berlin(t, "2027-04-06T12:00"))
	got := rows(t, db)
	for _, want := range []string{
		"2027-01-12T09:00 planned", "2027-01-12T18:00 skipped", "2027-03-23T18:00 planned", "2027-03-30T09:00 skipped",
		"2027-03-30T18:00 skipped", "2027-04-06T09:00 planned",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("got %v without %s", got, want)
		}
	}
	for date, says := range map[string]string{
		"2027-03-31": "Tuesdays", "2027-01-05": "past", "2026-12-29": "past", "2027-02-30": "YYYY-MM-DD", "tomorrow": "YYYY-MM-DD",
	} {
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			_, err := series.SkipDate(ctx, tx, s, date, now)
			return err
		})
		if !errors.Is(err, series.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want ErrInvalid that says %q", date, err, says)
		}
	}
}

func TestSkipFarAheadLosesNoSlot(t *testing.T) {
	db := open(t)
	add(t, db, weekly())
	ensure(t, db, day(0), day(0))
	skip(t, db, "2027-02-09", day(1))
	ensure(t, db, day(50), day(50)) // down from the 6th of January to the 24th of February
	diff(t, rows(t, db), []string{
		"2027-01-12T09:00 planned", "2027-01-19T09:00 planned", "2027-01-26T09:00 planned", "2027-02-02T09:00 planned",
		"2027-02-09T09:00 skipped", "2027-02-16T09:00 planned", "2027-02-23T09:00 planned", "2027-03-02T09:00 planned",
	})
}

// TestPinLeavesASlotThatTheScheduleHasNot: such a slot stood for its pin alone, and must not send something else.
func TestPinLeavesASlotThatTheScheduleHasNot(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := importOne(t, db, s.ID, "a")
	pin(t, db, "2027-03-30", a, day(0))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		_, err := series.Set(ctx, tx, s.Slug, series.Change{Schedule: []string{"0 9 * * WED"}}, day(0))
		return err
	})
	pin(t, db, "2027-03-31", a, day(0))
	ensure(t, db, day(0), day(90))
	for _, want := range []string{"2027-03-30T09:00 skipped", "2027-03-31T09:00 planned*"} {
		if got := rows(t, db); !slices.Contains(got, want) {
			t.Errorf("got %v, want %s among them", got, want)
		}
	}
}

// TestAHoldIsKeptWhereItsPinLeaves: of such a slot that is on hold the next one inherits that.
func TestAHoldIsKeptWhereItsPinLeaves(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	a := importOne(t, db, s.ID, "a")
	slot := pin(t, db, "2027-03-30", a, day(0))
	in(t, db, func(ctx context.Context, tx *store.Tx) error {
		if err := series.HoldSlot(ctx, tx, slot, true, "figure one", day(0)); err != nil {
			return err
		}
		_, err := series.Set(ctx, tx, s.Slug, series.Change{Schedule: []string{"0 9 * * WED"}}, day(0))
		return err
	})
	pin(t, db, "2027-03-24", a, day(0))
	if got := rows(t, db); !slices.Contains(got, "2027-03-31T09:00 planned on hold") {
		t.Errorf("got %v, want the slot after the one that is left on hold", got)
	}
}

func TestPinDate(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	first, second := importOne(t, db, s.ID, "a"), importOne(t, db, s.ID, "b")
	slot := pin(t, db, "2027-03-30", first, day(0))
	if slot.Wall != "2027-03-30T09:00" || slot.PinnedID != first || slot.ID == 0 || !slot.At.Equal(berlin(t, "2027-03-30T09:00")) {
		t.Errorf("got %+v", slot)
	}
	if again := pin(t, db, "2027-03-30", second, day(0)); again.ID != slot.ID || again.PinnedID != second {
		t.Errorf("got %+v, want the same slot with article %d", again, second)
	}
	ensure(t, db, day(0), day(90))
	if got := rows(t, db); !slices.Contains(got, "2027-03-30T09:00 planned*") || !slices.Contains(got, "2027-03-23T09:00 planned") {
		t.Errorf("got %v", got)
	}

	pin(t, db, "2027-04-06", second, day(0))
	if pins, err := series.Pins(t.Context(), db, s.ID); err != nil || len(pins) != 1 || pins[0].Wall != "2027-04-06T09:00" || pins[0].ArticleID != second {
		t.Errorf("pinned to another date: got pins %+v, %v; want the new one alone", pins, err)
	}

	skip(t, db, "2027-02-02", day(0))
	var other series.Series
	in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		if err := series.Withdraw(ctx, tx, second, day(0)); err != nil {
			return err
		}
		other, err = series.Add(ctx, tx, "gut", weekly(), day0)
		return err
	})
	foreign := importOne(t, db, other.ID, "c")
	for _, tt := range []struct {
		date    string
		article int64
		want    error
	}{
		{"2027-02-02", first, series.ErrState}, // skipped
		{"2027-02-09", second, series.ErrState},
		{"2027-02-09", foreign, series.ErrInvalid},
		{"2027-02-09", 99, store.ErrNotFound},
		{"2027-02-10", first, series.ErrInvalid},
		{"2027-01-05", first, series.ErrInvalid},
	} {
		if _, err := tryPin(t, db, tt.date, tt.article, day(0)); !errors.Is(err, tt.want) {
			t.Errorf("article %d on %s: got %v, want %v", tt.article, tt.date, err, tt.want)
		}
	}
}

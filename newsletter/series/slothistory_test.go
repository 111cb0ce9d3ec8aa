package series_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// slotHistory holds the stored slots of a series against a model of them, while the program runs, is down, the series is
// paused and dates are skipped.
type slotHistory struct {
	series  series.Series
	now     time.Time
	paused  bool
	skipped map[string]bool // dates
	pending []string        // walls that fired and nobody looked at yet
	want    map[string]series.SlotState
}

// pass lets time go on: what fires meanwhile waits for the program.
func (h *slotHistory) pass(to time.Time) error {
	all, err := series.Upcoming(h.series.Schedule, h.series.Zone, h.series.StartDate, h.now, 200)
	for _, p := range all {
		switch {
		case p.At.After(to):
		case h.skipped[p.Wall[:10]]:
			h.want[p.Wall] = series.SlotSkipped
		default:
			h.pending = append(h.pending, p.Wall)
		}
	}
	h.now = to
	return err
}

func (h *slotHistory) end(state series.SlotState) {
	for _, wall := range h.pending {
		h.want[wall] = state
	}
	h.pending = nil
}

// run does what the program does when it is up: slots are written, and what is due is ended.
func (h *slotHistory) run(ctx context.Context, tx *store.Tx) error {
	if err := series.EnsureSlots(ctx, tx, h.series, h.now, h.now.AddDate(0, 0, 3)); err != nil {
		return err
	}
	due, err := series.Due(ctx, tx, h.now)
	for _, slot := range due {
		if err := series.RecordSlot(ctx, tx, slot.ID, series.SlotIssued, "", h.now); err != nil {
			return err
		}
	}
	if !h.paused {
		h.end(series.SlotIssued)
	}
	return err
}

func (h *slotHistory) step(ctx context.Context, tx *store.Tx, action, days int) error {
	if err := h.pass(h.now.Add(time.Duration(days) * 13 * time.Hour)); err != nil {
		return err
	}
	switch action {
	case 0:
		h.paused = true
		return series.Pause(ctx, tx, "skin", h.now)
	case 1:
		if h.paused {
			h.end(series.SlotSkipped)
		}
		h.paused = false
		return series.Resume(ctx, tx, "skin", h.now)
	case 2:
		date := h.now.AddDate(0, 0, days).Format(time.DateOnly)
		if _, err := series.SkipDate(ctx, tx, h.series, date, h.now); err == nil {
			h.skipped[date] = true
		}
		return nil
	}
	return h.run(ctx, tx)
}

// check compares: every slot that fired has one row, in the state that it should have.
func (h *slotHistory) check(t testing.TB, q store.Querier) string {
	slots, err := series.Slots(t.Context(), q, h.series.ID, time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]series.SlotState{}
	for _, slot := range slots {
		if !slot.At.After(h.now) {
			got[slot.Wall] = slot.State
		}
	}
	for wall, want := range h.want {
		if got[wall] != want {
			return fmt.Sprintf("slot %s: got %q, want %q", wall, got[wall], want)
		}
	}
	if len(got) != len(h.want) {
		return fmt.Sprintf("got %d slots, want %d: %v, %v", len(got), len(h.want), got, h.want)
	}
	return ""
}

func TestSlotHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		db := open(t)
		c := weekly()
		c.Schedule = []string{"tuesdays 09:00", "fridays 18:00", "sundays 02:30"}
		h := slotHistory{series: add(t, db, c), now: day0, skipped: map[string]bool{}, want: map[string]series.SlotState{}}
		in(t, db, func(ctx context.Context, tx *store.Tx) error {
			for range rapid.IntRange(5, 25).Draw(rt, "steps") {
				if err := h.step(ctx, tx, rapid.IntRange(0, 5).Draw(rt, "action"), rapid.IntRange(0, 20).Draw(rt, "days")); err != nil {
					return err
				}
			}
			if err := h.step(ctx, tx, 1, 1); err != nil { // resume
				return err
			}
			if err := h.step(ctx, tx, 5, 9); err != nil { // run
				return err
			}
			if wrong := h.check(t, tx); wrong != "" {
				rt.Fatal(wrong)
			}
			return nil
		})
	})
}

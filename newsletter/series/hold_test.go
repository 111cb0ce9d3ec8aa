package series_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// holding is a weekly series whose slots are held, pinned, skipped, missed and moved at random.
type holding struct {
	t        *rapid.T
	series   series.Series
	articles []int64
	now      time.Time
	held     map[string]bool // reasons of holds whose slot has had no issue yet
	given    int
}

// date is one of the coming six with a slot by the schedule.
func (h *holding) date() (series.Planned, error) {
	coming, err := series.Upcoming(h.series.Schedule, h.series.Zone, h.series.StartDate, h.now, 6)
	if err != nil {
		return series.Planned{}, err
	}
	return rapid.SampledFrom(coming).Draw(h.t, "date"), nil
}

func (h *holding) step(ctx context.Context, tx *store.Tx) error {
	on, err := h.date()
	if err != nil {
		return err
	}
	day := on.Wall[:len(time.DateOnly)]
	switch rapid.SampledFrom([]string{"hold", "hold", "hold", "pin", "skip", "skip", "unskip", "run", "run", "pause", "change"}).Draw(h.t, "step") {
	case "hold":
		return h.hold(ctx, tx, on.Wall)
	case "pin":
		_, err = series.PinDate(ctx, tx, h.series, day, rapid.SampledFrom(h.articles).Draw(h.t, "article"), h.now)
	case "skip":
		_, err = series.SkipDate(ctx, tx, h.series, day, h.now)
	case "unskip":
		_, err = series.UnskipDate(ctx, tx, h.series, day, h.now)
	case "run":
		return h.run(ctx, tx, rapid.IntRange(1, 3).Draw(h.t, "weeks"))
	case "pause":
		if err := series.Pause(ctx, tx, "skin", h.now); err != nil {
			return err
		}
		h.now = h.now.AddDate(0, 0, 7*rapid.IntRange(1, 3).Draw(h.t, "weeks"))
		return series.Resume(ctx, tx, "skin", h.now)
	case "change":
		to := rapid.SampledFrom([]string{"0 9 * * TUE", "0 10 * * TUE", "0 9 * * WED", "0 9,17 * * TUE"}).Draw(h.t, "schedule")
		h.series, err = series.Set(ctx, tx, "skin", series.Change{Schedule: []string{to}}, h.now)
	}
	if errors.Is(err, series.ErrState) { // as of a date that is skipped
		return nil
	}
	return err
}

func (h *holding) hold(ctx context.Context, tx *store.Tx, wall string) error {
	slot, err := series.SlotNamed(ctx, tx, h.series, wall, h.now)
	if errors.Is(err, store.ErrNotFound) || err == nil && (slot.Hold || slot.State != series.SlotPlanned) {
		return nil
	}
	if err != nil {
		return err
	}
	h.given++
	reason := fmt.Sprintf("reason %d", h.given)
	h.held[reason] = true
	return series.HoldSlot(ctx, tx, slot, true, reason, h.now)
}

// run lets weeks go by and ends what is due, one after the other. What is issued holds no more.
func (h *holding) run(ctx context.Context, tx *store.Tx, weeks int) error {
	h.now = h.now.AddDate(0, 0, 7*weeks)
	if err := series.EnsureSlots(ctx, tx, h.series, h.now, h.now); err != nil {
		return err
	}
	due, err := series.Due(ctx, tx, h.now)
	for _, slot := range due {
		if slot, err = series.SlotByWall(ctx, tx, slot.SeriesID, slot.Wall); err != nil {
			return err
		}
		state := rapid.SampledFrom([]series.SlotState{series.SlotMissed, series.SlotWaiting, series.SlotEmpty, series.SlotIssued}).Draw(h.t, "state")
		if state == series.SlotIssued {
			delete(h.held, slot.Reason)
		}
		if err := series.RecordSlot(ctx, tx, slot.ID, state, "", h.now); err != nil {
			return err
		}
	}
	return err
}

// check wants each hold on one of the slots that are planned.
func (h *holding) check(ctx context.Context, tx *store.Tx) error {
	slots, err := series.Slots(ctx, tx, h.series.ID, time.Time{}, 0)
	found := map[string]bool{}
	for _, slot := range slots {
		found[slot.Reason] = found[slot.Reason] || slot.State == series.SlotPlanned && slot.Hold
	}
	for reason := range h.held {
		if !found[reason] {
			h.t.Fatalf("what was held for %s is held no more: %+v", reason, slots)
		}
	}
	return err
}

// TestRule10NoHoldIsLost: whatever becomes of the slot of a hold short of an issue, a slot to come has it.
func TestRule10NoHoldIsLost(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	articles := []int64{importOne(t, db, s.ID, "a"), importOne(t, db, s.ID, "b")}
	undo := errors.New("back to the beginning")
	rapid.Check(t, func(rt *rapid.T) {
		h := holding{t: rt, series: s, articles: articles, now: day0.Add(time.Hour), held: map[string]bool{}}
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			for range rapid.IntRange(5, 30).Draw(rt, "steps") {
				if err := errors.Join(h.step(ctx, tx), h.check(ctx, tx)); err != nil {
					return err
				}
			}
			return undo
		})
		if !errors.Is(err, undo) {
			rt.Fatal(err)
		}
	})
}

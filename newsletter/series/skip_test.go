package series_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestRule10SkippedAndTakenBack: slots that are skipped and given back, the last one first, leave every slot held and pinned as it was, and
// whatever was skipped before no hold or pin is lost; what Skip and Unskip foretell of them is what happens.
func TestRule10SkippedAndTakenBack(t *testing.T) {
	db := open(t)
	s := add(t, db, weekly())
	articles := []int64{importOne(t, db, s.ID, "a"), importOne(t, db, s.ID, "b"), importOne(t, db, s.ID, "c")}
	undo := errors.New("back to the beginning")
	moved := 0
	rapid.Check(t, func(rt *rapid.T) {
		h := holding{t: rt, series: s, articles: articles, now: day0.Add(time.Hour), held: map[string]bool{}}
		err := tryIn(t, db, func(ctx context.Context, tx *store.Tx) error {
			if err := series.EnsureSlots(ctx, tx, s, h.now, h.now.AddDate(0, 4, 0)); err != nil {
				return err
			}
			for range rapid.IntRange(0, 8).Draw(rt, "steps") {
				if err := h.said(ctx, tx); err != nil {
					return err
				}
			}
			changed, err := h.skipAndBack(ctx, tx)
			if changed {
				moved++
			}
			return errors.Join(err, undo)
		})
		if !errors.Is(err, undo) {
			rt.Fatal(err)
		}
	})
	if moved == 0 {
		t.Error("nothing was ever held or pinned")
	}
}

// said has an editor say something of one of the coming dates.
func (h *holding) said(ctx context.Context, tx *store.Tx) error {
	on, err := h.date()
	if err != nil {
		return err
	}
	day := on.Wall[:len(time.DateOnly)]
	switch rapid.SampledFrom([]string{"hold", "hold", "pin", "pin", "skip"}).Draw(h.t, "say") {
	case "hold":
		return h.hold(ctx, tx, on.Wall)
	case "pin":
		_, err = series.PinDate(ctx, tx, h.series, day, rapid.SampledFrom(h.articles).Draw(h.t, "article"), h.now)
	case "skip":
		_, err = series.SkipDate(ctx, tx, h.series, day, h.now)
	}
	if errors.Is(err, series.ErrState) { // as of a date that is skipped
		return nil
	}
	return err
}

// skipAndBack skips some of the coming slots and gives them back.
func (h *holding) skipAndBack(ctx context.Context, tx *store.Tx) (moved bool, err error) {
	all := func() []series.Slot {
		slots, failed := series.Slots(ctx, tx, h.series.ID, h.now, 0)
		err = errors.Join(err, failed)
		return slots
	}
	before := all()
	facts, failed := series.FactsOf(ctx, tx, h.series)
	if failed != nil {
		return false, failed
	}
	foretold := slices.Clone(before)
	var skipped []int
	for i := range 6 {
		if before[i].State != series.SlotPlanned || !rapid.Bool().Draw(h.t, "skip") {
			continue
		}
		skipped = append(skipped, i)
		moved = moved || before[i].Hold || before[i].PinnedID != 0
		series.Skip(foretold, i, []string{"Ferien"}, facts)
		_, failed := series.SkipSlot(ctx, tx, h.series, series.Planned{Wall: before[i].Wall, At: before[i].At}, []string{"Ferien"}, h.now)
		err = errors.Join(err, failed)
	}
	diff(h.t, all(), foretold)
	for _, i := range slices.Backward(skipped) {
		series.Unskip(foretold, i, facts)
		_, _, failed := series.UnskipSlot(ctx, tx, before[i], []string{"Ferien"}, h.now)
		err = errors.Join(err, failed)
		diff(h.t, all(), foretold)
	}
	if !slices.ContainsFunc(before, func(s series.Slot) bool { return s.HoldOf != "" || s.PinOf != "" }) {
		diff(h.t, foretold, before)
	}
	is, was := spoken(foretold), spoken(before) // of what went on before, the order may be another one
	diff(h.t, is, was)
	return moved, err
}

// spoken are the reasons of holds and the pinned articles of planned slots.
func spoken(slots []series.Slot) map[string]bool {
	all := map[string]bool{}
	for _, s := range slots {
		if s.State == series.SlotPlanned && s.Hold {
			all[s.Reason] = true
		}
		if s.State == series.SlotPlanned && s.PinnedID != 0 {
			all[fmt.Sprint("article ", s.PinnedID)] = true
		}
	}
	return all
}

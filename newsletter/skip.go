package newsletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pressrun/newsletter/ics"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// skipAhead is how far from now the slots are that a calendar file is laid over.
const skipAhead = 2 * 366 * 24 * time.Hour

// mostForeseen is for how many slots it is said where their articles go: what is further ahead changes before then.
const mostForeseen = 200

// Skipped is what a calendar file did to the slots of a series.
type Skipped struct {
	Slots   []SkippedSlot
	Already int            // slots that were so before
	Pins    []series.Moved // articles that are pinned to another slot by that
	Until   time.Time      // slots up to then were looked at, in the series' zone
}

// SkippedSlot is a slot that a calendar file left out, or gave back.
type SkippedSlot struct {
	Slot  string // wall time
	Event string
	// In live: the slug of the article that it would have sent, and the slot that sends it now; empty: none, or none that is known.
	Article, Goes string
	Stays         string // with undo: what skips it all the same; empty: nothing
}

// ErrChanged says that a series was changed while something was prepared for it.
var ErrChanged = errors.New("the series was changed meanwhile, and nothing was skipped: do it again")

// SkipCalendar leaves out the slots of the next two years at which something is on in a calendar file, or with undo gives back those
// that the same file left out and nothing else skips. That is done whole or not at all, and with dryRun not: it says what would be, and
// keeps nobody from writing. What a slot's pin or hold means is as for a date that is skipped.
func (p *Publisher) SkipCalendar(ctx context.Context, slug string, read func(zone *time.Location, from, until time.Time) (ics.Calendar, error), undo, dryRun bool) (done Skipped, err error) {
	s, err := series.BySlug(ctx, p.db, slug)
	if err != nil {
		return done, err
	}
	done.Until = p.now().Add(skipAhead).In(location(s))
	calendar, err := read(location(s), p.now(), done.Until)
	if err != nil {
		return done, fmt.Errorf("series %s: skip: %w", slug, err)
	}
	was, err := p.ahead(ctx, s, done.Until)
	if err != nil {
		return done, err
	}
	on := was.on(calendar, p.now(), done.Until)
	if undo { // what a slot inherited came from those before it
		slices.Reverse(on)
	}
	var will foreseen
	if dryRun {
		will, err = p.wouldSkip(ctx, s, was, on, undo, &done)
	} else if err = p.skipAll(ctx, s, on, undo, &done); err == nil {
		will, err = p.ahead(ctx, s, done.Until)
	}
	if err != nil {
		return Skipped{}, fmt.Errorf("series %s: skip: %w", slug, err)
	}
	done.say(was, will, undo)
	return done, nil
}

// covered is a slot at which something is on.
type covered struct {
	at     int // among the foreseen
	slot   series.Slot
	events []string
}

// note notes what became of a slot.
func (done *Skipped) note(x covered, is series.Slot, did, undo bool) {
	stays := ""
	switch {
	case undo && is.State == series.SlotSkipped:
		stays = is.SkippedBy()
	case !did:
		done.Already++
		return
	}
	done.Slots = append(done.Slots, SkippedSlot{Slot: x.slot.Wall, Event: x.events[0], Stays: stays})
}

// say orders what was done, and says where the articles go by that.
func (done *Skipped) say(was, will foreseen, undo bool) {
	done.Pins = series.MovedPins(was.facts.Pins, will.facts.Pins)
	if undo {
		slices.Reverse(done.Slots)
		return
	}
	goes := map[string]string{}
	for wall, article := range will.sends {
		goes[article] = wall
	}
	for i, slot := range done.Slots {
		article := was.sends[slot.Slot]
		done.Slots[i].Article, done.Slots[i].Goes = article, goes[article]
	}
}

// skipAll skips slots, or gives them back.
func (p *Publisher) skipAll(ctx context.Context, as series.Series, on []covered, undo bool, done *Skipped) error {
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		s, err := series.ByID(ctx, tx, as.ID)
		if err == nil && (!slices.Equal(s.Schedule, as.Schedule) || s.Zone != as.Zone || s.StartDate != as.StartDate) {
			err = ErrChanged
		}
		for _, x := range on {
			if err != nil {
				return err
			}
			is, did := x.slot, false
			if undo {
				is, did, err = series.UnskipSlot(ctx, tx, x.slot, x.events, p.now())
			} else {
				did, err = series.SkipSlot(ctx, tx, s, series.Planned{Wall: x.slot.Wall, At: x.slot.At}, x.events, p.now())
			}
			done.note(x, is, did, undo)
		}
		return err
	})
}

// wouldSkip is skipAll as values, and what would be foreseen then.
func (p *Publisher) wouldSkip(ctx context.Context, s series.Series, was foreseen, on []covered, undo bool, done *Skipped) (foreseen, error) {
	will := foreseen{slots: slices.Clone(was.slots), facts: was.facts}
	for _, x := range on {
		is, did := x.slot.Without(x.events)
		switch {
		case !undo:
			if did = x.slot.State == series.SlotPlanned; did {
				series.Skip(will.slots, x.at, x.events, was.facts)
			}
		case did && is.State == series.SlotPlanned:
			series.Unskip(will.slots, x.at, was.facts)
		}
		done.note(x, is, did, undo)
	}
	will.facts.Pins = nil
	var last time.Time
	for _, slot := range will.slots {
		last = slot.At
		if slot.State == series.SlotPlanned && slot.PinnedID != 0 {
			will.facts.Pins = append(will.facts.Pins, series.Pin{ArticleID: slot.PinnedID, Wall: slot.Wall, At: slot.At})
		}
	}
	for _, pin := range was.facts.Pins {
		if pin.At.After(last) {
			will.facts.Pins = append(will.facts.Pins, pin)
		}
	}
	err := p.db.Snapshot(ctx, func(q store.Querier) (err error) { will.sends, err = p.turns(ctx, q, s, will); return err })
	return will, err
}

// foreseen is what is known of the slots to come of a series.
type foreseen struct {
	slots []series.Slot // by time; first what is due
	facts series.Facts
	sends map[string]string // in live: slugs of the articles that the first of them send, by wall time
}

// ahead lists the slots of a series until an instant and one more, skipped ones included.
func (p *Publisher) ahead(ctx context.Context, s series.Series, until time.Time) (f foreseen, err error) {
	err = p.db.Snapshot(ctx, func(q store.Querier) error {
		for ask := 128; ; ask *= 2 {
			if f.slots, _, err = p.forecastSlots(ctx, q, s, ask, time.Time{}); err != nil {
				return err
			}
			if past := slices.IndexFunc(f.slots, func(slot series.Slot) bool { return slot.At.After(until) }); past >= 0 {
				f.slots = f.slots[:past+1]
				break
			}
			if len(f.slots) < ask {
				break
			}
		}
		if f.facts, err = series.FactsOf(ctx, q, s); err == nil {
			f.sends, err = p.turns(ctx, q, s, f)
		}
		return err
	})
	return f, err
}

// on are the slots to come until an instant at which something is on.
func (f foreseen) on(calendar ics.Calendar, now, until time.Time) (all []covered) {
	for i, slot := range f.slots {
		if !slot.At.After(now) || slot.At.After(until) {
			continue
		}
		if events := calendar.On(slot.Wall[:len(time.DateOnly)], slot.At); len(events) > 0 {
			all = append(all, covered{i, slot, events})
		}
	}
	return all
}

// turns are the slugs of the articles that the first foreseen slots of a live series send, by their wall times, as the plan has it.
func (p *Publisher) turns(ctx context.Context, q store.Querier, s series.Series, of foreseen) (map[string]string, error) {
	sends := map[string]string{}
	if s.Mode != series.Live {
		return sends, nil
	}
	slots := slices.Clone(of.slots[:min(len(of.slots), mostForeseen)])
	facts := of.facts
	facts.Had = maps.Clone(facts.Had) // what is foretold counts as had
	f, err := newLiveForecast(ctx, q, s, facts, slots)
	if err != nil {
		return nil, err
	}
	for i, judged := range judge(s, of.facts, slots, p.now()) {
		if judged.idle != "" {
			continue
		}
		if d := f.decide(slots[i]); d.Article.ID != 0 && f.some(slots[i]) {
			sends[slots[i].Wall] = d.Article.Slug
		}
	}
	return sends, nil
}

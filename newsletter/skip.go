package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/ics"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// skipAhead is how far from now the slots are that a calendar file is laid over.
const skipAhead = 2 * 366 * 24 * time.Hour

// mostForeseen is for how many slots it is said where their articles go: what is further ahead changes before then, and the database is
// locked meanwhile.
const mostForeseen = 200

// Skipped is what a calendar file did to the slots of a series.
type Skipped struct {
	Slots   []SkippedSlot
	Already int       // slots that were so before
	Until   time.Time // slots up to then were looked at, in the series' zone
}

// SkippedSlot is a slot that a calendar file left out, or gave back.
type SkippedSlot struct {
	Slot  string // wall time
	Event string
	// In live: the slug of the article that it would have sent, and the slot that sends it now; empty: none, or none that is known.
	Article, Goes string
}

// SkipCalendar leaves out the slots of the next two years at which something is on in a calendar file, or with undo gives back those
// that the same file left out. That is done whole or not at all, and with dryRun not: it says what would be. What a slot's pin or hold
// means is as for a date that is skipped.
func (p *Publisher) SkipCalendar(ctx context.Context, slug string, read func(zone *time.Location, from, until time.Time) (ics.Calendar, error), undo, dryRun bool) (done Skipped, err error) {
	s, err := series.BySlug(ctx, p.db, slug)
	if err != nil {
		return done, err
	}
	now := p.now()
	done.Until = now.Add(skipAhead).In(location(s))
	on, err := read(location(s), now, done.Until)
	if err != nil {
		return done, fmt.Errorf("series %s: skip: %w", slug, err)
	}
	errDry := errors.New("dry run")
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		if s, err = series.BySlug(ctx, tx, slug); err != nil {
			return err
		}
		if err := p.skipAll(ctx, tx, s, on, undo, &done); err != nil {
			return err
		}
		if dryRun {
			return errDry
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDry) {
		return Skipped{}, err
	}
	return done, nil
}

// skipAll skips, or gives back, and says where the articles go by that.
func (p *Publisher) skipAll(ctx context.Context, tx *store.Tx, s series.Series, on ics.Calendar, undo bool, done *Skipped) error {
	slots, err := slotsUntil(ctx, tx, s, p.now(), done.Until)
	if err != nil {
		return err
	}
	foreseen := min(len(slots)+1, mostForeseen)
	before, err := p.turns(ctx, tx, s, foreseen)
	if err != nil {
		return err
	}
	if undo { // what a slot inherited came from those before it
		slices.Reverse(slots)
	}
	for _, slot := range slots {
		events := on.On(slot.Wall[:len(time.DateOnly)], slot.At)
		if len(events) == 0 {
			continue
		}
		event, did := events[0], false
		if undo {
			did, err = series.UnskipSlot(ctx, tx, s, slot.Wall, event, p.now())
		} else {
			did, err = series.SkipSlot(ctx, tx, s, series.Planned{Wall: slot.Wall, At: slot.At}, event, p.now())
		}
		switch {
		case err != nil:
			return err
		case did:
			done.Slots = append(done.Slots, SkippedSlot{Slot: slot.Wall, Event: event, Article: before[slot.Wall]})
		default:
			done.Already++
		}
	}
	if undo {
		slices.Reverse(done.Slots)
		return nil
	}
	after, err := p.turns(ctx, tx, s, foreseen)
	goes := map[string]string{}
	for wall, article := range after {
		goes[article] = wall
	}
	for i, skipped := range done.Slots {
		done.Slots[i].Goes = goes[skipped.Article]
	}
	return err
}

// slotsUntil are the slots of a series from now until an instant, skipped ones included.
func slotsUntil(ctx context.Context, q store.Querier, s series.Series, now, until time.Time) ([]series.Slot, error) {
	for ask := 128; ; ask *= 2 {
		slots, err := coming(ctx, q, s, now, ask)
		if err != nil {
			return nil, err
		}
		if len(slots) < ask || slots[len(slots)-1].At.After(until) {
			return slices.DeleteFunc(slots, func(slot series.Slot) bool { return slot.At.After(until) }), nil
		}
	}
}

// turns are the slugs of the articles that the next n slots of a live series send, by their wall times, as the plan has it.
func (p *Publisher) turns(ctx context.Context, q store.Querier, s series.Series, n int) (map[string]string, error) {
	sends := map[string]string{}
	if s.Mode != series.Live {
		return sends, nil
	}
	slots, _, err := p.forecastSlots(ctx, q, s, n, time.Time{})
	if err != nil {
		return nil, err
	}
	facts, err := series.FactsOf(ctx, q, s)
	if err != nil {
		return nil, err
	}
	f, err := newLiveForecast(ctx, q, s, facts, slots)
	if err != nil {
		return nil, err
	}
	for i, judged := range judge(s, facts, slots, p.now()) {
		if judged.idle != "" {
			continue
		}
		if d := f.decide(slots[i]); d.Article.ID != 0 && f.some(slots[i]) {
			sends[slots[i].Wall] = d.Article.Slug
		}
	}
	return sends, nil
}

package newsletter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Planned is one coming slot, as `plan` shows it.
type Planned struct {
	Series   string           `json:"series"`
	Slot     string           `json:"slot"`
	At       time.Time        `json:"at"`      // in the series' zone
	Article  string           `json:"article"` // slug; empty: none. In drip the article of the most readers
	Readers  int64            `json:"readers"`
	Blocked  string           `json:"blocked"` // what is in the way; empty: nothing
	Title    string           `json:"title,omitempty"`
	Pinned   bool             `json:"pinned,omitempty"`   // the article goes by its pin, not by its turn
	Articles []PlannedArticle `json:"articles,omitempty"` // drip: all of the slot's articles with their readers
	Ends     time.Time        `json:"ends,omitzero"`      // when its last message leaves at the pace that is set
}

// PlannedArticle is one of a drip slot's articles.
type PlannedArticle struct {
	Article string `json:"article"`
	Readers int64  `json:"readers"`
}

// Plan forecasts the next slots of a series ("" means all) by the decision the sender uses, article after article as if
// all went well: drafts in the way get ready in time, what is held is released. Slots that are due already come first.
// from zero means Now; a later one leaves out the slots before it, not what they send.
func (p *Publisher) Plan(ctx context.Context, seriesSlug string, slots int, from time.Time) ([]Planned, error) {
	chosen, err := p.chosen(ctx, seriesSlug)
	if err != nil {
		return nil, err
	}
	all := []Planned{}
	for _, s := range chosen {
		planned, err := p.planSeries(ctx, p.db, s, slots, from)
		if err == nil {
			err = p.addEnds(ctx, s, planned)
		}
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		all = append(all, planned...)
	}
	slices.SortStableFunc(all, func(a, b Planned) int { return a.At.Compare(b.At) })
	return all, nil
}

// Foresee is the plan's row of the next slot of a series as q sees it, so that a change can be looked at before it is
// committed; zero where no slot comes.
func (p *Publisher) Foresee(ctx context.Context, q store.Querier, s series.Series) (Planned, error) {
	planned, err := p.planSeries(ctx, q, s, 1, time.Time{})
	if err != nil || len(planned) == 0 {
		return Planned{}, err
	}
	return planned[0], nil
}

// chosen is the series of a slug, or all of them.
func (p *Publisher) chosen(ctx context.Context, slug string) ([]series.Series, error) {
	if slug == "" {
		return series.All(ctx, p.db)
	}
	s, err := series.BySlug(ctx, p.db, slug)
	return []series.Series{s}, err
}

// forecastSlots lists the slots that a forecast goes through, of which n are shown, or those that there are: all from now on, since
// what a later slot sends depends on those before it, and all that are due, since these run together. With from in the past the forecast
// starts there.
func (p *Publisher) forecastSlots(ctx context.Context, q store.Querier, s series.Series, n int, from time.Time) (all []series.Slot, shown int, err error) {
	now := p.now()
	start := now
	if from.IsZero() || from.After(now) {
		if all, err = dueSlots(ctx, q, s, now); err != nil {
			return nil, 0, err
		}
	} else {
		start = from
	}
	for more := n; ; more *= 2 {
		next, err := coming(ctx, q, s, start, more)
		if err != nil {
			return nil, 0, err
		}
		slots := slices.Concat(all, next)
		shown = 0
		for shown < len(slots) && slots[shown].At.Before(from) {
			shown++
		}
		if len(slots)-shown >= n || len(next) < more {
			return slots[:max(len(all), min(len(slots), shown+n))], shown, nil
		}
	}
}

// dueSlots lists what of a series is due by now, rows or not: after an outage those that RunDue is going to write.
func dueSlots(ctx context.Context, q store.Querier, s series.Series, now time.Time) ([]series.Slot, error) {
	if s.Paused {
		return nil, nil
	}
	rows, err := series.Due(ctx, q, now)
	if err != nil {
		return nil, err
	}
	due := slices.DeleteFunc(rows, func(slot series.Slot) bool { return slot.SeriesID != s.ID })
	ahead, err := series.Slots(ctx, q, s.ID, s.PlannedUntil, 0) // pinned or skipped before their time
	if err != nil {
		return nil, err
	}
	for n := 100; ; n *= 2 {
		more, err := series.Upcoming(s.Schedule, s.Zone, s.StartDate, s.PlannedUntil, n)
		if err != nil {
			return nil, fmt.Errorf("series %s: due slots: %w", s.Slug, err)
		}
		if len(more) == n && !more[n-1].At.After(now) {
			continue
		}
		for _, x := range more {
			known := slices.ContainsFunc(ahead, func(slot series.Slot) bool { return slot.Wall == x.Wall })
			if !x.At.After(now) && !known {
				due = append(due, series.Slot{SeriesID: s.ID, Wall: x.Wall, At: x.At, State: series.SlotPlanned})
			}
		}
		slices.SortStableFunc(due, series.ByTime)
		return due, nil
	}
}

// planSeries forecasts one series.
func (p *Publisher) planSeries(ctx context.Context, q store.Querier, s series.Series, n int, from time.Time) ([]Planned, error) {
	slots, shown, err := p.forecastSlots(ctx, q, s, n, from)
	if err != nil {
		return nil, err
	}
	facts, err := series.FactsOf(ctx, q, s)
	if err != nil {
		return nil, err
	}
	decide, err := p.forecaster(ctx, q, s, facts, slots)
	if err != nil {
		return nil, err
	}
	obstacle, err := p.obstacle(ctx, q, s)
	if err != nil {
		return nil, err
	}
	now := p.now()
	if !from.IsZero() && from.Before(now) {
		now = from
	}
	judged := judge(s, facts, slots, now)
	var all []Planned
	for i, slot := range slots[:min(len(slots), shown+n)] {
		row := Planned{Series: s.Slug, Slot: slot.Wall, At: slot.At.In(location(s)), Blocked: judged[i].obstacle}
		if judged[i].idle == "" {
			seen := &row
			if i < shown {
				seen = nil
			}
			if err := decide(ctx, slot, seen); err != nil {
				return nil, err
			}
			row.Blocked = cmp.Or(obstacle, row.Blocked, judged[i].obstacle)
			if !s.Paused {
				obstacle = "" // it is in the way of the first slot; once mended, the others go
			}
		}
		all = append(all, row)
	}
	return all[shown:], nil
}

// judgement is what the state of a slot and of those around it says before any article is looked at: what becomes of one that sends
// nothing at all, and what is in its way.
type judgement struct {
	idle     string // skipped, missed, waiting; empty: an article is looked for
	rule     int
	obstacle string
}

// judge looks at the states of slots, given by time: skipped, missed and waiting ones send nothing, late and held ones wait for an
// editor. What such slots would have inherited by their time is written into them.
func judge(s series.Series, f series.Facts, slots []series.Slot, now time.Time) []judgement {
	all := make([]judgement, len(slots))
	var open []series.Slot
	var places []int
	for i, slot := range slots {
		if slot.State == series.SlotSkipped {
			all[i] = judgement{"skipped", 10, "The date is skipped: " + slot.SkippedBy() + "."}
			continue
		}
		open, places = append(open, slot), append(places, i)
	}
	var held []series.Slot // by those that end without an issue
	for i, turn := range series.Turns(open, now) {
		slot, left := open[i].Inherits(f, held)
		if held = left; turn != series.TurnRuns && slot.Hold {
			held = slices.Concat([]series.Slot{slot}, left)
		}
		slots[places[i]], all[places[i]] = slot, judgeTurn(s, slot, turn, now)
	}
	return all
}

func judgeTurn(s series.Series, slot series.Slot, turn series.Turn, now time.Time) judgement {
	held := "It is held: " + strings.TrimRight(cmp.Or(slot.Reason, "by an editor"), ".") + "."
	switch {
	case turn == series.TurnPassed:
		return judgement{"missed", 12, "Its time passed while Pressrun did not run."}
	case turn == series.TurnTogether:
		return judgement{"missed", 9, atOneInstant}
	case turn == series.TurnWaits:
		return judgement{"waiting", 11, "It waits behind a slot before it, which is held and keeps its turn."}
	case slot.Hold:
		return judgement{"", 11, held}
	case late(s, slot, now):
		return judgement{"", 12, "It is late: its issue will be held until an editor releases it."}
	}
	return judgement{}
}

// obstacle is what keeps the next slot of a series from sending as things are; empty: nothing.
func (p *Publisher) obstacle(ctx context.Context, q store.Querier, s series.Series) (string, error) {
	if s.Paused {
		return "The series is paused; resume it with: pressrun series resume " + s.Slug, nil
	}
	if err := p.lacks(s); err != nil {
		return err.Error(), nil
	}
	held, err := heldIssue(ctx, q, s)
	if err != nil {
		return "", err
	}
	if held != "" {
		return held + " is held and keeps its turn; release or cancel it.", nil
	}
	u, err := unfinished(ctx, q, s)
	if err != nil || u == nil {
		return "", err
	}
	return "It waits for an import: " + u.words(p.now()) + ".", nil
}

// forecaster returns the function that decides one of some slots after the other, as if each were sent, and fills in its row: nil where
// nobody sees it, so that nobody is counted for it.
func (p *Publisher) forecaster(ctx context.Context, q store.Querier, s series.Series, facts series.Facts, slots []series.Slot) (func(context.Context, series.Slot, *Planned) error, error) {
	if s.Mode == series.Drip {
		return p.dripForecaster(ctx, q, s, facts, slots)
	}
	f, err := newLiveForecast(ctx, q, s, facts, slots)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, slot series.Slot, row *Planned) error {
		d := f.decide(slot)
		switch {
		case row == nil:
			return nil
		case d.Outcome != series.Send:
			row.Blocked = d.Why
		case !f.some(slot):
			row.Blocked = nobodyThere
		}
		if d.Article.ID == 0 {
			return nil
		}
		row.Article, row.Title, row.Pinned = d.Article.Slug, d.Article.Title, d.Article.ID == slot.PinnedID
		n, err := outbox.CountFill(ctx, q, s.ID, d.Article.ID)
		if row.Readers = n + f.lacking(slot, d.Article.ID); row.Readers == 0 && row.Blocked == "" {
			row.Blocked = allHadIt
		}
		return err
	}, nil
}

func (p *Publisher) dripForecaster(ctx context.Context, q store.Querier, s series.Series, facts series.Facts, slots []series.Slot) (func(context.Context, series.Slot, *Planned) error, error) {
	readers, err := groups(ctx, q, s, facts, p.now(), slots...)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, slot series.Slot, row *Planned) error {
		sent := map[int64]int64{}
		waiting := map[int64]int64{}
		idle := nobodyThere
		for _, g := range readers {
			if slot.At.Before(g.back) {
				continue
			}
			switch d := step(g.facts, slot); d.Outcome {
			case series.Send:
				sent[d.Article.ID] += g.readers
			case series.Blocked:
				waiting[d.Article.ID] += g.readers
			case series.TooSoon:
				idle = welcomedLately
			case series.Empty:
				if idle == nobodyThere {
					idle = allHadAll
				}
			}
		}
		if row != nil {
			row.Pinned = sent[slot.PinnedID] > 0
			row.tally(facts.Articles, sent, waiting, idle)
		}
		return nil
	}, nil
}

// tally fills in a drip slot's articles with their readers, those of the most readers first; idle says why there are none.
func (row *Planned) tally(articles []series.Article, sent, waiting map[int64]int64, idle string) {
	most := int64(0)
	for _, a := range articles {
		if n := sent[a.ID]; n > 0 {
			row.Articles = append(row.Articles, PlannedArticle{a.Slug, n})
			row.Readers += n
			if n > most {
				most, row.Article, row.Title = n, a.Slug, a.Title
			}
		}
		if n := waiting[a.ID]; n > 0 {
			row.Blocked = fmt.Sprintf("“%s” is still a draft; readers who wait for it: %d.", a.Title, n)
		}
	}
	slices.SortStableFunc(row.Articles, func(a, b PlannedArticle) int { return cmp.Compare(b.Readers, a.Readers) })
	if len(row.Articles) == 0 && row.Blocked == "" {
		row.Blocked = idle
	}
}

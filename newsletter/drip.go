package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// drip is the filling of one drip slot: each reader's next article, one issue an article, some readers at a time in the
// order of their numbers. The issues stay in filling, which no worker sees, until all readers have been looked at. A crash
// in between loses nothing: the rows say how far it came.
type drip struct {
	p      *Publisher
	s      series.Series
	slot   series.Slot // ID 0: none, sent by hand
	kind   string
	facts  series.Facts
	issues map[int64]series.Issue // by article
	after  int64                  // the last reader who has a row

	outcomes map[series.Outcome]int64
	draft    series.Article       // one that blocked somebody
	hindered map[int64]*hindrance // articles that could not be frozen
}

// publishDrip does a slot of a drip series.
func (p *Publisher) publishDrip(ctx context.Context, s series.Series, slot series.Slot, o opening) (Happened, error) {
	d := &drip{p: p, s: s, slot: slot, kind: "slot"}
	if err := d.fill(ctx); err != nil {
		return Happened{}, err
	}
	if len(d.issues) == 0 {
		return d.idle(ctx)
	}
	if err := d.open(ctx, o); err != nil {
		return Happened{}, err
	}
	return d.happened(ctx, o)
}

// fill gives every mailable reader who has no row yet a row in the issue of their next article.
func (d *drip) fill(ctx context.Context) (err error) {
	ctx = withAsking(ctx, askFor) // outside of RunDue as well all letters together wait once
	d.outcomes, d.hindered = map[series.Outcome]int64{}, map[int64]*hindrance{}
	if d.facts, err = series.FactsOf(ctx, d.p.db, d.s); err != nil {
		return err
	}
	if d.issues, d.after, err = d.interrupted(ctx, d.p.db); err != nil {
		return err
	}
	return eachReaders(ctx, d.p.db, d.s.ID, d.after, func(readers []outbox.Reader) error { return d.chunk(ctx, readers) })
}

// interrupted finds the issues of this slot that an earlier run left in filling, and the last reader with a row in them.
func (d *drip) interrupted(ctx context.Context, q store.Querier) (map[int64]series.Issue, int64, error) {
	open, err := series.OpenIssues(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	issues, after := map[int64]series.Issue{}, int64(0)
	for _, issue := range open {
		if issue.SeriesID == d.s.ID && issue.Slot == d.slot.Wall && issue.Kind == d.kind && issue.State == series.IssueFilling {
			issues[issue.ArticleID] = issue
			after = max(after, issue.FillAfter)
		}
	}
	return issues, after, nil
}

// begunInDrip says whether an issue is one that a drip slot of a series has begun to fill.
func begunInDrip(s series.Series, issue series.Issue) bool {
	return issue.SeriesID == s.ID && issue.Kind == "slot" && issue.State == series.IssueFilling && issue.Name != slotName(s, series.Slot{Wall: issue.Slot})
}

// begunFor lists what was begun to fill for slots of a drip series.
func begunFor(ctx context.Context, q store.Querier, s series.Series, slots []series.Slot) ([]series.Issue, error) {
	if len(slots) == 0 {
		return nil, nil
	}
	open, err := series.OpenIssues(ctx, q)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(open, func(i series.Issue) bool {
		return !begunInDrip(s, i) || !slices.ContainsFunc(slots, func(slot series.Slot) bool { return slot.ID != 0 && slot.Wall == i.Slot })
	}), nil
}

// takeBack cancels what drip slots of a series have begun, where those says so of the slot's time: its readers would be taken to have had
// it. What was written for them is skipped by SkipCancelled.
func (p *Publisher) takeBack(ctx context.Context, tx *store.Tx, s series.Series, reason string, those func(wall string) bool) error {
	open, err := series.OpenIssues(ctx, tx)
	if err != nil {
		return err
	}
	for _, issue := range open {
		if !begunInDrip(s, issue) || !those(issue.Slot) {
			continue
		}
		if err := outbox.Cancel(ctx, tx, issue.ID, reason, p.now()); err != nil {
			return err
		}
	}
	return nil
}

// passBy takes back what a release began of held slots before this one, with which the series goes on.
func (p *Publisher) passBy(ctx context.Context, s series.Series, slot series.Slot) error {
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		return p.takeBack(ctx, tx, s, cutShort, func(wall string) bool { return wall < slot.Wall })
	})
	if err == nil {
		_, err = outbox.SkipCancelled(ctx, p.db, p.now())
	}
	return err
}

// chunk decides for some readers, renders what has no issue yet, and writes their rows in one short transaction.
func (d *drip) chunk(ctx context.Context, readers []outbox.Reader) error {
	next := map[int64][]outbox.Reader{} // by article
	fresh := map[int64]series.Frozen{}
	for _, r := range readers {
		decision := series.Next(atSlot(readerFacts(d.facts, r), d.slot))
		a := decision.Article
		if decision.Outcome == series.Send {
			if err := d.write(ctx, a, fresh); err != nil {
				return err
			}
			if d.hindered[a.ID] == nil {
				next[a.ID] = append(next[a.ID], r)
			}
		} else if decision.Outcome == series.Blocked {
			d.draft = a
		}
		d.outcomes[decision.Outcome]++
	}
	if len(next) == 0 {
		return nil
	}
	return d.p.db.InTx(ctx, func(tx *store.Tx) error { return d.add(ctx, tx, next, fresh) })
}

// write renders an article that has no issue in this slot yet into fresh; one that can't be is noted.
func (d *drip) write(ctx context.Context, a series.Article, fresh map[int64]series.Frozen) error {
	if _, done := d.issues[a.ID]; done || d.hindered[a.ID] != nil {
		return nil
	}
	if _, done := fresh[a.ID]; done {
		return nil
	}
	frozen, err := d.p.writeCleared(ctx, d.s, a) // no lock held while rendering
	var h *hindrance
	if errors.As(err, &h) {
		d.hindered[a.ID] = h
		return nil
	}
	frozen.Slot, frozen.Kind = d.slot.Wall, d.kind
	fresh[a.ID] = frozen
	return err
}

// add freezes the new issues and writes the rows of a chunk. It stops where another process has come further, since that
// one decided by facts without our rows.
func (d *drip) add(ctx context.Context, tx *store.Tx, next map[int64][]outbox.Reader, fresh map[int64]series.Frozen) error {
	if d.slot.ID != 0 {
		if err := stillOpen(ctx, tx, d.slot); err != nil {
			return err
		}
	}
	known, after, err := d.interrupted(ctx, tx)
	if err != nil {
		return err
	}
	if after != d.after || len(known) != len(d.issues) {
		return fmt.Errorf("filled by another process: %w", series.ErrSlot)
	}
	for _, a := range d.facts.Articles {
		if len(next[a.ID]) == 0 {
			continue
		}
		issue, ok := d.issues[a.ID]
		if !ok {
			if issue, err = series.Freeze(ctx, tx, fresh[a.ID], d.p.now()); err != nil {
				return err
			}
		}
		if _, err := outbox.AddNext(ctx, tx, issue.ID, next[a.ID], d.p.now()); err != nil {
			return err
		}
	}
	d.issues, d.after, err = d.interrupted(ctx, tx)
	return err
}

// open makes all issues of the slot real together, or holds them, and ends the slot.
func (d *drip) open(ctx context.Context, o opening) error {
	var words []word
	if d.slot.ID != 0 {
		words = d.words(o)
	}
	notices := d.p.notices(ctx, words...)
	return d.p.db.InTx(ctx, func(tx *store.Tx) error {
		now := d.p.now()
		if d.slot.ID != 0 {
			if err := stillOpen(ctx, tx, d.slot); err != nil {
				return err
			}
		}
		if o.state == series.IssueHeld {
			for _, issue := range d.issues {
				if err := outbox.Hold(ctx, tx, issue.ID, o.reason, now); err != nil {
					return err
				}
			}
		} else if err := outbox.Open(ctx, tx, now, d.ids()...); err != nil {
			return err
		}
		if d.slot.ID != 0 {
			if err := series.RecordSlot(ctx, tx, d.slot.ID, series.SlotIssued, d.reason(), now); err != nil {
				return err
			}
		}
		return d.p.enqueue(ctx, tx, notices)
	})
}

// discard takes back issues that could not be filled to the end, also where ctx has ended; cause says why.
func (d *drip) discard(ctx context.Context, cause error) error {
	err := d.p.db.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		for _, issue := range d.issues {
			if err := outbox.Cancel(ctx, tx, issue.ID, "It could not be queued for all readers; nobody got it.", d.p.now()); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(cause, series.ErrSlot) {
		cause = fmt.Errorf("one of its articles was sent by hand in this minute already; try again in the next: %w", cause)
	}
	return errors.Join(cause, err)
}

func (d *drip) ids() []int64 {
	var ids []int64
	for _, issue := range d.sorted() {
		ids = append(ids, issue.ID)
	}
	return ids
}

// sorted are the slot's issues by name.
func (d *drip) sorted() []series.Issue {
	var all []series.Issue
	for _, issue := range d.issues {
		all = append(all, issue)
	}
	slices.SortFunc(all, func(a, b series.Issue) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// reason says what kept some readers from an issue; empty: nothing.
func (d *drip) reason() string {
	text := ""
	for _, a := range d.facts.Articles {
		if h := d.hindered[a.ID]; h != nil {
			text += " " + h.Error()
		}
	}
	if n := d.outcomes[series.Blocked]; n > 0 {
		text += fmt.Sprintf(" %d readers wait for the draft “%s”.", n, d.draft.Title)
	}
	if text == "" {
		return ""
	}
	return text[1:]
}

// idle records a slot in which nobody gets anything: an article or a draft is in the way, or all have had everything.
func (d *drip) idle(ctx context.Context) (Happened, error) {
	for _, a := range d.facts.Articles {
		if h := d.hindered[a.ID]; h != nil {
			return d.p.close(ctx, d.s, d.slot, series.SlotHeld, d.reason(), d.p.hinderedWord(d.s, d.slot, h))
		}
	}
	switch {
	case d.outcomes[series.Blocked] > 0:
		return d.p.close(ctx, d.s, d.slot, series.SlotHeld, d.reason(), d.p.draftWord(d.s, d.slot, d.draft))
	case d.outcomes[series.TooSoon] > 0:
		return d.p.close(ctx, d.s, d.slot, series.SlotEmpty, welcomedLately, d.p.welcomedWord(d.s, d.slot))
	case d.outcomes[series.Empty] > 0:
		return d.p.close(ctx, d.s, d.slot, series.SlotEmpty, allHadAll, d.p.finishedWord(d.s, d.facts.Articles))
	}
	var pinned series.Article
	for _, a := range d.facts.Articles {
		if a.ID == d.slot.PinnedID {
			pinned = a
		}
	}
	return d.p.unread(ctx, d.s, d.facts, d.slot, pinned)
}

// What an empty slot of a drip series with readers says, and the plan before it.
const (
	welcomedLately = "Those with a next article had their welcome too short a time ago."
	allHadAll      = "Everybody has had everything."
)

// happened is what became of the slot.
func (d *drip) happened(ctx context.Context, o opening) (Happened, error) {
	h := happened(d.s, d.slot, series.SlotIssued, cmp.Or(o.reason, d.reason()))
	if o.state == series.IssueHeld {
		h.State = string(series.IssueHeld)
	}
	for _, issue := range d.sorted() {
		counts, err := outbox.Count(ctx, d.p.db, issue.ID)
		if err != nil {
			return h, err
		}
		h.Issues = append(h.Issues, issue.Name)
		h.Readers += counts.Total()
	}
	if o.state == series.IssueHeld {
		return h, nil
	}
	d.p.tellLeft(ctx, d.s, d.slot, d.sorted()...)
	return h, d.p.tellHeld(ctx, d.s, d.ids()...)
}

// words are what the editors hear of a drip slot before it opens; afterwards they hear what is left.
func (d *drip) words(o opening) []word {
	var all []word
	names := ""
	for _, issue := range d.sorted() {
		names += ", " + issue.Name
	}
	if o.state == series.IssueHeld {
		all = append(all, d.p.lateWord(d.s, d.slot, names[2:], o.reason))
	}
	for _, a := range d.facts.Articles {
		if h := d.hindered[a.ID]; h != nil {
			all = append(all, d.p.partlyWord(d.s, d.slot, h))
			break
		}
	}
	return all
}

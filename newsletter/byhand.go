package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// SendNow makes the next article (or the named one) an issue outside the slots and queues it; the coming slot then takes
// the one after. In drip without a name everybody gets their own next: issue and article are those of the most readers.
// readers is how many it goes to. With dryRun nothing is made. ErrNothing says why nothing can go, ErrImport for what it waits.
func (p *Publisher) SendNow(ctx context.Context, seriesSlug, articleSlug string, dryRun bool) (issue string, article string, readers int64, err error) {
	p.due.Lock()
	defer p.due.Unlock()
	s, err := series.BySlug(ctx, p.db, seriesSlug)
	if err == nil {
		err = p.allImported(ctx, p.db, s)
	}
	slot := p.thisMinute(s)
	if err == nil && articleSlug == "" {
		err = p.nothingHeld(ctx, s, slot)
	}
	if err == nil && !dryRun {
		err = p.mayLeave(ctx)
	}
	if err != nil {
		return "", "", 0, fmt.Errorf("send: %w", err)
	}
	if s.Mode == series.Drip && articleSlug == "" {
		issue, article, readers, err = p.dripNow(ctx, s, slot, dryRun)
	} else {
		issue, article, readers, err = p.sendArticle(ctx, s, slot, articleSlug, dryRun)
	}
	if err != nil {
		return "", "", 0, fmt.Errorf("send: %w", err)
	}
	p.wake()
	return issue, article, readers, nil
}

// nothingHeld fails with ErrNothing where an editor holds what would go now, in slot: an issue that has its turn, or what somebody would
// get in a slot on hold that did not run yet.
func (p *Publisher) nothingHeld(ctx context.Context, s series.Series, slot series.Slot) error {
	held, err := heldIssue(ctx, p.db, s)
	if err != nil {
		return err
	}
	if held != "" {
		return fmt.Errorf("%w: %s is held and keeps its turn; release or cancel it first", ErrNothing, held)
	}
	coming, err := p.comingFirst(ctx, s, slot.At)
	if err != nil || !slices.ContainsFunc(coming, func(next series.Slot) bool { return next.Hold }) {
		return err
	}
	readers, err := p.positions(ctx, s)
	if err != nil {
		return err
	}
	for _, facts := range readers {
		goes := series.Next(atSlot(facts, slot))
		if goes.Outcome != series.Send {
			continue
		}
		if hold, found := holdOf(facts, goes.Article, slot.At, coming); found {
			return fmt.Errorf("%w: %s is on hold (%s), and what it holds is what would go now; release it first, or name another article with --article",
				ErrNothing, slotName(s, hold), strings.TrimRight(hold.Reason, "."))
		}
	}
	return nil
}

// holdOf is the slot on hold that has an article for somebody, of those that come first; false: none. Up to the first that sends no pin,
// since that one has what is next for them, on hold or not. It changes f.Had.
func holdOf(f series.Facts, a series.Article, now time.Time, coming []series.Slot) (series.Slot, bool) {
	for _, slot := range coming {
		at := slot
		if at.At.Before(now) {
			at.At = now // what it holds goes once it runs
		}
		d := step(f, at)
		if slot.Hold && d.Article.ID == a.ID {
			return slot, true
		}
		if slot.PinnedID == 0 || d.Article.ID != slot.PinnedID {
			break
		}
	}
	return series.Slot{}, false
}

// comingFirst are the slots that send before anything else: those on hold whose time is past, without an issue or in a pause, and the next
// ones, one more than can be pinned.
func (p *Publisher) comingFirst(ctx context.Context, s series.Series, now time.Time) ([]series.Slot, error) {
	passed, err := series.HeldPassed(ctx, p.db, s.ID, now)
	if err != nil {
		return nil, err
	}
	held, err := series.HeldSlot(ctx, p.db, s.ID)
	switch {
	case err == nil:
		passed = slices.Insert(passed, 0, held)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	pins, err := series.Pins(ctx, p.db, s.ID)
	if err != nil {
		return nil, err
	}
	next, err := openSlots(ctx, p.db, s, now, len(pins)+1)
	return append(passed, next...), err
}

// positions are the facts of a series' readers: in live as if they were one, in drip of each position that somebody is at.
func (p *Publisher) positions(ctx context.Context, s series.Series) ([]series.Facts, error) {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil || s.Mode == series.Live {
		return []series.Facts{facts}, err
	}
	all, err := groups(ctx, p.db, s, facts, p.now())
	if err != nil {
		return nil, err
	}
	positions := make([]series.Facts, len(all))
	for i, g := range all {
		positions[i] = g.facts
	}
	return positions, nil
}

// thisMinute is the stand-in for a slot of an issue that has none.
func (p *Publisher) thisMinute(s series.Series) series.Slot {
	now := p.now()
	return series.Slot{SeriesID: s.ID, Wall: now.In(location(s)).Format(wallTime), At: now}
}

// sendArticle sends one article to everybody mailable who has not had it.
func (p *Publisher) sendArticle(ctx context.Context, s series.Series, slot series.Slot, slug string, dryRun bool) (string, string, int64, error) {
	a, err := p.articleNow(ctx, s, slot, slug)
	if err != nil {
		return "", "", 0, err
	}
	if n, err := wouldReach(ctx, p.db, s, a); err != nil || dryRun {
		return "", a.Slug, n, err
	}
	frozen, err := p.writeCleared(ctx, s, a)
	if err != nil {
		return "", "", 0, err
	}
	frozen.Slot, frozen.Kind = slot.Wall, "now"
	name, n, err := p.freezeAndFill(ctx, frozen)
	if err == nil {
		p.tellLeft(ctx, s, slot, series.Issue{ArticleID: a.ID})
	}
	return name, a.Slug, n, err
}

// wouldReach counts whom an article of a series would go to now. It fails with ErrNothing where that is nobody.
func wouldReach(ctx context.Context, q store.Querier, s series.Series, a series.Article) (int64, error) {
	n, err := outbox.CountFill(ctx, q, s.ID, a.ID)
	if err != nil || n > 0 {
		return n, err
	}
	some, err := hasReaders(ctx, q, s)
	if err != nil {
		return 0, err
	}
	why := "nobody who can be mailed is in the series; no issue was made, and the article keeps its turn"
	if some {
		why = "everybody who can be mailed has had it; no issue was made"
		other, err := firstLacked(ctx, q, s)
		if err != nil {
			return 0, err
		}
		if other != "" {
			why += fmt.Sprintf(". The first that somebody would get is “%s”: pressrun issue send %s --article %s", other, s.Slug, other)
		}
	}
	return 0, fmt.Errorf("series %s: %w: nobody would get “%s”, since %s", s.Slug, ErrNothing, a.Slug, why)
}

// firstLacked is the first ready article, of a live series one without issue, that somebody mailable would get; empty: there is none.
func firstLacked(ctx context.Context, q store.Querier, s series.Series) (slug string, err error) {
	facts, err := series.FactsOf(ctx, q, s)
	if err != nil {
		return "", err
	}
	for _, a := range facts.Articles {
		if _, issued := facts.Had[a.ID]; issued || a.State != series.Ready {
			continue
		}
		if n, err := outbox.CountFill(ctx, q, s.ID, a.ID); err != nil || n > 0 {
			return a.Slug, err
		}
	}
	return "", nil
}

// freezeAndFill makes an issue outside the slots of what was rendered.
func (p *Publisher) freezeAndFill(ctx context.Context, f series.Frozen) (name string, readers int64, err error) {
	var issue series.Issue
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		if f.Kind == "now" {
			if err := notIssued(ctx, tx, f); err != nil {
				return err
			}
		}
		issue, err = series.Freeze(ctx, tx, f, p.now())
		return sameMinute(err)
	})
	if err != nil {
		return "", 0, err
	}
	readers, err = outbox.FillLive(ctx, p.db, issue.ID, p.now)
	return issue.Name, readers, err
}

// sameMinute says what it means for an issue outside the slots that its name, which has the minute, is taken.
func sameMinute(err error) error {
	if errors.Is(err, series.ErrSlot) {
		return fmt.Errorf("this minute has its issue of it already; wait for the next one: %w", err)
	}
	return err
}

// articleNow is the article that goes now: the named one, which must be ready and, in live, without an issue that went to its end or
// goes on; else the next.
func (p *Publisher) articleNow(ctx context.Context, s series.Series, slot series.Slot, slug string) (series.Article, error) {
	if slug != "" {
		a, err := p.articleOf(ctx, s, slug)
		if err != nil {
			return a, err
		}
		had, err := p.LackIn(ctx, p.db, a)
		switch {
		case err != nil:
			return a, err
		case a.State != series.Ready:
			return a, fmt.Errorf("%w: article %s is %s; make it ready first", ErrNothing, slug, a.State)
		case !had.Issued.IsZero() && !had.Broken:
			return a, fmt.Errorf("%w: article %s had its issue on %s", ErrNothing, slug, at(s, had.Issued))
		}
		return a, nil
	}
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return series.Article{}, err
	}
	d := series.Next(atSlot(facts, slot))
	if d.Outcome != series.Send {
		return series.Article{}, fmt.Errorf("series %s: %w: %s", s.Slug, ErrNothing, d.Why)
	}
	return d.Article, nil
}

// dripNow gives every reader of a drip series their next article now.
func (p *Publisher) dripNow(ctx context.Context, s series.Series, slot series.Slot, dryRun bool) (issue, article string, readers int64, err error) {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return "", "", 0, err
	}
	forecast, err := p.dripForecaster(ctx, p.db, s, facts, []series.Slot{slot})
	if err != nil {
		return "", "", 0, err
	}
	var row Planned
	if err := forecast(ctx, slot, &row); err != nil {
		return "", "", 0, err
	}
	if row.Readers == 0 {
		return "", "", 0, fmt.Errorf("series %s: %w: %s", s.Slug, ErrNothing, row.Blocked)
	}
	if dryRun {
		return "", row.Article, row.Readers, nil
	}
	d := &drip{p: p, s: s, slot: slot, kind: "now"}
	if err := d.fill(ctx); err != nil {
		return "", "", 0, d.discard(ctx, err)
	}
	if len(d.issues) == 0 {
		return "", "", 0, fmt.Errorf("series %s: %w: %s", s.Slug, ErrNothing, d.reason())
	}
	if err := d.open(ctx, opening{state: series.IssueFilling}); err != nil {
		return "", "", 0, err
	}
	h, err := d.happened(ctx, opening{})
	for _, i := range d.issues {
		if a, failed := series.ArticleByID(ctx, p.db, i.ArticleID); failed == nil && a.Slug == row.Article {
			issue = i.Name
		}
	}
	return cmp.Or(issue, h.Issues[0]), row.Article, h.Readers, err
}

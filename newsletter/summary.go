package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

const (
	summaryAfter = 24 * time.Hour     // an issue began, its editors hear what became of it (rule 20)
	summaryStale = 7 * 24 * time.Hour // later than this after its time it is old news, and left out
)

// sumUp tells the editors, once for each issue, what became of it in its first day: of a drip slot, or of what was sent by hand to the
// readers of several articles, once for all its issues. While nothing may leave, as from a restored database, it waits.
func (p *Publisher) sumUp(ctx context.Context) error {
	now := p.now()
	begun, err := outbox.Unsummed(ctx, p.db, now.Add(-summaryAfter-summaryStale))
	if err != nil || len(begun) == 0 || p.mayLeave(ctx) != nil {
		return err
	}
	var errs []error
	for _, together := range byUnit(begun) {
		if now.Sub(together[len(together)-1].Since) < summaryAfter {
			continue
		}
		err := guarded(func() error { return p.sumUpUnit(ctx, together, now) })
		if err != nil {
			errs = append(errs, fmt.Errorf("summary of issue %d: %w", together[0].IssueID, err))
		}
	}
	return errors.Join(errs...)
}

// byUnit puts issues together that are one for their editors: those of a drip slot, and those that went to readers of a drip series by
// hand in one go, which is at one instant. The mode of the series says nothing: it may be another by now.
func byUnit(begun []outbox.Begun) [][]outbox.Begun {
	var all [][]outbox.Begun
	index := map[outbox.Begun]int{}
	for _, b := range begun {
		unit := outbox.Begun{SeriesID: b.SeriesID, Slot: b.Slot, Kind: b.Kind}
		switch b.Kind {
		case "slot":
		case "now":
			unit.Since = b.Since
		default:
			unit.IssueID = b.IssueID
		}
		i, known := index[unit]
		if !known {
			i = len(all)
			index[unit] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], b)
	}
	return all
}

// sumUpUnit notes and tells in one transaction. Of what nobody was to get there is nothing to say.
func (p *Publisher) sumUpUnit(ctx context.Context, together []outbox.Begun, now time.Time) error {
	sum, err := p.summaryOf(ctx, together)
	if err != nil {
		return err
	}
	var notices []outbox.Notice
	if len(p.site.NotifyTo) > 0 && sum.counts.Total() > 0 {
		w, err := p.summaryWord(ctx, sum)
		if err != nil {
			return err
		}
		notices = p.noticesTo(ctx, w, templates.In(p.site.Language).T("editors.summary.button"), p.summaryPage(sum))
	}
	errTold := errors.New("another process was faster") // whole or not at all: what it left is looked at in the next run
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		for _, b := range together {
			first, err := outbox.SumUp(ctx, tx, b.IssueID, now)
			if err != nil {
				return err
			}
			if !first {
				return errTold
			}
		}
		return p.enqueue(ctx, tx, notices)
	})
	if errors.Is(err, errTold) {
		return nil
	}
	return err
}

// summaryPage is the desk's page that shows most of it.
func (p *Publisher) summaryPage(sum summary) string {
	if len(sum.issues) > 1 {
		return p.url("desk", "series", sum.s.Slug)
	}
	return p.url("desk", "issue", sum.issues[0].Issue.Name)
}

// summary is what became of an issue, or of several that are one for their editors.
type summary struct {
	s            series.Series // of an announcement zero but for the zone
	name         string        // that commands take for all of it
	issues       []Status      // those with the most readers first
	counts       outbox.Counts
	classes      map[string]int64 // of the failed
	skips        outbox.Skips
	left         int64     // who got it and left the series since
	began, ended time.Time // of those that were not cancelled; ended zero: not yet
}

func (p *Publisher) summaryOf(ctx context.Context, together []outbox.Begun) (sum summary, err error) {
	sum.began, sum.classes = together[0].Since, map[string]int64{}
	open := false
	for _, b := range together {
		issue, err := series.IssueByID(ctx, p.db, b.IssueID)
		if err != nil {
			return sum, err
		}
		st, err := p.status(ctx, issue)
		if err == nil {
			err = sum.add(ctx, p.db, st)
		}
		if err != nil {
			return sum, err
		}
		open = open || issue.State != series.IssueDone && issue.State != series.IssueCancelled
		if issue.DoneAt.After(sum.ended) {
			sum.ended = issue.DoneAt
		}
	}
	if open {
		sum.ended = time.Time{}
	}
	slices.SortStableFunc(sum.issues, func(a, b Status) int { return cmp.Compare(b.Counts.Total(), a.Counts.Total()) })
	first := sum.issues[0]
	sum.s, sum.name = first.Series, first.Issue.Name
	sum.s.Zone = cmp.Or(sum.s.Zone, p.site.Zone)
	if first.Issue.Kind == "slot" {
		sum.name = sum.s.Slug + "/" + first.Issue.Slot
	}
	return sum, nil
}

func (sum *summary) add(ctx context.Context, q store.Querier, st Status) error {
	failed, err := outbox.Failures(ctx, q, st.Issue.ID)
	if err != nil {
		return err
	}
	skips, err := outbox.CountSkips(ctx, q, st.Issue.ID)
	if err != nil {
		return err
	}
	left, err := outbox.LeftSince(ctx, q, st.Issue.ID, st.Issue.SendingSince)
	if err != nil {
		return err
	}
	sum.issues, sum.left = append(sum.issues, st), sum.left+left
	sum.counts, sum.skips = sum.counts.Plus(st.Counts), sum.skips.Plus(skips)
	for class, n := range failed {
		sum.classes[class] += n
	}
	return nil
}

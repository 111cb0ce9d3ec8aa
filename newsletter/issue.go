package newsletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Status is what the desk and `issue show` say of an issue.
type Status struct {
	Issue   series.Issue
	Series  series.Series // zero for an announcement
	Article string        // slug; empty: none
	Counts  outbox.Counts
	Stops   []outbox.Stop // what refusals stopped of it; Issue.Reason says it too
	Planned *Planned      // of a slot that has not fired, without a forecast until ForeseeSlot adds it; nil: it has fired
}

// ErrSeveral says that a slot of a drip series has several issues where one is wanted; the text names them.
var ErrSeveral = errors.New("name one of them")

// Issue returns an issue with its counts. A slot that has no issue is shown by its own state (held, empty, missed, …).
func (p *Publisher) Issue(ctx context.Context, name string) (Status, error) {
	all, err := p.IssuesNamed(ctx, name)
	if err != nil {
		return Status{}, err
	}
	if len(all) > 1 {
		var names []string
		for _, st := range all {
			names = append(names, st.Issue.Name)
		}
		return Status{}, fmt.Errorf("%s has %d issues, %w: %s", name, len(all), ErrSeveral, strings.Join(names, ", "))
	}
	return all[0], nil
}

// IssuesNamed returns the issue of a name, as Issue does, or in drip all those of the slot that is named; never none.
func (p *Publisher) IssuesNamed(ctx context.Context, name string) ([]Status, error) {
	issues, err := p.resolve(ctx, p.db, name)
	if errors.Is(err, store.ErrNotFound) {
		slot, err := p.slotStatus(ctx, name)
		return []Status{slot}, err
	}
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(issues))
	for i, issue := range issues {
		if all[i], err = p.status(ctx, issue); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// IssuesWith returns the issue of a name and, in drip, those that were made with it: one for each article that somebody is at.
func (p *Publisher) IssuesWith(ctx context.Context, name string) ([]Status, error) {
	issue, err := series.IssueByName(ctx, p.db, name)
	if err != nil {
		return nil, err
	}
	first, err := p.status(ctx, issue)
	if err != nil || first.Series.Mode != series.Drip {
		return []Status{first}, err
	}
	beside, err := series.Issues(ctx, p.db, issue.SeriesID, 0)
	if err != nil {
		return nil, err
	}
	all := []Status{first}
	for _, each := range beside {
		if each.ID == issue.ID || each.Slot != issue.Slot || each.Kind != issue.Kind {
			continue
		}
		st, err := p.status(ctx, each)
		if err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	return all, nil
}

func (p *Publisher) status(ctx context.Context, issue series.Issue) (st Status, err error) {
	st.Issue = outbox.ForNobody(issue)
	if issue.SeriesID != 0 {
		if st.Series, err = series.ByID(ctx, p.db, issue.SeriesID); err != nil {
			return st, err
		}
	}
	if issue.ArticleID != 0 {
		a, err := series.ArticleByID(ctx, p.db, issue.ArticleID)
		if err != nil {
			return st, err
		}
		st.Article = a.Slug
	}
	if st.Counts, err = outbox.Count(ctx, p.db, issue.ID); err == nil {
		err = st.Counts.CountReturned(ctx, p.db, issue.ID)
	}
	if err != nil {
		return st, err
	}
	if issue.State == series.IssueSending || issue.State == series.IssuePaused {
		st.Stops, err = outbox.Stops(ctx, p.db, issue.ID)
		st.Issue.Reason = cmp.Or(st.Issue.Reason, stopped(st.Stops))
	}
	return st, err
}

// slotStatus shows a slot that has no issue as if it were one.
func (p *Publisher) slotStatus(ctx context.Context, name string) (Status, error) {
	s, slot, err := p.slotByName(ctx, p.db, name)
	if err != nil {
		return Status{}, err
	}
	issue := series.Issue{Name: name, SeriesID: s.ID, Slot: slot.Wall, Kind: "slot", State: series.IssueState(slot.State), Reason: slot.Reason}
	if slot.State == series.SlotPlanned && slot.Hold {
		issue.State = series.IssueHeld
	}
	st := Status{Issue: issue, Series: s}
	switch slot.State {
	case series.SlotPlanned:
		st.Planned = &Planned{Series: s.Slug, Slot: slot.Wall, At: slot.At.In(location(s))}
	case series.SlotHeld:
		err = p.nameHeld(ctx, s, slot, &st)
	}
	return st, err
}

// forecastReach is how many slots ahead one is foreseen: the plan decides every slot before it.
const forecastReach = 500

// ForeseeSlot adds what the plan says of a slot that has not fired, if it is not too far ahead; it looks at all readers for it.
func (p *Publisher) ForeseeSlot(ctx context.Context, st *Status) error {
	if st.Planned == nil {
		return nil
	}
	far, err := p.isFar(ctx, st.Series, st.Planned.At)
	if err != nil {
		return fmt.Errorf("issue %s: %w", st.Issue.Name, err)
	}
	if far {
		st.Planned.Blocked = fmt.Sprintf("It is more than %d slots ahead: what it will send is foreseen later.", forecastReach)
		return nil
	}
	from := st.Planned.At
	if !from.After(p.now()) {
		from = time.Time{} // it is due, and the plan begins with what is
	}
	for n := 1; ; n *= 2 { // several may be due, or at one instant
		rows, err := p.planSeries(ctx, p.db, st.Series, n, from)
		if err != nil {
			return fmt.Errorf("issue %s: %w", st.Issue.Name, err)
		}
		at := slices.IndexFunc(rows, func(row Planned) bool { return row.Slot == st.Planned.Slot })
		if at >= 0 {
			st.Planned = &rows[at]
			st.Article, st.Issue.Subject = rows[at].Article, rows[at].Title
		}
		if at >= 0 || len(rows) < n || rows[n-1].At.After(st.Planned.At) {
			return nil
		}
	}
}

func (p *Publisher) isFar(ctx context.Context, s series.Series, at time.Time) (bool, error) {
	slots, err := coming(ctx, p.db, s, p.now(), forecastReach)
	return len(slots) == forecastReach && at.After(slots[forecastReach-1].At), err
}

// nameHeld says of a slot held without an issue which article a release would send or wait for; in drip that of the most
// readers.
func (p *Publisher) nameHeld(ctx context.Context, s series.Series, slot series.Slot, st *Status) error {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return err
	}
	decide, err := p.forecaster(ctx, p.db, s, facts, []series.Slot{slot})
	if err != nil {
		return err
	}
	var row Planned
	if err := decide(ctx, slot, &row); err != nil {
		return fmt.Errorf("issue %s: %w", st.Issue.Name, err)
	}
	st.Article, st.Issue.Subject = row.Article, row.Title
	return nil
}

// IssueList lists issues with counts, newest first; "" means all series, n 0 all.
func (p *Publisher) IssueList(ctx context.Context, seriesSlug string, n int) ([]Status, error) {
	seriesID := int64(0)
	if seriesSlug != "" {
		s, err := series.BySlug(ctx, p.db, seriesSlug)
		if err != nil {
			return nil, err
		}
		seriesID = s.ID
	}
	issues, err := series.Issues(ctx, p.db, seriesID, n)
	if err != nil {
		return nil, err
	}
	all := make([]Status, len(issues))
	for i, issue := range issues {
		if all[i], err = p.status(ctx, issue); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// resolve finds the issue of a name, or in drip all issues of the slot that is named. store.ErrNotFound where there are none; what was
// begun of a slot that is due or held is none of it yet.
func (p *Publisher) resolve(ctx context.Context, q store.Querier, name string) ([]series.Issue, error) {
	issue, err := series.IssueByName(ctx, q, name)
	if !errors.Is(err, store.ErrNotFound) {
		return []series.Issue{issue}, err
	}
	slug, wall, _ := strings.Cut(name, "/")
	s, unknown := series.BySlug(ctx, q, slug)
	if unknown != nil {
		return nil, err
	}
	if slot, failed := series.SlotByWall(ctx, q, s.ID, wall); failed == nil && (slot.State == series.SlotPlanned || slot.State == series.SlotHeld) {
		return nil, err
	}
	all, failed := series.Issues(ctx, q, s.ID, 0)
	if failed != nil {
		return nil, failed
	}
	var found []series.Issue
	for _, issue := range all {
		if issue.Slot == wall && issue.Kind == "slot" {
			found = append(found, issue)
		}
	}
	if len(found) == 0 {
		return nil, err
	}
	return found, nil
}

// slotByName finds the slot SERIES/WALL, also one so far ahead that it has no row yet.
func (p *Publisher) slotByName(ctx context.Context, q store.Querier, name string) (s series.Series, slot series.Slot, err error) {
	slug, wall, named := strings.Cut(name, "/")
	if !named {
		return s, slot, fmt.Errorf("issue %s: an issue is named SERIES/SLOT, such as skin/2027-03-30T09:00: %w", name, store.ErrNotFound)
	}
	if s, err = series.BySlug(ctx, q, slug); err != nil {
		return s, slot, fmt.Errorf("issue %s: %w", name, err)
	}
	if slot, err = series.SlotNamed(ctx, q, s, wall, p.now()); errors.Is(err, store.ErrNotFound) {
		return s, slot, fmt.Errorf("issue %s: %w: series %s has neither an issue nor a slot of that name; see pressrun issue list %s and pressrun plan %s",
			name, store.ErrNotFound, slug, slug, slug)
	}
	if err != nil {
		return s, slot, fmt.Errorf("issue %s: %w", name, err)
	}
	return s, slot, nil
}

// each runs f on the issues of a name in one transaction.
func (p *Publisher) each(ctx context.Context, name string, f func(*store.Tx, int64, time.Time) error) error {
	defer p.wake()
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		issues, err := p.resolve(ctx, tx, name)
		if err != nil {
			return err
		}
		for _, issue := range issues {
			err := f(tx, issue.ID, p.now())
			if errors.Is(err, series.ErrState) {
				return err // it names the issue
			}
			if err != nil {
				return fmt.Errorf("issue %s: %w", issue.Name, err)
			}
		}
		return nil
	})
}

// HoldIssue keeps an issue from sending before anything of it left, or a coming slot from sending at all: at its time its
// issue is frozen and held. The other functions here change an issue by name in one transaction each too; their errors
// are series.ErrState and store.ErrNotFound.
func (p *Publisher) HoldIssue(ctx context.Context, name, reason string) error {
	reason = cmp.Or(reason, "by an editor")
	err := p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error {
		if err := notBegun(ctx, tx, id); err != nil {
			return err
		}
		return outbox.Hold(ctx, tx, id, reason, now)
	})
	if sending, unknown := p.resolve(ctx, p.db, name); errors.Is(err, series.ErrState) && unknown == nil && sending[0].State == series.IssueSending {
		return fmt.Errorf("%w; what is being sent can be paused: pressrun issue pause %s", err, name)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return p.db.InTx(ctx, func(tx *store.Tx) error { return p.holdSlot(ctx, tx, name, true, reason) })
}

// holdSlot marks a slot that has not fired, or takes the mark away.
func (p *Publisher) holdSlot(ctx context.Context, tx *store.Tx, name string, on bool, reason string) error {
	_, slot, err := p.slotByName(ctx, tx, name)
	if err != nil {
		return err
	}
	if slot.State != series.SlotPlanned {
		return slotOver(name, slot)
	}
	if err := series.HoldSlot(ctx, tx, slot, on, reason, p.now()); err != nil {
		return fmt.Errorf("issue %s: %w", name, err)
	}
	return nil
}

// slotOver refuses with series.ErrState what the state of a slot without an issue does not allow.
func slotOver(name string, slot series.Slot) error {
	return fmt.Errorf("issue %s: %w; the slot is %s", name, series.ErrState, strings.TrimSpace(fmt.Sprintf("%s. %s", slot.State, slot.Reason)))
}

// ReleaseIssue lets a held issue send: at once, also where its time is long past, since an editor says so. A coming slot
// that was held sends at its time again; a slot that was held without an issue is tried once more now.
func (p *Publisher) ReleaseIssue(ctx context.Context, name string) error {
	p.due.Lock()
	defer p.due.Unlock()
	err := p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error {
		if err := p.mayRelease(ctx, tx, id); err != nil {
			return err
		}
		return outbox.Release(ctx, tx, id, now)
	})
	if errors.Is(err, store.ErrNotFound) {
		return p.releaseSlot(ctx, name)
	}
	if err != nil {
		return err
	}
	defer p.wake()
	if err := p.continueFills(ctx); err != nil {
		return err
	}
	issues, err := p.resolve(ctx, p.db, name)
	for _, issue := range issues {
		if issue.State == series.IssueHeld {
			return stillHeld(issue)
		}
	}
	if err != nil || issues[0].Kind != "slot" {
		return err
	}
	s, slot, err := p.slotOf(ctx, issues[0])
	if err == nil {
		p.tellLeft(ctx, s, slot, issues...)
	}
	return err
}

// mayRelease refuses what a pause of the series keeps (rule 10), what would reach nobody, or would miss everybody whom an import brings:
// the readers of a live issue that was held before any were queued are looked for when it is released.
func (p *Publisher) mayRelease(ctx context.Context, q store.Querier, id int64) error {
	issue, err := series.IssueByID(ctx, q, id)
	if err != nil || issue.State != series.IssueHeld || issue.Kind != "slot" {
		return err
	}
	s, err := series.ByID(ctx, q, issue.SeriesID)
	if err == nil {
		err = goesOn(s, issue.Name)
	}
	if err != nil || s.Mode != series.Live || issue.FillAfter != 0 {
		return err
	}
	if err := p.allImported(ctx, q, s); err != nil {
		return err
	}
	return needsReaders(ctx, q, s)
}

// goesOn refuses with series.ErrState the release of what a slot of a paused series has.
func goesOn(s series.Series, issue string) error {
	if !s.Paused {
		return nil
	}
	return fmt.Errorf("issue %s: it stays held: %w: series %s is paused; resume it first: pressrun series resume %s", issue, series.ErrState, s.Slug, s.Slug)
}

// needsReaders refuses a release with ErrNothing while nobody of the series is mailable: a slot is used up by what it sends to nobody.
func needsReaders(ctx context.Context, q store.Querier, s series.Series) error {
	some, err := hasReaders(ctx, q, s)
	if err == nil && !some {
		err = fmt.Errorf("it stays held: %w: nobody who can be mailed is in the series", ErrNothing)
	}
	return err
}

// stillHeld says what to do with an issue that can't be released: what was frozen is not what the editors wrote since.
func stillHeld(issue series.Issue) error {
	mend := fmt.Sprintf("`pressrun issue cancel %s` gives its article back", issue.Name)
	if slug, _, _ := strings.Cut(issue.Name, "/"); issue.SeriesID != 0 {
		mend += fmt.Sprintf("; the next slot then sends it as it is now, or at once `pressrun issue send %s`", slug)
	}
	return fmt.Errorf("issue %s was not sent and stays held: %s %s: %w", issue.Name, issue.Reason, mend, series.ErrState)
}

func (p *Publisher) releaseSlot(ctx context.Context, name string) error {
	s, slot, err := p.slotByName(ctx, p.db, name)
	switch {
	case err != nil:
		return err
	case slot.State == series.SlotPlanned && slot.Hold:
		return p.db.InTx(ctx, func(tx *store.Tx) error { return p.holdSlot(ctx, tx, name, false, "") })
	case slot.State != series.SlotHeld:
		return slotOver(name, slot)
	}
	if err := goesOn(s, name); err != nil {
		return err
	}
	if err := p.allImported(ctx, p.db, s); err != nil {
		return fmt.Errorf("issue %s: %w", name, err)
	}
	if err := needsReaders(ctx, p.db, s); err != nil {
		return fmt.Errorf("issue %s: %w", name, err)
	}
	defer p.wake()
	h, err := p.publish(ctx, s, slot, opening{state: series.IssueFilling})
	if err != nil {
		return fmt.Errorf("issue %s: %w", name, err)
	}
	if h.State != string(series.SlotIssued) {
		return fmt.Errorf("issue %s: it can't go yet: %s: %w", name, h.Reason, series.ErrState)
	}
	return nil
}

// PauseIssue stops an issue that sends, within one message a connection; ResumeIssue goes on with the rows left.
func (p *Publisher) PauseIssue(ctx context.Context, name, reason string) error {
	err := p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error { return outbox.Pause(ctx, tx, id, reason, now) })
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	_, slot, err := p.slotByName(ctx, p.db, name)
	if err == nil && slot.State == series.SlotPlanned {
		return fmt.Errorf("issue %s: %w; nothing of it is being sent yet. pressrun issue hold %s keeps it back until you decide", name, series.ErrState, name)
	}
	if err == nil {
		err = slotOver(name, slot)
	}
	return err
}

// ResumeIssue ends a pause.
func (p *Publisher) ResumeIssue(ctx context.Context, name string) error {
	return p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error { return outbox.Resume(ctx, tx, id, now) })
}

// CancelIssue ends an issue: what was not handed over isn't. One that reached nobody gives its article back (rule 11). A slot
// that is due, or was held without an issue, is skipped by it.
func (p *Publisher) CancelIssue(ctx context.Context, name, reason string) error {
	err := p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error {
		if err := notBegun(ctx, tx, id); err != nil {
			return err
		}
		return outbox.Cancel(ctx, tx, id, reason, now)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = p.cancelSlot(ctx, name, reason)
	}
	if err == nil {
		_, err = outbox.SkipCancelled(ctx, p.db, p.now())
	}
	return err
}

// notBegun refuses to hold or cancel one of the issues that a slot has begun: until all its readers are queued, it is held or ends as a
// whole.
func notBegun(ctx context.Context, q store.Querier, id int64) error {
	issue, err := series.IssueByID(ctx, q, id)
	if err != nil || issue.State != series.IssueFilling || issue.Kind != "slot" {
		return err
	}
	s, err := series.ByID(ctx, q, issue.SeriesID)
	if err != nil || !begunInDrip(s, issue) {
		return err
	}
	slot, err := series.SlotByWall(ctx, q, s.ID, issue.Slot)
	name := path.Dir(issue.Name)
	switch {
	case err != nil:
		return err
	case slot.State == series.SlotHeld:
		return fmt.Errorf("issue %s: %w; its slot was not released to the end, so nobody got it. Release the slot once more "+
			"(pressrun issue release %s), or cancel all of it (pressrun issue cancel %s)", issue.Name, series.ErrState, name, name)
	case slot.State == series.SlotPlanned:
		return fmt.Errorf("issue %s: %w; its slot is still being queued, so nobody got it. Hold all of the slot (pressrun issue hold %s), "+
			"or cancel all of it (pressrun issue cancel %s)", issue.Name, series.ErrState, name, name)
	}
	return nil
}

// cancelSlot ends a slot that is due, or was held without an issue, with what was begun of it.
func (p *Publisher) cancelSlot(ctx context.Context, name, reason string) error {
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		s, slot, err := p.slotByName(ctx, tx, name)
		switch {
		case err != nil:
			return err
		case slot.State == series.SlotPlanned && slot.At.After(p.now()):
			return comingSlot(name, s, slot)
		case slot.State != series.SlotPlanned && slot.State != series.SlotHeld:
			return slotOver(name, slot)
		}
		reason := cmp.Or(reason, "by an editor")
		if err := series.RecordSlot(ctx, tx, slot.ID, series.SlotSkipped, reason, p.now()); err != nil {
			return fmt.Errorf("issue %s: %w", name, err)
		}
		return p.takeBack(ctx, tx, s, reason, func(wall string) bool { return wall == slot.Wall })
	})
}

// comingSlot refuses to cancel a slot that has not fired, and says what leaves it out (rule 10).
func comingSlot(name string, s series.Series, slot series.Slot) error {
	date, _, _ := strings.Cut(slot.Wall, "T")
	kept := ""
	if !slot.Hold {
		kept = "; pressrun issue hold " + name + " keeps it back until you decide"
	}
	return fmt.Errorf("issue %s: %w; it has not been made yet, so there is nothing to cancel. To leave its date out: pressrun series skip %s %s "+
		"(the next slot then sends what would have gone)%s", name, series.ErrState, s.Slug, date, kept)
}

// MayCancel refuses what CancelIssue would, as far as it is known before anybody is asked.
func (p *Publisher) MayCancel(st Status) error {
	if st.Planned == nil || !st.Planned.At.After(p.now()) {
		return nil
	}
	return comingSlot(st.Issue.Name, st.Series, series.Slot{Wall: st.Issue.Slot, Hold: st.Issue.State == series.IssueHeld})
}

// SettleIssue ends the uncertain deliveries of an issue: as "sent" they count as sent, as "again" they are sent once more. left are those
// that "again" leaves as they are, since their readers have started the series again and get the article in its turn.
func (p *Publisher) SettleIssue(ctx context.Context, name, as string) (settled, left int64, err error) {
	settled, err = p.count(ctx, name, func(tx *store.Tx, id int64, now time.Time) (int64, error) {
		n, err := outbox.Settle(ctx, tx, id, as, now)
		if err != nil {
			return 0, err
		}
		over, err := outbox.CountOver(ctx, tx, id)
		left += over
		return n, err
	})
	if err == nil {
		err = p.Finish(ctx)
	}
	return settled, left, err
}

// RetryIssue makes deliveries that failed for our own reasons pending again.
func (p *Publisher) RetryIssue(ctx context.Context, name string) (int64, error) {
	return p.count(ctx, name, func(tx *store.Tx, id int64, now time.Time) (int64, error) { return outbox.Retry(ctx, tx, id, now) })
}

// count is each for what changes a number of deliveries.
func (p *Publisher) count(ctx context.Context, name string, f func(*store.Tx, int64, time.Time) (int64, error)) (all int64, err error) {
	err = p.each(ctx, name, func(tx *store.Tx, id int64, now time.Time) error {
		n, err := f(tx, id, now)
		all += n
		return err
	})
	return all, err
}

// Withdraw takes an article out of next and cancels what of it was not handed over yet (rule 8).
func (p *Publisher) Withdraw(ctx context.Context, articleSlug string) (cancelled int64, err error) {
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		a, err := series.ArticleBySlug(ctx, tx, articleSlug)
		if err != nil {
			return err
		}
		if err := series.Withdraw(ctx, tx, a.ID, p.now()); err != nil {
			return err
		}
		cancelled, err = outbox.WithdrawArticle(ctx, tx, a.ID, p.now())
		return err
	})
	if err != nil {
		return 0, err
	}
	_, err = outbox.SkipCancelled(ctx, p.db, p.now())
	return cancelled, err
}

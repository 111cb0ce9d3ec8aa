package newsletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Happened is what became of one slot in a run.
type Happened struct {
	Series  string    `json:"series"`
	Slot    string    `json:"slot"`
	At      time.Time `json:"at"`
	State   string    `json:"state"` // issued, empty, missed, waiting, held
	Issues  []string  `json:"issues"`
	Readers int64     `json:"readers"`
	Reason  string    `json:"reason,omitempty"`
}

// RunDue does what is due at Now, once: plans slots, publishes or records each due slot, wakes paused enrolments, continues
// interrupted fills, shows the editors what goes tomorrow, and tells them what became of what went yesterday. Sending is the outbox
// worker's part; RunDue wakes it. What fails for one series doesn't stop the others; the error joins all that failed. While MayLeave errs,
// due slots stay as they are, and its error is among them; so do those of a series with an unfinished import, with ErrImport.
func (p *Publisher) RunDue(ctx context.Context) ([]Happened, error) {
	all, waits, err := p.runDue(ctx)
	return all, errors.Join(err, waits)
}

// runDue is RunDue with the slots apart that only wait for an import which may be at work: nothing failed there.
func (p *Publisher) runDue(ctx context.Context) (all []Happened, waits, err error) {
	p.due.Lock()
	defer p.due.Unlock()
	defer p.wake()
	defer func() { p.last.note(p.now(), err) }()
	ctx = withAsking(ctx, askFor) // shared, so that a site that doesn't answer keeps the slots waiting once, not for each letter
	now := p.now()
	errs := []error{p.keepHouse(ctx), p.planSlots(ctx, now), p.continueFills(ctx), p.Finish(ctx)}
	due, err := series.Due(ctx, p.db, now)
	errs = append(errs, err)
	if len(due) > 0 {
		if err := p.mayLeave(ctx); err != nil {
			return []Happened{}, nil, errors.Join(append(errs, fmt.Errorf("due slots that wait, %d: %w", len(due), err))...)
		}
	}
	all = []Happened{}
	for _, slots := range bySeries(due) {
		err := guarded(func() error {
			happened, err := p.runSlots(ctx, slots, now)
			all = append(all, happened...)
			return errors.Join(err, p.tellUnpinned(ctx, slots, happened))
		})
		last := slots[len(slots)-1]
		switch wait := (importWait{}); {
		case err == nil:
		case !errors.As(err, &wait):
			errs = append(errs, err, p.tellFailing(ctx, last, err))
		case wait.Failed != "":
			errs = append(errs, err, p.tellWaiting(ctx, last, wait))
		default:
			waits = errors.Join(waits, err)
			errs = append(errs, p.tellWaiting(ctx, last, wait))
		}
	}
	errs = append(errs, p.prove(ctx), p.sumUp(ctx), p.compact(ctx, now))
	return all, waits, errors.Join(errs...)
}

// tellFailing tells the editors of a slot that fails for a reason which nobody foresaw. It is tried again in every run.
func (p *Publisher) tellFailing(ctx context.Context, slot series.Slot, cause error) error {
	if ctx.Err() != nil {
		return nil // stopped, not failed
	}
	s, err := series.ByID(ctx, p.db, slot.SeriesID)
	if err != nil {
		return err
	}
	what, _, _ := strings.Cut(cause.Error(), "\n") // without the stack of a panic
	w := p.failingWord(s, slot, what)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

// guarded turns a panic into an error with its stack, so that a fault in one series' texts doesn't stop the others.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// bySeries splits slots by their series and keeps their order.
func bySeries(slots []series.Slot) [][]series.Slot {
	var all [][]series.Slot
	index := map[int64]int{}
	for _, slot := range slots {
		i, known := index[slot.SeriesID]
		if !known {
			i = len(all)
			index[slot.SeriesID] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], slot)
	}
	return all
}

// keepHouse wakes paused enrolments, forgets requests that were never confirmed, brings stopped imports to their end, keeps the
// journal of leaves short and takes who was erased out of the files too.
func (p *Publisher) keepHouse(ctx context.Context) error {
	finished, stopped := p.people.FinishImports(ctx, p.db)
	if finished > 0 {
		p.log.InfoContext(ctx, "stopped imports finished", "imports", finished)
	}
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := p.people.Wake(ctx, tx); err != nil {
			return fmt.Errorf("wake paused enrolments: %w", err)
		}
		if _, err := p.people.Sweep(ctx, tx); err != nil {
			return fmt.Errorf("sweep unconfirmed requests: %w", err)
		}
		return nil
	})
	errs := []error{stopped, err, p.sweepSensitive(ctx), p.people.CompactJournal(ctx, p.db), p.TakeRequests(ctx)}
	_, err = subscribers.Wipe(ctx, p.db)
	return errors.Join(append(errs, err)...)
}

func (p *Publisher) sweepSensitive(ctx context.Context) error {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return err
	}
	var sensitive []int64
	for _, s := range all {
		if s.Sensitive {
			sensitive = append(sensitive, s.ID)
		}
	}
	return p.people.SweepSensitive(ctx, p.db, sensitive)
}

// planSlots writes the rows of all slots up to now and the one after, so that none vanishes while the program is down.
func (p *Publisher) planSlots(ctx context.Context, now time.Time) error {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return fmt.Errorf("plan slots: %w", err)
	}
	var errs []error
	for _, s := range all {
		if err := p.db.InTx(ctx, func(tx *store.Tx) error { return series.EnsureSlots(ctx, tx, s, now, now) }); err != nil {
			errs = append(errs, fmt.Errorf("series %s: plan slots: %w", s.Slug, err))
		}
	}
	return errors.Join(errs...)
}

// late says whether a slot is past the grace period of its series (rule 12): its issue is held then.
func late(s series.Series, slot series.Slot, now time.Time) bool { return now.Sub(slot.At) > s.Grace }

// runSlots does the due slots of one series, given by time, as series.Turns says: one sends, or is held where it is late or an editor
// holds it; those before it are recorded as missed, so that there is never a burst (rule 12), and those after one on hold wait behind
// it (rule 11). While an import of the series is not done they stay as they are, up to the end of the grace period.
func (p *Publisher) runSlots(ctx context.Context, due []series.Slot, now time.Time) ([]Happened, error) {
	s, err := series.ByID(ctx, p.db, due[0].SeriesID)
	if err != nil {
		return nil, err
	}
	if last := due[len(due)-1]; !late(s, last, now) {
		u, err := unfinished(ctx, p.db, s)
		if err == nil && u != nil {
			err = importWait{u}
		}
		if err != nil {
			return nil, fmt.Errorf("slot %s waits: %w", last.Wall, err)
		}
	}
	var all []Happened
	for len(due) > 0 {
		run, with := turn(due, now)
		missed, err := p.miss(ctx, s, slices.Concat(due[:run], due[run+1:with]), due[run])
		if err != nil {
			return all, fmt.Errorf("series %s: slots beside %s: %w", s.Slug, due[run].Wall, err)
		}
		all = append(all, missed...)
		h, err := p.runSlot(ctx, due[run], now)
		if errors.Is(err, series.ErrState) { // an editor changed slot or article meanwhile: once more, as things are now
			h, err = p.runSlot(ctx, due[run], now)
		}
		if errors.Is(err, series.ErrSlot) {
			return all, nil // another process was faster, or the series is paused by now
		}
		if err != nil {
			return all, fmt.Errorf("series %s: slot %s: %w", s.Slug, due[run].Wall, err)
		}
		all = append(all, h)
		ran := due[run]
		if due = due[with:]; h.State == string(series.SlotIssued) { // where more were due its hold was taken back: one issue a run
			missed, err := p.miss(ctx, s, due, ran)
			return append(all, missed...), err
		}
	}
	return all, nil
}

// turn is the place of the due slot that runs, and that of the first one after it whose time is another.
func turn(due []series.Slot, now time.Time) (run, with int) {
	turns := series.Turns(due, now)
	run = slices.Index(turns, series.TurnRuns)
	for with = run + 1; with < len(due) && turns[with] == series.TurnTogether; with++ {
	}
	return run, with
}

// runSlot does one due slot as it and its series stand now.
func (p *Publisher) runSlot(ctx context.Context, slot series.Slot, now time.Time) (Happened, error) {
	s, err := series.ByID(ctx, p.db, slot.SeriesID)
	if err != nil {
		return Happened{}, err
	}
	if slot, err = series.SlotByWall(ctx, p.db, s.ID, slot.Wall); err != nil {
		return Happened{}, err
	}
	o := opening{state: series.IssueFilling}
	switch {
	case s.Paused:
		return Happened{}, fmt.Errorf("the series is paused: %w", series.ErrSlot)
	case late(s, slot, now):
		reason, err := p.lateReason(ctx, s, slot, now)
		if err != nil {
			return Happened{}, err
		}
		o = opening{series.IssueHeld, whyHeld(slot, reason)}
	case slot.Hold:
		o = opening{series.IssueHeld, slot.Reason}
	}
	return p.publish(ctx, s, slot, o)
}

// lateReason says why a late slot is held, and which import of its series is in the way of its release.
func (p *Publisher) lateReason(ctx context.Context, s series.Series, slot series.Slot, now time.Time) (string, error) {
	reason := fmt.Sprintf("It is %s late, and the series allows %s.", span(now.Sub(slot.At)), span(s.Grace))
	u, err := unfinished(ctx, p.db, s)
	if err != nil || u == nil {
		return reason, err
	}
	return reason + " It waits for an import: " + u.lasting() + ".", nil
}

// Why a slot sends nothing where another one was due with it.
const (
	passedBy     = "Pressrun did not run at that time, and another slot was due too."
	atOneInstant = "The clocks skip an hour on that day, and another slot is at the same instant."
)

// miss records slots as missed beside the one that runs, all together with what of them was begun.
func (p *Publisher) miss(ctx context.Context, s series.Series, slots []series.Slot, runs series.Slot) ([]Happened, error) {
	if len(slots) == 0 {
		return nil, nil
	}
	var all []Happened
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		for _, slot := range slots {
			reason := passedBy
			if slot.At.Equal(runs.At) {
				reason = atOneInstant
			}
			if err := series.RecordSlot(ctx, tx, slot.ID, series.SlotMissed, reason, p.now()); err != nil {
				return err
			}
			if err := p.takeBack(ctx, tx, s, cutShort, func(wall string) bool { return wall == slot.Wall }); err != nil {
				return err
			}
			all = append(all, happened(s, slot, series.SlotMissed, reason))
		}
		return nil
	})
	if errors.Is(err, series.ErrSlot) {
		return nil, nil // another process recorded them
	}
	if err == nil {
		_, err = outbox.SkipCancelled(ctx, p.db, p.now())
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// span writes a duration for people, to the minute: 6 h, 1 d 2 h, 40 min.
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	days, hours, minutes := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute
	text := ""
	for _, part := range []struct {
		n    time.Duration
		unit string
	}{{days, "d"}, {hours, "h"}, {minutes, "min"}} {
		if part.n > 0 {
			text += fmt.Sprintf(" %d %s", part.n, part.unit)
		}
	}
	if text == "" {
		return "0 min"
	}
	return text[1:]
}

// longestWait bounds how long Run sleeps, so that a suspended machine or a moved clock is noticed.
const longestWait = 30 * time.Second

// Run does RunDue at every slot and at least every 30 seconds by the wall clock, until ctx ends. Errors are logged and
// retried. It returns nil when ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	known := watch{troubles: said{}, waits: said{}}
	var door sync.WaitGroup
	door.Go(func() { p.takeWhenAsked(ctx) })
	defer door.Wait()
	for ctx.Err() == nil {
		p.turn(ctx, &known)
		p.sleep(ctx)
	}
	return nil
}

// watch is what Run has said already.
type watch struct {
	troubles, waits said
	alarm           alarm
}

// turn does what is due, once, and logs what Run has not said lately.
func (p *Publisher) turn(ctx context.Context, known *watch) {
	happened, waits, err := p.runDue(ctx)
	for _, h := range happened {
		// Not the reason: editors write it, and may name people.
		p.log.InfoContext(ctx, "slot done", "series", h.Series, "slot", h.Slot, "state", h.State, "deliveries", h.Readers)
	}
	if ctx.Err() == nil && known.troubles.isNew(err, p.now()) {
		p.log.ErrorContext(ctx, "scheduler", "error", err)
	}
	if ctx.Err() == nil && known.waits.isNew(waits, p.now()) {
		p.log.InfoContext(ctx, "slots wait for an import", "why", waits)
	}
	p.watchRelay(ctx, &known.alarm)
	p.ran()
}

// quiet is for how long a trouble must have been away to be said again.
const quiet = 5 * time.Minute

// said is when each trouble was there last, by its text: the same one in every run, or in every second, is one line, not thousands.
type said map[string]time.Time

// isNew says whether a trouble wasn't there lately; nil never is.
func (s said) isNew(trouble error, now time.Time) bool {
	maps.DeleteFunc(s, func(_ string, last time.Time) bool { return now.Sub(last) >= quiet })
	if trouble == nil {
		return false
	}
	_, known := s[trouble.Error()]
	s[trouble.Error()] = now
	return !known
}

// sleep waits until the next slot, 30 seconds at most.
func (p *Publisher) sleep(ctx context.Context) {
	wait := longestWait
	if next, err := p.nextSlot(ctx); err == nil && !next.IsZero() {
		wait = min(wait, max(next.Sub(p.now()), 100*time.Millisecond))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// nextSlot is the instant of the earliest planned slot of all series; zero: none.
func (p *Publisher) nextSlot(ctx context.Context) (time.Time, error) {
	all, err := series.All(ctx, p.db)
	if err != nil {
		return time.Time{}, err
	}
	var next time.Time
	for _, s := range all {
		slots, err := coming(ctx, p.db, s, p.now(), 1)
		if err != nil {
			return time.Time{}, err
		}
		if len(slots) > 0 && !s.Paused && (next.IsZero() || slots[0].At.Before(next)) {
			next = slots[0].At
		}
	}
	return next, nil
}

// relayAlarm is how long the relay may be away before the editors are told.
const relayAlarm = 10 * time.Minute

// alarm is since when the relay has been in trouble without a break; zero: it is well.
type alarm struct{ since time.Time }

// watchRelay tells the editors, once for each trouble, of a relay that has been away for ten minutes. The mail comes
// late, of course; the log doesn't.
func (p *Publisher) watchRelay(ctx context.Context, a *alarm) {
	trouble := p.trouble()
	switch now := p.now(); {
	case trouble == nil:
		a.since = time.Time{}
	case a.since.IsZero():
		a.since = now
	case now.Sub(a.since) >= relayAlarm:
		w := p.word("relay "+a.since.UTC().Format(time.RFC3339), "relay", "since", a.since.UTC().Format("15:04 UTC"), "problem", trouble.Error())
		err := p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
		if err != nil {
			p.log.ErrorContext(ctx, "relay trouble not told", "error", err)
		}
	}
}

// Finish marks issues done that are through, and tells the editors of deliveries whose fate nobody knows, and of relays and
// providers that refuse (rule 20). RunDue
// does it too; whoever has just delivered calls it to see the result.
func (p *Publisher) Finish(ctx context.Context) error {
	done, err := outbox.Finish(ctx, p.db, p.now())
	if err != nil {
		return fmt.Errorf("finish issues: %w", err)
	}
	look := map[int64]bool{}
	for _, id := range done {
		look[id] = true
	}
	open, err := series.OpenIssues(ctx, p.db)
	if err != nil {
		return fmt.Errorf("finish issues: %w", err)
	}
	for _, issue := range open {
		if issue.State == series.IssueSending {
			look[issue.ID] = false
		}
	}
	errs := []error{p.tellStops(ctx)}
	for id, isDone := range look {
		errs = append(errs, p.lookAt(ctx, id, isDone))
	}
	return errors.Join(errs...)
}

// lookAt logs an issue that is done and tells the editors of its failed and its uncertain deliveries.
func (p *Publisher) lookAt(ctx context.Context, id int64, done bool) error {
	counts, err := outbox.Count(ctx, p.db, id)
	if err != nil || !done && counts.Uncertain == 0 {
		return err
	}
	issue, err := series.IssueByID(ctx, p.db, id)
	if err != nil {
		return err
	}
	if done {
		p.log.InfoContext(ctx, "issue done", "issue", issue.Name, "sent", counts.Sent, "failed", counts.Failed, "skipped", counts.Skipped, "uncertain", counts.Uncertain)
		if err := p.tellFailed(ctx, issue); err != nil {
			return err
		}
	}
	if counts.Uncertain == 0 {
		return nil
	}
	w := p.uncertainWord(issue, counts)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

package newsletter

import (
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

// opening is how an issue starts: filling, or held with a reason for the editors.
type opening struct {
	state  series.IssueState
	reason string
}

// publish makes the next article of a series into the issue of slot and queues it for every mailable subscriber; in drip
// each reader's own next, one issue an article. What can't be sent is recorded with its reason, and the series keeps its
// turn. A second call for the same slot fails with series.ErrSlot.
func (p *Publisher) publish(ctx context.Context, s series.Series, slot series.Slot, o opening) (Happened, error) {
	if err := stillOpen(ctx, p.db, slot); err != nil {
		return Happened{}, err
	}
	behind, err := heldIssue(ctx, p.db, s)
	if err != nil {
		return Happened{}, err
	}
	if behind != "" && behind != slotName(s, slot) {
		return p.close(ctx, s, slot, series.SlotWaiting, behind+" is held and keeps its turn (rule 11).", p.waitingWord(s, slot, behind))
	}
	if err := p.passBy(ctx, s, slot); err != nil {
		return Happened{}, err
	}
	open, err := series.OpenIssues(ctx, p.db)
	if err != nil {
		return Happened{}, err
	}
	if slices.ContainsFunc(open, func(issue series.Issue) bool { return begunInDrip(s, issue) && issue.Slot == slot.Wall }) {
		s.Mode = series.Drip // a slot ends in the mode that it began in
	}
	if s.Mode == series.Drip {
		return p.publishDrip(ctx, s, slot, o)
	}
	return p.publishLive(ctx, s, slot, o)
}

// publishLive does a slot of a live series.
func (p *Publisher) publishLive(ctx context.Context, s series.Series, slot series.Slot, o opening) (Happened, error) {
	facts, err := series.FactsOf(ctx, p.db, s)
	if err != nil {
		return Happened{}, err
	}
	decision := series.Next(atSlot(facts, slot)) // decides, purely
	if decision.Outcome != series.Send {
		return p.idle(ctx, s, slot, decision)
	}
	none, err := p.nobodyFor(ctx, s, slot, o)
	if err != nil {
		return Happened{}, err
	}
	if none {
		return p.unread(ctx, s, facts, slot, decision.Article)
	}
	frozen, err := p.writeCleared(ctx, s, decision.Article) // no lock held while rendering
	if err != nil {
		return p.hindered(ctx, s, slot, err)
	}
	frozen.Slot, frozen.Kind, frozen.State, frozen.Reason = slot.Wall, "slot", o.state, o.reason
	issue, err := p.freeze(ctx, frozen, slot, p.issueWords(ctx, facts, frozen, slot)...)
	if err != nil {
		return p.hindered(ctx, s, slot, err)
	}
	h := happened(s, slot, series.SlotIssued, o.reason)
	h.Issues = []string{issue.Name}
	if o.state == series.IssueHeld {
		h.State = string(series.IssueHeld)
		return h, nil
	}
	h.Readers, err = outbox.FillLive(ctx, p.db, issue.ID, p.now) // rows in short chunks, then one flip makes them real
	if err != nil {
		return h, err
	}
	if h.Readers == 0 {
		w := p.emptyWord(s, slot, fmt.Sprintf("“%s”: %s", decision.Article.Title, allHadIt))
		return h, p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
	}
	return h, p.tellHeld(ctx, s, issue.ID)
}

// freeze makes the issue of a slot, ends the slot and queues words to the editors, all in one transaction.
func (p *Publisher) freeze(ctx context.Context, frozen series.Frozen, slot series.Slot, words ...word) (issue series.Issue, err error) {
	notices := p.notices(ctx, words...)
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		if err := errors.Join(stillOpen(ctx, tx, slot), notIssued(ctx, tx, frozen), notReserved(ctx, tx, frozen, slot)); err != nil {
			return err
		}
		if issue, err = series.Freeze(ctx, tx, frozen, p.now()); err != nil { // checks again: revision, state, disclaimer
			return err
		}
		if err := series.RecordSlot(ctx, tx, slot.ID, series.SlotIssued, "", p.now()); err != nil {
			return err
		}
		return p.enqueue(ctx, tx, notices)
	})
	return issue, err
}

// notReserved fails with series.ErrState where an editor pinned the article to a later slot since Next was asked.
func notReserved(ctx context.Context, q store.Querier, f series.Frozen, slot series.Slot) error {
	pins, err := series.Pins(ctx, q, f.Series.ID)
	if err != nil || f.Article.ID == slot.PinnedID {
		return err
	}
	if pin, waits := (series.Facts{Pins: pins, At: slot.At}).Reserved(f.Article.ID); waits {
		return fmt.Errorf("article %s was pinned to %s meanwhile: %w", f.Article.Slug, pin.Wall, series.ErrState)
	}
	return nil
}

// notIssued fails with series.ErrState where the article of a live series got its issue since Next was asked. One that was broken off
// may be followed by one by hand, for those who are without the article.
func notIssued(ctx context.Context, q store.Querier, f series.Frozen) error {
	if f.Series.Mode != series.Live {
		return nil
	}
	had, _, err := series.Had(ctx, q, f.Series.ID)
	_, issued := had[f.Article.ID]
	if err == nil && issued && f.Kind == "now" {
		var fates map[int64]series.Fate
		fates, err = series.Fates(ctx, q, f.Series.ID)
		issued = !fates[f.Article.ID].Broken
	}
	if err == nil && issued {
		err = fmt.Errorf("article %s was issued meanwhile: %w", f.Article.Slug, series.ErrState)
	}
	return err
}

// stillOpen says whether a slot is as it was when its turn came. It fails with series.ErrSlot where another process has done
// it, and with series.ErrState where an editor held, pinned or paused meanwhile: their word counts once it was answered.
func stillOpen(ctx context.Context, q store.Querier, slot series.Slot) error {
	now, err := series.SlotByWall(ctx, q, slot.SeriesID, slot.Wall)
	switch {
	case err != nil:
		return err
	case now.State == series.SlotHeld:
		return nil // an editor releases it
	case now.State != series.SlotPlanned:
		return fmt.Errorf("it is %s: %w", now.State, series.ErrSlot)
	case now.Hold != slot.Hold || now.PinnedID != slot.PinnedID:
		return fmt.Errorf("it was changed meanwhile: %w", series.ErrState)
	}
	s, err := series.ByID(ctx, q, slot.SeriesID)
	if err == nil && s.Paused {
		err = fmt.Errorf("the series was paused meanwhile: %w", series.ErrState)
	}
	return err
}

// heldIssue is the name of what of the series is held and has its turn (rule 11): an issue, or a slot on hold that got none since something
// was in its way. Empty: nothing.
func heldIssue(ctx context.Context, q store.Querier, s series.Series) (string, error) {
	open, err := series.OpenIssues(ctx, q)
	if err != nil {
		return "", fmt.Errorf("held issues: %w", err)
	}
	for _, issue := range open {
		if issue.SeriesID == s.ID && issue.State == series.IssueHeld && (issue.Kind == "slot" || issue.Kind == "now") {
			return issue.Name, nil
		}
	}
	slot, err := series.HeldSlot(ctx, q, s.ID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return slotName(s, slot), err
}

// happened is what became of a slot, in the series' zone.
func happened(s series.Series, slot series.Slot, state series.SlotState, reason string) Happened {
	return Happened{
		Series: s.Slug, Slot: slot.Wall, At: slot.At.In(location(s)), State: string(state), Issues: []string{}, Reason: reason,
	}
}

// close ends a slot that gets no issue and tells the editors in the same transaction.
func (p *Publisher) close(ctx context.Context, s series.Series, slot series.Slot, state series.SlotState, reason string, words ...word) (Happened, error) {
	if state == series.SlotHeld && slot.Hold { // it waits for its editor, not for the next slot
		reason = whyHeld(slot, reason)
		words = []word{p.lateWord(s, slot, slotName(s, slot), reason)}
	}
	if state == series.SlotEmpty && slot.Hold && slot.State == series.SlotPlanned {
		for i := range words {
			words[i].paragraphs = append(words[i].paragraphs, p.holdGoesOn(slot))
		}
	}
	notices := p.notices(ctx, words...)
	err := p.db.InTx(ctx, func(tx *store.Tx) error {
		if err := series.RecordSlot(ctx, tx, slot.ID, state, reason, p.now()); err != nil {
			return err
		}
		return p.enqueue(ctx, tx, notices)
	})
	return happened(s, slot, state, reason), err
}

// whyHeld is why a slot is held beside the reason of an editor who holds it; once more where that says so already.
func whyHeld(slot series.Slot, why string) string {
	switch {
	case !slot.Hold:
		return why
	case strings.Contains(slot.Reason, why):
		return slot.Reason
	}
	return strings.TrimRight(slot.Reason, ".") + ". " + why
}

// idle records a slot for which Next found nothing to send (rule 11).
func (p *Publisher) idle(ctx context.Context, s series.Series, slot series.Slot, d series.Decision) (Happened, error) {
	if d.Outcome == series.Blocked {
		return p.close(ctx, s, slot, series.SlotHeld, d.Why, p.draftWord(s, slot, d.Article))
	}
	return p.close(ctx, s, slot, series.SlotEmpty, d.Why, p.emptyWord(s, slot, d.Why))
}

// hindered records a slot as held where an editor has to mend something first; any other error comes back.
func (p *Publisher) hindered(ctx context.Context, s series.Series, slot series.Slot, err error) (Happened, error) {
	var h *hindrance
	switch {
	case errors.As(err, &h):
	case errors.Is(err, series.ErrDisclaimer):
		h = &hindrance{"The disclaimer did not get into the mail.", "Look at the disclaimer of the series and of the article."}
	default:
		return Happened{}, err
	}
	return p.close(ctx, s, slot, series.SlotHeld, h.Error(), p.hinderedWord(s, slot, h))
}

// continueFills goes on with what a crash interrupted and starts what was released. Nothing of what was cancelled counts as had afterwards.
func (p *Publisher) continueFills(ctx context.Context) error {
	open, err := series.OpenIssues(ctx, p.db)
	if err != nil {
		return fmt.Errorf("continue fills: %w", err)
	}
	var errs []error
	for _, issue := range open {
		if issue.State == series.IssuePlanned || issue.State == series.IssueFilling {
			if err := p.continueFill(ctx, issue); err != nil {
				errs = append(errs, fmt.Errorf("issue %s: continue fill: %w", issue.Name, err))
			}
		}
	}
	_, err = outbox.SkipCancelled(ctx, p.db, p.now())
	return errors.Join(append(errs, err)...)
}

// discardAfter is how long a fill that can't be resumed may take before it counts as interrupted: another process may be at it.
const discardAfter = 10 * time.Minute

// cutShort is why a fill that nothing continues was taken back.
const cutShort = "It was not queued for all of its readers; nobody got it."

// continueFill ends the fill of one issue, or opens it where its rows are complete: those of a drip slot, of an
// announcement, were written before it could be held. What was interrupted and is past the grace period is held, as a late
// slot is (rule 12). A fill by hand whose end nobody knows is discarded: nobody has seen it.
func (p *Publisher) continueFill(ctx context.Context, issue series.Issue) error {
	s, slot, err := p.slotOf(ctx, issue)
	if err != nil {
		return err
	}
	interrupted := issue.State == series.IssueFilling
	ownRows := issue.Kind == "announcement" || issue.Kind == "now" && s.Mode == series.Drip ||
		issue.Kind == "slot" && issue.Name != s.Slug+"/"+issue.Slot
	switch {
	case interrupted && ownRows && issue.Kind != "slot" && p.now().Sub(issue.Frozen) < discardAfter:
		return nil
	case interrupted && ownRows && (slot.State == series.SlotPlanned || slot.State == series.SlotHeld):
		return nil // its slot is due still, or is to be released, and continues it
	case interrupted && ownRows && slot.State != series.SlotIssued:
		return p.db.InTx(ctx, func(tx *store.Tx) error {
			return outbox.Cancel(ctx, tx, issue.ID, cutShort, p.now())
		})
	case interrupted && issue.Kind == "slot" && late(s, slot, p.now()):
		return p.holdLate(ctx, s, slot, issue)
	case ownRows:
		err = p.openIssue(ctx, issue)
	default:
		_, err = outbox.FillLive(ctx, p.db, issue.ID, p.now)
	}
	if err != nil {
		return err
	}
	return p.tellHeld(ctx, s, issue.ID)
}

// holdLate holds an issue whose fill was interrupted for longer than its series' grace.
func (p *Publisher) holdLate(ctx context.Context, s series.Series, slot series.Slot, issue series.Issue) error {
	reason := fmt.Sprintf("Pressrun stopped while it was being queued and came back %s after its time.", span(p.now().Sub(slot.At)))
	words := p.notices(ctx, p.lateWord(s, slot, issue.Name, reason))
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		if err := outbox.Hold(ctx, tx, issue.ID, reason, p.now()); err != nil {
			return err
		}
		return p.enqueue(ctx, tx, words)
	})
}

// tellHeld tells the editors where an issue was held at the end of its fill: its article changed meanwhile.
func (p *Publisher) tellHeld(ctx context.Context, s series.Series, issueIDs ...int64) error {
	for _, id := range issueIDs {
		issue, err := series.IssueByID(ctx, p.db, id)
		if err != nil {
			return err
		}
		if issue.State != series.IssueHeld {
			continue
		}
		w := p.word("changed "+issue.Name, "changed", "series", s.Title, "issue", issue.Name, "reason", issue.Reason, "slug", s.Slug)
		if err := p.Tell(ctx, w.dedupe, w.subject, w.paragraphs); err != nil {
			return err
		}
	}
	return nil
}

// slotOf finds the series and the slot of an issue; both are zero where it has none.
func (p *Publisher) slotOf(ctx context.Context, issue series.Issue) (s series.Series, slot series.Slot, err error) {
	if issue.SeriesID == 0 {
		return s, slot, nil
	}
	if s, err = series.ByID(ctx, p.db, issue.SeriesID); err != nil || issue.Kind != "slot" {
		return s, slot, err
	}
	slot, err = series.SlotByWall(ctx, p.db, s.ID, issue.Slot)
	return s, slot, err
}

// openIssue starts an issue whose rows are all there.
func (p *Publisher) openIssue(ctx context.Context, issue series.Issue) error {
	return p.db.InTx(ctx, func(tx *store.Tx) error {
		if issue.State == series.IssuePlanned {
			if err := series.Transition(ctx, tx, issue.ID, series.IssueFilling, "", p.now()); err != nil {
				return err
			}
		}
		return outbox.Open(ctx, tx, p.now(), issue.ID)
	})
}

// at writes a slot's time for the commands, which speak English, in the series' zone.
func at(s series.Series, t time.Time) string {
	return t.In(location(s)).Format("Monday 2 January 2006 at 15:04")
}

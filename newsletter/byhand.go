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
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
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

// Correct makes a correction of an issue (rule 7): a one-off issue with a note above the article as it is now, to those
// who had an older revision, or whose relay refused what it said, and no correction since. ErrNothing where the article has not
// changed, or where there are none.
func (p *Publisher) Correct(ctx context.Context, issueName, note string, dryRun bool) (issue string, readers int64, err error) {
	p.due.Lock()
	defer p.due.Unlock()
	wrap := func(err error) error { return fmt.Errorf("correct %s: %w", issueName, err) }
	s, a, err := p.corrected(ctx, issueName)
	if err != nil {
		return "", 0, wrap(err)
	}
	if err := p.allImported(ctx, p.db, s); err != nil {
		return "", 0, wrap(err)
	}
	if err := p.nobodyWaits(ctx, s, a); err != nil {
		return "", 0, wrap(err)
	}
	readers, err = outbox.CountCorrection(ctx, p.db, a.ID, a.Revision)
	switch {
	case err != nil:
		return "", 0, wrap(err)
	case readers == 0:
		return "", 0, wrap(fmt.Errorf("%w: nobody had a revision of %s before %d and no correction since", ErrNothing, a.Slug, a.Revision))
	case dryRun:
		return "", readers, nil
	}
	if err := p.mayLeave(ctx); err != nil {
		return "", 0, wrap(err)
	}
	l, err := p.letter(ctx, p.db, s, a)
	if err != nil {
		return "", 0, wrap(err)
	}
	l.Greeting = strings.TrimSpace(note)
	l.Subject = templates.InMail(l.Language).T("letter.correction_subject", "subject", cmp.Or(a.Subject, a.Title))
	frozen, err := p.write(ctx, s, a, l)
	if err == nil {
		err = p.cleared(ctx, frozen)
	}
	if err != nil {
		return "", 0, wrap(err)
	}
	frozen.Slot, frozen.Kind = p.thisMinute(s).Wall, "correction"
	issue, readers, err = p.freezeAndFill(ctx, frozen)
	if err != nil {
		return "", 0, wrap(err)
	}
	p.wake()
	return issue, readers, nil
}

// nobodyWaits fails with series.ErrState where an older revision of an article is still to go to somebody: it would follow its
// correction.
func (p *Publisher) nobodyWaits(ctx context.Context, s series.Series, a series.Article) error {
	id, rows, err := outbox.Outdated(ctx, p.db, a.ID, a.Revision)
	if err != nil || id == 0 {
		return err
	}
	issue, err := series.IssueByID(ctx, p.db, id)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s is still to go to %d with the old text (it is %s). Nothing was sent. Cancel it first, pressrun issue cancel %s: %s",
		series.ErrState, issue.Name, rows, issue.State, issue.Name, onceCancelled(s, a, issue))
}

// onceCancelled says who gets a mended article how, once an issue with its old text is cancelled.
func onceCancelled(s series.Series, a series.Article, issue series.Issue) string {
	drip, article := s.Mode == series.Drip, s.Slug+" --article "+a.Slug
	if !issue.Reached && (issue.Kind == "slot" || issue.Kind == "now") {
		how := "goes in its turn, or at once by: pressrun issue send " + article
		if drip {
			how = "comes in the next slot of everybody it was for"
		}
		return "nobody has it yet, so it gives its article back, and the mended one " + how +
			". A correction then goes to those alone who have the old text from another issue"
	}
	how := "by: pressrun issue announce " + article
	if drip {
		how = "in their next slot"
	}
	return "then the correction goes to those who have the old text or whose relay refused what it says, and the others get the mended article " + how
}

// corrected finds the series and the article, as it is now, of an issue that shall be corrected.
func (p *Publisher) corrected(ctx context.Context, name string) (s series.Series, a series.Article, err error) {
	original, err := series.IssueByName(ctx, p.db, name)
	if err != nil {
		return s, a, err
	}
	if original.Kind == "announcement" {
		return s, a, fmt.Errorf("%w: what was announced is corrected by another announcement (pressrun issue announce SERIES --file FILE), "+
			"and for readers of the article's own series by a correction of its issue there", series.ErrState)
	}
	if original.ArticleID == 0 {
		return s, a, fmt.Errorf("%w: it carries no article of a series", series.ErrState)
	}
	if s, err = series.ByID(ctx, p.db, original.SeriesID); err != nil {
		return s, a, err
	}
	if a, err = series.ArticleByID(ctx, p.db, original.ArticleID); err != nil {
		return s, a, err
	}
	if a.Revision <= original.Revision {
		return s, a, fmt.Errorf("%w: article %s has not changed since; edit and import it first", ErrNothing, a.Slug)
	}
	return s, a, nil
}

// Announcement is what is sent outside the order, and to whom.
type Announcement struct {
	Series          []string // slugs
	Where           string   // of these series only whom this filter picks (subscribers.Filter); empty: everybody
	Article         string   // the slug of an article of any series; or else
	Title, Markdown string   // a text of its own
}

// Everybody says whether an announcement goes to all readers of a series. Of the article's own series it is the article's issue then,
// as one sent by hand is; else the article keeps its turn there, and those who had it are left out.
func (a Announcement) Everybody(series string) bool {
	return strings.TrimSpace(a.Where) == "" && slices.Contains(a.Series, series)
}

// Announce sends an article, or a Markdown text with a title, to the active readers of the given series, or a segment of them,
// outside the order (rule 18), once to each person: who had the same words within a week is left out, so that a command that is run again
// mails nobody twice. It carries the disclaimers of all of these series; the sender is the article's series, else the first.
func (p *Publisher) Announce(ctx context.Context, a Announcement, dryRun bool) (issue string, readers int64, err error) {
	p.due.Lock()
	defer p.due.Unlock()
	wrap := func(err error) error { return fmt.Errorf("announce: %w", err) }
	to, err := p.addressed(ctx, a)
	if err != nil {
		return "", 0, wrap(err)
	}
	frozen, err := p.announcement(ctx, to, a)
	if err != nil {
		return "", 0, wrap(err)
	}
	had, err := p.hadSame(ctx, frozen)
	if err != nil {
		return "", 0, wrap(err)
	}
	if dryRun {
		if readers, err = p.countAnnouncement(ctx, to, frozen.Article, had); err == nil && readers == 0 {
			err = errNobodyLacks
		}
		if err != nil {
			return "", 0, wrap(err)
		}
		return "", readers, nil
	}
	if err := p.mayLeave(ctx); err != nil {
		return "", 0, wrap(err)
	}
	issue, readers, err = p.fillAnnouncement(ctx, frozen, to, had)
	if err != nil {
		return "", 0, wrap(err)
	}
	if frozen.Everybody {
		p.tellLeft(ctx, frozen.Series, p.thisMinute(frozen.Series), series.Issue{ArticleID: frozen.Article.ID})
	}
	p.wake()
	return issue, readers, nil
}

// errNobodyLacks says that an announcement would reach nobody.
var errNobodyLacks = fmt.Errorf("%w: nobody is there who has not had it (to say it again within a week, change the words)", ErrNothing)

// addressee is a series that an announcement goes to, and whom of it.
type addressee struct {
	series.Series
	all    bool
	picked map[int64]bool // unless all
}

func (a addressee) has(subscriberID int64) bool { return a.all || a.picked[subscriberID] }

// addressed are the series that an announcement goes to.
func (p *Publisher) addressed(ctx context.Context, a Announcement) ([]addressee, error) {
	if len(a.Series) == 0 {
		return nil, fmt.Errorf("%w: it needs at least one series", series.ErrInvalid)
	}
	var all []addressee
	for _, slug := range a.Series {
		s, err := series.BySlug(ctx, p.db, slug)
		if err != nil {
			return nil, err
		}
		if err := p.allImported(ctx, p.db, s); err != nil {
			return nil, err
		}
		to := addressee{Series: s, all: strings.TrimSpace(a.Where) == "", picked: map[int64]bool{}}
		if !to.all {
			where, err := subscribers.ReadFilter(ctx, p.db, a.Where, location(s))
			if err == nil {
				err = subscribers.Picked(ctx, p.db, s.ID, where, func(id int64) { to.picked[id] = true })
			}
			if err != nil {
				return nil, err
			}
		}
		all = append(all, to)
	}
	return all, nil
}

// announcement renders what an announcement says.
func (p *Publisher) announcement(ctx context.Context, to []addressee, said Announcement) (series.Frozen, error) {
	from := to[0].Series
	var a series.Article
	l, err := p.frame(ctx, p.db, from)
	if err != nil {
		return series.Frozen{}, err
	}
	l.Title, l.Markdown = said.Title, said.Markdown
	if said.Article != "" {
		if a, err = series.ArticleBySlug(ctx, p.db, said.Article); err != nil {
			return series.Frozen{}, err
		}
		if a.State != series.Ready {
			return series.Frozen{}, fmt.Errorf("%w: article %s is %s; make it ready first", ErrNothing, said.Article, a.State)
		}
		if from, err = series.ByID(ctx, p.db, a.SeriesID); err != nil {
			return series.Frozen{}, err
		}
		if l, err = p.letter(ctx, p.db, from, a); err != nil {
			return series.Frozen{}, err
		}
	}
	texts := []string{from.Disclaimer.Text}
	for _, s := range to {
		if !slices.Contains(texts, s.Disclaimer.Text) {
			texts = append(texts, s.Disclaimer.Text)
		}
	}
	l.Disclaimer = strings.Join(texts, "\n\n")
	frozen, err := p.write(ctx, from, a, l)
	if err == nil {
		err = p.cleared(ctx, frozen)
	}
	frozen.Slot, frozen.Kind = p.thisMinute(series.Series{Zone: p.site.Zone}).Wall, "announcement"
	frozen.Everybody = a.ID != 0 && said.Everybody(from.Slug)
	return frozen, err
}

// sameWords is for how long an announcement with the same words is the same announcement.
const sameWords = 7 * 24 * time.Hour

// hadSame are the people who had an announcement of the same words lately. Where it is an article's, that counts as had
// anyway.
func (p *Publisher) hadSame(ctx context.Context, f series.Frozen) (map[int64]bool, error) {
	if f.Article.ID != 0 {
		return nil, nil
	}
	all, err := series.Issues(ctx, p.db, 0, 0)
	if err != nil {
		return nil, err
	}
	had := map[int64]bool{}
	for _, issue := range all {
		if p.now().Sub(issue.Frozen) >= sameWords {
			break
		}
		if issue.Kind != f.Kind || issue.ArticleID != 0 || issue.Subject != f.Subject {
			continue
		}
		if issue, err = series.IssueByID(ctx, p.db, issue.ID); err != nil {
			return nil, err
		}
		if issue.Text != f.Text {
			continue
		}
		if err := outbox.Recipients(ctx, p.db, issue.ID, func(subscriber int64) { had[subscriber] = true }); err != nil {
			return nil, err
		}
	}
	return had, nil
}

// eachLacking calls f with the readers of one series whom an announcement goes to, some at a time: none who had its article, in
// whatever series (rule 14), or who had the same words.
func (p *Publisher) eachLacking(ctx context.Context, s addressee, a series.Article, same map[int64]bool, f func(ids []int64) error) error {
	return eachReaders(ctx, p.db, s.ID, 0, func(readers []outbox.Reader) error {
		had := same
		if a.ID != 0 {
			var err error
			if had, err = outbox.HadBy(ctx, p.db, a.SeriesID, a.ID, readers[0].SubscriberID, readers[len(readers)-1].SubscriberID); err != nil {
				return err
			}
		}
		ids := make([]int64, 0, len(readers))
		for _, r := range readers {
			if !had[r.SubscriberID] && s.has(r.SubscriberID) {
				ids = append(ids, r.SubscriberID)
			}
		}
		return f(ids)
	})
}

// countAnnouncement counts the people whom an announcement would go to.
func (p *Publisher) countAnnouncement(ctx context.Context, to []addressee, a series.Article, same map[int64]bool) (int64, error) {
	people := map[int64]bool{}
	for _, s := range to {
		err := p.eachLacking(ctx, s, a, same, func(ids []int64) error {
			for _, id := range ids {
				people[id] = true
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return int64(len(people)), nil
}

// fillAnnouncement freezes the issue, writes its rows in chunks and opens it. Who reads several of its series gets it as a reader of
// the article's own, whose sender it has; else of the first.
func (p *Publisher) fillAnnouncement(ctx context.Context, f series.Frozen, to []addressee, same map[int64]bool) (name string, readers int64, err error) {
	if own := slices.IndexFunc(to, func(s addressee) bool { return s.ID == f.Article.SeriesID }); own > 0 {
		to[0], to[own] = to[own], to[0]
	}
	var issue series.Issue
	err = p.db.InTx(ctx, func(tx *store.Tx) error {
		issue, err = series.Freeze(ctx, tx, f, p.now())
		return sameMinute(err)
	})
	if err != nil {
		return "", 0, err
	}
	for i, s := range to {
		n, err := p.addReaders(ctx, issue, s, f.Article, same)
		readers += n
		if err == nil && readers == 0 && i == len(to)-1 {
			err = errNobodyLacks
		}
		if err != nil {
			discard := p.db.InTx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
				return outbox.Cancel(ctx, tx, issue.ID, "It could not be queued for all readers; nobody got it.", p.now())
			})
			return "", 0, errors.Join(err, discard)
		}
	}
	return issue.Name, readers, p.db.InTx(ctx, func(tx *store.Tx) error { return outbox.Open(ctx, tx, p.now(), issue.ID) })
}

// addReaders writes the rows of an announcement for the readers of one series, and says how many.
func (p *Publisher) addReaders(ctx context.Context, issue series.Issue, s addressee, a series.Article, same map[int64]bool) (added int64, err error) {
	err = p.eachLacking(ctx, s, a, same, func(ids []int64) error {
		return p.db.InTx(ctx, func(tx *store.Tx) error {
			n, err := outbox.AddFor(ctx, tx, issue.ID, s.ID, ids, p.now())
			added += n
			return err
		})
	})
	return added, err
}

package newsletter

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/templates"
)

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

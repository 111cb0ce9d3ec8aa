package newsletter

import (
	"context"
	"fmt"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Of a thousand who got an issue: how many complaints the editors hear of, and how many pause it, from stopComplaints on (STANDARDS section 8).
const (
	alarmShare     = 1
	stopShare      = 3
	stopComplaints = 5
)

// tellAlarms tells the editors once a day of mail that came back because of us, and for each issue of its complaints.
func (p *Publisher) tellAlarms(ctx context.Context) error {
	day := p.now().UTC().Truncate(24 * time.Hour)
	all, err := outbox.Alarms(ctx, p.db, day)
	if err != nil {
		return err
	}
	var blocked int64
	for _, a := range all {
		blocked += a.Blocked
		if a.IssueID != 0 && a.Complained > 0 {
			if err := p.tellComplaints(ctx, a.IssueID, day); err != nil {
				return err
			}
		}
	}
	if blocked == 0 {
		return nil
	}
	said, err := outbox.SaidBlocked(ctx, p.db, day)
	if err != nil {
		return err
	}
	w := p.word("blocked "+day.Format(time.DateOnly), "blocked", "n", blocked, "said", said)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

// tellComplaints tells of the complaints of an issue where there are enough, and pauses it where there are too many.
func (p *Publisher) tellComplaints(ctx context.Context, issueID int64, day time.Time) error {
	issue, err := series.IssueByID(ctx, p.db, issueID)
	if err != nil {
		return err
	}
	c, err := outbox.Count(ctx, p.db, issueID)
	if err == nil {
		err = c.CountReturned(ctx, p.db, issueID)
	}
	got := max(c.Sent, c.Complained) // who complained of what isn't known to have arrived has it
	if err != nil || 1000*c.Complained < alarmShare*got {
		return err
	}
	args := []any{"subject", outbox.ForNobody(issue).Subject, "issue", issue.Name, "n", c.Complained, "total", got}
	w := p.word("complaints "+issue.Name+" "+day.Format(time.DateOnly), "complaints", args...)
	if err := p.Tell(ctx, w.dedupe, w.subject, w.paragraphs); err != nil {
		return err
	}
	if c.Complained < stopComplaints || 1000*c.Complained < stopShare*got || issue.State != series.IssueSending {
		return nil
	}
	reason := fmt.Sprintf("%d of %d who got it called it spam, so the rest waits. See that all who get it asked for it; then resume or cancel the issue.",
		c.Complained, got)
	notices := p.notices(ctx, p.word("complained "+issue.Name, "complained", args...))
	var stopped bool
	err = p.db.InTx(ctx, func(tx *store.Tx) (err error) {
		stopped, err = outbox.StopForComplaints(ctx, tx, issueID, reason, p.now())
		if err == nil && stopped {
			err = p.enqueue(ctx, tx, notices)
		}
		return err
	})
	if err == nil && stopped {
		p.log.WarnContext(ctx, "issue paused for complaints", "issue", issueID, "complaints", c.Complained, "sent", got)
		p.wake()
	}
	return err
}

package newsletter

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
)

// Course is when what waits of an issue that is sent goes out at the pace of now; zero where no pace is set, or nothing waits.
func (p *Publisher) Course(ctx context.Context, st Status) (pace.Course, error) {
	if p.pace.Off() || st.Issue.State != series.IssueSending || st.Counts.Open() == 0 {
		return pace.Course{}, nil
	}
	return outbox.CourseOf(ctx, p.db, p.pace, st.Issue, p.now())
}

// CourseNow is when an issue of a series for so many readers would go out if it was sent now, behind what waits.
func (p *Publisher) CourseNow(ctx context.Context, slug string, readers int64) (pace.Course, error) {
	if p.pace.Off() {
		return pace.Course{}, nil
	}
	s, err := series.BySlug(ctx, p.db, slug)
	if err != nil {
		return pace.Course{}, err
	}
	providers, err := outbox.Providers(ctx, p.db, s.ID)
	if err != nil {
		return pace.Course{}, err
	}
	return outbox.CourseFor(ctx, p.db, p.pace, providers, readers, s.FromEmail, p.now(), p.now())
}

// addEnds says of planned slots of a series when their last message leaves, where a pace is set.
func (p *Publisher) addEnds(ctx context.Context, s series.Series, planned []Planned) error {
	if p.pace.Off() || len(planned) == 0 {
		return nil
	}
	providers, err := outbox.Providers(ctx, p.db, s.ID)
	if err != nil {
		return err
	}
	for i := range planned {
		row := &planned[i]
		c, err := outbox.CourseFor(ctx, p.db, p.pace, providers, row.Readers, s.FromEmail, row.At, p.now())
		if err != nil {
			return err
		}
		if !c.Ends.IsZero() {
			row.Ends = c.Ends.In(location(s)).Truncate(time.Second)
		}
	}
	return nil
}

// stopped says what refusals stopped of an issue, for its reason; empty: nothing.
func stopped(stops []outbox.Stop) string {
	var all []string
	for _, s := range stops {
		if s.Lane != "" {
			all = append(all, fmt.Sprintf("%s refuses it, so %d deliveries there wait: %s.", s.Lane, s.Waiting, strings.TrimSuffix(s.Reply, ".")))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, " ") + " When that is mended, resume the issue."
}

// tellStops tells the editors, once each, of issues that a relay or a mailbox provider refuses (rule 20).
func (p *Publisher) tellStops(ctx context.Context) error {
	stops, err := outbox.Stops(ctx, p.db, 0)
	if err != nil {
		return err
	}
	for _, s := range stops {
		issue, err := series.IssueByID(ctx, p.db, s.IssueID)
		if err != nil {
			return err
		}
		w := stopWord(issue, s)
		told, err := p.told(ctx, w)
		if err == nil && !told {
			err = p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// told says whether the editors have had a word, so that it isn't written as a mail once more.
func (p *Publisher) told(ctx context.Context, w word) (bool, error) {
	if len(p.site.NotifyTo) == 0 {
		return true, nil
	}
	return outbox.Queued(ctx, p.db, p.keyTo(w.dedupe, p.site.NotifyTo[0]))
}

func stopWord(issue series.Issue, s outbox.Stop) word {
	subject := outbox.ForNobody(issue).Subject
	w := word{dedupe: fmt.Sprintf("stopped %s %s %d", issue.Name, s.Lane, s.Since.UnixMilli())}
	again := fmt.Sprintf("Then go on with: pressrun issue resume %s. What failed meanwhile is sent again by: pressrun issue retry %s", issue.Name, issue.Name)
	if s.Class == string(outbox.ClassUnsigned) {
		w.subject = fmt.Sprintf("Paused, it can't be signed: “%s”", subject)
		w.paragraphs = []string{
			fmt.Sprintf("%s can't be signed: %s.", issue.Name, s.Reply),
			fmt.Sprintf("The issue is paused. Nothing is lost and nothing left unsigned: its %d deliveries wait, and none of them failed.", s.Waiting),
			fmt.Sprintf("Put the key back into the folder that dkim.keys names, or let the relay sign by: pressrun dkim drop DOMAIN. Then go on with: pressrun issue resume %s", issue.Name),
		}
		return w
	}
	if s.Lane == "" {
		w.subject = fmt.Sprintf("Paused, the relay refuses our mail: “%s”", subject)
		w.paragraphs = []string{
			fmt.Sprintf("The relay refused %s again and again, for reasons that lie with us: %s", issue.Name, s.Reply),
			fmt.Sprintf("The issue is paused. Nothing is lost: its %d remaining deliveries wait, and nobody's address is held responsible.", s.Waiting),
			"Look at the relay's words, and with pressrun check at login, sender and DNS. " + again,
		}
		return w
	}
	w.subject = fmt.Sprintf("%s refuses “%s”", s.Lane, subject)
	w.paragraphs = []string{
		fmt.Sprintf("%s refused %s five times in a row: %s", s.Lane, issue.Name, s.Reply),
		fmt.Sprintf("Nothing is lost: its %d remaining deliveries to %s wait, all others go on, and nobody's address is held responsible.", s.Waiting, s.Lane),
		"The provider's words usually name a page that says what it wants; pressrun check looks at SPF, DKIM and DMARC. " + again,
	}
	return w
}

package newsletter

import (
	"context"
	"strings"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/templates"
)

// failureClasses are the classes of failed deliveries in the order in which editors are told; what each means is editors.failed.CLASS.
var failureClasses = []string{
	string(mailer.ClassDead), string(mailer.ClassMailbox), string(mailer.ClassBlocked), string(mailer.ClassConfig), string(mailer.ClassContent),
	string(mailer.ClassUnsupported), "expired",
}

// failedWord sums up what failed of an issue, or of all issues of a drip slot.
func (p *Publisher) failedWord(name, subject string, total, failed int64, classes map[string]int64) word {
	words := templates.In(p.site.Language)
	w := p.word("failed "+name, "failed", "subject", subject, "issue", name, "n", failed, "total", total)
	w.paragraphs = append(w.paragraphs, saidClasses(words, classes)...)
	if mayRetry(classes) {
		w.paragraphs = append(w.paragraphs, words.T("editors.failed.again", "issue", name))
	}
	return w
}

// saidClasses says of each class how many failed and what that means.
func saidClasses(w templates.Words, classes map[string]int64) (said []string) {
	for _, class := range failureClasses {
		if n := classes[class]; n > 0 {
			said = append(said, w.T("editors.failed."+class, "n", n))
		}
	}
	return said
}

// mayRetry says whether issue retry would find something: what failed for reasons of ours.
func mayRetry(classes map[string]int64) bool {
	return classes[string(mailer.ClassBlocked)]+classes[string(mailer.ClassConfig)]+classes["expired"] > 0
}

// tellFailed tells the editors what failed of an issue that is done: one word for a slot, once nothing of it is open.
func (p *Publisher) tellFailed(ctx context.Context, issue series.Issue) error {
	name := issue.Name
	if parts := strings.SplitN(name, "/", 3); len(parts) == 3 && issue.Kind == "slot" {
		name = parts[0] + "/" + parts[1] // a drip slot has an issue for each article
	}
	all, err := p.IssuesNamed(ctx, name)
	if err != nil {
		return err
	}
	var total, failed int64
	classes := map[string]int64{}
	for _, st := range all {
		if st.Issue.State != series.IssueDone && st.Issue.State != series.IssueCancelled {
			return nil
		}
		found, err := outbox.Failures(ctx, p.db, st.Issue.ID)
		if err != nil {
			return err
		}
		for class, n := range found {
			classes[class] += n
		}
		total, failed = total+st.Counts.Total(), failed+st.Counts.Failed
	}
	if failed == 0 {
		return nil
	}
	w := p.failedWord(name, all[0].Issue.Subject, total, failed, classes)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

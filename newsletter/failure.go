package newsletter

import (
	"context"
	"fmt"
	"strings"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
)

// failureWords are what failed deliveries of a class mean to an editor.
var failureWords = []struct{ class, means string }{
	{string(mailer.ClassDead), "the address or its domain does not exist. Who can't be reached at all is suppressed and gets nothing more"},
	{string(mailer.ClassMailbox), "the mailbox is full or takes no mail now. They stay readers, unless it lasts: five failures over thirty days with no delivery between"},
	{string(mailer.ClassBlocked), "the receiving side refuses our mail. That is held against nobody; look at the relay's words with pressrun issue show"},
	{string(mailer.ClassConfig), "our sender or settings were refused"},
	{string(mailer.ClassContent), "what the issue says was refused"},
	{string(mailer.ClassUnsupported), "the relay can't write to such an address"},
	{"expired", "put off again and again until it was too late"},
}

// failedWord sums up what failed of an issue, or of all issues of a drip slot.
func failedWord(name, subject string, total, failed int64, classes map[string]int64) word {
	w := word{"failed " + name, fmt.Sprintf("Failed deliveries: “%s”", subject), []string{
		fmt.Sprintf("%s is through. %d of its %d deliveries failed:", name, failed, total),
	}}
	for _, f := range failureWords {
		if n := classes[f.class]; n > 0 {
			w.paragraphs = append(w.paragraphs, fmt.Sprintf("%d: %s.", n, f.means))
		}
	}
	if classes[string(mailer.ClassBlocked)]+classes[string(mailer.ClassConfig)]+classes["expired"] > 0 {
		w.paragraphs = append(w.paragraphs, "What failed for reasons of ours can be sent again once they are mended: pressrun issue retry "+name)
	}
	return w
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
	w := failedWord(name, all[0].Issue.Subject, total, failed, classes)
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

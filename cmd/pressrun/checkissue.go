package main

import (
	"context"
	"fmt"
	"time"

	"pressrun/newsletter"
)

// mostLooked is how many articles of one slot check looks at: a drip slot may have one for each reader.
const mostLooked = 10

// checkIssues looks at what goes next in each series: preflight of its letters, and when it ends at the pace that is set.
func (s *site) checkIssues(ctx context.Context) ([]finding, error) {
	planned, err := s.publisher.Plan(ctx, "", 2, time.Time{})
	if err != nil {
		return nil, err
	}
	var all []finding
	next := map[string]newsletter.Planned{}
	for _, row := range planned {
		if first, second := next[row.Series]; second {
			all = append(all, checkEnd(first, row)...)
			continue
		}
		next[row.Series] = row
		if row.Blocked != "" {
			all = append(all, finding{What: row.Series + ": next slot", OK: true, Warning: true, Said: row.Blocked})
		}
		articles := row.Articles
		if len(articles) == 0 && row.Article != "" {
			articles = []newsletter.PlannedArticle{{Article: row.Article, Readers: row.Readers}}
		}
		for _, a := range articles[:min(len(articles), mostLooked)] {
			found, err := s.checkLetter(ctx, row.Series, a.Article)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// checkEnd says when the next issue of a series ends, where a pace is set, and warns where that is after its following slot.
func checkEnd(next, following newsletter.Planned) []finding {
	if next.Ends.IsZero() {
		return nil
	}
	f := finding{
		What: next.Series + ": pace", OK: true,
		Said: fmt.Sprintf("the next issue goes to %s and ends on %s", countOf(next.Readers, "reader", "readers"), when(next.Ends)),
	}
	if next.Ends.After(following.At) {
		f.Warning = true
		f.Said += ", after the slot that follows on " + when(following.At)
		f.Mend = "Set a faster pace in [relay], use a relay that takes more, or send less often."
	}
	return []finding{f}
}

// checkLetter is preflight of one article, a line for each finding.
func (s *site) checkLetter(ctx context.Context, of, article string) ([]finding, error) {
	found, err := s.publisher.Preflight(ctx, article)
	if err != nil {
		return nil, err
	}
	found = aboutArticle(found)
	what := of + ": next, " + article
	if len(found) == 0 {
		return []finding{{What: what, OK: true, Said: "preflight found nothing"}}, nil
	}
	var all []finding
	for _, f := range found {
		all = append(all, finding{What: what, OK: !f.Error, Warning: !f.Error, Said: f.What, Mend: f.Why + " " + f.Mend})
	}
	return all, nil
}

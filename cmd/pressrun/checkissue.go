package main

import (
	"context"
	"fmt"
	"time"

	"pressrun/newsletter"
)

// mostLooked is how many articles of one slot check looks at: a drip slot may have one for each reader.
const mostLooked = 10

// checkIssues looks at what goes next in each series: preflight of its letters, and the relay's daily limit.
func (s *site) checkIssues(ctx context.Context) ([]finding, error) {
	planned, err := s.publisher.Plan(ctx, "", 1, time.Time{})
	if err != nil {
		return nil, err
	}
	var all []finding
	for _, row := range planned {
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
		if daily := s.cfg.Relay.Kind.Daily; daily > 0 && row.Readers > int64(daily) {
			all = append(all, finding{
				What: row.Series + ": readers", OK: true, Warning: true,
				Said: fmt.Sprintf("the next issue goes to %d, and %s takes %d a day", row.Readers, s.cfg.Relay.Kind.Name, daily),
				Mend: "The rest would be refused until the next day. Use a relay made for so many.",
			})
		}
	}
	return all, nil
}

// checkLetter is preflight of one article, a line for each finding.
func (s *site) checkLetter(ctx context.Context, of, article string) ([]finding, error) {
	found, err := s.publisher.Preflight(ctx, article)
	if err != nil {
		return nil, err
	}
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

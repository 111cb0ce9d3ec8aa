package newsletter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"pressrun/newsletter/series"
	"pressrun/templates"
)

// mostSummed is how many articles, or issues that wait for an editor, a summary names.
const mostSummed = 5

// summaryWord says when it went out, what became of its letters, who left, and what goes next.
func (p *Publisher) summaryWord(ctx context.Context, sum summary) (word, error) {
	next, err := p.saidNext(ctx, sum.s)
	if err != nil {
		return word{}, err
	}
	w := templates.In(p.site.Language)
	first := sum.issues[0].Issue
	said := word{dedupe: "summary " + first.Name, subject: w.T("editors.summary.subject", "subject", first.Subject)}
	if len(sum.issues) > 1 {
		said.subject = w.T("editors.summary.subject_several", "series", sum.s.Title, "when", p.at(sum.s, sum.began))
	}
	said.paragraphs = slices.Concat([]string{p.saidCourse(w, sum)}, saidStopped(w, sum), saidArticles(w, sum.issues),
		[]string{w.T("editors.summary.sent", "n", sum.counts.Sent, "total", sum.counts.Total())},
		saidFailed(w, sum), saidUncertain(w, sum), saidSkips(w, sum))
	switch {
	case sum.left > 0:
		said.paragraphs = append(said.paragraphs, w.T("editors.summary.left", "n", sum.left))
	case sum.counts.Sent > 0:
		said.paragraphs = append(said.paragraphs, w.T("editors.summary.left_nobody"))
	}
	said.paragraphs = append(said.paragraphs, next...)
	return said, nil
}

// saidCourse says from when until when it went out, or that it still does.
func (p *Publisher) saidCourse(w templates.Words, sum summary) string {
	key := "editors.summary.sending"
	began, ended := p.at(sum.s, sum.began), p.at(sum.s, sum.ended)
	switch {
	case !sum.ended.IsZero() && began == ended:
		key = "editors.summary.at_once"
	case !sum.ended.IsZero():
		key = "editors.summary.done"
	case !slices.ContainsFunc(sum.issues, func(st Status) bool { return st.Issue.State != series.IssueCancelled }):
		key = "editors.summary.over"
	}
	return w.T(key, "issue", sum.name, "began", began, "ended", ended, "n", sum.counts.Open(), "total", sum.counts.Total())
}

// saidStopped names what is paused, held or cancelled, or kept from some of its readers, with why and what to do.
func saidStopped(w templates.Words, sum summary) (said []string) {
	more := 0
	for _, st := range sum.issues {
		key := "editors.summary." + string(st.Issue.State)
		switch st.Issue.State {
		case series.IssueDone:
			continue
		case series.IssueSending:
			if st.Issue.Reason == "" {
				continue
			}
			key = "editors.summary.refused"
		}
		if len(said) == mostSummed {
			more++
			continue
		}
		said = append(said, w.T(key, "issue", st.Issue.Name, "reason", strings.TrimRight(cmp.Or(st.Issue.Reason, "by an editor"), ".")))
	}
	if more > 0 {
		said = append(said, w.T("editors.summary.more", "n", more, "series", sum.s.Slug))
	}
	return said
}

// saidArticles names the articles of several issues, those with the most readers first.
func saidArticles(w templates.Words, issues []Status) []string {
	if len(issues) == 1 {
		return nil
	}
	var names []string
	for _, st := range issues[:min(len(issues), mostSummed)] {
		names = append(names, w.T("editors.summary.article", "subject", st.Issue.Subject, "n", st.Counts.Total()))
	}
	if more := len(issues) - len(names); more > 0 {
		names = append(names, w.T("editors.summary.others", "n", more))
	}
	return []string{w.T("editors.summary.articles", "n", len(issues), "articles", w.List(names...))}
}

// commands are the names by which commands find what of a summary they are for: a slot has one for all of its issues.
func (sum summary) commands(wanted func(Status) bool) (names []string) {
	for _, st := range sum.issues {
		if !wanted(st) {
			continue
		}
		if st.Issue.Kind == "slot" {
			return []string{sum.name}
		}
		names = append(names, st.Issue.Name)
	}
	return names
}

// saidFailed says what failed by its class, and what can be sent again.
func saidFailed(w templates.Words, sum summary) []string {
	if sum.counts.Failed == 0 {
		return nil
	}
	said := []string{w.T("editors.summary.failed", "n", sum.counts.Failed)}
	said = append(said, saidClasses(w, sum.classes)...)
	if mayRetry(sum.classes) {
		for _, name := range sum.commands(func(st Status) bool { return st.Counts.Failed > 0 }) {
			said = append(said, w.T("editors.failed.again", "issue", name))
		}
	}
	return said
}

// saidUncertain says of which letters nobody knows what became of them, and how to settle that.
func saidUncertain(w templates.Words, sum summary) (said []string) {
	if sum.counts.Uncertain == 0 {
		return nil
	}
	said = []string{w.T("editors.summary.uncertain", "n", sum.counts.Uncertain)}
	for _, name := range sum.commands(func(st Status) bool { return st.Counts.Uncertain > 0 }) {
		said = append(said, w.T("editors.uncertain.mend", "issue", name))
	}
	return said
}

// saidSkips says who got nothing since something was in the way when their turn came.
func saidSkips(w templates.Words, sum summary) (said []string) {
	for _, skip := range []struct {
		key string
		n   int64
	}{{"left", sum.skips.Left}, {"refused", sum.skips.Refused}, {"again", sum.skips.Again}, {"paused", sum.skips.Paused}, {"else", sum.skips.Else}} {
		if skip.n > 0 {
			said = append(said, w.T("editors.summary.skipped_"+skip.key, "n", skip.n))
		}
	}
	return said
}

// saidNext says what the series' next slot sends as things are. An announcement is no series'.
func (p *Publisher) saidNext(ctx context.Context, s series.Series) ([]string, error) {
	if s.ID == 0 {
		return nil, nil
	}
	w := templates.In(p.site.Language)
	next, err := p.Foresee(ctx, p.db, s)
	if err != nil {
		return nil, fmt.Errorf("series %s: what goes next: %w", s.Slug, err)
	}
	if next.Slot == "" {
		return []string{w.T("editors.summary.next_none", "series", s.Title)}, nil
	}
	about := []any{"title", next.Title, "when", w.Time(next.At), "n", next.Readers, "why", next.Blocked, "articles", len(next.Articles)}
	key := "editors.summary.next"
	switch {
	case next.Article == "":
		key = "editors.summary.next_nothing"
	case len(next.Articles) > 1:
		key = "editors.summary.next_several"
	}
	said := []string{w.T(key, about...)}
	if next.Article != "" && next.Blocked != "" {
		said = append(said, w.T("editors.summary.next_blocked", about...))
	}
	return said, nil
}

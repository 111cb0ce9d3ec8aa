package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// syncReport is what sync prints.
type syncReport struct {
	Series     string               `json:"series"`
	Folder     string               `json:"folder"`
	Applied    bool                 `json:"applied"`
	Refused    bool                 `json:"refused"` // nothing was or would be done
	OrderedBy  string               `json:"ordered_by"`
	Disclaimer string               `json:"disclaimer"` // the closing note that the texts shared
	Articles   []syncLine           `json:"articles"`   // that are not as they were, in the order of the series
	Unchanged  int                  `json:"unchanged"`
	Problems   []importProblem      `json:"problems"`
	Before     []newsletter.Planned `json:"slots_before"`
	After      []newsletter.Planned `json:"slots_after"`
	Notes      []string             `json:"notes"`

	of       series.Series
	read     int
	findings map[string][]newsletter.Finding // of preflight, by slug
	shown    bool                            // before the question
}

type syncLine struct {
	Article   string               `json:"article"`
	Title     string               `json:"title"`
	Source    string               `json:"source"`  // empty: its file is gone
	Outcome   string               `json:"outcome"` // new, withdrawn, ready, draft, changed, moved: the first that it is
	Changed   []string             `json:"changed"`
	State     string               `json:"state"`
	Was       string               `json:"was"` // its state before; empty: it is new
	Place     int64                `json:"place"`
	From      int64                `json:"from"` // its place before; 0: it is new
	Moved     bool                 `json:"moved"`
	Past      int64                `json:"readers_past"` // who had a later article already, of those put or made ready somewhere
	Before    int64                `json:"readers_before"`
	Skip      int64                `json:"readers_skipping"` // of those past: who is without it and doesn't get it
	Issued    *time.Time           `json:"issued,omitempty"` // in a live series: it had its issue, and is nobody's next
	Lacking   int64                `json:"readers_without"`  // with Issued, of what was withdrawn
	Broken    bool                 `json:"issue_broken_off"` // likewise: issue send --article goes to those without it
	Open      []newsletter.Open    `json:"issues"`           // of it, before the sync, that were neither done nor cancelled
	Cancelled int64                `json:"deliveries_cancelled"`
	Findings  []newsletter.Finding `json:"findings,omitempty"` // of preflight

	markdown  string
	backfill  bool
	elsewhere bool // in a live series: it was published before, and is in the archive only
}

func newSyncReport(of series.Series, dir string, found importer.Found) *syncReport {
	r := &syncReport{
		Series: of.Slug, Folder: dir, OrderedBy: found.OrderedBy, Disclaimer: found.Disclaimer, of: of, read: len(found.Articles),
		Articles: []syncLine{}, Problems: []importProblem{}, Before: []newsletter.Planned{}, After: []newsletter.Planned{}, Notes: []string{},
		findings: map[string][]newsletter.Finding{},
	}
	for _, p := range found.Problems {
		r.Problems = append(r.Problems, importProblem(p))
	}
	return r
}

// fatal says that a file can't be taken.
func (r *syncReport) fatal() bool {
	return slices.ContainsFunc(r.Problems, func(p importProblem) bool { return p.Fatal })
}

// fill takes what a sync did, or would do.
func (r *syncReport) fill(done newsletter.Synced) {
	r.Articles, r.Unchanged, r.Notes = []syncLine{}, 0, []string{}
	for _, x := range done.Articles {
		switch {
		case !x.Same():
			r.Articles = append(r.Articles, r.lineOf(x))
		case x.Source != "":
			r.Unchanged++
		}
	}
	r.After = append([]newsletter.Planned{}, done.After...)
	r.advise()
}

func (r *syncReport) lineOf(x newsletter.SyncedArticle) syncLine {
	l := syncLine{
		Article: x.Article.Slug, Title: x.Article.Title, Source: x.Source, Changed: append([]string{}, x.Changed...),
		State: string(x.Article.State), Was: string(x.Was), Place: x.Article.Rank, From: x.From, Moved: x.Moved,
		Past: x.Past, Before: x.Passage.Before, Open: append([]newsletter.Open{}, x.Open...), Cancelled: x.Cancelled,
		Findings: r.findings[x.Article.Slug], markdown: x.Article.Markdown, backfill: x.Article.Backfill,
		elsewhere: x.Article.Elsewhere && r.of.Mode == series.Live,
	}
	switch {
	case x.Was == "":
		l.Outcome = "new"
	case x.Was != x.Article.State:
		l.Outcome = l.State
	case len(x.Changed) > 0:
		l.Outcome = "changed"
	default:
		l.Outcome = "moved"
	}
	if !l.backfill && !l.elsewhere {
		l.Skip = x.Lacking
	}
	if !x.Lack.Issued.IsZero() {
		l.Issued, l.Lacking, l.Broken = &x.Lack.Issued, x.Lack.Readers, x.Lack.Broken
	}
	return l
}

// cancelled is how many deliveries a withdrawal cancels.
func (r *syncReport) cancelled() (n int64) {
	for _, l := range r.Articles {
		n += l.Cancelled
	}
	return n
}

// advise says what the editor may have meant otherwise.
func (r *syncReport) advise() {
	var skipped, added, gone []string
	for _, l := range r.Articles {
		if l.Skip > 0 {
			skipped = append(skipped, l.Article)
		}
		if l.Outcome == "new" {
			added = append(added, l.Article)
		}
		if l.Outcome == "withdrawn" && l.Source == "" {
			gone = append(gone, l.Article)
		}
	}
	if len(added) > 0 && len(gone) > 0 {
		r.Notes = append(r.Notes, r.sameUnderAnotherName(added, gone))
	}
	if len(skipped) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Readers who are past an article skip it. To make it their next: pressrun article ready %s --past next", skipped[0]))
	}
}

// sameUnderAnotherName says how an article that got another slug stays the one that it was: named, where a new one has the text of one that
// is gone.
func (r *syncReport) sameUnderAnotherName(added, gone []string) string {
	was := map[string]string{} // the slug of a text that is gone
	for _, l := range r.Articles {
		if l.Outcome == "withdrawn" && l.Source == "" {
			was[l.markdown] = l.Article
		}
	}
	for _, l := range r.Articles {
		if old := was[l.markdown]; l.Outcome == "new" && l.markdown != "" && old != "" {
			return fmt.Sprintf("%s has the text of %s and another slug, so one is new and the other is withdrawn, and readers who had it would get it again. "+
				"If it is the same article, write slug: %s into the front matter of %s.", l.Article, old, old, l.Source)
		}
	}
	return fmt.Sprintf("Some articles are new (%s) and some withdrawn (%s). Where one is the other under another title, write its slug into its front matter, "+
		"such as slug: %s: then it stays the article that readers had.", named(added), named(gone), gone[0])
}

func (r *syncReport) print(w io.Writer) {
	if r.read > 0 && !r.shown {
		fmt.Fprintf(w, "Articles read: %d, ordered by %s\n", r.read, r.OrderedBy)
	}
	if !r.shown {
		r.printArticles(w)
		r.printProblems(w)
	}
	switch {
	case r.Refused:
	case len(r.Articles) == 0:
		fmt.Fprintf(w, "Nothing to do: %s is what %s holds.\n", r.Series, r.Folder)
	case r.shown:
		fmt.Fprintf(w, "Done: %s.\n", r.counted())
	default:
		printDisclaimer(w, r.of, r.Disclaimer)
		r.printSlots(w)
		for _, note := range r.Notes {
			fmt.Fprintln(w, note)
		}
		if r.Applied {
			fmt.Fprintf(w, "Done: %s.\n", r.counted())
			return
		}
		fmt.Fprintf(w, "Nothing was changed. It would be: %s.\n", r.counted())
	}
}

func (r *syncReport) printArticles(w io.Writer) {
	for _, l := range r.Articles {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", l.Outcome, l.Article, strings.Join(l.said(), "; "))
	}
}

func (r *syncReport) printProblems(w io.Writer) {
	for _, l := range r.Articles {
		for _, f := range l.Findings {
			fmt.Fprintf(w, "look: %s: %s\n", filepath.Join(r.Folder, l.Source), saidOf(f))
		}
	}
	for _, p := range r.Problems {
		mark := "note: "
		if p.Fatal {
			mark = "CAN'T BE TAKEN: "
		}
		fmt.Fprintf(w, "%s%s\n", mark, importer.Problem(p))
	}
}

// said is what becomes of an article, in the order of what matters.
func (l syncLine) said() (said []string) {
	switch {
	case l.Outcome == "new":
		said = append(said, fmt.Sprintf("place %d, %s, from %s", l.Place, l.State, l.Source))
	case l.Outcome == "withdrawn" && l.Source == "":
		said = append(said, "it was "+l.Was+", and its file is gone")
	case l.Was != l.State:
		said = append(said, "it was "+l.Was)
	}
	if len(l.Changed) > 0 {
		said = append(said, "changed: "+strings.Join(printableKeys(l.Changed), ", "))
	}
	if l.Moved {
		said = append(said, fmt.Sprintf("from place %d to %d", l.From, l.Place))
	}
	return append(append(said, l.readers()...), l.issues()...)
}

// printableKeys are keys of front matter as a terminal may see them.
func printableKeys(keys []string) []string {
	keys = slices.Clone(keys)
	for i, key := range keys {
		if strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
			keys[i] = strconv.Quote(key)
		}
	}
	return keys
}

// readers is who is past the place of an article that is new there, or newly ready (rule 6).
func (l syncLine) readers() []string {
	switch {
	case l.Issued != nil:
		said := []string{"it had its issue on " + l.Issued.Format("2 January 2006") + ", so it is nobody's next"}
		if l.Broken && l.Lacking > 0 {
			said = append(said, fmt.Sprintf("that issue was broken off; readers without it: %d, whom \"pressrun issue send --article\" sends it to", l.Lacking))
		}
		return said
	case l.State != string(series.Ready) || l.Outcome == "changed" && !l.Moved:
		return nil
	case l.elsewhere:
		return []string{"it was published elsewhere before, so it is in the archive and nobody's next"}
	}
	past := fmt.Sprintf("readers past it: %d", l.Past)
	switch {
	case l.Past > 0 && l.backfill:
		past += ", it is their next, as was asked for"
	case l.Past > 0 && l.Skip == l.Past:
		past += ", they skip it"
	case l.Past > 0:
		past += fmt.Sprintf(", of whom %d lack it and skip it", l.Skip)
	}
	return []string{past, fmt.Sprintf("before it: %d", l.Before)}
}

// issues is what becomes of issues of the article that are not done.
func (l syncLine) issues() (said []string) {
	for _, open := range l.Open {
		switch {
		case l.Outcome == "withdrawn":
			said = append(said, fmt.Sprintf("its issue %s, %s, is cancelled", open.Issue, open.State))
		case len(l.Changed) == 0 && l.Was == l.State:
		case open.State == series.IssueSending || open.State == series.IssuePaused:
			said = append(said, fmt.Sprintf("its issue %s, %s, goes on as it was frozen", open.Issue, open.State))
		default:
			said = append(said, fmt.Sprintf("its issue %s, %s, was frozen as it was before: cancel it to send it anew", open.Issue, open.State))
		}
	}
	if l.Outcome == "withdrawn" && len(l.Open) > 0 {
		said = append(said, fmt.Sprintf("deliveries cancelled: %d, what was handed over stays", l.Cancelled))
	}
	return said
}

// printSlots says what the next slots send without the sync and with it.
func (r *syncReport) printSlots(w io.Writer) {
	if len(r.After) == 0 {
		fmt.Fprintf(w, "%s has no slot to come.\n", r.Series)
		return
	}
	fmt.Fprintln(w, "Next slots:")
	said := ""
	for i, slot := range r.After {
		then := slotSends(slot)
		if i < len(r.Before) && slotSends(r.Before[i]) != then {
			then = slotSends(r.Before[i]) + " → " + then
		}
		if then == said {
			then = "the same"
		} else {
			said = then
		}
		fmt.Fprintf(w, "  %s: %s\n", slot.At.Format(slotFormat), then)
	}
}

// slotSends is what a slot sends, or what is in its way.
func slotSends(slot newsletter.Planned) string {
	switch {
	case slot.Article == "":
		return "nothing (" + strings.TrimSuffix(slot.Blocked, ".") + ")"
	case slot.Blocked != "":
		return slot.Article + ", in its way: " + strings.TrimSuffix(slot.Blocked, ".")
	}
	return sendsOf(slot)
}

// counted is how many articles become what.
func (r *syncReport) counted() string {
	n := map[string]int{}
	for _, l := range r.Articles {
		n[l.Outcome]++
	}
	var said []string
	for _, outcome := range []string{"new", "changed", "moved", "ready", "draft", "withdrawn"} {
		if n[outcome] > 0 {
			said = append(said, fmt.Sprintf("%s %d", outcome, n[outcome]))
		}
	}
	return strings.Join(append(said, fmt.Sprintf("unchanged %d", r.Unchanged)), ", ")
}

// named are some of many names.
func named(names []string) string {
	if more := len(names) - mostNamed; more > 0 {
		return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

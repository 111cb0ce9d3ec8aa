package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/fetch"
	"pressrun/newsletter/importer"
	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// importOptions are the flags of article import.
type importOptions struct {
	ready          bool
	publishedUntil string
	dryRun         bool
}

func (a *app) articleImportCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import SERIES PATH|URL...",
		Short: "Read articles from files, folders, feeds and exports into a series",
		Long: `Reads Markdown with front matter, plain text and HTML, and folders and zips of them; RSS and Atom feeds; and what other services export:
WordPress and Squarespace (WXR), Ghost (JSON), Substack and Buttondown (zips). What a file is, its content tells. Of an export the posts
are read; drafts stay drafts, and what not everybody could read there comes in as one, named with its reason; neither changes an article
that is ready. What a page hides, and what its site alone could fill, is left out and named with its post. Pages, private posts and the
like are left out and counted.
Pictures on other servers stay links, as letters load nothing from there. A URL is the http or https address of a page, a feed or any of
these files, on a public server; it is fetched once, at most 10 MB in 10 seconds.

The order is decided by the first of these that all articles have: a weight in front matter, a complete chain of Previous and Next labels,
a number in the file name, a date, the name. The labels stand at the end of a plain text, with the title below or behind: "Previous: Title |
Next: Title". They are taken out of the text where an article with that title is among these files or in the series, where most texts of
the folder end so, or where they stand alone on their lines, twice or both of them; a line that only looks like a label stays in the text,
and is named with its file and line.
A closing note that the texts share is taken out of them and shown as the disclaimer; the disclaimer of the series is never changed
by an import.

The same files again change nothing; changed ones become a new revision; new ones come after the article that precedes them. A post of
a feed or an export is known again by what it was known by there (guid), though its title or address changed. An import happens as a whole
or not at all. Nothing is sent by it. With --ready preflight looks at each article first, and what would hold the issue of one refuses the
import.`,
		Example: "  pressrun article import skin articles/ --dry-run\n  pressrun article import skin articles/ --ready\n  pressrun article import skin wordpress.xml --published-until 2027-03-30\n  pressrun article import skin https://example.org/feed.xml --dry-run",
		Args:    args(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if _, err := time.Parse(time.DateOnly, o.publishedUntil); o.publishedUntil != "" && err != nil {
				return usagef(cmd, "--published-until must be a date such as 2027-03-30, not %q", o.publishedUntil)
			}
			return a.with(cmd.Context(), func(s *site) error { return a.importArticles(cmd.Context(), s, given[0], given[1:], o) })
		},
	}
	cmd.Flags().BoolVar(&o.ready, "ready", false, "make them ready to be sent, but those marked as draft or withdrawn")
	cmd.Flags().StringVar(&o.publishedUntil, "published-until", "", "those dated up to this day were published elsewhere: readers had them")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would happen and change nothing")
	a.jsonFlag(cmd)
	return cmd
}

// importReport is what import prints.
type importReport struct {
	Series     string              `json:"series"`
	DryRun     bool                `json:"dry_run"`
	Refused    bool                `json:"refused"` // a file can't be read, or preflight would hold it: nothing was imported
	OrderedBy  string              `json:"ordered_by"`
	Sources    []string            `json:"sources"`    // how each zip, feed and export was read
	Disclaimer string              `json:"disclaimer"` // the closing note that the texts shared
	Articles   []importLine        `json:"articles"`
	Problems   []importProblem     `json:"problems"`
	Next       *newsletter.Planned `json:"next,omitempty"` // what the next slot sends after it
	Notes      []string            `json:"notes"`

	of series.Series
}

type importLine struct {
	Article   string `json:"article"`
	Title     string `json:"title"`
	Source    string `json:"source"`
	Outcome   string `json:"outcome"` // added, changed, unchanged; empty: refused
	State     string `json:"state"`
	Place     int64  `json:"place"`
	Elsewhere bool   `json:"published_elsewhere"`
	Past      int64  `json:"readers_past"` // who had a later article already and skips this one

	Findings []newsletter.Finding `json:"findings,omitempty"` // of preflight, with --ready
}

type importProblem struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	What   string `json:"what"`
	Mend   string `json:"mend"`
	Fatal  bool   `json:"fatal"`
}

var errUnreadable = errors.New("nothing was imported: mend the files marked above, or take them out of the folder, and import again")

func (a *app) importArticles(ctx context.Context, s *site, slug string, paths []string, o importOptions) error {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	there, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return err
	}
	taken, err := series.TakenSlugs(ctx, s.db, of.ID)
	if err != nil {
		return err
	}
	b := newBar(a.err, "Reading")
	found, err := importer.Options{Known: there, Taken: taken, Fetch: a.fetch(ctx), Step: b.patientlyOf()}.Read(paths...)
	b.clear()
	if err != nil {
		return err
	}
	r := reportOf(of, found, o)
	var refused error
	if r.Refused {
		refused = errUnreadable
	}
	if o.ready {
		held, err := s.preflightIncoming(ctx, of, r, found.Articles, newBar(a.err, "Looking"))
		if err != nil {
			return err
		}
		refused = errors.Join(refused, held)
	}
	if refused != nil {
		return errors.Join(a.print(r, r.print), refused)
	}
	if err := s.try(ctx, o.dryRun, func(tx *store.Tx) error { return s.takeIn(ctx, tx, r, found.Articles, o) }); err != nil {
		return err
	}
	return a.print(r, r.print)
}

// fetch gets files at web addresses, and says so, since it can take a while.
func (a *app) fetch(ctx context.Context) importer.Fetch {
	return func(address string) (importer.Fetched, error) {
		fmt.Fprintf(a.err, "Fetching %q\n", address)
		f, err := fetch.New(a.permit).Get(ctx, address)
		return importer.Fetched(f), err
	}
}

// reportOf is the report of what was read, before anything is stored.
func reportOf(of series.Series, found importer.Found, o importOptions) *importReport {
	r := &importReport{
		Series: of.Slug, DryRun: o.dryRun, OrderedBy: found.OrderedBy, Disclaimer: found.Disclaimer, of: of,
		Sources: append([]string{}, found.Sources...), Articles: []importLine{}, Problems: []importProblem{}, Notes: []string{},
	}
	for _, in := range found.Articles {
		r.Articles = append(r.Articles, importLine{Article: in.Slug, Title: in.Title, Source: in.Source})
	}
	problems := found.Problems
	for _, in := range found.Articles {
		problems = append(problems, fieldFaults(in)...)
	}
	for _, p := range problems {
		r.Problems = append(r.Problems, importProblem(p))
		r.Refused = r.Refused || p.Fatal
	}
	return r
}

// hasFault says whether a file has a problem that refuses it.
func (r *importReport) hasFault(file string) bool {
	return slices.ContainsFunc(r.Problems, func(p importProblem) bool { return p.Fatal && p.File == file })
}

// preflightIncoming looks at articles that are to be ready and have no fault of their own: what would hold the issue of one is held, and
// refuses them all. What is to be looked at stands in the report.
func (s *site) preflightIncoming(ctx context.Context, of series.Series, r *importReport, in []series.Incoming, b *bar) (held, err error) {
	var places []int
	var good []series.Incoming
	for i, article := range in {
		if !r.hasFault(article.Source) {
			places, good = append(places, i), append(good, article)
		}
	}
	found, err := s.lookAt(ctx, of, good, b)
	if err != nil {
		return nil, err
	}
	var faults []error
	for i, article := range good {
		r.Articles[places[i]].Findings = found[i]
		faults = append(faults, faultsAmong(article.Source, found[i])...)
	}
	if len(faults) == 0 {
		return nil, nil
	}
	r.Refused = true
	return fmt.Errorf("preflight would hold these, and nothing was imported: mend them, mark them as draft, or import without --ready\n%w", errors.Join(faults...)), nil
}

// lookAt is what preflight says of articles on their way in, in their order, with a bar that is gone afterwards.
func (s *site) lookAt(ctx context.Context, of series.Series, in []series.Incoming, b *bar) ([][]newsletter.Finding, error) {
	found, err := s.publisher.PreflightIncoming(ctx, of, in, b.patiently(len(in)))
	b.clear()
	for i := range found {
		found[i] = aboutArticle(found[i])
	}
	return found, err
}

// faultsAmong are the findings that would hold the issue of a file's article.
func faultsAmong(file string, found []newsletter.Finding) (faults []error) {
	for _, f := range found {
		if f.Error {
			faults = append(faults, fmt.Errorf("%s: %s", file, saidOf(f)))
		}
	}
	return faults
}

// fieldFaults are the merge fields of an article that no issue could fill, at their places in its file.
func fieldFaults(in series.Incoming) (problems []importer.Problem) {
	for _, err := range eachOf(newsletter.CheckFields(in.Text)) {
		p := importer.Problem{File: in.Source, What: err.Error(), Fatal: true}
		var at *render.PlaceError
		if errors.As(err, &at) && at.Of.Field == "Markdown" && in.Line > 0 {
			p.Line, p.Column, p.What = at.Line+in.Line-1, at.Column, at.Of.Problem
		}
		problems = append(problems, p)
	}
	return problems
}

// eachOf are the errors that one joins; none of nil.
func eachOf(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case !ok:
		all = append(all, err)
	default:
		for _, each := range joined.Unwrap() {
			all = append(all, eachOf(each)...)
		}
	}
	return all
}

// takeIn imports the articles and reports what became of each, and what the next slot sends then.
func (s *site) takeIn(ctx context.Context, tx *store.Tx, r *importReport, in []series.Incoming, o importOptions) error {
	had, _, err := series.Had(ctx, tx, r.of.ID)
	if err != nil {
		return err
	}
	imported, err := series.ImportArticles(ctx, tx, r.of.ID, in, series.ImportOptions{Ready: o.ready, PublishedUntil: o.publishedUntil}, s.now())
	if err != nil {
		return err
	}
	for i, im := range imported {
		l := &r.Articles[i]
		l.Outcome, l.State, l.Place, l.Elsewhere = im.Outcome, string(im.Article.State), im.Article.Rank, im.Article.Elsewhere
		if im.Outcome == "added" && im.Article.State == series.Ready {
			if l.Past, _, err = s.publisher.PastIn(ctx, tx, im.Article); err != nil {
				return err
			}
		}
	}
	next, err := s.publisher.Foresee(ctx, tx, r.of)
	if err != nil {
		return err
	}
	if next.Slot != "" {
		r.Next = &next
	}
	r.advise(in, len(had) == 0, s.now())
	return nil
}

// advise says what the editor may want to do next. fresh: the series sent nothing yet.
func (r *importReport) advise(in []series.Incoming, fresh bool, now time.Time) {
	for _, l := range r.Articles {
		if l.State == string(series.Draft) {
			note := "Drafts are not sent: pressrun article ready --all " + r.Series
			if slices.ContainsFunc(in, func(one series.Incoming) bool { return one.Draft }) {
				note = "Drafts are not sent, and some were drafts, or not open to everybody, where they come from. Those that all readers may have: pressrun article ready ARTICLE..."
			}
			r.Notes = append(r.Notes, note)
			break
		}
	}
	for i, one := range in {
		switch state := series.ArticleState(r.Articles[i].State); {
		case one.Withdrawn && state != series.Withdrawn:
			r.Notes = append(r.Notes, fmt.Sprintf("%s says withdrawn: true, and %s stays %s: an import withdraws nothing. To do it: pressrun article withdraw %s",
				one.Source, one.Slug, state, one.Slug))
		case one.Draft && state == series.Ready:
			r.Notes = append(r.Notes, fmt.Sprintf("%s is a draft, or not for all readers, and %s stays ready with the text that it has. If nobody is to have that any more: "+
				"pressrun article withdraw %s", one.Source, one.Slug, one.Slug))
		}
	}
	if r.of.Mode == series.Live && fresh && isArchive(in, now) {
		r.Notes = append(r.Notes, "These look like a finished archive. In a drip series every new reader starts at the first article: "+
			"pressrun series set "+r.Series+" --mode drip")
	}
}

// isArchive says whether articles look like a finished work (rule 2): a dozen or more, all dated before today.
func isArchive(in []series.Incoming, now time.Time) bool {
	today := now.Format(time.DateOnly)
	for _, article := range in {
		if article.Date == "" || article.Date >= today || article.Draft || article.Withdrawn {
			return false
		}
	}
	return len(in) >= 12
}

func (r *importReport) print(w io.Writer) {
	order := ""
	if len(r.Articles) > 1 {
		order = ", ordered by " + r.OrderedBy
	}
	fmt.Fprintf(w, "Articles read: %d%s\n", len(r.Articles), order)
	for _, source := range r.Sources {
		fmt.Fprintf(w, "  %s\n", source)
	}
	count := map[string]int{}
	for i, l := range r.Articles {
		outcome := l.Outcome
		if l.State != "" {
			outcome += ", " + l.State
		}
		if l.Elsewhere {
			outcome += ", published elsewhere"
		}
		count[l.Outcome]++
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\n", i+1, l.Title, l.Source, outcome)
	}
	for _, l := range r.Articles {
		for _, f := range l.Findings {
			fmt.Fprintf(w, "look: %s: %s\n", l.Source, saidOf(f))
		}
	}
	for _, p := range r.Problems {
		mark := "note: "
		if p.Fatal {
			mark = "NOT READ: "
		}
		fmt.Fprintf(w, "%s%s\n", mark, importer.Problem(p))
	}
	if r.Refused {
		return
	}
	printDisclaimer(w, r.of, r.Disclaimer)
	for _, l := range r.Articles {
		if l.Past > 0 {
			fmt.Fprintf(w, "“%s” comes before what %s had already; they skip it (`pressrun article move` and `article ready` can send it as their next).\n", l.Title, countOf(l.Past, "reader", "readers"))
		}
	}
	r.printNext(w)
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	if r.DryRun {
		fmt.Fprintf(w, "Nothing was changed. It would be: added %d, changed %d, unchanged %d.\n", count["added"], count["changed"], count["unchanged"])
		return
	}
	fmt.Fprintf(w, "Added %d, changed %d, unchanged %d.\n", count["added"], count["changed"], count["unchanged"])
}

// printDisclaimer says what became of the closing note that the texts shared.
func printDisclaimer(w io.Writer, of series.Series, note string) {
	switch own := of.Disclaimer.Text; {
	case note == "":
	case strings.Join(strings.Fields(note), " ") == strings.Join(strings.Fields(own), " "):
		fmt.Fprintf(w, "Their closing note is the disclaimer of the series, which stands in every issue: “%s”\n", own)
	default:
		fmt.Fprintf(w, "Their closing note was taken out of the texts: “%s”\nThe series keeps its own disclaimer instead: “%s”\n"+
			"To use theirs: pressrun series set %s --disclaimer TEXT\n", note, own, of.Slug)
	}
}

// printNext says what the next slot sends, so that nothing is sent by surprise.
func (r *importReport) printNext(w io.Writer) {
	if r.Next == nil {
		fmt.Fprintf(w, "%s has no slot to come.\n", r.Series)
	}
	sayNext(w, r.Next)
}

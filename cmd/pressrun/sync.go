package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func (a *app) syncCommand() *cobra.Command {
	var plan, apply bool
	cmd := &cobra.Command{
		Use:   "sync SERIES DIR --plan|--apply",
		Short: "Make the articles of a series what a folder holds: text, order, drafts, what is gone",
		Long: `The folder is the truth: its files are read as "article import" reads them, and their order is the order of the series. A file that is
new becomes an article, one that changed a revision; an article is ready unless its front matter says draft: true or withdrawn: true, and
one whose file is gone is withdrawn, which cancels what of it was not handed over yet. --plan prints all of that and changes nothing;
--apply does it as a whole or not at all, and asks where it withdraws. "pressrun article export SERIES DIR" writes a folder to begin with.

An article is known by its slug, so that its file may be renamed: keep slug: … in front matter. Without it the slug is made of the title,
and a new title makes a new article of it. The weights of an export order the files as long as all of them have one: give a new file its
own, the same as its neighbour's if need be; among equals the name decides.

Nothing is sent by a sync. Readers who had a later article already skip what is new, moved or made ready before it; "pressrun article
ready ARTICLE --past next" makes it their next. Of two articles that changed places the one that goes to the back counts as moved. A file
that can't be read, or is passed over though it may hold articles, an article that preflight would hold, an empty folder, or one that
knows no article of the series refuses all of it.`,
		Example: "  pressrun article export skin skin-articles/\n  pressrun sync skin skin-articles/ --plan\n  pressrun sync skin skin-articles/ --apply",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if plan == apply {
				return usagef(cmd, "say one of the two: --plan to see what would change, --apply to change it")
			}
			return a.with(cmd.Context(), func(s *site) error { return a.sync(cmd.Context(), s, given[0], given[1], apply) })
		},
	}
	cmd.Flags().BoolVar(&plan, "plan", false, "print what --apply would do and change nothing")
	cmd.Flags().BoolVar(&apply, "apply", false, "make the series what the folder holds")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

var (
	errNotSynced = errors.New("nothing was changed: mend the files marked above, and sync again")
	errNoFolder  = errors.New("sync takes the folder that holds all articles of the series")
)

// syncing is a folder on its way into a series.
type syncing struct {
	site   *site
	of     series.Series
	dir    string
	looked []series.Article // of the series, when it was looked at
	in     []series.Incoming
	would  []series.Synced
	report *syncReport
}

func (a *app) sync(ctx context.Context, s *site, slug, dir string, apply bool) error {
	sy, err := s.readSync(ctx, slug, dir, newBar(a.err, "Reading"))
	if err != nil && sy == nil {
		return err
	}
	refused := errors.Join(err, sy.misplaced())
	if refused == nil {
		refused, err = sy.faults(ctx, newBar(a.err, "Looking"))
		if err != nil {
			return err
		}
	}
	r := sy.report
	if refused != nil {
		r.Refused = true
		return errors.Join(a.print(r, r.print), refused)
	}
	if !slices.ContainsFunc(sy.would, func(x series.Synced) bool { return !x.Same() }) {
		r.Unchanged = len(sy.in)
		return a.print(r, r.print)
	}
	before, err := s.publisher.NextSlots(ctx, s.db, sy.of) // outside of the transaction, which keeps others waiting
	if err != nil {
		return err
	}
	r.Before = append(r.Before, before...)
	if leaves := sy.leaves(); !apply || len(leaves) > 0 {
		if err := sy.try(ctx, true); err != nil {
			return err
		}
		if !apply {
			return a.print(r, r.print)
		}
		if err := a.askToWithdraw(r, leaves); err != nil {
			return err
		}
	}
	if err := sy.try(ctx, false); err != nil {
		return err
	}
	r.Applied = true
	return errors.Join(s.publisher.SkipCancelled(ctx), a.print(r, r.print))
}

// askToWithdraw shows who is there to answer what is to be done, and asks.
func (a *app) askToWithdraw(r *syncReport, leaves []string) error {
	if _, ok := a.terminal(); ok && !a.yes && !a.json {
		if err := a.print(r, r.print); err != nil {
			return err
		}
		r.shown = true
	}
	queued := ""
	if n := r.cancelled(); n > 0 {
		queued = " and cancel " + countOf(n, "queued delivery", "queued deliveries")
	}
	return a.confirm(fmt.Sprintf("Withdraw %s of %s (%s)%s?", countOf(int64(len(leaves)), "article", "articles"), r.Series, named(leaves), queued))
}

// readSync reads the folder and compares it with the series. With an error of the folder's files what was read comes along.
func (s *site) readSync(ctx context.Context, slug, dir string, b *bar) (*syncing, error) {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: %w", dir, errNoFolder)
	}
	sy := &syncing{site: s, of: of, dir: dir}
	if sy.looked, err = series.Articles(ctx, s.db, of.ID); err != nil {
		return nil, err
	}
	taken, err := series.TakenSlugs(ctx, s.db, of.ID)
	if err != nil {
		return nil, err
	}
	found, err := importer.Options{Known: sy.looked, Taken: taken, Step: b.patientlyOf(), Whole: true}.Read(dir)
	b.clear()
	if err != nil && !errors.Is(err, importer.ErrFile) {
		return nil, err
	}
	sy.in, sy.report = found.Articles, newSyncReport(of, dir, found)
	switch {
	case err != nil && sy.report.fatal():
		return sy, errNotSynced
	case err != nil:
		return sy, fmt.Errorf("%w. Nothing was changed: is this the folder of %s? A sync of it would withdraw all articles", err, slug)
	}
	unfit := series.CheckSync(ctx, s.db, of.ID, sy.in)
	for i, in := range sy.in {
		problems := fieldFaults(in)
		for _, err := range eachOf(unfit[i]) {
			problems = append(problems, importer.Problem{File: in.Source, What: err.Error(), Fatal: true})
		}
		for _, p := range problems {
			p.File = filepath.Join(dir, p.File)
			sy.report.Problems = append(sy.report.Problems, importProblem(p))
		}
	}
	sy.would = series.Compare(sy.looked, sy.in)
	return sy, nil
}

// misplaced refuses a folder that holds none of the articles that the series has: it is more likely the wrong one. Files that can't be
// read may be these.
func (sy *syncing) misplaced() error {
	if sy.report.fatal() {
		return nil
	}
	var gone []string
	for _, x := range sy.would {
		switch {
		case x.Leaves() && x.Source == "":
			gone = append(gone, x.Article.Slug)
		case x.Was == series.Ready || x.Was == series.Draft:
			return nil
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return fmt.Errorf("%s has none of the articles of %s (%s), and all of them would be withdrawn. Nothing was changed: is it the right folder? "+
		"If they are to go, withdraw them first: pressrun article withdraw %s", sy.dir, sy.of.Slug, named(gone), strings.Join(gone, " "))
}

// faults is why a sync is refused: files that can't be taken, and articles that preflight would hold. The other error is ours.
func (sy *syncing) faults(ctx context.Context, b *bar) (refused, err error) {
	faulty := map[string]bool{}
	for _, p := range sy.report.Problems {
		if p.Fatal {
			faulty[p.File], refused = true, errNotSynced
		}
	}
	look, err := sy.toLookAt(ctx)
	if err != nil {
		return nil, err
	}
	look = slices.DeleteFunc(look, func(in series.Incoming) bool { return faulty[filepath.Join(sy.dir, in.Source)] })
	found, err := sy.site.lookAt(ctx, sy.of, look, b)
	if err != nil {
		return nil, err
	}
	var held []error
	for i, in := range look {
		sy.report.findings[in.Slug] = found[i]
		held = append(held, faultsAmong(filepath.Join(sy.dir, in.Source), found[i])...)
	}
	if len(held) > 0 {
		refused = errors.Join(refused, fmt.Errorf("preflight would hold these, and nothing was changed: mend them, or mark them as draft\n%w", errors.Join(held...)))
	}
	return refused, nil
}

// toLookAt are the articles that preflight must look at: what becomes ready, and what is ready with another text, unless it had its issue
// in a live series and is nobody's next.
func (sy *syncing) toLookAt(ctx context.Context) (look []series.Incoming, err error) {
	had := map[int64]bool{}
	if sy.of.Mode == series.Live {
		issued, _, err := series.Had(ctx, sy.site.db, sy.of.ID)
		if err != nil {
			return nil, err
		}
		for id := range issued {
			had[id] = true
		}
	}
	would := map[string]series.Synced{}
	for _, x := range sy.would {
		would[x.Article.Slug] = x
	}
	for _, in := range sy.in {
		x := would[in.Slug]
		if x.Article.State == series.Ready && (x.Was != series.Ready || len(x.Changed) > 0 && !had[x.Article.ID]) {
			look = append(look, in)
		}
	}
	return look, nil
}

// leaves are the slugs of those that would be withdrawn.
func (sy *syncing) leaves() (slugs []string) {
	for _, x := range sy.would {
		if x.Leaves() {
			slugs = append(slugs, x.Article.Slug)
		}
	}
	return slugs
}

// try syncs and fills in the report; a dry run takes back what it did.
func (sy *syncing) try(ctx context.Context, dryRun bool) error {
	var done newsletter.Synced
	err := sy.site.try(ctx, dryRun, func(tx *store.Tx) (err error) {
		done, err = sy.site.publisher.SyncIn(ctx, tx, sy.of, sy.looked, sy.in)
		return err
	})
	if err == nil {
		sy.report.fill(done)
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// placing is how ready and move treat the readers who are past an article's place (rule 6).
type placing struct {
	past   string // skip (default): they don't get it; next: it is their next
	dryRun bool
}

func (a *app) placingFlags(cmd *cobra.Command, p *placing) {
	cmd.Flags().StringVar(&p.past, "past", "skip", "readers who had a later article: skip it, or send it as their next")
	cmd.Flags().BoolVar(&p.dryRun, "dry-run", false, "print the numbers and change nothing")
	a.jsonFlag(cmd)
}

func (p placing) check(cmd *cobra.Command) error {
	if p.past != "skip" && p.past != "next" {
		return usagef(cmd, "--past must be skip or next, not %q", p.past)
	}
	return nil
}

func (a *app) articleReadyCommand() *cobra.Command {
	var p placing
	var all bool
	cmd := &cobra.Command{
		Use:   "ready ARTICLE...|--all SERIES",
		Short: "Make drafts, or withdrawn articles, ready to be sent",
		Long: `Makes drafts, or withdrawn articles, ready: each is sent when its turn comes. --all makes all drafts of a series ready and
leaves withdrawn articles alone. Preflight looks at each first: what would hold its issue refuses them all. Readers who had a later article skip it, or with "--past next" get it as their next one.`,
		Example: "  pressrun article ready leaky-gut\n  pressrun article ready --all skin",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			if all && len(given) != 1 {
				return usagef(cmd, "--all takes one series")
			}
			return a.with(cmd.Context(), func(s *site) error {
				if all {
					drafts, err := s.drafts(cmd.Context(), given[0])
					if err != nil {
						return err
					}
					given = drafts
				}
				return a.readyArticles(cmd.Context(), s, given, p)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all drafts of the series")
	a.placingFlags(cmd, &p)
	return cmd
}

// drafts lists the drafts of a series.
func (s *site) drafts(ctx context.Context, slug string) (slugs []string, err error) {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return nil, err
	}
	articles, err := series.Articles(ctx, s.db, of.ID)
	for _, article := range articles {
		if article.State == series.Draft {
			slugs = append(slugs, article.Slug)
		}
	}
	return slugs, err
}

func (a *app) readyArticles(ctx context.Context, s *site, slugs []string, p placing) error {
	articles, of, err := s.articlesBySlug(ctx, slugs)
	if err != nil {
		return err
	}
	found, err := s.preflight(ctx, articles)
	if err != nil {
		return err
	}
	lines := []articleLine{}
	err = s.try(ctx, p.dryRun, func(tx *store.Tx) error {
		for _, article := range articles {
			if err := checkFields(article.Slug, article.Text); err != nil {
				return err
			}
			if err := series.MarkReady(ctx, tx, article.ID, s.now()); err != nil {
				return err
			}
			line, err := s.place(ctx, tx, of[article.SeriesID], article.ID, p)
			if err != nil {
				return err
			}
			line.Findings = found[article.Slug]
			lines = append(lines, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.print(lines, func(w io.Writer) {
		if len(lines) == 0 {
			fmt.Fprintln(w, "no drafts: nothing to make ready")
		}
		for _, l := range lines {
			printPlaced(w, fmt.Sprintf("%s is ready at place %d of %s", l.Article, l.Place, l.Series), l, p)
			for _, f := range l.Findings {
				fmt.Fprintf(w, "  look: %s\n", saidOf(f))
			}
		}
	})
}

// preflight looks at articles before they are made ready. What would hold their issues later is said now, and none of them is
// made ready.
func (s *site) preflight(ctx context.Context, articles []series.Article) (map[string][]newsletter.Finding, error) {
	all := map[string][]newsletter.Finding{}
	var faults []error
	for _, article := range articles {
		found, err := s.publisher.Preflight(ctx, article.Slug)
		if err != nil {
			return nil, err
		}
		found = aboutArticle(found)
		all[article.Slug] = found
		for _, f := range found {
			if f.Error {
				faults = append(faults, fmt.Errorf("article %s: %s", article.Slug, saidOf(f)))
			}
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("not ready, nothing was changed:\n%w", errors.Join(faults...))
	}
	return all, nil
}

// aboutArticle leaves out what preflight says of the site, which check says once.
func aboutArticle(found []newsletter.Finding) []newsletter.Finding {
	return slices.DeleteFunc(found, func(f newsletter.Finding) bool { return f.Rule == newsletter.RuleUnnamed })
}

func saidOf(f newsletter.Finding) string { return f.What + " " + f.Why + " " + f.Mend }

// checkFields refuses an article whose merge fields no letter could fill.
func checkFields(slug string, t series.Text) error {
	if err := newsletter.CheckFields(t); err != nil {
		return fmt.Errorf("article %s: %w", slug, err)
	}
	return nil
}

// place asks for a backfill where that is wanted, and counts who is past an article's place and who is before it, or who is without one
// that had its issue already.
func (s *site) place(ctx context.Context, tx *store.Tx, of series.Series, articleID int64, p placing) (articleLine, error) {
	article, err := series.ArticleByID(ctx, tx, articleID)
	if err != nil {
		return articleLine{}, err
	}
	past, before, err := s.publisher.PastIn(ctx, tx, article)
	if err != nil {
		return articleLine{}, err
	}
	lack, err := s.publisher.LackIn(ctx, tx, article)
	if err != nil {
		return articleLine{}, err
	}
	if p.past == "next" && past > 0 && lack.Issued.IsZero() {
		if err := series.Backfill(ctx, tx, articleID, s.now()); err != nil {
			return articleLine{}, err
		}
	}
	line, err := articleLineOf(of, article)
	line.Past, line.Before = &past, &before
	if !lack.Issued.IsZero() {
		line.Issued, line.Lacking, line.Broken = &lack.Issued, &lack.Readers, lack.Broken
	}
	return line, err
}

// printPlaced says what became of an article and what that means for the readers.
func printPlaced(w io.Writer, what string, l articleLine, p placing) {
	if p.dryRun {
		what = "Would be done, nothing was changed: " + what
	}
	if l.Issued != nil {
		printIssued(w, what, l)
		return
	}
	fmt.Fprintf(w, "%s. Readers past this point: %d, before it: %d.\n", what, *l.Past, *l.Before)
	switch {
	case *l.Past == 0:
	case p.past == "next":
		fmt.Fprintln(w, "Those past it get it as their next article.")
	default:
		fmt.Fprintln(w, `Those past it skip it; with "--past next" it is their next article.`)
	}
}

// printIssued is for an article of a live series that had its issue: wherever it stands, it is nobody's next.
func printIssued(w io.Writer, what string, l articleLine) {
	fmt.Fprintf(w, "%s. It had its issue on %s, so it is nobody's next. Readers without it: %d.\n",
		what, l.Issued.Format("2 January 2006 at 15:04"), *l.Lacking)
	if l.Broken && *l.Lacking > 0 {
		fmt.Fprintf(w, "That issue was broken off; to send the article to those without it: pressrun issue send %s --article %s\n", l.Series, l.Article)
	}
}

func (a *app) articleMoveCommand() *cobra.Command {
	var p placing
	var before, after string
	cmd := &cobra.Command{
		Use:   "move ARTICLE --before|--after ARTICLE",
		Short: "Give an article another place in its series",
		Long: `Puts an article right before or after another one of its series. Moving never sends anything by itself: readers who had a later
article skip it, or with "--past next" get it as their next one. "--dry-run" prints the numbers first.`,
		Example: "  pressrun article move leaky-gut --before sleep --dry-run\n  pressrun article move leaky-gut --after sleep",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			if (before == "") == (after == "") {
				return usagef(cmd, "say where to: --before ARTICLE or --after ARTICLE")
			}
			return a.with(cmd.Context(), func(s *site) error {
				return a.moveArticle(cmd.Context(), s, given[0], before, after, p)
			})
		},
	}
	cmd.Flags().StringVar(&before, "before", "", "the article that it shall stand before")
	cmd.Flags().StringVar(&after, "after", "", "the article that it shall stand after")
	a.placingFlags(cmd, &p)
	return cmd
}

func (a *app) moveArticle(ctx context.Context, s *site, slug, before, after string, p placing) error {
	articles, of, err := s.articlesBySlug(ctx, []string{slug, before + after}) // one of them is empty
	if err != nil {
		return err
	}
	moved, other := articles[0], articles[1]
	var line articleLine
	err = s.try(ctx, p.dryRun, func(tx *store.Tx) error {
		if err := series.Move(ctx, tx, moved.ID, before != "", other.ID, s.now()); err != nil {
			return err
		}
		line, err = s.place(ctx, tx, of[moved.SeriesID], moved.ID, p)
		return err
	})
	if err != nil {
		return err
	}
	return a.print(line, func(w io.Writer) {
		printPlaced(w, fmt.Sprintf("%s stands at place %d of %s, it was at %d", slug, line.Place, line.Series, moved.Rank), line, p)
	})
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (a *app) subscriberImportCommand() *cobra.Command {
	var o subscribers.ImportOptions
	var as, through string
	cmd := &cobra.Command{
		Use:   "import SERIES FILE",
		Short: "Bring people from a CSV file",
		Long: `Reads CSV with any delimiter, as UTF-8 or UTF-16, with the columns of listmonk, Mailchimp, Substack, Ghost, Kit, Buttondown,
MailerLite, beehiiv, Squarespace or your own; columns that are not known are kept. A state in the file wins over --as: who left,
bounced or complained there does not get mail here, and nobody who is out here is brought back. Pending people are not mailed by
an import. FILE may be - for standard input.

All of the file is imported or, where a row has a fault, nothing. The same file again, with the same flags, changes nothing.`,
		Example: "  pressrun subscriber import skin people.csv --dry-run\n" +
			"  pressrun subscriber import skin people.csv --as active --because \"moved from listmonk, double opt-in there\"",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			switch o.As = subscribers.State(as); o.As {
			case subscribers.Pending:
			case subscribers.Active, subscribers.Suppressed:
				if strings.TrimSpace(o.Because) == "" {
					return usagef(cmd, "--as %s needs --because TEXT: how they came, or why they may not be mailed", as)
				}
			default:
				return usagef(cmd, "--as must be pending, active or suppressed, not %q", as)
			}
			return a.with(cmd.Context(), func(s *site) error { return a.importPeople(cmd.Context(), s, given[0], given[1], through, o) })
		},
	}
	cmd.Flags().StringVar(&as, "as", "pending", "pending, active or suppressed: people of whom the file says nothing")
	cmd.Flags().StringVar(&o.Because, "because", "", "how these people came, or why they may not be mailed; it is kept")
	cmd.Flags().StringVar(&through, "received-through", "", "they had all articles up to this one already")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print what would happen and change nothing")
	a.jsonFlag(cmd)
	return cmd
}

var errFaultyRows = errors.New("nothing would be imported: mend the rows marked refused above, or take them out of the file")

// peopleReport is what import prints.
type peopleReport struct {
	subscribers.ImportReport
	Next *newsletter.Planned `json:"next,omitempty"` // what the next slot sends after it
}

func (a *app) importPeople(ctx context.Context, s *site, slug, path, through string, o subscribers.ImportOptions) (err error) {
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	if o.Reading, err = s.articlesThrough(ctx, of, through); err != nil {
		return err
	}
	file := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		file = f
	}
	var report peopleReport
	o.SeriesID, o.File = of.ID, filepath.Base(path)
	o.Then = func(q store.Querier) error {
		next, err := s.publisher.Foresee(ctx, q, of)
		if err == nil && next.Slot != "" {
			report.Next = &next
		}
		return err
	}
	b := newBar(a.err, "Importing")
	o.Progress = func(taken, rows int64) { b.show(taken, rows) }
	report.ImportReport, err = s.people.Import(ctx, s.db, file, o)
	b.clear()
	switch {
	case err != nil && report.Refused == 0:
		return err
	case err == nil && report.Refused > 0: // a dry run, whose end scripts ask for
		err = errFaultyRows
	}
	return errors.Join(a.print(report, report.print), err)
}

// articlesThrough lists the numbers of a series' articles up to the one of a slug; nil for no slug.
func (s *site) articlesThrough(ctx context.Context, of series.Series, slug string) ([]int64, error) {
	if slug == "" {
		return nil, nil
	}
	last, err := series.ArticleBySlug(ctx, s.db, slug)
	if err != nil {
		return nil, err
	}
	if last.SeriesID != of.ID {
		return nil, fmt.Errorf("article %s is not of series %s: %w", slug, of.Slug, store.ErrNotFound)
	}
	articles, err := series.Articles(ctx, s.db, of.ID)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, article := range articles {
		if article.Rank <= last.Rank {
			ids = append(ids, article.ID)
		}
	}
	return ids, nil
}

func (r peopleReport) print(w io.Writer) {
	if len(r.Rows) > 0 {
		fmt.Fprintln(w, "LINE\tEMAIL\tOUTCOME\tREASON")
	}
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", row.Line, cmp.Or(oneLine(row.Email), "-"), row.Outcome, cmp.Or(row.Reason, "-"))
	}
	outcome := fmt.Sprintf("added %d, changed %d, unchanged %d, suppressed %d, kept out %d", r.Added, r.Changed, r.Unchanged, r.Suppressed, r.KeptOut)
	switch {
	case r.Refused > 0:
		fmt.Fprintf(w, "Nothing was changed: %s a fault. Without that it would be: %s.\n", countOf(int64(r.Refused), "row has", "rows have"), outcome)
	case r.DryRun:
		fmt.Fprintf(w, "Nothing was changed. It would be: %s.\n", outcome)
	default:
		fmt.Fprintf(w, "%s.\n", strings.ToUpper(outcome[:1])+outcome[1:])
	}
	if r.Next != nil {
		at := r.Next.At.Format(slotFormat)
		if r.Next.Article == "" {
			fmt.Fprintf(w, "The next slot, %s, sends nothing: %s\n", at, r.Next.Blocked)
		} else {
			fmt.Fprintf(w, "The next slot, %s, sends %s to %s.\n", at, r.Next.Article, countOf(r.Next.Readers, "reader", "readers"))
		}
	}
}

// oneLine keeps what strangers typed from drawing on a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

func (a *app) subscriberExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export SERIES [FILE]",
		Short: "Write the people of a series as CSV that import reads",
		Long: `Writes to standard output, also where FILE is -, or to a new file that only you can read. Cells that a spreadsheet would run as a formula are led by
an apostrophe.`,
		Example: "  pressrun subscriber export skin people.csv",
		Args:    args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				of, err := series.BySlug(cmd.Context(), s.db, given[0])
				if err != nil {
					return err
				}
				if len(given) == 1 || given[1] == "-" {
					_, err := subscribers.Export(cmd.Context(), s.db, of.ID, a.out)
					return err
				}
				return a.exportTo(cmd.Context(), s, of, given[1])
			})
		},
	}
}

// exportTo writes a new file; half of one is never left behind.
func (a *app) exportTo(ctx context.Context, s *site, of series.Series, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("export: %s exists already: nothing was changed, choose another name", path)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	n, err := subscribers.Export(ctx, s.db, of.ID, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	fmt.Fprintf(a.out, "%s of %s in %s\n", countOf(int64(n), "person", "people"), of.Slug, path)
	return nil
}

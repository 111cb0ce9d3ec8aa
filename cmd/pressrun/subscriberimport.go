package main

import (
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
	var forget bool
	cmd := &cobra.Command{
		Use:   "import SERIES FILE",
		Short: "Bring people from a CSV file",
		Long: `Reads CSV with any delimiter, as UTF-8, UTF-16 or Windows-1252, with the columns of listmonk, Mailchimp, Substack, Ghost,
Kit, Buttondown, MailerLite, beehiiv, Squarespace, Brevo, Constant Contact or your own; columns that are not known are kept.

A state in the file wins over --as, and so does a column of who left, agreed or confirmed, under many names in English, German,
French, Spanish, Dutch and Arabic: who left, bounced or complained by one of them does not get mail here, and nobody who is out
here is brought back. Where another column sounds as if it said who may be mailed, and is not understood, nobody comes as active
before you say what it is. A column in words of which none is known says nothing: --dry-run says how each is read. In an export of
pressrun's own the state alone counts. Pending people are not mailed by an import. FILE may be - for standard input.

All of the file is imported or, where a row has a fault, nothing; with --good-rows all but the rows with a fault. The same file
again, with the same flags, changes nothing. On a terminal the import is tried first, and asks when it has said what the next
slot would then send to how many; --yes leaves that out.

An import that was stopped is gone on with by serve and run-due, and its series waits for it. Where they can't, --forget gives the
import of FILE up, by its name: who came by it as active so far counts as pending then, who is gone by it stays gone, and the series
goes on. The same file imported again brings all of them.`,
		Example: "  pressrun subscriber import skin people.csv --dry-run\n" +
			"  pressrun subscriber import skin people.csv --as active --because \"moved from listmonk, double opt-in there\"\n" +
			"  pressrun subscriber import skin people.csv --forget",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if forget {
				return a.forgetImport(cmd, given[0], filepath.Base(given[1]))
			}
			switch o.As = subscribers.State(as); o.As {
			case subscribers.Pending:
			case subscribers.Active, subscribers.Suppressed:
				if strings.TrimSpace(o.Because) == "" {
					return usagef(cmd, "--as %s needs --because TEXT: how they came, or why they may not be mailed", as)
				}
			default:
				return usagef(cmd, "--as must be pending, active or suppressed, not %q", as)
			}
			return a.with(cmd.Context(), func(s *site) error { return a.importPeople(cmd, s, given[0], given[1], through, o) })
		},
	}
	cmd.Flags().StringVar(&as, "as", "pending", "pending, active or suppressed: people of whom the file says nothing, or only not that they left")
	cmd.Flags().StringVar(&o.Because, "because", "", "how these people came, or why they may not be mailed; it is kept")
	cmd.Flags().StringVar(&through, "received-through", "", "they had all articles up to this one already; it changes nothing for who has started the series again")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print what would happen to each row and change nothing")
	cmd.Flags().BoolVar(&o.GoodRows, "good-rows", false, "import the other rows where some have a fault")
	cmd.Flags().BoolVar(&forget, "forget", false, "give up an import of FILE that was stopped and can't be gone on with")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// forgottenImport is what import --forget prints.
type forgottenImport struct {
	Series string `json:"series"`
	File   string `json:"file"`
	Taken  int64  `json:"taken"` // rows, before it was given up
}

func (a *app) forgetImport(cmd *cobra.Command, slug, file string) error {
	for _, other := range []string{"as", "because", "received-through", "dry-run", "good-rows"} {
		if cmd.Flags().Changed(other) {
			return usagef(cmd, "--forget imports nothing: leave out --%s", other)
		}
	}
	ctx := cmd.Context()
	var taken int64
	err := a.with(ctx, func(s *site) error {
		of, err := series.BySlug(ctx, s.db, slug)
		if err == nil {
			taken, err = s.people.ForgetImport(ctx, s.db, of.ID, file)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.print(forgottenImport{slug, file, taken}, func(w io.Writer) {
		fmt.Fprintf(w, "The import of %s is given up after %s; %s no longer waits for it.\n", oneLine(file), countOf(taken, "row", "rows"), slug)
		fmt.Fprintln(w, "Who came by it as active counts as pending: nobody writes to them before they confirm or the file is imported again. Who is gone by it stays gone.")
	})
}

var (
	errFaultyRows   = errors.New("nothing would be imported: mend the rows marked refused above, or take them out of the file")
	errUnread       = errors.New("nothing would be imported: a column that may say who may be mailed is not understood; see above")
	errNeedsBecause = fmt.Errorf("%w; how active people came is said by --because TEXT", errFaultyRows)
)

func (a *app) importPeople(cmd *cobra.Command, s *site, slug, path, through string, o subscribers.ImportOptions) error {
	ctx := cmd.Context()
	of, err := series.BySlug(ctx, s.db, slug)
	if err != nil {
		return err
	}
	if o.Reading, err = s.articlesThrough(ctx, of, through); err != nil {
		return err
	}
	o.SeriesID, o.File = of.ID, filepath.Base(path)
	if path == "-" {
		return a.importFrom(ctx, s, of, a.in, o)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer f.Close()
	if _, asks := a.terminal(); asks && !a.yes && !o.DryRun {
		if err := a.tryImport(cmd, s, of, f, o); err != nil {
			return err
		}
	}
	return a.importFrom(ctx, s, of, f, o)
}

// tryImport says what an import would do, and what the next slot would send then, and asks. The file is read from its beginning
// again after it.
func (a *app) tryImport(cmd *cobra.Command, s *site, of series.Series, f io.ReadSeeker, o subscribers.ImportOptions) error {
	o.DryRun = true
	o.Columns = func(columns []subscribers.ReadColumn) { sayColumns(a.err, columns) }
	tried, next, err := a.doImport(cmd.Context(), s, of, f, "Trying", o)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if tried.Refused > 0 && !o.GoodRows || tried.NeedsBecause || len(tried.Unread) > 0 {
		return nil // the import itself says which and why
	}
	fmt.Fprintf(a.err, "It would be: %s.\n", inShort(tried))
	sayCharset(a.err, tried)
	sayPending(a.err, tried)
	sayNext(a.err, next)
	return a.confirm("Import them?")
}

func (a *app) importFrom(ctx context.Context, s *site, of series.Series, file io.Reader, o subscribers.ImportOptions) error {
	out := newPeoplePrinter(a, o.DryRun)
	o.Row, o.Columns = out.row, out.read
	report, next, err := a.doImport(ctx, s, of, file, "Importing", o)
	switch {
	case err != nil && report.Refused == 0:
		return err
	case err == nil && o.DryRun && report.NeedsBecause: // scripts ask for its end
		err = errNeedsBecause
	case err == nil && o.DryRun && len(report.Unread) > 0:
		err = errUnread
	case err == nil && o.DryRun && report.Refused > 0 && !o.GoodRows:
		err = errFaultyRows
	}
	return errors.Join(out.end(report, next, err == nil || errors.Is(err, errFaultyRows)), err)
}

// doImport imports with a bar. next is what the next slot sends after it; nil where none comes or the file was refused.
func (a *app) doImport(ctx context.Context, s *site, of series.Series, file io.Reader, doing string, o subscribers.ImportOptions) (
	report subscribers.ImportReport, next *newsletter.Planned, err error,
) {
	o.Then = func(q store.Querier) error {
		planned, err := s.publisher.Foresee(ctx, q, of)
		if err == nil && planned.Slot != "" {
			next = &planned
		}
		return err
	}
	b := newBar(a.err, doing)
	o.Progress = func(taken, rows int64) { b.show(taken, rows) }
	report, err = s.people.Import(ctx, s.db, file, o)
	b.clear()
	return report, next, err
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
		return nil, fmt.Errorf("article %s is not of series %s: %w", slug, of.Slug, series.ErrNoArticle)
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

// oneLine keeps what strangers typed from drawing on a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

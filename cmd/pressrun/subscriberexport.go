package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
)

func (a *app) subscriberExportCommand() *cobra.Command {
	var where string
	cmd := &cobra.Command{
		Use:   "export SERIES [FILE]",
		Short: "Write the people of a series as CSV that import reads",
		Long: `Writes to standard output, also where FILE is -, or to a new file that only you can read. Import reads it back with all that is in it:
states, fields, tags, and how each person came. Cells that a spreadsheet would run as a formula are led by an apostrophe.

` + filterHelp,
		Example: "  pressrun subscriber export skin people.csv\n" +
			"  pressrun subscriber export skin --where 'tag = vip and joined >= 2026-01-01'",
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				of, picks, err := s.segment(cmd, given[0], where)
				if err != nil {
					return err
				}
				if len(given) == 1 || given[1] == "-" {
					_, err := a.exportPeople(cmd.Context(), s, of, picks, a.out)
					return err
				}
				return a.exportTo(cmd.Context(), s, of, picks, given[1])
			})
		},
	}
	whereFlag(cmd, &where)
	return cmd
}

// exportPeople writes with a bar, where that doesn't stand in the way.
func (a *app) exportPeople(ctx context.Context, s *site, of series.Series, where subscribers.Filter, w io.Writer) (int64, error) {
	total, err := subscribers.CountPicked(ctx, s.db, of.ID, where)
	if err != nil {
		return 0, err
	}
	b := newBar(a.err, "Exporting")
	defer b.clear()
	return subscribers.Export(ctx, s.db, of.ID, where, w, func(rows int64) { b.show(rows, total) })
}

// exportTo writes a new file; half of one is never left behind.
func (a *app) exportTo(ctx context.Context, s *site, of series.Series, where subscribers.Filter, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("export: %s exists already: nothing was changed, choose another name", path)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	n, err := a.exportPeople(ctx, s, of, where, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	fmt.Fprintf(a.out, "%s of %s in %s\n", countOf(n, "person", "people"), of.Slug, path)
	return nil
}

// filterHelp is the language of --where.
const filterHelp = `--where picks some of the people. It compares a name with a value, and joins comparisons by and, or, not and brackets:

   email, name, zone, field.NAME    =  !=  ~ (contains)  in (A, B)       field."Home town" ~ Rome
   domain, language, state, tag     =  !=  in (A, B)                     tag in (vip, guest), language = en
   joined, created                  =  !=  <  <=  >  >=  and a day       joined >= 2026-01-31

joined is the day somebody became active in the series, created the day they became known; days are the series'. state is pending,
active, paused or ended. Values of more than one word stand in quotes. Capitals count, but not in addresses, domains and tags;
language = en picks en-GB too; a field that somebody hasn't is empty, as in field.Town = "". field. may be left out where the name is
none of the others, and capitals, spaces and hyphens of a field's name don't count: town = Rome.`

func whereFlag(cmd *cobra.Command, where *string) {
	cmd.Flags().StringVar(where, "where", "", "only whom this picks, such as 'tag = vip and language = de'")
}

// segment finds a series and reads a filter of its people.
func (s *site) segment(cmd *cobra.Command, slug, where string) (series.Series, subscribers.Filter, error) {
	of, err := series.BySlug(cmd.Context(), s.db, slug)
	if err != nil {
		return of, subscribers.Filter{}, err
	}
	zone, err := time.LoadLocation(of.Zone)
	if err != nil {
		return of, subscribers.Filter{}, fmt.Errorf("series %s: %w", slug, err)
	}
	f, err := subscribers.ReadFilter(cmd.Context(), s.db, where, zone)
	if errors.Is(err, subscribers.ErrFilter) {
		err = usageError{err: err, cmd: cmd}
	}
	return of, f, err
}

package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
)

func (a *app) planCommand() *cobra.Command {
	var slots int
	var from string
	cmd := &cobra.Command{
		Use:   "plan [SERIES]",
		Short: "The coming slots: when, which article, how many readers, what is in the way",
		Long: `Forecasts the coming slots by the decision that the sender itself uses, article after article as if all went well: what is
in the way of a slot is taken to be mended in time. In a drip series the readers are at different articles: the one of the most
readers is named, and --json lists them all. Where a pace is set ([relay] rate, window, warm_up), ENDS is when the last message of a
slot leaves, if nothing else is sent at the time and nobody refuses.`,
		Example: "  pressrun plan\n  pressrun plan skin --slots 4 --from 2027-03-28",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if slots < 1 {
				return usagef(cmd, "--slots must be 1 or more, not %d", slots)
			}
			name := ""
			if len(given) > 0 {
				name = given[0]
			}
			return a.with(cmd.Context(), func(s *site) error { return a.plan(cmd, s, name, slots, from) })
		},
	}
	cmd.Flags().IntVar(&slots, "slots", 12, "how many slots of each series")
	cmd.Flags().StringVar(&from, "from", "", "leave out slots before this time, in the series' zone")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) plan(cmd *cobra.Command, s *site, name string, slots int, from string) error {
	ctx := cmd.Context()
	zone := s.cfg.Zone
	if name != "" {
		one, err := series.BySlug(ctx, s.db, name)
		if err != nil {
			return err
		}
		zone = one.Zone
	}
	var start time.Time
	if from != "" {
		place, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("zone: %w", err)
		}
		if start, err = parseTime(cmd, from, place); err != nil {
			return err
		}
	}
	planned, err := s.publisher.Plan(ctx, name, slots, start)
	if err != nil {
		return err
	}
	if err := s.mayLeave(ctx); err != nil {
		fmt.Fprintf(a.err, "Nothing of this leaves yet: %s\n", explain(err))
	}
	return a.print(planned, func(w io.Writer) { printPlan(w, planned) })
}

func printPlan(w io.Writer, planned []newsletter.Planned) {
	if len(planned) == 0 {
		fmt.Fprintln(w, "no slots: there is no series yet, or its schedule has ended")
		return
	}
	ends := slices.ContainsFunc(planned, func(row newsletter.Planned) bool { return !row.Ends.IsZero() })
	header := "SERIES\tSLOT\tARTICLE\tREADERS\tIN THE WAY"
	if ends { // only where a pace is set
		header = "SERIES\tSLOT\tARTICLE\tREADERS\tENDS\tIN THE WAY"
	}
	fmt.Fprintln(w, header)
	for _, line := range foldPlan(planned) {
		row := line.first
		article := row.Article
		if article == "" {
			article = "-"
		}
		if row.Pinned {
			article += " (pinned)"
		}
		if more := len(row.Articles) - 1; more > 0 {
			article += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t", row.Series, line.spanTo(plannedSlot, plannedDay), article, row.Readers)
		if ends {
			fmt.Fprintf(w, "%s\t", when(row.Ends))
		}
		fmt.Fprintf(w, "%s\n", row.Blocked)
	}
}

// foldPlan makes one line of a series' slots in a row that send nothing for the same reason.
func foldPlan(planned []newsletter.Planned) []fold[newsletter.Planned] {
	return folded(planned, func(row newsletter.Planned) string { return row.Series }, func(a, b newsletter.Planned) bool {
		return a.Article == b.Article && a.Pinned == b.Pinned && a.Readers+b.Readers == 0 && a.Blocked != "" && a.Blocked == b.Blocked
	})
}

// plannedDay is short, since it makes the column wide for all lines.
func plannedDay(row newsletter.Planned) string { return row.At.Format("01-02") }

func plannedSlot(row newsletter.Planned) string { return row.At.Format(slotFormat) }

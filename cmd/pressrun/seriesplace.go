package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/ics"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func (a *app) seriesPauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause SERIES",
		Short: "Stop planning a series",
		Long: `Stops planning: no slot of the series fires until resume, and no issue on hold can be released. Nobody is cancelled, and what is
being sent goes on: ` + "`issue pause`" + ` stops that. What you send by hand (` + "`issue send`, `issue announce`,\n`issue correct`" + `) goes: these say that the series is paused before they ask.`,
		Example: "  pressrun series pause skin",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.stopOrGo(cmd.Context(), s, given[0], series.Pause) })
		},
	}
}

func (a *app) seriesResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume SERIES",
		Short:   "End a pause: it goes on with the next regular slot",
		Long:    "Ends a pause. Slots that passed meanwhile are recorded as skipped; their articles come in the slots after.",
		Example: "  pressrun series resume skin",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.stopOrGo(cmd.Context(), s, given[0], series.Resume) })
		},
	}
}

// stopOrGo pauses or resumes, and says what that means.
func (a *app) stopOrGo(ctx context.Context, s *site, slug string, do func(context.Context, *store.Tx, string, time.Time) error) error {
	var of series.Series
	err := s.db.InTx(ctx, func(tx *store.Tx) (err error) {
		if err := do(ctx, tx, slug, s.now()); err != nil {
			return err
		}
		of, err = series.BySlug(ctx, tx, slug)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Series %s: %s.\n", of.Slug, seriesState(of))
	return a.printNextSlot(of, s.now())
}

// seriesState is the word for it.
func seriesState(of series.Series) string {
	if of.Paused {
		return "paused"
	}
	return "active"
}

func (a *app) seriesSkipCommand() *cobra.Command {
	var undo, dryRun bool
	cmd := &cobra.Command{
		Use:   "skip SERIES DATE|FILE.ics",
		Short: "Leave out the slots of a local date, or of a calendar's holidays",
		Long: `Skips the slots of a local date (YYYY-MM-DD). That costs time, never content: the next slot sends what would have gone, and
is held where this one was. An article that is pinned to the date is pinned to the next slot that is neither pinned nor held. --undo
takes it back, with hold and pin as far as they weren't changed since.

Given a calendar file (.ics), such as one of public holidays, it skips the slots of the next two years at which something is on in it:
all slots of the dates of events of whole days, and of events with times those from their begin until their end. Nothing is skipped where the
file holds anything that isn't understood; the event is named then. The same file once more changes nothing but what is new in it, and
--undo gives back what its events skipped, known by their names; what another file or a date by hand skips too stays so and is named.
--dry-run says what would be done.`,
		Example: "  pressrun series skip skin 2027-12-28\n  pressrun series skip skin holidays.ics --dry-run\n  pressrun series skip skin 2027-12-28 --undo",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if _, err := time.Parse(time.DateOnly, given[1]); err != nil && strings.HasSuffix(strings.ToLower(given[1]), ".ics") {
				return a.with(cmd.Context(), func(s *site) error { return a.skipCalendar(cmd.Context(), s, given[0], given[1], undo, dryRun) })
			}
			if err := wantDate(cmd, given[1]); err != nil {
				return fmt.Errorf("%w, or the name of a calendar file (.ics)", err)
			}
			if dryRun {
				return usagef(cmd, "--dry-run goes with a calendar file")
			}
			do, said := series.SkipDate, "Series %s skips %s. The slot after sends what would have gone.\n"
			if undo {
				do, said = series.UnskipDate, "Series %s doesn’t skip %s any more.\n"
			}
			return a.with(cmd.Context(), func(s *site) error { return a.skipDate(cmd.Context(), s, given[0], given[1], do, said) })
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "take it back")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "of a calendar file: say what would be skipped")
	return cmd
}

// skipCalendar lays a calendar file over the slots of a series, and says which fall away and where their articles go.
func (a *app) skipCalendar(ctx context.Context, s *site, slug, file string, undo, dryRun bool) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("calendar file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	read := func(zone *time.Location, from, until time.Time) (ics.Calendar, error) {
		return ics.Read(f, zone, from, until)
	}
	done, err := s.publisher.SkipCalendar(ctx, slug, read, undo, dryRun)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := a.saySkipped(slug, file, done, undo, dryRun); err != nil {
		return err
	}
	return a.sayMoved(ctx, s.db, done.Pins, dryRun)
}

// sayMoved says which articles are, or would be, pinned to another slot.
func (a *app) sayMoved(ctx context.Context, q store.Querier, pins []series.Moved, dryRun bool) error {
	is := "is"
	if dryRun {
		is = "would be"
	}
	for _, pin := range pins {
		article, err := series.ArticleByID(ctx, q, pin.ArticleID)
		if err != nil {
			return err
		}
		to := "pinned to " + pin.To + ", not to " + pin.From + " any more"
		if pin.To == "" {
			to = "not pinned to " + pin.From + " any more: it takes its own turn in the order"
		}
		if _, err := fmt.Fprintf(a.out, "%s %s %s.\n", article.Slug, is, to); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) saySkipped(slug, file string, done newsletter.Skipped, undo, dryRun bool) error {
	known := slices.ContainsFunc(done.Slots, func(slot newsletter.SkippedSlot) bool { return slot.Article != "" })
	err := a.print(done.Slots, func(w io.Writer) {
		if known {
			fmt.Fprintln(w, "SLOT\tEVENT\tARTICLE\tGOES ON")
		}
		for _, slot := range done.Slots {
			if slot.Stays != "" {
				fmt.Fprintf(w, "%s\tstays skipped: %s\n", slot.Slot, slot.Stays)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", slot.Slot, slot.Event, slot.Article, slot.Goes)
		}
	})
	if err != nil {
		return err
	}
	stay := 0
	for _, slot := range done.Slots {
		if slot.Stays != "" {
			stay++
		}
	}
	n := countOf(int64(len(done.Slots)-stay), "slot", "slots")
	text := fmt.Sprintf("Series %s skips %s because of %s. The slot after each sends what would have gone.", slug, n, file)
	switch {
	case undo && dryRun:
		text = fmt.Sprintf("Series %s would give back %s that %s skipped. Nothing was done.", slug, n, file)
	case undo:
		text = fmt.Sprintf("Series %s gives back %s that %s skipped.", slug, n, file)
	case dryRun:
		text = fmt.Sprintf("Series %s would skip %s because of %s. Nothing was done.", slug, n, file)
	}
	if stay > 0 {
		text += fmt.Sprintf(" Left as they are, since something else skips them: %d.", stay)
	}
	if done.Already > 0 && !undo {
		text += fmt.Sprintf(" Skipped before: %d.", done.Already)
	}
	if !undo {
		text += fmt.Sprintf(" The slots up to %s were looked at: give it a newer file before then.", done.Until.Format("2 January 2006"))
	}
	_, err = fmt.Fprintln(a.out, text)
	return err
}

func wantDate(cmd *cobra.Command, date string) error {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return usagef(cmd, "%q is no date: write YYYY-MM-DD, such as 2027-12-28", date)
	}
	return nil
}

// skipping is series.SkipDate or what takes it back.
type skipping func(context.Context, *store.Tx, series.Series, string, time.Time) ([]string, error)

func (a *app) skipDate(ctx context.Context, s *site, slug, date string, do skipping, said string) error {
	var walls []string
	var moved []series.Moved
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		of, err := series.BySlug(ctx, tx, slug)
		if err != nil {
			return err
		}
		was, err := series.Pins(ctx, tx, of.ID)
		if err != nil {
			return err
		}
		if walls, err = do(ctx, tx, of, date, s.now()); err != nil {
			return err
		}
		is, err := series.Pins(ctx, tx, of.ID)
		moved = series.MovedPins(was, is)
		return err
	})
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(a.out, said, slug, strings.Join(walls, ", ")); err != nil {
		return err
	}
	return a.sayMoved(ctx, s.db, moved, false)
}

func (a *app) seriesPinCommand() *cobra.Command {
	var undo bool
	cmd := &cobra.Command{
		Use:   "pin SERIES DATE ARTICLE",
		Short: "Have a date send a given article",
		Long: `Pins an article to the first slot of a local date (YYYY-MM-DD). It goes out then, if it is ready, and not
before; the articles before it keep their turn. Where the date is skipped it is pinned to the next slot that
is neither pinned nor held. With --undo, which takes the date's pin off and needs no ARTICLE, it takes its own turn in the order again.`,
		Example: "  pressrun series pin skin 2027-12-21 winter-skin\n  pressrun series pin skin 2027-12-21 --undo",
		Args:    args(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := wantDate(cmd, given[1]); err != nil {
				return err
			}
			switch {
			case undo && len(given) == 3:
				return usagef(cmd, "--undo takes off whatever is pinned to the date: leave ARTICLE out")
			case undo:
				return a.with(cmd.Context(), func(s *site) error { return a.unpinDate(cmd.Context(), s, given[0], given[1]) })
			case len(given) == 2:
				return usagef(cmd, "say which article, or --undo")
			}
			return a.with(cmd.Context(), func(s *site) error { return a.pinDate(cmd.Context(), s, given[0], given[1], given[2]) })
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "take the date's pin off")
	return cmd
}

func (a *app) unpinDate(ctx context.Context, s *site, slug, date string) error {
	return s.db.InTx(ctx, func(tx *store.Tx) error {
		of, err := series.BySlug(ctx, tx, slug)
		if err != nil {
			return err
		}
		off, err := series.UnpinDate(ctx, tx, of, date, s.now())
		if err != nil {
			return err
		}
		for _, pin := range off {
			if err := a.sayUnpinned(ctx, tx, pin); err != nil {
				return err
			}
		}
		return nil
	})
}

// sayUnpinned says that an article lost the slot it was pinned to.
func (a *app) sayUnpinned(ctx context.Context, q store.Querier, pin series.Pin) error {
	article, err := series.ArticleByID(ctx, q, pin.ArticleID)
	if err == nil {
		fmt.Fprintf(a.out, "%s is not pinned to %s any more: it takes its own turn in the order again.\n", article.Slug, pin.Wall)
	}
	return err
}

func (a *app) pinDate(ctx context.Context, s *site, slug, date, articleSlug string) error {
	var slot series.Slot
	var article series.Article
	var before []series.Pin
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		of, err := series.BySlug(ctx, tx, slug)
		if err != nil {
			return err
		}
		if article, err = series.ArticleBySlug(ctx, tx, articleSlug); err != nil {
			return err
		}
		if before, err = series.Pins(ctx, tx, of.ID); err != nil {
			return err
		}
		slot, err = series.PinDate(ctx, tx, of, date, article.ID, s.now())
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Slot %s of series %s sends %s.\n", slot.Wall, slug, article.Slug)
	for _, pin := range before {
		if pin.ArticleID == article.ID && pin.Wall != slot.Wall {
			fmt.Fprintf(a.out, "It is not pinned to %s any more.\n", pin.Wall)
		}
		if pin.Wall == slot.Wall && pin.ArticleID != article.ID {
			if err := a.sayUnpinned(ctx, s.db, pin); err != nil {
				return err
			}
		}
	}
	if article.State == series.Draft {
		fmt.Fprintf(a.out, "It is still a draft: pressrun article ready %s\n", article.Slug)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
)

func (a *app) runDueCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "run-due",
		Short: "Do what is due once, send what can be sent now, exit",
		Long: `For those who schedule by cron or systemd timers instead of serve. Beside a running serve it only says what is due;
serve does the sending. --now plays another time, and only with a relay on this machine, so that nobody gets tomorrow's mail today.`,
		Example: "  pressrun run-due\n  pressrun run-due --now 2027-03-30T09:00",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runDue(cmd, at)
		},
	}
	cmd.Flags().StringVar(&at, "now", "", "the time to play, such as 2027-03-30T09:00 (loopback relay only)")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) runDue(cmd *cobra.Command, at string) error {
	cfg, err := loadConfig(a.config, os.Environ())
	if err != nil {
		return err
	}
	if at != "" {
		if !isLoopback(cfg.Relay.Host) {
			return usagef(cmd, "--now is only for a relay on this machine, and relay.host is %s", cfg.Relay.Host)
		}
		zone, err := time.LoadLocation(cfg.Zone)
		if err != nil {
			return fmt.Errorf("zone: %w", err)
		}
		t, err := parseTime(cmd, at, zone)
		if err != nil {
			return err
		}
		a.now = steady(t, time.Now())
	}
	return a.with(cmd.Context(), func(s *site) error {
		happened, err := s.runDue(cmd.Context(), a.err)
		if printErr := a.print(happened, func(w io.Writer) { printHappened(w, happened) }); printErr != nil {
			return printErr
		}
		return err
	})
}

// steady is a clock that shows t at start and goes on from there.
func steady(t, start time.Time) func() time.Time {
	return func() time.Time { return t.Add(time.Since(start)) }
}

// runDue publishes what is due, and delivers until nothing can be sent now where no other process sends from this database.
func (s *site) runDue(ctx context.Context, progress io.Writer) ([]newsletter.Happened, error) {
	happened, err := s.publisher.RunDue(ctx)
	if err := errors.Join(err, s.deliver(ctx, progress)); err != nil {
		return happened, err
	}
	return happened, s.waiting(ctx)
}

// waiting says why issues have not left, so that silence never looks like success.
func (s *site) waiting(ctx context.Context) error {
	rows, _, err := outbox.CountPending(ctx, s.db)
	if err != nil || rows == 0 {
		return err
	}
	if err := s.mayLeave(ctx); err != nil {
		return fmt.Errorf("%d deliveries wait: %w", rows, err)
	}
	return nil
}

func printHappened(w io.Writer, happened []newsletter.Happened) {
	if len(happened) == 0 {
		fmt.Fprintln(w, "nothing was due")
		return
	}
	fmt.Fprintln(w, "SERIES\tSLOT\tSTATE\tREADERS\tISSUE\tREASON")
	for _, h := range happened {
		issue := ""
		if len(h.Issues) > 0 {
			issue = h.Issues[0]
		}
		if len(h.Issues) > 1 {
			issue += fmt.Sprintf(" and %d more", len(h.Issues)-1)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", h.Series, h.Slot, h.State, h.Readers, issue, h.Reason)
	}
}

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
		Long: `For those who schedule by cron or systemd timers instead of serve. Beside a running serve it makes the issues that are due, and
serve does the sending. While all is well it calls notify.monitor at its end, and every five minutes for as long as it sends.

--now plays another time, in the zone of the configuration where it names none. The slots up to then are used up. So it is only for
a relay on this machine, on no mail server's port (25, 465, 587), and only while serve is stopped: nobody gets tomorrow's mail today.`,
		Example: "  pressrun run-due\n  pressrun run-due --now 2027-03-30T09:00",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runDue(cmd, at)
		},
	}
	cmd.Flags().StringVar(&at, "now", "", "the time to play with a relay on this machine, such as 2027-03-30T09:00")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) runDue(cmd *cobra.Command, at string) error {
	cfg, err := loadConfig(a.config, os.Environ())
	if err != nil {
		return err
	}
	if at != "" {
		if !cfg.relayIsHere() {
			return usagef(cmd, "--now is only for a relay on this machine that is no mail server, and mail to %s:%d may reach people", cfg.Relay.Host, cfg.Relay.Port)
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
		if at != "" {
			if err := s.alone(); err != nil {
				return fmt.Errorf("--now would use up slots that a running pressrun has yet to send: %w", err)
			}
			s.cfg.Monitor = "" // a clock that is played says nothing of today
		}
		ran, err := s.runDue(cmd.Context(), a.err)
		if at == "" && !ran.Delivery.Elsewhere { // a clock that is played makes no backups, and another process that sends keeps the monitor
			s.monitorOnce(cmd.Context(), ran.trouble)
			heard, deaf := s.publisher.Hear(cmd.Context())
			ran.Heard = heard
			_, failed := s.backUpNightly(cmd.Context())
			err = errors.Join(err, deaf, failed)
		}
		return errors.Join(err, a.print(ran, ran.print))
	})
}

// ranDue is what run-due prints.
type ranDue struct {
	Due      []newsletter.Happened `json:"due"`
	Imports  []string              `json:"imports,omitempty"` // those that are not done, in words
	Delivery delivery              `json:"delivery"`

	Heard map[outbox.Heard]int `json:"heard,omitempty"` // messages in the mailbox of bounces, by what they were

	failed  bool
	trouble error // what failed after the look at what is due
}

// alone fails with outbox.ErrRunning while another process sends from the database.
func (s *site) alone() error {
	lock, err := outbox.TryLock(s.db.Path())
	if err != nil {
		return err
	}
	return lock.Close()
}

// steady is a clock that shows t at start and goes on from there.
func steady(t, start time.Time) func() time.Time {
	return func() time.Time { return t.Add(time.Since(start)) }
}

// runDue publishes what is due, and delivers until nothing can be sent now where no other process sends from this database.
func (s *site) runDue(ctx context.Context, progress io.Writer) (ran ranDue, err error) {
	ran.Due, err = s.publisher.RunDue(ctx)
	var unread, undelivered error
	ran.Imports, unread = s.publisher.Unfinished(ctx)
	ran.Delivery, undelivered = s.deliver(ctx, progress)
	ran.trouble = errors.Join(unread, undelivered)
	if err = errors.Join(err, ran.trouble); err == nil {
		err = s.waiting(ctx, ran.Delivery)
	}
	ran.failed = err != nil
	return ran, err
}

// waiting says why deliveries have not left, so that silence never looks like success.
func (s *site) waiting(ctx context.Context, d delivery) error {
	if d.Waiting == 0 {
		return nil
	}
	if err := s.mayLeave(ctx); err != nil {
		return fmt.Errorf("%s: %w", countOf(d.Waiting, "delivery waits", "deliveries wait"), err)
	}
	return nil
}

func (r ranDue) print(w io.Writer) {
	if len(r.Due) > 0 {
		fmt.Fprintln(w, "SERIES\tSLOT\tSTATE\tREADERS\tISSUE\tREASON")
		missed := func(a, b newsletter.Happened) bool { return a.State == "missed" && b.State == "missed" } // many, after a long time off
		for _, line := range folded(r.Due, func(h newsletter.Happened) string { return h.Series }, missed) {
			h := line.first
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", h.Series, line.span(func(h newsletter.Happened) string { return h.Slot }),
				h.State, h.Readers, issueOf(h), h.Reason)
		}
	} else if !r.failed {
		fmt.Fprintln(w, "No slot was due.")
	}
	for _, text := range r.Imports {
		fmt.Fprintln(w, text)
	}
	fmt.Fprintln(w, r.Delivery.said())
	if said := saidHeard(r.Heard); said != "" {
		fmt.Fprintf(w, "Came back by mail: %s.\n", said)
	}
}

// issueOf names the slot's issue, or the first of several.
func issueOf(h newsletter.Happened) string {
	switch n := len(h.Issues); n {
	case 0:
		return ""
	case 1:
		return h.Issues[0]
	default:
		return fmt.Sprintf("%s and %d more", h.Issues[0], n-1)
	}
}

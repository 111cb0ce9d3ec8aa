package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

func (a *app) goLiveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "go-live",
		Short: "The checklist after which mail may leave this machine",
		Long: `Checks senders, postal addresses, disclaimers, the relay with TLS and login, DNS of the senders' domains, the public address with
the one-click unsubscribe (so serve must run), who is told, and what goes next. Once nothing is OPEN, issues may leave; until then they
wait and nothing is lost. It passes for the relay and base_url of now: others need it again. A trial (base_url and relay on this
machine, the relay a mail catcher and not on a mail server's port 25, 465 or 587) reaches nobody and needs no go-live.

After a restore or a move to another machine the database is on hold: it doesn't know what was sent since the copy was made.
go-live asks then, and --yes is your word that no other copy sends and that sending may go on.`,
		Example: "  pressrun go-live",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.goLive(cmd, s) })
		},
	}
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) goLive(cmd *cobra.Command, s *site) error {
	ctx := cmd.Context()
	findings, err := s.checkSeries(ctx)
	if err != nil {
		return err
	}
	database, err := a.agreeToGoOn(cmd, s)
	if err != nil {
		return err
	}
	more, err := s.checkWorld(ctx)
	if err != nil {
		return err
	}
	findings = append(findings, s.checkBaseURL(), s.checkFiles(), database, s.checkNotify())
	findings = append(findings, more...)
	if err := a.report(findings); err != nil {
		return err
	}
	if err := s.goLive(ctx); err != nil || a.json {
		return err
	}
	said := "Live: issues may leave this machine from now on."
	if s.cfg.trial() {
		said = "This is a trial, which reaches nobody: it goes on as it was. Run go-live again once relay and base_url are the real ones."
	}
	_, err = fmt.Fprintf(a.out, "\n%s\n", said)
	return err
}

// agreeToGoOn looks at the database. One that is on hold, since it was copied or restored, needs an editor's word: what it
// says is unsent may have been sent by another copy.
func (a *app) agreeToGoOn(cmd *cobra.Command, s *site) (finding, error) {
	ctx := cmd.Context()
	f := s.checkDatabase(ctx)
	inst, err := outbox.ReadInstance(ctx, s.db)
	if err != nil || inst.Held == "" {
		return f, err
	}
	waiting, _, err := outbox.CountPending(ctx, s.db)
	if err != nil {
		return f, err
	}
	f.Said += fmt.Sprintf(". Deliveries that wait in it: %d; they, and the next articles of its series, may have gone out from another copy since", waiting)
	if a.confirm(cmd, f.Said+". Is no other copy sending, and may this one go on?") == nil {
		f.OK = true
	}
	return f, nil
}

// goLive records what the checklist passed for, and lifts what held a moved or restored database. A trial is not live.
func (s *site) goLive(ctx context.Context) error {
	return s.db.InTx(ctx, func(tx *store.Tx) error {
		if err := outbox.LiftHold(ctx, tx, s.db.Path(), s.now()); err != nil || s.cfg.trial() {
			return err
		}
		return outbox.GoLive(ctx, tx, s.cfg.liveFor(), s.now())
	})
}

package main

import (
	"context"
	"fmt"
	"io"
	"slices"

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
	before, err := outbox.ReadInstance(ctx, s.db)
	if err != nil {
		return err
	}
	database, err := a.agreeToGoOn(cmd, s, before)
	if err != nil {
		return err
	}
	findings, err := s.checkLive(ctx, before)
	if err != nil {
		return err
	}
	more, err := s.checkWorld(ctx)
	if err != nil {
		return err
	}
	findings = slices.Concat(findings, []finding{s.checkSiteName(), s.checkFiles(), database}, more)
	if err := a.report(findings); err != nil {
		return err
	}
	if err := s.goLive(ctx); err != nil {
		return err
	}
	to := a.out
	if a.json {
		to = a.err
	}
	return s.sayLive(ctx, to, before)
}

// checkLive looks at what keeps a site from going live, and keeps no trial from running.
func (s *site) checkLive(ctx context.Context, before outbox.Instance) ([]finding, error) {
	findings, err := s.checkSeries(ctx)
	if err != nil {
		return nil, err
	}
	tried, err := s.checkTried(ctx, before)
	return slices.Concat(findings, []finding{s.checkBaseURL(), s.checkProxies(), s.checkNotify()}, tried), err
}

// sayLive says what go-live has changed.
func (s *site) sayLive(ctx context.Context, w io.Writer, before outbox.Instance) error {
	fmt.Fprintln(w)
	if before.Held != "" {
		waiting, _, err := outbox.CountPending(ctx, s.db)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "The hold is lifted: this database sends again. Waiting in it: %s, for a running serve or the next run-due.\n",
			countOf(waiting, "delivery", "deliveries"))
	}
	if !s.cfg.trial() {
		_, err := fmt.Fprintln(w, "Live: issues may leave this machine from now on.")
		return err
	}
	said, err := s.saidTrial(ctx)
	fmt.Fprintf(w, "%s\nRun go-live again once relay and base_url are the real ones.\n", said)
	return err
}

// saidTrial says what a trial is, and what of it stays: an article that was sent in it is had.
func (s *site) saidTrial(ctx context.Context) (string, error) {
	people, articles, err := outbox.CountHad(ctx, s.db)
	said := "This is a trial, which reaches nobody, but what it sends counts as sent"
	if people > 0 {
		said += fmt.Sprintf(": %s had %s so far", countOf(people, "person has", "people have"), countOf(articles, "article", "articles"))
	}
	return said + ". `pressrun init FOLDER` makes a site where nobody had anything.", err
}

// checkTried looks whether people had articles in a trial before a site goes live for the first time: they don't get those again.
func (s *site) checkTried(ctx context.Context, before outbox.Instance) ([]finding, error) {
	if s.cfg.trial() || before.LiveFor != "" {
		return nil, nil
	}
	people, articles, err := outbox.CountHad(ctx, s.db)
	if err != nil || people == 0 {
		return nil, err
	}
	return []finding{{
		What: "trial", OK: true, Warning: true,
		Said: fmt.Sprintf("%s had %s while this was a trial, and won't get them again", countOf(people, "person", "people"), countOf(articles, "article", "articles")),
		Mend: "If they are real readers: `pressrun init FOLDER` makes a site where nobody had anything; bring series, articles and readers there.",
	}}, nil
}

// agreeToGoOn looks at the database. One that is on hold, since it was copied or restored, needs an editor's word: what it
// says is unsent may have been sent by another copy.
func (a *app) agreeToGoOn(cmd *cobra.Command, s *site, before outbox.Instance) (finding, error) {
	ctx := cmd.Context()
	f := s.checkDatabase(ctx)
	if before.Held == "" {
		return f, nil
	}
	waiting, _, err := outbox.CountPending(ctx, s.db)
	if err != nil {
		return f, err
	}
	f.Said += fmt.Sprintf(". Deliveries that wait in it: %d; they, and the next articles of its series, may have gone out from another copy since", waiting)
	if a.confirm(f.Said+". Is no other copy sending, and may this one go on?") == nil {
		f.OK, f.Said = true, s.cfg.Database+" was on hold, and may go on by your word: "+before.Held
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

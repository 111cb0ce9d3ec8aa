package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (a *app) subscriberCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "subscriber",
		Short:   "Subscribers: add, import, export, look, set, unsubscribe, suppress, erase, explain",
		Example: "  pressrun subscriber import skin people.csv --dry-run\n  pressrun subscriber explain ada@example.org",
		Long: `People are named by their address. Nothing here brings back somebody who left, bounced or complained: only they themselves can,
by confirming again.`,
	},
		a.subscriberAddCommand(), a.subscriberImportCommand(), a.subscriberExportCommand(), a.subscriberListCommand(),
		a.subscriberShowCommand(), a.subscriberSetCommand(), a.subscriberEraseCommand(), a.subscriberUnsubscribeCommand(), a.subscriberSuppressCommand(),
		a.subscriberUnsuppressCommand(), a.subscriberBouncesCommand(), a.subscriberExplainCommand(),
	)
}

// addOptions are the flags of subscriber add.
type addOptions struct {
	about     aboutFlags
	because   string
	confirmed bool
}

func (a *app) subscriberAddCommand() *cobra.Command {
	var o addOptions
	cmd := &cobra.Command{
		Use:   "add SERIES EMAIL",
		Short: "Add somebody: they are mailed a link to confirm, or you answer for them",
		Long: `Without --confirmed the person gets one mail that asks them to confirm, at most one a day and three unanswered ones ever.
With --confirmed they are active at once, on your word; --because says how you know that they want it, and is kept.`,
		Example: "  pressrun subscriber add skin ada@example.org --yes\n" +
			"  pressrun subscriber add skin ada@example.org --name \"Ada Quill\" --confirmed --because \"signed at the desk\"",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			switch {
			case o.confirmed && strings.TrimSpace(o.because) == "":
				return usagef(cmd, "--confirmed needs --because TEXT: how you know that they want it")
			case !o.confirmed && o.because != "":
				return usagef(cmd, "--because goes with --confirmed")
			}
			known, err := o.about.change(cmd)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(s *site) error {
				of, err := series.BySlug(cmd.Context(), s.db, given[0])
				if err != nil {
					return err
				}
				if o.confirmed {
					return a.enrol(cmd.Context(), s, of, given[1], o.because, known)
				}
				return a.ask(cmd, s, of, given[1], o.about.name, known)
			})
		},
	}
	o.about.add(cmd)
	cmd.Flags().BoolVar(&o.confirmed, "confirmed", false, "active at once, without a mail")
	cmd.Flags().StringVar(&o.because, "because", "", "with --confirmed: how you know that they want it")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// addedLine is what add prints.
type addedLine struct {
	Email  string `json:"email"`
	Series string `json:"series"`
	Status string `json:"status"` // active, paused, pending, ended: that of the enrolment
	Mailed bool   `json:"mailed"` // a confirmation is on its way
	said   string
}

func (l addedLine) print(w io.Writer) { fmt.Fprintln(w, l.said) }

// enrol makes somebody active on the word of the site's owner.
func (a *app) enrol(ctx context.Context, s *site, of series.Series, email, because string, known subscribers.Change) error {
	line := addedLine{Email: email, Series: of.Slug}
	err := s.db.InTx(ctx, func(tx *store.Tx) error {
		e, err := s.people.Enrol(ctx, tx, of.ID, subscribers.Addition{Email: email}, because)
		line.Status = string(e.State)
		if err == nil {
			_, err = subscribers.SetPerson(ctx, tx, email, known)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("add to %s: %w", of.Slug, err)
	}
	line.said = fmt.Sprintf("%s is %s in %s.", email, line.Status, of.Slug)
	return a.print(line, line.print)
}

// ask mails the link to confirm. Other than the public form it says why where there is nothing to mail.
func (a *app) ask(cmd *cobra.Command, s *site, of series.Series, email, name string, known subscribers.Change) error {
	ctx := cmd.Context()
	if _, err := subscribers.ParseAddress(email); err != nil {
		return err
	}
	if err := a.confirm(fmt.Sprintf("Mail %s a link to confirm for %s?", email, of.Slug)); err != nil {
		return err
	}
	before, err := s.requests(ctx, email)
	if err != nil {
		return err
	}
	err = s.publisher.Subscribe(ctx, newsletter.Signup{
		Series: []string{of.Slug}, Email: email, Name: name, Evidence: subscribers.Evidence{Form: "pressrun subscriber add"}, ByOwner: true,
	})
	if err == nil {
		err = s.publisher.TakeRequests(ctx)
	}
	if err != nil {
		return err
	}
	known.Name = nil // which becomes theirs when they confirm
	if err := s.setPerson(ctx, email, known); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	after, err := s.requests(ctx, email)
	if err != nil {
		return err
	}
	line, err := s.asked(ctx, of, email, after > before)
	if err != nil {
		return err
	}
	if !line.Mailed {
		return a.print(line, line.print)
	}
	if held := s.mayLeave(ctx); held != nil {
		fmt.Fprintf(a.err, "The mail waits: %s\n", explain(held))
		return a.print(line, line.print)
	}
	if _, err := s.deliver(ctx, a.err); err != nil {
		return errors.Join(err, a.print(line, line.print))
	}
	if err := s.refused(ctx, email); err != nil {
		line.Mailed, line.said = false, fmt.Sprintf("%s could not be mailed; %s doesn't come.", email, of.Slug)
		return errors.Join(err, a.print(line, line.print))
	}
	return a.print(line, line.print)
}

// refused says whether the relay refused the last mail to somebody, and why.
func (s *site) refused(ctx context.Context, email string) error {
	person, err := subscribers.ByEmail(ctx, s.db, email)
	if err != nil {
		return err
	}
	all, err := outbox.DeliveriesOf(ctx, s.db, person.ID)
	if err != nil || len(all) == 0 {
		return err
	}
	last := all[len(all)-1]
	if last.State != "failed" {
		return nil
	}
	return fmt.Errorf("the mail to %s failed (%s): %s", email, last.Class, oneLine(last.Reply))
}

// requests counts how often somebody was asked to confirm.
func (s *site) requests(ctx context.Context, email string) (n int, err error) {
	person, err := subscribers.ByEmail(ctx, s.db, email)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	events, err := subscribers.Consents(ctx, s.db, person.ID)
	for _, e := range events {
		if e.Event == "requested" {
			n++
		}
	}
	return n, err
}

// asked says what became of a request: mailed, or why not.
func (s *site) asked(ctx context.Context, of series.Series, email string, mailed bool) (addedLine, error) {
	line := addedLine{Email: email, Series: of.Slug, Mailed: mailed}
	person, err := subscribers.ByEmail(ctx, s.db, email)
	if err == nil {
		var e subscribers.Enrolment
		e, err = subscribers.EnrolmentOf(ctx, s.db, of.ID, person.ID)
		line.Status = string(e.State)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return line, err
	}
	switch {
	case mailed:
		line.said = fmt.Sprintf("%s is mailed a link; %s comes once they confirm.", email, of.Slug)
		return line, nil
	case line.Status == string(subscribers.Active) || line.Status == string(subscribers.Paused):
		line.said = fmt.Sprintf("%s is %s in %s already: nothing was mailed.", email, line.Status, of.Slug)
		return line, nil
	}
	against, err := s.people.Suppressions(ctx, s.db, email)
	if err != nil {
		return line, err
	}
	for _, x := range against {
		if x.SeriesID == 0 || x.SeriesID == of.ID {
			if x.Reason == "complaint" || x.Reason == "manual" {
				return line, fmt.Errorf("add to %s: %w (%s)", of.Slug, subscribers.ErrSuppressed, x.Reason)
			}
		}
	}
	line.said = fmt.Sprintf("%s was asked already and has not answered: nothing was mailed. One mail a day, three ever.", email)
	return line, nil
}

func (a *app) subscriberUnsubscribeCommand() *cobra.Command {
	var slug string
	cmd := &cobra.Command{
		Use:     "unsubscribe EMAIL",
		Short:   "End somebody's subscription to a series, or to everything",
		Long:    "Nothing more of its scope is sent to them, not even what is queued. They alone can come back.",
		Example: "  pressrun subscriber unsubscribe ada@example.org\n  pressrun subscriber unsubscribe ada@example.org --series skin",
		Args:    args(addressAlone),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.unsubscribe(cmd.Context(), s, given[0], slug) })
		},
	}
	cmd.Flags().StringVar(&slug, "series", "", "from this series alone")
	return cmd
}

// addressAlone wants one argument, an address or a domain. Most commands name the series first: who does so here is told how it is meant.
func addressAlone(cmd *cobra.Command, given []string) error {
	if len(given) == 2 {
		series, who := given[0], given[1]
		if strings.ContainsAny(series, "@.") {
			series, who = who, series
		}
		return usagef(cmd, "only the address stands here, the series is a flag: %s %s --series %s", cmd.CommandPath(), who, series)
	}
	return cobra.ExactArgs(1)(cmd, given)
}

func (a *app) unsubscribe(ctx context.Context, s *site, email, slug string) error {
	var of series.Series
	var err error
	what := "this site"
	if slug != "" {
		if of, err = series.BySlug(ctx, s.db, slug); err != nil {
			return err
		}
		what = slug
	}
	err = s.db.InTx(ctx, func(tx *store.Tx) error {
		person, err := subscribers.ByEmail(ctx, tx, email)
		if err != nil {
			return typed(email, err)
		}
		return s.people.Unsubscribe(ctx, tx, person.ID, of.ID, subscribers.Evidence{Form: "pressrun subscriber unsubscribe"})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s gets nothing more from %s.\n", email, what)
	return nil
}

func (a *app) subscriberSuppressCommand() *cobra.Command {
	var because, slug string
	cmd := &cobra.Command{
		Use:   "suppress EMAIL|DOMAIN",
		Short: "Keep an address, or all of a domain, from ever being mailed",
		Long: `The address may be unknown: only a keyed hash of it is kept, and no import brings it in. A domain means its addresses, not
those of its subdomains. It holds for the whole site, or with --series for one series. ` + "`unsuppress`" + ` takes it back.`,
		Example: "  pressrun subscriber suppress ada@example.org --because \"asked by letter\"\n" +
			"  pressrun subscriber suppress example.org --series skin --because \"our own test domain\"",
		Args: args(addressAlone),
		RunE: func(cmd *cobra.Command, given []string) error {
			if strings.TrimSpace(because) == "" {
				return usagef(cmd, "say why: --because TEXT")
			}
			return a.with(cmd.Context(), func(s *site) error { return a.suppress(cmd.Context(), s, given[0], slug, because) })
		},
	}
	cmd.Flags().StringVar(&because, "because", "", "why; it is kept")
	cmd.Flags().StringVar(&slug, "series", "", "from this series alone")
	return cmd
}

func (a *app) suppress(ctx context.Context, s *site, target, slug, because string) error {
	of, where, err := s.scope(ctx, slug)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(tx *store.Tx) error { return s.people.Suppress(ctx, tx, target, of.ID, "manual", because) })
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s is suppressed%s.\n", target, where)
	return nil
}

// scope is a series, or without a slug the whole site: number 0. where says it in a sentence.
func (s *site) scope(ctx context.Context, slug string) (of series.Series, where string, err error) {
	if slug == "" {
		return series.Series{}, "", nil
	}
	of, err = series.BySlug(ctx, s.db, slug)
	return of, " in " + slug, err
}

func (a *app) subscriberUnsuppressCommand() *cobra.Command {
	var because, slug string
	cmd := &cobra.Command{
		Use:   "unsuppress EMAIL|DOMAIN",
		Short: "Lift a suppression by hand, a bounce or a complaint",
		Long: `What was suppressed by hand is as before. Somebody who complained may be asked again then, and must confirm; so may those whose mail
bounced, also without this.
An unsubscribe is never lifted here. Without --series it is lifted everywhere.`,
		Example: "  pressrun subscriber unsuppress ada@example.org --because \"her mailbox is back, she wrote on 3 March\"",
		Args:    args(addressAlone),
		RunE: func(cmd *cobra.Command, given []string) error {
			if strings.TrimSpace(because) == "" {
				return usagef(cmd, "say why: --because TEXT")
			}
			return a.with(cmd.Context(), func(s *site) error { return a.unsuppress(cmd.Context(), s, given[0], slug, because) })
		},
	}
	cmd.Flags().StringVar(&because, "because", "", "why; it is kept")
	cmd.Flags().StringVar(&slug, "series", "", "in this series alone")
	return cmd
}

func (a *app) unsuppress(ctx context.Context, s *site, target, slug, because string) error {
	of, where, err := s.scope(ctx, slug)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(tx *store.Tx) error { return s.people.Unsuppress(ctx, tx, target, of.ID, because) })
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s is no longer suppressed%s.\n", target, where)
	person, err := subscribers.ByEmail(ctx, s.db, target)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, subscribers.ErrAddress) { // unknown, or a domain
		return nil
	}
	if err != nil {
		return err
	}
	enrolments, err := subscribers.Enrolments(ctx, s.db, person.ID)
	for _, e := range enrolments {
		if e.State == subscribers.Ended && (of.ID == 0 || e.SeriesID == of.ID) {
			fmt.Fprintln(a.out, "Where a subscription had ended they must confirm again: pressrun subscriber add SERIES", target)
			break
		}
	}
	return err
}

func (a *app) subscriberEraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase EMAIL",
		Short: "Remove everything known about somebody",
		Long: `Address, name, fields, subscriptions and the record of their consent are removed; of deliveries only the numbers stay. A keyed
hash of the address stays, so that no import brings them back.

Backups of before still have them, until they are replaced or deleted; ` + "`restore`" + ` erases them there too. So does an import that was
stopped, until it is done or given up.`,
		Example: "  pressrun subscriber erase ada@example.org --yes",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.erase(cmd.Context(), s, given[0]) })
		},
	}
	a.yesFlag(cmd)
	return cmd
}

func (a *app) erase(ctx context.Context, s *site, email string) error {
	person, err := subscribers.ByEmail(ctx, s.db, email)
	if err != nil {
		return typed(email, err)
	}
	if err := a.confirm(fmt.Sprintf("Erase everything about %s? It can't be undone.", person.Email)); err != nil {
		return err
	}
	if err := s.db.InTx(ctx, func(tx *store.Tx) error { return s.people.Erase(ctx, tx, person.ID) }); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Everything about %s is erased. Backups of before still have it; restore erases it there too.\n", email)
	clean, err := subscribers.Wipe(ctx, s.db)
	if err != nil {
		return fmt.Errorf("they are erased, but old pages are left in %s or its -wal; serve, or the next run-due, tries again to clean them: %w", s.db.Path(), err)
	}
	if !clean {
		fmt.Fprintf(a.out, "Old pages are left in %s or its -wal, since others read or write just now: serve, or the next run-due, cleans them.\n", s.db.Path())
	}
	keeps, err := subscribers.KeepsFile(ctx, s.db)
	if keeps {
		fmt.Fprintln(a.out, "The file of an import that isn't done is kept until it is, and may have them in it; run-due says which. None of it mails them.")
	}
	return err
}

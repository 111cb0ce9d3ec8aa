package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
)

// A finding is one line of check and go-live.
type finding struct {
	What    string `json:"what"`
	OK      bool   `json:"ok"`
	Warning bool   `json:"warning,omitempty"` // ok, but somebody should look at it
	Said    string `json:"said"`              // what was found
	Mend    string `json:"mend,omitempty"`    // what to do where it is not ok, or a warning
}

// errNotReady says that a checklist has open lines; the lines were printed.
var errNotReady = errors.New("not everything is ready: see the lines marked above")

func (a *app) checkCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, database, relay, DNS, public address and next issues; --send tries a real mail",
		Long: `Connects to the relay with TLS and login, and to the mailbox of bounces where there is one, asks DNS for SPF, DKIM, DMARC and MX of
the senders' domains and of the bounces', tries the one-click
unsubscribe link by a real POST that leaves nobody out, and looks at what goes next in each series. Where relay and public address are
both on this machine, DNS and the link are left alone. Where nothing is OPEN it calls notify.monitor. Lines marked OPEN make it fail; those marked look don't, nor does what only
go-live asks for, which is said to be so.`,
		Example: "  pressrun check\n  pressrun check --send me@example.org --yes",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("send") {
				if _, err := subscribers.ParseAddress(to); err != nil {
					return usagef(cmd, "--send %q: %w", to, err)
				}
			}
			return a.with(cmd.Context(), func(s *site) error {
				if to != "" {
					if err := a.confirm(fmt.Sprintf("Send a test mail to %s?", to)); err != nil {
						return err
					}
				}
				findings := []finding{
					{What: "configuration", OK: true, Said: a.config + " is well formed"},
					s.checkSiteName(),
					s.checkFiles(),
					s.checkDatabase(cmd.Context()),
				}
				more, err := s.checkWorld(cmd.Context())
				if err != nil {
					return err
				}
				asked, err := s.checkAsked(cmd.Context())
				if err != nil {
					return err
				}
				findings = slices.Concat(findings, asked, more)
				findings = append(findings, s.checkMonitor(cmd.Context(), findings)...)
				if to != "" {
					findings = append(findings, s.checkSend(cmd.Context(), to))
				}
				return a.report(findings)
			})
		},
	}
	cmd.Flags().StringVar(&to, "send", "", "hand one test mail for this address to the relay")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

// checkAsked is what go-live asks for besides what check does: nothing of it keeps a trial from running, so none of it is OPEN here.
func (s *site) checkAsked(ctx context.Context) ([]finding, error) {
	before, err := outbox.ReadInstance(ctx, s.db)
	if err != nil {
		return nil, err
	}
	findings, err := s.checkLive(ctx, before)
	for i, f := range findings {
		if !f.OK {
			findings[i] = f.soft()
			findings[i].Said += " (go-live asks for this)"
		}
	}
	return findings, err
}

// report prints a checklist; open lines make the command fail.
func (a *app) report(findings []finding) error {
	for i := range findings {
		if findings[i].OK && !findings[i].Warning {
			findings[i].Mend = ""
		}
	}
	err := a.print(findings, func(w io.Writer) {
		for _, f := range findings {
			mark := "ok"
			switch {
			case !f.OK:
				mark = "OPEN"
			case f.Warning:
				mark = "look"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.What, f.Said)
			if mark != "ok" && f.Mend != "" {
				fmt.Fprintf(w, "\t\t%s\n", f.Mend)
			}
		}
	})
	for _, f := range findings {
		if !f.OK {
			return errors.Join(err, errNotReady)
		}
	}
	return err
}

// checkFiles looks whether everybody on this machine could read secrets or people's addresses.
func (s *site) checkFiles() finding {
	f := finding{What: "files", OK: true, Said: "key, passwords and database are not everybody's to read"}
	var open []string
	for _, file := range append([]string{s.cfg.KeyFile, s.cfg.Database}, s.cfg.SecretFiles...) {
		info, err := os.Stat(file)
		if err != nil {
			f.OK, f.Said, f.Mend = false, err.Error(), "Look at the file's permissions."
			return f
		}
		if info.Mode().Perm()&0o007 != 0 {
			open = append(open, file)
		}
	}
	if len(open) > 0 {
		f.OK, f.Said = false, "everybody on this machine may read or write "+strings.Join(open, ", ")
		f.Mend = "chmod 600 " + strings.Join(open, " ")
	}
	return f
}

// checkWorld looks at what lies outside this program, and at what it will be sent.
func (s *site) checkWorld(ctx context.Context) ([]finding, error) {
	findings := []finding{s.checkRelay(ctx)}
	dns, err := s.checkDNS(ctx)
	if err != nil {
		return nil, err
	}
	next, err := s.checkIssues(ctx)
	if err != nil {
		return nil, err
	}
	paced, err := s.checkPace(ctx)
	if err != nil {
		return nil, err
	}
	back, err := s.checkBounces(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Concat(findings, []finding{paced}, back, dns, []finding{s.checkOneClick(ctx)}, next), nil
}

func (s *site) checkDatabase(ctx context.Context) finding {
	f := finding{What: "database"}
	inst, err := outbox.ReadInstance(ctx, s.db)
	switch {
	case err != nil:
		f.Said, f.Mend = err.Error(), "Look at the disk and the file's permissions."
	case inst.Held != "":
		f.Said = s.cfg.Database + " is on hold: " + inst.Held
		f.Mend = "Once you know that no other copy of it sends: `pressrun go-live --yes`."
	default:
		if err := tryDisk(filepath.Dir(s.cfg.Database)); err != nil {
			f.Said, f.Mend = err.Error(), "Make room, or mend the disk: nothing is sent while deliveries can't be recorded."
			return f
		}
		f.OK, f.Said = true, s.cfg.Database+" is ours, up to date and writable"
	}
	return f
}

// tryDisk writes a little into a folder and takes it away. That the database could be opened says nothing of a full disk.
func tryDisk(dir string) (err error) {
	f, err := os.CreateTemp(dir, "pressrun-check-*")
	if err != nil {
		return fmt.Errorf("the disk: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	const some = 256 << 10 // as much as a busy minute writes
	_, err = f.Write(make([]byte, some))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("the disk: %w", err)
	}
	return nil
}

func (s *site) checkRelay(ctx context.Context) finding {
	r := s.cfg.Relay
	f := finding{What: "relay", Mend: "Mend [relay] in the configuration; nobody's delivery was touched."}
	if s.cfg.trial() && r.Port == trialPort {
		f.Mend = "Leave `pressrun demo` running, whose mail catcher listens there, or name your own relay in [relay]; nobody's delivery was touched."
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := s.smtp().Connect(ctx)
	if err != nil {
		f.Said = err.Error()
		return f
	}
	if err := conn.Quit(ctx); err != nil {
		s.log.DebugContext(ctx, "relay: quit", "error", err)
	}
	f.OK, f.Said = true, fmt.Sprintf("%s:%d answers, TLS %s", r.Host, r.Port, r.TLS)
	switch {
	case r.Username != "":
		f.Said += ", login accepted"
	case !isLoopback(r.Host):
		f.Warning, f.Mend = true, "It takes mail without a login. If that is meant, leave it so; else set relay.username and relay.password_file."
	}
	if n := r.atOnce(); n < r.Connections {
		f.Said += fmt.Sprintf(", %d connections at once, as %s allows", n, r.Kind.Name)
	}
	return f
}

// checkSend hands one mail over outside the outbox: nothing of it is a delivery.
func (s *site) checkSend(ctx context.Context, to string) finding {
	f := finding{What: "test mail", Mend: "Read what the relay said; nothing else was sent."}
	outcome, err := s.sendCheckMail(ctx, to)
	switch {
	case err != nil:
		f.Said = err.Error()
	case outcome.State != mailer.Accepted:
		f.Said = fmt.Sprintf("the relay answered %d %s", outcome.Reply.Code, outcome.Reply.Text)
	default:
		f.OK, f.Said = true, fmt.Sprintf("the relay took it (%s): look into that mailbox, and into its spam folder", outcome.Reply.Text)
	}
	return f
}

// checkSiteName looks whether readers are told who writes.
func (s *site) checkSiteName() finding {
	f := finding{What: "site_name", OK: true, Said: s.cfg.SiteName}
	if s.cfg.unnamed() {
		f.Warning, f.Said = true, "readers are told that “"+s.cfg.SiteName+"” writes to them, a name that nobody chose"
		f.Mend = "Write the name that they know into the configuration: site_name."
	}
	return f
}

func (s *site) checkBaseURL() finding {
	f := finding{What: "base_url", Said: s.cfg.BaseURL.String(), OK: true}
	switch {
	case !isLoopback(s.cfg.BaseURL.Hostname()):
	case isLoopback(s.cfg.Relay.Host):
		f.Said += " reaches only this machine: readers elsewhere can open no link"
	default:
		f.OK = false
		f.Said += " reaches only this machine, so nobody could open a link or leave"
		f.Mend = "Set base_url to the https address that readers reach."
	}
	return f
}

// checkNotify looks whether anybody hears of what needs a decision.
func (s *site) checkNotify() finding {
	if len(s.cfg.NotifyTo) > 0 {
		return finding{What: "notify.to", OK: true, Said: strings.Join(s.cfg.NotifyTo, ", ")}
	}
	return finding{
		What: "notify.to", OK: true, Warning: true, Said: "nobody is told by mail of proofs, held issues and trouble",
		Mend: "Name the editors' addresses in [notify].",
	}
}

func (s *site) checkSeries(ctx context.Context) ([]finding, error) {
	all, err := series.All(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return []finding{{What: "series", Said: "there is none yet", Mend: "Make one with `pressrun series add`."}}, nil
	}
	var findings []finding
	for _, each := range all {
		findings = append(findings, checkSender(each), checkPostal(each), checkDisclaimer(each))
	}
	return findings, nil
}

func checkSender(each series.Series) finding {
	f := finding{What: each.Slug + ": sender", OK: true, Said: fmt.Sprintf("%s <%s>", each.FromName, each.FromEmail)}
	if _, err := subscribers.ParseAddress(each.FromEmail); err != nil {
		f.OK, f.Said, f.Mend = false, err.Error(), "Set it with `pressrun series set "+each.Slug+" --from \"Name <email>\"`."
	}
	return f
}

func checkPostal(each series.Series) finding {
	f := finding{What: each.Slug + ": postal address", OK: each.PostalAddress != "", Said: each.PostalAddress}
	if !f.OK {
		f.Said, f.Mend = "is missing", "Set it with `pressrun series set "+each.Slug+" --postal-address TEXT`: the law wants it in every issue."
	}
	return f
}

func checkDisclaimer(each series.Series) finding {
	f := finding{What: each.Slug + ": disclaimer", OK: each.Disclaimer.Text != "", Said: "version " + strconv.Itoa(each.Disclaimer.Version)}
	if !f.OK {
		f.Said, f.Mend = "is missing", "Set it with `pressrun series set "+each.Slug+" --disclaimer TEXT`: no issue is frozen without one."
	}
	return f
}

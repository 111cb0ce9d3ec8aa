package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Said string `json:"said"`           // what was found
	Mend string `json:"mend,omitempty"` // what to do where it is not ok
}

// errNotReady says that a checklist has open lines; the lines were printed.
var errNotReady = errors.New("not everything is ready: see the lines marked above")

func (a *app) checkCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Check configuration, database and relay; --send tries a real mail",
		Example: "  pressrun check\n  pressrun check --send me@example.org --yes",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				if to != "" {
					if err := a.confirm(cmd, fmt.Sprintf("Send a test mail to %s?", to)); err != nil {
						return err
					}
				}
				findings := []finding{
					{What: "configuration", OK: true, Said: a.config + " is well formed"},
					s.checkFiles(),
					s.checkDatabase(cmd.Context()),
					s.checkRelay(cmd.Context()),
				}
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

// report prints a checklist; open lines make the command fail.
func (a *app) report(findings []finding) error {
	for i := range findings {
		if findings[i].OK {
			findings[i].Mend = ""
		}
	}
	err := a.print(findings, func(w io.Writer) {
		for _, f := range findings {
			mark := "ok"
			if !f.OK {
				mark = "OPEN"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.What, f.Said)
			if !f.OK {
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
	if r.Username != "" {
		f.Said += ", login accepted"
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
		findings = append(findings, checkSender(each), checkPostal(each))
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

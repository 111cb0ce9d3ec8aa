package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/mailer"
)

func (a *app) dkimCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dkim",
		Short: "Our own DKIM keys: signatures that mailbox providers can check",
		Long: `Without keys of ours the relay signs. The keys stand in the folder that dkim.keys names, one file each: DOMAIN/SELECTOR.pem
signs; DOMAIN/SELECTOR.waiting waits until its record is seen in DNS and is renamed then. To take a key out of use, move its file away; a
running serve gives up the last key of a domain only when it is restarted.`,
		Example: "  pressrun dkim new example.org",
	}, a.dkimNewCommand())
}

func (a *app) dkimNewCommand() *cobra.Command {
	var ed bool
	cmd := &cobra.Command{
		Use:   "new DOMAIN",
		Short: "Make a DKIM key for a sender's domain, and print its DNS record; again: rotate",
		Long: `Makes a key whose selector is today's date and prints the TXT record to publish. It signs the mail of DOMAIN and of the
domains below it. The first key of a domain signs from now on; a later one takes over once its record is seen in DNS (serve looks every ten
minutes, check at once), and until then the one before it signs. Leave the record of an old key where it is for 7 days after that.`,
		Example: "  pressrun dkim new example.org\n  pressrun dkim new example.org --ed25519",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.newDKIM(s, given[0], ed) })
		},
	}
	cmd.Flags().BoolVar(&ed, "ed25519", false, "a second, shorter signature beside the RSA one, for receivers that know it (RFC 8463)")
	a.jsonFlag(cmd)
	return cmd
}

// dkimMade is what dkim new prints.
type dkimMade struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Name     string `json:"name"`   // of the TXT record
	Record   string `json:"record"` // its value, one text
	File     string `json:"file"`
	Waiting  bool   `json:"waiting"` // it signs once its record is seen
}

func (a *app) newDKIM(s *site, domain string, ed bool) error {
	folder := dkimFolder(s.cfg.DKIM.Keys)
	key, waits, err := folder.add(domain, ed, s.now())
	if err != nil {
		return err
	}
	made := dkimMade{key.Domain, key.Selector, key.Name(), key.Record(), folder.file(key, dkimSigns), waits}
	when := "It signs from now on; until its record is there, receivers take the mail for unsigned. A serve that runs takes it up within ten minutes."
	if waits {
		made.File = folder.file(key, dkimWaits)
		when = "The key before it goes on signing until this record is seen in DNS. Leave the old record where it is for 7 days after that."
	}
	return a.print(made, func(w io.Writer) {
		fmt.Fprintf(w, "Made %s, which only this user can read. Back it up with pressrun.key.\n\n", made.File)
		fmt.Fprintf(w, "Publish this TXT record:\n\nName:  %s\nValue: %s\n\n", made.Name, made.Record)
		fmt.Fprintf(w, "As a line of a zone file, in pieces of 255 characters at most:\n\n%s. IN TXT ( %s )\n\n", made.Name, pieces(made.Record))
		fmt.Fprintln(w, when+" `pressrun check` says whether it can be seen.")
		if why := s.cfg.DKIM.idle(s.cfg.Relay); why != "" {
			fmt.Fprintln(w, "\nNothing is signed with it as things are: "+why)
		}
	})
}

// pieces writes a TXT value as quoted strings, of which none may be longer than 255 octets (RFC 1035 section 3.3).
func pieces(value string) string {
	var all []string
	for len(value) > 255 {
		all = append(all, `"`+value[:255]+`"`)
		value = value[255:]
	}
	return strings.Join(append(all, `"`+value+`"`), " ")
}

// idle says why our keys sign nothing; empty: they do.
func (d DKIMConfig) idle(r RelayConfig) string {
	switch {
	case d.Sign == "never":
		return `dkim.sign is "never" in the configuration.`
	case r.Kind.Rebuilds:
		return fmt.Sprintf("relay.kind is %q, which writes messages anew and would break a signature of ours; it signs for your domain once that is set up with it.", r.Kind.Name)
	}
	return ""
}

// handover is the last step of each message: what the relay's kind wants, and our signatures by the keys of a reading.
func (s *site) handover(keys func() mailer.Keyring) mailer.Handover {
	h := mailer.Handover{Kind: s.cfg.Relay.Kind, Stream: s.cfg.Relay.Stream, Always: s.cfg.DKIM.Sign == "always"}
	if s.cfg.DKIM.Sign != "never" {
		h.Keys = keys
	}
	return h
}

// dkimEvery is how often a running process looks for keys that may sign by now.
const dkimEvery = 10 * time.Minute

// dkimWait bounds a look into DNS.
const dkimWait = 10 * time.Second

// readDKIM adopts what can be seen in DNS and reads the keys that sign. A folder that can be read and not written keeps signing.
func (s *site) readDKIM(ctx context.Context) (mailer.Keyring, error) {
	ctx, cancel := context.WithTimeout(ctx, dkimWait)
	defer cancel()
	folder := dkimFolder(s.cfg.DKIM.Keys)
	adopted, err := folder.adopt(ctx, s.cfg.dns().LookupTXT)
	for _, key := range adopted {
		s.log.InfoContext(ctx, "DKIM key took over", "domain", key.Domain, "selector", key.Selector)
	}
	if err != nil {
		s.log.WarnContext(ctx, "waiting DKIM keys not taken over: those of before go on signing", "error", err)
	}
	signing, _, err := folder.read()
	return signing, err
}

// keepDKIM reads the keys again and again until ctx ends. What can't be read changes nothing, and a domain never loses its last
// key: those of before go on.
func (s *site) keepDKIM(ctx context.Context, signing *atomic.Pointer[mailer.Keyring]) {
	tick := time.NewTicker(dkimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.rereadDKIM(ctx, signing)
		}
	}
}

func (s *site) rereadDKIM(ctx context.Context, signing *atomic.Pointer[mailer.Keyring]) {
	fresh, err := s.readDKIM(ctx)
	if err != nil {
		s.log.ErrorContext(ctx, "DKIM keys not read: those of before go on signing", "error", err)
		return
	}
	keys, kept := keepDomains(*signing.Load(), fresh)
	for _, key := range kept {
		s.log.ErrorContext(ctx, "DKIM key is gone from its folder: it goes on signing until a restart", "domain", key.Domain, "selector", key.Selector)
	}
	signing.Store(&keys)
}

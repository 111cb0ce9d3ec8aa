package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func (a *app) dkimCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dkim",
		Short: "Our own DKIM keys: signatures that mailbox providers can check",
		Long: `Without keys of ours the relay signs. The keys stand in the folder that dkim.keys names, one file each: DOMAIN/SELECTOR.pem
signs; DOMAIN/SELECTOR.waiting waits until its record is seen in DNS and is renamed then. To take a key out of use, move its file away.

A domain that was signed here sends nothing once it has no key that can be read: a folder that is not mounted or a broken file must not
make its mail unsigned without anybody knowing. dkim drop says that the relay is to sign it again.`,
		Example: "  pressrun dkim new example.org\n  pressrun dkim drop example.org",
	}, a.dkimNewCommand(), a.dkimDropCommand())
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
			return a.with(cmd.Context(), func(s *site) error { return a.newDKIM(cmd.Context(), s, given[0], ed) })
		},
	}
	cmd.Flags().BoolVar(&ed, "ed25519", false, "a second, shorter signature beside the RSA one, for receivers that know it (RFC 8463)")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) dkimDropCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drop DOMAIN",
		Short: "Give up our own signatures of a domain, whose keys were taken away",
		Long: `Forgets that DOMAIN was signed here: its mail leaves without a signature of ours from now on, and the relay's counts. Move the
keys of the domain out of their folder first. A running serve goes by it within ten minutes.`,
		Example: "  pressrun dkim drop example.org",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			return a.with(cmd.Context(), func(s *site) error { return a.dropDKIM(cmd, s, given[0]) })
		},
	}
	a.yesFlag(cmd)
	return cmd
}

func (a *app) dropDKIM(cmd *cobra.Command, s *site, domain string) error {
	signing, _, err := dkimFolder(s.cfg.DKIM.Keys).read()
	if err != nil {
		return err
	}
	for _, key := range signing {
		if key.Domain == domain {
			return fmt.Errorf("%s has keys in %s: move them away first; nothing was changed", domain, s.cfg.DKIM.Keys)
		}
	}
	if err := a.confirm(fmt.Sprintf("Let mail of %s leave without a signature of ours?", domain)); err != nil {
		return err
	}
	err = s.db.InTx(cmd.Context(), func(tx *store.Tx) error { return series.ForgetSigned(cmd.Context(), tx, domain) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s is no longer signed here: its mail leaves with the relay's signature.\n", domain)
	return err
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

func (a *app) newDKIM(ctx context.Context, s *site, domain string, ed bool) error {
	folder := dkimFolder(s.cfg.DKIM.Keys)
	key, waits, err := folder.add(domain, ed, s.now())
	if err != nil {
		return err
	}
	if err := s.rememberSigned(ctx, mailer.Keyring{key}); err != nil {
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

// signing are the keys at the start of a process.
func (s *site) signing(ctx context.Context) (mailer.Keyring, error) {
	keys, err := s.readDKIM(ctx)
	if err != nil {
		return nil, err
	}
	return s.withLost(ctx, keys)
}

// withLost adds a lost key for each domain that was signed here before and has none.
func (s *site) withLost(ctx context.Context, keys mailer.Keyring) (mailer.Keyring, error) {
	before, err := series.SignedDomains(ctx, s.db)
	if err != nil {
		return nil, fmt.Errorf("DKIM keys: %w", err)
	}
	for _, domain := range before {
		if !slices.ContainsFunc(keys, func(key mailer.DKIMKey) bool { return key.Domain == domain }) {
			keys = append(keys, mailer.LostKey(domain, "", errKeyGone))
		}
	}
	return keys, nil
}

// rememberSigned keeps the domains that keys sign, so that none of them goes unsigned later by accident.
func (s *site) rememberSigned(ctx context.Context, keys mailer.Keyring) error {
	before, err := series.SignedDomains(ctx, s.db)
	if err != nil {
		return fmt.Errorf("DKIM keys: %w", err)
	}
	for _, key := range keys {
		if key.Lost() != nil || slices.Contains(before, key.Domain) {
			continue
		}
		before = append(before, key.Domain)
		err := s.db.InTx(ctx, func(tx *store.Tx) error { return series.RememberSigned(ctx, tx, key.Domain, s.now()) })
		if err != nil {
			return fmt.Errorf("DKIM keys: %w", err)
		}
	}
	return nil
}

// sayLost logs the keys without which mail of their domain doesn't leave.
func (s *site) sayLost(ctx context.Context, keys mailer.Keyring) {
	for _, key := range keys {
		if key.Lost() == nil {
			continue
		}
		if signs := keys.For(key.Domain); signs[0].Lost() == nil {
			s.log.ErrorContext(ctx, "DKIM key not read: the domain's other one signs", "domain", key.Domain, "error", key.Lost())
			continue
		}
		s.log.ErrorContext(ctx, "no DKIM key to be had: nothing of this domain leaves", "domain", key.Domain, "error", key.Lost())
	}
}

// A keyRing is what a running process signs with, read again as time goes by.
type keyRing struct {
	keys    atomic.Pointer[mailer.Keyring]
	wanting atomic.Pointer[mailer.Keyring] // those by which a message could not be signed; nil: none yet
	again   sync.Mutex                     // held while they are read
}

// startSigning has a process sign with the keys of now.
func (s *site) startSigning(ctx context.Context) (*keyRing, error) {
	keys, err := s.signing(ctx)
	if err == nil {
		err = s.rememberSigned(ctx, keys)
	}
	if err != nil {
		return nil, err
	}
	s.sayLost(ctx, keys)
	ring := new(keyRing)
	ring.keys.Store(&keys)
	return ring, nil
}

// finish is the last step of a message.
func (s *site) finish(ring *keyRing) func(mailer.Message) (mailer.Message, error) {
	h := s.handover(func() mailer.Keyring { return *ring.keys.Load() })
	return func(m mailer.Message) (mailer.Message, error) {
		seen := ring.keys.Load()
		done, err := h.Finish(m)
		if errors.Is(err, mailer.ErrUnsigned) {
			ring.wanting.Store(seen)
		}
		return done, err
	}
}

// findKeys reads the keys again before a message is given up that can't be signed: an editor who has put a lost one back, or dropped its
// domain, needs not wait for the next look.
func (s *site) findKeys(ring *keyRing) func(context.Context) {
	return func(ctx context.Context) {
		if seen := ring.wanting.Load(); seen != nil {
			s.rereadDKIM(ctx, ring, seen)
		}
	}
}

// keepDKIM reads the keys again and again until ctx ends.
func (s *site) keepDKIM(ctx context.Context, ring *keyRing) {
	tick := time.NewTicker(dkimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.rereadDKIM(ctx, ring, ring.keys.Load())
		}
	}
}

// rereadDKIM takes up keys that are new, and lets go domains that were dropped. What can't be read changes nothing, and no other domain
// loses its last key: those of before go on. seen are the keys that the caller finds wanting; if others were read meanwhile, they stay.
func (s *site) rereadDKIM(ctx context.Context, ring *keyRing, seen *mailer.Keyring) {
	ring.again.Lock()
	defer ring.again.Unlock()
	if ring.keys.Load() != seen {
		return
	}
	keys, kept, err := s.nextKeys(ctx, *seen)
	if err != nil {
		s.log.ErrorContext(ctx, "DKIM keys not read: those of before go on signing", "error", err)
		return
	}
	for _, key := range kept {
		s.log.ErrorContext(ctx, "DKIM key is gone from its folder: it goes on signing until a restart", "domain", key.Domain, "selector", key.Selector)
	}
	s.sayLost(ctx, keys)
	ring.keys.Store(&keys)
}

// nextKeys are the keys after those of before; kept are the ones among them that their folder has no more.
func (s *site) nextKeys(ctx context.Context, before mailer.Keyring) (keys mailer.Keyring, kept []mailer.DKIMKey, err error) {
	fresh, err := s.readDKIM(ctx)
	if err == nil {
		err = s.rememberSigned(ctx, fresh)
	}
	if err != nil {
		return nil, nil, err
	}
	signed, err := series.SignedDomains(ctx, s.db)
	if err != nil {
		return nil, nil, err
	}
	keys, kept = keepDomains(before, fresh, signed)
	keys, err = s.withLost(ctx, keys)
	return keys, kept, err
}

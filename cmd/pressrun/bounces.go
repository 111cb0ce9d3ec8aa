package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dmarc"
	"github.com/spf13/cobra"

	"pressrun/newsletter"
	"pressrun/newsletter/bounce"
	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// BouncesConfig is the mailbox that bounces and complaints come to.
type BouncesConfig struct {
	Address  string // empty: they aren't heard, and messages leave from their sender's address
	Path     outbox.ReturnPath
	Host     string
	Port     int
	TLS      string // implicit, starttls, none
	Username string
	Password mailer.Secret
	Folder   string
}

func setBounces(c *Config, s string) (err error) {
	if c.Bounces.Address = s; s == "" {
		return nil
	}
	c.Bounces.Path, err = outbox.ParseReturnPath(s)
	return err
}

// aboutBounces checks what of [bounces] depends on more than one key.
func (l *loader) aboutBounces(c Config) {
	b := c.Bounces
	wrong := func(key, text string) { l.wrong("bounces."+key, l.origins["bounces."+key], errors.New(text)) }
	if b.Address == "" {
		if b.Host != "" || b.Username != "" || b.Password != "" {
			wrong("address", "is missing, so nothing would be heard: name the address that bounces come to, or take [bounces] out")
		}
		return
	}
	if kind := c.Relay.Kind; kind.KeepsBounces {
		wrong("address", fmt.Sprintf("%s keeps what comes back and mails it to nobody, so nothing would come here: take [bounces] out", kind.Name))
	}
	switch {
	case b.Host == "":
		wrong("host", "must not be empty: name the IMAP server of the mailbox")
	case b.TLS == "none" && !isLoopback(b.Host):
		wrong("tls", fmt.Sprintf("%s is another machine, so the password would travel in the clear: use \"implicit\" (port 993) or \"starttls\" (port 143)", b.Host))
	}
	if b.Username == "" || b.Password == "" {
		wrong("username", "user name and password are both needed to read the mailbox")
	}
}

// heldLine is what `subscriber bounces` prints of a series.
type heldLine struct {
	Series string `json:"series"` // empty: mail of no series
	Held   int64  `json:"held"`
}

func (a *app) subscriberBouncesCommand() *cobra.Command {
	var drop bool
	cmd := &cobra.Command{
		Use:   "bounces",
		Short: "Bounces that wait since too many came at once, or give them up",
		Long: `Bounces that come by mail suppress a twentieth of a series' readers within 24 hours, or 20; the rest waits and is applied as the day
goes by. --drop gives up what waits, for when a mail server went wrong: it suppresses nobody then, and is still shown with its
deliveries. What was applied already is lifted by pressrun subscriber unsuppress.`,
		Example: "  pressrun subscriber bounces\n  pressrun subscriber bounces --drop --yes",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(s *site) error {
				lines, err := s.heldReports(cmd.Context())
				if err == nil && drop && len(lines) > 0 {
					return a.dropReports(cmd.Context(), s)
				}
				if err != nil {
					return err
				}
				return a.print(lines, func(w io.Writer) { printHeld(w, lines) })
			})
		},
	}
	cmd.Flags().BoolVar(&drop, "drop", false, "give up what waits")
	a.yesFlag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (s *site) heldReports(ctx context.Context) ([]heldLine, error) {
	held, err := outbox.HeldReports(ctx, s.db)
	if err != nil {
		return nil, err
	}
	lines := []heldLine{}
	for _, id := range slices.Sorted(maps.Keys(held)) {
		line := heldLine{Held: held[id]}
		if id != 0 {
			of, err := series.ByID(ctx, s.db, id)
			if err != nil {
				return nil, err
			}
			line.Series = of.Slug
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func printHeld(w io.Writer, lines []heldLine) {
	if len(lines) == 0 {
		fmt.Fprintln(w, "No bounce waits.")
		return
	}
	fmt.Fprintln(w, "SERIES\tWAITING")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%d\n", cmp.Or(l.Series, "-"), l.Held)
	}
}

func (a *app) dropReports(ctx context.Context, s *site) error {
	if err := a.confirm("Give up all bounces that wait, so that they suppress nobody?"); err != nil {
		return err
	}
	var n int64
	err := s.db.InTx(ctx, func(tx *store.Tx) (err error) {
		n, err = outbox.DropHeld(ctx, tx, s.now())
		return err
	})
	if err != nil {
		return err
	}
	return a.print(map[string]int64{"dropped": n}, func(w io.Writer) {
		fmt.Fprintf(w, "Given up: %s.\n", countOf(n, "bounce", "bounces"))
	})
}

// imap is the configured mailbox.
func (b BouncesConfig) imap() mailbox.IMAP {
	return mailbox.IMAP{Host: b.Host, Port: b.Port, TLS: mailer.TLS(b.TLS), Username: b.Username, Password: b.Password, Folder: b.Folder, MaxSize: bounce.MaxSize}
}

// mailbox is where the publisher listens; nil: nowhere.
func (b BouncesConfig) mailbox() newsletter.Mailbox {
	if b.Address == "" {
		return nil
	}
	return b.imap()
}

// checkBounces does to the mailbox what the reader of bounces would do next, and says what it has heard of late.
func (s *site) checkBounces(ctx context.Context) ([]finding, error) {
	b := s.cfg.Bounces
	if b.Address == "" {
		return nil, nil
	}
	f := finding{What: "bounces", Mend: "Mend [bounces] in the configuration, or the mailbox. What comes meanwhile waits in it."}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	state, err := outbox.Mailbox(ctx, s.db, b.imap().Name())
	if err != nil {
		return nil, err
	}
	messages, err := b.imap().Try(ctx, mailbox.Position{Validity: state.Validity, Next: state.Next}, time.Now().Add(-newsletter.HearBack))
	if err != nil {
		f.Said = err.Error()
		return []finding{f}, nil
	}
	heard, err := outbox.HeardSince(ctx, s.db, s.now().AddDate(0, 0, -30))
	if err != nil {
		return nil, err
	}
	f.OK, f.Said = true, fmt.Sprintf("%s:%d answers, TLS %s, login accepted, %s in %s", b.Host, b.Port, b.TLS, countOf(int64(messages), "message", "messages"), b.Folder)
	if said := saidHeard(heard); said != "" {
		f.Said += "; in the last 30 days: " + said
	}
	if kind := s.cfg.Relay.Kind; kind.Name != "smtp" {
		f.Warning, f.Mend = true, fmt.Sprintf("Whether %s %s can't be seen from here. Send to an address that doesn't exist, "+
			"and see after a while that `pressrun subscriber show` says bounced.", kind.Name, whatReturns(kind))
	}
	if !state.Failing.IsZero() {
		f.Warning, f.Said = true, f.Said+"; but since "+state.Failing.UTC().Format(time.RFC3339)+" it could not be read"
		f.Mend = "Nothing, if it was mended in the last five minutes: it is looked into again. Else see the log of `pressrun serve`."
	}
	return []finding{f}, nil
}

// whatReturns says what a relay of a kind must do for bounces to come here.
func whatReturns(kind mailer.Kind) string {
	if kind.OwnReturn {
		return "mails on what comes back to it (email feedback forwarding is on unless somebody turned it off)"
	}
	return "keeps the return path that we give"
}

// saidHeard says in words what messages in the mailbox were.
func saidHeard[N int | int64](heard map[outbox.Heard]N) string {
	var parts []string
	for _, x := range []struct {
		of        outbox.Heard
		one, many string
	}{
		{outbox.HeardBounce, "bounce", "bounces"},
		{outbox.HeardComplaint, "complaint", "complaints"},
		{outbox.HeardPassed, "delay or receipt", "delays and receipts"},
		{outbox.HeardFeedback, "report that is no complaint", "reports that are no complaint"},
		{outbox.HeardAuto, "automatic answer", "automatic answers"},
		{outbox.HeardAnswer, "other mail", "other mails"},
		{outbox.HeardOld, "report of an old delivery", "reports of old deliveries"},
		{outbox.HeardUnknown, "report of no delivery of ours", "reports of no delivery of ours"},
		{outbox.HeardForged, "forged report", "forged reports"},
		{outbox.HeardMissed, "message that the server does not give out", "messages that the server does not give out"},
	} {
		if n := int64(heard[x.of]); n > 0 {
			parts = append(parts, countOf(n, x.one, x.many))
		}
	}
	return strings.Join(parts, ", ")
}

// checkBounceDomain looks at the domain of bounces: it takes mail, its SPF record names the relay, and it belongs to the senders' (DMARC).
func (s *site) checkBounceDomain(ctx context.Context, senders []string) (all []finding) {
	if s.cfg.Bounces.Address == "" {
		return nil
	}
	domain := s.cfg.Bounces.Path.Domain()
	if !slices.Contains(senders, domain) {
		all = append(all, s.checkSPF(ctx, domain), s.checkMX(ctx, domain))
	}
	for _, sender := range senders {
		if sender != domain {
			all = append(all, s.checkAlignment(ctx, sender, domain))
		}
	}
	return all
}

// whoseMailbox says where bounces and answers to a domain go.
func (s *site) whoseMailbox(domain string) string {
	if s.cfg.Bounces.Address != "" && s.cfg.Bounces.Path.Domain() == domain {
		return ""
	}
	return " into the sender's mailbox"
}

// checkAlignment looks whether SPF of the bounces' domain counts for a sender's (RFC 7489 section 3.1.2).
func (s *site) checkAlignment(ctx context.Context, sender, domain string) finding {
	f := finding{What: sender + ": return path", OK: true, Said: domain + " is aligned with it"}
	policy, err := s.policyOf(ctx, sender)
	switch {
	case dmarc.IsTempFail(err):
		return f.unasked(err)
	case organizationOf(domain) != organizationOf(sender):
		f.Said = domain + " is of another organization, so DMARC hangs on signatures alone"
	case err == nil && policy.SPFAlignment == dmarc.AlignmentStrict:
		f.Said = "aspf=s wants " + sender + " itself, and bounces have " + domain + ", so DMARC hangs on signatures alone"
	default:
		return f
	}
	f.Warning, f.Mend = true, "See that letters are signed for "+sender+" (DKIM above), or give bounces an address at "+sender+" itself."
	return f
}

// Package mailer turns messages into bytes and hands them to a relay by SMTP, phase by phase, so that its caller knows
// of every error whether the relay can have the message. It knows nothing of issues and people and keeps nothing.
//
// After a crash: nothing of it remains; what a lost connection means is the caller's record to keep.
package mailer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Secret is a password that prints as [redacted].
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// TLS is how a connection to the relay is protected.
type TLS string

const (
	StartTLS TLS = "starttls" // required, never skipped
	Implicit TLS = "implicit"
	NoTLS    TLS = "none" // loopback only
)

// SMTP is a relay reached by SMTP submission.
type SMTP struct {
	Host     string
	Port     int
	TLS      TLS
	Username string // empty: no AUTH
	Password Secret
	Helo     string         // EHLO name; empty: this machine's host name
	Roots    *x509.CertPool // nil: the system's
	Timeouts Timeouts       // zero values: RFC 5321 section 4.5.3.2
}

// Timeouts bound the phases of a transaction.
type Timeouts struct {
	Connect time.Duration // from the dial to the end of AUTH; 0: 5 minutes
	Command time.Duration // MAIL, RCPT, RSET; 0: 5 minutes
	Data    time.Duration // DATA; 0: 2 minutes
	Content time.Duration // writing the content, and again waiting for its reply; 0: 10 minutes
}

func (t Timeouts) orDefaults() Timeouts {
	for _, d := range []struct {
		timeout  *time.Duration
		standard time.Duration
	}{{&t.Connect, 5 * time.Minute}, {&t.Command, 5 * time.Minute}, {&t.Data, 2 * time.Minute}, {&t.Content, 10 * time.Minute}} {
		if *d.timeout <= 0 {
			*d.timeout = d.standard
		}
	}
	return t
}

var (
	errPlain      = errors.New("a relay without TLS must be on this machine")
	errNoStartTLS = errors.New("the relay offers no STARTTLS")
)

// Connect dials, says EHLO, does TLS and AUTH through go-mail. The error is a *RelayError: it is about the relay, never
// about a recipient. When ctx ends, Connect ends and leaves no socket.
func (s SMTP) Connect(ctx context.Context) (*Conn, error) {
	timeouts := s.Timeouts.orDefaults()
	line := &wire{phase: "connect"}
	client, err := gomail.NewClient(s.Host, s.options(line, timeouts)...)
	if err != nil {
		return nil, &RelayError{Phase: "connect", Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, timeouts.Connect)
	defer cancel()
	defer context.AfterFunc(ctx, func() { line.Close() })()
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err == nil {
		line.phase = ""
		return newConn(line, session, timeouts), nil
	}
	line.Close() // go-mail leaves it open when EHLO, STARTTLS or AUTH fails
	return nil, s.connectError(ctx, line, err)
}

func (s SMTP) options(line *wire, timeouts Timeouts) []gomail.Option {
	config := &tls.Config{
		ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12,
		VerifyConnection: func(tls.ConnectionState) error {
			line.secured()
			return nil
		},
	}
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(timeouts.Connect), gomail.WithTLSConfig(config),
		gomail.WithDialContextFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return s.dial(ctx, network, line, config)
		}),
	}
	switch s.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Implicit:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.Helo != "" {
		options = append(options, gomail.WithHELO(s.Helo))
	}
	if s.Username != "" {
		options = append(options, gomail.WithSMTPAuthCustom(&login{relay: s, wire: line}))
	}
	return options
}

// dial gives go-mail the connection that we can watch and close.
func (s SMTP) dial(ctx context.Context, network string, line *wire, config *tls.Config) (net.Conn, error) {
	if s.TLS != StartTLS && s.TLS != Implicit && s.TLS != NoTLS {
		return nil, fmt.Errorf("unknown kind of TLS %q", s.TLS)
	}
	if s.TLS == NoTLS && !loopback(s.Host) {
		return nil, errPlain
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return nil, err
	}
	line.open(conn)
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); s.TLS == NoTLS && (!ok || !addr.IP.IsLoopback()) {
		return nil, errPlain // a hosts file may say anything about localhost
	}
	if s.TLS != Implicit {
		return line, nil
	}
	line.phase = "tls"
	link := tls.Client(line, config)
	if err := link.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	line.phase = "greeting"
	return link, nil
}

// connectError finds out where the connection came to its end.
func (s SMTP) connectError(ctx context.Context, line *wire, err error) *RelayError {
	phase := line.phase
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return &RelayError{Phase: phase, Reply: NewReply(reply.Code, strings.Split(reply.Msg, "\n"))}
	}
	if ctx.Err() != nil {
		return &RelayError{Phase: phase, Err: fmt.Errorf("%w: %w", context.Cause(ctx), err)}
	}
	var garbled textproto.ProtocolError
	if errors.As(err, &garbled) {
		return &RelayError{Phase: phase, Err: errReply} // its text may be anything
	}
	var broken net.Error
	lost := errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errFlood)
	if s.TLS == StartTLS && phase == "ehlo" && !line.secure && !lost {
		// EHLO went well, and still go-mail would not go on.
		return &RelayError{Phase: "tls", Err: errNoStartTLS}
	}
	return &RelayError{Phase: phase, Err: err}
}

// login chooses the mechanism among those the relay offers: PLAIN or LOGIN first, since the line is encrypted (or
// loopback), and the challenges for relays that have nothing else. go-mail's own choice takes our dialled connection for a
// plain one.
type login struct {
	relay  SMTP
	wire   *wire
	chosen smtp.Auth
}

var (
	errNoAuth   = errors.New("the relay offers no login that is known here (PLAIN, LOGIN, SCRAM-SHA-256, CRAM-MD5)")
	errBareAuth = errors.New("no login before TLS")
)

// Start is the first step of RFC 4954's AUTH.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	l.wire.phase = "auth"
	if !l.wire.secure && l.relay.TLS != NoTLS {
		return "", nil, errBareAuth
	}
	user, password := l.relay.Username, string(l.relay.Password)
	for _, known := range []struct {
		name string
		auth smtp.Auth
	}{
		{"PLAIN", smtp.PlainAuth("", user, password, server.Name, true)},
		{"LOGIN", smtp.LoginAuth(user, password, server.Name, true)},
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(user, password)},
	} {
		for _, offered := range server.Auth {
			if strings.EqualFold(offered, known.name) {
				l.chosen = known.auth
				return l.chosen.Start(server)
			}
		}
	}
	return "", nil, errNoAuth
}

// Next answers a challenge.
func (l *login) Next(challenge []byte, more bool) ([]byte, error) {
	return l.chosen.Next(challenge, more)
}

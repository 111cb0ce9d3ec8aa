package mailer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short is a time-out for relays that never answer.
const short = 50 * time.Millisecond

func relay(srv *smtptest.Server, kind mailer.TLS) mailer.SMTP {
	return mailer.SMTP{Host: "127.0.0.1", Port: srv.Port(), TLS: kind, Helo: "news.example.org", Roots: srv.Roots()}
}

func connect(t *testing.T, r mailer.SMTP) *mailer.Conn {
	t.Helper()
	c, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send plays both phases of a message that must get through.
func send(t *testing.T, c *mailer.Conn, m mailer.Message) {
	t.Helper()
	if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v, want accepted", got, err)
	}
	if got, err := c.Content(t.Context(), nil); err != nil || got.State != mailer.Accepted {
		t.Fatalf("content: got %+v, %v, want accepted", got, err)
	}
}

func TestConnectAndSend(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    mailer.TLS
		options []smtptest.Option
		login   bool
	}{
		{"none", mailer.NoTLS, nil, false},
		{"none with login", mailer.NoTLS, []smtptest.Option{smtptest.WithLogin("news", "s3cret")}, true},
		{"starttls", mailer.StartTLS, []smtptest.Option{smtptest.WithTLS(false)}, false},
		{"starttls with login", mailer.StartTLS, []smtptest.Option{smtptest.WithTLS(false), smtptest.WithLogin("news", "s3cret")}, true},
		{"implicit", mailer.Implicit, []smtptest.Option{smtptest.WithTLS(true)}, false},
		{"implicit with login", mailer.Implicit, []smtptest.Option{smtptest.WithTLS(true), smtptest.WithLogin("news", "s3cret")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := smtptest.New(t, tt.options...)
			r := relay(srv, tt.kind)
			if tt.login {
				r.Username, r.Password = "news", "s3cret"
			}
			c := connect(t, r)
			m := compose(t, draft())
			send(t, c, m)
			if err := c.Quit(t.Context()); err != nil {
				t.Errorf("quit: %v", err)
			}
			got := srv.Messages()
			if len(got) != 1 || got[0].Hash != m.Hash || got[0].To != m.To || got[0].MessageID != m.MessageID {
				t.Errorf("the relay has %+v, want message %s whole", got, m.MessageID)
			}
			commands := srv.Commands()
			if commands[0] != "EHLO news.example.org" || commands[len(commands)-1] != "QUIT" {
				t.Errorf("got commands %q", commands)
			}
		})
	}
}

func TestConnectKnowsOtherLogins(t *testing.T) {
	srv := smtptest.New(t, smtptest.WithTLS(false), smtptest.WithLogin("news", "s3cret"))
	srv.At("EHLO").Times(1)
	srv.At("EHLO").Reply("250-127.0.0.1\r\n250 AUTH LOGIN")
	r := relay(srv, mailer.StartTLS)
	r.Username, r.Password = "news", "s3cret"
	send(t, connect(t, r), compose(t, draft()))
}

// T18: whatever is done to TLS, neither AUTH nor mail leaves.
func TestConnectNeverGoesOnWithoutTLS(t *testing.T) {
	yesterday := time.Now().Add(-24 * time.Hour)
	tomorrow := time.Now().Add(24 * time.Hour)
	for name, tt := range map[string]struct {
		kind    mailer.TLS
		options []smtptest.Option
		script  func(*smtptest.Server)
		change  func(*mailer.SMTP)
	}{
		"STARTTLS stripped": {kind: mailer.StartTLS},
		"STARTTLS refused": {
			kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false)},
			script: func(s *smtptest.Server) { s.At("STARTTLS").Reply("454 4.7.0 not now") },
		},
		"STARTTLS answered with mail talk": {
			kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false)},
			script: func(s *smtptest.Server) { s.At("STARTTLS").Reply("250 sure") },
		},
		"plain text injected after STARTTLS": {
			kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false)},
			script: func(s *smtptest.Server) {
				s.At("STARTTLS").Reply("220 go on\r\n250-127.0.0.1\r\n250 AUTH PLAIN")
			},
		},
		"reply to STARTTLS injected before it": {
			kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false)},
			script: func(s *smtptest.Server) {
				s.At("EHLO").Reply("250-127.0.0.1\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n220 go on\r\n250 AUTH PLAIN")
			},
		},
		"wrong name":          {kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false), smtptest.WithCertificate("mail.example.com", tomorrow)}},
		"expired":             {kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false), smtptest.WithCertificate("127.0.0.1", yesterday)}},
		"unknown CA":          {kind: mailer.StartTLS, options: []smtptest.Option{smtptest.WithTLS(false)}, change: func(r *mailer.SMTP) { r.Roots = nil }},
		"implicit wrong name": {kind: mailer.Implicit, options: []smtptest.Option{smtptest.WithTLS(true), smtptest.WithCertificate("mail.example.com", tomorrow)}},
		"implicit expired":    {kind: mailer.Implicit, options: []smtptest.Option{smtptest.WithTLS(true), smtptest.WithCertificate("127.0.0.1", yesterday)}},
		"implicit without":    {kind: mailer.Implicit},
	} {
		t.Run(name, func(t *testing.T) {
			srv := smtptest.New(t, append(tt.options, smtptest.WithLogin("news", "s3cret"))...)
			if tt.script != nil {
				tt.script(srv)
			}
			r := relay(srv, tt.kind)
			r.Username, r.Password = "news", "s3cret"
			if tt.change != nil {
				tt.change(&r)
			}
			c, err := r.Connect(t.Context())
			if err == nil {
				c.Close()
				t.Fatal("got a connection")
			}
			var relayErr *mailer.RelayError
			if !errors.As(err, &relayErr) || relayErr.Phase != "tls" {
				t.Errorf("got %v, want a RelayError of phase tls", err)
			}
			for _, line := range srv.Commands() {
				if strings.HasPrefix(line, "AUTH") || strings.HasPrefix(line, "MAIL") || strings.Contains(line, "s3cret") {
					t.Errorf("the relay heard %q", line)
				}
			}
		})
	}
}

func TestConnectRefusesPlainToOthers(t *testing.T) {
	for _, r := range []mailer.SMTP{
		{Host: "mail.example.org", Port: 25, TLS: mailer.NoTLS},
		{Host: "192.0.2.1", Port: 25, TLS: mailer.NoTLS},
		{Host: "127.0.0.1", Port: 25},
		{Host: "127.0.0.1", Port: 25, TLS: "maybe"},
	} {
		_, err := r.Connect(t.Context())
		var relayErr *mailer.RelayError
		var network *net.OpError
		if !errors.As(err, &relayErr) || relayErr.Phase != "connect" || errors.As(err, &network) {
			t.Errorf("%s %q: got %v, want a refusal to connect", r.Host, r.TLS, err)
		}
	}
}

func TestConnectFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(*smtptest.Server)
		phase  string
		code   int
	}{
		{"refused", func(s *smtptest.Server) { s.At("connect").Reply("554 5.3.2 no service for you@example.org") }, "greeting", 554},
		{"busy", func(s *smtptest.Server) { s.At("connect").Reply("421 4.3.2 come back") }, "greeting", 421},
		{"hangs up", func(s *smtptest.Server) { s.At("connect").Drop(false) }, "greeting", 0},
		{"mute", func(s *smtptest.Server) { s.At("connect").Silent() }, "greeting", 0},
		{"no SMTP", func(s *smtptest.Server) { s.At("connect").Reply("SSH-2.0-OpenSSH_9.2 you@example.org") }, "greeting", 0},
		{"flood", func(s *smtptest.Server) { s.At("connect").Reply("220 " + strings.Repeat("x", 10<<20)) }, "greeting", 0},
		{"endless greeting", func(s *smtptest.Server) { s.At("connect").Reply(strings.Repeat("220-x\r\n", 1<<20) + "220 x") }, "greeting", 0},
		{"EHLO refused", func(s *smtptest.Server) {
			s.At("EHLO").Reply("550 5.7.1 bad name")
			s.At("HELO").Reply("550 5.7.1 bad name")
		}, "ehlo", 550},
		{"EHLO dropped", func(s *smtptest.Server) { s.At("EHLO").Drop(false) }, "ehlo", 0},
		{"EHLO mute", func(s *smtptest.Server) { s.At("EHLO").Silent() }, "ehlo", 0},
		{"EHLO closing", func(s *smtptest.Server) { s.At("EHLO").Reply("421 4.3.2 closing") }, "ehlo", 421},
		{"login refused", func(s *smtptest.Server) { s.At("AUTH").Reply("535 5.7.8 news@example.org is no login") }, "auth", 535},
		{"login later", func(s *smtptest.Server) { s.At("AUTH").Reply("454 4.7.0 later") }, "auth", 454},
		{"login dropped", func(s *smtptest.Server) { s.At("AUTH").Drop(false) }, "auth", 0},
		{"login mute", func(s *smtptest.Server) { s.At("AUTH").Silent() }, "auth", 0},
		{"no login", func(s *smtptest.Server) { s.At("EHLO").Reply("250 127.0.0.1") }, "auth", 0},
		{"strange login", func(s *smtptest.Server) { s.At("EHLO").Reply("250-127.0.0.1\r\n250 AUTH NTLM XOAUTH2") }, "auth", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := smtptest.New(t, smtptest.WithLogin("news", "s3cret"))
			tt.script(srv)
			r := relay(srv, mailer.NoTLS)
			r.Username, r.Password = "news", "s3cret"
			if strings.Contains(tt.name, "mute") {
				r.Timeouts.Connect = time.Second // enough to get to the point
			}
			_, err := r.Connect(t.Context())
			var relayErr *mailer.RelayError
			if !errors.As(err, &relayErr) {
				t.Fatalf("got %v, want a RelayError", err)
			}
			if relayErr.Phase != tt.phase || relayErr.Reply.Code != tt.code {
				t.Errorf("got %v (phase %s, code %d), want phase %s, code %d", err, relayErr.Phase, relayErr.Reply.Code, tt.phase, tt.code)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, relayErr), "example.org") || len(err.Error()) > 1000 {
				t.Errorf("the error tells too much: %.1000v", err)
			}
			for _, line := range srv.Commands() {
				if strings.HasPrefix(line, "MAIL") {
					t.Errorf("the relay heard %q", line)
				}
			}
		})
	}
}

func TestConnectNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	_, err = mailer.SMTP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS}.Connect(t.Context())
	var relayErr *mailer.RelayError
	if !errors.As(err, &relayErr) || relayErr.Phase != "connect" {
		t.Errorf("got %v, want a RelayError of phase connect", err)
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	for _, point := range []string{"connect", "EHLO", "STARTTLS", "AUTH"} {
		t.Run(point, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			srv := smtptest.New(t, smtptest.WithTLS(false), smtptest.WithLogin("news", "s3cret"))
			srv.At(point).Call(cancel).Silent()
			r := relay(srv, mailer.StartTLS)
			r.Username, r.Password = "news", "s3cret"
			if _, err := r.Connect(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	srv := smtptest.New(t)
	if _, err := relay(srv, mailer.NoTLS).Connect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	r := mailer.SMTP{Host: "smtp.example.org", Password: "s3cret"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("relay", "settings", r, "password", r.Password)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("relay", "settings", r, "password", r.Password)
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x", r, r, r, r.Password, r.Password, r.Password)
	if strings.Contains(all, "s3cret") || strings.Contains(all, fmt.Sprintf("%x", "s3cret")) {
		t.Errorf("the password is in %s", all)
	}
}

// Only one file may call the setters that write header values unchecked.
func TestPreformattedSettersStayInOneFile(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, setter := range []string{"HeaderPreformatted(", "SetListUnsubscribe"} {
			n := strings.Count(string(source), setter)
			if n > 0 && entry.Name() != "header.go" {
				t.Errorf("%s calls %s", entry.Name(), setter)
			}
			calls += n
		}
	}
	if calls != 1 {
		t.Errorf("got %d calls, want one: go-mail writes two in random order", calls)
	}
}

package mailbox_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/mailbox/mailboxtest"
	"pressrun/newsletter/mailer"
)

// reader keeps what it read, understands what says so, and fails where it is told to.
type reader struct {
	at        mailbox.Position
	read      []string
	failsAt   string
	forgetful bool // its position isn't kept, as after a crash
}

var errTest = errors.New("made by the test")

func (r *reader) Position(context.Context) (mailbox.Position, error) { return r.at, nil }

func (r *reader) Read(_ context.Context, raw []byte) (bool, error) {
	body := string(raw)
	if _, after, ok := strings.Cut(body, "\r\n\r\n"); ok {
		body = after
	}
	if body = strings.TrimSpace(body); body == r.failsAt && body != "" {
		return false, errTest
	}
	r.read = append(r.read, body)
	return strings.HasPrefix(body, "report"), nil
}

func (r *reader) Passed(_ context.Context, p mailbox.Position) error {
	if !r.forgetful {
		r.at = p
	}
	return nil
}

func message(body string) string {
	return "From: a@example.org\r\nSubject: x\r\n\r\n" + body + "\r\n"
}

// TestEach reads what came since the last look, in order, and marks what was understood and nothing else.
func TestEach(t *testing.T) {
	for _, security := range []mailer.TLS{mailer.NoTLS, mailer.StartTLS, mailer.Implicit} {
		t.Run(string(security), func(t *testing.T) {
			s, r := mailboxtest.New(t, security), &reader{}
			look := func(want ...string) {
				t.Helper()
				r.read = nil
				if err := s.Each(t.Context(), time.Time{}, r); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(r.read, want) {
					t.Errorf("read %q, want %q", r.read, want)
				}
			}
			look()
			s.Put(message("report 1"), message("hello"), message("report 2"))
			look("report 1", "hello", "report 2")
			look()
			s.Put(message("report 3"))
			look("report 3")
			if got := s.Unread(); !slices.Equal(got, []imap.UID{2}) {
				t.Errorf("unread are %v, want the one that was not understood", got)
			}
			if n, err := s.Try(t.Context()); n != 4 || err != nil {
				t.Errorf("try: got %d, %v", n, err)
			}
		})
	}
}

// TestAfterACrash: what was marked but not passed is read again, and what failed stays unread and is read again.
func TestAfterACrash(t *testing.T) {
	s, r := mailboxtest.New(t, mailer.NoTLS), &reader{forgetful: true}
	s.Put(message("report 1"), message("report 2"))
	for range 2 {
		r.read = nil
		if err := s.Each(t.Context(), time.Time{}, r); err != nil || len(r.read) != 2 {
			t.Errorf("read %q, %v", r.read, err)
		}
	}
	r = &reader{failsAt: "report 4"}
	s.Put(message("report 3"), message("report 4"))
	if err := s.Each(t.Context(), time.Time{}, r); !errors.Is(err, errTest) {
		t.Errorf("got %v", err)
	}
	if got := s.Unread(); !slices.Equal(got, []imap.UID{4}) {
		t.Errorf("unread are %v, want the one that failed", got)
	}
	r.failsAt, r.read = "", nil
	if err := s.Each(t.Context(), time.Time{}, r); err != nil || !slices.Equal(r.read, []string{"report 4"}) {
		t.Errorf("read %q, %v", r.read, err)
	}
}

// TestAnotherFolder: where the server gives its UIDs anew, all is read again.
func TestAnotherFolder(t *testing.T) {
	s, r := mailboxtest.New(t, mailer.NoTLS), &reader{at: mailbox.Position{Validity: 4711, Next: 900}}
	s.Put(message("report 1"))
	if err := s.Each(t.Context(), time.Time{}, r); err != nil || len(r.read) != 1 || r.at.Next != 2 || r.at.Validity == 4711 {
		t.Errorf("read %q, at %+v, %v", r.read, r.at, err)
	}
}

// TestLong: of what is longer than may be nothing is given.
func TestLong(t *testing.T) {
	s, r := mailboxtest.New(t, mailer.NoTLS), &reader{}
	s.MaxSize = 1000
	s.Put(message(strings.Repeat("report ", 200)), message("report"))
	if err := s.Each(t.Context(), time.Time{}, r); err != nil || !slices.Equal(r.read, []string{"", "report"}) {
		t.Errorf("read %q, %v", r.read, err)
	}
}

// TestRefusals: nothing is said in the clear to another machine, nor to a server whose certificate is another's, and no error holds the
// password.
func TestRefusals(t *testing.T) {
	s := mailboxtest.New(t, mailer.NoTLS)
	for name, change := range map[string]func(*mailbox.IMAP){
		"password":    func(m *mailbox.IMAP) { m.Password = "seeded-secret" },
		"folder":      func(m *mailbox.IMAP) { m.Folder = "Bounces" },
		"no starttls": func(m *mailbox.IMAP) { m.TLS = mailer.StartTLS },
		"no tls":      func(m *mailbox.IMAP) { m.TLS = mailer.Implicit },
		"port":        func(m *mailbox.IMAP) { m.Port = 1 },
	} {
		m := s.IMAP
		change(&m)
		_, err := m.Try(t.Context())
		if err == nil || strings.Contains(err.Error(), "seeded-secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	secure := mailboxtest.New(t, mailer.Implicit)
	secure.Roots = nil
	if _, err := secure.Try(t.Context()); err == nil {
		t.Error("a certificate of nobody's was taken")
	}
}

// TestSilence: a server that says nothing is left when the context ends.
func TestSilence(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, security := range []mailer.TLS{mailer.NoTLS, mailer.StartTLS, mailer.Implicit} {
		ctx, cancel := context.WithCancelCause(t.Context())
		accepted := make(chan net.Conn, 1)
		go func() {
			conn, _ := listener.Accept()
			accepted <- conn
			cancel(errTest)
		}()
		m := mailbox.IMAP{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: security, Username: "u", Password: "p", Folder: "INBOX"}
		if _, err := m.Try(ctx); !errors.Is(err, errTest) {
			t.Errorf("%s: got %v", security, err)
		}
		if conn := <-accepted; conn != nil {
			conn.Close()
		}
	}
}

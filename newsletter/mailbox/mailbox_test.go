package mailbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
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
	missed    []uint32 // the UIDs after them
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

func (r *reader) Missed(ctx context.Context, p mailbox.Position, why error) error {
	if why == nil {
		return errTest
	}
	r.missed = append(r.missed, p.Next)
	return r.Passed(ctx, p)
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
			if n, err := s.Try(t.Context(), r.at, time.Time{}); n != 4 || err != nil {
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

// TestMissed: what the server doesn't give out is stepped over once a later message is there, and waits till then. Where it gives out
// nothing at all, nothing is passed.
func TestMissed(t *testing.T) {
	for _, hangUp := range []bool{false, true} {
		s, r := mailboxtest.New(t, mailer.NoTLS), &reader{}
		look := func(fails bool, read []string, missed []uint32) {
			t.Helper()
			r.read, r.missed = nil, nil
			err := s.Each(t.Context(), time.Time{}, r)
			if (err != nil) != fails || !slices.Equal(r.read, read) || !slices.Equal(r.missed, missed) {
				t.Errorf("hangs up %v: got %v, read %q, missed %v; want %v, %q, %v", hangUp, err, r.read, r.missed, fails, read, missed)
			}
			if _, tried := s.Try(t.Context(), r.at, time.Time{}); (tried != nil) != fails {
				t.Errorf("hangs up %v: a try got %v", hangUp, tried)
			}
		}
		s.Put(message("report 1"), message("report 2"), message("report 3"), message("hello"), message("report 5"))
		for _, uid := range []imap.UID{2, 3, 5} {
			s.Lose(uid, hangUp)
		}
		look(true, []string{"report 1", "hello"}, []uint32{3, 4})
		look(true, nil, nil)
		s.Put(message("report 6"))
		look(false, []string{"report 6"}, []uint32{6})
		for uid := imap.UID(7); uid < 16; uid++ {
			s.Put(message("report"))
			s.Lose(uid, hangUp)
		}
		s.Put(message("report 16"))
		look(true, nil, nil)
		s.Find(15)
		look(false, []string{"report", "report 16"}, []uint32{8, 9, 10, 11, 12, 13, 14, 15})
		if got := s.Unread(); !slices.Equal(got, []imap.UID{2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14}) {
			t.Errorf("unread are %v, want what was missed and what was not understood", got)
		}
	}
}

// TestMarksThatCannotBeSet keep nothing from being read, and a try says so.
func TestMarksThatCannotBeSet(t *testing.T) {
	for _, hangUp := range []bool{false, true} {
		s, r := mailboxtest.New(t, mailer.NoTLS), &reader{}
		s.Put(message("report 1"), message("report 2"), message("hello"), message("report 4"))
		if _, err := s.Try(t.Context(), r.at, time.Time{}); err != nil || len(s.Unread()) != 4 {
			t.Errorf("try: got %v, unread %v", err, s.Unread())
		}
		s.Freeze(hangUp)
		if err := s.Each(t.Context(), time.Time{}, r); err != nil || len(r.read) != 4 || len(r.missed) > 0 {
			t.Errorf("got %v, read %q, missed %v", err, r.read, r.missed)
		}
		if _, err := s.Try(t.Context(), r.at, time.Time{}); err == nil {
			t.Error("a try finds nothing wrong")
		}
	}
}

// TestARangeWithoutEnd: a server that names more messages than there can be costs no memory for them.
func TestARangeWithoutEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); nameAll(listener) }()
	m := mailbox.IMAP{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: mailer.NoTLS, Username: "u", Password: "p", Folder: "INBOX"}
	var before, then runtime.MemStats
	runtime.ReadMemStats(&before)
	err = m.Each(t.Context(), time.Time{}, &reader{})
	if runtime.ReadMemStats(&then); then.TotalAlloc-before.TotalAlloc > 64<<20 || err == nil {
		t.Errorf("got %v, with %d MB", err, (then.TotalAlloc-before.TotalAlloc)>>20)
	}
	listener.Close()
	<-ended
}

// nameAll serves connections until the listener is closed, as an IMAP server that finds all messages and hangs up where one is fetched.
func nameAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "* OK [CAPABILITY IMAP4rev1 ESEARCH] ready\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			tag, command, _ := strings.Cut(lines.Text(), " ")
			switch {
			case strings.HasPrefix(command, "SELECT"):
				fmt.Fprint(conn, "* 3 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\n")
			case strings.HasPrefix(command, "UID SEARCH"):
				fmt.Fprintf(conn, "* ESEARCH (TAG %q) UID ALL 1:4294967295\r\n", tag)
			case strings.HasPrefix(command, "UID FETCH"):
				conn.Close()
			}
			fmt.Fprintf(conn, "%s OK done\r\n", tag)
		}
		conn.Close()
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
		_, err := m.Try(t.Context(), mailbox.Position{}, time.Time{})
		if err == nil || strings.Contains(err.Error(), "seeded-secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	secure := mailboxtest.New(t, mailer.Implicit)
	secure.Roots = nil
	if _, err := secure.Try(t.Context(), mailbox.Position{}, time.Time{}); err == nil {
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
		if _, err := m.Try(ctx, mailbox.Position{}, time.Time{}); !errors.Is(err, errTest) {
			t.Errorf("%s: got %v", security, err)
		}
		if conn := <-accepted; conn != nil {
			conn.Close()
		}
	}
}

package smtptest_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pressrun/newsletter/mailer/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const content = "Message-ID: <7@example.org>\r\nSubject: dots\r\n\r\n.one\r\n..two\r\n"

// deliver sends content by the standard library's client.
func deliver(t *testing.T, addr, to string) error {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail("news@example.org"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	return w.Close()
}

func code(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

func TestServerTakesAndLogs(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	srv := smtptest.New(t, smtptest.WithLog(log))
	if err := deliver(t, srv.Addr(), "ada@example.org"); err != nil {
		t.Fatal(err)
	}
	got := srv.Messages()
	if len(got) != 1 {
		t.Fatalf("got %d messages, want 1", len(got))
	}
	sum := sha256.Sum256([]byte(content))
	m := got[0]
	if string(m.Data) != content || m.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("got data %q, hash %s, want %q", m.Data, m.Hash, content)
	}
	if m.From != "news@example.org" || m.To != "ada@example.org" || m.MessageID != "7@example.org" || !m.Acknowledged {
		t.Errorf("got %+v", m)
	}
	if m.Params != "BODY=8BITMIME" {
		t.Errorf("got MAIL parameters %q, want BODY=8BITMIME", m.Params)
	}
	line, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "250 7@example.org " + m.Hash + " ada@example.org\n"; string(line) != want {
		t.Errorf("got log %q, want %q", line, want)
	}
}

func TestReplies(t *testing.T) {
	for _, tt := range []struct {
		point, reply string
		want, taken  int
	}{
		{"connect", "554 not today", 554, 0},
		{"MAIL", "451 4.3.0 later", 451, 0},
		{"MAIL news@example.org", "550 5.1.8 who are you", 550, 0},
		{"RCPT", "550 5.1.1 nobody", 550, 0},
		{"RCPT ada@example.org", "452 4.2.2 full", 452, 0},
		{"RCPT bob@example.org", "452 4.2.2 full", 0, 1},
		{"DATA", "421 4.3.2 closing", 421, 0},
		{"content", "552 5.3.4 too big", 552, 0},
		{"content ada@example.org", "451 4.7.1 greylisted", 451, 0},
		{"content bob@example.org", "451 4.7.1 greylisted", 0, 1},
		{"content", "250-2.0.0 taken\r\n250 2.0.0 really", 0, 1},
		{"content", "220 what", 220, 1},
	} {
		t.Run(tt.point+" "+tt.reply[:3], func(t *testing.T) {
			srv := smtptest.New(t)
			srv.At(tt.point).Reply(tt.reply)
			err := deliver(t, srv.Addr(), "ada@example.org")
			if got := code(err); got != tt.want || err != nil && got == 0 {
				t.Errorf("got %v, want code %d", err, tt.want)
			}
			if got := len(srv.Messages()); got != tt.taken {
				t.Errorf("got %d messages taken, want %d", got, tt.taken)
			}
		})
	}
}

func TestHangingUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rule  func(*smtptest.Server)
		taken int
		acked bool
		fails bool
	}{
		{"instead of greeting", func(s *smtptest.Server) { s.At("connect").Drop(false) }, 0, false, true},
		{"after RCPT's reply", func(s *smtptest.Server) { s.At("RCPT").Drop(true) }, 0, false, true},
		{"inside the content", func(s *smtptest.Server) { s.At("content").DropMid(10) }, 0, false, true},
		{"instead of the 250", func(s *smtptest.Server) { s.At("content").Drop(false) }, 1, false, true},
		{"after the 250", func(s *smtptest.Server) { s.At("content").Drop(true) }, 1, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			srv := smtptest.New(t, smtptest.WithLog(log))
			tt.rule(srv)
			if err := deliver(t, srv.Addr(), "ada@example.org"); (err != nil) != tt.fails {
				t.Errorf("got error %v, want one: %v", err, tt.fails)
			}
			got := srv.Messages()
			if len(got) != tt.taken {
				t.Fatalf("got %d messages taken, want %d", len(got), tt.taken)
			}
			if tt.taken == 1 && got[0].Acknowledged != tt.acked {
				t.Errorf("got acknowledged %v, want %v", got[0].Acknowledged, tt.acked)
			}
			line, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "250", false: "000"}[tt.acked]
			if tt.taken == 1 && !strings.HasPrefix(string(line), want+" ") {
				t.Errorf("got log %q, want it to start with %s", line, want)
			}
		})
	}
}

func TestTimesPlayInOrder(t *testing.T) {
	srv := smtptest.New(t)
	srv.At("RCPT").Reply("450 first").Times(1)
	srv.At("RCPT").Reply("550 second").Times(2)
	var got []int
	for range 4 {
		got = append(got, code(deliver(t, srv.Addr(), "ada@example.org")))
	}
	want := []int{450, 550, 550, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got codes %v, want %v", got, want)
		}
	}
	if n := srv.Connections(); n != 4 {
		t.Errorf("got %d connections, want 4", n)
	}
}

func TestCallRunsBeforeTheReply(t *testing.T) {
	srv := smtptest.New(t)
	called := false
	srv.At("content").Delay(time.Millisecond).Call(func() { called = len(srv.Messages()) == 0 })
	if err := deliver(t, srv.Addr(), "ada@example.org"); err != nil {
		t.Fatal(err)
	}
	if !called {
		t.Error("the call came not at all or after the message was taken")
	}
}

func TestSilentAndDelayedEndWithTheServer(t *testing.T) {
	for name, rule := range map[string]func(*smtptest.Rule){
		"silent":  func(r *smtptest.Rule) { r.Silent() },
		"delayed": func(r *smtptest.Rule) { r.Delay(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			var clients sync.WaitGroup
			t.Cleanup(clients.Wait) // runs after the server's own cleanup
			srv := smtptest.New(t)
			there := make(chan struct{})
			rule(srv.At("MAIL").Call(func() { close(there) }))
			clients.Go(func() {
				if err := deliver(t, srv.Addr(), "ada@example.org"); err == nil {
					t.Error("got a delivery, want none")
				}
			})
			<-there
		})
	}
}

func TestHangUpEndsConnectionsOnly(t *testing.T) {
	srv := smtptest.New(t)
	c, err := smtp.Dial(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	srv.HangUp()
	if err := c.Noop(); err == nil {
		t.Error("got an answer after the server hung up")
	}
	if err := deliver(t, srv.Addr(), "ada@example.org"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestOrderIsEnforced(t *testing.T) {
	srv := smtptest.New(t)
	conn, err := textproto.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := conn.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		line string
		want int
	}{
		{"MAIL FROM:<a@example.org>", 503},
		{"EHLO me", 250},
		{"RCPT TO:<b@example.org>", 503},
		{"DATA", 503},
		{"MAIL FROM:a@example.org", 501},
		{"MAIL FROM:<a@example.org> SMTPUTF8", 555},
		{"MAIL FROM:<ä@example.org>", 553},
		{"MAIL FROM:<a@example.org>", 250},
		{"MAIL FROM:<a@example.org>", 503},
		{"RCPT TO:<b@example.org>", 250},
		{"RCPT TO:<c@example.org>", 452},
		{"RSET", 250},
		{"DATA", 503},
		{"STARTTLS", 502},
		{"VRFY x", 500},
		{"QUIT", 221},
	} {
		if err := conn.PrintfLine("%s", step.line); err != nil {
			t.Fatal(err)
		}
		if got, text, _ := conn.ReadResponse(0); got != step.want {
			t.Errorf("%s: got %d %s, want %d", step.line, got, text, step.want)
		}
	}
}

func TestTLSAndLogin(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		srv := smtptest.New(t, smtptest.WithTLS(implicit), smtptest.WithLogin("news", "secret"))
		config := &tls.Config{RootCAs: srv.Roots(), ServerName: "127.0.0.1"}
		conn, err := net.Dial("tcp", srv.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if implicit {
			conn = tls.Client(conn, config)
		}
		c, err := smtp.NewClient(conn, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if !implicit {
			if err := c.StartTLS(config); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Mail("news@example.org"); code(err) != 530 {
			t.Errorf("implicit %v: MAIL without login: got %v, want 530", implicit, err)
		}
		if err := c.Auth(smtp.PlainAuth("", "news", "secret", "127.0.0.1")); err != nil {
			t.Errorf("implicit %v: login: %v", implicit, err)
		}
		if err := c.Mail("news@example.org"); err != nil {
			t.Errorf("implicit %v: MAIL after login: %v", implicit, err)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	srv := smtptest.New(t, smtptest.WithLogin("news", "secret"))
	c, err := smtp.Dial(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(smtp.PlainAuth("", "news", "guess", "127.0.0.1")); code(err) != 535 {
		t.Errorf("got %v, want 535", err)
	}
}

func TestGreylist(t *testing.T) {
	srv := smtptest.New(t, smtptest.WithGreylist())
	for i, want := range []int{451, 451, 0, 0} {
		to := []string{"a@example.org", "b@example.org"}[i%2]
		if err := deliver(t, srv.Addr(), to); code(err) != want {
			t.Errorf("delivery %d, to %s: got %v, want %d", i, to, err, want)
		}
	}
}

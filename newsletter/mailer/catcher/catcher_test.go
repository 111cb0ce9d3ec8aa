package catcher_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/catcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t testing.TB, dir string) *catcher.Catcher {
	t.Helper()
	c, err := catcher.Start(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// A port that somebody has already is no reason to fail.
func TestStartAtATakenPort(t *testing.T) {
	first := start(t, "")
	_, port, err := net.SplitHostPort(first.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	second, err := catcher.Start("", n)
	if err != nil {
		t.Fatal(err)
	}
	if second.Addr() == first.Addr() {
		t.Errorf("both listen on %s", first.Addr())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := catcher.Start("", n)
	if err != nil {
		t.Fatal(err)
	}
	if third.Addr() != first.Addr() {
		t.Errorf("got %s, want the port that is free again, %s", third.Addr(), first.Addr())
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

func letter(to string) mailer.Draft {
	return mailer.Draft{
		MessageID: "7.1@news.example.org",
		Date:      time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC),
		From:      mailer.Mailbox{Name: "Harbour Clinic", Email: "news@example.org"},
		To:        mailer.Mailbox{Name: "Ada", Email: to},
		Subject:   "Häute & habits 🌿",
		Text:      "Read: http://127.0.0.1:8080/skin/habits.\n.dot\n",
		HTML: `<!DOCTYPE html><html lang="en"><head><style>@media (prefers-color-scheme: dark) { p { color: #eee } }</style></head>` +
			`<body><p>Seven <a href="http://127.0.0.1:8080/u/x">habits</a></p></body></html>`,
		List: &mailer.List{ID: "skin.news.example.org", Name: "Skin", UnsubscribeURL: "http://127.0.0.1:8080/u/x"},
	}
}

// post sends a draft as the program does, and gives back the bytes.
func post(t testing.TB, c *catcher.Catcher, drafts ...mailer.Draft) []mailer.Message {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mailer.SMTP{Host: "127.0.0.1", Port: addr.Port, TLS: mailer.NoTLS, Helo: "news.example.org"}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sent []mailer.Message
	for _, d := range drafts {
		m, err := mailer.Compose(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := conn.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		if got, err := conn.Content(t.Context(), nil); err != nil || got.State != mailer.Accepted {
			t.Fatalf("content: got %+v, %v", got, err)
		}
		sent = append(sent, m)
	}
	if err := conn.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	return sent
}

// raw sends content that our own mailer would not make.
func raw(c *catcher.Catcher, content string, to ...string) error {
	return smtp.SendMail(c.Addr(), nil, "eve@example.org", to, []byte(content))
}

func TestCatcherKeepsWhatItTakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail", "deep")
	c := start(t, dir)
	sent := post(t, c, letter("ada@example.org"), letter("jörg@bücher.example"), letter("bob+news@example.org"))
	mails := c.Mails()
	if len(mails) != 3 {
		t.Fatalf("got %d mails, want 3", len(mails))
	}
	names := []string{"001-ada@example.org.eml", "002-j_rg@xn--bcher-kva.example.eml", "003-bob+news@example.org.eml"}
	for i, m := range mails {
		if !bytes.Equal(m.Raw, sent[i].Bytes) {
			t.Errorf("mail %d: got %q, want %q", i, m.Raw, sent[i].Bytes)
		}
		if m.Number != i+1 || m.From != "news@example.org" || m.To != sent[i].To || m.Subject != "Häute & habits 🌿" || m.At.IsZero() {
			t.Errorf("mail %d: got %d %s %s %q %v", i, m.Number, m.From, m.To, m.Subject, m.At)
		}
		file, err := os.ReadFile(filepath.Join(dir, names[i]))
		if err != nil || !bytes.Equal(file, sent[i].Bytes) {
			t.Errorf("%s: %v, the same bytes: %v", names[i], err, bytes.Equal(file, sent[i].Bytes))
		}
	}
}

func TestCatcherFileNamesStayInTheFolder(t *testing.T) {
	dir := t.TempDir()
	c := start(t, filepath.Join(dir, "mail"))
	long := strings.Repeat("x", 60) + "@" + strings.Repeat("y", 60) + "." + strings.Repeat("z", 60) + ".example"
	for _, to := range []string{`"../../up"@example.org`, `"/etc/passwd"@example.org`, `"a b\\c:d"@example.org`, long} {
		if err := raw(c, "Subject: x\r\n\r\ny\r\n", to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 6 { // two folders, four mails
		t.Errorf("got %q", names)
	}
	for _, name := range names[2:] {
		base := filepath.Base(name)
		if filepath.Dir(name) != "/mail" || len(base) > 130 || strings.ContainsAny(base, `/\: "`) {
			t.Errorf("got file %q", name)
		}
	}
}

func TestCatcherSeveralRecipients(t *testing.T) {
	c := start(t, "")
	if err := raw(c, "Subject: both\r\n\r\nhello\r\n", "ada@example.org", "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	mails := c.Mails()
	if len(mails) != 2 || mails[0].To != "ada@example.org" || mails[1].To != "bob@example.org" || mails[1].Number != 2 {
		t.Errorf("got %+v", mails)
	}
}

func TestCatcherRefusesWhatItCantWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	c := start(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	err := raw(c, "Subject: lost?\r\n\r\nx\r\n", "ada@example.org")
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code != 452 {
		t.Errorf("got %v, want 452", err)
	}
	if n := len(c.Mails()); n != 0 {
		t.Errorf("got %d mails, want none", n)
	}
}

func TestCatcherStartFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := catcher.Start(file, 0); err == nil {
		c.Close()
		t.Error("a file was taken for a folder")
	}
}

// Closing may come before the server has begun to serve.
func TestCatcherCloseAtOnce(t *testing.T) {
	for range 200 {
		c, err := catcher.Start("", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCatcherCloseEndsSessions(t *testing.T) {
	c := start(t, "")
	post(t, c, letter("ada@example.org"))
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 3)); err != nil { // the session has begun
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v, want the end", err)
	}
	if _, err := net.Dial("tcp", c.Addr()); err == nil {
		t.Error("it still listens")
	}
	if n := len(c.Mails()); n != 1 {
		t.Errorf("got %d mails after closing, want 1", n)
	}
}

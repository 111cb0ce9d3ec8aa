package mailbox_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/mailer"
)

// TestDovecot reads a mailbox of the IMAP server that most run (https://doc.dovecot.org/2.3/configuration_manual/).
func TestDovecot(t *testing.T) {
	program, err := exec.LookPath("dovecot")
	if err != nil {
		t.Skip("dovecot is not installed")
	}
	nobody, err := user.Lookup("nobody")
	if os.Getuid() != 0 || err != nil {
		t.Skip("dovecot starts its processes as other users, and only root may")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	dir := startDovecot(t, program, nobody.Username, free)
	m := mailbox.IMAP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS, Username: "bounces", Password: "hush", Folder: "INBOX", MaxSize: 1 << 20}
	for i, body := range []string{"report 1", "hello", "report 2"} {
		file := filepath.Join(dir, "mail", "new", fmt.Sprintf("%d.M1P1.here", 1_700_000_000+i))
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(message(body), "\r\n", "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r := &reader{}
	for _, want := range [][]string{{"report 1", "hello", "report 2"}, nil} {
		r.read = nil
		if err := m.Each(t.Context(), time.Time{}, r); err != nil || !slices.Equal(r.read, want) {
			t.Fatalf("read %q, %v, want %q", r.read, err, want)
		}
	}
	lose(t, dir, m, r)
	seen, err := filepath.Glob(filepath.Join(dir, "mail", "cur", "*:2,S"))
	if err != nil || len(seen) != 3 {
		t.Errorf("marked as read are %v, %v, want the three reports", seen, err)
	}
	m.Password = "other"
	if _, err := m.Try(t.Context(), mailbox.Position{}, time.Time{}); err == nil {
		t.Error("another password was taken")
	}
}

// lose puts a message there that only root may open, and one after it: the server ends the connection over the first.
func lose(t *testing.T, dir string, m mailbox.IMAP, r *reader) {
	t.Helper()
	r.read = nil
	for i, body := range []string{"report 3", "report 4"} {
		file := filepath.Join(dir, "mail", "new", fmt.Sprintf("%d.M1P1.here", 1_800_000_000+i))
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(message(body), "\r\n", "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, []os.FileMode{0, 0o666}[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Try(t.Context(), r.at, time.Time{}); err == nil {
		t.Error("a try finds nothing wrong")
	}
	if err := m.Each(t.Context(), time.Time{}, r); err != nil || !slices.Equal(r.read, []string{"report 4"}) || len(r.missed) != 1 {
		t.Errorf("read %q, missed %v, %v", r.read, r.missed, err)
	}
	if _, err := m.Try(t.Context(), r.at, time.Time{}); err != nil {
		t.Errorf("try: %v", err)
	}
}

// startDovecot starts a server on a port that was kept free, with its mail in a folder; it ends with the test.
func startDovecot(t *testing.T, program, as string, free net.Listener) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"", "run", "state", "mail", "mail/cur", "mail/new", "mail/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`protocols = imap
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:%[1]s/mail
first_valid_uid = 1
default_login_user = %[2]s
default_internal_user = %[2]s
default_internal_group =
passdb {
  driver = static
  args = password=hush
}
userdb {
  driver = static
  args = uid=%[2]s gid=nogroup home=%[1]s
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %[3]d
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
`, dir, as, free.Addr().(*net.TCPAddr).Port)
	file := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-F", "-c", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // it was ended
	until(t, "dovecot answers", func() bool {
		conn, err := net.Dial("tcp", free.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, filepath.Join(dir, "log"))
	return dir
}

// until waits for a condition, a minute at most, and shows a log where it never comes.
func until(t *testing.T, what string, is func() bool, log string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(end) {
			said, _ := os.ReadFile(log)
			t.Fatalf("never came: %s\n%s", what, said)
		}
	}
}

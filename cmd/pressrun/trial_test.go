package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
)

// ownFiles are three articles as somebody saves them from a web page: curly quotes, labels twice, no newline at the end, and
// names that don't tell the order.
var ownFiles = map[string]string{
	"a.txt": "Bread and the slow rise\n\nWhat a baker calls “patience” is mostly time.\n\n  1. Flour: It drinks more than you think.\n\n  2. Water: Let it rest.\n\nPlease note: Ask before you change a recipe for somebody with an allergy.\n\nPrevious\nPrevious\n\nA warm oven\n\nNext\nNext\n\nThe last crumb",
	"b.txt": "A warm oven\n\nIt begins with heat, and with “nothing else to do”.\n\nPlease note: Ask before you change a recipe for somebody with an allergy.\n\nNext\nNext\n\nBread and the slow rise",
	"c.txt": "The last crumb\n\nWhat is left feeds the birds.\n\nPlease note: Ask before you change a recipe for somebody with an allergy.\n\nPrevious\nPrevious\n\nBread and the slow rise",
}

// trial is a site in a folder of its own, at loopback addresses, with a mail server as its relay and ownFiles in the folder articles.
type trial struct {
	t      testing.TB
	base   string
	server *smtptest.Server
}

func newTrial(t testing.TB) *trial {
	server := smtptest.New(t)
	t.Chdir(t.TempDir())
	withoutSettings(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PRESSRUN_LISTEN", listen)
	t.Setenv("PRESSRUN_BASE_URL", "http://"+listen)
	t.Setenv("PRESSRUN_RELAY_PORT", fmt.Sprint(server.Port()))
	site := &trial{t, "http://" + listen, server}
	site.run("init", ".")
	if err := os.Mkdir("articles", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range ownFiles {
		if err := os.WriteFile(filepath.Join("articles", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return site
}

// bread makes the series bread of the articles, and readers who have confirmed.
func (s *trial) bread(readers ...string) {
	s.t.Helper()
	s.run("series", "add", "bread", "--title", "Bread letters", "--from", "The Baker <letters@bakery.example>",
		"--postal-address", "3 Mill Lane, Oatley", "--disclaimer", "Please note: Ask before you change a recipe for somebody with an allergy.",
		"--schedule", "tuesdays 09:00")
	s.run("article", "import", "bread", "articles", "--ready")
	for _, who := range readers {
		s.run("subscriber", "add", "bread", who, "--confirmed", "--because", "asked in the shop")
	}
}

// await waits until the server has taken n messages, for at most a minute, and returns all that it took.
func (s *trial) await(n int) []smtptest.Taken {
	s.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); len(s.server.Messages()) < n; <-tick.C {
		if time.Now().After(end) {
			s.t.Fatalf("the server has %d messages, want %d", len(s.server.Messages()), n)
		}
	}
	return s.server.Messages()
}

// withoutSettings takes away what the tester's own environment sets.
func withoutSettings(t testing.TB) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PRESSRUN_") {
			t.Setenv(name, "") // registers the old value to come back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// try runs one command that may fail.
func (s *trial) try(args ...string) error {
	return run(s.t.Context(), args, strings.NewReader(""), io.Discard, io.Discard)
}

// run runs one command and fails the test if it fails.
func (s *trial) run(args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	if err := run(s.t.Context(), args, strings.NewReader(""), &out, &errs); err != nil {
		s.t.Fatalf("pressrun %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// serve starts the program's serve and returns when its pages answer; the function it returns stops it gracefully.
func (s *trial) serve() func() { return s.serveUntil("serving") }

// serveUntil is serve, but returns when a text stands in its log.
func (s *trial) serveUntil(text string) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	log := &lineWaiter{want: text, seen: make(chan struct{})}
	go func() { ended <- run(ctx, []string{"serve"}, strings.NewReader(""), io.Discard, log) }()
	select {
	case <-log.seen:
	case err := <-ended:
		s.t.Fatalf("serve ended: %v\n%s", err, log.text.String())
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("serve: %v", err)
		}
		if text := log.text.String(); !strings.Contains(text, "stopped: what waits goes out after the next start") {
			s.t.Errorf("serve doesn't say that it has stopped:\n%s", text)
		}
	}
}

// lineWaiter is a log that tells when a text was written.
type lineWaiter struct {
	want string
	seen chan struct{}
	text bytes.Buffer
	done bool
}

func (w *lineWaiter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.done && strings.Contains(w.text.String(), w.want) {
		w.done = true
		close(w.seen)
	}
	return len(p), nil
}

func (s *trial) contains(file string, wants ...string) {
	s.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, want := range wants {
		if !strings.Contains(string(content), want) {
			s.t.Errorf("%s lacks %q:\n%s", file, want, content)
		}
	}
}

var leaveHeader = regexp.MustCompile(`(?m)^List-Unsubscribe:\s*<([^>]+)>`)

func leaveLink(t *testing.T, message []byte) string {
	t.Helper()
	m := leaveHeader.FindSubmatch(message)
	if m == nil {
		t.Fatalf("no List-Unsubscribe in\n%s", message)
	}
	return string(m[1])
}

// inert looks at the link as a scanner does: nobody leaves by that.
func (s *trial) inert(link string) {
	s.t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		req, err := http.NewRequestWithContext(s.t.Context(), method, link, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			s.t.Errorf("%s of the link: got %s (%v), want 200", method, res.Status, err)
		}
	}
	if out := s.run("subscriber", "list", "bread", "--json"); strings.Contains(out, "ended") {
		s.t.Errorf("looking at the link made somebody leave:\n%s", out)
	}
}

// leaveByOneClick does what a mail program does for RFC 8058.
func (s *trial) leaveByOneClick(link string) {
	s.t.Helper()
	res, err := http.PostForm(link, url.Values{"List-Unsubscribe": {"One-Click"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.String() != link || len(res.Cookies()) > 0 {
		s.t.Errorf("one click: got %s at %s with cookies %v, want 200, no redirect, no cookie", res.Status, res.Request.URL, res.Cookies())
	}
}

package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestDemoAnswersHereAlone: a foreign site whose name was made to lead to this machine reads neither inbox nor desk.
func TestDemoAnswersHereAlone(t *testing.T) {
	withoutSettings(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	out := &lineWaiter{want: "Ctrl-C ends the demo", seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"demo"}, strings.NewReader(""), out, io.Discard) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("demo ended: %v\n%s", err, out.text.String())
	}
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("demo: %v", err)
		}
	}()
	link, err := url.Parse(regexp.MustCompile(`http://\S+/desk/login/\w+`).FindString(out.text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host    string
		answers bool
	}{
		{"evil.test:" + link.Port(), false},
		{"evil.test", false},
		{"127.0.0.1.evil.test:" + link.Port(), false},
		{"localhost.evil.test", false},
		{"localhost.evil", false},
		{"10.0.0.1:" + link.Port(), true},
		{"LOCALHOST.:" + link.Port(), true},
		{"pressrun.localhost", true},
		{"localhost:" + link.Port(), true},
		{"localhost", true},
		{"127.0.0.1:" + link.Port(), true},
		{"[::1]:" + link.Port(), true},
		{"[::1]", true},
	} {
		for _, path := range []string{"/", "/inbox/", "/desk/login", link.Path} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+link.Host+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if answers := res.StatusCode == http.StatusOK; answers != tt.answers || !answers && res.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s at host %s: got %s, want it answered: %v", path, tt.host, res.Status, tt.answers)
			}
		}
	}
}

// TestDemoSaysAnotherPort: a site of one's own is written for the usual port, so only another one has to be said.
func TestDemoSaysAnotherPort(t *testing.T) {
	d := &demo{site: &site{cfg: Config{Relay: RelayConfig{Port: trialPort}}}}
	if said := d.otherPort(); said != "" {
		t.Errorf("at the usual port: %q", said)
	}
	d.site.cfg.Relay.Port = 40927
	if said := d.otherPort(); !strings.Contains(said, "port 1025 was taken") || !strings.Contains(said, "port = 40927 in [relay]") {
		t.Errorf("at another port: %q", said)
	}
}

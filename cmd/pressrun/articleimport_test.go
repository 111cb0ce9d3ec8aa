package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A feed is imported from its address: by the program's own client, which may reach this one server besides.
func TestImportFromAnAddress(t *testing.T) {
	newTrial(t).run("series", "add", "skin", "--title", "Letters", "--from", "Clinic <letters@clinic.example>", "--postal-address", "12 Quay Street",
		"--disclaimer", "Ask somebody.", "--schedule", "tuesdays 09:00")
	title := "Winter in the yard"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/feed", http.StatusFound)
		case "/feed":
			_, _ = io.WriteString(w, `<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><item><guid>1</guid><link>https://harbour.example/winter/</link><title>`+title+
				`</title><pubDate>Mon, 04 Dec 2023 09:00:00 GMT</pubDate><content:encoded>&lt;p&gt;Ropes.&lt;/p&gt;</content:encoded></item></channel></rss>`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	run := func(args ...string) (string, string, error) {
		var out, said bytes.Buffer
		a := &app{in: strings.NewReader(""), out: &out, err: &said, now: time.Now, permit: func(to netip.AddrPort) error {
			if to.String() != server.Listener.Addr().String() {
				t.Errorf("it connects to %s", to)
			}
			return nil
		}}
		root := a.root()
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		return out.String(), said.String(), err
	}
	out, said, err := run("article", "import", "skin", server.URL, "--dry-run")
	if err != nil || !strings.Contains(out, server.URL+": RSS feed: 1 post") || !strings.Contains(out, "It would be: added 1") || !strings.Contains(said, "Fetching ") {
		t.Errorf("dry run: %v\n%s%s", err, out, said)
	}
	for _, want := range []string{"Added 1, changed 0, unchanged 0", "Added 0, changed 0, unchanged 1"} {
		if out, _, err := run("article", "import", "skin", server.URL); err != nil || !strings.Contains(out, want) {
			t.Errorf("import: %v; want %q in\n%s", err, want, out)
		}
	}
	title = "Winter, mended"
	if out, _, err := run("article", "import", "skin", server.URL); err != nil || !strings.Contains(out, "Added 0, changed 1, unchanged 0") {
		t.Errorf("import of a changed feed: %v\n%s", err, out)
	}
	if _, _, err := run("article", "import", "skin", server.URL+"/gone"); err == nil || !strings.Contains(err.Error(), "the server answered 404 Not Found; save it as a file") {
		t.Errorf("an address where nothing is: %v", err)
	}
}

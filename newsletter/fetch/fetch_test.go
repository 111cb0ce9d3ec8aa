package fetch_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/fetch"
)

func TestPublic(t *testing.T) {
	for _, tt := range []struct {
		to string
		ok bool
	}{
		{"93.184.215.14:443", true},
		{"93.184.215.14:80", true},
		{"[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443", true},
		{"93.184.215.14:8080", false},
		{"93.184.215.14:25", false},
		{"127.0.0.1:80", false},
		{"127.255.0.9:80", false},
		{"0.0.0.0:80", false},
		{"10.1.2.3:80", false},
		{"172.31.0.1:80", false},
		{"172.32.0.1:80", true},
		{"192.168.1.1:443", false},
		{"169.254.169.254:80", false},
		{"100.64.0.1:80", false},
		{"100.128.0.1:80", true},
		{"192.0.0.170:80", false},
		{"198.19.0.1:80", false},
		{"224.0.0.1:80", false},
		{"240.0.0.1:80", false},
		{"255.255.255.255:80", false},
		{"[::1]:80", false},
		{"[::]:80", false},
		{"[::ffff:127.0.0.1]:80", false},
		{"[::ffff:93.184.215.14]:80", false},
		{"[64:ff9b::7f00:1]:80", false},
		{"[64:ff9b:1::1]:80", false},
		{"[2002:7f00:1::]:80", false},
		{"[2001:0:4136:e378::1]:80", false},
		{"[2001:db8::1]:80", false},
		{"[fe80::1%eth0]:80", false},
		{"[fd00::1]:80", false},
		{"[ff02::1]:80", false},
		{"[fec0::1]:80", false},
	} {
		err := fetch.Public(netip.MustParseAddrPort(tt.to))
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, fetch.ErrForbidden) {
			t.Errorf("Public(%s) = %v; want it allowed: %t", tt.to, err, tt.ok)
		}
	}
}

// only permits one server, as Public does the public ones.
func only(server *httptest.Server) func(netip.AddrPort) error {
	return func(to netip.AddrPort) error {
		if to.String() != server.Listener.Addr().String() {
			return fmt.Errorf("%w: %s", fetch.ErrForbidden, to)
		}
		return nil
	}
}

// Where an address leads is decided when it is known, so no spelling and no name server gets around it. The server is there: were it not
// refused, it would answer.
func TestNothingIsFetchedFromInside(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	client := fetch.New(func(to netip.AddrPort) error { return fetch.Public(netip.AddrPortFrom(to.Addr(), 80)) }) // whatever the port
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0x7f.1", "2130706433", "0"} {
		if f, err := client.Get(t.Context(), "http://"+host+":"+port+"/"); err == nil || asked {
			t.Errorf("%s: %q, %v, asked %t; want nothing to come of it", host, f.Body, err, asked)
		}
	}
	if _, err := client.Get(t.Context(), server.URL); !errors.Is(err, fetch.ErrForbidden) {
		t.Errorf("%s: %v; want ErrForbidden", server.URL, err)
	}
}

func TestRedirects(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret")) }))
	defer inside.Close()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/password", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(server.URL, "://", "://a:b@", 1), http.StatusFound)
	})
	mux.HandleFunc("/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, _ = fmt.Sscan(r.PathValue("n"), &n); n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", n-1), http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("here"))
	})
	client := fetch.New(only(server))
	f, err := client.Get(t.Context(), server.URL+"/5#part")
	if err != nil || string(f.Body) != "here" || f.Address != server.URL+"/0" || f.Type != "text/html" || f.Charset != "utf-8" {
		t.Errorf("five redirects: %+v, %v; want the page and its address", f, err)
	}
	for path, want := range map[string]string{
		"/6": "more than 5 times", "/inside": fetch.ErrForbidden.Error(), "/file": "only http and https", "/password": "name or password",
	} {
		if f, err := client.Get(t.Context(), server.URL+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error that says %q", path, f.Body, err, want)
		}
	}
}

func TestWhatIsNotFetched(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20+1)) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 64<<20))
		_ = z.Close()
	})
	mux.HandleFunc("/whole", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20)) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("cut"))
	})
	client := fetch.New(only(server))
	if f, err := client.Get(t.Context(), server.URL+"/whole"); err != nil || len(f.Body) != 10<<20 {
		t.Errorf("10 MB: %d bytes, %v; want all of them", len(f.Body), err)
	}
	for path, want := range map[string]string{
		"/large": "more than 10 MB", "/bomb": "more than 10 MB", "/gone": "the server answered 404 Not Found", "/cut": "unexpected EOF",
	} {
		if f, err := client.Get(t.Context(), server.URL+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v; want an error that says %q", path, len(f.Body), err, want)
		}
	}
	for address, want := range map[string]string{
		"ftp://example.org/a": "only http and https", "https://": "only http and https", "http://a:b@example.org/": "name or password", "http://\x7f/": "no web address",
	} {
		if _, err := client.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error that says %q", address, err, want)
		}
	}
}

// A server that stops in the middle keeps nobody waiting: the time is for the whole answer.
func TestSlowServer(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a"))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}))
	defer server.Close()
	defer close(done)
	client := fetch.New(only(server))
	client.SetPatience(50 * time.Millisecond)
	if _, err := client.Get(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "no whole answer within") {
		t.Errorf("a server that stops: %v; want it to be given up", err)
	}
}

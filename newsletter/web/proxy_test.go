package web_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"pressrun/newsletter/web"
)

// seen is the address that handlers behind ClientAddress see; 10.0.0.0/8 and fd00::/8 are trusted.
func seen(remote string, forwarded ...string) (addr string) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	h := web.ClientAddress(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addr = web.IP(r) }), trusted, slog.New(slog.DiscardHandler))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	r.Header["X-Forwarded-For"] = forwarded
	h.ServeHTTP(httptest.NewRecorder(), r)
	return addr
}

func TestClientAddress(t *testing.T) {
	for _, tt := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy, spoofed", "192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1"},
		{"proxy", "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"proxy, spoofed before it", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies, two headers", "10.0.0.1:1", []string{"203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"proxy without a header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"only proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nonsense", "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"nonsense before a proxy", "10.0.0.1:1", []string{"unknown, 10.0.0.2"}, "10.0.0.2"},
		{"proxy that writes ports", "10.0.0.1:1", []string{"198.51.100.1, 203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"mapped", "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
	} {
		if got := seen(tt.remote, tt.forwarded...); got != tt.want {
			t.Errorf("%s: %s with %q: got %s, want %s", tt.name, tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

// A proxy that nobody named is told of, once; a stranger's header and a proxy without it are not.
func TestForgottenProxy(t *testing.T) {
	for _, tt := range []struct {
		name, remote, forwarded string
		trusted                 []netip.Prefix
		warned                  int
	}{
		{"on this machine", "127.0.0.1:1", "203.0.113.9", nil, 1},
		{"by IPv6", "[::1]:1", "203.0.113.9", nil, 1},
		{"beside this machine", "172.17.0.1:1", "203.0.113.9", nil, 1},
		{"another one is named", "127.0.0.1:1", "203.0.113.9", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, 1},
		{"named", "127.0.0.1:1", "203.0.113.9", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, 0},
		{"a stranger", "192.0.2.1:1", "203.0.113.9", nil, 0},
		{"no proxy", "127.0.0.1:1", "", nil, 0},
	} {
		var log bytes.Buffer
		h := web.ClientAddress(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), tt.trusted, slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := strings.Count(log.String(), "name it in trusted_proxies"); got != tt.warned {
			t.Errorf("%s: got %d warnings, want %d:\n%s", tt.name, got, tt.warned, log.String())
		}
		if strings.Contains(log.String(), tt.forwarded) && tt.forwarded != "" {
			t.Errorf("%s: a visitor's address is in the log:\n%s", tt.name, log.String())
		}
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.2")
	f.Add("::1%x,,")
	f.Fuzz(func(t *testing.T, forwarded string) {
		if got := seen("192.0.2.1:1", forwarded); got != "192.0.2.1" {
			t.Errorf("%q from a stranger: got %s, want 192.0.2.1", forwarded, got)
		}
		if _, err := netip.ParseAddr(seen("10.0.0.1:1", forwarded)); err != nil {
			t.Errorf("%q from a proxy: %v", forwarded, err)
		}
	})
}

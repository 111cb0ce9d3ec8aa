package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pressrun/newsletter/web"
	"pressrun/templates"
)

func TestShowIsAllOrNothing(t *testing.T) {
	w := httptest.NewRecorder()
	broken := errors.New("broken")
	err := web.Show(w, 200, func(out io.Writer) error {
		_, _ = io.WriteString(out, "<p>half a page")
		return broken
	})
	if !errors.Is(err, broken) || w.Body.Len() > 0 {
		t.Errorf("got error %v and body %q, want %v and nothing", err, w.Body, broken)
	}
}

func TestHeaders(t *testing.T) {
	page := func(mark ...func(http.ResponseWriter)) http.Header {
		w := httptest.NewRecorder()
		web.Secure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, m := range mark {
				m(w)
			}
		}), &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Header()
	}
	for _, h := range []http.Header{page(), page(web.Private), page(web.Scripted)} {
		if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("got policy %q, want one without anything unsafe", policy)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("got X-Content-Type-Options %q, want nosniff", got)
		}
	}
	if policy := page().Get("Content-Security-Policy"); strings.Contains(policy, "script") {
		t.Errorf("a public page allows scripts: %q", policy)
	}
	private := page(web.Private)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
		if got := private.Get(name); got != want {
			t.Errorf("private page: got %s %q, want %q", name, got, want)
		}
	}
}

// Where readers come by https, browsers keep to it; a trial on loopback says nothing that would outlive it.
func TestHTTPSIsKept(t *testing.T) {
	for base, want := range map[string]string{"https://news.example.org": "max-age=31536000", "https://news.example.org:8443": "", "http://127.0.0.1:8080": ""} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		web.Secure(http.NotFoundHandler(), u).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: got Strict-Transport-Security %q, want %q", base, got, want)
		}
	}
}

func TestLetterRunsNothing(t *testing.T) {
	w := httptest.NewRecorder()
	if err := web.Letter(w, "<p>Hello</p>"); err != nil {
		t.Fatal(err)
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "sandbox; default-src 'none'") || strings.Contains(policy, "script") || strings.Contains(policy, "allow") {
		t.Errorf("got policy %q, want a sandbox that allows nothing", policy)
	}
}

func TestGuard(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	base := &url.URL{Scheme: "https", Host: "News.Example.org:443"}
	h, err := web.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), refuse, base, []string{"POST /u/{token}"}, []string{"POST /c/{token}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, path, site, origin string
		want                       int
	}{
		{"POST", "/desk/logout", "same-origin", "", 200},
		{"POST", "/desk/logout", "cross-site", "", 403},
		{"POST", "/desk/logout", "same-site", "", 403},
		{"POST", "/desk/logout", "", "https://evil.example", 403},
		{"POST", "/desk/logout", "", "http://example.com", 200},
		{"POST", "/desk/logout", "", "https://news.example.org", 200}, // behind a proxy that writes another Host
		{"POST", "/desk/logout", "", "http://news.example.org", 403},
		{"POST", "/desk/logout", "", "https://news.example.org.evil.example", 403},
		{"POST", "/desk/logout", "", "null", 403},
		{"POST", "/desk/logout", "", "", 200}, // no browser sends that
		{"DELETE", "/desk/logout", "cross-site", "", 403},
		{"GET", "/desk/logout", "cross-site", "", 200},
		{"POST", "/u/x", "cross-site", "https://evil.example", 200},
		{"POST", "/u/x/undo", "cross-site", "", 403},
		{"POST", "/c/x", "", "null", 200}, // an old browser on a page without referrer
		{"POST", "/c/x", "cross-site", "null", 403},
		{"POST", "/c/x", "", "https://evil.example", 403},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Sec-Fetch-Site", tt.site)
		r.Header.Set("Origin", tt.origin)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s %s from site %q origin %q: got %d, want %d", tt.method, tt.path, tt.site, tt.origin, w.Code, tt.want)
		}
	}
}

func TestStatic(t *testing.T) {
	assets, err := templates.Assets()
	if err != nil {
		t.Fatal(err)
	}
	h := web.Static(assets)
	for _, name := range []string{"pressrun.css", "desk.js", "icon.svg"} {
		w := httptest.NewRecorder()
		if err := h(w, httptest.NewRequest("GET", assets[name].Path, nil)); err != nil {
			t.Errorf("%s at %s: %v", name, assets[name].Path, err)
		}
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: got Cache-Control %q", name, got)
		}
		if got := w.Header().Get("Content-Type"); got == "" {
			t.Errorf("%s: no Content-Type", name)
		}
	}
	if err := h(httptest.NewRecorder(), httptest.NewRequest("GET", "/static/pressrun.css", nil)); err == nil {
		t.Error("a file without its hash is served: browsers would keep it for a year")
	}
}

package web_test

import (
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"pressrun/newsletter/web"
)

func TestCookie(t *testing.T) {
	for _, tt := range []struct{ base, want string }{
		{"https://news.example.org", "__Host-pressrun=s; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"http://127.0.0.1:8080", "pressrun-8080=s; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
	} {
		base, err := url.Parse(tt.base)
		if err != nil {
			t.Fatal(err)
		}
		c := web.NewCookie(base)
		w := httptest.NewRecorder()
		c.Set(w, "s", time.Hour)
		if got := w.Header().Get("Set-Cookie"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.base, got, tt.want)
		}
		r := httptest.NewRequest("GET", "/desk/", nil)
		if got := c.Read(r); got != "" {
			t.Errorf("%s: got %q without a cookie", tt.base, got)
		}
		r.AddCookie(w.Result().Cookies()[0])
		if got := c.Read(r); got != "s" {
			t.Errorf("%s: got %q back, want s", tt.base, got)
		}
	}
}

func TestSecretsDiffer(t *testing.T) {
	a, b := web.NewSecret(), web.NewSecret()
	if a == b || len(a) < 26 {
		t.Errorf("got secrets %q and %q, want two of at least 128 bits", a, b)
	}
	if web.Hash(a) == web.Hash(b) || web.Hash(a) == a {
		t.Errorf("hashes tell nothing apart: %q, %q", web.Hash(a), web.Hash(b))
	}
}

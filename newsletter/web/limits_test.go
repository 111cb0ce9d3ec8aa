package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/web"
)

func fromAddress(address string) *http.Request {
	r := httptest.NewRequest("POST", "/s/skin/subscribe", nil)
	r.RemoteAddr = address
	return r
}

func TestIP(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.77:1": "192.0.2.77", "[2001:db8:1:2345::9]:1": "2001:db8:1:2345::9", "[::ffff:192.0.2.77]:1": "192.0.2.77",
		"[fe80::1%eth0]:1": "fe80::1", "@": "",
	} {
		if got := web.IP(fromAddress(from)); got != want {
			t.Errorf("address of %s: got %s, want %s", from, got, want)
		}
	}
}

// One network of ten thousand addresses gets twenty requests an hour through, and its neighbour doesn't notice.
func TestLimiterCountsNetworks(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	l := web.NewLimiter(func() time.Time { return now }, 20, 1000)
	allowed := 0
	for i := range 10_000 {
		err := l.Allow(fromAddress(fmt.Sprintf("[2001:db8:1:2300::%x]:1", i)))
		if err == nil {
			allowed++
		} else if !errors.Is(err, web.ErrMany) {
			t.Fatalf("got error %v, want ErrMany", err)
		}
	}
	if allowed != 20 {
		t.Errorf("got %d of 10,000 requests from one network allowed, want 20", allowed)
	}
	if err := l.Allow(fromAddress("192.0.2.1:1")); err != nil {
		t.Errorf("another network: got %v, want no error", err)
	}
	now = now.Add(6 * time.Minute)
	again := 0
	for range 5 {
		if l.Allow(fromAddress("[2001:db8:1:2300::1]:1")) == nil {
			again++
		}
	}
	if again != 2 {
		t.Errorf("after six minutes: got %d allowed, want 2", again)
	}
}

func TestLimiterCountsAll(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	l := web.NewLimiter(func() time.Time { return now }, 20, 100)
	allowed := 0
	for i := range 1000 {
		if l.Allow(fromAddress(fmt.Sprintf("10.%d.%d.1:1", i/250, i%250))) == nil {
			allowed++
		}
	}
	if allowed != 100 {
		t.Errorf("got %d of 1,000 requests from 1,000 networks allowed, want 100", allowed)
	}
}

// A flood from more networks than the limiter remembers shares one limit instead of taking memory.
func TestLimiterIsBounded(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	l := web.NewLimiter(func() time.Time { return now }, 20, 1_000_000)
	allowed := 0
	for i := range 20_000 {
		if l.Allow(fromAddress(fmt.Sprintf("10.%d.%d.1:1", i/250, i%250))) == nil {
			allowed++
		}
	}
	if want := 10_000 + 20; allowed != want {
		t.Errorf("got %d of 20,000 networks allowed, want %d", allowed, want)
	}
	now = now.Add(time.Hour)
	if err := l.Allow(fromAddress("10.200.1.1:1")); err != nil {
		t.Errorf("an hour later: got %v, want no error", err)
	}
}

func TestParseForm(t *testing.T) {
	var parts bytes.Buffer
	m := multipart.NewWriter(&parts)
	if err := errors.Join(m.WriteField("List-Unsubscribe", "One-Click"), m.Close()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, kind, body string
		want             string
		err              error
	}{
		{"urlencoded", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", "One-Click", nil},
		{"multipart", m.FormDataContentType(), parts.String(), "One-Click", nil},
		{"another body", "application/json", `{"List-Unsubscribe":"One-Click"}`, "", nil},
		{"no body", "", "", "", nil},
		{"broken multipart", m.FormDataContentType(), "nonsense", "", web.ErrForm},
		{"broken escapes", "application/x-www-form-urlencoded", "a=%zz", "", web.ErrForm},
		{"too large", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 1<<20), "", web.ErrForm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/u/x", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			err := web.ParseForm(httptest.NewRecorder(), r)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if got := r.PostForm.Get("List-Unsubscribe"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

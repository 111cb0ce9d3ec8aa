package catcher_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/catcher"
)

// get asks the inbox for a page.
func get(t testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestInboxViews(t *testing.T) {
	c := start(t, "")
	post(t, c, letter("ada@example.org"))
	h := c.Inbox("/inbox", "/desk/")
	for _, tt := range []struct {
		path  string
		holds []string
	}{
		{"/inbox/", []string{`<a href="/inbox/1">`, "ada@example.org", "Häute &amp; habits 🌿", "1 mail<", "30 Mar 09:00", `<a href="/desk/">`}},
		{"/inbox/1", []string{`<iframe src="/inbox/1/frame/light"`, `sandbox="allow-popups allow-popups-to-escape-sandbox"`, "Harbour Clinic", `aria-current="page">HTML<`}},
		{"/inbox/1/html", []string{`<iframe src="/inbox/1/frame/light"`}},
		{"/inbox/1/phone", []string{`<div class="stage phone">`, `<iframe src="/inbox/1/frame/light"`, `aria-current="page">Phone<`}},
		{"/inbox/1/dark", []string{`<iframe src="/inbox/1/frame/dark"`}},
		{"/inbox/1/pictures-off", []string{`<iframe src="/inbox/1/frame/pictures-off"`, `aria-current="page">Pictures off<`}},
		{"/inbox/1/text", []string{`Read: <a href="http://127.0.0.1:8080/skin/habits" target="_blank" rel="noopener">http://127.0.0.1:8080/skin/habits</a>.`, "\n.dot"}},
		{"/inbox/1/source", []string{"Subject: =?UTF-8?B?", "=2Edot", "List-Unsubscribe: &lt;http://127.0.0.1:8080/u/x&gt;"}},
		{"/inbox/1/headers", []string{`<th scope="row">List-Unsubscribe-Post</th><td>List-Unsubscribe=One-Click</td>`, "<td>Häute &amp; habits 🌿</td>"}},
		{"/inbox/?q=ADA", []string{`<a href="/inbox/1?q=ADA">`}},
		{"/inbox/?q=habits", []string{`<a href="/inbox/1?q=habits">`}},
		{"/inbox/?q=nobody", []string{"No mail for “nobody”"}},
		{"/inbox/?page=-5", []string{`<a href="/inbox/1">`}},
		{"/inbox/?page=900", []string{`<a href="/inbox/1">`}},
		{"/inbox/count", []string{"1"}},
		{"/inbox/static/inbox.css", []string{"prefers-color-scheme"}},
		{"/inbox/static/inbox.js", []string{"/count"}},
	} {
		w := get(t, h, tt.path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: got status %d", tt.path, w.Code)
		}
		for _, want := range tt.holds {
			if body := strings.ReplaceAll(w.Body.String(), "\r\n", "\n"); !strings.Contains(body, want) {
				t.Errorf("%s has no %q:\n%s", tt.path, want, body)
			}
		}
	}
	if w := get(t, h, "/inbox/1/raw/mail.eml"); w.Body.String() != string(c.Mails()[0].Raw) || w.Header().Get("Content-Type") != "message/rfc822" {
		t.Errorf("the download is not the mail: %s %q", w.Header(), w.Body)
	}
}

func TestInboxNothingThere(t *testing.T) {
	c := start(t, "")
	h := c.Inbox("/inbox/", "")
	if w := get(t, h, "/inbox/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.Addr()) {
		t.Errorf("the empty inbox does not say where to send: %d\n%s", w.Code, w.Body)
	}
	post(t, c, letter("ada@example.org"))
	for _, path := range []string{
		"/inbox/0", "/inbox/2", "/inbox/-1", "/inbox/x", "/inbox/1/what", "/inbox/2/frame/light", "/inbox/1/frame/pink", "/inbox/2/raw/mail.eml",
		"/inbox/static/inbox.html", "/inbox/static/..%2finbox.html",
	} {
		if w := get(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: got status %d, want 404", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/inbox/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got status %d, want 405", w.Code)
	}
}

var listed = regexp.MustCompile(`<span class="to">r(\d+)@`)

func TestInboxPagesOfAHundred(t *testing.T) {
	c := start(t, "")
	var drafts []mailer.Draft
	for i := 1; i <= 250; i++ {
		drafts = append(drafts, letter(fmt.Sprintf("r%03d@example.org", i)))
	}
	post(t, c, drafts...)
	h := c.Inbox("/inbox", "")
	for _, tt := range []struct{ path, first, last, says string }{
		{"/inbox/", "250", "151", "1 to 100 of 250"},
		{"/inbox/?page=2", "150", "051", "101 to 200 of 250"},
		{"/inbox/?page=3", "050", "001", "201 to 250 of 250"},
		{"/inbox/?page=4", "050", "001", "201 to 250 of 250"},
		{"/inbox/120", "150", "051", "101 to 200 of 250"},
		{"/inbox/1/text", "050", "001", "201 to 250 of 250"},
		{"/inbox/?q=r24", "249", "240", "10 mails"},
		{"/inbox/245?q=r24", "249", "240", "10 mails"},
	} {
		body := get(t, h, tt.path).Body.String()
		all := listed.FindAllStringSubmatch(body, -1)
		if len(all) == 0 || all[0][1] != tt.first || all[len(all)-1][1] != tt.last || !strings.Contains(body, tt.says) {
			t.Errorf("%s: got %d mails, want %s to %s and %q", tt.path, len(all), tt.first, tt.last, tt.says)
		}
	}
	body := get(t, h, "/inbox/245/text?q=r24").Body.String()
	for _, want := range []string{`href="/inbox/246/text?q=r24" rel="prev"`, `href="/inbox/244/text?q=r24" rel="next"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no neighbour %s", want)
		}
	}
	if body := get(t, h, "/inbox/250").Body.String(); strings.Contains(body, `rel="prev"`) {
		t.Error("the newest mail has a newer one")
	}
}

const hostile = "From: \"<script>alert(1)</script>\" <eve@example.org>\r\n" +
	"To: <img src=x onerror=alert(2)>\r\n" +
	"Subject: =?utf-8?q?=3Cscript=3Ealert(3)=3C/script=3E?=\r\n" +
	"X-Evil: \"><script>alert(4)</script>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\n<script>alert(5)</script> http://x.example/\"onclick=alert(6) javascript:alert(7)\r\n" +
	"--b\r\nContent-Type: text/html\r\n\r\n<script>alert(8)</script><p>hi\r\n--b--\r\n"

// A mail's text is text on our pages, and its HTML runs nothing in its frame.
func TestInboxHostileMail(t *testing.T) {
	c := start(t, "")
	if err := raw(c, hostile, "ada@example.org"); err != nil {
		t.Fatal(err)
	}
	h := c.Inbox("/inbox", "")
	for _, path := range []string{"/inbox/", "/inbox/1", "/inbox/1/text", "/inbox/1/source", "/inbox/1/headers", "/inbox/?q=<script>alert(9)</script>", "/inbox/1?q=\"><script>"} {
		w := get(t, h, strings.ReplaceAll(path, `"`, "%22"))
		scripts := 0
		for n := range parsePage(t, w.Body.String()).Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" {
				scripts++
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
					t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
				}
			}
		}
		if scripts != 1 {
			t.Errorf("%s: got %d scripts, want ours alone:\n%s", path, scripts, w.Body)
		}
		checkPolicy(t, path, w.Header().Get("Content-Security-Policy"), "script-src 'self'", "default-src 'none'", "frame-ancestors 'none'")
	}
	for _, scheme := range []string{"light", "dark", "pictures-off"} {
		w := get(t, h, "/inbox/1/frame/"+scheme)
		policy := w.Header().Get("Content-Security-Policy")
		if got, want := strings.Contains(policy, "img-src 'none'"), scheme == "pictures-off"; got != want {
			t.Errorf("%s: no pictures: %v, want %v: %s", scheme, got, want, policy)
		}
		checkPolicy(t, scheme, policy, "sandbox allow-popups allow-popups-to-escape-sandbox", "default-src 'none'", "form-action 'none'")
		for _, never := range []string{"allow-scripts", "allow-same-origin", "allow-top-navigation", "allow-forms", "script-src"} {
			if strings.Contains(policy, never) {
				t.Errorf("the frame's policy has %s: %s", never, policy)
			}
		}
	}
}

func parsePage(t *testing.T, page string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func checkPolicy(t *testing.T, path, policy string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: got policy %q without %q", path, policy, want)
		}
	}
}

func TestFrameShowsTheSchemeAsked(t *testing.T) {
	const (
		lightGround = `<style>:root{color-scheme:light!important}</style>`
		darkGround  = `<style>:root{color-scheme:dark!important}</style>`
	)
	c := start(t, "")
	h := c.Inbox("/inbox", "")
	for i, tt := range []struct{ html, light, dark string }{
		{
			`<!DOCTYPE html><html><head lang="en"><style>@media (prefers-color-scheme: dark) {a{}}</style></head><p>x`,
			`<!DOCTYPE html><html><head lang="en"><base target="_blank">` + lightGround + `<style>@media (max-width:0) {a{}}</style></head><p>x`,
			`<!DOCTYPE html><html><head lang="en"><base target="_blank"><style>@media (min-width:0) {a{}}</style></head><p>x`,
		},
		{
			`<html><head><meta name="color-scheme" content="light dark"><STYLE>@media screen and (PREFERS-COLOR-SCHEME:light){}</STYLE></head>`,
			`<html><head><base target="_blank">` + lightGround + `<meta name="color-scheme" content="light dark"><STYLE>@media screen and (min-width:0){}</STYLE></head>`,
			`<html><head><base target="_blank">` + darkGround + `<meta name="color-scheme" content="light dark"><STYLE>@media screen and (max-width:0){}</STYLE></head>`,
		},
		{
			`<!doctype html><p>(prefers-color-scheme: dark)`,
			`<!doctype html><base target="_blank">` + lightGround + `<p>(prefers-color-scheme: dark)`,
			`<!doctype html><base target="_blank"><p>(prefers-color-scheme: dark)`,
		},
		{
			`<picture><source media="(prefers-color-scheme: dark)"></picture>`,
			`<base target="_blank">` + lightGround + `<picture><source media="(max-width:0)"></picture>`,
			`<base target="_blank"><picture><source media="(min-width:0)"></picture>`,
		},
	} {
		if err := raw(c, "Content-Type: text/html\r\n\r\n"+tt.html+"\r\n", "ada@example.org"); err != nil {
			t.Fatal(err)
		}
		for scheme, want := range map[string]string{"light": tt.light, "dark": tt.dark} {
			got := strings.TrimSpace(get(t, h, fmt.Sprintf("/inbox/%d/frame/%s", i+1, scheme)).Body.String())
			if got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", scheme, got, want)
			}
		}
	}
}

func TestInboxOddMails(t *testing.T) {
	latin := "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\nSubject: =?iso-8859-1?q?caf=E9?=\r\n\r\nY2Fm6Q==\r\n"
	attached := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nsecret plan\r\n" +
		"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ninner text\r\n--c--\r\n--b--\r\n"
	deep := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", 10_000)
	for name, tt := range map[string]struct{ raw, text string }{
		"latin-1":           {latin, "café"},
		"attachment":        {attached, "inner text"},
		"deep":              {deep, "This mail has no text part"},
		"no header":         {"\r\njust text\r\n", "just text"},
		"no blank line":     {"Subject: x\r\n", "This mail has no text part"},
		"broken encoding":   {"Content-Transfer-Encoding: base64\r\n\r\nY2Fm!!!\r\n", "caf"},
		"no boundary":       {"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n", "This mail has no text part"},
		"broken type":       {"Content-Type: ;;;\r\n\r\nplain after all\r\n", "plain after all"},
		"unknown charset":   {"Content-Type: text/plain; charset=klingon\r\n\r\nqapla\xff\r\n", "qapla\uFFFD"},
		"folded field name": {"Subject:\r\n\tfolded\r\n\ttwice\r\n\r\nx\r\n", "folded twice"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, "")
			if err := raw(c, tt.raw, "ada@example.org"); err != nil {
				t.Fatal(err)
			}
			h := c.Inbox("/inbox", "")
			if body := get(t, h, "/inbox/1/text").Body.String(); !strings.Contains(body, tt.text) || strings.Contains(body, "secret plan") {
				t.Errorf("got no %q:\n%s", tt.text, body)
			}
			if body := get(t, h, "/inbox/1").Body.String(); !strings.Contains(body, "This mail has no HTML part") {
				t.Errorf("got a frame for no HTML:\n%s", body)
			}
		})
	}
}

func FuzzInbox(f *testing.F) {
	f.Add([]byte(hostile))
	f.Add([]byte("Content-Type: text/html; charset=utf-16\r\n\r\n<head><style>@media (prefers-color-scheme: dark)"))
	f.Add([]byte("A: =?x?b?????=\r\nContent-Type: multipart/x; boundary=\"\"\r\n\r\n----\r\n"))
	c, err := catcher.Start("", 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	h := c.Inbox("", "")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := c.Only(content); err != nil {
			t.Fatal(err)
		}
		for _, view := range []string{"", "/text", "/source", "/headers", "/frame/light", "/frame/dark", "/raw/mail.eml"} {
			if w := get(t, h, "/1"+view); w.Code != http.StatusOK {
				t.Errorf("%s: got status %d: %s", view, w.Code, w.Body)
			}
		}
	})
}

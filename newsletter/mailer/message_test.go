package mailer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pressrun/newsletter/mailer"
)

func draft() mailer.Draft {
	return mailer.Draft{
		MessageID: "d7.3f9a@news.example.org",
		Date:      time.Date(2027, 3, 30, 9, 0, 0, 0, time.FixedZone("", 2*3600)),
		From:      mailer.Mailbox{Name: "Harbour Clinic", Email: "news@example.org"},
		To:        mailer.Mailbox{Name: "Ada Lovelace", Email: "Ada@example.org"},
		ReplyTo:   "desk@example.org",
		Subject:   "Seven habits for calmer skin",
		Text:      "Dear reader,\n\nseven habits.\n",
		HTML:      "<p>Dear reader, seven habits.</p>\n",
		List: &mailer.List{
			ID: "skin.news.example.org", Name: "Skin, in short",
			UnsubscribeURL: "https://news.example.org/u/8Zk2Jq",
		},
	}
}

func compose(t *testing.T, d mailer.Draft) mailer.Message {
	t.Helper()
	m, err := mailer.Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parsed is a message as another program reads it.
type parsed struct {
	header     mail.Header
	fields     []string // unfolded
	kinds      []string
	text, html string
}

func parse(t testing.TB, raw []byte) parsed {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("net/mail refuses the message: %v", err)
	}
	p := parsed{header: msg.Header}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	p.fields = strings.Split(strings.ReplaceAll(head, "\r\n ", " "), "\r\n")
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("got Content-Type %s, %v", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kind := part.Header.Get("Content-Type")
		p.kinds = append(p.kinds, kind)
		if strings.HasPrefix(kind, "text/plain") {
			p.text = string(body)
		} else {
			p.html = string(body)
		}
	}
}

func decodeHeader(t testing.TB, value string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return s
}

func TestComposeNewsletter(t *testing.T) {
	m := compose(t, draft())
	head, _, _ := strings.Cut(string(m.Bytes), "\r\n\r\n")
	want := strings.ReplaceAll(`Date: Tue, 30 Mar 2027 09:00:00 +0200
List-Id: "Skin, in short" <skin.news.example.org>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Message-ID: <d7.3f9a@news.example.org>
Precedence: bulk
Subject: Seven habits for calmer skin
List-Unsubscribe: <https://news.example.org/u/8Zk2Jq>
From: "Harbour Clinic" <news@example.org>
To: "Ada Lovelace" <Ada@example.org>
Reply-To: <desk@example.org>
Content-Type: multipart/alternative;
 boundary=`, "\n", "\r\n")
	if got := head[:min(len(head), len(want))]; got != want {
		t.Errorf("got header\n%s\nwant\n%s", got, want)
	}
	p := parse(t, m.Bytes)
	kinds := []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"}
	if got := fmt.Sprint(p.kinds); got != fmt.Sprint(kinds) {
		t.Errorf("got parts %s, want %v", got, kinds)
	}
	d := draft()
	if p.text != crlf(d.Text) || p.html != crlf(d.HTML) {
		t.Errorf("got text %q, html %q", p.text, p.html)
	}
	if m.From != "news@example.org" || m.To != "Ada@example.org" || m.SMTPUTF8 || m.MessageID != d.MessageID {
		t.Errorf("got envelope %s, %s, SMTPUTF8 %v, id %s", m.From, m.To, m.SMTPUTF8, m.MessageID)
	}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestComposeNotice(t *testing.T) {
	d := draft()
	d.List, d.ReplyTo = nil, ""
	p := parse(t, compose(t, d).Bytes)
	if got := p.header.Get("Auto-Submitted"); got != "auto-generated" {
		t.Errorf("got Auto-Submitted %q, want auto-generated", got)
	}
	for _, name := range []string{"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Reply-To", "User-Agent", "X-Mailer"} {
		if got := p.header[name]; got != nil {
			t.Errorf("got %s: %q, want none", name, got)
		}
	}
}

func TestComposeSameBytes(t *testing.T) {
	first := compose(t, draft())
	for range 100 {
		if again := compose(t, draft()); !bytes.Equal(again.Bytes, first.Bytes) || again.Hash != first.Hash {
			t.Fatalf("got\n%s\nafter\n%s", again.Bytes, first.Bytes)
		}
	}
	other := draft()
	other.MessageID = "d8.3f9a@news.example.org"
	if compose(t, other).Hash == first.Hash {
		t.Error("another message has the same hash")
	}
}

// wellFormed checks what holds for every message: RFC 5322 section 2.1.1 and 2.3, RFC 2047 section 2, RFC 2045 section 6.7.
func wellFormed(t testing.TB, raw []byte) {
	t.Helper()
	if bytes.Count(raw, []byte("\r")) != bytes.Count(raw, []byte("\r\n")) || bytes.Count(raw, []byte("\n")) != bytes.Count(raw, []byte("\r\n")) {
		t.Errorf("bare CR or LF in\n%q", raw)
	}
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		t.Error("the last line has no end")
	}
	head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if len(line) > 76 && strings.Contains(line, "=?") || len(line) > 998 || strings.TrimSpace(line) == "" {
			t.Errorf("header line of %d octets: %s", len(line), line)
		}
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, "=?") && len(word) > 75 {
				t.Errorf("encoded-word of %d octets: %s", len(word), word)
			}
		}
	}
	for line := range strings.SplitSeq(body, "\r\n") {
		if len(line) > 76 || strings.HasPrefix(line, ".") || strings.HasPrefix(line, "From ") {
			t.Errorf("body line: %q", line)
		}
	}
}

func TestComposeDifficultTexts(t *testing.T) {
	long := strings.Repeat("x", 1200)
	for name, change := range map[string]func(*mailer.Draft){
		"emoji": func(d *mailer.Draft) { d.Subject = "🎉 Part 7: sleep 👩‍👩‍👧‍👦 and stress 🌿" },
		"long Arabic": func(d *mailer.Draft) {
			d.Subject = strings.Repeat("مرحبا بكم في النشرة الأسبوعية ", 12) + "."
		},
		"encoded":    func(d *mailer.Draft) { d.Subject = "=?UTF-8?B?QmNjOiB4?= and =?x" },
		"one word":   func(d *mailer.Draft) { d.Subject = strings.Repeat("w", 998) },
		"many words": func(d *mailer.Draft) { d.Subject = strings.TrimSpace(strings.Repeat("habit ", 160)) },
		"no-break":   func(d *mailer.Draft) { d.Subject = strings.Repeat("nbsp\u00A0", 60) + "end" },
		"quotes": func(d *mailer.Draft) {
			d.From.Name, d.To.Name, d.List.Name = `Dr. "Jo", Clinic`, `O'Brien, \Bob\ <x@y>`, `A, "B"; C`
		},
		"umlauts": func(d *mailer.Draft) {
			d.From.Name, d.To.Name, d.List.Name = "Praxis Müller, Köln (Süd)", "Zoë „Z“ Ångström", "Häute & Kräuter"
		},
		"long names": func(d *mailer.Draft) {
			d.From.Name = strings.Repeat("n", 256)
			d.To.Name = strings.Repeat("ü", 128)
			d.List.Name = strings.Repeat(`"`, 256)
		},
		"faked names": func(d *mailer.Draft) { d.From.Name, d.List.Name = "=?utf-8?q?Bank?=", "=?utf-8?q?Bank?=" },
		"long lines":  func(d *mailer.Draft) { d.Text, d.HTML = long+"\n"+long, "<p>"+long+"</p>" },
		"line starts": func(d *mailer.Draft) {
			d.Text = "From here\n.\n..\n.dot\nFrom From From \n." + long + "\nFrom " + strings.Repeat(".", 300) + "\n"
			d.HTML = ".\nFrom x\n" + strings.Repeat("From ", 60)
		},
		"line ends": func(d *mailer.Draft) { d.Text, d.HTML = "a \nb\t\r\nc\n\n\n", "<p>\r\n</p>" },
		"boundary": func(d *mailer.Draft) {
			_, rest, _ := strings.Cut(string(compose(t, draft()).Bytes), "boundary=")
			boundary, _, _ := strings.Cut(rest, "\r\n")
			d.Text = "--" + boundary + "\nContent-Type: text/html\n\n--" + boundary + "--\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft()
			change(&d)
			m := compose(t, d)
			wellFormed(t, m.Bytes)
			p := parse(t, m.Bytes)
			if len(p.kinds) != 2 {
				t.Errorf("got parts %v", p.kinds)
			}
			same(t, p, d)
		})
	}
}

// same checks that a reader gets what the draft says.
func same(t testing.TB, p parsed, d mailer.Draft) {
	t.Helper()
	clean := func(s string) string {
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	if got, want := decodeHeader(t, p.header.Get("Subject")), clean(d.Subject); got != want {
		t.Errorf("got subject %q, want %q", got, want)
	}
	for field, want := range map[string]mailer.Mailbox{"From": d.From, "To": d.To} {
		got, err := mail.ParseAddress(p.header.Get(field))
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if clean(got.Name) != clean(want.Name) {
			t.Errorf("got %s name %q, want %q", field, got.Name, want.Name)
		}
	}
	if d.List != nil {
		phrase, _, _ := strings.Cut(p.header.Get("List-Id"), "<"+d.List.ID+">")
		if name, err := mail.ParseAddress(phrase + " <a@b>"); err != nil || clean(name.Name) != clean(d.List.Name) {
			t.Errorf("got List-Id %q, %v, want the name %q", p.header.Get("List-Id"), err, d.List.Name)
		}
	}
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	if got := lines.Replace(p.text); got != lines.Replace(d.Text) {
		t.Errorf("got text %q, want %q", got, d.Text)
	}
	if got := lines.Replace(p.html); got != lines.Replace(d.HTML) {
		t.Errorf("got HTML %q, want %q", got, d.HTML)
	}
}

func TestComposeInternationalAddresses(t *testing.T) {
	for _, tt := range []struct {
		to, want string
		utf8     bool
	}{
		{"ada@bücher.example", "ada@xn--bcher-kva.example", false},
		{"ada@BÜCHER.Example", "ada@xn--bcher-kva.example", false},
		{"Ada.L+7@EXAMPLE.org", "Ada.L+7@example.org", false},
		{"ada@faß.de", "ada@xn--fa-hia.de", false},
		{"ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah", false},
		{"o'brien_7@example.museum", "o'brien_7@example.museum", false},
		{"jörg@bücher.example", "jörg@xn--bcher-kva.example", true},
	} {
		t.Run(tt.to, func(t *testing.T) {
			d := draft()
			d.To.Email = tt.to
			m := compose(t, d)
			if m.To != tt.want || m.SMTPUTF8 != tt.utf8 {
				t.Errorf("got %s, SMTPUTF8 %v, want %s, %v", m.To, m.SMTPUTF8, tt.want, tt.utf8)
			}
			if !bytes.Contains(m.Bytes, []byte("<"+tt.want+">")) {
				t.Errorf("the header has another address:\n%s", m.Bytes)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mailer.Draft)
		want   error
	}{
		"no subject":       {func(d *mailer.Draft) { d.Subject = " " }, mailer.ErrHeader},
		"long subject":     {func(d *mailer.Draft) { d.Subject = strings.Repeat("x", 999) }, mailer.ErrHeader},
		"broken UTF-8":     {func(d *mailer.Draft) { d.Subject = "caf\xe9" }, mailer.ErrHeader},
		"long name":        {func(d *mailer.Draft) { d.To.Name = strings.Repeat("x", 257) }, mailer.ErrHeader},
		"no date":          {func(d *mailer.Draft) { d.Date = time.Time{} }, mailer.ErrHeader},
		"no id":            {func(d *mailer.Draft) { d.MessageID = "" }, mailer.ErrHeader},
		"id with brackets": {func(d *mailer.Draft) { d.MessageID = "<1@example.org>" }, mailer.ErrHeader},
		"id without @":     {func(d *mailer.Draft) { d.MessageID = "1" }, mailer.ErrHeader},
		"list id":          {func(d *mailer.Draft) { d.List.ID = "a b.example.org" }, mailer.ErrHeader},
		"list id label":    {func(d *mailer.Draft) { d.List.ID = "skin" }, mailer.ErrHeader},
		"http":             {func(d *mailer.Draft) { d.List.UnsubscribeURL = "http://news.example.org/u/x" }, mailer.ErrHeader},
		"two URIs":         {func(d *mailer.Draft) { d.List.UnsubscribeURL = "https://a/u>,<https://b/u" }, mailer.ErrHeader},
		"comma in URI":     {func(d *mailer.Draft) { d.List.UnsubscribeURL = "https://a/u,b" }, mailer.ErrHeader},
		"no URI":           {func(d *mailer.Draft) { d.List.UnsubscribeURL = "" }, mailer.ErrHeader},
		"mailto":           {func(d *mailer.Draft) { d.List.UnsubscribeURL = "mailto:a@b.example" }, mailer.ErrHeader},
		"login in URI":     {func(d *mailer.Draft) { d.List.UnsubscribeURL = "https://a:b@c.example/u" }, mailer.ErrHeader},
		"no text":          {func(d *mailer.Draft) { d.Text = "\n" }, mailer.ErrBody},
		"no HTML":          {func(d *mailer.Draft) { d.HTML = "" }, mailer.ErrBody},
		"body not UTF-8":   {func(d *mailer.Draft) { d.HTML = "\xff" }, mailer.ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft()
			tt.change(&d)
			if m, err := mailer.Compose(d); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v; message\n%s", err, tt.want, m.Bytes)
			}
		})
	}
}

func TestComposeRefusesAddresses(t *testing.T) {
	for _, address := range []string{
		"", "ada", "@example.org", "ada@", "ada@@example.org", "a b@example.org", `"ada"@example.org`, "ada@[127.0.0.1]", "ada@exa mple.org",
		".ada@example.org", "ada.@example.org", "a..b@example.org", "ada@example..org", "ada@example.org.", "ada@-x.org", "ada@a_b.org",
		"Ada <ada@example.org>", "ada@example.org>", "ada@example.org, bob@example.org", "a\u00A0b@example.org", "a\u200Bb@example.org",
		strings.Repeat("x", 65) + "@example.org", "ada@" + strings.Repeat("x", 64) + ".org", "ada@" + strings.Repeat("x.", 130) + "org",
		"ada@xn--a.org", "\xff@example.org",
	} {
		for field, change := range map[string]func(*mailer.Draft){
			"from": func(d *mailer.Draft) { d.From.Email = address },
			"to":   func(d *mailer.Draft) { d.To.Email = address },
			"reply-to": func(d *mailer.Draft) {
				if d.ReplyTo = address; address == "" {
					d.ReplyTo = "x"
				}
			},
		} {
			d := draft()
			change(&d)
			_, err := mailer.Compose(d)
			if !errors.Is(err, mailer.ErrAddress) || !strings.Contains(err.Error(), field) {
				t.Errorf("%s %q: got %v, want ErrAddress of %s", field, address, err, field)
			}
			if err != nil && address != "" && strings.Contains(err.Error(), "ada") {
				t.Errorf("the address is in the error: %v", err)
			}
		}
	}
}

func TestComposeAllowsLoopbackHTTP(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:8080/u/x", "http://localhost/u/x", "http://[::1]:8080/u/x"} {
		d := draft()
		d.List.UnsubscribeURL = url
		if got := parse(t, compose(t, d).Bytes).header.Get("List-Unsubscribe"); got != "<"+url+">" {
			t.Errorf("got %s, want <%s>", got, url)
		}
	}
}

// injections are what header injection is made of, with what no header may hold at all.
var injections = []string{
	"\r\nBcc: eve@example.org", "\nBcc: eve@example.org", "\rBcc: eve@example.org", "\r\n\r\nbody", "\x00", "\x1f", "\x7f", "\t", "\u0085",
	"\u2028Bcc: eve@example.org", "\u2029", "\v", "\f",
}

func TestComposeRefusesInjection(t *testing.T) {
	for field, set := range headerFields() {
		for _, attack := range injections {
			d := draft()
			set(&d, attack)
			if m, err := mailer.Compose(d); err == nil {
				t.Errorf("%s with %q: got a message\n%s", field, attack, m.Bytes)
			}
		}
		// An encoded line break is a text like any other: it must not come out decoded.
		d := draft()
		set(&d, "=?utf-8?q?=0D=0ABcc:_eve=40example.org?=")
		if m, err := mailer.Compose(d); err == nil && len(parse(t, m.Bytes).fields) != len(parse(t, compose(t, draft()).Bytes).fields) {
			t.Errorf("%s: the number of header fields changed\n%s", field, m.Bytes)
		}
	}
}

// headerFields puts a text into each value that reaches the header, after what makes it valid by itself.
func headerFields() map[string]func(*mailer.Draft, string) {
	return map[string]func(*mailer.Draft, string){
		"message-id":  func(d *mailer.Draft, s string) { d.MessageID += s },
		"from":        func(d *mailer.Draft, s string) { d.From.Email += s },
		"from name":   func(d *mailer.Draft, s string) { d.From.Name += s },
		"to":          func(d *mailer.Draft, s string) { d.To.Email += s },
		"to name":     func(d *mailer.Draft, s string) { d.To.Name += s },
		"reply-to":    func(d *mailer.Draft, s string) { d.ReplyTo += s },
		"subject":     func(d *mailer.Draft, s string) { d.Subject += s },
		"list id":     func(d *mailer.Draft, s string) { d.List.ID += s },
		"list name":   func(d *mailer.Draft, s string) { d.List.Name += s },
		"unsubscribe": func(d *mailer.Draft, s string) { d.List.UnsubscribeURL += s },
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("Seven habits", "Harbour Clinic", "Ada", "ada@example.org", "Skin, in short", "https://news.example.org/u/x", "text\n", "<p>")
	for _, attack := range injections {
		f.Add("a"+attack, "b"+attack, "c"+attack, "ada@example.org"+attack, "d"+attack, "https://x.example/"+attack, attack, "From "+attack)
	}
	f.Add("=?utf-8?b?QQ==?= =?", `"`, `\`, "jörg@bücher.example", "=?utf-8?q?A?=", "http://127.0.0.1/", ".", "\r")
	want := 12 // fields of the ordinary newsletter
	f.Fuzz(func(t *testing.T, subject, from, to, address, list, url, text, html string) {
		d := draft()
		d.Subject, d.From.Name, d.To.Name, d.To.Email, d.List.Name = subject, from, to, address, list
		d.List.UnsubscribeURL, d.Text, d.HTML = url, text, html
		m, err := mailer.Compose(d)
		if err != nil {
			return
		}
		wellFormed(t, m.Bytes)
		p := parse(t, m.Bytes)
		if len(p.fields) != want {
			t.Errorf("got %d header fields, want %d:\n%s", len(p.fields), want, m.Bytes)
		}
		same(t, p, d)
		for _, s := range []string{subject, from, to, address, list, url} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q was taken into a header", s)
			}
		}
	})
}

package importer_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/importer"
)

// Dates may name their zone (RFC 822, 5.1): they order by the instant, and the day is that of the place.
func TestZonesOfFeeds(t *testing.T) {
	item := func(title, date string) string {
		return "<item><title>" + title + "</title><guid>" + title + "</guid><pubDate>" + date + "</pubDate><description>x</description></item>"
	}
	f, err := importer.Read(write(t, t.TempDir(), "f.xml", `<rss version="2.0"><channel>`+
		item("e", "2024-01-02 00:00:00 EST")+item("d", "Tue, 02 Jan 2024 04:55:00 GMT")+item("c", "Mon, 01 Jan 2024 20:00:00 pst")+item("b", "Tue, 02 Jan 2024 03:30:00 CET")+item("a", "Tue, 02 Jan 2024 02:00:00 GMT")+"</channel></rss>"))
	if err != nil || slugs(f) != "a b c d e" || f.OrderedBy != "date" {
		t.Fatalf("%q by %s, %v; want a b c d e by date", slugs(f), f.OrderedBy, err)
	}
	if got, want := f.Articles[2].Date, "2024-01-01"; got != want {
		t.Errorf("day %s, want %s", got, want)
	}
}

// Text in an Atom feed that says it is text has no markup (RFC 4287, 3.1.1.1).
func TestAtomText(t *testing.T) {
	for kind, want := range map[string]string{"text": "if a &lt;b&gt; c", "html": "if a **c**"} {
		f, err := importer.Read(write(t, t.TempDir(), "f.xml", `<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><entry><title>A</title><id>urn:1</id><updated>2024-03-02T00:00:00Z</updated>`+
			`<content type="`+kind+`">if a &lt;b&gt; c</content></entry></feed>`))
		if err != nil || f.Articles[0].Markdown != want {
			t.Errorf("%s: %v, %v; want %q", kind, f.Articles, err, want)
		}
	}
}

// What a page, a feed or a server says of its character set counts, where the bytes are no UTF-8.
func TestCharacterSetsAreAsDeclared(t *testing.T) {
	const cyrillic, kana = "\xcf\xe8\xf1\xfc\xec\xee", "\x83\x65\x83\x58\x83\x67" // Письмо in windows-1251, テスト in Shift_JIS
	page := func(head, words string) string {
		return "<html><head>" + head + "</head><body><h1>" + words + "</h1><p>x</p></body></html>"
	}
	feed := func(declared, words string) string {
		return `<?xml version="1.0"` + declared + `?><rss version="2.0"><channel><item><title>` + words + `</title><description>x</description></item></channel></rss>`
	}
	for _, tt := range []struct{ name, kind, charset, content, want string }{
		{"a page", "", "", page(`<meta charset="windows-1251">`, cyrillic), "Письмо"},
		{"an older page", "", "", page(`<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">`, kana), "テスト"},
		{"a page of UTF-8 that says else", "", "", page(`<meta charset="windows-1251">`, "Письмо"), "Письмо"},
		{"a page in JIS", "", "", page(`<meta charset="iso-2022-jp">`, "\x1b$B%F%9%H\x1b(B"), "テスト"},
		{"a feed", "", "", feed(` encoding="windows-1251"`, cyrillic), "Письмо"},
		{"a feed in Shift_JIS", "", "", feed(` encoding="Shift_JIS"`, kana), "テスト"},
		{"a served page", "text/html", "windows-1251", page("", cyrillic), "Письмо"},
		{"a served feed", "application/rss+xml", "windows-1251", feed("", cyrillic), "Письмо"},
		{"a served feed that says else", "application/rss+xml", "utf-8", feed(` encoding="iso-8859-1"`, "Письмо"), "Письмо"},
		{"a served text", "text/plain", "windows-1251", cyrillic + "\n\nx", "Письмо"},
		{"a server that is wrong", "text/html", "windows-1251", page("", "Письмо"), "Письмо"},
		{"a server that says nothing known", "text/html", "x-none", page(`<meta charset="windows-1251">`, cyrillic), "Письмо"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := func() (importer.Found, error) {
				if tt.kind == "" {
					return importer.Read(write(t, t.TempDir(), "a.html", tt.content))
				}
				return importer.Options{Fetch: func(string) (importer.Fetched, error) {
					return importer.Fetched{Address: "https://x.example/a", Type: tt.kind, Charset: tt.charset, Body: []byte(tt.content)}, nil
				}}.Read("https://x.example/a")
			}
			f, err := read()
			if err != nil || len(f.Articles) != 1 || f.Articles[0].Title != tt.want {
				t.Fatalf("%v, %v; want the title %s", f.Articles, err, tt.want)
			}
			if said := strings.Join(lines(f.Problems), "\n"); strings.Contains(said, "Windows-1252") {
				t.Errorf("problems %s; want no doubt", said)
			}
		})
	}
}

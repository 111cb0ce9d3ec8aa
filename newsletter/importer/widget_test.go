package importer_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/importer"
)

// What asks readers to subscribe or share at the old place goes by its address, never by its looks; what an author wrote stays. The shapes
// are those of Substack's editor (data-attrs holds the address), of Ghost's cards, and of the line that WordPress puts below its feed.
func TestOnlyWhatAsksByItsAddressGoes(t *testing.T) {
	button := func(address, words string) string {
		return `<p class="button-wrapper" data-attrs='{"url":"` + address + `","text":"` + words + `"}'><a class="button primary" href="` + address + `"><span>` + words + `</span></a></p>`
	}
	const line = `<p>The post <a rel="nofollow" href="https://harbour.example/a">A</a> appeared first on <a href="https://harbour.example">Harbour</a>.</p>`
	for _, tt := range []struct{ name, html, want string }{
		{"an appointment", button("https://clinic.example/book?a=1", "Book an appointment"), "[Book an appointment](https://clinic.example/book?a=1)"},
		{"a placeholder", button("%%share_url%%", "Share"), ""},
		{"subscribe", button("https://x.example/subscribe?utm_source=email", "Subscribe"), ""},
		{"share", button("https://x.example/p/a?utm_source=substack&action=share", "Share"), ""},
		{"comment", button("https://x.example/p/a/comments", "Leave a comment"), ""},
		{"a form", `<div class="subscription-widget-wrap-editor" data-attrs='{"url":"https://x.example/subscribe?"}'><div><p>Thanks for reading.</p><form><input></form></div></div>`, ""},
		{"Ghost's form", `<div class="kg-card kg-signup-card"><h2>Join</h2><form data-members-form="signup"></form></div>`, ""},
		{"Ghost's portal", `<div class="kg-card kg-button-card"><a href="#/portal/signup" class="kg-btn">Join</a></div>`, ""},
		{"Ghost's button", `<div class="kg-card kg-button-card"><a href="https://clinic.example/book" class="kg-btn">Book</a></div>`, "[Book](https://clinic.example/book)"},
		{"an author's box of that name", `<div class="subscription-widget-wrap"><p>Words.</p></div>`, "Words."},
		{"a link in a sentence", `<p>See <a href="https://x.example/subscribe">here</a>.</p>`, "See [here](https://x.example/subscribe)."},
		{"a line below", line + "\n", ""},
		{"a line above", line + "<p>End.</p>", "The post [A](https://harbour.example/a) appeared first on [Harbour](https://harbour.example).\n\nEnd."},
		{"a sentence like it", "<p>The post office of our town appeared on no map.</p>", "The post office of our town appeared on no map."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.Read(write(t, t.TempDir(), "g.json", ghostOf("<p>Begin.</p>"+strings.ReplaceAll(tt.html, "\n", " "), `,"visibility":"public"`)))
			if err != nil || len(f.Articles) != 1 {
				t.Fatalf("%v, %v; want an article", f.Problems, err)
			}
			if got, want := f.Articles[0].Markdown, strings.TrimSpace("Begin.\n\n"+tt.want); got != want {
				t.Errorf("text %q, want %q", got, want)
			}
			said := strings.Contains(strings.Join(lines(f.Problems), "\n"), "1 button or line asking to subscribe or share")
			if want := tt.want == ""; said != want {
				t.Errorf("said %t, want %t: %v", said, want, f.Problems)
			}
		})
	}
}

// Of a page too it is said.
func TestWidgetsOfAPageAreCounted(t *testing.T) {
	f, err := importer.Options{Fetch: func(string) (importer.Fetched, error) {
		return importer.Fetched{Address: "https://x.example/a", Type: "text/html", Body: []byte(`<html><body><h1>A</h1><p>Words.</p><p class="button-wrapper"><a href="/subscribe">Join</a></p></body></html>`)}, nil
	}}.Read("https://x.example/a")
	if got := strings.Join(lines(f.Problems), "\n"); err != nil || f.Articles[0].Markdown != "Words." || !strings.Contains(got, "1 button or line asking to subscribe or share at the old place: left out") {
		t.Errorf("%v, problems %q, %v; want the button left out and counted", f.Articles, got, err)
	}
}

// What a page shows to nobody is not mailed, in whatever way it comes.
func TestNothingHiddenIsMailed(t *testing.T) {
	for _, tt := range []struct {
		name, html string
		named      bool
	}{
		{"display", `<div style="color:red; display: none"><p>HIDDEN</p></div>`, true},
		{"visibility", `<p style="visibility:hidden !important">HIDDEN</p>`, true},
		{"attribute", `<p hidden>HIDDEN</p>`, true},
		{"a link that leads nowhere", `<a hidden href="#x">HIDDEN</a>`, true},
		{"a picture", `<img style="display:none" alt="HIDDEN" src="">`, false},
		{"for screen readers", `<a href="https://x.example/">More<span class="screen-reader-text"> HIDDEN</span></a>`, false},
		{"Bootstrap's", `<span class="sr-only">HIDDEN</span>`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page := "<h1>A</h1><p>Words.</p>" + tt.html
			for name, content := range map[string]string{
				"g.json": ghostOf(page, `,"visibility":"public","custom_excerpt":""`), "p.html": "<html><body>" + page + "</body></html>",
				"w.xml": strings.Replace(wxrOf(page, "", ""), "<guid>", "<excerpt:encoded xmlns:excerpt=\"http://wordpress.org/export/1.2/excerpt/\"><![CDATA["+tt.html+"]]></excerpt:encoded><guid>", 1),
			} {
				f, err := importer.Read(write(t, t.TempDir(), name, content))
				if err != nil || len(f.Articles) != 1 {
					t.Fatalf("%s: %v, %v; want an article", name, f.Problems, err)
				}
				if a := f.Articles[0]; strings.Contains(a.Markdown+a.Preheader+a.Description, "HIDDEN") || !strings.Contains(a.Markdown, "Words.") {
					t.Errorf("%s: text %q, preheader %q; want nothing hidden in it", name, a.Markdown, a.Preheader)
				}
				if said := strings.Contains(strings.Join(lines(f.Problems), "\n"), "it holds 1 part that its page hides: left out"); said != tt.named {
					t.Errorf("%s: said %t, want %t: %v", name, said, tt.named, f.Problems)
				}
			}
		})
	}
}

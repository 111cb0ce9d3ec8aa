package render_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/render"
)

var nameHole = render.Hole{Before: "\uE0F0", After: "\uE0F1"}

// merging is a letter whose fields all have a value.
func merging(subject, markdown string) render.Letter {
	l := letter(markdown)
	l.Subject, l.NameHole = subject, nameHole
	l.Day = time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
	return l
}

func TestMergeFields(t *testing.T) {
	const name = "\uE0F0there\uE0F1"
	tests := []struct{ about, markdown, html, text string }{
		{"name", "Dear {{name|there}}, hello.", "Dear " + name + ", hello.", "Dear " + name + ", hello."},
		{"name in bold", "Dear **{{ name | there }}**.", ">" + name + "</strong>", "Dear " + name + "."},
		{"name with a fallback of words", "Dear {{name|dear reader}}.", "Dear \uE0F0dear\u00a0reader\uE0F1.", "Dear \uE0F0dear\u00a0reader\uE0F1."},
		{"fallback with markup", "Dear {{name|<b>*R&D*</b>}}.", "Dear \uE0F0&lt;b&gt;*R&amp;D*&lt;/b&gt;\uE0F1.", "Dear \uE0F0<b>*R&D*</b>\uE0F1."},
		{"place", "Letter {{number}} of {{count}} of {{series}}.", "Letter 7 of 40 of Skin, week by week.", "Letter 7 of 40 of Skin, week by week."},
		{"date", "Written on {{date}}.", "Written on Tuesday 30 March 2027.", "Written on Tuesday 30 March 2027."},
		{"title", "About “{{title}}”.", "About “What short nights do to your skin”.", "About “What short nights do to your skin”."},
		{"a link's address", "[Read it here]({{article_link}}?from=mail).", `href="https://news.example.org/skin/short-nights?from=mail"`, "[1] https://news.example.org/skin/short-nights?from=mail"},
		{"a link by itself", "All: {{series_link}}", `>https://news.example.org/skin</a>`, "All: https://news.example.org/skin"},
		{"the way out", "[Leave]({{unsubscribe_link}})", `href="` + hole + `"`, "[1] " + hole},
		{"what one gets", "[Choose]({{preferences_link}})", `href="` + preferences + `"`, "[1] " + preferences},
		{"in a table", "| a | b |\n|---|---|\n| {{name\\|there}} | x |", ">" + name + "</td>", name},
		{"in code", "Write `{{name|there}}`.", ">{{name|there}}</code>", "Write {{name|there}}."},
		{"escaped", `Write \{{name|there}}.`, "Write {{name|there}}.", "Write {{name|there}}."},
		{"no field", "Write {{.Env}} and {{ define \"x\" }}.", "Write {{.Env}} and", "Write {{.Env}} and"},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			e := issue(t, merging("", test.markdown))
			if !strings.Contains(e.HTML, test.html) {
				t.Errorf("the HTML lacks %q:\n%s", test.html, e.HTML)
			}
			if !strings.Contains(e.Text, test.text) {
				t.Errorf("the text lacks %q:\n%s", test.text, e.Text)
			}
		})
	}
}

func TestMergeInSubject(t *testing.T) {
	l := merging("{{name|Reader}}: part {{number}}, {{date}}", "Words.")
	l.Preheader = "For {{name|you}} alone"
	e := issue(t, l)
	if want := "\uE0F0Reader\uE0F1: part 7, Tuesday 30 March 2027"; e.Subject != want {
		t.Errorf("subject %q, want %q", e.Subject, want)
	}
	if want := "<title>" + e.Subject + "</title>"; !strings.Contains(e.HTML, want) {
		t.Errorf("the HTML lacks %q", want)
	}
	if want := "For \uE0F0you\uE0F1 alone"; e.Preheader != want || !strings.Contains(e.HTML, want) {
		t.Errorf("preheader %q, want %q, in the HTML too", e.Preheader, want)
	}
}

// A page has no one reader: the fallbacks stand there, and no link of one person.
func TestPageHasNoHoles(t *testing.T) {
	e := issue(t, merging("", "Dear {{name|there}}, [leave]({{unsubscribe_link}}), [choose]({{preferences_link}})."))
	if strings.Contains(e.ArticleHTML, ".invalid") || strings.ContainsAny(e.ArticleHTML, "\uE0F0\uE0F1") || !strings.Contains(e.ArticleHTML, "Dear there,") {
		t.Errorf("the page is %s", e.ArticleHTML)
	}
	if strings.ContainsAny(e.Preheader, "\uE0F0\uE0F1") {
		t.Errorf("the preheader %q of the text's own words holds a hole", e.Preheader)
	}
}

func TestMergeFaults(t *testing.T) {
	tests := []struct{ about, title, subject, markdown, want string }{
		{"unknown", "T", "", "Fine.\n\nDear ünd {{nmae|there}}.", "Markdown line 3, column 10: {{nmae}} is no field; there are: name,"},
		{"no fallback", "T", "", "Dear {{name}}.", "Markdown line 1, column 6: {{name}} needs words for readers without a name"},
		{"in the subject", "T", "About {{thing}}", "Words.", "Subject line 1, column 7: {{thing}} is no field"},
		{"an address in the subject", "T", "See {{series_link}}", "Words.", "Subject line 1, column 5: an address belongs into the text"},
		{"a word as address", "T", "", "[x]({{series}})", "Markdown line 1, column 5: {{series}} is no address"},
		{"unknown as address", "T", "", "A [x]({{nothing}})", "Markdown line 1, column 7: {{nothing}} is no field"},
		{"no end", "T", "", "Dear {{name|there, hello.", "Markdown line 1, column 6: the field has no end"},
		{"cut by a table", "T", "", "| a | b |\n|---|---|\n| {{name|there}} | x |", "Markdown line 3, column 3: the field has no end"},
		{"in HTML", "T", "", "Words.\n\n<div>\n<p>Dear {{name|there}}</p>\n</div>", "Markdown line 4, column 9: fields are not filled inside HTML"},
		{"in a tag", "T", "", `An <a href="{{series_link}}">x</a>`, "Markdown line 1, column 13: fields are not filled inside HTML"},
		{"in a bare address", "T", "", "See\nhttps://example.com/{{name|there}} now.", "Markdown line 2, column 21: fields are not filled in captions"},
		{"in an address in brackets", "T", "", "See <https://example.com/{{name|there}}>.", "Markdown line 1, column 26: fields are not filled in captions"},
		{"a second one in an address", "T", "", "[x]({{article_link}}?by={{name|you}})", "Markdown line 1, column 25: fields are not filled in captions"},
		{"one without an end in an address", "T", "", "[x](https://example.com/{{name|you)", "Markdown line 1, column 25: fields are not filled in captions"},
		{"in a link's title", "T", "", `[x](https://example.com "For {{name|you}}")`, "Markdown line 1, column 30: fields are not filled in captions"},
		{"in a caption", "T", "", `![x](a.png "For {{name|you}}")`, "Markdown line 1, column 17: fields are not filled in captions"},
		{"in a picture's address", "T", "", `![x](https://example.com/{{name|you}}.png)`, "Markdown line 1, column 26: fields are not filled in captions"},
		{"in the title", "Part {{number}}", "", "Words.", `Title holds "{{number}}"`},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			l := merging(test.subject, test.markdown)
			l.Title = test.title
			_, err := render.Issue(l)
			for name, got := range map[string]error{"Issue": err, "Check": render.Check(l)} {
				if got == nil || !strings.Contains(got.Error(), test.want) {
					t.Errorf("%s fails with %v, want %q", name, got, test.want)
				}
			}
		})
	}
}

// A text full of faults makes no error that fills a page.
func TestMergeFaultsAreBounded(t *testing.T) {
	l := merging("", strings.Repeat("{{bad}} ", 20_000))
	_, err := render.Issue(l)
	for name, got := range map[string]error{"Issue": err, "Check": render.Check(l)} {
		if got == nil || len(badFields(got)) != 21 || !strings.HasSuffix(got.Error(), "Markdown has 19980 more such faults") {
			t.Errorf("%s fails with %d errors, want 20 and how many more", name, len(badFields(got)))
		}
	}
}

// What stands beside the article knows no fields, and none of them is mailed as it was written.
func TestMergeBesideTheArticle(t *testing.T) {
	for field, put := range map[string]func(*render.Letter, string){
		"ImageAlt":     func(l *render.Letter, s string) { l.ImageAlt = s },
		"ImageCaption": func(l *render.Letter, s string) { l.ImageCaption = s },
		"ReviewedBy":   func(l *render.Letter, s string) { l.ReviewedBy = s },
		"Sources":      func(l *render.Letter, s string) { l.Sources = []string{"A book", s} },
	} {
		for _, s := range []string{"For {{name|you}}", "On {{date}}", "For {{name|you"} {
			l := merging("", "Words.")
			put(&l, s)
			_, err := render.Issue(l)
			for name, got := range map[string]error{"Issue": err, "Check": render.Check(l)} {
				if !slices.Equal(badFields(got), []string{field}) {
					t.Errorf("%s of %q in %s fails with %v", name, s, field, got)
				}
			}
		}
		l := merging("", "Words.")
		put(&l, "A {{.Env}} and {b}")
		if err := render.Check(l); err != nil {
			t.Errorf("%s: Check fails with %v", field, err)
		}
	}
}

// A field that has no value in one letter has words for that, or the letter can't be.
func TestMergeWithoutValue(t *testing.T) {
	l := merging("", "Letter {{number|one}}.")
	l.Part, l.Of = 0, 0
	if e := issue(t, l); !strings.Contains(e.Text, "Letter one.") {
		t.Errorf("the text is %s", e.Text)
	}
	l.Markdown = "Letter {{number}}."
	if _, err := render.Issue(l); err == nil || !strings.Contains(err.Error(), "{{number}} has no value in this letter") {
		t.Errorf("Issue fails with %v", err)
	}
	if err := render.Check(l); err != nil {
		t.Errorf("Check fails with %v; only the letter can know", err)
	}
}

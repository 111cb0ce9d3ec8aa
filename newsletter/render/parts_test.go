package render_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"pressrun/newsletter/render"
)

// wordsOf splits a text into its words: runs of letters and digits, and each wide character by itself, since lines may
// break between those.
func wordsOf(s string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		run := ""
		for _, r := range word {
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
				all[string(r)] = true
				all[run], run = true, ""
				continue
			}
			run += string(r)
		}
		all[run] = true
	}
	delete(all, "")
	return all
}

// reporter is what *testing.T and *rapid.T have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkParts holds an email to its promises: the HTML is well formed, and the text says all that the HTML says, with every
// link.
func checkParts(t reporter, e render.Email) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(strings.TrimSpace(e.HTML)))
	if err != nil {
		t.Errorf("the HTML can't be parsed: %v", err)
		return
	}
	var again strings.Builder
	if err := html.Render(&again, root); err != nil || again.String() != strings.TrimSpace(e.HTML) {
		t.Errorf("the HTML changes when it is parsed and written again (%v):\n%s", err, e.HTML)
	}
	page, err := html.Parse(strings.NewReader(e.ArticleHTML))
	if err != nil {
		t.Errorf("the page can't be parsed: %v", err)
		return
	}
	inText := wordsOf(e.Text)
	for word := range wordsOf(content(page)) {
		if !inText[word] {
			t.Errorf("the word %q of the HTML is missing from the text:\n%s\n\n%s", word, e.ArticleHTML, e.Text)
		}
	}
	for _, href := range links(root) {
		if !strings.Contains(e.Text, strings.TrimPrefix(href, "mailto:")) {
			t.Errorf("the link to %s is missing from the text:\n%s\n\n%s", href, e.ArticleHTML, e.Text)
		}
	}
	if n := strings.Count(e.HTML, `href="`+hole+`"`); n < 1 {
		t.Errorf("no unsubscribe link in:\n%s", e.HTML)
	}
	for _, line := range strings.Split(e.Text, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			t.Errorf("a control character in the text's line %q", line)
		}
	}
}

func TestGoldenLettersSayTheSameTwice(t *testing.T) {
	for name, l := range letters(t) {
		t.Run(name, func(t *testing.T) { checkParts(t, issue(t, l)) })
	}
}

// markdown draws an article from everything that authors write, in any order and nesting.
func markdown() *rapid.Generator[string] {
	word := rapid.SampledFrom([]string{
		"skin", "Cortisol", "“quotes”", "don't", "2027", "睡眠不足", "النوم", "naïve", "a-b", "e.g.", "<GP>", "3 < 4", "&amp;", "&copy;", "R&D", `\*`, "*", "_",
		"`code`", "H<sub>2</sub>O", "one<br>two", "<!-- hidden -->", "https://example.org/bare", "me@example.org", "<https://example.org/auto>", "<me@example.org>",
		"[link](https://example.org/a?b=c&d=e)", "[rel](/path \"title\")", "[ref]", "[](https://example.org/empty)", "[mail](mailto:me@example.org)", "[bad](javascript:x)",
		"[*styled* `link`](https://example.org/s)", "![alt text](https://example.org/i.png)", "![](x.png)", "![local](img/x.png)", "[^1]", "[^long]", "~~gone~~", "**bold**", "*em*",
		"***both***", "<a href=\"https://example.org/raw\">raw</a>", "<a href=\"relative\">r</a>", "<b>raw</b>", "<title>", "[münchen](https://münchen.example/ä?ö#ü)", "[x](<a b>)",
		"[q](https://example.org/'\"%20|{}^)", "#tag", "[#](#frag)", "www.example.org", "$5", "100%", "{{.Env}}", "\u00a0", "\u202e",
	})
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 1, 12).Draw(t, "words"), rapid.SampledFrom([]string{" ", ", ", "\n"}).Draw(t, "between"))
	})
	frame := rapid.SampledFrom([]string{
		"%", "# %", "### %", "% \n===", "> %", "> > %", "* %", "1. %", "7) **%** more", "- [x] %", "    %", "```\n%\n```", "---", "%  \n%", "| % | b |\n| --- | ---: |\n| c | % |",
		"Term\n: %", "<div>%</div>", "<p>%", "<table><tr><td>%</td></tr></table>", "</div></table>%", "<script>\n%\n</script>", "<ul><li>%<li>%</ul>", "* a\n\n  %\n\n  1. %", "<details>%</details>",
	})
	return rapid.Custom(func(t *rapid.T) string {
		var blocks []string
		for range rapid.IntRange(1, 8).Draw(t, "blocks") {
			block := frame.Draw(t, "frame")
			for strings.Contains(block, "%") {
				block = strings.Replace(block, "%", strings.ReplaceAll(line.Draw(t, "line"), "%", "\x01"), 1)
			}
			blocks = append(blocks, strings.ReplaceAll(block, "\x01", "%"))
		}
		return "Words.\n\n" + strings.Join(blocks, "\n\n") + "\n\n[ref]: https://example.org/ref\n[^1]: A note with a [link](https://example.org/note).\n[^long]: Another.\n"
	})
}

func TestTextSaysAllThatTheHTMLSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := render.Issue(letter(markdown().Draw(t, "markdown")))
		if err != nil {
			t.Fatalf("Issue: %v", err)
		}
		checkParts(t, e)
	})
}

// checkMessage asserts that a mail's message is read again as what it was made of: two parts, in lines of CRLF.
func checkMessage(t *testing.T, e render.Email) {
	t.Helper()
	raw := message(t, "a", e)
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if len(line) > 0 && !bytes.HasSuffix(line, []byte("\r")) || len(line) > 998 || bytes.Count(line, []byte("\r")) > 1 {
			t.Fatalf("no line of a message: %q", line)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{filledHoles.Replace(e.Text), filledHoles.Replace(e.HTML)} {
		part, err := parts.NextPart() // undoes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || strings.TrimRight(strings.ReplaceAll(string(got), "\r\n", "\n"), "\n") != strings.TrimRight(want, "\n") {
			t.Fatalf("a part is read as (%v)\n%q\nand was\n%q", err, got, want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after both parts: %v", err)
	}
}

func FuzzIssue(f *testing.F) {
	for _, payload := range payloads {
		f.Add(payload, "A title")
	}
	for name, l := range letters(f) {
		f.Add(l.Markdown, name)
	}
	f.Add("{{name|there}} {{number}} [x]({{series_link}}) {{nmae}} {{name|", "T")
	f.Add("a\x00b\r\nc\xff", "{{.}}")
	clean, err := render.Issue(letter("Words."))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, markdown, title string) {
		l := letter("Words.\n\n" + markdown)
		l.Title, l.NameHole = title, nameHole
		l.Pictures = map[string]render.Picture{"a.png": {URL: "https://news.example.org/p/1.png", Width: 600, Height: 300}}
		e, err := render.Issue(l)
		if err != nil {
			if len(badFields(err)) == 0 {
				t.Errorf("an error that names no field: %v", err)
			}
			return
		}
		checkParts(t, e)
		checkSafe(t, "the letter", e.HTML, comments(t, clean.HTML))
		checkSafe(t, "the page", e.ArticleHTML, nil)
		if len(e.Subject) < 900 { // else it is no header
			checkMessage(t, e)
		}
	})
}

// A table too wide for columns is written row by row, and no head is lost with an empty cell or for want of rows.
func TestWideTableInText(t *testing.T) {
	long := strings.Repeat("long words ", 7) + "in a head"
	for _, tt := range []struct{ about, markdown, want string }{
		{"a cell that is empty", "| " + long + " | dose |\n|---|---|\n| a | \u00a0 |", "  words in a head: a\ndose: –\n"},
		{"no rows", "| " + long + " | dose |\n|---|---|", "  words in a head\ndose\n"},
		{"no head", "| " + long + " | |\n|---|---|\n| a | b |", "  words in a head: a\nb\n"},
	} {
		if got := issue(t, letter("Words.\n\n"+tt.markdown)).Text; !strings.Contains(got, tt.want) {
			t.Errorf("%s: the text lacks %q:\n%s", tt.about, tt.want, got)
		}
	}
}

// TestTooWideTable: a table that no phone can show is a link to the page in both parts, and a table on the page.
func TestTooWideTable(t *testing.T) {
	table := func(columns int) string {
		return "|" + strings.Repeat(" cell |", columns) + "\n|" + strings.Repeat("---|", columns) + "\n|" + strings.Repeat(" more |", columns) + "\n"
	}
	l := letter("Words.\n\n" + table(6) + "\nAnd:\n\n" + table(7))
	e := issue(t, l)
	const said = "A table of 7 columns, too wide for a letter: see it in the browser"
	if got := strings.Count(e.HTML, `<table class="data`); got != 1 || !strings.Contains(e.HTML, `<a href="`+l.ViewURL+`" style="color:#1a6358;text-decoration:underline">`+said+"</a>") {
		t.Errorf("%d tables in the HTML, want one and a link:\n%s", got, e.HTML)
	}
	if !strings.Contains(strings.Join(strings.Fields(e.Text), " "), said+" [1]") || !strings.Contains(e.Text, "[1] "+l.ViewURL) || strings.Count(e.Text, "more") != 6 {
		t.Errorf("the text has not one table and a link:\n%s", e.Text)
	}
	if strings.Count(e.ArticleHTML, "<table") != 2 {
		t.Errorf("the page doesn't hold both tables:\n%s", e.ArticleHTML)
	}
	l.ViewURL = ""
	if e := issue(t, l); strings.Count(e.HTML, `<table class="data`) != 2 {
		t.Error("a letter without a page lost its table")
	}
}

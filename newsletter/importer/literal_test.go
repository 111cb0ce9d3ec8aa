package importer_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"pressrun/newsletter/importer"
)

// shownWords renders Markdown as letters are rendered, typography aside, and returns the words that a reader sees.
func shownWords(t interface{ Fatal(...any) }, markdown string) string {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList))
	var b bytes.Buffer
	if err := md.Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// isList finds lists, whose numbers and bullets are no text any more.
var isList = regexp.MustCompile(`(?m)^(?:[0-9]+[.)]|[*-]) `)

// A reader sees every character of a plain text as its author wrote it, whatever it would mean in Markdown or HTML.
func TestPlainTextStaysLiteral(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{
			"*", "**", "_", "__", "`", "```", "~~~", "~", "~~", "#", "## ", "###### x", ">", ">>", "<", "<b>", "</b>", "<!--", "-->", "<script>", "&amp;",
			"&", "&#65;", "&#x41;", "[", "]", "[x]", "[ ]", "[x](y)", "![x](y)", "[^1]", "[^1]: x", "[x]: y", "(", ")", "|", "|-|", ":-:", ": x", ":", "\\", "\\*", "\\\\",
			"+", "+ x", "-", "- x", "--", "---", "- - -", "===", "=", "1.", "1. x", "12) y", "123456789. z", "!", "$x$", "{#id}", "{{x}}", "^", "\"", "'", "“", "’", "…", "–",
			"https://a.example/b_c_d*e", "http://x.example).", "www.a.example/_b_", "a_b@c.example", "mailto:a@b.example", "ftp://a.example/_b_", "\t", "    ",
			"Previous", "Next", "a", "b", "word", "Word:", "1 < 2", "5 * 3", "☃", "é",
		}),
		rapid.StringMatching(`[!-~]{1,12}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for _, word := range rapid.SliceOfN(piece, 1, 25).Draw(t, "words") {
			text.WriteString(word + rapid.SampledFrom([]string{"", " ", " ", "\n", "\n\n"}).Draw(t, "space"))
		}
		source := "x " + text.String() + " x." // so that neither labels nor a closing note stand at an end
		want := strings.Join(strings.Fields(source), " ")
		f, err := importer.ReadFS(folder(map[string]string{"a.txt": "A title\n\n" + source}), ".")
		if err != nil {
			t.Fatal(err, f.Problems)
		}
		markdown := f.Articles[0].Markdown
		if got := shownWords(t, markdown); got != want && !isList.MatchString(markdown) {
			t.Fatalf("a reader sees %q\nof            %q\nMarkdown      %q", got, want, markdown)
		}
	})
}

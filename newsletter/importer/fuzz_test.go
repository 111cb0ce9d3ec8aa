package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pressrun/newsletter/importer"
)

// checkAnything reads any bytes as a file: no panic, an article or a reason, and never more text than a small multiple
// of what came in.
func checkAnything(t *testing.T, name string, content []byte) {
	f, err := importer.ReadFS(folder(map[string]string{name: string(content)}), ".")
	if err != nil {
		if len(f.Articles) > 0 || len(f.Problems) == 0 {
			t.Fatalf("error %v with %d articles and %d problems; want a problem that says why", err, len(f.Articles), len(f.Problems))
		}
		return
	}
	if len(f.Articles) != 1 {
		t.Fatalf("%d articles of one file", len(f.Articles))
	}
	a := f.Articles[0]
	if a.Title == "" || len(a.Title) > 4*300 || strings.ContainsAny(a.Title, "\n\r\x00\x1b") || !utf8.ValidString(a.Title) {
		t.Fatalf("title %q; want one clean line", a.Title)
	}
	if a.Slug == "" || len(a.Slug) > 80 || strings.Trim(a.Slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		t.Fatalf("slug %q; want a-z, 0-9 and -, at most 80", a.Slug)
	}
	if a.Markdown == "" && !a.Draft {
		t.Fatal("an article without text that is no draft")
	}
	if size := len(a.Markdown) + len(f.Disclaimer); size > 20*len(content)+1000 {
		t.Fatalf("%d bytes of text from %d", size, len(content))
	}
	for _, p := range f.Problems {
		if p.Fatal || p.File == "" || p.What == "" || p.Mend == "" {
			t.Fatalf("problem %+v of an article that was read; want file, reason and mend, not fatal", p)
		}
	}
}

func FuzzPlain(f *testing.F) {
	files, err := filepath.Glob(samples + "/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{"", "\n", "A", "Previous\nNext", "A\n\nPrevious", "A\nNext\nNext\nNext", "A\n\n1. x\n\n2. y\n\n   z", "\xff\xfeA", "A\n\n\x93\xff", "A\n\n• x\n• y\n\n   \t"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { checkAnything(t, "a.txt", content) })
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{
		"# A\n\nText.", "---\ntitle: x\n---\nText.", "+++\ntitle = 'x'\n+++\nText.", "---\n---\n", "---\na: &x [*x]\n---\nText", "---\n? [a]\n: b\n---\n",
		"---\ntitle: |\n  a\n  b\ntags: [a, {b: c}]\ndate: 2027-01-01\nweight: 1\ndisclaimer: {text: a, mode: add}\n---\nText",
		"+++\na.b = 1\n[[c]]\nd = 1979-05-27T07:32:00Z\n+++\nText", "---\n\"<<\": {a: 1}\n---\nx", "A\n===\n\nText.\n\nPlease note: x", "# \\&lt;\n\nx", "---\na: !!binary x\n---\nx",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { checkAnything(t, "a.md", content) })
}

func FuzzWebPage(f *testing.F) {
	for _, s := range []string{
		"<h1>A</h1><p>Text", "<title>A</title><article><table><td colspan=99999999>x", "<p>x<a rel=next>y", "<ul><li>a<ol><li>b</ul>", "<svg><title>x</title></svg>y", "<pre>\n x</pre><br>",
		"<h1></h1>x", "<meta name=date content=2027-01-01>x", "<p>x</p><p><i>Please note: y</i>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { checkAnything(t, "a.html", content) })
}

// Texts that make careless parsers take quadratic time are read, or refused for what would take it.
func TestTextsMadeToTakeLong(t *testing.T) {
	for _, piece := range []string{
		"[", "[](", "*_", "<", "<a>", "<b>", "<table><tr><td>", "(", "`", "1. ", "\n1. x", "\n- ", "a:\n ", "&a ", "Next\n", "https://", "a@b.", "{", "\\",
		"Please note:\n\n", "Previous\nNext\n",
	} {
		bulk := strings.Repeat(piece, 64<<10/len(piece))
		for name, content := range map[string]string{
			"a.txt": "A\n\n" + bulk, "title.txt": bulk, "a.md": "# A\n\n" + bulk, "a.html": bulk, "title.html": "<title>" + bulk,
			"yaml.md": "---\na: " + bulk[:8<<10] + "\n---\nText.", "toml.md": "+++\na = " + bulk[:8<<10] + "\n+++\nText.",
		} {
			checkAnything(t, name, []byte(content))
		}
	}
	for name, content := range map[string]string{
		"a.html": "<p>" + strings.Repeat("[", 200<<10), "a.md": "# " + strings.Repeat("[](", 60<<10) + "\n\nText.",
		"front.md": "---\na: " + strings.Repeat("[", 200<<10) + "\n---\nText.",
	} {
		f, err := importer.ReadFS(folder(map[string]string{name: content}), ".")
		if err == nil || len(f.Problems) != 1 {
			t.Errorf("%s with 200 KB of brackets: %v, problems %v; want it refused", name, err, f.Problems)
		}
	}
}

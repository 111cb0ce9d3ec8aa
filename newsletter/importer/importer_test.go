package importer_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// folder is a folder of files in memory, with their content by name.
func folder(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return m
}

// readOne reads a single file and fails unless it is one article.
func readOne(t *testing.T, name, content string) importer.Found {
	t.Helper()
	f, err := importer.ReadFS(folder(map[string]string{name: content}), ".")
	if err != nil || len(f.Articles) != 1 {
		t.Fatalf("ReadFS(%s, %q) = %d articles, %v, problems %v; want one article", name, content, len(f.Articles), err, f.Problems)
	}
	return f
}

func lines(problems []importer.Problem) []string {
	var s []string
	for _, p := range problems {
		line := p.String()
		if p.Fatal {
			line = "FATAL " + line
		}
		s = append(s, line)
	}
	return s
}

func slugs(f importer.Found) string {
	var s []string
	for _, a := range f.Articles {
		s = append(s, a.Slug)
	}
	return strings.Join(s, " ")
}

// tideTable is a text in the sample's shape.
const tideTable = "The “quiet” hour\n\nAn opening paragraph.\n\nHere’s how it goes:\n\n" +
	"  1. Sit down: On a chair, or on the floor.\n\n  2. Look out: There is a window – use it.\n\n" +
	"Please note: Not for sailors.\n\nPrevious\nPrevious\n\nAnchors away\n\nNext\nNext\n\nThe long watch"

func TestPlainTextInTheSamplesShape(t *testing.T) {
	want := series.Incoming{Slug: "the-quiet-hour", Source: "quiet.txt", Text: series.Text{
		Title: "The “quiet” hour", DisclaimerMode: "add",
		Markdown: "An opening paragraph.\n\nHere’s how it goes:\n\n" +
			"1. **Sit down:** On a chair, or on the floor.\n\n2. **Look out:** There is a window – use it.",
	}}
	for name, text := range map[string]string{
		"as it is":            tideTable,
		"final newline":       tideTable + "\n",
		"CRLF":                strings.ReplaceAll(tideTable, "\n", "\r\n"),
		"CR":                  strings.ReplaceAll(tideTable, "\n", "\r"),
		"byte order mark":     "\ufeff" + tideTable,
		"labels once":         strings.NewReplacer("Previous\nPrevious", "Previous", "Next\nNext", "Next").Replace(tideTable),
		"labels first last":   strings.Replace(tideTable, "Previous\nPrevious\n\nAnchors away\n\nNext\nNext\n\nThe long watch", "Next\n\nNext\nThe long watch\nPREVIOUS\nprevious\nAnchors away", 1),
		"spaces at line ends": strings.ReplaceAll(tideTable, "\n", "  \t\n"),
		"leading empty lines": "\n \n" + tideTable,
		"no titles below":     strings.NewReplacer("Anchors away\n\n", "", "\n\nThe long watch", "").Replace(tideTable),
		"first of the series": strings.Replace(tideTable, "Previous\nPrevious\n\nAnchors away\n\n", "", 1),
		"last of the series":  strings.Replace(tideTable, "\n\nNext\nNext\n\nThe long watch", "", 1),
		"no neighbours":       tideTable[:strings.Index(tideTable, "\n\nPrevious")],
	} {
		t.Run(name, func(t *testing.T) {
			f := readOne(t, "quiet.txt", text)
			if diff := cmp.Diff(want, f.Articles[0]); diff != "" {
				t.Errorf("article (-want +got):\n%s", diff)
			}
			if got, want := f.Disclaimer, "Please note: Not for sailors."; got != want {
				t.Errorf("Disclaimer = %q, want %q", got, want)
			}
			if len(f.Problems) > 0 {
				t.Errorf("Problems = %v, want none", f.Problems)
			}
		})
	}
}

func TestPlainTextBecomesMarkdownThatReadsTheSame(t *testing.T) {
	prose := "This is a paragraph that is long enough to be one, with a full stop at its very end, as prose has it."
	for _, tt := range []struct{ name, text, want string }{
		{"marks", "*not* _this_ `or` [that] ~5 | 1 < 2 \\n", `\*not\* \_this\_ \` + "`or\\`" + ` \[that\] \~5 \| 1 \< 2 \\n`},
		{"block marks", "# 5\n> said\n- one\n+ two\n= so", "\\# 5\n\\> said\n\\- one\n\\+ two\n\\= so"},
		{"entity", "Fish &amp; chips & more", `Fish \&amp; chips & more`},
		{"a year is no list", "1914. A hard winter.", `1914\. A hard winter.`},
		{"one number is no list", "1. Only this", `1\. Only this`},
		{"numbers that jump", "1. One\n\n3. Three", "1\\. One\n\n3\\. Three"},
		{"list in one block", "1) One\n2) Two\nand more\n3) Three", "1. One\n2. Two\n   and more\n3. Three"},
		{"list from seven", "7. A\n8. B", "7. A\n8. B"},
		{"item of two paragraphs", "1. One\n\n     still one\n\n2. Two", "1. One\n\n   still one\n\n2. Two"},
		{"two lists", "1. A\n2. B\n\n1. C\n2. D", "1. A\n2. B\n\n1) C\n2) D"},
		{"bullets", "• Ropes: many\n• Nets", "- **Ropes:** many\n- Nets"},
		{"two kinds of bullets", "• a\n• b\n\n* c\n* d", "- a\n- b\n\n- c\n- d"},
		{"time is no lead-in", "1. At 10:30 we go\n2. Home. Note: late", "1. At 10:30 we go\n2. Home. Note: late"},
		{"addresses", "See https://a.example/x_(y). Or (http://b.example/_c_) or d_e@f.example!", "See <https://a.example/x_(y)>. Or (<http://b.example/_c_>) or <d_e@f.example>!"},
		{"indented", "    no code", "no code"},
		{"heading", prose + "\n\nA short line\n\n" + prose, prose + "\n\n## A short line\n\n" + prose},
		{"no heading before a list", prose + "\n\nWhat to bring\n\n1. A\n2. B", prose + "\n\nWhat to bring\n\n1. A\n2. B"},
		{"no heading with a full stop", prose + "\n\nA short line.\n\n" + prose, prose + "\n\nA short line.\n\n" + prose},
		{"next in a sentence", "Come.\n\nNext\n\nWe go home.", "Come.\n\nNext\n\nWe go home."},
		{"note in the middle", "Please note: this.\n\nAnd that.", "Please note: this.\n\nAnd that."},
		{"nothing but a note", "Please note: this.", "Please note: this."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := readOne(t, "a.txt", "A title\n\n"+tt.text).Articles[0].Markdown; got != tt.want {
				t.Errorf("Markdown of %q\n got %q\nwant %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestClosingNotes(t *testing.T) {
	text := func(title, note string) string { return title + "\n\nText.\n\n" + note }
	for _, tt := range []struct {
		name           string
		files          map[string]string
		wantDisclaimer string
		wantBodies     []string
		wantProblems   []string
	}{
		{
			"shared, in other quotation marks",
			map[string]string{"a.txt": text("A", "Please note: It’s so."), "b.txt": text("B", "please note:  It's so.")},
			"Please note: It’s so.",
			[]string{"Text.", "Text."},
			nil,
		},
		{
			"one differs",
			map[string]string{"a.txt": text("A", "Please note: x"), "b.txt": text("B", "Please note: y*"), "c.txt": text("C", "Please note: x")},
			"Please note: x",
			[]string{"Text.", "Text.\n\nPlease note: y\\*", "Text."},
			[]string{"b.txt: its closing note stays in its text, since the others don't have the same; give all of them the same words if it is the disclaimer of the series"},
		},
		{
			"not shared",
			map[string]string{"a.txt": text("A", "Please note: x"), "b.txt": "B\n\nText."},
			"",
			[]string{"Text.\n\nPlease note: x", "Text."},
			[]string{"a.txt: its closing note stays in its text, since the others don't have the same; give all of them the same words if it is the disclaimer of the series"},
		},
		{
			"Markdown keeps it",
			map[string]string{"a.md": "# A\n\nText.\n\n*Please note: x*", "b.md": "# B\n\nText.\n\nPlease note: x"},
			"",
			[]string{"Text.\n\n*Please note: x*", "Text.\n\nPlease note: x"},
			[]string{"a.md: the closing note stays in the text of 2 Markdown articles; take it out of them if the disclaimer of the series says it, or readers see it twice"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(tt.files), ".")
			if err != nil {
				t.Fatal(err)
			}
			var bodies []string
			for _, a := range f.Articles {
				bodies = append(bodies, a.Markdown)
			}
			if f.Disclaimer != tt.wantDisclaimer {
				t.Errorf("Disclaimer = %q, want %q", f.Disclaimer, tt.wantDisclaimer)
			}
			if diff := cmp.Diff(tt.wantBodies, bodies); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantProblems, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	dir := t.TempDir()
	if f, err := importer.Read(dir); !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), ".md") {
		t.Errorf("Read(empty folder) = %v, %v; want ErrFile that names the formats", f, err)
	}
	if _, err := importer.Read(dir + "/none.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read(missing file) = %v; want fs.ErrNotExist", err)
	}
	if _, err := importer.Read("https://example.org/feed.xml"); !errors.Is(err, importer.ErrFile) {
		t.Errorf("Read(URL) = %v; want ErrFile", err)
	}
}

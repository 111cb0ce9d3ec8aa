package importer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
)

// Labels with their titles on one line, as people write them: none is left in the text, and the folder is ordered by them.
func TestLabelsOnOneLine(t *testing.T) {
	for name, end := range map[string]string{
		"bar":               "Previous: One | Next: Three",
		"bar without space": "Previous: One|Next: Three",
		"middle dot":        "Previous: One · Next: Three",
		"bullet":            "Previous: One • Next: Three",
		"tab":               "Previous: One\tNext: Three",
		"several spaces":    "Previous: One     Next: Three",
		"one space":         "Previous: One Next: Three",
		"dash":              "Previous: One – Next: Three",
		"no-break spaces":   "Previous\u00a0: One\u00a0\u00a0Next\u00a0: Three",
		"arrows":            "← Previous: One | Next: Three →",
		"guillemets":        "« Prev: “One”  » Next: “Three” »",
		"no colons":         "Previous One | Next Three",
		"other words":       "PREVIOUS ARTICLE: one · Next article: THREE",
		"next first":        "Next: Three | Previous: One",
		"two lines":         "Previous: One\nNext: Three",
		"apart":             "Next: Three\n\nPrevious: One",
		"mixed":             "Previous:\nOne\n\nNext: Three",
		"indented":          "  Previous: One  |  Next: Three  \n\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(map[string]string{
				"a.txt": "Two\n\nText of it.\n\n" + end, "b.txt": "Three\n\nText of it.", "c.txt": "One\n\nText of it.",
			}), ".")
			if err != nil {
				t.Fatal(err)
			}
			if slugs(f) != "one two three" || f.OrderedBy != "chain" || len(f.Problems) > 0 {
				t.Errorf("order = %s by %s, problems %q; want one two three by chain without a problem", slugs(f), f.OrderedBy, lines(f.Problems))
			}
			for _, a := range f.Articles {
				if a.Markdown != "Text of it." {
					t.Errorf("text of %s = %q, want it without the labels", a.Slug, a.Markdown)
				}
			}
		})
	}
}

// What may be a label and is read as none stays in the text, and that is said with its line.
func TestStrayLabels(t *testing.T) {
	const mend = "; write it as “Previous: Title” or “Next: Title” on a line of its own at the very end, or take it out"
	stays := func(line, words string) string {
		return line + ": “" + words + "” looks like a Previous/Next label, is read as none, and stays in the text"
	}
	for _, tt := range []struct {
		name, file, end string
		want            []string
	}{
		{"no colon", "a.txt", "Previous One\n\nNext Three", []string{stays("a.txt:5", "Previous One") + mend, stays("a.txt:7", "Next Three") + mend}},
		{"a sentence", "a.txt", "Next: go to bed.", []string{stays("a.txt:5", "Next: go to bed.") + mend}},
		{"text below", "a.txt", "Previous: One | Next: Three\n\nThat was it.", []string{stays("a.txt:5", "Previous: One | Next: Three") + mend}},
		{"Markdown", "a.md", "Previous: One | Next: Three", []string{stays("a.md:5", "Previous: One | Next: Three") + "; take it out: Markdown is ordered by weight: … in front matter"}},
		{"links in Markdown", "a.md", "[Previous](one.md) | [Next](three.md)", []string{stays("a.md:5", "Previous | Next") + "; take it out: Markdown is ordered by weight: … in front matter"}},
		{"a page", "a.html", "<p>Previous: <a href=one>One</a> | Next: <a href=three>Three</a></p>", []string{stays("a.html", "Previous: One | Next: Three") + "; take it out; a page is ordered by its links with rel=prev and rel=next"}},
		{"prose", "a.txt", "Previous attempts failed.  Next comes sleep.", nil},
		{"prose in two lines", "a.txt", "Next week we look at water, and at salt,\nwhich it carries.", nil},
		{"mere dash", "a.txt", "Previous: – | Next: Three", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := map[string]string{".txt": "Two\n\nText of it.\n\n", ".md": "# Two\n\nText of it.\n\n", ".html": "<h1>Two</h1><p>Text of it.</p>"}
			f := readOne(t, tt.file, begin[filepath.Ext(tt.file)]+tt.end)
			if diff := cmp.Diff(tt.want, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			cut := tt.want == nil && strings.Contains(tt.end, "|")
			if got := f.Articles[0].Markdown; (strings.Contains(got, "Prev") || strings.Contains(got, "Next")) == cut {
				t.Errorf("text = %q; want its end cut: %v", got, cut)
			}
		})
	}
}

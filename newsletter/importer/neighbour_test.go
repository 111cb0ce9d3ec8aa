package importer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// TestLabelToATitleThatChanges: whether a line is a label can't depend on what a file was called before, or the same files would read
// otherwise the second time.
func TestLabelToATitleThatChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "Two\n\nText of it.\n\nPrevious: One")
	write(t, dir, "b.md", "---\ntitle: Another\nslug: one\n---\n\nText.")
	for _, before := range []string{"One", "Another"} {
		f, err := importer.ReadBeside([]series.Article{{Slug: "one", Text: series.Text{Title: before}}}, dir)
		if err != nil || !strings.HasSuffix(f.Articles[0].Markdown, "Previous: One") {
			t.Errorf("beside an article that is read anew and was called %s: %q, %v; want the line in the text", before, f.Articles[0].Markdown, err)
		}
	}
}

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
		"Beiträge":          "Vorheriger Beitrag: One\nNächster Beitrag: Three",
		"Seiten":            "‹ Vorherige Seite: One | Nächste Seite: Three ›",
		"German words":      "« Zurück: One  Weiter: Three »",
		"Beiträge, stacked": "VORHERIGER BEITRAG\nOne\nNÄCHSTER BEITRAG\nThree",
		"French":            "Article précédent : One\nArticle suivant : Three",
		"French words":      "Précédent\u00a0: One | Suivant\u00a0: Three",
		"Spanish":           "Entrada anterior: One\nEntrada siguiente: Three",
		"Spanish, stacked":  "Anterior\n\nOne\n\nSiguiente\n\nThree",
		"Arabic":            "المقال السابق: One\nالمقال التالي: Three",
		"posts, stacked":    "Previous post\nOne\nNext post\nThree",
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
		{"German", "a.txt", "Vorheriger Beitrag\n\nDas war es.", []string{stays("a.txt:5", "Vorheriger Beitrag") + mend}},
		{"German in Markdown", "a.md", "Vorheriger Beitrag\n\nNächster Beitrag: Der Darm", []string{
			stays("a.md:5", "Vorheriger Beitrag") + "; take it out: Markdown is ordered by weight: … in front matter",
			stays("a.md:7", "Nächster Beitrag: Der Darm") + "; take it out: Markdown is ordered by weight: … in front matter",
		}},
		{"a German page", "a.html", "<p>Weiter: <a href=three>Three</a></p>", []string{stays("a.html", "Weiter: Three") + "; take it out; a page is ordered by its links with rel=prev and rel=next"}},
		{"German prose", "a.txt", "Nächste Woche geht es um Salz.", nil},
		{"prose", "a.txt", "Previous attempts failed.  Next comes sleep.", nil},
		{"prose in two lines", "a.txt", "Next week we look at water, and at salt,\nwhich it carries.", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := map[string]string{".txt": "Two\n\nText of it.\n\n", ".md": "# Two\n\nText of it.\n\n", ".html": "<h1>Two</h1><p>Text of it.</p>"}
			f := readOne(t, tt.file, begin[filepath.Ext(tt.file)]+tt.end)
			if diff := cmp.Diff(tt.want, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if got := f.Articles[0].Markdown; !strings.HasPrefix(got, "Text of it.\n\n") {
				t.Errorf("text = %q; want it with its end", got)
			}
		})
	}
}

// The last line of a text that only looks like a label is never lost: alone it stays in the text, and that is said with its line.
func TestLikeLabels(t *testing.T) {
	for _, end := range []string{
		"Nächster Beitrag: Der Darm",
		"Vorheriger Beitrag",
		"Weiter\nmit kaltem Wasser spülen",
		"Next: rinse with cold water",
		"Next: what will you do about it?",
		"Previous dose | Next dose",
		"Previous: none | Next: you!",
		"Next steps · Previous results",
		"Next: A text that says previous: yes",
		"Previous: – | Next: Three",
		"Next\nrinse with cold water",
		"Previous: One\n\nNext: Two", // its own title
		"Next",
	} {
		f := readOne(t, "a.txt", "Two\n\nText of it.\n\n"+end)
		word := strings.Fields(strings.ReplaceAll(end, ":", ""))[0]
		if got := f.Articles[0].Markdown; !strings.Contains(got, word) || strings.Count(got, "\n") < strings.Count(end, "\n")+2 {
			t.Errorf("%q: the text is %q, want it with its end", end, got)
		}
		if len(f.Problems) == 0 || f.Problems[0].Line != 5 || !strings.Contains(f.Problems[0].What, "stays in the text") || f.Problems[0].Fatal {
			t.Errorf("%q: problems %q, want one of line 5", end, lines(f.Problems))
		}
	}
	for _, end := range []string{
		"Previous\nPrevious\n\nOne\n\nNext\nNext\n\nThree", "Next\nNext\n\nWhat now?", "Previous\n\nOne\n\nNext\n\nThree",
	} {
		if f := readOne(t, "a.txt", "Two\n\nText of it.\n\n"+end); f.Articles[0].Markdown != "Text of it." || len(f.Problems) > 0 {
			t.Errorf("%q: text %q, problems %q; want it cut", end, f.Articles[0].Markdown, lines(f.Problems))
		}
	}
}

// What makes a label of a line that looks like one: an article with its title, here or in the series, or the other texts of the folder.
func TestWhatMakesALabel(t *testing.T) {
	const left = "looks like a Previous/Next label, and is left out of the text, though no article here has that title; " +
		"bring that article along, or end the line with a full stop if readers are to see it"
	for _, tt := range []struct {
		name, end string
		others    map[string]string
		known     []string
		cut       bool
		problems  []string
	}{
		{"a title beside it", "Next: rinse with cold water", map[string]string{"b.txt": "Rinse with cold water\n\nText."}, nil, true, nil},
		{"a question beside it", "Next: What now?", map[string]string{"b.txt": "What now?\n\nText."}, nil, true, nil},
		{"a title in the series", "Previous: One", nil, []string{"“One”"}, true, nil},
		{"its own title in the series", "Previous: Two", nil, []string{"Two"}, false, nil},
		{"one of the two", "Previous: One\nNext: Elsewhere", nil, []string{"One"}, true, []string{"a.txt:6: “Next: Elsewhere” " + left}},
		{"most of the folder", "Next: Elsewhere", map[string]string{"b.txt": "B\n\nText.\n\nNext: Nowhere"}, nil, true, []string{
			"a.txt:5: “Next: Elsewhere” " + left, "b.txt:5: “Next: Nowhere” " + left,
		}},
		{"a question among them", "Next: what now?", map[string]string{
			"b.txt": "B\n\nText.\n\nNext: C", "c.txt": "C\n\nText.\n\nPrevious: B",
		}, nil, false, nil},
		{"half of the folder", "Next: Elsewhere", map[string]string{
			"b.txt": "B\n\nText.\n\nNext: C", "c.txt": "C\n\nText.", "d.txt": "D\n\nText.",
		}, nil, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a.txt", "Two\n\nText of it.\n\n"+tt.end)
			for name, content := range tt.others {
				write(t, dir, name, content)
			}
			var known []series.Article
			for _, title := range tt.known {
				known = append(known, series.Article{Text: series.Text{Title: title}})
			}
			f, err := importer.ReadBeside(known, dir)
			if err != nil {
				t.Fatal(err)
			}
			said := lines(f.Problems)
			for i := range said {
				said[i] = strings.TrimPrefix(said[i], dir+"/")
			}
			var about []string
			for _, p := range said {
				if strings.Contains(p, "looks like") {
					about = append(about, p)
				}
			}
			if tt.cut {
				if diff := cmp.Diff(tt.problems, about); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			} else if len(about) != 1 || !strings.HasPrefix(about[0], "a.txt:5: ") || !strings.Contains(about[0], "stays in the text") {
				t.Errorf("problems %q, want one of a.txt:5", about)
			}
			for _, a := range f.Articles {
				if a.Title == "Two" && (a.Markdown == "Text of it.") != tt.cut {
					t.Errorf("text = %q; want its end cut: %t", a.Markdown, tt.cut)
				}
			}
		})
	}
}

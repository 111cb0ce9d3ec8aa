package importer_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// noPictures is for articles without any.
func noPictures(hash string) (series.Picture, error) { return series.Picture{}, store.ErrNotFound }

// article makes of an incoming article what a series would store.
func article(in series.Incoming) series.Article {
	a := series.Article{Slug: in.Slug, State: series.Ready, Source: in.Source, Text: in.Text}
	switch {
	case in.Withdrawn:
		a.State = series.Withdrawn
	case in.Draft:
		a.State = series.Draft
	}
	return a
}

func TestExportWritesWhatPeopleCanEdit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	files, err := importer.Export(dir, []series.Article{{
		Slug: "tides", State: series.Draft, Text: series.Text{
			Title: "Tides: a “table”", Markdown: "Text.\r\n\r\nMore.\n\n", Date: "2027-03-30", DisclaimerMode: "add",
			Meta: map[string]string{"tags": `["sea","moon"]`, "toc": "true", "odd key": "007"},
		},
	}, {
		Slug: "ropes", State: series.Ready, Text: series.Text{Title: "Ropes", Markdown: "Text.", Disclaimer: "Mind <them>.", DisclaimerMode: "replace"},
	}, {Slug: "mud", State: series.Withdrawn, Text: series.Text{Title: "Mud", Markdown: "Text."}}}, noPictures)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"01-tides.md", "02-ropes.md", "03-mud.md"}, files); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	for i, want := range []string{
		"---\ntitle: \"Tides: a “table”\"\nslug: \"tides\"\ndate: 2027-03-30\nweight: 1\ndraft: true\n" +
			"tags: [\"sea\",\"moon\"]\n\"odd key\": \"007\"\ntoc: true\n---\n\nText.\n\nMore.\n",
		"---\ntitle: \"Ropes\"\nslug: \"ropes\"\nweight: 2\ndisclaimer: {\"text\":\"Mind <them>.\",\"mode\":\"replace\"}\n---\n\nText.\n",
		"---\ntitle: \"Mud\"\nslug: \"mud\"\nweight: 3\nwithdrawn: true\n---\n\nText.\n",
	} {
		b, err := os.ReadFile(filepath.Join(dir, files[i]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", files[i], diff)
		}
	}
}

func TestExportNeverMixesOrOverwrites(t *testing.T) {
	dir := t.TempDir()
	articles := []series.Article{{Slug: "a", State: series.Ready, Text: series.Text{Title: "A", Markdown: "Text."}}}
	write(t, dir, "cover.jpg", "")
	for range 2 { // the second finds its own files
		if _, err := importer.Export(dir, articles, noPictures); err != nil {
			t.Fatal(err)
		}
	}
	articles[0].Markdown = "Another text."
	articles = append(articles, series.Article{Slug: "b", State: series.Ready, Text: series.Text{Title: "B", Markdown: "Text."}})
	if _, err := importer.Export(dir, articles, noPictures); !errors.Is(err, importer.ErrExists) {
		t.Errorf("a changed article: %v; want ErrExists", err)
	}
	other := t.TempDir()
	write(t, other, "notes.txt", "Notes\n\nText.")
	if _, err := importer.Export(other, articles, noPictures); !errors.Is(err, importer.ErrExists) {
		t.Errorf("a folder with another article: %v; want ErrExists", err)
	}
	for _, d := range []string{dir, other} {
		if _, err := os.Stat(filepath.Join(d, "02-b.md")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a refused export left 02-b.md in place (%v)", err)
		}
	}
	if _, err := importer.Export(other, []series.Article{{Slug: "../a"}}, noPictures); !errors.Is(err, series.ErrSlug) {
		t.Errorf("slug ../a: %v; want ErrSlug", err)
	}
}

// What Export writes, Read gives back, and exporting that again writes the same files.
func TestExportThenReadGivesTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var want []series.Incoming
		for i := range rapid.IntRange(1, 4).Draw(rt, "articles") {
			want = append(want, drawArticle(rt, string(rune('a'+i))))
		}
		var stored []series.Article
		for _, in := range want {
			stored = append(stored, article(in))
		}
		dir := t.TempDir()
		files, err := importer.Export(dir, stored, noPictures)
		if err != nil {
			rt.Fatal(err)
		}
		f, err := importer.Read(dir)
		if err != nil {
			rt.Fatal(err, f.Problems)
		}
		for i := range want {
			want[i].Source, want[i].Line = files[i], f.Articles[i].Line
			b, err := os.ReadFile(filepath.Join(dir, files[i]))
			if lines := strings.SplitN(string(b), "\n", want[i].Line); err != nil || !strings.HasPrefix(lines[len(lines)-1], want[i].Markdown) {
				rt.Fatalf("%s: the text begins in line %d, says the import (%v):\n%s", files[i], want[i].Line, err, b)
			}
		}
		if diff := cmp.Diff(want, f.Articles); diff != "" {
			b, _ := os.ReadFile(filepath.Join(dir, files[0]))
			rt.Fatalf("articles (-exported +read), problems %v:\n%s\nfirst file:\n%s", f.Problems, diff, b)
		}
		stored = nil
		for _, in := range f.Articles {
			stored = append(stored, article(in))
		}
		if again, err := importer.Export(dir, stored, noPictures); err != nil || len(again) != len(files) {
			rt.Fatalf("exported again: %v, %v; want the same files", again, err)
		}
	})
}

// drawArticle draws an article in the form in which readers of files leave it.
func drawArticle(t *rapid.T, slug string) series.Incoming {
	line := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(strings.FieldsFunc(clean(rapid.String().Draw(t, "words")), func(r rune) bool { return r == ' ' || r == '\n' }), " ")
	})
	short := rapid.OneOf(rapid.SampledFrom([]string{"", "null", "~", "yes", "- a", "a: b", "# x", "“q” 'r' \"s\"", "2027-03-30", "0x1F", "1e3", "{a", "%", "@", "&a", "*b", "\\n"}), line)
	in := series.Incoming{Slug: slug + rapid.StringMatching(`(-[a-z0-9]{1,8}){0,3}`).Draw(t, "slug")}
	switch rapid.IntRange(0, 3).Draw(t, "state") {
	case 0:
		in.Draft = true
	case 1:
		in.Withdrawn = true
	}
	in.Title = rapid.Custom(func(t *rapid.T) string { return "T" + short.Draw(t, "title") }).Draw(t, "title")
	in.Subject, in.Preheader, in.Description = short.Draw(t, "subject"), short.Draw(t, "preheader"), short.Draw(t, "description")
	in.Date = rapid.SampledFrom([]string{"", "2027-03-30"}).Draw(t, "date")
	in.DisclaimerMode = "add"
	if in.Disclaimer = strings.TrimSpace(clean(rapid.String().Draw(t, "disclaimer"))); in.Disclaimer != "" {
		in.Disclaimer += " So it is." // a word such as "off" is none
		in.DisclaimerMode = rapid.SampledFrom([]string{"add", "replace"}).Draw(t, "mode")
	}
	parts := rapid.SliceOfN(rapid.OneOf(short, rapid.SampledFrom([]string{
		"---", "+++", "\n\n", "\n    code", "# Head", "Next\n\nPlease note: x", "```\n---\n```", "Please note: this",
	})), 0, 6).Draw(t, "markdown")
	in.Markdown = strings.Trim(clean("x"+strings.Join(parts, "\n")), " \n")
	keys := rapid.OneOf(rapid.SampledFrom([]string{"tags", "image", "series", "layout", "odd key", "a:b", "été", "null", "1", "true", "Key"}),
		rapid.StringMatching(`x[a-z]{1,8}_`)) // none that a slip parts from draft, which is a fault
	values := rapid.OneOf(rapid.Just("x"), short.Filter(func(s string) bool { return s != "" }), rapid.Custom(drawJSON))
	if meta := rapid.MapOfN(keys, values, 0, 4).Draw(t, "meta"); len(meta) > 0 {
		in.Meta = meta
	}
	return in
}

// drawJSON draws a list as it is kept in Meta.
func drawJSON(t *rapid.T) string {
	scalar := rapid.OneOf(
		rapid.Map(rapid.Custom(func(t *rapid.T) string { return clean(rapid.String().Draw(t, "text")) }), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(-1000, 1000), func(n int) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64Range(-9, 9), func(f float64) any { return f }),
	)
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(rapid.SliceOfN(scalar, 1, 4).Draw(t, "list")); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// clean takes out what no text file may hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return -1
		}
		return r
	}, s)
}

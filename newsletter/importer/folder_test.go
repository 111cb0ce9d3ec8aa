package importer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadTakesPathsAsTheyAreNamed(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, dir, "a.txt", "A\n\nText."), write(t, dir, "sub/b", "B\n\nText.")
	f, err := importer.Read(a, b, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slugs(f), "a b"; got != want || len(f.Problems) > 0 {
		t.Errorf("Read(file, file without ending, their folder) = %q, %v; want %q and no problems", got, f.Problems, want)
	}
}

// TestTextsAboutAFolder: what lies in a repository beside its articles is no article, unless it is named.
func TestTextsAboutAFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "A\n\nText.")
	named := write(t, dir, "README.md", "# How we write\n\nBriefly.")
	write(t, dir, "docs/License.txt", "All rights\n\nreserved.")
	f, err := importer.Read(dir)
	if err != nil || slugs(f) != "a" || len(f.Problems) != 2 || f.Problems[0].Fatal || !strings.Contains(f.Problems[1].String(), "README.md: files of this name") {
		t.Errorf("a folder with README.md and License.txt: %q, %v, %v; want a, and a note on each", slugs(f), f.Problems, err)
	}
	if f, err := importer.Read(named); err != nil || slugs(f) != "how-we-write" {
		t.Errorf("README.md by itself: %q, %v; want its article", slugs(f), err)
	}
}

func TestLimits(t *testing.T) {
	many := fstest.MapFS{}
	for i := range 10_001 {
		many[fmt.Sprintf("%d.jpg", i)] = &fstest.MapFile{}
	}
	if _, err := importer.ReadFS(many, "."); !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("10,001 files: %v; want ErrFile", err)
	}
	large := fstest.MapFS{}
	data := []byte("# A\n\n" + strings.Repeat(strings.Repeat("x", 1023)+"\n", 254)) // long lines: the time goes into reading, not into lines
	for i := range 420 {
		large[fmt.Sprintf("%d.md", i)] = &fstest.MapFile{Data: data}
	}
	if _, err := importer.ReadFS(large, "."); !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), "more than 100 MB") {
		t.Errorf("420 files of 254 KB: %v; want ErrFile", err)
	}
	deep := folder(map[string]string{"a.txt": "A\n\nText.", strings.Repeat("d/", 11) + "b.txt": "B\n\nText."})
	f, err := importer.ReadFS(deep, ".")
	if err != nil || slugs(f) != "a" || len(f.Problems) != 1 || !strings.Contains(f.Problems[0].What, "deeper than 10") {
		t.Errorf("11 folders deep: %q, %v, %v; want a and a problem", slugs(f), f.Problems, err)
	}
}

func TestCharacterSets(t *testing.T) {
	const doubt = "a.txt:3: it is not UTF-8 and was read as Windows-1252; look at its accents and quotation marks, or save it as UTF-8"
	for _, tt := range []struct {
		name, bytes, title, problem string
	}{
		{"UTF-8", "“Café”\n\nText.", "“Café”", ""},
		{"UTF-8 with a mark", "\xef\xbb\xbf“Café”\n\nText.", "“Café”", ""},
		{"UTF-16 little-endian", "\xff\xfe\x1c\x20C\x00a\x00f\x00\xe9\x00\x1d\x20\n\x00\n\x00T\x00", "“Café”", ""},
		{"UTF-16 big-endian", "\xfe\xff\x20\x1c\x00C\x00a\x00f\x00\xe9\x20\x1d\x00\n\x00\n\x00T", "“Café”", ""},
		{"Windows-1252", "A\n\n\x93Caf\xe9\x94 \x96 it\x92s", "A", doubt},
		{"separators", "A\u2028\u2028Text.\vMore.", "A", ""},
		{"broken UTF-8", "“Café” \xff\n\nText.", "", "FATAL a.txt:1: the byte 0xFF is no UTF-8; save the file as UTF-8"},
		{"neither", "A\n\n\x81\x8d", "", "FATAL a.txt:3: the byte 0x81 is no UTF-8; save the file as UTF-8"},
		{"UTF-16 without a mark", "A\x00\n\x00", "", "FATAL a.txt:1: holds the control character U+0000, so it is no plain text; save it as text in UTF-8"},
		{"escape", "A\n\n\x1b[2J", "", "FATAL a.txt:3: holds the control character U+001B, so it is no plain text; save it as text in UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(map[string]string{"a.txt": tt.bytes}), ".")
			title := ""
			if err == nil {
				title = f.Articles[0].Title
			}
			if got := strings.Join(lines(f.Problems), "\n"); title != tt.title || !strings.HasSuffix(got, tt.problem) || (got == "") != (tt.problem == "") {
				t.Errorf("title %q, problems %q; want %q, %q", title, got, tt.title, tt.problem)
			}
		})
	}
	f := readOne(t, "a.txt", "A\n\n\x93Caf\xe9\x94 \x96 it\x92s")
	if got, want := f.Articles[0].Markdown, "“Café” – it’s"; got != want {
		t.Errorf("Windows-1252 = %q, want %q", got, want)
	}
}

func TestSlugs(t *testing.T) {
	for _, tt := range []struct{ file, title, want string }{
		{"x.txt", "Crème brûlée, “Ærø” & Łódź", "creme-brulee-aero-lodz"},
		{"x.txt", "Don’t panic: it's 5 o'clock!", "dont-panic-its-5-oclock"},
		{"x.txt", "Straße İstanbul ﬁne", "strasse-istanbul-fine"},
		{"x.txt", "A  --  B", "a-b"},
		{"x.txt", strings.Repeat("word ", 30), strings.TrimSuffix(strings.Repeat("word-", 16), "-")},
		{"x.txt", strings.Repeat("x", 100), strings.Repeat("x", 80)},
		{"03-skin.txt", "皮肤与肠道", "03-skin"},
		{"皮肤.txt", "5 个建议关于皮肤", "article-57b586b1"},
		{"x.txt", "…", "x"},
	} {
		f := readOne(t, tt.file, tt.title+"\n\nText.")
		if got := f.Articles[0].Slug; got != tt.want {
			t.Errorf("slug of %q in %s = %s, want %s", tt.title, tt.file, got, tt.want)
		}
	}
	f := readOne(t, "a.md", "---\ntitle: A\nslug: /2027/My Post/\n---\nText.")
	if got, want := f.Articles[0].Slug, "2027-my-post"; got != want {
		t.Errorf("slug from front matter = %s, want %s", got, want)
	}
	if got, want := strings.Join(lines(f.Problems), "\n"),
		"a.md:3:7: the slug “/2027/My Post/” becomes 2027-my-post; write it with a-z, 0-9 and single - only, at most 80"; got != want {
		t.Errorf("problems = %s, want %s", got, want)
	}
}

func TestSecondArticleOfASlugIsLeftOut(t *testing.T) {
	f, err := importer.ReadFS(folder(map[string]string{"a.txt": "Skin\n\nOne.", "b.txt": "Skin!\n\nTwo."}), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Articles) != 1 || f.Articles[0].Markdown != "One." {
		t.Errorf("articles = %+v, want the first alone", f.Articles)
	}
	want := []string{"FATAL b.txt: has the same slug as a.txt, skin; give one of them another title, or its own slug: … in front matter"}
	if diff := cmp.Diff(want, lines(f.Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestWebPage(t *testing.T) {
	f := readOne(t, "page.html", `<!doctype html><html><head><title>Site – The quiet hour</title>
<meta name="description" content="Short."><meta property="article:published_time" content="2027-03-30T09:00:00Z">
<script>alert(1)</script></head><body><nav><a href="/">Home</a></nav><main>
<h1>The <em>quiet</em> hour</h1><!-- note --><p>Text &amp; <b>more</b> *literal* 1 &lt; 2.</p>
<ol><li><strong>Sit:</strong> down</li><li>Look</li></ol>
<table><tr><th colspan="900000000">a</th></tr><tr><td>b</td></tr></table><iframe width=9 src="https://video.example/1?a=1&b=2">Old</iframe>
<iframe src="https://count.example/1" height="1" width="1"></iframe><iframe src="https://count.example/2" style="border:0;display: none"></iframe>
<iframe hidden src="https://count.example/3"></iframe><iframe src="about:blank"></iframe><iframe srcdoc="&lt;p&gt;x"></iframe>
<p><em>Please note: not for sailors.</em></p>
<p><a rel="prev" href="a">← Previous: Anchors away</a> <a rel="nofollow next" href="b">Next The long watch</a></p></main>
<footer>Imprint</footer></body></html>`)
	a := f.Articles[0]
	want := "Text & **more** \\*literal* 1 &lt; 2.\n\n1. **Sit:** down\n2. Look\n\n| a |\n|---|\n| b |\n\n<iframe src=\"https://video.example/1?a=1&amp;b=2\"></iframe>"
	if a.Markdown != want {
		t.Errorf("Markdown = %q\nwant       %q", a.Markdown, want)
	}
	said := lines(f.Problems)
	if len(said) != 1 || !strings.Contains(said[0], "no letter can show <iframe>") || !strings.Contains(said[0], "to https://video.example/1?a=1&b=2") {
		t.Errorf("problems = %q, want the one frame that shows something, by its address", said)
	}
	if got, want := fmt.Sprint(a.Title, "|", a.Date, "|", a.Description, "|", f.Disclaimer), "The quiet hour|2027-03-30|Short.|Please note: not for sailors."; got != want {
		t.Errorf("title|date|description|disclaimer = %s, want %s", got, want)
	}
	link := func(title, rel, to string) string {
		return "<h1>" + title + "</h1><p>Text.</p><a rel=" + rel + " href=x>" + to + "</a>"
	}
	chain, err := importer.ReadFS(folder(map[string]string{"a.html": link("Two", "prev", "« One"), "b.htm": link("One", "next", "Next: two")}), ".")
	if err != nil || slugs(chain) != "one two" || chain.OrderedBy != "chain" {
		t.Errorf("order = %s by %s, %v; want one two by chain", slugs(chain), chain.OrderedBy, err)
	}
}

package importer_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// The samples are written for these tests, in the shapes that these describe: the header of WordPress's own export and its importer
// (wordpress.org/plugins/wordpress-importer), docs.ghost.org/migration/custom, the RSS 2.0 specification with its content module, RFC 4287,
// and what TryGhost/migrate reads of Substack (packages/mg-substack) and Buttondown (packages/mg-buttondown).
const elsewhere = "testdata/elsewhere"

var update = flag.Bool("update", false, "write the golden files anew")

// told is all that an import tells and takes, as text.
func told(f importer.Found, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	for _, s := range f.Sources {
		fmt.Fprintf(&b, "%s\n", s)
	}
	fmt.Fprintf(&b, "ordered by %s\n", f.OrderedBy)
	for _, line := range lines(f.Problems) {
		fmt.Fprintf(&b, "! %s\n", line)
	}
	for _, a := range f.Articles {
		fmt.Fprintf(&b, "\n=== %s (%s)\ntitle: %s\n", a.Slug, a.Source, a.Title)
		for _, l := range []struct{ key, value string }{{"date", a.Date}, {"preheader", a.Preheader}, {"guid", a.Meta["guid"]}, {"tags", a.Meta["tags"]}, {"image", a.Meta["image"]}} {
			if l.value != "" {
				fmt.Fprintf(&b, "%s: %s\n", l.key, l.value)
			}
		}
		if a.Draft {
			b.WriteString("draft\n")
		}
		for _, p := range a.Pictures {
			fmt.Fprintf(&b, "picture: %s\n", p.Path)
		}
		fmt.Fprintf(&b, "\n%s\n", a.Markdown)
	}
	return b.String()
}

// Each sample holds what its format is known for: drafts, pages, entities, shortcodes, addresses of its site, fields of its own. The golden
// file is all that is told and taken.
func TestArticlesFromElsewhere(t *testing.T) {
	for _, name := range []string{"wordpress.xml", "squarespace.xml", "ghost.json", "rss.xml", "atom.xml", "substack", "buttondown"} {
		t.Run(name, func(t *testing.T) {
			got := told(importer.Read(filepath.Join(elsewhere, name)))
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

// sampleOf is a sample as a string.
func sampleOf(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elsewhere, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exportZip packs a folder of samples as its service does.
func exportZip(t testing.TB, dir string) string {
	t.Helper()
	var entries []entry
	err := fs.WalkDir(os.DirFS(elsewhere), dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			entries = append(entries, entry{name: strings.TrimPrefix(name, dir+"/"), content: sampleOf(t, name)})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packed(t, entries...)
}

// What a file is, its content says: neither another name nor a zip around it changes what is read.
func TestContentTellsTheFormat(t *testing.T) {
	for _, tt := range []struct{ name, content string }{
		{"wordpress.xml", sampleOf(t, "wordpress.xml")},
		{"squarespace.xml", sampleOf(t, "squarespace.xml")},
		{"ghost.json", sampleOf(t, "ghost.json")},
		{"rss.xml", sampleOf(t, "rss.xml")},
		{"atom.xml", sampleOf(t, "atom.xml")},
		{"substack", exportZip(t, "substack")},
		{"buttondown", exportZip(t, "buttondown")},
	} {
		want, err := importer.Read(filepath.Join(elsewhere, tt.name))
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"other": tt.content, "other.dat": tt.content, "zipped.zip": packed(t, entry{name: "x/in.xml", content: tt.content})}
		if strings.HasSuffix(tt.name, ".json") {
			files["zipped.zip"] = packed(t, entry{name: "x/in.json", content: tt.content})
		}
		if strings.HasPrefix(tt.content, "PK") {
			delete(files, "zipped.zip")
		} else if strings.HasPrefix(tt.content, "<") {
			files["a.html"], files["a.txt"] = tt.content, "\ufeff"+tt.content
		}
		for name, content := range files {
			f, err := importer.Read(write(t, t.TempDir(), name, content))
			if err != nil || slugs(f) != slugs(want) || f.OrderedBy != "date" {
				t.Errorf("%s as %s: %q, ordered by %s, %v, %v; want %q by date", tt.name, name, slugs(f), f.OrderedBy, err, f.Problems, slugs(want))
			}
		}
	}
}

// A second import knows a post by its guid, whatever became of its title and its address, and gives no other post its slug.
func TestPostsAreKnownAgain(t *testing.T) {
	item := func(guid, link, title, text string) string {
		return "<item><guid>" + guid + "</guid><link>https://harbour.example/" + link + "</link><title>" + title + "</title><pubDate>Mon, 04 Dec 2023 09:00:00 GMT</pubDate><description>" + text + "</description></item>"
	}
	feed := func(items ...string) string {
		return `<rss version="2.0"><channel>` + strings.Join(items, "") + "</channel></rss>"
	}
	read := func(known []series.Article, content string) importer.Found {
		t.Helper()
		f, err := importer.ReadBeside(known, write(t, t.TempDir(), "feed.xml", content))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := read(nil, feed(item("2", "weekly/", "Weekly", "Two."), item("1", "weekly/", "Weekly", "One.")))
	if got, want := slugs(first), "weekly weekly-2"; got != want {
		t.Fatalf("two posts of one name: %q, want %q", got, want)
	}
	var known []series.Article
	for _, a := range first.Articles {
		known = append(known, series.Article{Slug: a.Slug, Text: a.Text})
	}
	again := read(known, feed(item("3", "weekly/", "Weekly", "Three."), item("2", "renamed/", "Renamed", "Two."), item("1", "weekly/", "Weekly", "One.")))
	got := map[string]string{}
	for _, a := range again.Articles {
		got[a.Slug] = a.Markdown
	}
	if diff := cmp.Diff(map[string]string{"weekly": "One.", "weekly-2": "Two.", "weekly-3": "Three."}, got); diff != "" {
		t.Errorf("texts by slug of the second import (-want +got):\n%s", diff)
	}
	twice := read(nil, feed(item("1", "a/", "A", "New."), item("1", "a/", "A", "Old.")))
	if len(twice.Articles) != 1 || twice.Articles[0].Markdown != "New." || !strings.HasSuffix(twice.Sources[0], "RSS feed: 1 post; left out: 1 older copy of a post") {
		t.Errorf("a post that comes twice: %v, %q; want the newer one and a word", twice.Articles, twice.Sources)
	}
	one := write(t, t.TempDir(), "one.xml", feed(item("1", "a/", "A", "Old.")))
	both, err := importer.Read(one, write(t, t.TempDir(), "two.xml", feed(item("1", "b/", "B", "New."))))
	if got := lines(both.Problems); err != nil || slugs(both) != "a" || !strings.Contains(got[len(got)-1], "is the same post as "+one+"#a, which is taken") {
		t.Errorf("a post in two files: %q, problems %q, %v; want one article and a word", slugs(both), got, err)
	}
}

// What tells posts apart on one site alone is known with that site; what no other site has is known wherever it stands.
func TestWhatPostsAreKnownBy(t *testing.T) {
	feed := func(site, item string) string {
		return `<rss version="2.0"><channel><title>T</title><link>` + site + `</link><item><title>A</title>` + item + `<description>x</description></item></channel></rss>`
	}
	ghost := func(post string) string {
		return `{"data":{"posts":[{"title":"A","slug":"a","html":"<p>x</p>","status":"published",` + post + `}]}}`
	}
	for _, tt := range []struct {
		name, file, content string
		want                string
	}{
		{"a number", "a.xml", feed("https://www.Harbour.example/blog/", "<guid>1</guid>"), "harbour.example/blog 1"},
		{"the same by http", "a.xml", feed("http://harbour.example/blog", "<guid>1</guid>"), "harbour.example/blog 1"},
		{"a number and no site", "a.xml", feed("", "<guid>1</guid><link>https://harbour.example/a</link>"), "harbour.example 1"},
		{"an address", "a.xml", feed("https://harbour.example/", "<guid>https://old.example/?p=1</guid>"), "https://old.example/?p=1"},
		{"where many blogs began", "a.xml", feed("https://harbour.example/", "<guid>http://localhost/?p=1</guid>"), "harbour.example http://localhost/?p=1"},
		{"a local number of an address", "a.xml", feed("https://harbour.example/", "<guid>http://127.0.0.1/?p=1</guid>"), "harbour.example http://127.0.0.1/?p=1"},
		{"a tag", "a.xml", feed("https://harbour.example/", "<guid>tag:harbour.example,2024:1</guid>"), "tag:harbour.example,2024:1"},
		{"Ghost's in its feed", "a.xml", feed("https://harbour.example/", "<guid>64f0c0ffee00000000000002</guid>"), "64f0c0ffee00000000000002"},
		{"nothing but a date", "a.xml", feed("https://harbour.example/", "<pubDate>Mon, 04 Dec 2023 09:00:00 GMT</pubDate>"), "harbour.example 2023-12-04T09:00:00.000 A"},
		{"Ghost", "a.json", ghost(`"id":"64f0c0ffee00000000000002","uuid":"0b8b6f0e-5a7e-4d66-9f6c-7b1d2f3a4c5d"`), "64f0c0ffee00000000000002"},
		{"old Ghost", "a.json", ghost(`"id":5,"uuid":"0b8b6f0e-5a7e-4d66-9f6c-7b1d2f3a4c5d"`), "ghost:0b8b6f0e-5a7e-4d66-9f6c-7b1d2f3a4c5d"},
		{"Ghost by another's hand", "a.json", ghost(`"id":5,"created_at":1388318401000`), "ghost:5 2013-12-29T12:00:01.000"},
		{"Ghost by another's hand, undated", "a.json", ghost(`"id":5`), "ghost:5 a"},
	} {
		f, err := importer.Read(write(t, t.TempDir(), tt.file, tt.content))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := f.Articles[0].Meta["guid"]; got != tt.want {
			t.Errorf("%s is known as %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Posts that a feed tells apart by nothing but their dates are two, and the same two when they come again.
func TestPostsWithoutGUID(t *testing.T) {
	feed := func(items string) string {
		return `<rss version="2.0"><channel><title>T</title><link>https://harbour.example/</link>` + items + `</channel></rss>`
	}
	one := "<item><title>Weekly</title><pubDate>Mon, 04 Dec 2023 09:00:00 GMT</pubDate><description>One.</description></item>"
	two := strings.NewReplacer("04", "11", "One", "Two").Replace(one)
	first, err := importer.Read(write(t, t.TempDir(), "feed.xml", feed(two+one)))
	if err != nil || slugs(first) != "weekly weekly-2" {
		t.Fatalf("got %q, %v", slugs(first), err)
	}
	var known []series.Article
	for _, a := range first.Articles {
		known = append(known, series.Article{Slug: a.Slug, Text: a.Text})
	}
	again, err := importer.ReadBeside(known, write(t, t.TempDir(), "feed.xml", feed(strings.NewReplacer("04", "18", "One", "Three").Replace(one)+two)))
	if err != nil || slugs(again) != "weekly-2 weekly-3" {
		t.Errorf("the next time got %q, %v", slugs(again), err)
	}
}

// An export of Blogger is an Atom feed with comments, pages and settings in it (developers.google.com/blogger, and its newer takeout).
func TestBloggerExport(t *testing.T) {
	entry := func(id, title, more string) string {
		return "<entry><id>" + id + "</id><title>" + title + "</title><published>2024-01-0" + id + "T09:00:00Z</published>" + more + `<content type="html">&lt;p&gt;Text.&lt;/p&gt;</content></entry>`
	}
	kind := func(k string) string {
		return `<category scheme="http://schemas.google.com/g/2005#kind" term="http://schemas.google.com/blogger/2008/kind#` + k + `"/>`
	}
	f, err := importer.Read(write(t, t.TempDir(), "blog.xml", `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:app="http://purl.org/atom/app#" xmlns:blogger="http://schemas.google.com/blogger/2018">`+
		entry("1", "A", kind("post")+`<category term="boats"/>`)+entry("2", "Nice!", kind("comment"))+entry("3", "Template", kind("template"))+
		entry("4", "B", kind("post")+"<app:control><app:draft>yes</app:draft></app:control>")+
		entry("5", "C", "<blogger:type>POST</blogger:type><blogger:status>LIVE</blogger:status>")+entry("6", "D", "<blogger:type>COMMENT</blogger:type>")+
		entry("7", "E", "<blogger:type>POST</blogger:type><blogger:status>DRAFT</blogger:status>")+"</feed>"))
	if err != nil || slugs(f) != "a b c e" || !strings.HasSuffix(f.Sources[0], "Atom feed: 4 posts, 2 of them drafts; left out: 3 items of other kinds") {
		t.Fatalf("%q, %q, %v; want the posts alone", slugs(f), f.Sources, err)
	}
	if a := f.Articles; a[0].Draft || a[0].Meta["tags"] != `["boats"]` || !a[1].Draft || a[2].Draft || !a[3].Draft {
		t.Errorf("%+v; want b and e as drafts and the tag of a", a)
	}
}

// Pictures that an export brings along, where Ghost has them, are the article's.
func TestGhostPictures(t *testing.T) {
	f, err := importer.ReadFS(folder(map[string]string{
		"export/site.json": sampleOf(t, "ghost.json"), "content/images/2024/yard.png": string(asPNG(t, drawing(8, 8))),
	}), ".")
	if err != nil {
		t.Fatal(err)
	}
	a := f.Articles[1]
	if len(a.Pictures) != 1 || a.Pictures[0].Path != "/content/images/2024/yard.png" || a.Meta["image"] != a.Pictures[0].Path {
		t.Errorf("%s has %d pictures, image %q; want the one of content/images in its text and as its key picture", a.Slug, len(a.Pictures), a.Meta["image"])
	}
}

func TestFilesFromElsewhereThatAreRefused(t *testing.T) {
	item := `<item><title>A</title><guid>1</guid><description>Text &x; end</description></item>`
	deep := strings.Repeat("<a>", 201) + strings.Repeat("</a>", 201)
	rss := func(inside string) string { return `<rss version="2.0"><channel>` + inside + `</channel></rss>` }
	wxr := func(inside string) string {
		return `<rss version="2.0" xmlns:wp="http://wordpress.org/export/1.2/"><channel>` + inside + `</channel></rss>`
	}
	billion := `<!DOCTYPE rss [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>`
	for _, tt := range []struct{ name, content, want string }{
		{"entities in a feed", `<?xml version="1.0"?>` + billion + rss(item), "it has a DOCTYPE"},
		{"entities in an export", `<?xml version="1.0"?>` + billion + wxr(item), "it has a DOCTYPE"},
		{"an external entity", `<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + rss(item), "it has a DOCTYPE"},
		{"an entity that nobody declared", rss(item), "invalid character entity &x;"},
		{"an entity in an export", wxr("\n" + item), ":2: its XML is broken: invalid character entity &x;"},
		{"deep", rss(deep), "nested deeper than 200"},
		{"deep in an item", wxr("<item>" + deep + "</item>"), "nested deeper than 200"},
		{"cut short", rss("")[:30], "its XML is broken: unexpected EOF"},
		{"an export cut short", sampleOf(t, "wordpress.xml")[:3000], "its XML is broken: unexpected EOF"},
		{"a strange character set", `<?xml version="1.0" encoding="utf-7"?>` + rss(item), "utf-7, is not read"},
		{"no UTF-8", rss("<item><title>\xff</title></item>"), "invalid UTF-8"},
		{"countless elements", rss(strings.Repeat("<item/>", 200_001)), "more than 200000 elements"},
		{"more posts than an import may have", rss(strings.Repeat("<item><title>A</title><description>x</description></item>", 10_001)), "more than 10000 posts"},
		{"no item", rss(""), "RSS feed: 0 posts: there is no article in it"},
		{"pages alone", wxr("<item><post_type>page</post_type></item>"), "WordPress export: 0 posts; left out: 1 page: there is no article in it"},
		{"other XML", `<?xml version="1.0"?><opml version="2.0"><body/></opml>`, "it is no feed and no export that is known here"},
		{"other JSON", `{"articles": []}`, "no export of Ghost"},
		{"deep JSON", `{"x": ` + strings.Repeat("[", 300), "nested deeper than 200"},
		{"JSON cut short", sampleOf(t, "ghost.json")[:500], "its JSON is broken or cut off"},
		{"a table of another kind", `{"data": {"posts": {"a": 1}}}`, "no export of Ghost"},
		{"an empty Ghost", `{"db": [{"data": {"posts": []}}]}`, "Ghost export: 0 posts: there is no article in it"},
		{"endless rows", `{"data": {"posts": [], "tags": [` + strings.Repeat("{},", 100_001) + `{}]}}`, "more than 100000 rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ext := ".xml"
			if tt.content[0] == '{' {
				ext = ".json"
			}
			f, err := importer.Read(write(t, t.TempDir(), "a"+ext, tt.content))
			if !errors.Is(err, importer.ErrFile) || len(f.Articles) > 0 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d articles, error %v; want ErrFile that says %q", len(f.Articles), err, tt.want)
			}
		})
	}
}

// A post that no letter could carry is left out with a word, and the others come in.
func TestOnePostOfManyIsBad(t *testing.T) {
	f, err := importer.Read(write(t, t.TempDir(), "feed.xml", `<rss version="2.0"><channel>
<item><title>Large</title><guid>1</guid><description>&lt;p&gt;`+strings.Repeat("word ", 60<<10)+`</description></item>
<item><title>Brackets</title><guid>2</guid><description>&lt;p&gt;`+strings.Repeat("[", 3000)+`</description></item>
<item><title>Empty</title><guid>3</guid></item>
<item><guid>4</guid><description>&lt;p&gt;First words make its title.&lt;/p&gt;</description></item>
<item><title>`+strings.Repeat("Long ", 100)+`{{name}}</title><guid>5</guid><description>A&#x9;tab &amp;#27;[2J &amp;#8232;.</description></item>
</channel></rss>`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(f.Articles), 2; got != want {
		t.Fatalf("%d articles, want %d: %v", got, want, f.Problems)
	}
	for _, p := range f.Problems {
		if p.Fatal {
			t.Errorf("%s is fatal; want a word about it alone", p)
		}
	}
	for _, a := range f.Articles {
		if len([]rune(a.Title)) > 250 || strings.ContainsAny(a.Title+a.Markdown, "\x1b\u2028") || strings.Contains(a.Title, "{{") {
			t.Errorf("title %q, text %q; want them clean and short", a.Title, a.Markdown)
		}
	}
}

func TestCharacterSetsOfFeeds(t *testing.T) {
	for _, tt := range []struct{ name, feed string }{
		{"UTF-8", `<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><item><title>Café</title><description>x</description></item></channel></rss>`},
		{"Latin 1", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><rss version=\"2.0\"><channel><item><title>Caf\xe9</title><description>x</description></item></channel></rss>"},
		{"UTF-16", utf16("<?xml version=\"1.0\" encoding=\"utf-16\"?><rss version=\"2.0\"><channel><item><title>Café</title><description>x</description></item></channel></rss>")},
		{"an export in Latin 1", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><rss xmlns:wp=\"http://wordpress.org/export/1.0/\"><channel><item><title>Caf\xe9</title><encoded>x</encoded><wp:post_type>post</wp:post_type><wp:status>publish</wp:status></item></channel></rss>"},
	} {
		f, err := importer.Read(write(t, t.TempDir(), "feed.xml", tt.feed))
		if err != nil || len(f.Articles) != 1 || f.Articles[0].Title != "Café" {
			t.Errorf("%s: %v, %v; want the title Café", tt.name, f.Articles, err)
		}
	}
}

// utf16 is a text in UTF-16, little-endian with its mark; only for characters of two bytes.
func utf16(s string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// Buttondown's own command line writes Markdown with front matter of its own (its documentation, "Email format").
func TestButtondownFrontMatter(t *testing.T) {
	f := readOne(t, "a.md", "---\nid: abc\nsubject: Anchors away\nstatus: draft\nslug: anchors\npublish_date: 2024-01-15T10:00:00Z\n---\nUp it comes.")
	if a := f.Articles[0]; a.Title != "Anchors away" || !a.Draft || a.Slug != "anchors" || a.Date != "2024-01-15" {
		t.Errorf("%q, draft %t, slug %s, date %s; want what the front matter says", a.Title, a.Draft, a.Slug, a.Date)
	}
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte(sampleOf(f, "rss.xml")))
	f.Add([]byte(sampleOf(f, "atom.xml")))
	f.Fuzz(func(t *testing.T, content []byte) { checkMany(t, "a.xml", content) })
}

func FuzzWordPress(f *testing.F) {
	f.Add([]byte(sampleOf(f, "wordpress.xml")))
	f.Add([]byte(sampleOf(f, "squarespace.xml")))
	f.Fuzz(func(t *testing.T, content []byte) { checkMany(t, "a.xml", content) })
}

// FuzzPost fuzzes what is inside a post: its HTML, its shortcodes and lines, its names.
func FuzzPost(f *testing.F) {
	f.Add("a\n\nb\n<b>c</b>\nd", "A {{b}}", "a-b")
	f.Add("[caption]<img src=x>y[/caption][[a]][b c=\"d\"]<pre>[b]</pre>", "<b>A", "x/y")
	f.Add("{{{a}}}<a href='{{b}}'>c</a><img alt='{{d}}' src='//e.example/'>", "", "")
	f.Fuzz(func(t *testing.T, html, title, name string) {
		text := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace
		checkMany(t, "a.xml", []byte(`<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><title>`+text(title)+`</title><encoded>`+text(html)+
			`</encoded><wp:post_name>`+text(name)+`</wp:post_name><wp:post_type>post</wp:post_type><wp:status>publish</wp:status></item></channel></rss>`))
	})
}

func FuzzGhost(f *testing.F) {
	f.Add([]byte(sampleOf(f, "ghost.json")))
	f.Add([]byte(`{"data":{"posts":[{"id":1,"page":1,"published_at":1388805572000,"status":"published","html":"x"}]}}`))
	f.Fuzz(func(t *testing.T, content []byte) { checkMany(t, "a.json", content) })
}

func FuzzExportFolders(f *testing.F) {
	f.Add(sampleOf(f, "substack/posts.csv"), "<p>x", false)
	f.Add(sampleOf(f, "buttondown/emails.csv"), "x {{y}}", true)
	f.Fuzz(func(t *testing.T, table, text string, mails bool) {
		files := map[string]string{"posts.csv": table, "posts/141001.a-buoy.html": text}
		if mails {
			files = map[string]string{"emails.csv": table, "emails/a-buoy.md": text}
		}
		if found, err := importer.ReadFS(folder(files), "."); err != nil && len(found.Articles) > 0 {
			t.Fatalf("error %v with %d articles", err, len(found.Articles))
		}
	})
}

// endless is a folder of one file that goes on for ever, and counts what is read of it.
type endless struct {
	name, head, more string
	read             int
}

// Open implements fs.FS.
func (e *endless) Open(name string) (fs.File, error) {
	switch name {
	case ".":
		return fstest.MapFS{e.name: &fstest.MapFile{}}.Open(".")
	case e.name:
		return &endlessFile{e, strings.NewReader(e.head)}, nil
	}
	return nil, fs.ErrNotExist
}

// endlessFile implements fs.File.
type endlessFile struct {
	*endless
	now *strings.Reader
}

// Stat implements fs.File.
func (f *endlessFile) Stat() (fs.FileInfo, error) {
	return fs.Stat(fstest.MapFS{"a": {Mode: 0o444}}, "a")
}

// Close implements fs.File.
func (*endlessFile) Close() error { return nil }

// Read implements fs.File.
func (f *endlessFile) Read(p []byte) (int, error) {
	if f.now.Len() == 0 {
		f.now = strings.NewReader(f.more)
	}
	n, err := f.now.Read(p)
	f.read += n
	return n, err
}

// A file with one thing that is far too large is refused as soon as that is known, and so are posts that would fill the memory.
func TestLimitsOfExports(t *testing.T) {
	const rss = `<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>`
	fill := strings.Repeat("x", 64<<10)
	item := "<item><wp:status>publish</wp:status><wp:post_type>post</wp:post_type><content:encoded>" + strings.Repeat("x", 200<<10) + "</content:encoded></item>"
	ghost := `{"title":"A","status":"published","html":"` + strings.Repeat("x", 200<<10) + `"}`
	for _, tt := range []struct {
		name, file, head, more string
		want                   string
		most                   int // MB
	}{
		{"an endless text", "a.xml", rss + "<item><content:encoded><![CDATA[", fill, "one thing in it has more than 4 MB", 5},
		{"an endless attribute", "a.xml", rss + "<item><category domain='", fill, "one thing in it has more than 4 MB", 5},
		{"endless texts of an item", "a.xml", rss + "<item>", "<content:encoded>" + fill + "</content:encoded>", "one thing in it has more than 4 MB", 5},
		{"endless elements of an item", "a.xml", rss + "<item>", "<category/>", "one thing in it has more than 4 MB", 5},
		{"an endless comment", "a.xml", rss + "<item><wp:comment><wp:comment_content>", fill, "one thing in it has more than 4 MB", 5},
		{"endless posts", "a.xml", rss, item, "its posts have more than 20 MB of text", 25},
		{"an endless text of Ghost", "a.json", `{"data":{"posts":[{"html":"`, fill, "one thing in it has more than 4 MB", 5},
		{"an endless text that is not read", "a.json", `{"meta":"`, fill, "one thing in it has more than 4 MB", 5},
		{"endless posts of Ghost", "a.json", `{"data":{"posts":[` + ghost, "," + ghost, "its posts have more than 20 MB of text", 25},
	} {
		files := &endless{name: tt.file, head: tt.head, more: tt.more}
		_, err := importer.ReadFS(files, ".")
		if !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if files.read > tt.most<<20 {
			t.Errorf("%s: it read %d KB before it gave up", tt.name, files.read>>10)
		}
	}
}

// A post that thousands wrote comments to comes in: nobody wants to be mailed those. One with too much text is left out with a word.
func TestManyCommentsAreNoText(t *testing.T) {
	comment := "<wp:comment><wp:comment_content>" + strings.Repeat("x", 1<<10) + "</wp:comment_content></wp:comment>"
	item := func(guid, text string) string {
		return "<item><title>A</title><guid>https://harbour.example/" + guid + "</guid><wp:post_name>" + guid + "</wp:post_name><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>" +
			"<content:encoded>" + text + "</content:encoded>" + strings.Repeat(comment, 6_000) + "</item>"
	}
	f, err := importer.Read(write(t, t.TempDir(), "a.xml", `<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>`+
		item("a", "Text.")+item("b", strings.Repeat("x", 300<<10))+"</channel></rss>"))
	if err != nil || slugs(f) != "a" || !strings.Contains(strings.Join(lines(f.Problems), "\n"), "#b: it is left out: it has more than 256 KB") {
		t.Errorf("got %q, %q, %v", slugs(f), lines(f.Problems), err)
	}
}

package public_test

import (
	"encoding/xml"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

// feedRead is a feed as a reader of feeds has it.
type feedRead struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		ID        string `xml:"id"`
		Title     string `xml:"title"`
		Updated   string `xml:"updated"`
		Published string `xml:"published"`
		Link      struct {
			Href string `xml:"href,attr"`
		} `xml:"link"`
		Content struct {
			Type string `xml:"type,attr"`
			HTML string `xml:",chardata"`
		} `xml:"content"`
	} `xml:"entry"`
}

func readFeed(t *testing.T, a webtest.Answer) (f feedRead) {
	t.Helper()
	if err := xml.Unmarshal([]byte(a.Body), &f); err != nil || a.Status != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/atom+xml") {
		t.Fatalf("got %d %s, %v:\n%s", a.Status, a.Header.Get("Content-Type"), err, a.Body)
	}
	return f
}

// A feed has what RFC 4287 wants of it (section 4.1), whole texts with their disclaimers, and ids that nothing changes.
func TestFeed(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water & <wine>", "Sleep")
	empty := readFeed(t, get(t, h, "/s/skin/feed.xml"))
	if len(empty.Entries) != 0 || empty.Title != "The skin letters" || empty.Author != "Mara Quay" {
		t.Errorf("nothing sent: got %+v", empty)
	}
	s.Send(t, skin)
	s.Pass(7 * 24 * time.Hour)
	s.Send(t, skin)
	if a := get(t, h, "/s/skin/feed.xml"); a.Header.Get("Last-Modified") != "" {
		t.Errorf("a change of this very second is dated %s: what follows in it would not be asked for", a.Header.Get("Last-Modified"))
	}
	s.Pass(time.Second)
	a := get(t, h, "/s/skin/feed.xml")
	f := readFeed(t, a)
	if len(f.Entries) != 2 || f.Entries[0].Title != "Sleep" || f.Entries[1].Title != "Water & <wine>" {
		t.Fatalf("got %+v, want two articles, the newest first", f.Entries)
	}
	urn, seen := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`), map[string]bool{f.ID: true}
	for _, e := range f.Entries {
		for _, at := range []string{e.Updated, e.Published} {
			if _, err := time.Parse(time.RFC3339, at); err != nil {
				t.Errorf("%s: %v", e.Title, err)
			}
		}
		if !urn.MatchString(e.ID) || seen[e.ID] {
			t.Errorf("%s: id %s is no UUID of its own", e.Title, e.ID)
		}
		seen[e.ID] = true
		if e.Content.Type != "html" || !strings.Contains(e.Content.HTML, webtest.Disclaimer) || !strings.Contains(e.Content.HTML, "<em>") {
			t.Errorf("%s: not whole, or without its disclaimer: %s", e.Title, e.Content.HTML)
		}
		if regexp.MustCompile(`(href|src)="/`).MatchString(e.Content.HTML) || !strings.HasPrefix(e.Link.Href, "http://127.0.0.1:8080/s/skin/") {
			t.Errorf("%s: a link that is not absolute", e.Title)
		}
	}
	if f.Updated != f.Entries[0].Updated || f.Links[0].Rel != "self" || f.Links[0].Href != "http://127.0.0.1:8080/s/skin/feed.xml" {
		t.Errorf("updated %s, links %v", f.Updated, f.Links)
	}
	for name, value := range map[string]string{"If-None-Match": a.Header.Get("ETag"), "If-Modified-Since": a.Header.Get("Last-Modified")} {
		again := webtest.Do(t, h, webtest.Request{Method: "GET", Path: "/s/skin/feed.xml", Header: map[string]string{name: value}})
		if value == "" || again.Status != http.StatusNotModified || again.Body != "" {
			t.Errorf("%s %q: got %d, want 304", name, value, again.Status)
		}
	}
	s.Set(t, skin, series.Change{Title: new("Other letters"), Sensitive: new(true)})
	moved := readFeed(t, get(t, h, get(t, h, "/s/skin/feed.xml").Header.Get("Location")))
	if moved.ID != f.ID || moved.Entries[0].ID != f.Entries[0].ID || moved.Title != "Other letters" {
		t.Errorf("under another name: ids %s, %s, want %s, %s", moved.ID, moved.Entries[0].ID, f.ID, f.Entries[0].ID)
	}
}

// In drip an article goes out again and again: for feeds it is as new as its text.
func TestFeedOfADripSeries(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.Set(t, s.AddSeries(t, "skin", "Water", "Sleep"), series.Change{Mode: new(series.Drip)})
	s.AddReader(t, skin, "ada@example.org")
	s.Send(t, skin)
	before := get(t, h, "/s/skin/feed.xml").Body
	s.Pass(7 * 24 * time.Hour)
	s.AddReader(t, skin, "bob@example.org")
	s.Send(t, skin) // Sleep to Ada, Water to Bob
	f := readFeed(t, get(t, h, "/s/skin/feed.xml"))
	for _, e := range f.Entries {
		if e.Title == "Water" && !strings.Contains(before, "<updated>"+e.Updated+"</updated>") {
			t.Errorf("Water is new again: %s", e.Updated)
		}
	}
}

func TestSitemapAndRobots(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, inner := s.AddSeries(t, "skin", "Water", "Sleep"), s.AddSeries(t, "inner", "Us")
	s.Set(t, inner, series.Change{Private: new(true)})
	s.Send(t, skin)
	s.Send(t, inner)
	var m struct {
		XMLName xml.Name `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
		Pages   []struct {
			Address string `xml:"loc"`
			Changed string `xml:"lastmod"`
		} `xml:"url"`
	}
	a := get(t, h, "/sitemap.xml")
	if err := xml.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatalf("%v:\n%s", err, a.Body)
	}
	var got []string
	for _, p := range m.Pages {
		got = append(got, strings.TrimPrefix(p.Address, "http://127.0.0.1:8080"))
	}
	if want := "/ /s/skin /s/skin/skin-1"; strings.Join(got, " ") != want || m.Pages[2].Changed != "2027-03-01" {
		t.Errorf("got %v, want %s", m.Pages, want)
	}
	wants(t, "robots", get(t, h, "/robots.txt"), 200, "Disallow: /u/\n", "Disallow: /mine\n", "Sitemap: http://127.0.0.1:8080/sitemap.xml")
	for _, path := range []string{"/s/inner", "/s/inner/inner-1", "/s/inner/feed.xml"} {
		if a := get(t, h, path); a.Status != 200 || a.Header.Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s of a private series: got %d, %q, want 200 and noindex", path, a.Status, a.Header.Get("X-Robots-Tag"))
		}
	}
	if home := get(t, h, "/"); strings.Contains(home.Body, "inner") {
		t.Error("the first page shows a private series")
	}
}

// Browsers ask each time whether a page is still the same; the form's token, another each time, makes no difference.
func TestArchiveIsAskedFor(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin", "Water", "Sleep")
	s.Send(t, skin)
	for _, path := range []string{"/", "/s/skin", "/s/skin/skin-1", "/subscribe", "/sitemap.xml"} {
		a := get(t, h, path)
		s.Pass(time.Minute)
		ask := func(method string) webtest.Answer {
			return webtest.Do(t, h, webtest.Request{Method: method, Path: path, Header: map[string]string{"If-None-Match": `"other", ` + a.Header.Get("ETag")}})
		}
		for _, method := range []string{"GET", "HEAD"} {
			if again := ask(method); a.Header.Get("ETag") == "" || again.Status != 304 || again.Body != "" {
				t.Errorf("%s %s: got %d, want 304", method, path, again.Status)
			}
		}
		if cache := a.Header.Get("Cache-Control"); cache != "no-cache" {
			t.Errorf("%s: cache %q, want no-cache: a withdrawn article is gone at once", path, cache)
		}
		s.InTx(t, func(tx *store.Tx) error {
			_, err := series.Set(t.Context(), tx, "skin", series.Change{Title: new("Letters " + path)}, s.Now())
			return err
		})
		if changed := ask("GET"); path != "/sitemap.xml" && changed.Status != 200 {
			t.Errorf("%s after a change: got %d, want 200", path, changed.Status)
		}
	}
}

func TestOpenGraph(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.AddSeries(t, "skin")
	p := series.Picture{Path: "a.png", Type: "image/png", Width: 20, Height: 10, Bytes: []byte("\x89PNG")}
	s.InTx(t, func(tx *store.Tx) error {
		_, err := series.ImportArticles(t.Context(), tx, skin.ID, []series.Incoming{{
			Slug: "bars", Pictures: []series.Picture{p}, Text: series.Text{
				Title: `Bars "and" more`, Description: "About bars", Markdown: "Bars.", Pictures: map[string]string{"a.png": p.Hash()},
				Meta: map[string]string{"image": "a.png", "image_alt": "Two bars"},
			},
		}}, series.ImportOptions{Ready: true}, s.Now())
		return err
	})
	s.Send(t, skin)
	wants(t, "article", get(t, h, "/s/skin/bars"), 200,
		`<meta property="og:type" content="article">`, `<meta property="og:title" content="Bars &#34;and&#34; more">`,
		`<meta property="og:url" content="http://127.0.0.1:8080/s/skin/bars">`, `<meta property="og:description" content="About bars">`,
		`<meta property="og:image" content="http://127.0.0.1:8080/p/`+p.Hash()+`.png">`, `<meta property="og:image:alt" content="Two bars">`,
		`<meta property="article:published_time" content="2027-03-01">`,
		`<link rel="alternate" type="application/atom+xml" href="http://127.0.0.1:8080/s/skin/feed.xml">`)
	wants(t, "series", get(t, h, "/s/skin"), 200, `<meta property="og:type" content="website">`)
	if page := get(t, h, "/mine").Body; strings.Contains(page, "og:") {
		t.Error("a page that is nobody's to share has Open Graph tags")
	}
}

// What was withdrawn leaves a page that says so, under the names that its links have.
func TestTombstone(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin := s.Set(t, s.AddSeries(t, "skin", "Water", "Sleep"), series.Change{Sensitive: new(true)})
	s.AddReader(t, skin, "ada@example.org")
	issue, err := series.IssueByName(t.Context(), s.DB, s.Send(t, skin))
	if err != nil {
		t.Fatal(err)
	}
	s.InTx(t, func(tx *store.Tx) error { return series.Reached(t.Context(), tx, issue.ID) })
	if _, err := s.Publisher.Withdraw(t.Context(), "skin-1"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/s/skin/skin-1", "/s/" + skin.PublicName() + "/1"} {
		wants(t, path, get(t, h, path), 410, "withdrawn", `href="/s/`+skin.PublicName()+`"`)
	}
}

// Programs ask for the feed and the map of the site by the hour. While nothing is new no article is read; whatever is new is said.
func TestFeedAndSitemapAreAskedFor(t *testing.T) {
	s := webtest.New(t)
	h := handler(t, s)
	skin, gut := s.AddSeries(t, "skin", "Water", "Sleep", "Stress"), s.AddSeries(t, "gut", "Bread")
	old := func(text string) {
		s.InTx(t, func(tx *store.Tx) error {
			article := series.Incoming{Slug: "old", Text: series.Text{Title: "Old", Date: "2020-01-01", Markdown: text}}
			_, err := series.ImportArticles(t.Context(), tx, skin.ID, []series.Incoming{article}, series.ImportOptions{Ready: true, PublishedUntil: "2020-01-01"}, s.Now())
			return err
		})
	}
	old("An article of before.")
	s.Send(t, skin)
	s.Send(t, skin)
	ask := func(path string, header map[string]string) (webtest.Answer, int64) {
		before := s.DB.Statements()
		a := webtest.Do(t, h, webtest.Request{Method: "GET", Path: path, Header: header})
		return a, s.DB.Statements() - before
	}
	withdraw := func() {
		if _, err := s.Publisher.Withdraw(t.Context(), "skin-1"); err != nil {
			t.Fatal(err)
		}
	}
	move := func() {
		s.InTx(t, func(tx *store.Tx) error {
			moved, err := series.ArticleBySlug(t.Context(), tx, "old")
			if err != nil {
				return err
			}
			first, err := series.ArticleBySlug(t.Context(), tx, "skin-2")
			if err != nil {
				return err
			}
			return series.Move(t.Context(), tx, moved.ID, true, first.ID, s.Now())
		})
	}
	statements := map[string]int64{"/s/skin/feed.xml": 2, "/sitemap.xml": 3} // the series, and one for each of what is public of it
	for name, change := range map[string]func(){
		"a new issue":                func() { s.Send(t, skin) },
		"a withdrawn article":        withdraw,
		"another order":              move,
		"another title":              func() { s.Set(t, skin, series.Change{Title: new("Other letters")}) },
		"another disclaimer":         func() { s.Set(t, skin, series.Change{Disclaimer: new("No advice at all.")}) },
		"another text of an old one": func() { old("Another text.") },
	} {
		s.Pass(time.Minute)
		before := map[string]webtest.Answer{}
		for path, want := range statements {
			a, whole := ask(path, nil)
			before[path] = a
			again, took := ask(path, map[string]string{"If-None-Match": a.Header.Get("ETag")})
			if again.Status != 304 || again.Body != "" || took != want || whole <= want {
				t.Errorf("%s: got %d by %d statements, want 304 by %d of %d", path, again.Status, took, want, whole)
			}
		}
		s.Pass(time.Minute)
		change()
		for path, a := range before {
			if again, _ := ask(path, map[string]string{"If-None-Match": a.Header.Get("ETag")}); again.Status != 200 {
				t.Errorf("%s after %s: got %d, want 200", path, name, again.Status)
			}
			since := a.Header.Get("Last-Modified")
			if again, _ := ask(path, map[string]string{"If-Modified-Since": since}); again.Status != 200 {
				t.Errorf("%s after %s, asked by the time %q: got %d, want 200", path, name, since, again.Status)
			}
		}
	}
	a, _ := ask("/sitemap.xml", nil)
	s.Set(t, gut, series.Change{Private: new(true)})
	if again, _ := ask("/sitemap.xml", map[string]string{"If-None-Match": a.Header.Get("ETag")}); again.Status != 200 {
		t.Errorf("the map after a series became private: got %d, want 200", again.Status)
	}
}

// Whoever asks for a feed by its time alone hears of other settings or another program, and of another day, though no article changed.
func TestFeedByTimeAfterAStart(t *testing.T) {
	s := webtest.New(t)
	s.Send(t, s.AddSeries(t, "skin", "Water"))
	s.Pass(time.Hour)
	since := func(h http.Handler, at string) webtest.Answer {
		return webtest.Do(t, h, webtest.Request{Method: "GET", Path: "/s/skin/feed.xml", Header: map[string]string{"If-Modified-Since": at}})
	}
	h := handler(t, s)
	s.Pass(time.Minute)
	at := get(t, h, "/s/skin/feed.xml").Header.Get("Last-Modified")
	if a := since(h, at); at == "" || a.Status != http.StatusNotModified {
		t.Errorf("asked by %q: got %d, want 304", at, a.Status)
	}
	h = handler(t, s)
	s.Pass(time.Minute)
	if a := since(h, at); a.Status != http.StatusOK {
		t.Errorf("after a start, asked by %q: got %d, want 200", at, a.Status)
	}
	at = get(t, h, "/s/skin/feed.xml").Header.Get("Last-Modified")
	s.Pass(24 * time.Hour)
	if a := since(h, at); a.Status != http.StatusOK {
		t.Errorf("on another day, asked by %q: got %d, want 200", at, a.Status)
	}
}

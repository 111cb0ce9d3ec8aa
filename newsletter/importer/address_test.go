package importer_test

import (
	"errors"
	"strings"
	"testing"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

// web is what lies at some addresses.
type web map[string]importer.Fetched

func (w web) fetch(address string) (importer.Fetched, error) {
	f, ok := w[address]
	if !ok {
		return f, errors.New("the server answered 404 Not Found")
	}
	if f.Address == "" {
		f.Address = address
	}
	return f, nil
}

func TestWebAddresses(t *testing.T) {
	page := `<html><head><title>Fog</title><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head>` +
		`<body><article><h1>A wall of fog</h1><p>See <a href="ropes">ropes</a>.</p></article></body></html>`
	w := web{
		"https://harbour.example/fog":        {Type: "text/html", Body: []byte(page)},
		"https://harbour.example/p.php?id=1": {Type: "text/html", Body: []byte(page)},
		"https://harbour.example/":           {Type: "text/html", Body: []byte(page)},
		"https://short.example/x":            {Address: "https://harbour.example/fog", Type: "text/html", Body: []byte(page)},
		"https://harbour.example/untyped":    {Body: []byte("<!doctype html>" + page)},
		"https://harbour.example/heavy":      {Type: "text/html", Body: []byte("<script>" + strings.Repeat("[1],", 200<<10) + "</script>" + page)},
		"https://harbour.example/fields":     {Type: "text/html", Body: []byte("<h1>A {{b}}</h1><p>Dear {{{reader.name}}}, <code>{{x}}</code>.")},
		"https://harbour.example/a.md":       {Type: "text/plain", Body: []byte("---\ntitle: A\n---\n*Text*.")},
		"https://harbour.example/raw":        {Type: "text/markdown", Body: []byte("# A\n\n*Text*.")},
		"https://harbour.example/feed":       {Type: "text/html", Body: []byte(sampleOf(t, "rss.xml"))},
		"https://harbour.example/export":     {Type: "application/octet-stream", Body: []byte(sampleOf(t, "wordpress.xml"))},
		"https://harbour.example/db":         {Type: "application/json", Body: []byte(sampleOf(t, "ghost.json"))},
		"https://harbour.example/dl":         {Type: "application/zip", Body: []byte(exportZip(t, "substack"))},
		"https://harbour.example/logo.png":   {Type: "image/png", Body: asPNG(t, drawing(8, 8))},
	}
	const fog = "See [ropes](https://harbour.example/ropes)."
	for _, tt := range []struct{ address, slugs, first string }{
		{"https://harbour.example/fog", "a-wall-of-fog", fog},
		{"https://harbour.example/p.php?id=1", "a-wall-of-fog", fog},
		{"https://harbour.example/", "a-wall-of-fog", fog},
		{"https://short.example/x", "a-wall-of-fog", fog},
		{"https://harbour.example/untyped", "a-wall-of-fog", fog},
		{"https://harbour.example/heavy", "a-wall-of-fog", fog},
		{"https://harbour.example/fields", "a-b", `Dear \{\{{reader.name}}}, ` + "`{{x}}`."},
		{"https://harbour.example/a.md", "a", "*Text*."},
		{"https://harbour.example/raw", "a", "*Text*."},
		{"https://harbour.example/feed", "tom-the-buoy winter-in-the-yard", ""},
		{"https://harbour.example/export", "fog ropes half-a-thought", ""},
		{"https://harbour.example/db", "a-buoy winter-in-the-yard paid half-a-thought", ""},
		{"https://harbour.example/dl", "a-buoy winter-in-the-yard for-those-who-pay half-a-thought", ""},
	} {
		f, err := importer.Options{Fetch: w.fetch}.Read(tt.address)
		if err != nil || slugs(f) != tt.slugs || tt.first != "" && f.Articles[0].Markdown != tt.first {
			t.Errorf("%s: %q, %v, %v; want %q and the text %q", tt.address, slugs(f), f.Articles, err, tt.slugs, tt.first)
		}
	}
	f, err := importer.Options{Fetch: w.fetch}.Read("https://short.example/x")
	if err != nil || len(f.Problems) != 1 || !strings.Contains(f.Problems[0].String(), "its site has a feed, https://harbour.example/feed.xml") {
		t.Errorf("a page whose site has a feed: %v, %v; want a word of it", f.Problems, err)
	}
	a := f.Articles[0]
	known := []series.Article{{Slug: "fog", Text: a.Text}}
	if again, err := (importer.Options{Known: known, Fetch: w.fetch}).Read("https://harbour.example/fog"); err != nil || slugs(again) != "fog" {
		t.Errorf("the page again: %q, %v; want the slug of the article that it is", slugs(again), err)
	}
	for address, want := range map[string]string{
		"https://harbour.example/gone":     "https://harbour.example/gone: the server answered 404 Not Found; save it as a file and name that",
		"https://harbour.example/logo.png": "files of this kind are not read",
	} {
		if _, err := (importer.Options{Fetch: w.fetch}).Read(address); !errors.Is(err, importer.ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want ErrFile that says %q", address, err, want)
		}
	}
}

package templates

import (
	"strings"
	"testing"
	"testing/fstest"
)

var pagesForTest = fstest.MapFS{
	"face/layout.html": {Data: []byte(`<main>{{block "main" .}}nothing{{end}}</main>{{template "_foot.html" .}}<style>{{template "page.css"}}</style>`)},
	"face/_foot.html":  {Data: []byte(`<footer>{{.T "date.weekday.Monday"}}</footer>`)},
	"face/page.css":    {Data: []byte(`p { margin: 0; }`)},
	"face/one.html":    {Data: []byte(`{{define "main"}}<p>{{.Name}}</p>{{end}}`)},
	"face/two.html":    {Data: []byte(`{{define "main"}}<p>before {{.Missing}}</p>{{end}}`)},
	"face/three.html":  {Data: []byte(``)},
}

func TestPages(t *testing.T) {
	pages, err := parsePages(pagesForTest, "face", nil)
	if err != nil {
		t.Fatal(err)
	}
	view := struct {
		Words
		Name string
	}{Name: "<Ada>"}
	const end = `<footer>Monday</footer><style>p { margin: 0; }</style>`
	for page, want := range map[string]string{
		"one":   `<main><p>&lt;Ada&gt;</p></main>` + end,
		"three": `<main>nothing</main>` + end,
	} {
		var b strings.Builder
		if err := pages.Render(&b, page, view); err != nil || b.String() != want {
			t.Errorf("page %s (%v)\n got %s\nwant %s", page, err, b.String(), want)
		}
	}
	for _, page := range []string{"two", "_foot", "layout", "gone"} {
		var b strings.Builder
		if err := pages.Render(&b, page, view); err == nil || b.Len() > 0 {
			t.Errorf("page %s: error %v and %q, want an error and nothing written", page, err, b.String())
		}
	}
}

func TestPagesThatCannotBeParsed(t *testing.T) {
	for name, text := range map[string]string{"layout.html": "{{", "_part.html": "{{end}}", "page.html": "{{define}}"} {
		files := fstest.MapFS{"face/layout.html": {Data: []byte("x")}, "face/" + name: {Data: []byte(text)}}
		if _, err := parsePages(files, "face", nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

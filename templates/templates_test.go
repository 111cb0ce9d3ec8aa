package templates

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
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

// TestTrials: the program's own pages can all be tried without data, and an operator's page stands in place of one of them.
func TestTrials(t *testing.T) {
	for pages, trials := range map[*Pages]map[string]any{publicPages(): publicTrials, deskPages(): deskTrials} {
		for page := range pages.byName {
			if trials[page] == nil {
				t.Errorf("%s/%s.html is not tried", pages.folder, page)
			} else if err := pages.Render(io.Discard, page, trials[page]); err != nil {
				t.Errorf("%s/%s.html: %v", pages.folder, page, err)
			}
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"public/home.html": `{{define "main"}}Own {{.Site}}{{end}}`, "desk/login.html": `{{define "main"}}Our desk{{end}}`} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	own, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for want, write := range map[string]func(io.Writer) error{
		"Own Harbour": PublicHome{PublicFrame: PublicFrame{Own: own, Site: "Harbour"}}.Write,
		"Our desk":    DeskLogin{DeskFrame: DeskFrame{Own: own}}.Write,
		"Sign in":     DeskEnter{DeskFrame: DeskFrame{Own: own}}.Write, // the program's
	} {
		var b strings.Builder
		if err := write(&b); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("got %v and\n%s\nwant %q in it", err, b.String(), want)
		}
	}
}

func TestZoneAsReadersKnowIt(t *testing.T) {
	for name, want := range map[string]string{"Etc/UTC": "UTC", "America/New_York": "America/New York", "Europe/Berlin": "Europe/Berlin"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := (PublicJoined{Next: time.Date(2027, 3, 30, 9, 0, 0, 0, zone)}).Zone(); got != want {
			t.Errorf("%s is shown as %q, want %q", name, got, want)
		}
	}
}

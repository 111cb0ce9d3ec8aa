package templates_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"pressrun/templates"
)

// Every text that a page asks for by name is in the catalogue.
func TestPagesHaveTheirTexts(t *testing.T) {
	asked := regexp.MustCompile(`\.(?:T|HTML) "([a-z_.]+)"`)
	composed := regexp.MustCompile(`printf "([a-z_.]+)\.%s`)
	found := 0
	for _, folder := range []string{"public", "desk"} {
		files, err := fs.Glob(os.DirFS("."), folder+"/*.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range asked.FindAllStringSubmatch(string(text), -1) {
				found++
				if !templates.In("en").Has(key[1]) {
					t.Errorf("%s: no text for %s", file, key[1])
				}
			}
			for _, key := range composed.FindAllStringSubmatch(string(text), -1) {
				if templates.In("en").Has(key[1]) {
					t.Errorf("%s: %s is to be a group of texts", file, key[1])
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("got only %d texts: the pattern misses them", found)
	}
}

// The names that pages are given as data have texts in each of their groups.
func TestGroupsOfTexts(t *testing.T) {
	for group, names := range map[string]string{
		"desk.state":   "planned filling sending paused held done cancelled issued empty missed skipped waiting",
		"desk.kind":    "slot now welcome correction announcement",
		"desk.count":   "open sent failed skipped uncertain",
		"desk.people":  "mailable active pending paused ended",
		"desk.mode":    "live drip",
		"desk.article": "draft ready withdrawn",
		"desk.action":  "hold release pause resume cancel cancel_means cancel_sure settle_sent settle_again retry pause_series resume_series",
		"desk.done":    "hold release pause resume cancel settle_sent settle_again settle_left retry retry_none pause_series resume_series week",
	} {
		for _, name := range strings.Fields(names) {
			if key := group + "." + name; !templates.In("en").Has(key) {
				t.Errorf("no text for %s", key)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	assets, err := templates.Assets()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pressrun.css", "desk.js", "icon.svg"} {
		a := assets[name]
		stem := strings.TrimSuffix(name, path.Ext(name))
		if !regexp.MustCompile(`^/static/`+stem+`\.[0-9a-f]{12}`+path.Ext(name)+`$`).MatchString(a.Path) || a.Type == "" || len(a.Content) == 0 {
			t.Errorf("%s: got path %q, type %q, %d octets", name, a.Path, a.Type, len(a.Content))
		}
	}
	// Nothing a page loads may come from elsewhere; the namespace of SVG is no address.
	for name, a := range assets {
		if text := strings.ReplaceAll(string(a.Content), "http://www.w3.org/2000/svg", ""); strings.Contains(text, "//") && regexp.MustCompile(`https?://|url\(`).MatchString(text) {
			t.Errorf("%s names an address outside", name)
		}
	}
}

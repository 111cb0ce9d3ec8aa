package public_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"pressrun/newsletter/web/webtest"
	"pressrun/templates"
)

// TestPageStructure looks at every public page in every language for what it needs to be read by machines and people alike: a
// language, a title, one heading of the first rank, labels, ids that are one each, buttons that say something, no script and
// nothing from elsewhere.
func TestPageStructure(t *testing.T) {
	for _, w := range templates.Languages() {
		s := webtest.New(t)
		pages, h := everyPage(t, s, handler(t, s), w.Language())
		for name, page := range pages {
			a := get(t, h, page.path)
			what := w.Language() + "/" + name
			wants(t, what, a, page.status)
			root, err := html.Parse(strings.NewReader(a.Body))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			p := &pageParts{ids: map[string]int{}, labelled: map[string]bool{}}
			p.walk(root, false)
			for _, fault := range p.faults(w) {
				t.Errorf("%s: %s", what, fault)
			}
			if policy := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: Content-Security-Policy %q", what, policy)
			}
		}
	}
}

// pageParts is what is counted on a page.
type pageParts struct {
	lang, dir, title  string
	headings          int
	ids               map[string]int
	labelled          map[string]bool // ids that a label is for
	fields            []string        // ids of fields without a label around them
	foreign, unnamed  []string
	hasMain, hasStyle bool
}

func (p *pageParts) walk(n *html.Node, inLabel bool) {
	if n.Type == html.ElementNode {
		p.element(n, inLabel)
		inLabel = inLabel || n.Data == "label"
	}
	for c := range n.ChildNodes() {
		p.walk(c, inLabel)
	}
}

func (p *pageParts) element(n *html.Node, inLabel bool) {
	if id := attribute(n, "id"); id != "" {
		p.ids[id]++
	}
	switch n.Data {
	case "html":
		p.lang, p.dir = attribute(n, "lang"), attribute(n, "dir")
	case "title":
		p.title = words(n)
	case "h1":
		p.headings++
	case "main":
		p.hasMain = true
	case "label":
		p.labelled[attribute(n, "for")] = true
	case "script", "style", "iframe":
		p.foreign = append(p.foreign, n.Data)
	case "link", "img":
		if from := attribute(n, "href") + attribute(n, "src"); attribute(n, "rel") == "stylesheet" || n.Data == "img" {
			p.hasStyle = true
			if !strings.HasPrefix(from, "/") {
				p.foreign = append(p.foreign, from)
			}
		}
	case "a", "button":
		if words(n) == "" {
			p.unnamed = append(p.unnamed, n.Data+" "+attribute(n, "href"))
		}
	case "input", "select", "textarea":
		if attribute(n, "type") != "hidden" && !inLabel && attribute(n, "aria-labelledby") == "" {
			p.fields = append(p.fields, attribute(n, "id"))
		}
	}
	if attribute(n, "style") != "" || attribute(n, "onclick") != "" {
		p.foreign = append(p.foreign, "inline "+n.Data)
	}
}

func (p *pageParts) faults(w templates.Words) (all []string) {
	if p.lang != w.Language() || p.dir != w.Dir() {
		all = append(all, "it is said to be in "+p.lang+" "+p.dir)
	}
	if p.title == "" || p.headings != 1 || !p.hasMain || !p.hasStyle {
		all = append(all, "no title, no main part, no style, or not one heading of the first rank")
	}
	for id, n := range p.ids {
		if n > 1 {
			all = append(all, "more than one id "+id)
		}
	}
	for _, id := range p.fields {
		if !p.labelled[id] {
			all = append(all, "no label for the field "+id)
		}
	}
	for _, x := range append(p.foreign, p.unnamed...) {
		all = append(all, "not to be there, or without words: "+x)
	}
	return all
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func words(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

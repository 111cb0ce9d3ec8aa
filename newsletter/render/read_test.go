package render_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// tree parses what was rendered.
func tree(t testing.TB, document string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return root
}

// find lists the elements of a kind in document order.
func find(root *html.Node, kinds ...atom.Atom) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		for _, kind := range kinds {
			if n.Type == html.ElementNode && n.DataAtom == kind {
				found = append(found, n)
			}
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// content is the text inside a node, blocks apart, with white space squeezed.
func content(n *html.Node) string {
	var b strings.Builder
	apart := func(n *html.Node) {
		switch n.DataAtom {
		case 0, atom.A, atom.B, atom.Strong, atom.Em, atom.I, atom.Span, atom.Sub, atom.Sup, atom.Code, atom.Del:
		default:
			b.WriteByte(' ')
		}
	}
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		apart(n)
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && (n.DataAtom == atom.Style || n.DataAtom == atom.Title):
			return
		case attr(n, "class") == "footnote-ref":
			b.WriteByte(' ')
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
		apart(n)
	}
	walk(n)
	return squeeze(b.String())
}

// visible is what a reader of the document sees.
func visible(t testing.TB, document string) string { return content(tree(t, document)) }

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// links are the addresses that a document links to.
func links(root *html.Node) []string {
	var all []string
	for _, a := range find(root, atom.A) {
		all = append(all, attr(a, "href"))
	}
	return all
}

package render

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/idna"
)

var (
	ourClasses  = regexp.MustCompile(`^(data|lead|figure( captioned)?|caption|callout (info|tip|warning)|callout-title|player (video|audio|frame)|sources|review|footnotes|footnote-ref|footnote-backref|align-(left|center|right))$`)
	footnoteIDs = regexp.MustCompile(`^fn(ref)?[0-9]*:[0-9]+$`)
	scopes      = regexp.MustCompile(`^(col|row)$`)
	languages   = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// policy lets through what an article is made of. It knows no style, no script, no form and no frame; links lead to http,
// https and mailto. Comments go.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "kbd", "samp", "var",
		"ul", "ol", "li", "dl", "dt", "dd", "strong", "em", "b", "i", "u", "s", "del", "ins", "sub", "sup", "small", "mark",
		"q", "cite", "abbr", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "a", "img")
	p.AllowElements("div", "span")
	p.AllowStandardURLs()
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(true)
	p.RequireNoFollowOnLinks(false)
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img") // which pictures, sanitise says
	p.AllowAttrs("width", "height").Matching(bluemonday.Integer).OnElements("img")
	p.AllowAttrs("title").Matching(bluemonday.Paragraph).OnElements("abbr")
	p.AllowAttrs("class").Matching(ourClasses).Globally()
	p.AllowAttrs("id").Matching(footnoteIDs).OnElements("sup", "li")
	p.AllowAttrs("lang").Matching(languages).Globally()
	p.AllowAttrs("dir").Matching(bluemonday.Direction).Globally()
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("scope").Matching(scopes).OnElements("th")
	p.AllowAttrs("colspan", "rowspan").Matching(bluemonday.Integer).OnElements("th", "td")
	return p
})

// sanitise takes out of HTML what no article needs, closes what it left open, and makes its links absolute. Only the given
// pictures stay, of others their description does: a letter loads nothing from other people's servers.
func sanitise(source string, base *url.URL, pictures map[string]Picture) (string, error) {
	body, err := fragment(policy().Sanitize(source))
	if err != nil {
		return "", err
	}
	ours := map[string]bool{}
	for _, p := range pictures {
		ours[p.URL] = true
	}
	for _, image := range elements(body, atom.Img) {
		if !ours[attribute(image, "src")] {
			alt := strings.Join(strings.Fields(attribute(image, "alt")), " ")
			image.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: alt}, image)
			image.Parent.RemoveChild(image)
		}
	}
	for _, a := range elements(body, atom.A) {
		mendLink(a, base)
	}
	return inner(body)
}

// fragment parses HTML that stands inside a div, and returns that div: what is left open ends there, and end tags without
// a beginning fall away, so that an article can't close the letter around it.
func fragment(source string) (*html.Node, error) {
	div := &html.Node{Type: html.ElementNode, DataAtom: atom.Div, Data: "div"}
	nodes, err := html.ParseFragment(strings.NewReader(source), div)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		div.AppendChild(n)
	}
	return div, nil
}

// inner writes what is inside a node.
func inner(n *html.Node) (string, error) {
	var b strings.Builder
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if err := html.Render(&b, child); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// mendLink makes a link's address absolute. A link that leads nowhere, or that nobody can see, is taken away but for its text.
func mendLink(a *html.Node, base *url.URL) {
	target := resolve(base, attribute(a, "href"))
	if target == "" || strings.TrimSpace(innerText(a)) == "" && len(elements(a, atom.Img)) == 0 {
		unwrap(a)
		return
	}
	setAttribute(a, "href", target)
}

// resolve is the address that a link's target means, seen from base: http, https, mailto or a place in the same text;
// "" for anything else. Without a base a relative target stays relative.
func resolve(base *url.URL, target string) string {
	target = strings.TrimSpace(target)
	if target == "" || target == "#" {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	switch {
	case strings.HasPrefix(target, "#"):
	case u.Scheme == "mailto" && u.Opaque != "":
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil:
	case u.Scheme != "":
		return ""
	case base != nil:
		u = base.ResolveReference(u)
	}
	return plainURL(withPlainHost(*u))
}

// withPlainHost writes an address with its host as on the wire (IDNA A-labels), which every mail program can follow.
func withPlainHost(u url.URL) string {
	if host, err := idna.Lookup.ToASCII(u.Hostname()); err == nil && u.Port() == "" {
		u.Host = host
	} else if err == nil {
		u.Host = host + ":" + u.Port()
	}
	return u.String()
}

// plainURL percent-encodes what an address may not hold as it is, in the way html/template does, so that it reads the same
// in an attribute and in the text part.
func plainURL(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if !notInURL(rune(c)) {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// elements lists a tree's elements of the given kinds in document order.
func elements(root *html.Node, kinds ...atom.Atom) []*html.Node {
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

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

// setAttribute replaces or adds an attribute; removeAttribute drops it.
func setAttribute(n *html.Node, name, value string) {
	for i, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			n.Attr[i].Val = value
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

func removeAttribute(n *html.Node, name string) {
	for i, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			n.Attr = append(n.Attr[:i], n.Attr[i+1:]...)
			return
		}
	}
}

// unwrap puts a node's children in its place.
func unwrap(n *html.Node) {
	for n.FirstChild != nil {
		child := n.FirstChild
		n.RemoveChild(child)
		n.Parent.InsertBefore(child, n)
	}
	n.Parent.RemoveChild(n)
}

// innerText is the text inside a node.
func innerText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

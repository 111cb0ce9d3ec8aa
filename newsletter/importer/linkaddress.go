package importer

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// resolver makes an address of a link or a picture one that leads there from a letter, or a path of a picture that lies beside the
// export; empty: it leads nowhere.
type resolver func(address string, picture bool) string

// addresses counts those that lead nowhere, and widgets that were taken out.
type addresses struct{ links, pictures, widgets int }

// settleAddresses makes every address of a post one that leads there from a letter. A link that leads nowhere leaves its words, a
// picture its description. What is shown to nobody, and counts readers, goes.
func settleAddresses(body *html.Node, resolve resolver) (dead addresses) {
	var gone []*html.Node
	for n := range body.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for i, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" {
				n.Attr[i].Val = resolve(strings.TrimSpace(a.Val), n.DataAtom == atom.Img)
			}
		}
		switch {
		case n.DataAtom == atom.Img && (attribute(n, "width") == "1" || attribute(n, "height") == "1"):
			n.Attr = nil
			gone = append(gone, n)
		case n.DataAtom == atom.Img && attribute(n, "src") == "":
			dead.pictures++
			gone = append(gone, n)
		case n.DataAtom == atom.A && attribute(n, "href") == "":
			if words(n) != "" && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "href" }) {
				dead.links++
			}
			gone = append(gone, n)
		}
	}
	for _, n := range gone {
		leaveWords(n)
	}
	return dead
}

// leaveWords puts what is inside an element in its place, and the description in that of a picture.
func leaveWords(n *html.Node) {
	if alt := oneLine(attribute(n, "alt")); n.DataAtom == atom.Img && alt != "" {
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: alt}, n)
	}
	for n.FirstChild != nil {
		child := n.FirstChild
		n.RemoveChild(child)
		n.Parent.InsertBefore(child, n)
	}
	n.Parent.RemoveChild(n)
}

// against resolves addresses against the one where a post stands; empty: nobody knows that.
func against(link string) resolver {
	base, err := url.Parse(link)
	if err != nil || base.Host == "" {
		base = nil
	}
	return func(address string, _ bool) string {
		u, err := url.Parse(address)
		if err != nil || address == "" || strings.HasPrefix(address, "#") {
			return ""
		}
		if base != nil {
			u = base.ResolveReference(u)
		} else if u.Scheme == "" && u.Host != "" {
			u.Scheme = "https"
		}
		switch {
		case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		case (u.Scheme == "mailto" || u.Scheme == "tel") && u.Opaque != "":
		default:
			return ""
		}
		return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(u.String())
	}
}

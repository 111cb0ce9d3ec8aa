package importer

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

var (
	// askers are the classes of what Substack and Ghost put into texts to win readers, if an address in it says so: authors write buttons of
	// their own by the same means.
	askers = []string{"subscription-widget-wrap", "subscription-widget-wrap-editor", "button-wrapper", "kg-signup-card", "kg-button-card"}
	// sharers are the classes of what Jetpack puts below a text: buttons to share it, and links to others. Nothing in it is the author's.
	sharers = []string{"sharedaddy", "jp-relatedposts"}
	// asking is where an address leads that asks to subscribe, to share or to comment: a path, a query or a fragment of these services.
	asking = regexp.MustCompile(`(?i)(?:/(?:subscribe|signup|share|comments?)/?|[?&](?:action=share|share=)[^#]*|#/(?:portal|share)\b.*)$`)
	// filled is what Substack puts for an address that it fills in, as in %%share_url%%.
	filled = regexp.MustCompile(`%%\w+%%`)
	// appeared is what WordPress puts below each text of a feed.
	appeared = regexp.MustCompile(`^The post .+ (?:first )?appeared (?:first )?on .+\.$`)
)

const (
	saidAsked = "asking to subscribe or share at the old place: left out"
	mendAsked = "write your own where you want one"
)

// asked says of a single page what was taken out of it.
func (a addresses) asked() []Problem {
	if a.widgets == 0 {
		return nil
	}
	return []Problem{{What: counted(a.widgets, "button or line", "buttons and lines") + " " + saidAsked, Mend: mendAsked}}
}

// dropWidgets takes out what asks readers to subscribe or share at the old place, and counts it.
func dropWidgets(body *html.Node) int {
	var gone []*html.Node
	var look func(n *html.Node)
	look = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if isWidget(c) {
				gone = append(gone, c)
				continue
			}
			look(c)
		}
	}
	look(body)
	for _, n := range gone {
		n.Parent.RemoveChild(n)
	}
	if last := lastElement(body); last != nil && isAppeared(last) {
		last.Parent.RemoveChild(last)
		return len(gone) + 1
	}
	return len(gone)
}

// isWidget says whether an element is one that asks.
func isWidget(n *html.Node) bool {
	classes := strings.Fields(attribute(n, "class"))
	has := func(all []string) bool {
		return slices.ContainsFunc(classes, func(class string) bool { return slices.Contains(all, class) })
	}
	return has(sharers) || has(askers) && asks(n)
}

// asks says whether an element or one in it leads where readers are asked, or is a form that signs them up.
func asks(n *html.Node) bool {
	if slices.ContainsFunc(n.Attr, asksBy) {
		return true
	}
	for d := range n.Descendants() {
		if d.DataAtom == atom.Form || slices.ContainsFunc(d.Attr, asksBy) {
			return true
		}
	}
	return false
}

// asksBy says so of one attribute; data-attrs is Substack's JSON, in which an address stands.
func asksBy(a html.Attribute) bool {
	switch a.Key {
	case "data-attrs":
		for _, part := range strings.Split(a.Val, `"`) {
			if filled.MatchString(part) || strings.Contains(part, "://") && asksAt(part) {
				return true
			}
		}
	case "href", "action":
		return filled.MatchString(a.Val) || asksAt(a.Val)
	}
	return false
}

// asksAt says so of an address. What follows its path tells who sent a reader there, and nothing else.
func asksAt(address string) bool {
	address = strings.TrimSpace(address)
	if asking.MatchString(address) {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && asking.MatchString(u.Path)
}

// isAppeared knows the line by its words and its two links, to the post and to the blog.
func isAppeared(n *html.Node) bool {
	links := 0
	for d := range n.Descendants() {
		if d.DataAtom == atom.A && attribute(d, "href") != "" {
			links++
		}
	}
	return n.DataAtom == atom.P && links == 2 && appeared.MatchString(oneLine(words(n)))
}

// lastElement is the last element of a body; nil: it ends with words, or is empty.
func lastElement(n *html.Node) *html.Node {
	for c := n.LastChild; c != nil; c = c.PrevSibling {
		if c.Type == html.ElementNode || c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
			if c.Type == html.TextNode {
				return nil
			}
			return c
		}
	}
	return nil
}

package render

import (
	"cmp"
	"html/template"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// playerClass marks what stands in place of something that no mail can play: on the article's page a link to its own
// address, in a letter one to that page. The kind follows it: video, audio or frame.
const playerClass = "player"

var kindPlayer = ast.NewNodeKind("Player")

// player is raw HTML inside a paragraph that plays or frames something.
type player struct {
	ast.BaseInline
	kind, target string // target empty: it has no address that anybody could open
}

// Kind implements ast.Node.
func (*player) Kind() ast.NodeKind { return kindPlayer }

// Dump implements ast.Node.
func (n *player) Dump(source []byte, level int) {
	ast.DumpHelper(n, source, level, map[string]string{"kind": n.kind, "target": n.target}, nil)
}

// playerKind is the kind of an element that plays or frames; empty for others.
func playerKind(a atom.Atom) string {
	switch a {
	case atom.Video:
		return "video"
	case atom.Audio:
		return "audio"
	case atom.Iframe, atom.Embed:
		return "frame"
	}
	return ""
}

// playable is a player's address as a link; empty where it is none of https. One without a scheme, as many services give it
// out, is of https.
func playable(address string) string {
	if address = strings.TrimSpace(address); strings.HasPrefix(address, "//") {
		address = "https:" + address
	}
	if target := resolve(nil, address); strings.HasPrefix(target, "https://") {
		return target
	}
	return ""
}

// link is a player as HTML; nothing where it has no address.
func (n *player) link() string {
	if n.target == "" {
		return ""
	}
	target := template.HTMLEscapeString(n.target)
	return `<a class="` + playerClass + ` ` + n.kind + `" href="` + target + `">` + target + "</a>"
}

func writePlayer(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(n.(*player).link())
	}
	return ast.WalkContinue, nil
}

// replacePlayers puts a player in the place of the tags inside a paragraph that play or frame something, with all that stands
// between them, and returns the other tags. One that is not closed in its paragraph is its tag alone.
func replacePlayers(tags []*ast.RawHTML, source []byte) (others []*ast.RawHTML) {
	open := map[ast.Node]*openPlayer{} // by paragraph
	for _, tag := range tags {
		parent, token := tag.Parent(), readTag(tag, source)
		if parent == nil {
			continue
		}
		kind := playerKind(token.DataAtom)
		switch {
		case kind == "" && token.DataAtom != atom.Source && token.DataAtom != atom.Track:
			others = append(others, tag)
		case kind != "" && token.Type != html.EndTagToken:
			n := &player{kind: kind, target: playable(attribute(&html.Node{Attr: token.Attr}, "src"))}
			parent.ReplaceChild(parent, tag, n)
			open[parent] = &openPlayer{n, token.DataAtom}
		case kind != "":
			if p := open[parent]; p != nil && p.atom == token.DataAtom {
				p.closeBefore(tag)
				delete(open, parent)
			}
			parent.RemoveChild(parent, tag)
		default:
			if p := open[parent]; p != nil && p.target == "" && token.DataAtom == atom.Source {
				p.target = playable(attribute(&html.Node{Attr: token.Attr}, "src"))
			}
			parent.RemoveChild(parent, tag)
		}
	}
	return attached(others)
}

// openPlayer is a player whose end tag was not there yet.
type openPlayer struct {
	*player
	atom atom.Atom
}

// closeBefore takes out what programs show that can't play it.
func (p *openPlayer) closeBefore(end ast.Node) {
	parent := p.Parent()
	for n := p.NextSibling(); n != nil && n != end; n = p.NextSibling() {
		parent.RemoveChild(parent, n)
	}
}

// attached are the tags that are still in their paragraphs.
func attached(tags []*ast.RawHTML) (all []*ast.RawHTML) {
	for _, tag := range tags {
		if tag.Parent() != nil {
			all = append(all, tag)
		}
	}
	return all
}

// replacePlayerElements does to a tree of HTML what replacePlayers does to a paragraph.
func replacePlayerElements(body *html.Node) {
	for _, n := range elements(body, atom.Video, atom.Audio, atom.Iframe, atom.Embed) {
		if n.Parent == nil {
			continue // it was inside another
		}
		target := playable(attribute(n, "src"))
		for _, source := range elements(n, atom.Source) {
			if target == "" {
				target = playable(attribute(source, "src"))
			}
		}
		if target != "" {
			a := element(atom.A)
			addClass(a, playerClass)
			addClass(a, playerKind(n.DataAtom))
			setAttribute(a, "href", target)
			a.AppendChild(&html.Node{Type: html.TextNode, Data: target})
			n.Parent.InsertBefore(inBlock(a, n.Parent == body), n)
		}
		n.Parent.RemoveChild(n)
	}
}

// inBlock is a link in a paragraph of its own where it stands in none.
func inBlock(a *html.Node, alone bool) *html.Node {
	if !alone {
		return a
	}
	p := element(atom.P)
	p.AppendChild(a)
	return p
}

// kindOfPlayer is the kind of a link that stands in place of a player; empty for other links.
func kindOfPlayer(a *html.Node) string {
	kind, is := strings.CutPrefix(attribute(a, "class"), playerClass+" ")
	if !is {
		return ""
	}
	return kind
}

// played says what stands behind the link in place of a player.
func (s setting) played(kind string) string { return s.words.T("email.player." + kind) }

// namePlayers has the links in place of players say what is behind them.
func (s setting) namePlayers(source string) (string, error) {
	if !strings.Contains(source, `class="`+playerClass) {
		return source, nil
	}
	body, err := fragment(source)
	if err != nil {
		return "", err
	}
	for _, a := range elements(body, atom.A) {
		kind := kindOfPlayer(a)
		if kind == "" {
			continue
		}
		for a.FirstChild != nil {
			a.RemoveChild(a.FirstChild)
		}
		a.AppendChild(&html.Node{Type: html.TextNode, Data: s.played(kind)})
		if s.foreign != "" {
			setAttribute(a, "lang", s.words.Language())
			setAttribute(a, "dir", s.words.Dir())
		}
	}
	return inner(body)
}

// pointToPage has a player's link lead to the article's page.
func (s setting) pointToPage(a *html.Node) {
	removeAttribute(a, "class")
	if s.page != "" {
		setAttribute(a, "href", s.page)
	}
}

// player writes the link in place of a player.
func (w textWriter) player(kind, target string) string {
	if target == "" {
		return ""
	}
	return w.link(w.played(kind), cmp.Or(w.page, target))
}

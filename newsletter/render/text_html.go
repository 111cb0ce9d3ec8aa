package render

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlBlock writes a block of raw HTML, as the sanitiser leaves it, as paragraphs.
func (w textWriter) htmlBlock(n *ast.HTMLBlock, width int) []string {
	body, err := fragment(cleanBlock(n, w.source))
	if err != nil {
		return nil // the HTML part fails on the same markup, and names it
	}
	p := paragraphs{w: w}
	p.read(body)
	p.end()
	var lines []string
	for _, s := range p.done {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, wrap(s, width)...)
	}
	return lines
}

// paragraphs gathers the text of an HTML tree.
type paragraphs struct {
	w    textWriter
	open strings.Builder
	done []string
}

func (p *paragraphs) read(n *html.Node) {
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		switch {
		case child.Type == html.TextNode:
			p.open.WriteString(strings.ReplaceAll(child.Data, "\n", " "))
		case child.DataAtom == atom.Br:
			p.open.WriteString("\n")
		case child.DataAtom == atom.A && kindOfPlayer(child) != "":
			p.open.WriteString(p.w.player(kindOfPlayer(child), attribute(child, "href")))
		case child.DataAtom == atom.A:
			p.read(child)
			if target := attribute(child, "href"); innerText(child) != target {
				p.open.WriteString(p.w.mark(target))
			}
		case isInline(child) && child.DataAtom != atom.Li && child.DataAtom != atom.Tr:
			p.read(child)
			if child.DataAtom == atom.Td || child.DataAtom == atom.Th {
				p.open.WriteString(" ")
			}
		default:
			p.end()
			p.read(child)
			p.end()
		}
	}
}

// end closes the present paragraph.
func (p *paragraphs) end() {
	if s := strings.TrimSpace(p.open.String()); s != "" {
		p.done = append(p.done, s)
	}
	p.open.Reset()
}

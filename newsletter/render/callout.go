package render

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/templates"
)

// calloutMark is the first line of a quote that is a call-out, as GitHub writes them.
var calloutMark = regexp.MustCompile(`^[ \t]*\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*\n?$`)

// calloutKinds are the call-outs of a letter.
var calloutKinds = map[string]string{"NOTE": "info", "IMPORTANT": "info", "TIP": "tip", "WARNING": "warning", "CAUTION": "warning"}

var kindCallout = ast.NewNodeKind("Callout")

// callout is a part set apart from the text, with its name above it.
type callout struct {
	ast.BaseBlock
	kind, title string
	foreign     template.HTMLAttr // marks the title's language where it is not the letter's
}

// Kind implements ast.Node.
func (*callout) Kind() ast.NodeKind { return kindCallout }

// Dump implements ast.Node.
func (n *callout) Dump(source []byte, level int) {
	ast.DumpHelper(n, source, level, map[string]string{"kind": n.kind}, nil)
}

// replaceQuote makes a call-out of a quote whose first line is its mark.
func replaceQuote(quote *ast.Blockquote, source []byte, words templates.Words, foreign template.HTMLAttr) {
	first, ok := quote.FirstChild().(*ast.Paragraph)
	if !ok || first.Lines().Len() == 0 {
		return
	}
	line := first.Lines().At(0)
	found := calloutMark.FindSubmatch(bytes.ToUpper(line.Value(source)))
	if found == nil {
		return
	}
	for { // the mark is plain text, and whatever is none begins what the call-out says
		mark, ok := first.FirstChild().(*ast.Text)
		if !ok || mark.Segment.Start >= line.Stop {
			break
		}
		first.RemoveChild(first, mark)
	}
	if first.ChildCount() == 0 {
		quote.RemoveChild(quote, first)
	}
	if quote.ChildCount() == 0 {
		quote.Parent().RemoveChild(quote.Parent(), quote)
		return
	}
	kind := calloutKinds[string(found[1])]
	box := &callout{kind: kind, title: words.T("email.callout." + kind), foreign: foreign}
	for child := quote.FirstChild(); child != nil; child = quote.FirstChild() {
		box.AppendChild(box, child)
	}
	quote.Parent().ReplaceChild(quote.Parent(), quote, box)
}

func writeCallout(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		_, _ = w.WriteString("</div>\n")
		return ast.WalkContinue, nil
	}
	box := n.(*callout)
	_, _ = w.WriteString(`<div class="callout ` + box.kind + `"><p class="callout-title"><strong` + string(box.foreign) + `>` + html.EscapeString(box.title) + "</strong></p>\n")
	return ast.WalkContinue, nil
}

// replaceCallout makes a table of a call-out: Outlook pads and colours nothing else.
func replaceCallout(box *html.Node) {
	table, cell := oneCell("block")
	addClass(cell, "callout")
	for _, kind := range strings.Fields(attribute(box, "class")) {
		if kind != "callout" {
			addClass(cell, kind)
		}
	}
	for child := box.FirstChild; child != nil; child = box.FirstChild {
		box.RemoveChild(child)
		cell.AppendChild(child)
	}
	box.Parent.InsertBefore(table, box)
	box.Parent.RemoveChild(box)
}

// oneCell is a layout table with one cell.
func oneCell(class string) (table, cell *html.Node) {
	table, cell = element(atom.Table), element(atom.Td)
	row := element(atom.Tr)
	addClass(table, class)
	for _, a := range [][2]string{{"role", "presentation"}, {"width", "100%"}, {"cellpadding", "0"}, {"cellspacing", "0"}, {"border", "0"}} {
		setAttribute(table, a[0], a[1])
	}
	row.AppendChild(cell)
	table.AppendChild(row)
	return table, cell
}

// callout writes a call-out below its name, indented.
func (w textWriter) callout(n *callout, width int) []string {
	return append([]string{n.title + ":"}, indent(w.blocks(n, max(width-2, 20), false), "  ", "  ")...)
}

package render

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// forMail changes sanitised HTML where mail programs need other markup than web pages: no links within the letter, which
// many of them can't follow, code that wraps without white-space, and marks that the style sheet hangs on.
func (s setting) forMail(source string) (string, error) {
	body, err := fragment(source)
	if err != nil {
		return "", err
	}
	for _, a := range elements(body, atom.A) {
		if strings.HasPrefix(attribute(a, "href"), "#") {
			dropAnchor(a)
		} else if kindOfPlayer(a) != "" {
			s.pointToPage(a)
		}
	}
	for n := range body.Descendants() {
		removeAttribute(n, "id")
	}
	for _, item := range elements(body, atom.Li) {
		markItem(item)
	}
	for _, table := range elements(body, atom.Table) {
		if columnsIn(table) > mostColumns && s.page != "" {
			s.replaceWide(table)
			continue
		}
		addClass(table, "line")
		markColumns(table)
		for _, spacing := range []string{"cellpadding", "cellspacing", "border"} {
			setAttribute(table, spacing, "0")
		}
	}
	for _, rule := range elements(body, atom.Hr, atom.Blockquote) {
		addClass(rule, "line")
	}
	for _, div := range elements(body, atom.Div) {
		if strings.HasPrefix(attribute(div, "class"), "callout ") {
			replaceCallout(div)
		}
	}
	for _, image := range elements(body, atom.Img) {
		setAttribute(image, "style", "width:100%;max-width:"+attribute(image, "width")+"px") // else it holds a phone's column open
	}
	for _, pre := range elements(body, atom.Pre) {
		replacePre(pre)
	}
	return inner(body)
}

// dropAnchor takes away a link within the text; of the arrow back from a footnote nothing is left.
func dropAnchor(a *html.Node) {
	if attribute(a, "class") != "footnote-backref" {
		unwrap(a)
		return
	}
	if before := a.PrevSibling; before != nil && before.Type == html.TextNode {
		before.Data = strings.TrimRight(before.Data, " \u00a0")
	}
	a.Parent.RemoveChild(a)
}

// markItem sets a list item apart from its number or bullet, which take the item's own colour and weight: all that is in
// it, loose words too, goes into elements of class ink.
func markItem(item *html.Node) {
	addClass(item, "num")
	if first := strings.TrimSpace(innerText(item)); strings.HasPrefix(first, "☐") || strings.HasPrefix(first, "☑") {
		addClass(item, "task")
	}
	var run *html.Node
	for child := item.FirstChild; child != nil; {
		next := child.NextSibling
		switch {
		case !isInline(child):
			run = nil
			if child.Type == html.ElementNode && child.DataAtom != atom.Ul && child.DataAtom != atom.Ol {
				addClass(child, "ink")
			}
		case run == nil && child.Type == html.TextNode && strings.TrimSpace(child.Data) == "":
		default:
			if run == nil {
				run = element(atom.Span)
				addClass(run, "ink")
				item.InsertBefore(run, child)
			}
			item.RemoveChild(child)
			run.AppendChild(child)
		}
		child = next
	}
}

func isInline(n *html.Node) bool {
	if n.Type != html.ElementNode {
		return true
	}
	switch n.DataAtom {
	case atom.P, atom.Ul, atom.Ol, atom.Dl, atom.Blockquote, atom.Pre, atom.Table, atom.Div, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return false
	}
	return true
}

// mostColumns is how many columns a table may have in a letter: on a phone of 320 px more of them have room for no word.
const mostColumns = 6

func columnsIn(table *html.Node) int {
	if rows := elements(table, atom.Tr); len(rows) > 0 {
		return len(elements(rows[0], atom.Td, atom.Th))
	}
	return 0
}

// replaceWide has a link to the article's page stand for a table that no letter can show.
func (s setting) replaceWide(table *html.Node) {
	a := element(atom.A)
	setAttribute(a, "href", s.page)
	a.AppendChild(&html.Node{Type: html.TextNode, Data: s.wideTable(columnsIn(table))})
	if s.foreign != "" {
		setAttribute(a, "lang", s.words.Language())
		setAttribute(a, "dir", s.words.Dir())
	}
	p := element(atom.P)
	p.AppendChild(a)
	table.Parent.InsertBefore(p, table)
	table.Parent.RemoveChild(table)
}

// wideTable says what stands behind the link in place of a table.
func (s setting) wideTable(columns int) string { return s.words.T("email.table", "n", columns) }

// markColumns says which cells may break words to fit a phone: in a wide table all of them, there or everywhere.
func markColumns(table *html.Node) {
	columns := columnsIn(table)
	if columns > 3 {
		addClass(table, "wide")
	}
	for _, cell := range elements(table, atom.Td, atom.Th) {
		if columns > 5 || hasLongWord(innerText(cell)) {
			addClass(cell, "long")
		}
	}
}

// hasLongWord says whether a text holds a word that may be wider than its column on a phone.
func hasLongWord(s string) bool {
	for _, word := range strings.Fields(s) {
		if utf8.RuneCountInString(word) > 16 {
			return true
		}
	}
	return false
}

// replacePre makes a table's cell of preformatted text, its lines ending in br and its indentation kept by no-break
// spaces: Outlook and Samsung know no white-space, and a phone must be able to wrap a long line.
func replacePre(pre *html.Node) {
	code := element(atom.Code)
	for i, line := range strings.Split(strings.TrimRight(innerText(pre), "\n"), "\n") {
		if i > 0 {
			code.AppendChild(element(atom.Br))
		}
		code.AppendChild(&html.Node{Type: html.TextNode, Data: keepSpaces(line)})
	}
	table, cell := oneCell("block")
	addClass(cell, "code")
	setAttribute(cell, "dir", "ltr")
	setAttribute(cell, "align", "left")
	cell.AppendChild(code)
	pre.Parent.InsertBefore(table, pre)
	pre.Parent.RemoveChild(pre)
}

// keepSpaces keeps a line's indentation and its runs of spaces, but lets it wrap at single ones.
func keepSpaces(line string) string {
	line = strings.ReplaceAll(line, "\t", "    ")
	text := strings.TrimLeft(line, " ")
	indent := strings.Repeat("\u00a0", len(line)-len(text))
	return indent + strings.ReplaceAll(text, "  ", "\u00a0 ")
}

func element(kind atom.Atom) *html.Node {
	return &html.Node{Type: html.ElementNode, DataAtom: kind, Data: kind.String()}
}

func addClass(n *html.Node, class string) {
	setAttribute(n, "class", strings.TrimSpace(attribute(n, "class")+" "+class))
}

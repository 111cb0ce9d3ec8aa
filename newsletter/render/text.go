package render

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// endnotes are the addresses of a letter's links, numbered in the order of their first use.
type endnotes struct {
	targets []string
	number  map[string]int
}

// mark is the sign that stands behind a link's words: " [3]".
func (e *endnotes) mark(target string) string {
	if e.number == nil {
		e.number = map[string]int{}
	}
	if e.number[target] == 0 {
		e.targets = append(e.targets, target)
		e.number[target] = len(e.targets)
	}
	return fmt.Sprintf(" [%d]", e.number[target])
}

// textWriter writes a parsed document as plain text that reads well aloud.
type textWriter struct {
	document
	notes *endnotes
}

// text is the document in lines of at most textWidth columns.
func (d document) text(notes *endnotes) string {
	w := textWriter{d, notes}
	return strings.Join(w.blocks(d.root, textWidth, false), "\n")
}

// blocks writes the blocks inside a node, a blank line between each two unless they stand tight.
func (w textWriter) blocks(parent ast.Node, width int, tight bool) []string {
	var lines []string
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		block := w.block(n, width)
		if len(block) == 0 {
			continue
		}
		if len(lines) > 0 && !tight {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func (w textWriter) block(n ast.Node, width int) []string {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock:
		return w.paragraph(n, width)
	case *ast.Heading:
		return underline(w.paragraph(n, width), n.Level)
	case *ast.Blockquote:
		return indent(w.blocks(n, max(width-2, 20), false), "> ", "> ")
	case *callout:
		return w.callout(n, width)
	case *ast.List:
		return w.list(n, width)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return w.code(n)
	case *ast.ThematicBreak:
		return []string{divider}
	case *ast.HTMLBlock:
		return w.htmlBlock(n, width)
	case *east.Table:
		return w.table(n, width)
	case *east.DefinitionTerm:
		return w.paragraph(n, width)
	case *east.DefinitionDescription:
		return indent(w.blocks(n, max(width-4, 20), n.IsTight), "    ", "    ")
	case *east.DefinitionList:
		return w.blocks(n, width, true)
	case *east.FootnoteList:
		return w.footnotes(n, width)
	}
	return w.blocks(n, width, false)
}

func (w textWriter) paragraph(n ast.Node, width int) []string {
	s := strings.TrimSpace(w.inlines(n))
	if s == "" {
		return nil
	}
	return wrap(s, width)
}

// underline marks a heading: the letter's own with =, those of level 2 with -, deeper ones with dots.
func underline(lines []string, level int) []string {
	longest := 0
	for _, line := range lines {
		longest = max(longest, columnsOf(line))
	}
	if longest == 0 {
		return nil
	}
	sign := "."
	switch level {
	case 1:
		sign = "="
	case 2:
		sign = "-"
	}
	return append(lines, strings.Repeat(sign, min(longest, textWidth)))
}

func (w textWriter) list(list *ast.List, width int) []string {
	last := list.Start + list.ChildCount() - 1
	room := len(fmt.Sprint(last))
	var lines []string
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		sign := "* "
		if list.IsOrdered() {
			sign = fmt.Sprintf("%*d. ", room, number)
			number++
		}
		block := w.blocks(item, max(width-len(sign), 20), list.IsTight)
		if len(block) == 0 {
			block = []string{""}
		}
		if len(lines) > 0 && !list.IsTight {
			lines = append(lines, "")
		}
		lines = append(lines, indent(block, sign, strings.Repeat(" ", len(sign)))...)
	}
	return lines
}

// code keeps its lines as they are: breaking one would change it.
func (w textWriter) code(n ast.Node) []string {
	var b strings.Builder
	for i := 0; i < n.Lines().Len(); i++ {
		line := n.Lines().At(i)
		b.Write(line.Value(w.source))
	}
	return indent(strings.Split(strings.TrimRight(b.String(), "\n"), "\n"), "    ", "    ")
}

func (w textWriter) footnotes(list *east.FootnoteList, width int) []string {
	lines := underline([]string{w.words.T("email.notes")}, 3)
	for n := list.FirstChild(); n != nil; n = n.NextSibling() {
		sign := fmt.Sprintf("%d. ", n.(*east.Footnote).Index)
		lines = append(lines, indent(w.blocks(n, width-len(sign), false), sign, strings.Repeat(" ", len(sign)))...)
	}
	return lines
}

// inlines writes what is inside a paragraph on one line, but for breaks that the author made.
func (w textWriter) inlines(parent ast.Node) string {
	var b strings.Builder
	var open []string // targets of the raw HTML links that are open
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		raw, ok := n.(*ast.RawHTML)
		if !ok {
			b.WriteString(w.inline(n))
			continue
		}
		switch tag := readTag(raw, w.source); {
		case tag.DataAtom == atom.Br:
			b.WriteString("\n")
		case tag.DataAtom == atom.A && tag.Type == html.StartTagToken:
			open = append(open, attribute(&html.Node{Attr: tag.Attr}, "href"))
		case tag.DataAtom == atom.A && len(open) > 0:
			b.WriteString(w.mark(open[len(open)-1]))
			open = open[:len(open)-1]
		}
	}
	return b.String()
}

func (w textWriter) inline(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Text:
		switch s := string(textOf(n, w.source)); {
		case n.HardLineBreak():
			return s + "\n"
		case n.SoftLineBreak():
			return s + " "
		default:
			return s
		}
	case *ast.String:
		return string(n.Value)
	case *ast.Image:
		return pictureName(n, w.source, w.words)
	case *mergeNode:
		return n.value
	case *player:
		return w.player(n.kind, n.target)
	case *ast.CodeSpan:
		return strings.ReplaceAll(w.inlines(n), "\n", " ")
	case *ast.AutoLink:
		target := string(n.URL(w.source))
		if n.AutoLinkType == ast.AutoLinkEmail {
			target = "mailto:" + target
		}
		return w.link(string(n.Label(w.source)), target)
	case *ast.Link:
		return w.link(w.inlines(n), string(util.URLEscape(n.Destination, true)))
	case *east.Strikethrough:
		return "~" + w.inlines(n) + "~"
	case *east.TaskCheckBox:
		return checkbox(n)
	case *east.FootnoteLink:
		return " " + w.words.T("email.note_mark", "n", n.Index)
	case *east.FootnoteBacklink:
		return ""
	}
	return w.inlines(n)
}

// link writes a link's words with the number of its address, or the address alone where the words are the address.
func (w textWriter) link(text, target string) string {
	target = resolve(w.base, target)
	shown := strings.TrimSpace(text)
	switch {
	case target == "" || strings.HasPrefix(target, "#"):
		return text
	case shown == "":
		return ""
	case shown == target:
		return target
	case "mailto:"+shown == target:
		return shown
	}
	return text + w.notes.mark(target)
}

// mark is the number of the address that raw HTML links to.
func (w textWriter) mark(target string) string {
	if target = resolve(w.base, target); target == "" || strings.HasPrefix(target, "#") {
		return ""
	}
	return w.notes.mark(target)
}

package render

import (
	"bufio"
	"bytes"
	"html/template"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	mdhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/templates"
)

// wordsKey carries the catalogue of the letter's language through the parser.
var wordsKey = parser.NewContextKey()

// foreignKey carries the attributes that mark the catalogue's language where the letter's is another.
var foreignKey = parser.NewContextKey()

// mender changes the parsed text where mail needs something else than what was written, once for both parts: headings in
// order below the title, pictures as links (a letter loads nothing from outside), and marks for the style sheet.
type mender struct{}

// Transform implements parser.ASTTransformer.
func (mender) Transform(doc *ast.Document, reader text.Reader, context parser.Context) {
	words, _ := context.Get(wordsKey).(templates.Words)
	foreign, _ := context.Get(foreignKey).(template.HTMLAttr)
	var headings []*ast.Heading
	var pictures []*ast.Image
	var quotes []*ast.Blockquote
	var tags []*ast.RawHTML
	var links []*ast.Link
	merges, merging := context.Get(mergeKey).(*merger)
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			headings = append(headings, n)
		case *ast.Image:
			pictures = append(pictures, n)
			if merging {
				merges.unfilled(reader.Source(), offsetOf(n), n.Destination)
				merges.unfilled(reader.Source(), offsetOf(n), n.Title)
			}
		case *ast.AutoLink:
			if merging {
				merges.unfilled(reader.Source(), offsetOf(n.Parent()), n.Label(reader.Source()))
			}
		case *ast.Blockquote:
			quotes = append(quotes, n)
		case *ast.RawHTML:
			tags = append(tags, n)
			if merging {
				merges.raw(reader.Source(), n.Segments)
			}
		case *ast.HTMLBlock:
			if merging && n.HTMLBlockType != ast.HTMLBlockType2 { // a comment is not mailed
				merges.raw(reader.Source(), n.Lines())
			}
		case *ast.Link:
			links = append(links, n)
		case *ast.ListItem:
			markLead(n, reader.Source())
		case *east.Table:
			n.SetAttributeString("class", []byte("data"))
		case *east.TableCell:
			markCell(n)
		}
		return ast.WalkContinue, nil
	})
	mendHeadings(headings, reader.Source())
	for _, quote := range quotes {
		replaceQuote(quote, reader.Source(), words, foreign)
	}
	ours, _ := context.Get(picturesKey).(map[string]Picture)
	for _, picture := range pictures {
		if found, ok := ours[string(picture.Destination)]; ok {
			placePicture(picture, found)
		} else if !referencing(context) {
			replacePicture(picture, reader.Source(), words)
		}
	}
	mendTags(replacePlayers(tags, reader.Source()), reader.Source())
	for _, link := range links {
		if merging {
			link.Destination = merges.target(reader.Source(), offsetOf(link), link.Destination)
			merges.unfilled(reader.Source(), offsetOf(link), link.Destination)
			merges.unfilled(reader.Source(), offsetOf(link), link.Title)
		}
		if strings.TrimSpace(plain(link, reader.Source())) == "" && !holdsPicture(link) {
			link.AppendChild(link, raw(string(link.Destination)))
		}
	}
}

// offsetOf is where the text inside a node begins in the source; 0 where it has none.
func offsetOf(n ast.Node) int {
	for ; n != nil; n = n.FirstChild() {
		if t, ok := n.(*ast.Text); ok {
			return t.Segment.Start
		}
	}
	return 0
}

// raw is a text that is shown as it is.
func raw(s string) *ast.String {
	n := ast.NewString([]byte(s))
	n.SetRaw(true)
	return n
}

// mendHeadings gives headings the levels of their outline: the title is level 1, the article's begin at 2, and none is
// skipped on the way down (h4 after h2 is read aloud as a missing part). An empty one is taken out.
func mendHeadings(headings []*ast.Heading, source []byte) {
	var open []int // levels as written, of the headings that enclose the present one
	for _, h := range headings {
		if strings.TrimSpace(plain(h, source)) == "" {
			h.Parent().RemoveChild(h.Parent(), h)
			continue
		}
		for len(open) > 0 && open[len(open)-1] >= h.Level {
			open = open[:len(open)-1]
		}
		open = append(open, h.Level)
		h.Level = min(len(open)+1, 6)
	}
}

// markLead marks the bold lead-in of a list item, "**Immune system:** When …", which the letter sets on a line of its own.
func markLead(item *ast.ListItem, source []byte) {
	first := item.FirstChild()
	if first == nil || first.Kind() != ast.KindParagraph && first.Kind() != ast.KindTextBlock {
		return
	}
	lead, ok := first.FirstChild().(*ast.Emphasis)
	if !ok || lead.Level != 2 || lead.NextSibling() == nil {
		return
	}
	if s := plain(lead, source); strings.HasSuffix(s, ":") || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "：") {
		lead.SetAttributeString("class", []byte("lead"))
	}
}

func markCell(cell *east.TableCell) {
	if cell.Parent() != nil && cell.Parent().Kind() == east.KindTableHeader {
		cell.SetAttributeString("scope", []byte("col"))
	}
	if cell.Alignment != east.AlignNone {
		cell.SetAttributeString("class", []byte("align-"+cell.Alignment.String()))
	}
}

// replacePicture puts a link with the picture's description in its place: mail may not load from other people's servers,
// which would tell them who reads. One from the article's own folder is nowhere to link to, and one without a description
// is decoration and goes.
func replacePicture(picture *ast.Image, source []byte, words templates.Words) {
	parent := picture.Parent()
	alt := strings.Join(strings.Fields(plain(picture, source)), " ")
	if alt == "" {
		parent.RemoveChild(parent, picture)
		return
	}
	name := raw(words.T("email.picture", "alt", alt))
	var instead ast.Node = name
	if bytes.HasPrefix(picture.Destination, []byte("https://")) && !within(picture, ast.KindLink) {
		link := ast.NewLink()
		link.Destination = picture.Destination
		link.AppendChild(link, name)
		instead = link
	}
	parent.ReplaceChild(parent, picture, instead)
}

// mendTags judges the tags of raw HTML inside paragraphs. What formats words is left to the sanitiser if it begins and ends
// in the same paragraph, since an open link or bold tag would run on into the rest of the letter. Comments and boxes go,
// and anything else stands as it was written: whoever writes "ask your <GP>" means the word.
func mendTags(tags []*ast.RawHTML, source []byte) {
	open := map[ast.Node][]*ast.RawHTML{} // by paragraph, innermost last
	for _, tag := range tags {
		token, parent := readTag(tag, source), tag.Parent()
		switch {
		case token.Type == html.CommentToken || token.Type == html.DoctypeToken || isBox(token.DataAtom):
			parent.RemoveChild(parent, tag)
		case !isFormat(token.DataAtom):
			parent.ReplaceChild(parent, tag, raw(string(tag.Segments.Value(source))))
		case token.DataAtom == atom.Br:
		case token.Type == html.StartTagToken:
			open[parent] = append(open[parent], tag)
		case token.Type == html.EndTagToken:
			open[parent] = closeTag(open[parent], tag, source)
		default: // <b/> formats nothing
			parent.RemoveChild(parent, tag)
		}
	}
	for parent, left := range open {
		for _, tag := range left {
			parent.RemoveChild(parent, tag)
		}
	}
}

// closeTag ends the innermost tag only; an end tag for anything else goes, so that tags can't overlap.
func closeTag(open []*ast.RawHTML, end *ast.RawHTML, source []byte) []*ast.RawHTML {
	if n := len(open); n > 0 && readTag(open[n-1], source).DataAtom == readTag(end, source).DataAtom {
		return open[:n-1]
	}
	end.Parent().RemoveChild(end.Parent(), end)
	return open
}

func readTag(tag *ast.RawHTML, source []byte) html.Token {
	z := html.NewTokenizer(bytes.NewReader(tag.Segments.Value(source)))
	z.Next()
	return z.Token()
}

func isBox(kind atom.Atom) bool {
	switch kind {
	case atom.P, atom.Div, atom.Center, atom.Font, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Figure, atom.Figcaption:
		return true
	}
	return false
}

func isFormat(kind atom.Atom) bool {
	switch kind {
	case atom.A, atom.Abbr, atom.B, atom.Br, atom.Cite, atom.Code, atom.Del, atom.Em, atom.I, atom.Ins, atom.Kbd, atom.Mark, atom.Q,
		atom.S, atom.Samp, atom.Small, atom.Span, atom.Strong, atom.Sub, atom.Sup, atom.U, atom.Var:
		return true
	}
	return false
}

func within(n ast.Node, kind ast.NodeKind) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Kind() == kind {
			return true
		}
	}
	return false
}

// plain is a node's text without any marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(textOf(n, source))
				if n.SoftLineBreak() || n.HardLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		case *ast.AutoLink:
			if entering {
				b.Write(n.Label(source))
			}
		case *mergeNode:
			if entering {
				b.WriteString(n.public)
			}
		default:
			if !entering && n.Type() == ast.TypeBlock && n.NextSibling() != nil {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// textOf is what a text node says. The writer of the HTML resolves its escapes and entities, so that both parts read them
// alike.
func textOf(n *ast.Text, source []byte) []byte {
	value := n.Segment.Value(source)
	if n.IsRaw() || n.Parent() != nil && n.Parent().Kind() == ast.KindCodeSpan {
		return value
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	mdhtml.DefaultWriter.Write(w, value)
	_ = w.Flush() // into memory
	return []byte(html.UnescapeString(b.String()))
}

// substitutes renders what goldmark renders unfit for mail: a task's box as a form's field, and blocks of raw HTML as they
// are, of which one left open could swallow what follows it.
type substitutes struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (substitutes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(east.KindTaskCheckBox, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.WriteString(checkbox(n.(*east.TaskCheckBox)))
		}
		return ast.WalkContinue, nil
	})
	r.Register(kindCallout, writeCallout)
	r.Register(kindPlayer, writePlayer)
	r.Register(kindMerge, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.WriteString(template.HTMLEscapeString(n.(*mergeNode).value))
		}
		return ast.WalkContinue, nil
	})
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			_, _ = w.WriteString(cleanBlock(n.(*ast.HTMLBlock), source))
		}
		return ast.WalkContinue, nil
	})
}

// cleanBlock is a block of raw HTML by itself, sanitised and closed.
func cleanBlock(n *ast.HTMLBlock, source []byte) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		b.Write(line.Value(source))
	}
	if n.HasClosure() {
		b.Write(n.ClosureLine.Value(source))
	}
	clean, err := cleanHTML(b.String())
	if err != nil {
		return template.HTMLEscapeString(b.String()) // nested too deeply to be markup that anyone meant
	}
	return clean
}

// cleanHTML sanitises HTML in which players have become links.
func cleanHTML(source string) (string, error) {
	body, err := fragment(source)
	if err != nil {
		return "", err
	}
	replacePlayerElements(body)
	if source, err = inner(body); err != nil {
		return "", err
	}
	return sanitise(source, nil, nil)
}

func checkbox(n *east.TaskCheckBox) string {
	if n.IsChecked {
		return "☑ "
	}
	return "☐ "
}

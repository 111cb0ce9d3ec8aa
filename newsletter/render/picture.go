package render

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"pressrun/templates"
)

// Picture is an article's picture as readers can load it. Width and Height are its pixels.
type Picture struct {
	URL           string
	Width, Height int
}

// The widths, in pixels of the layout, at which pictures are shown: stored ones have twice as many.
const (
	heroWidth   = 600 // across the sheet
	columnWidth = 528
	insetWidth  = 440 // in quotes, lists and call-outs
	cellWidth   = 160 // in a table's cell
)

// shown is the size of a picture in a room of so many pixels; a small one isn't blown up.
func (p Picture) shown(room int) (width, height int) {
	width = min(p.Width, room)
	return width, max(1, (p.Height*width+p.Width/2)/max(p.Width, 1))
}

// picturesKey carries a letter's pictures through the parser, referencesKey the wish to know what a text names.
var (
	picturesKey   = parser.NewContextKey()
	referencesKey = parser.NewContextKey()
)

// placePicture shows a picture that the letter has, at the size of its place. One that is alone in its paragraph is a
// figure; its title is its caption.
func placePicture(image *ast.Image, picture Picture) {
	room := columnWidth
	switch {
	case within(image, east.KindTable):
		room = cellWidth
	case within(image, ast.KindList) || within(image, ast.KindBlockquote) || within(image, kindCallout):
		room = insetWidth
	}
	width, height := picture.shown(room)
	caption := strings.Join(strings.Fields(string(image.Title)), " ")
	image.Destination, image.Title = []byte(picture.URL), nil
	image.SetAttributeString("width", []byte(strconv.Itoa(width)))
	image.SetAttributeString("height", []byte(strconv.Itoa(height)))
	var outer ast.Node = image
	if link, ok := image.Parent().(*ast.Link); ok && link.ChildCount() == 1 {
		outer = link
	}
	paragraph, ok := outer.Parent().(*ast.Paragraph)
	if !ok || paragraph.ChildCount() != 1 {
		return
	}
	paragraph.SetAttributeString("class", []byte("figure"))
	if caption == "" {
		return
	}
	paragraph.SetAttributeString("class", []byte("figure captioned"))
	below := ast.NewParagraph()
	below.SetAttributeString("class", []byte("caption"))
	below.AppendChild(below, words(caption))
	paragraph.Parent().InsertAfter(paragraph.Parent(), paragraph, below)
}

// words is a text that is shown as it is, escaped.
func words(s string) *ast.String { return ast.NewString([]byte(s)) }

func holdsPicture(link *ast.Link) bool {
	for child := link.FirstChild(); child != nil; child = child.NextSibling() {
		if child.Kind() == ast.KindImage {
			return true
		}
	}
	return false
}

// pictureName is what stands for a picture in the text part; nothing where it has no description.
func pictureName(image *ast.Image, source []byte, words templates.Words) string {
	alt := strings.Join(strings.Fields(plain(image, source)), " ")
	if alt == "" {
		return ""
	}
	return "[" + words.T("email.picture", "alt", alt) + "]"
}

// Reference is a picture that a text names, and the line it stands on, from 1.
type Reference struct {
	Path string // as written
	Line int
}

// References are the pictures that an article's Markdown names, in order. What Issue would refuse has none.
func References(markdown string) []Reference {
	if checkSource("Markdown", markdown) != nil {
		return nil
	}
	source := []byte(clean(markdown))
	var all []Reference
	context := parser.NewContext()
	context.Set(referencesKey, true)
	root := articles().Parser().Parse(text.NewReader(source), parser.WithContext(context))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if image, ok := n.(*ast.Image); ok && entering {
			at := blockOffset(image)
			if found := bytes.Index(source[at:], image.Destination); found >= 0 {
				at += found
			}
			all = append(all, Reference{string(image.Destination), 1 + bytes.Count(source[:at], []byte("\n"))})
		}
		return ast.WalkContinue, nil
	})
	return all
}

// referencing says that a text is parsed for its references alone, and keeps its pictures as they are.
func referencing(context parser.Context) bool { return context.Get(referencesKey) != nil }

// blockOffset is where the block around a node begins in the source.
func blockOffset(n ast.Node) int {
	for ; n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
			return n.Lines().At(0).Start
		}
	}
	return 0
}

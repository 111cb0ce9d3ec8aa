package render

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"pressrun/templates"
)

// document is a parsed text: the one source that both parts of a mail are written from.
type document struct {
	setting
	field  string // names the text in errors
	source []byte
	root   ast.Node
	markup goldmark.Markdown
}

// articles reads what authors write: CommonMark and GFM, footnotes and definition lists. Raw HTML is passed on to the
// sanitiser. The authors' own quotes and dashes are kept: nothing is "corrected".
var articles = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.Linkify, extension.Strikethrough, extension.TaskList, extension.DefinitionList, extension.Footnote,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)),
		),
		goldmark.WithParserOptions(
			parser.WithInlineParsers(util.Prioritized(mergeParser{}, 90)),
			parser.WithASTTransformers(util.Prioritized(mender{}, 1000)),
		),
		goldmark.WithRendererOptions(html.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(substitutes{}, 1))),
	)
})

// disclaimers reads paragraphs with emphasis and links. All else, lists and raw HTML too, stands as it was written, so that
// no word or number of a disclaimer can be lost.
var disclaimers = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(util.Prioritized(parser.NewParagraphParser(), 1000)),
			parser.WithInlineParsers(
				util.Prioritized(parser.NewLinkParser(), 200),
				util.Prioritized(parser.NewAutoLinkParser(), 300),
				util.Prioritized(parser.NewEmphasisParser(), 500),
			),
			parser.WithASTTransformers(util.Prioritized(mender{}, 1000)),
		)),
		goldmark.WithExtensions(extension.Linkify),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(substitutes{}, 1))),
	)
})

// setting is what a text is read in: the words of its language, and where relative links are seen from.
type setting struct {
	words  templates.Words
	base   *url.URL         // nil: relative links stay as they are
	merges map[string]merge // nil: fields stay as they are
	hole   Hole

	pictures map[string]Picture // by their paths as written
	foreign  template.HTMLAttr  // marks the words' language where it is not the text's
	page     string             // where what no letter can show is seen; empty: nowhere
}

// parseDocument reads a text within the bounds; field names it in errors.
func parseDocument(markup goldmark.Markdown, field, source string, in setting) (document, error) {
	if err := checkSource(field, source); err != nil {
		return document{}, err
	}
	d := document{setting: in, field: field, source: []byte(clean(source)), markup: markup}
	context := parser.NewContext()
	context.Set(wordsKey, in.words)
	context.Set(foreignKey, in.foreign)
	context.Set(picturesKey, in.pictures)
	m := &merger{field: field, values: in.merges, hole: in.hole}
	if in.merges != nil {
		context.Set(mergeKey, m)
	}
	d.root = markup.Parser().Parse(text.NewReader(d.source), parser.WithContext(context))
	if err := m.err(); err != nil {
		return document{}, err
	}
	if err := checkTree(field, d.root); err != nil {
		return document{}, err
	}
	return d, nil
}

// html is the document as sanitised, balanced HTML without styles.
func (d document) html() (string, error) {
	var b bytes.Buffer
	if err := d.markup.Renderer().Render(&b, d.source, d.root); err != nil {
		return "", fmt.Errorf("%s: %w", d.field, err)
	}
	clean, err := sanitise(b.String(), d.base, d.pictures)
	if err != nil {
		return "", &FieldError{d.field, "can't be shown: " + err.Error()}
	}
	return d.namePlayers(clean)
}

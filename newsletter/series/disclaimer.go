package series

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"pressrun/subscribers/store"
)

// Disclaimer is one wording of a series' disclaimer.
type Disclaimer struct {
	ID      int64
	Version int
	Text    string // plain text or Markdown paragraphs
	Place   string // start, end, both
}

const newDisclaimer = `INSERT INTO disclaimers (series_id, version, text, place, created)
SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM disclaimers WHERE series_id = ?1`

// addDisclaimer makes d the series' newest wording.
func addDisclaimer(ctx context.Context, tx *store.Tx, seriesID int64, d Disclaimer, now time.Time) error {
	if _, err := tx.Exec(ctx, newDisclaimer, seriesID, d.Text, d.Place, millis(now)); err != nil {
		return fmt.Errorf("new disclaimer: %w", err)
	}
	return nil
}

// CheckDisclaimer fails with ErrDisclaimer unless the words that rule 16 asks for stand in both documents: the series' and
// the article's own, or the article's alone where it replaces them.
func CheckDisclaimer(s Series, a Article, htmlDoc, textDoc string) error {
	wanted := []string{s.Disclaimer.Text}
	if squeeze(a.Disclaimer) != "" {
		wanted = append(wanted, a.Disclaimer)
		if a.DisclaimerMode == "replace" {
			wanted = wanted[1:]
		}
	}
	shown := []struct{ part, words string }{{"HTML", squeeze(visible(htmlDoc))}, {"text", squeeze(textDoc)}}
	for _, d := range wanted {
		runs := wordRuns(d)
		if len(runs) == 0 {
			return fmt.Errorf("%w: %q has no words to show; nothing was sent: give the series one that says something", ErrDisclaimer, d)
		}
		for _, doc := range shown {
			if missing := firstMissing(doc.words, runs); missing != "" {
				return fmt.Errorf("%w in the %s part: %q is not there; nothing was sent: put it back into the template", ErrDisclaimer, doc.part, missing)
			}
		}
	}
	return nil
}

// firstMissing returns the first run that does not follow the runs before it in the squeezed words; empty: all do.
func firstMissing(words string, runs []string) string {
	for _, run := range runs {
		squeezed := squeeze(run)
		i := strings.Index(words, squeezed)
		if i < 0 {
			return run
		}
		words = words[i+len(squeezed):]
	}
	return ""
}

// squeeze leaves the letters and digits of a text, in lower case: spaces, line breaks, quotes and marks are how a layout
// shows words, not what they say.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// wordRuns reads a disclaimer as Markdown and returns its words, cut where a rendering may put something
// between them: at the ends of paragraphs and list items, and after links, whose address a text part writes out.
func wordRuns(markdown string) (runs []string) {
	source := []byte(markdown)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	var run strings.Builder
	cut := func() {
		if squeeze(run.String()) != "" {
			runs = append(runs, strings.TrimSpace(run.String()))
		}
		run.Reset()
	}
	// The walker below returns no error, so Walk has none.
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock || n.Kind() == ast.KindLink {
				cut()
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			run.WriteString(html.UnescapeString(string(n.Value(source))))
			if n.SoftLineBreak() || n.HardLineBreak() {
				run.WriteByte(' ')
			}
		case *ast.AutoLink:
			run.Write(n.Label(source))
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			run.Write(n.Lines().Value(source))
		case *ast.HTMLBlock:
			run.WriteString(visible(string(n.Lines().Value(source))))
		case *ast.Image: // what it shows is no text in HTML
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	cut()
	return runs
}

// visible is the text of an HTML document as readers see it: without head, scripts, styles, comments and elements that
// their own style hides, such as the preheader. Of a document that can't be parsed nobody sees anything.
func visible(doc string) string {
	root, err := html.Parse(strings.NewReader(doc))
	if err != nil {
		return ""
	}
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && isHidden(n):
			return
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
	}
	walk(root)
	return b.String()
}

func isHidden(n *html.Node) bool {
	switch n.Data {
	case "head", "script", "style", "template", "title", "noscript":
		return true
	}
	for _, a := range n.Attr {
		switch style := strings.ToLower(strings.Join(strings.Fields(a.Val), "")); a.Key {
		case "hidden":
			return true
		case "style":
			if strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden") {
				return true
			}
		}
	}
	return false
}

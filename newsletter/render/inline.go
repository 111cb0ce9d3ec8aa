package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// onlyLive finds what cascadia takes and never matches.
var onlyLive = regexp.MustCompile(`:(active|focus|hover|target|visited)`)

// declaration is one property with its value, as in a style attribute.
type declaration struct {
	property, value string
	important       bool
}

// rule is a selector with its declarations; one rule of a sheet with several selectors becomes several of these.
type rule struct {
	selector     cascadia.Sel
	declarations []declaration
}

// match is a declaration that applies to an element, with what decides between those for the same property.
type match struct {
	declaration
	attribute   bool // from the element's own style attribute, which outranks every selector
	specificity cascadia.Specificity
}

// inlineStyles moves the rules of all style elements into style attributes, since some mail programs drop style sheets.
// A style element with the attribute data-embed stays as it is (media queries, dark mode), and so do comments, among them
// those that Outlook reads. Declarations are written in the order of the cascade, so a shorthand and its longhands keep
// their meaning.
func inlineStyles(document []byte) (string, error) {
	root, err := html.Parse(bytes.NewReader(document))
	if err != nil {
		return "", fmt.Errorf("parse the layout: %w", err)
	}
	var rules []rule
	for _, style := range elements(root, atom.Style) {
		if hasAttribute(style, "data-embed") {
			removeAttribute(style, "data-embed")
			continue
		}
		found, err := parseSheet(innerText(style))
		if err != nil {
			return "", err
		}
		rules = append(rules, found...)
		style.Parent.RemoveChild(style)
	}
	matches := map[*html.Node][]match{}
	for _, r := range rules {
		for _, n := range cascadia.QueryAll(root, r.selector) {
			for _, d := range r.declarations {
				matches[n] = append(matches[n], match{d, false, r.selector.Specificity()})
			}
		}
	}
	for n, found := range matches {
		own, err := parseDeclarations(attribute(n, "style"))
		if err != nil {
			return "", err
		}
		for _, d := range own {
			found = append(found, match{declaration: d, attribute: true})
		}
		setAttribute(n, "style", cascade(found))
	}
	tidy(root)
	var b strings.Builder
	if err := html.Render(&b, root); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}

// cascade orders declarations as CSS does (importance, then the attribute, then specificity, then order of appearance),
// leaves of each property the one that wins, and writes them.
func cascade(found []match) string {
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if a.important != b.important {
			return b.important
		}
		if a.attribute != b.attribute {
			return b.attribute
		}
		return a.specificity.Less(b.specificity)
	})
	last := map[string]int{}
	for i, m := range found {
		last[m.property] = i
	}
	var out []string
	for i, m := range found {
		if last[m.property] == i && !overridden(found[i+1:], m.property) {
			out = append(out, m.property+":"+m.value)
		}
	}
	return strings.Join(out, ";")
}

// overridden says whether a shorthand among later declarations sets a longhand again. Other shorthands than these stay
// beside their longhands, in order.
func overridden(later []match, property string) bool {
	for _, m := range later {
		if (m.property == "margin" || m.property == "padding") && strings.HasPrefix(property, m.property+"-") {
			return true
		}
	}
	return false
}

// parseSheet reads a style sheet of plain rules. An at-rule or a selector that only a browser can match (:hover) is an
// error: it belongs into a style element with data-embed.
func parseSheet(sheet string) ([]rule, error) {
	rules, at, err := readSheet(sheet)
	if err != nil {
		return nil, &sheetError{1 + strings.Count(sheet[:min(at, len(sheet))], "\n"), err}
	}
	return rules, nil
}

// sheetError is a fault of a style sheet; line is its own, from 1.
type sheetError struct {
	line int
	err  error
}

func (e *sheetError) Error() string { return fmt.Sprintf("style sheet: line %d: %v", e.line, e.err) }
func (e *sheetError) Unwrap() error { return e.err }

// readSheet is parseSheet; at is where in the sheet it stopped.
func readSheet(sheet string) (rules []rule, at int, err error) {
	var selectors []cascadia.Sel
	var declarations []declaration
	p := css.NewParser(parse.NewInputString(sheet), false)
	for {
		kind, _, data := p.Next()
		switch kind {
		case css.ErrorGrammar:
			if err := p.Err(); err != io.EOF {
				return nil, p.Offset(), err
			}
			return rules, p.Offset(), nil
		case css.QualifiedRuleGrammar, css.BeginRulesetGrammar:
			text := join(p.Values())
			list, err := cascadia.ParseGroup(text)
			if err == nil && onlyLive.MatchString(text) {
				err = errors.New("only a live page can match this")
			}
			if err != nil {
				return nil, p.Offset(), fmt.Errorf("selector %q: %w", text, err)
			}
			selectors = append(selectors, list...)
		case css.DeclarationGrammar:
			declarations = append(declarations, newDeclaration(data, p.Values()))
		case css.EndRulesetGrammar:
			for _, s := range selectors {
				rules = append(rules, rule{s, declarations})
			}
			selectors, declarations = nil, nil
		case css.CommentGrammar:
		default:
			return nil, p.Offset(), fmt.Errorf("%q can't be inlined: put it into phone.css or dark.css", data)
		}
	}
}

// parseDeclarations reads a style attribute.
func parseDeclarations(style string) ([]declaration, error) {
	var all []declaration
	p := css.NewParser(parse.NewInputString(style), true)
	for {
		switch kind, _, data := p.Next(); kind {
		case css.ErrorGrammar:
			if err := p.Err(); err != io.EOF {
				return nil, fmt.Errorf("style attribute %q: %w", style, err)
			}
			return all, nil
		case css.DeclarationGrammar:
			all = append(all, newDeclaration(data, p.Values()))
		}
	}
}

// newDeclaration takes "!important" off the value: the cascade has used it once the declaration stands in an attribute.
func newDeclaration(property []byte, value []css.Token) declaration {
	d := declaration{property: strings.ToLower(string(property)), value: join(value)}
	if at := strings.LastIndexByte(d.value, '!'); at >= 0 && strings.EqualFold(strings.TrimSpace(d.value[at+1:]), "important") {
		d.value, d.important = strings.TrimSpace(d.value[:at]), true
	}
	return d
}

func join(tokens []css.Token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.Write(t.Data)
	}
	return strings.TrimSpace(b.String())
}

// tidy takes out the white space between the parts of tables, which nobody sees and everybody downloads.
func tidy(root *html.Node) {
	var idle []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.TextNode && strings.TrimSpace(n.Data) == "" && n.Parent != nil {
			switch n.Parent.DataAtom {
			case atom.Table, atom.Tbody, atom.Thead, atom.Tr, atom.Head, atom.Html:
				idle = append(idle, n)
			}
		}
	}
	for _, n := range idle {
		n.Parent.RemoveChild(n)
	}
}

func hasAttribute(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

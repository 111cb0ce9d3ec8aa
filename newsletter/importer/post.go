package importer

import (
	"cmp"
	"errors"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// post is an article as a feed or an export of another program has it.
type post struct {
	guid      string // what it is known by there; empty: nothing
	name      string // its slug there; empty: its title makes one
	title     string // plain text
	html      string
	text      string // Markdown instead of html
	unread    string // why there is neither; empty: there is
	preheader string // may be HTML
	tags      []string
	draft     bool
	closed    closed
	summary   bool     // html is not the whole text
	codes     []string // shortcodes and blocks that were taken out
	footnotes string   // JSON, as WordPress keeps them beside a text
	image     string   // key picture, a path as the text might name it
	date      moment
	resolve   resolver
}

// markdown is the text of a post: its own Markdown, or its HTML by the way of all web pages.
func (p post) markdown() (markdown string, problems []Problem, dead addresses, err error) {
	switch {
	case p.unread != "":
		return "", nil, dead, errors.New(p.unread)
	case len(p.html) > maxArticle:
		return "", nil, dead, tooLarge(maxArticle)
	case p.text != "":
		text := trimBody(sane(p.text))
		problems := leftOut(text, 1)
		for i := range problems {
			problems[i].Line = 0 // of a text that is no file by itself
		}
		if own := ownBraces(text); own != text {
			return own, append(problems, otherFields()), dead, nil
		}
		return text, problems, dead, nil
	}
	doc, err := html.Parse(strings.NewReader(sane(p.html)))
	if err != nil {
		return "", nil, dead, err
	}
	body := cmp.Or(oneOf(doc, atom.Body), doc)
	if h := firstElement(body); h != nil && h.DataAtom == atom.H1 && fold(words(h)) == fold(p.title) {
		h.Parent.RemoveChild(h)
	}
	markdown, problems, dead, err = convertForeign(body, p.resolve)
	if len(p.codes) > 0 {
		problems = append(problems, Problem{
			What: "it holds " + strings.Join(p.codes, ", ") + ", which only the site could fill: left out; words between two of them stay",
			Mend: "look what readers miss",
		})
	}
	return markdown, problems, dead, err
}

// convertForeign is convert for what another program wrote for its own site: its addresses are resolved, its merge fields stay as they
// read, and what asks readers to subscribe there or to share goes.
func convertForeign(body *html.Node, resolve resolver) (markdown string, problems []Problem, dead addresses, err error) {
	hidden := dropUnseen(body) // before anything of it is kept for its words
	dropped := dropWidgets(body)
	dead = settleAddresses(body, resolve)
	dead.widgets = dropped
	fields := keepFields(body)
	markdown, problems, err = convert(body)
	problems = append(hidden, problems...)
	if fields {
		markdown = strings.ReplaceAll(markdown, string(escaped), `\`)
		problems = append(problems, otherFields())
	}
	return markdown, problems, dead, err
}

func firstElement(n *html.Node) *html.Node {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode || c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
			return c
		}
	}
	return nil
}

// sane is a text without what no article may hold: broken UTF-8 and control characters.
func sane(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, lineEnds.Replace(strings.ToValidUTF8(s, "\ufffd")))
}

// titleOf makes one line of a title.
func titleOf(s string) string { return clip(noField(oneLine(sane(s))), maxTitle-1) }

// inlineTag is what blogs put into titles; any other tag there is a word.
var inlineTag = regexp.MustCompile(`(?i)</?(?:a|abbr|b|br|cite|code|em|i|mark|q|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>`)

// htmlTitle is the text of a title that may hold tags and entities.
func htmlTitle(s string) string { return html.UnescapeString(inlineTag.ReplaceAllString(s, "")) }

// wordsOf is the text of a piece of HTML in one line.
func wordsOf(s string) string {
	if len(s) > maxArticle {
		return ""
	}
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		return ""
	}
	dropUnseen(doc)
	clean(doc)
	return oneLine(sane(words(doc)))
}

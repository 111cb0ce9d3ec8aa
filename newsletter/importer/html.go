package importer

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/newsletter/series"
)

// maxPage is the largest page that is read from the web, in bytes: most of it is not the article.
const maxPage = 2 << 20

// maxBrackets bounds the [ of an HTML text: the converter takes quadratic time on them (20 seconds for 256 KB).
const maxBrackets = 2_000

var errBrackets = errors.New("it has more than 2,000 square brackets")

// readHTML reads one article from a web page: the title from its first heading or its head, the text from its article, main
// or body element, neighbours from links that say so (rel=prev, rel=next). What acts or navigates is left out.
func readHTML(text string) (candidate, []Problem) { return readPage(text, "") }

// readPage is readHTML for a page that was at a web address, where its links and pictures lead from; empty: it is a file.
func readPage(text, address string) (candidate, []Problem) {
	c := candidate{Incoming: series.Incoming{Text: series.Text{DisclaimerMode: "add"}}}
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return c, []Problem{{What: "the page can't be parsed: " + err.Error(), Mend: "save it as plain text", Fatal: true}}
	}
	c.previous.title, c.next.title = relTitle(doc, "prev"), relTitle(doc, "next")
	c.Date, c.Description = metaOf(doc, "article:published_time"), oneLine(metaOf(doc, "description"))
	if c.Date = clipDate(c.Date); c.Date == "" {
		c.Date = clipDate(metaOf(doc, "date"))
	}
	body := mainPart(doc)
	heading := oneOf(body, atom.H1)
	if heading == nil {
		heading = oneOf(doc, atom.Title)
	}
	if heading != nil {
		c.Title = oneLine(words(heading))
		heading.Parent.RemoveChild(heading)
	}
	if utf8.RuneCountInString(c.Title) > maxTitle {
		return c, []Problem{longTitle(0)}
	}
	convertPage, more := convert, []Problem(nil)
	if address != "" {
		more = feedOf(doc, address)
		c.Title, c.Description = noField(c.Title), noField(c.Description)
		convertPage = func(body *html.Node) (string, []Problem, error) {
			markdown, problems, dead, err := convertForeign(body, against(address))
			return markdown, append(problems, dead.asked()...), err
		}
	}
	markdown, played, err := convertPage(body)
	if err != nil {
		return c, []Problem{{What: "the page can't be converted: " + err.Error(), Mend: "save it as plain text", Fatal: true}}
	}
	c.note, c.noteMarkdown, c.Markdown = noteOf(markdown)
	stray := strayLabels(strings.Split(c.Markdown, "\n"), 0, wordsOfLine, "take it out; a page is ordered by its links with rel=prev and rel=next")
	for i := range stray {
		stray[i].Line = 0 // it counts lines of Markdown, not of the page
	}
	return c, slices.Concat(more, stray, played)
}

// feedOf says that a page names a feed: whoever gives the address of a site means its articles.
func feedOf(doc *html.Node, address string) []Problem {
	for n := range doc.Descendants() {
		kind := attribute(n, "type")
		if n.DataAtom != atom.Link || attribute(n, "rel") != "alternate" || kind != "application/rss+xml" && kind != "application/atom+xml" {
			continue
		}
		if feed := against(address)(attribute(n, "href"), false); feed != "" {
			return []Problem{{What: "it is taken as one article; its site has a feed, " + shown(clip(feed, 200)), Mend: "import that address if you mean all its articles"}}
		}
	}
	return nil
}

// convert makes Markdown of the element that holds an article, and says what of it no letter shows. What acts or navigates is left out.
func convert(body *html.Node) (markdown string, played []Problem, err error) {
	played = dropUnseen(body)
	clean(body)
	if brackets(body) > maxBrackets {
		return "", nil, errBrackets
	}
	played = append(played, keepPlayers(body)...)
	b, err := htmlConverter().ConvertNode(body)
	if len(b) > maxArticle {
		return "", nil, tooLarge(maxArticle)
	}
	return trimBody(sane(string(b))), played, err // character references bring in what the page itself may not hold
}

// brackets counts the [ that the converter meets.
func brackets(body *html.Node) (n int) {
	for d := range body.Descendants() {
		if d.Type == html.TextNode {
			n += strings.Count(d.Data, "[")
		}
		for _, a := range d.Attr {
			n += strings.Count(a.Val, "[")
		}
	}
	return n
}

// noteOf takes the closing note off a text: as plain text, and as it stood there.
func noteOf(markdown string) (note, noteMarkdown, rest string) {
	note, rest = closingNote(markdown)
	return note, strings.TrimSpace(markdown[len(rest):]), rest
}

func htmlConverter() *converter.Converter {
	conv := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false)),
		strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(),
	))
	for _, tag := range []string{"video", "audio", "iframe", "embed"} {
		conv.Register.RendererFor(tag, converter.TagTypeInline, base.RenderAsHTML, converter.PriorityEarly)
	}
	return conv
}

// keepPlayers leaves of what a page plays or frames the element with its address, and says what becomes of it.
func keepPlayers(body *html.Node) (problems []Problem) {
	for n := range body.Descendants() {
		if n.Type != html.ElementNode || !playerTag.MatchString("<"+n.Data+">") {
			continue
		}
		address := attribute(n, "src")
		for d := range n.Descendants() {
			if address == "" && d.DataAtom == atom.Source {
				address = attribute(d, "src")
			}
		}
		for n.FirstChild != nil {
			n.RemoveChild(n.FirstChild)
		}
		n.Attr = []html.Attribute{{Key: "src", Val: oneLine(address)}}
		if len(problems) < maxLeftOut {
			problems = append(problems, playedElsewhere(n.Data, oneLine(address)))
		}
	}
	return problems
}

// mainPart is the element that holds the article.
func mainPart(doc *html.Node) *html.Node {
	for _, a := range []atom.Atom{atom.Article, atom.Main, atom.Body} {
		if n := oneOf(doc, a); n != nil {
			return n
		}
	}
	return doc
}

// oneOf is the only element of a kind, or the first heading or title; nil: there is none, or there are several.
func oneOf(root *html.Node, kind atom.Atom) *html.Node {
	var found *html.Node
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.DataAtom != kind || n.Namespace != "" {
			continue
		}
		if found != nil {
			return nil
		}
		found = n
		if kind == atom.H1 || kind == atom.Title {
			break
		}
	}
	return found
}

// clean takes out what is no text of the article, and spans of table cells, which could ask for millions of cells.
func clean(root *html.Node) {
	var out []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.CommentNode || n.Type == html.ElementNode && (noText(n.DataAtom) || leadsTo(n) != "" || unseenFrame(n)) {
			out = append(out, n)
		}
		attributes := n.Attr[:0]
		for _, a := range n.Attr {
			if a.Key != "colspan" && a.Key != "rowspan" {
				attributes = append(attributes, a)
			}
		}
		n.Attr = attributes
	}
	for _, n := range out {
		n.Parent.RemoveChild(n)
	}
}

// unseenFrame tells frames that show nobody anything, such as those that count visitors.
func unseenFrame(n *html.Node) bool {
	if n.DataAtom != atom.Iframe && n.DataAtom != atom.Embed {
		return false
	}
	if src := attribute(n, "src"); src == "" || strings.HasPrefix(src, "about:") {
		return true
	}
	for _, key := range []string{"width", "height"} {
		if size := strings.TrimSuffix(attribute(n, key), "px"); size == "0" || size == "1" {
			return true
		}
	}
	return false
}

var (
	unseenStyle = regexp.MustCompile(`(?i)(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)`)
	// spoken are the classes of what themes and Bootstrap hide from eyes, and have read to those who can't see: what is meant by a picture
	// or an arrow. A letter says such things by itself.
	spoken = []string{"screen-reader-text", "screen-reader-only", "sr-only", "visually-hidden", "visuallyhidden"}
)

// dropUnseen takes out what a page holds and shows to nobody, and says so where words go.
func dropUnseen(root *html.Node) (problems []Problem) {
	var out []*html.Node
	n := 0
	var look func(*html.Node)
	look = func(parent *html.Node) {
		for c := parent.FirstChild; c != nil; c = c.NextSibling {
			switch isSpoken := slices.ContainsFunc(strings.Fields(attribute(c, "class")), func(class string) bool { return slices.Contains(spoken, class) }); {
			case isSpoken, unseen(c):
				if out = append(out, c); !isSpoken && oneLine(words(c)) != "" {
					n++
				}
			default:
				look(c)
			}
		}
	}
	look(root)
	for _, gone := range out {
		gone.Parent.RemoveChild(gone)
	}
	if n == 0 {
		return nil
	}
	return []Problem{{
		What: "it holds " + counted(n, "part", "parts") + " that its page hides: left out", Mend: "look at the page if words are missing",
	}}
}

// unseen says that an element itself is hidden.
func unseen(n *html.Node) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool {
		return a.Namespace == "" && (a.Key == "hidden" || a.Key == "style" && unseenStyle.MatchString(a.Val))
	})
}

func noText(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Nav, atom.Form, atom.Object,
		atom.Svg, atom.Math, atom.Canvas, atom.Button, atom.Input, atom.Select, atom.Textarea, atom.Head:
		return true
	}
	return false
}

var labelWords = regexp.MustCompile(`(?i)^(?:[\s←→«»‹›:-]|previous|next)+`)

// relTitle is the title in the link of a page that leads to its neighbour.
func relTitle(doc *html.Node, rel string) string {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && leadsTo(n) == rel {
			return labelWords.ReplaceAllString(oneLine(words(n)), "")
		}
	}
	return ""
}

// leadsTo is prev or next for a link that says that it leads there.
func leadsTo(n *html.Node) string {
	if n.DataAtom != atom.A {
		return ""
	}
	for _, rel := range strings.Fields(strings.ToLower(attribute(n, "rel"))) {
		switch rel {
		case "prev", "next":
			return rel
		}
	}
	return ""
}

// metaOf is the content of a meta element by its name or property.
func metaOf(doc *html.Node, name string) string {
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Meta && (attribute(n, "name") == name || attribute(n, "property") == name) {
			return attribute(n, "content")
		}
	}
	return ""
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

// words is the text below n.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if d.DataAtom == atom.Br {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// clipDate is the day of a date and time; empty: it is none.
func clipDate(s string) string {
	if len(s) < len(time.DateOnly) {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)]); err != nil {
		return ""
	}
	return s[:len(time.DateOnly)]
}

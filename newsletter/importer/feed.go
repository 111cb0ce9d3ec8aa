package importer

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
)

const (
	maxFeed  = 10 << 20 // bytes
	maxParts = 200_000  // elements and attributes of a feed, each of which takes its parser many times its own bytes
)

var errParts = fmt.Errorf("it has more than %d elements and attributes", maxParts)

// feed takes in the posts of an RSS or Atom feed, the oldest first.
func (in *intake) feed(s source) error {
	b, err := s.bytes(maxFeed)
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	}
	if err := in.count(len(b)); err != nil {
		return err
	}
	feed, problem := parseFeed(b)
	if problem != nil {
		problem.File = shown(s.file)
		in.problems = append(in.problems, *problem)
		return nil
	}
	g := in.gather(s, map[string]string{"rss": "RSS", "atom": "Atom"}[feed.FeedType]+" feed")
	g.site = cmp.Or(siteOfFeed(feed, s.at), oneLine(feed.Title), s.name)
	var posts []post
	seen := map[string]bool{}
	for _, item := range feed.Items { // the newest first, as feeds have them
		if isBloggers(item) {
			g.leave("item of another kind", "items of other kinds")
			continue
		}
		p := postOf(item)
		if p.guid != "" && seen[p.guid] {
			g.leave("older copy of a post", "older copies of posts")
			continue
		}
		seen[p.guid] = true
		posts = append(posts, p)
	}
	for i, p := range slices.Backward(posts) {
		in.step(len(posts)-1-i, len(posts))
		if err := g.add(p); err != nil {
			return err
		}
	}
	g.end()
	return nil
}

// siteOfFeed is the site of a feed as it says itself, or where it was found, or where its posts are; empty: nothing tells.
func siteOfFeed(feed *gofeed.Feed, at string) string {
	addresses := []string{feed.Link, feed.FeedLink, at}
	for _, item := range feed.Items {
		if u, err := url.Parse(item.Link); err == nil {
			addresses = append(addresses, "//"+u.Host)
		}
	}
	return siteOf(addresses...)
}

// parseFeed reads a feed, after a look at all of its XML: the parser is lenient, and reads what strangers wrote.
func parseFeed(b []byte) (feed *gofeed.Feed, problem *Problem) {
	if p := checkXML(b); p != nil {
		return nil, p
	}
	defer func() {
		if r := recover(); r != nil {
			feed, problem = nil, &Problem{What: fmt.Sprintf("the feed can't be parsed: %v", r), Mend: "bring its articles as single files", Fatal: true}
		}
	}()
	text, err := b, error(nil)
	if isMarked(b) { // what the declaration says is no longer so without the mark
		text, err = io.ReadAll(utf8Of(bytes.NewReader(b)))
		text = declaration.ReplaceAll(text, nil)
	}
	if err == nil {
		parser := gofeed.NewParser()
		parser.AtomTranslator = atomTexts{}
		feed, err = parser.Parse(bytes.NewReader(text))
	}
	if err != nil {
		return nil, &Problem{What: "the feed can't be parsed: " + err.Error(), Mend: "bring its articles as single files", Fatal: true}
	}
	return feed, nil
}

// atomTexts sees that the content of an Atom entry that says it is text stays text (RFC 4287, 3.1.1.1), before all content is HTML.
type atomTexts struct{ gofeed.DefaultAtomTranslator }

// Translate implements gofeed.Translator.
func (a atomTexts) Translate(feed any) (*gofeed.Feed, error) {
	if f, ok := feed.(*atom.Feed); ok {
		for _, entry := range f.Entries {
			if entry.Content != nil && strings.EqualFold(entry.Content.Type, "text") {
				entry.Content.Value = html.EscapeString(entry.Content.Value)
			}
		}
	}
	return a.DefaultAtomTranslator.Translate(feed)
}

// isMarked says that a text begins with a byte order mark.
func isMarked(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe"))
}

// checkXML reads a file to its end and says what is wrong with it.
func checkXML(b []byte) *Problem {
	tokens, at := readXML(bytes.NewReader(b))
	for parts := 0; ; {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if start, ok := token.(xml.StartElement); ok {
			if parts += 1 + len(start.Attr); parts > maxParts {
				err = errParts
			}
		}
		if err != nil {
			p := at.problem(err)
			return &p
		}
	}
}

var declaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// postOf is an item of a feed as a post.
func postOf(item *gofeed.Item) post {
	p := post{
		guid: guidOf(cmp.Or(item.GUID, item.Link)), name: nameOfLink(item.Link), title: htmlTitle(item.Title), draft: isDraft(item),
		html: item.Content, date: momentOf(cmp.Or(item.Published, item.Updated)), resolve: against(item.Link),
	}
	for _, c := range item.Categories {
		if !strings.HasPrefix(c, bloggerKind) {
			p.tags = append(p.tags, c)
		}
	}
	if p.date == (moment{}) && item.PublishedParsed != nil {
		p.date = momentOf(item.PublishedParsed.Format("2006-01-02 15:04:05"))
	}
	if p.draft {
		p.date.day = ""
	}
	if p.html == "" {
		p.html, p.summary = item.Description, true
	}
	p.html = asHTML(p.html)
	return p
}

// bloggerKind begins the category by which Blogger's export, an Atom feed, tells posts from comments, pages and settings.
const bloggerKind = "http://schemas.google.com/blogger/2008/kind#"

// isBloggers says that an entry of an export of Blogger is no post: nobody wants to be mailed comments.
func isBloggers(item *gofeed.Item) bool {
	for _, c := range item.Categories {
		if kind, ok := strings.CutPrefix(c, bloggerKind); ok && kind != "post" {
			return true
		}
	}
	kind := extension(item, "blogger", "type")
	return kind != "" && kind != "POST"
}

// isDraft says that an entry was not published (RFC 5023 13.1.1, and what Blogger writes).
func isDraft(item *gofeed.Item) bool {
	for _, control := range item.Extensions["app"]["control"] {
		for _, draft := range control.Children["draft"] {
			if draft.Value == "yes" {
				return true
			}
		}
	}
	status := extension(item, "blogger", "status")
	return status != "" && status != "LIVE"
}

// extension is the text of an element of an item that another namespace brings; empty: there is none.
func extension(item *gofeed.Item, space, name string) string {
	if found := item.Extensions[space][name]; len(found) > 0 {
		return found[0].Value
	}
	return ""
}

var (
	anyTag     = regexp.MustCompile(`</?[A-Za-z][^<>]*>`)
	blankLines = regexp.MustCompile(`\n[ \t]*(?:\n[ \t]*)+`)
)

// asHTML is HTML as it is, and a text without any tag as paragraphs.
func asHTML(s string) string {
	s = lineEnds.Replace(s)
	if s == "" || anyTag.MatchString(s) {
		return s
	}
	return "<p>" + blankLines.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(s), "<", "&lt;"), "</p><p>") + "</p>"
}

// nameOfLink is the last part of an address that says something of the post; empty: none does.
func nameOfLink(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	name := path.Base(path.Clean("/" + u.Path))
	name = strings.TrimSuffix(name, path.Ext(name))
	if name == "index" {
		name = path.Base(path.Dir(path.Clean("/" + u.Path)))
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127 }) {
		return ""
	}
	return name
}

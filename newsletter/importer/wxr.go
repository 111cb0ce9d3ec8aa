package importer

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// wxrItem is an item of a WordPress eXtended RSS file (WXR 1.0 to 1.2), as WordPress and Squarespace write it.
type wxrItem struct {
	ID         string        `xml:"post_id"`
	Title      string        `xml:"title"`
	Link       string        `xml:"link"`
	GUID       string        `xml:"guid"`
	Encoded    []wxrEncoded  `xml:"encoded"`
	Date       string        `xml:"post_date"`
	Name       string        `xml:"post_name"`
	Type       string        `xml:"post_type"`
	Status     string        `xml:"status"`
	Password   string        `xml:"post_password"`
	Categories []wxrCategory `xml:"category"`
	Meta       []wxrMeta     `xml:"postmeta"`
}

// wxrEncoded is content:encoded or excerpt:encoded; of the latter each version of WXR has its own namespace.
type wxrEncoded struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

func (e wxrEncoded) isExcerpt() bool { return strings.Contains(e.XMLName.Space, "/excerpt") }

type wxrCategory struct {
	Domain string `xml:"domain,attr"`
	Name   string `xml:",chardata"`
}

// wxrMeta is a field that WordPress or a plugin keeps beside a post.
type wxrMeta struct {
	Key   string `xml:"meta_key"`
	Value string `xml:"meta_value"`
}

// meta is the value of a field; empty: the item has none.
func (item wxrItem) meta(key string) string {
	for _, m := range item.Meta {
		if m.Key == key {
			return m.Value
		}
	}
	return ""
}

// text is what stands in the item, not in its excerpt.
func (item wxrItem) text() (text string) {
	for _, e := range item.Encoded {
		if !e.isExcerpt() {
			text = e.Text
		}
	}
	return text
}

// wxr takes in the posts of a WordPress or Squarespace export, item by item: such files are large.
func (in *intake) wxr(s source) error {
	f, err := s.open()
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	}
	defer f.Close()
	counted := &counting{r: f, most: maxTotal - in.bytes}
	tokens, at := readXML(counted)
	at.skip = "comment" // there may be thousands, and nobody wants to be mailed them
	g := in.gather(s, "WordPress export")
	var posts []post
	parts := map[string]string{}
	for {
		at.room = maxItem
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if start, ok := token.(xml.StartElement); ok && err == nil {
			switch start.Name.Local {
			case "generator":
				err = g.generator(tokens, start)
			case "link":
				err = g.channel(tokens, start)
			case "item":
				var item wxrItem
				err = tokens.DecodeElement(&item, &start)
				switch {
				case err != nil:
				case item.Type == "wp_block":
					item.reusable(parts)
					err = in.hold(&post{html: item.text()})
				case g.wanted(item) && len(posts) <= maxFiles:
					posts = append(posts, item.post())
					err = in.hold(&posts[len(posts)-1])
				}
			}
		}
		if err != nil {
			p := at.problem(err)
			p.File = shown(s.file)
			in.problems = append(in.problems, p)
			return nil
		}
	}
	in.bytes += counted.n
	slices.SortStableFunc(posts, func(a, b post) int { return cmp.Compare(a.date.at, b.date.at) })
	for i, p := range posts {
		posts[i] = post{} // its text is not needed twice
		p.settle(parts)
		in.step(i, len(posts))
		if err := g.add(p); err != nil {
			return err
		}
	}
	g.end()
	return nil
}

// counting counts what is read, up to a limit (tooLarge).
type counting struct {
	r       io.Reader
	n, most int
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += n; c.n > c.most {
		return 0, tooLarge(maxTotal)
	}
	return n, err
}

// generator learns which program wrote the export.
func (g *gathering) generator(tokens *xml.Decoder, start xml.StartElement) error {
	var name string
	err := tokens.DecodeElement(&name, &start)
	if strings.Contains(strings.ToLower(name), "squarespace") {
		g.kind = "Squarespace export"
	}
	return err
}

// channel learns which site the export is of.
func (g *gathering) channel(tokens *xml.Decoder, start xml.StartElement) error {
	var link string
	err := tokens.DecodeElement(&link, &start)
	g.site = cmp.Or(g.site, siteOf(link))
	return err
}

// wanted says whether an item is a post for readers, or counts what else it is.
func (g *gathering) wanted(item wxrItem) bool {
	switch item.Type {
	case "post":
	case "page":
		g.leave("page", "pages")
		return false
	case "attachment":
		g.leave("attachment", "attachments")
		return false
	default:
		g.leave("item of another kind", "items of other kinds")
		return false
	}
	switch {
	case item.Status == "auto-draft", item.Status == "inherit":
		g.leavePost(item.post(), "unsaved draft", "unsaved drafts")
	case item.Status == "trash":
		g.leavePost(item.post(), "post in the trash", "posts in the trash")
	case item.Status == "private":
		g.leavePost(item.post(), "private post", "private posts")
	case item.Status == "future":
		g.leavePost(item.post(), "post that is yet to come", "posts that are yet to come")
	case item.Password != "":
		g.leavePost(item.post(), "post with a password", "posts with a password")
	case item.Status == "publish", item.Status == "draft", item.Status == "pending":
		return true
	default:
		g.leavePost(item.post(), "post of another state", "posts of other states")
	}
	return false
}

func (item wxrItem) post() post {
	p := post{
		guid: guidOf(cmp.Or(item.GUID, item.Link)), name: cmp.Or(item.Name[strings.LastIndex(item.Name, "/")+1:], nameOfLink(item.Link)), title: htmlTitle(item.Title),
		draft: item.Status != "publish", date: momentOf(item.Date), resolve: against(item.Link),
	}
	if p.draft {
		p.date.day = "" // it was never published
	}
	for _, e := range item.Encoded {
		if e.isExcerpt() {
			p.preheader = e.Text
		}
	}
	for _, c := range item.Categories {
		if c.Domain == "category" && c.Name != "Uncategorized" || c.Domain == "post_tag" {
			p.tags = append(p.tags, c.Name)
		}
	}
	p.html, p.footnotes = item.text(), item.meta("footnotes")
	p.closed = item.closed()
	return p
}

// settle makes of the text of a post, with its blocks, shortcodes and empty lines, the HTML that its site would show. parts are the
// reusable blocks by their numbers.
func (p *post) settle(parts map[string]string) {
	for _, step := range []func(){func() { p.blocks(parts) }, p.shortcodes, p.paragraphs} {
		switch {
		case len(p.html) > maxArticle:
			p.unread = tooLarge(maxArticle).Error()
		case strings.Count(p.html, "[") > maxBrackets:
			p.unread = errBrackets.Error()
		}
		if p.unread != "" {
			return
		}
		step()
	}
}

// closedFields are those by which WordPress.com, Jetpack and plugins for memberships keep a whole post from some readers.
var closedFields = []string{"_jetpack_newsletter_access", "_jetpack_memberships_contains_paid_content", "_jetpack_memberships_contains_paywalled_content", "_wpmem_block", "patreon-level"}

// closed says by which field a post is kept from some readers.
func (item wxrItem) closed() (c closed) {
	for _, key := range closedFields {
		if m := item.meta(key); m != "" && m != "0" && m != "everybody" {
			c.add(cmp.Or(map[string]string{"subscribers": "for subscribers only", "paid_subscribers": "for paying readers only"}[m], "for some readers only, by the field "+key))
		}
	}
	return c
}

// paragraphs makes paragraphs of the empty lines of a text from the classic editor. What the block editor wrote has them already, in
// comments that say so.
func (p *post) paragraphs() {
	if strings.Contains(p.html, "<!-- wp:") {
		return
	}
	doc, err := html.Parse(strings.NewReader(lineEnds.Replace(p.html)))
	if err != nil {
		return // who converts it meets the same and says so
	}
	body := oneOf(doc, atom.Body)
	if body == nil {
		return
	}
	var boxes []*html.Node
	for n := range body.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "div" || n.Data == "blockquote" || n.Data == "section") && !inCode(n) {
			boxes = append(boxes, n)
		}
	}
	for _, box := range append(boxes, body) {
		breakLines(box)
	}
	var b strings.Builder
	for c := body.FirstChild; c != nil; c = c.NextSibling {
		if err := html.Render(&b, c); err != nil {
			return
		}
	}
	p.html = b.String()
}

// breakLines makes what stands in a box paragraphs, parted by empty lines and by the blocks among it; single line ends break the line.
func breakLines(box *html.Node) {
	var children []*html.Node
	for box.FirstChild != nil {
		children = append(children, box.FirstChild)
		box.RemoveChild(box.FirstChild)
	}
	var open *html.Node // the paragraph that is being filled
	put := func(n *html.Node) {
		if open == nil {
			open = &html.Node{Type: html.ElementNode, Data: "p", DataAtom: atom.P}
			box.AppendChild(open)
		}
		open.AppendChild(n)
	}
	end := func() {
		for open != nil && open.LastChild != nil && open.LastChild.DataAtom == atom.Br {
			open.RemoveChild(open.LastChild)
		}
		open = nil
	}
	for _, child := range children {
		switch {
		case child.Type == html.TextNode:
			for i, part := range blankLines.Split(child.Data, -1) {
				if i > 0 {
					end()
				}
				for j, line := range strings.Split(part, "\n") {
					if j > 0 && open != nil {
						put(&html.Node{Type: html.ElementNode, Data: "br", DataAtom: atom.Br})
					}
					if open != nil || strings.TrimSpace(line) != "" {
						put(&html.Node{Type: html.TextNode, Data: line})
					}
				}
			}
		case child.Type == html.ElementNode && !isInline(child.DataAtom):
			end()
			box.AppendChild(child)
		default:
			put(child)
		}
	}
	end()
}

// isInline says whether an element stands among words.
func isInline(a atom.Atom) bool {
	switch a {
	case atom.A, atom.Abbr, atom.B, atom.Br, atom.Cite, atom.Code, atom.Del, atom.Em, atom.Font, atom.I, atom.Img, atom.Ins, atom.Kbd, atom.Mark,
		atom.Q, atom.S, atom.Samp, atom.Small, atom.Span, atom.Strike, atom.Strong, atom.Sub, atom.Sup, atom.Time, atom.U, atom.Var:
		return true
	}
	return false
}

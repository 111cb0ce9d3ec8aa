package importer

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// wxrItem is an item of a WordPress eXtended RSS file (WXR 1.0 to 1.2), as WordPress and Squarespace write it.
type wxrItem struct {
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
}

// wxrEncoded is content:encoded or excerpt:encoded; of the latter each version of WXR has its own namespace.
type wxrEncoded struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type wxrCategory struct {
	Domain string `xml:"domain,attr"`
	Name   string `xml:",chardata"`
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
	g := in.gather(s, "WordPress export")
	var posts []post
	for {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if start, ok := token.(xml.StartElement); ok && err == nil {
			switch start.Name.Local {
			case "generator":
				err = g.generator(tokens, start)
			case "item":
				var item wxrItem
				if err = tokens.DecodeElement(&item, &start); err == nil && g.wanted(item) && len(posts) <= maxFiles {
					posts = append(posts, item.post())
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
	for _, p := range posts {
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
		g.leave("unsaved draft", "unsaved drafts")
	case item.Status == "trash":
		g.leave("post in the trash", "posts in the trash")
	case item.Status == "private":
		g.leave("private post", "private posts")
	case item.Status == "future":
		g.leave("post that is yet to come", "posts that are yet to come")
	case item.Password != "":
		g.leave("post with a password", "posts with a password")
	case item.Status == "publish", item.Status == "draft", item.Status == "pending":
		return true
	default:
		g.leave("post of another state", "posts of other states")
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
		if strings.Contains(e.XMLName.Space, "/excerpt") {
			p.preheader = e.Text
		} else {
			p.html = e.Text
		}
	}
	for _, c := range item.Categories {
		if c.Domain == "category" && c.Name != "Uncategorized" || c.Domain == "post_tag" {
			p.tags = append(p.tags, c.Name)
		}
	}
	if len(p.html) <= maxArticle && strings.Count(p.html, "[") <= maxBrackets {
		p.shortcodes()
		p.paragraphs()
	}
	return p
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

var (
	codePart  = regexp.MustCompile(`(?is)<(?:pre|code)\b.*?</(?:pre|code)>`)
	caption   = regexp.MustCompile(`(?is)\[(?:wp_)?caption\b[^\]]*\](.*?)\[/(?:wp_)?caption\]`)
	captioned = regexp.MustCompile(`(?is)^\s*((?:<a\b[^>]*>\s*)?<img\b[^>]*>(?:\s*</a>)?)(.*)$`)
	embed     = regexp.MustCompile(`(?i)\[embed\b[^\]]*\]\s*(https?://[^\s\[\]<>"]+)\s*\[/embed\]`)
	shortcode = regexp.MustCompile(`\[?\[(/?)([A-Za-z][\w-]*)((?:\s+[\w-]+=(?:"[^"\]]*"|'[^'\]]*'|[^\s\]"']+))*)\s*/?\]\]?`)
)

// knownCodes are shortcodes of WordPress itself that need no attributes.
var knownCodes = []string{"audio", "caption", "embed", "gallery", "playlist", "video", "wp_caption"}

// shortcodes makes captions and embedded addresses what they stand for. Of other shortcodes the words between two stay, and the codes
// are named, not mailed.
func (p *post) shortcodes() {
	var b strings.Builder
	rest := 0
	for _, at := range append(codePart.FindAllStringIndex(p.html, -1), []int{len(p.html), len(p.html)}) {
		b.WriteString(p.withoutCodes(p.html[rest:at[0]]))
		b.WriteString(p.html[at[0]:at[1]])
		rest = at[1]
	}
	p.html = b.String()
}

func (p *post) withoutCodes(s string) string {
	s = caption.ReplaceAllStringFunc(s, func(whole string) string {
		inside := caption.FindStringSubmatch(whole)[1]
		m := captioned.FindStringSubmatch(inside)
		if m == nil || strings.TrimSpace(m[2]) == "" {
			return "\n\n" + inside + "\n\n"
		}
		return "\n\n" + m[1] + "\n\n<em>" + strings.TrimSpace(m[2]) + "</em>\n\n"
	})
	s = embed.ReplaceAllString(s, `<a href="$1">$1</a>`)
	return shortcode.ReplaceAllStringFunc(s, func(code string) string {
		if strings.HasPrefix(code, "[[") && strings.HasSuffix(code, "]]") {
			return code[1 : len(code)-1] // how WordPress shows a code as it reads
		}
		m := shortcode.FindStringSubmatch(code)
		closes := m[1] != "" || strings.Contains(s, "[/"+m[2]+"]")
		if !closes && m[3] == "" && !slices.Contains(knownCodes, m[2]) {
			return code // [sic], say
		}
		if name := fmt.Sprintf("[%s]", m[2]); !slices.Contains(p.codes, name) && len(p.codes) < maxLeftOut {
			p.codes = append(p.codes, name)
		}
		return ""
	})
}

package importer

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
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

// resolver makes an address of a link or a picture one that leads there from a letter, or a path of a picture that lies beside the
// export; empty: it leads nowhere.
type resolver func(address string, picture bool) string

// moment is when something was published: its day there, and an instant to order by. The zero value: nobody knows.
type moment struct {
	day string // YYYY-MM-DD
	at  string // UTC, in a form that sorts
}

// undated sorts behind all moments.
const undated = "undated"

// momentOf reads the dates of feeds and exports (RFC 5322, RFC 3339, and SQL's in UTC).
func momentOf(s string) moment {
	s = inNumbers(strings.TrimSpace(s))
	t, err := mail.ParseDate(s)
	for _, form := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", time.DateOnly} {
		if err != nil {
			t, err = time.Parse(form, s)
		}
	}
	if err != nil || t.Year() < 1 || t.Year() > 9998 {
		return moment{}
	}
	return moment{t.Format(time.DateOnly), t.UTC().Format("2006-01-02T15:04:05.000")}
}

// zones are the names that dates end with in place of an offset: those of RFC 822, 5.1, and Europe's, which feeds have too. Go reads a name
// that the machine doesn't know as UTC.
var zones = map[string]string{
	"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "WET": "+0000", "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
	"MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700", "BST": "+0100", "WEST": "+0100", "CET": "+0100", "CEST": "+0200",
	"MEZ": "+0100", "MESZ": "+0200", "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "JST": "+0900", "AEST": "+1000", "AEDT": "+1100",
	"NZST": "+1200", "NZDT": "+1300",
}

// inNumbers is a date with an offset in place of the name of a zone at its end.
func inNumbers(date string) string {
	i := strings.LastIndexByte(date, ' ')
	if offset := zones[strings.ToUpper(date[i+1:])]; i > 0 && offset != "" {
		return date[:i+1] + offset
	}
	return date
}

// gathering takes in the posts of one file and counts what became of them.
type gathering struct {
	in        *intake
	s         source
	kind      string // "Ghost export"
	site      string // whose posts these are, for those that nothing tells apart all over the world; empty: nobody knows
	posts     int
	drafts    int
	summaries int
	closed    []closedPost
	abroad    int // pictures that are not here
	links     int // that led nowhere
	widgets   int // that were taken out
	left      []leftOver
	names     map[string]int
	keys      map[string]int
}

// leftOver counts posts of one kind that were left out.
type leftOver struct {
	one, many string
	n         int
}

func (in *intake) gather(s source, kind string) *gathering {
	return &gathering{in: in, s: s, kind: kind, names: map[string]int{}, keys: map[string]int{}}
}

const (
	maxItem = 4 << 20  // bytes of what a parser has in memory at a time
	maxHeld = 20 << 20 // bytes of the posts of all exports together, which are in memory until they are articles
)

var (
	errItem = fmt.Errorf("one thing in it has more than %d MB, as no post has", maxItem>>20)
	errHeld = fmt.Errorf("its posts have more than %d MB of text", maxHeld>>20)
)

// bounded is a file of which no more than maxItem are read beyond what is done with.
type bounded struct {
	r    io.Reader
	n    int64        // bytes
	done func() int64 // how many of these are done with; nil: none
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	pending := b.n
	if b.done != nil {
		pending -= b.done()
	}
	if pending > maxItem {
		return 0, errItem
	}
	return n, err
}

// hold counts what a post takes until it is an article. A text that is too large for one is not kept.
func (in *intake) hold(p *post) error {
	if len(p.html) > maxArticle {
		p.html, p.unread = "", tooLarge(maxArticle).Error()
	}
	for _, s := range append([]string{p.html, p.preheader, p.footnotes, p.title}, p.tags...) {
		in.held += len(s)
	}
	if in.held > maxHeld {
		return errHeld
	}
	return nil
}

// step tells who waits how many posts are read.
func (in *intake) step(done, of int) {
	if in.Step != nil {
		in.Step(done, of)
	}
}

// leave counts a post that is none for us.
func (g *gathering) leave(one, many string) {
	for i := range g.left {
		if g.left[i].one == one {
			g.left[i].n++
			return
		}
	}
	g.left = append(g.left, leftOver{one, many, 1})
}

// add takes in a post. One that no letter could carry is left out with a word; the others come in. The error is for more posts than an
// import may have.
func (g *gathering) add(p post) error {
	if g.in.files++; g.in.files > maxFiles {
		return fmt.Errorf("%w: %s holds more than %d posts; import a part of it at a time", ErrFile, shown(g.s.file), maxFiles)
	}
	for _, why := range closedParts(p.html) {
		p.closed.add(why)
	}
	p.draft = p.draft || len(p.closed) > 0
	p.guid = g.key(p)
	markdown, problems, dead, err := p.markdown()
	c := g.candidate(p, markdown)
	switch {
	case err != nil:
	case len(markdown) > maxArticle:
		err = tooLarge(maxArticle)
	case c.Title == "":
		err = errors.New("it has neither title nor text")
	case markdown == "" && !p.draft:
		err = errors.New("it has no text")
	}
	if err != nil {
		g.leave("post that can't be read", "posts that can't be read")
		g.in.problems = append(g.in.problems, Problem{
			File: c.file, What: "it is left out: " + err.Error(), Mend: "bring it as a file of its own, if you want it", Fatal: g.in.Whole && g.in.knownAs(c.guid) != nil,
		})
		return nil
	}
	g.dress(&c, p)
	for _, problem := range problems {
		problem.File = c.file
		g.in.problems = append(g.in.problems, problem)
	}
	g.in.candidates = append(g.in.candidates, c)
	if len(p.closed) > 0 {
		g.closed = append(g.closed, closedPost{shown(c.base), strings.Join(p.closed, "; ")})
	}
	g.count(p, dead)
	return nil
}

// candidate is a post as an article, but for what stands around its text.
func (g *gathering) candidate(p post, markdown string) candidate {
	c := candidate{
		Incoming: series.Incoming{Draft: p.draft, Slug: slugify(p.name), Text: series.Text{Title: titleOf(p.title), DisclaimerMode: "add", Date: p.date.day}},
		dir:      g.s.file, number: -1, when: cmp.Or(p.date.at, undated), place: g.posts, guid: p.guid, summary: p.summary,
	}
	c.note, c.noteMarkdown, c.Markdown = noteOf(markdown)
	if c.Title == "" {
		c.Title = titleOf(clip(plainWords(clip(markdown, maxTitle)), 60))
	}
	c.base = g.named(cmp.Or(c.Slug, slugOf(c.Title, "")))
	c.Source, c.file = shown(g.s.name+"#"+c.base), shown(g.s.file+"#"+c.base)
	return c
}

// knownAs is the article of the series that was made of a post; nil: there is none, or it is withdrawn.
func (in *intake) knownAs(guid string) *series.Article {
	i := slices.IndexFunc(in.Known, func(a series.Article) bool { return a.Meta[guidKey] == guid && a.State != series.Withdrawn })
	if i < 0 {
		return nil
	}
	return &in.Known[i]
}

// leavePost is leave for a post that may have been one for us before.
func (g *gathering) leavePost(p post, one, many string) {
	g.leave(one, many)
	if a := g.in.knownAs(g.key(p)); a != nil {
		g.in.doubt(g.s.file+"#"+a.Slug, "it is a "+one+" now, and left out, though the article "+a.Slug+" was made of it",
			"if nobody is to have that any more: pressrun article withdraw "+a.Slug)
	}
}

// worldwide are the guids that no other site has: RFC 4151, RFC 8141, the numbers of Ghost and UUIDs (RFC 9562), and those made here.
var worldwide = regexp.MustCompile(`^(?:tag:|urn:|substack:|ghost:|sha256:|[0-9a-f]{24}$|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$)`)

// key is what a post is known by in all of the world: its guid, with its site where others may have the same; without one its name there, or
// when it was published and as what.
func (g *gathering) key(p post) string {
	if u, err := url.Parse(p.guid); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if _, err := netip.ParseAddr(u.Hostname()); err != nil && strings.Contains(u.Hostname(), ".") {
			return p.guid
		}
	}
	if p.guid != "" && (g.site == "" || worldwide.MatchString(p.guid)) {
		return p.guid
	}
	id := cmp.Or(g.site, g.kind) + " " + cmp.Or(p.guid, p.name, oneLine(p.date.at+" "+p.title))
	if g.keys[id]++; p.guid == "" && g.keys[id] > 1 {
		id += " " + itoa(g.keys[id])
	}
	return guidOf(id)
}

// siteOf is a site as its addresses have it; empty: they have none.
func siteOf(addresses ...string) string {
	for _, address := range addresses {
		if u, err := url.Parse(strings.TrimSpace(address)); err == nil && u.Host != "" {
			return strings.ToLower(strings.TrimPrefix(u.Hostname(), "www.")) + strings.TrimRight(u.Path, "/")
		}
	}
	return ""
}

// count counts a post that was taken in.
func (g *gathering) count(p post, dead addresses) {
	g.posts++
	if p.draft {
		g.drafts++
	}
	if p.summary {
		g.summaries++
	}
	g.links += dead.links
	g.widgets += dead.widgets
	g.abroad += dead.pictures
}

// named is a name for a post that no other of its file has.
func (g *gathering) named(name string) string {
	g.names[name]++
	if n := g.names[name]; n > 1 {
		return fmt.Sprintf("%s (%d)", name, n)
	}
	return name
}

// dress gives a candidate what stands around its text: preheader, tags, guid and pictures.
func (g *gathering) dress(c *candidate, p post) {
	c.Preheader = clip(noField(wordsOf(p.preheader)), 300)
	c.setGUID(p.guid)
	var tags []any
	for _, tag := range p.tags {
		if tag = oneLine(sane(tag)); tag != "" {
			tags = append(tags, tag)
		}
	}
	if len(tags) > 0 {
		_ = field{key: "tags", value: tags}.setMeta(c, "tags") // a list of clean texts has no fault
	}
	if p.image != "" {
		_ = field{key: "image", value: p.image, text: p.image}.setMeta(c, "image") // a clean path
	}
	told := 0
	g.in.placePictures(g.s, c, func(r render.Reference, err error) {
		if errors.Is(err, errForeign) || errors.Is(err, fs.ErrNotExist) {
			g.abroad++
			return
		}
		if told++; told > maxLeftOut {
			return
		}
		g.in.doubt(c.file, fmt.Sprintf("the picture %s is shown by its description: %s", shown(clip(r.Path, 100)), cause(err)), mendPicture(err))
	})
}

// guidKey is the front matter by which a post is known again when it is imported anew.
const guidKey = "guid"

func (c *candidate) setGUID(guid string) {
	if guid == "" {
		return
	}
	if c.Meta == nil {
		c.Meta = map[string]string{}
	}
	c.Meta[guidKey] = guid
}

// guidOf bounds what another program knows a post by.
func guidOf(s string) string {
	if s = oneLine(sane(s)); len(s) > 300 {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s)))
	}
	return s
}

// end reports how the file was read. One without a single post for us says so.
func (g *gathering) end() {
	said := g.kind + ": " + counted(g.posts, "post", "posts")
	if g.drafts > 0 {
		said += ", " + counted(g.drafts, "of them a draft", "of them drafts")
	}
	var left []string
	for _, l := range g.left {
		left = append(left, counted(l.n, l.one, l.many))
	}
	if len(left) > 0 {
		said += "; left out: " + strings.Join(left, ", ")
	}
	if g.posts == 0 {
		g.in.problems = append(g.in.problems, Problem{
			File: shown(g.s.file), What: said + ": there is no article in it", Fatal: g.s.named,
			Mend: "see that it is the file that you mean, and export it anew",
		})
		return
	}
	g.in.read = append(g.in.read, shown(g.s.file)+": "+said)
	g.remark()
}

// remark says of the whole file what happened to many of its posts.
func (g *gathering) remark() {
	g.remarkClosed()
	for _, r := range []struct {
		n                     int
		one, many, what, mend string
	}{
		{
			g.summaries, "post", "posts", "with perhaps only a summary: the feed gives no other text",
			"look at them, or take an export of the site instead",
		},
		{
			g.links, "link", "links", "within a page, or to a site whose address the file does not tell: only the words stay",
			"write an address into the article where one matters",
		},
		{
			g.widgets, "button or line", "buttons and lines", saidAsked, mendAsked,
		},
		{
			g.abroad, "picture", "pictures", "not here, and letters load nothing from elsewhere: descriptions are shown, as links where there is an https address",
			"export an article where a picture matters, put a copy beside it and import that",
		},
	} {
		if r.n > 0 {
			g.in.doubt(g.s.file, counted(r.n, r.one, r.many)+" "+r.what, r.mend)
		}
	}
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

func otherFields() Problem {
	return Problem{
		What: "it holds {{…}}, which another program filled: it stands there as it reads",
		Mend: "write what should stand there, or take it out",
	}
}

// ownBraces sees that merge fields of another program stand in Markdown as they read. Lines with code are left alone.
func ownBraces(markdown string) string {
	lines := strings.Split(markdown, "\n")
	fence := false
	for i, line := range lines {
		if fenceLine.MatchString(line) {
			fence = !fence
		}
		if !fence && !strings.Contains(line, "`") {
			lines[i] = markBraces(line, `\`)
		}
	}
	return strings.Join(lines, "\n")
}

func firstElement(n *html.Node) *html.Node {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode || c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
			return c
		}
	}
	return nil
}

// addresses counts those that lead nowhere, and widgets that were taken out.
type addresses struct{ links, pictures, widgets int }

// settleAddresses makes every address of a post one that leads there from a letter. A link that leads nowhere leaves its words, a
// picture its description. What is shown to nobody, and counts readers, goes.
func settleAddresses(body *html.Node, resolve resolver) (dead addresses) {
	var gone []*html.Node
	for n := range body.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for i, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" {
				n.Attr[i].Val = resolve(strings.TrimSpace(a.Val), n.DataAtom == atom.Img)
			}
		}
		switch {
		case n.DataAtom == atom.Img && (attribute(n, "width") == "1" || attribute(n, "height") == "1"):
			n.Attr = nil
			gone = append(gone, n)
		case n.DataAtom == atom.Img && attribute(n, "src") == "":
			dead.pictures++
			gone = append(gone, n)
		case n.DataAtom == atom.A && attribute(n, "href") == "":
			if words(n) != "" && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "href" }) {
				dead.links++
			}
			gone = append(gone, n)
		}
	}
	for _, n := range gone {
		leaveWords(n)
	}
	return dead
}

// leaveWords puts what is inside an element in its place, and the description in that of a picture.
func leaveWords(n *html.Node) {
	if alt := oneLine(attribute(n, "alt")); n.DataAtom == atom.Img && alt != "" {
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: alt}, n)
	}
	for n.FirstChild != nil {
		child := n.FirstChild
		n.RemoveChild(child)
		n.Parent.InsertBefore(child, n)
	}
	n.Parent.RemoveChild(n)
}

// against resolves addresses against the one where a post stands; empty: nobody knows that.
func against(link string) resolver {
	base, err := url.Parse(link)
	if err != nil || base.Host == "" {
		base = nil
	}
	return func(address string, _ bool) string {
		u, err := url.Parse(address)
		if err != nil || address == "" || strings.HasPrefix(address, "#") {
			return ""
		}
		if base != nil {
			u = base.ResolveReference(u)
		} else if u.Scheme == "" && u.Host != "" {
			u.Scheme = "https"
		}
		switch {
		case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		case (u.Scheme == "mailto" || u.Scheme == "tel") && u.Opaque != "":
		default:
			return ""
		}
		return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(u.String())
	}
}

// escaped stands before a brace that is to be one in Markdown, where the converter would escape the backslash; private use, so no text has it.
const escaped = '\ue000'

// keepFields sees that merge fields of other programs are none of ours: they stand there as they read. It says whether there are any.
func keepFields(body *html.Node) (found bool) {
	for n := range body.Descendants() {
		if n.Type == html.TextNode {
			n.Data = strings.ReplaceAll(n.Data, string(escaped), "")
			if strings.Contains(n.Data, "{{") && !inCode(n) {
				n.Data, found = markBraces(n.Data, string(escaped)), true
			}
		}
		for i, a := range n.Attr {
			if a.Key == "alt" || a.Key == "title" {
				n.Attr[i].Val = noField(a.Val)
			}
		}
	}
	return found
}

// markBraces puts a mark before each brace that another one follows.
func markBraces(s, mark string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '{' && i+1 < len(s) && s[i+1] == '{' {
			b.WriteString(mark)
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func inCode(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		switch p.DataAtom {
		case atom.Code, atom.Pre, atom.Kbd, atom.Samp, atom.Tt, atom.Var: // the converter makes code of all of them
			return true
		}
	}
	return false
}

// noField parts double braces: where no backslash could stand before them, they would begin a field.
func noField(s string) string {
	for strings.Contains(s, "{{") {
		s = strings.ReplaceAll(s, "{{", "{ {")
	}
	return s
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

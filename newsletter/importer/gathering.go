package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"pressrun/newsletter/render"
	"pressrun/newsletter/series"
)

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

// leavePost is leave for a post that may have been one for us before.
func (g *gathering) leavePost(p post, one, many string) {
	g.leave(one, many)
	if a := g.in.knownAs(g.key(p)); a != nil {
		g.in.doubt(g.s.file+"#"+a.Slug, "it is a "+one+" now, and left out, though the article "+a.Slug+" was made of it",
			"if nobody is to have that any more: pressrun article withdraw "+a.Slug)
	}
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

package importer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// ghostData is what is read of a Ghost export, which is {"db": [{"data": …}]}, or {"data": …} as Ghost's own guide to migrations writes it.
type ghostData struct {
	found bool // it has posts, be it none
	posts []ghostPost
	names map[ghostValue]string       // of tags
	tags  map[ghostValue][]ghostValue // of posts
	held  int                         // bytes of text, with what was held before
}

// ghostPost is a row of the table posts. Old versions have page instead of type, and numbers where new ones have text.
type ghostPost struct {
	ID         ghostValue `json:"id"`
	UUID       ghostValue `json:"uuid"`
	Title      string     `json:"title"`
	Slug       string     `json:"slug"`
	HTML       string     `json:"html"`
	Mobiledoc  ghostThere `json:"mobiledoc"`
	Lexical    ghostThere `json:"lexical"`
	Image      string     `json:"feature_image"`
	Type       string     `json:"type"`
	Page       ghostValue `json:"page"`
	Status     string     `json:"status"`
	Visibility string     `json:"visibility"`
	MailedTo   ghostValue `json:"email_recipient_filter"`
	Created    ghostValue `json:"created_at"`
	Published  ghostValue `json:"published_at"`
	Excerpt    string     `json:"custom_excerpt"`

	large bool // it had more HTML than an article may have
}

// ghostThere says that a value is neither null nor empty. What it is takes a lot of memory, and nobody reads it.
type ghostThere bool

// UnmarshalJSON implements json.Unmarshaler.
func (t *ghostThere) UnmarshalJSON(b []byte) error {
	*t = ghostThere(string(b) != "null" && string(b) != `""`)
	return nil
}

// ghostValue is a text, a number or a truth value, as text; empty for null.
type ghostValue string

// UnmarshalJSON implements json.Unmarshaler.
func (v *ghostValue) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*v = ghostValue(text)
		return nil
	}
	if b[0] == '{' || b[0] == '[' {
		return errors.New("it is neither text nor number")
	}
	if *v = ghostValue(b); string(b) == "null" {
		*v = ""
	}
	return nil
}

// moment reads the dates of all versions: text, or milliseconds since 1970.
func (v ghostValue) moment() moment {
	var ms int64
	if n, err := fmt.Sscanf(string(v), "%d", &ms); err == nil && n == 1 && fmt.Sprint(ms) == string(v) {
		return momentOf(time.UnixMilli(ms).UTC().Format(time.RFC3339))
	}
	return momentOf(string(v))
}

// ghostSite stands in an export for the address of the site, which it does not tell.
const ghostSite = "__GHOST_URL__"

// readGhost walks through an export, so that not all of it is in memory at once.
func readGhost(r io.Reader, held int) (*ghostData, error) {
	value := &bounded{r: utf8Of(r)}
	d := json.NewDecoder(value)
	value.done = d.InputOffset
	g := &ghostData{held: held, names: map[ghostValue]string{}, tags: map[ghostValue][]ghostValue{}}
	data := func(key string) error {
		if key != "data" {
			return skipJSON(d)
		}
		return eachKey(d, func(key string) error { return g.table(d, key) })
	}
	return g, eachKey(d, func(key string) error {
		if key == "db" {
			return eachElement(d, func() error { return eachKey(d, data) })
		}
		return data(key)
	})
}

// table reads the rows of a table, if they are wanted.
func (g *ghostData) table(d *json.Decoder, name string) error {
	switch name {
	case "posts":
		g.found = true
		return eachElement(d, func() error {
			var p ghostPost
			err := d.Decode(&p)
			if len(p.HTML) > maxArticle {
				p.HTML, p.large = "", true
			}
			if g.held += len(p.HTML) + len(p.Title) + len(p.Excerpt); g.held > maxHeld {
				return errHeld
			}
			if g.posts = append(g.posts, p); len(g.posts) > maxFiles {
				return fmt.Errorf("it has more than %d posts", maxFiles)
			}
			return err
		})
	case "tags":
		return eachElement(d, func() error {
			var tag struct {
				ID   ghostValue `json:"id"`
				Name string     `json:"name"`
			}
			err := d.Decode(&tag)
			if !strings.HasPrefix(tag.Name, "#") { // those are Ghost's own notes
				g.names[tag.ID] = tag.Name
			}
			return err
		})
	case "posts_tags":
		return eachElement(d, func() error {
			var link struct {
				Post ghostValue `json:"post_id"`
				Tag  ghostValue `json:"tag_id"`
			}
			err := d.Decode(&link)
			g.tags[link.Post] = append(g.tags[link.Post], link.Tag)
			return err
		})
	}
	return skipJSON(d)
}

// tagsOf are the names of a post's tags.
func (g *ghostData) tagsOf(p ghostPost) (tags []string) {
	for _, id := range g.tags[p.ID] {
		if name := g.names[id]; name != "" {
			tags = append(tags, name)
		}
	}
	return tags
}

// maxRows is the most rows of a table that are read: a post has a handful of tags.
const maxRows = 10 * maxFiles

var errNoGhost = errors.New("it is JSON, but no export of Ghost, the only one of this kind that is read")

// eachKey calls f for each key of the object that comes next; f reads the value. Null has none.
func eachKey(d *json.Decoder, f func(key string) error) error {
	return within(d, '{', func() error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		return f(key)
	})
}

// eachElement calls f for each element of the list that comes next; f reads it. Null has none.
func eachElement(d *json.Decoder, f func() error) error {
	n := 0
	return within(d, '[', func() error {
		if n++; n > maxRows {
			return fmt.Errorf("it has a table of more than %d rows", maxRows)
		}
		return f()
	})
}

func within(d *json.Decoder, opens json.Delim, f func() error) error {
	token, err := d.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return nil
	case token != opens:
		return errNoGhost
	}
	for d.More() {
		if err := f(); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// skipJSON passes over the value that comes next.
func skipJSON(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxXMLDepth {
				return fmt.Errorf("its values are nested deeper than %d", maxXMLDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// ghost takes in the posts of a Ghost export. Its pictures are found where they lie beside it as in Ghost's own folder, content/images.
func (in *intake) ghost(s source) error {
	f, err := s.open()
	if err != nil {
		in.fatal(s.file, "can't be read: "+cause(err), mendOpen(err))
		return nil
	}
	defer f.Close()
	counted := &counting{r: f, most: maxTotal - in.bytes}
	data, err := readGhost(counted, in.held)
	if err == nil && !data.found {
		err = errNoGhost
	}
	in.bytes += counted.n
	in.held = data.held
	if err != nil {
		in.noGhost(s, err)
		return nil
	}
	slices.SortStableFunc(data.posts, func(a, b ghostPost) int { return strings.Compare(a.date().at, b.date().at) })
	g := in.gather(s, "Ghost export")
	for i, p := range data.posts {
		in.step(i, len(data.posts))
		data.posts[i] = ghostPost{}
		made := p.post(s, data.tagsOf(p))
		if !g.wantsGhost(p, made) {
			continue
		}
		if err := g.add(made); err != nil {
			return err
		}
	}
	g.end()
	return nil
}

// noGhost says what is wrong with a JSON file. In a folder there may well be one that is none of our business.
func (in *intake) noGhost(s source, err error) {
	p := Problem{File: shown(s.file), What: err.Error(), Mend: "bring its articles as single files", Fatal: s.named}
	var broken *json.SyntaxError
	if errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		p.What, p.Mend = "its JSON is broken or cut off: "+err.Error(), "export it anew"
	}
	if !errors.Is(err, errNoGhost) {
		p.Fatal = p.Fatal || in.Whole
	}
	in.problems = append(in.problems, p)
}

// wantsGhost says whether a row, and the post made of it, is one for readers, or counts what else it is.
func (g *gathering) wantsGhost(p ghostPost, made post) bool {
	isPage := p.Page == "1" || p.Page == "true" || p.Type == "page"
	switch {
	case isPage:
		g.leave("page", "pages")
	case p.Type != "" && p.Type != "post":
		g.leave("item of another kind", "items of other kinds")
	case p.Status == "scheduled":
		g.leavePost(made, "post that is yet to come", "posts that are yet to come")
	case p.Status == "published", p.Status == "sent", p.Status == "draft":
		return true
	default:
		g.leavePost(made, "post of another state", "posts of other states")
	}
	return false
}

func (p ghostPost) date() moment {
	if m := p.Published.moment(); m != (moment{}) {
		return m
	}
	return moment{at: p.Created.moment().at}
}

// post is a row as a post. One without HTML keeps why it can't be read.
func (p ghostPost) post(s source, tags []string) post {
	made := post{
		guid: guidOf(string(p.ID)), name: p.Slug, title: p.Title, html: p.HTML, preheader: strings.ReplaceAll(p.Excerpt, "<", "&lt;"), tags: tags,
		draft: p.Status == "draft", closed: p.closed(), date: p.date(), resolve: s.ghostAddress,
	}
	if made.draft {
		made.date.day = ""
	}
	if len(p.ID) < 12 { // the numbers of old versions, by which each site counts for itself
		made.guid = guidOf("ghost:" + string(cmp.Or(p.UUID, p.ID+" "+cmp.Or(ghostValue(p.Created.moment().at), ghostValue(p.Slug)))))
	}
	if p.large {
		made.unread = tooLarge(maxArticle).Error()
	} else if strings.TrimSpace(p.HTML) == "" && bool(p.Lexical || p.Mobiledoc) {
		made.unread = "it has no HTML, only what Ghost's editor itself reads (Lexical or Mobiledoc)"
	}
	if image := s.ghostAddress(p.Image, true); strings.HasPrefix(image, "/") {
		made.image = image
	}
	return made
}

// closed says who alone had a post: what is neither public nor one of these words is a filter of members. One that was only mailed was for
// those whom its mail went to.
func (p ghostPost) closed() (c closed) {
	c.add(audience(p.Visibility, map[string]string{
		"members": "for members only", "paid": "for paying readers only", "tiers": "for members of some tiers only",
	}, "public"))
	if p.Status == "sent" {
		c.add(audience(string(p.MailedTo), nil, "all"))
	}
	return c
}

// ghostAddress resolves the addresses of an export.
func (s source) ghostAddress(address string, picture bool) string {
	local, ok := strings.CutPrefix(address, ghostSite)
	if !ok {
		return against("")(address, picture)
	}
	if i := strings.Index(local, "/content/images/"); picture && i >= 0 {
		name := path.Clean(local[i:])
		if _, err := fs.Stat(s.fsys, strings.TrimPrefix(name, "/")); err == nil {
			return name
		}
	}
	return ""
}

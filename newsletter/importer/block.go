package importer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// blockMark is what begins or ends a block of WordPress's editor, or stands for a whole one: <!-- wp:block {"ref":55} /-->.
var blockMark = regexp.MustCompile(`(?s)<!--\s+(/?)wp:([a-z][a-z0-9_-]*(?:/[a-z][a-z0-9_-]*)?)\s+(\{.*?\}\s+)?(/?)-->`)

// plainBlocks are whole blocks that hold no words, and paywalls, which say so by themselves.
var plainBlocks = []string{"separator", "spacer", "more", "nextpage", "post-title", "post-featured-image", "post-date", "post-author", "jetpack/paywall"}

// maxBlockDepth is how deep reusable blocks may lie in each other.
const maxBlockDepth = 5

// blockField is what is read of what stands in the mark of a block.
type blockField struct {
	Ref      int64           `json:"ref"`
	Content  json.RawMessage `json:"content"`
	Metadata struct {
		Visible *json.RawMessage `json:"blockVisibility"`
	} `json:"metadata"`
}

// hidden says that the site shows the block to nobody.
func (f blockField) hidden() bool {
	return f.Metadata.Visible != nil && string(*f.Metadata.Visible) == "false"
}

// reusable keeps a block that posts name by its number. Of one that is no public text the site shows nothing either.
func (item wxrItem) reusable(parts map[string]string) {
	if text := item.text(); item.ID != "" && item.Status == "publish" && item.Password == "" && len(text) <= maxArticle {
		parts[item.ID] = text
	}
}

// blocks fills in what the text of a post only names: reusable blocks and footnotes. What the site alone could fill is named.
func (p *post) blocks(parts map[string]string) {
	f := filling{p: p, parts: parts, left: maxArticle}
	if f.readNotes(); len(f.notes) > 0 {
		p.html = noteMark.ReplaceAllStringFunc(p.html, f.mark)
	}
	p.html = f.fill(p.html, 0)
	if f.left < 0 {
		p.unread = tooLarge(maxArticle).Error()
	}
	if list := f.list(); list != "" { // the post has notes, and no place for them
		p.html += list
	}
}

// filling is a post while its blocks are filled in.
type filling struct {
	p     *post
	parts map[string]string
	left  int // bytes that may come in still
	notes []blockNote
	shown bool // the notes stand in the text
}

// blockNote is a footnote, whose content is HTML.
type blockNote struct {
	ID      string `json:"id"`
	Content string `json:"content"`
}

// noteMark is where a text names a footnote.
var noteMark = regexp.MustCompile(`(?is)<sup\b[^>]*\bdata-fn="([^"]*)"[^>]*>(.*?)</sup>`)

// readNotes reads the footnotes that are kept beside the text.
func (f *filling) readNotes() {
	err := json.Unmarshal([]byte(f.p.footnotes), &f.notes)
	if len(f.notes) == 0 && (f.p.footnotes != "" && err != nil || noteMark.MatchString(f.p.html)) {
		f.p.code("footnotes")
	}
}

// mark is what stands for the mark of a footnote: its number.
func (f *filling) mark(found string) string {
	m := noteMark.FindStringSubmatch(found)
	if i := slices.IndexFunc(f.notes, func(n blockNote) bool { return n.ID == m[1] }); i >= 0 {
		return fmt.Sprintf("<sup>[%d]</sup>", i+1)
	}
	f.p.code("a footnote")
	return ""
}

// list is the footnotes where they are to stand; empty from the second time on.
func (f *filling) list() string {
	if f.shown || len(f.notes) == 0 {
		return ""
	}
	f.shown = true
	var b strings.Builder
	b.WriteString("\n<ol>")
	for _, n := range f.notes {
		b.WriteString("<li>" + n.Content + "</li>")
	}
	b.WriteString("</ol>\n")
	return b.String()
}

// fill is a text with its blocks filled in. Blocks that the site shows to nobody stand in a hidden element.
func (f *filling) fill(text string, depth int) string {
	var b strings.Builder
	rest, level := 0, 0
	var hidden []int // the levels where hidden blocks began
	for _, at := range blockMark.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[rest:at[0]])
		rest = at[1]
		name := strings.TrimPrefix(text[at[4]:at[5]], "core/")
		var field blockField
		if at[6] >= 0 {
			_ = json.Unmarshal([]byte(text[at[6]:at[7]]), &field) // what can't be read says nothing
		}
		switch ends, whole := at[3] > at[2], at[9] > at[8]; {
		case whole:
			if !field.hidden() {
				b.WriteString(f.whole(name, field, depth))
			}
		case ends:
			level--
			if n := len(hidden); n > 0 && hidden[n-1] == level {
				hidden = hidden[:n-1]
				b.WriteString("</div>")
			}
		default:
			if field.hidden() {
				hidden = append(hidden, level)
				b.WriteString("<div hidden>")
			}
			level++
		}
		b.WriteString(text[at[0]:at[1]])
	}
	b.WriteString(text[rest:])
	return b.String()
}

// whole is what stands for a block that is only a mark.
func (f *filling) whole(name string, field blockField, depth int) string {
	switch {
	case name == "footnotes":
		return f.list()
	case name != "block":
		if !slices.Contains(plainBlocks, name) {
			f.p.code("the block " + name)
		}
		return ""
	}
	ref := strconv.FormatInt(field.Ref, 10)
	part, ok := f.parts[ref]
	if !ok || len(field.Content) > 0 || depth >= maxBlockDepth {
		f.p.code("the reusable block " + ref)
		return ""
	}
	if f.left -= len(part); f.left < 0 {
		return ""
	}
	return f.fill(part, depth+1)
}

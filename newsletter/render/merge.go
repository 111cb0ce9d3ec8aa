package render

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"pressrun/templates"
)

// Hole stands around the fallback of {{name|fallback}} in a rendered letter: outbox puts each person's name there, escaped
// for where it stands. The zero Hole leaves the fallback alone.
type Hole struct{ Before, After string }

var (
	mergeField = regexp.MustCompile(`^\{\{[ \t]*([A-Za-z][A-Za-z0-9_.]{0,40})[ \t]*(?:\\?\|([^{}\n]{0,200}))?\}\}`)
	mergeBegun = regexp.MustCompile(`^\{\{[ \t]*(name|series|title|number|count|date|(?:article|series|unsubscribe|preferences)_link)\b`)
)

// mergeNames are the fields there are, in the order in which people are told.
var mergeNames = []string{"name", "series", "title", "number", "count", "date", "article_link", "series_link", "unsubscribe_link", "preferences_link"}

// merge is a field's meaning in one letter. An empty value has none there.
type merge struct {
	value string
	link  bool // the value is an address
}

// merger fills in the fields of one text and gathers what can't be filled.
type merger struct {
	field    string // names the text in errors
	values   map[string]merge
	hole     Hole
	problems []error // the first maxProblems
	more     int     // problems beyond those
}

// maxProblems is how many problems of one text are told: all of them, of a text full of them, are nothing to read or keep.
const maxProblems = 20

// mergeKey carries the merger through the parser.
var mergeKey = parser.NewContextKey()

// merges are the values of the fields in a letter.
func (l Letter) merges() map[string]merge {
	values := map[string]merge{
		"series":           {value: l.SeriesTitle},
		"title":            {value: l.Title},
		"number":           {},
		"count":            {},
		"date":             {},
		"article_link":     {l.ViewURL, true},
		"series_link":      {l.SeriesURL, true},
		"unsubscribe_link": {l.UnsubscribeURL, true},
		"preferences_link": {l.PreferencesURL, true},
	}
	if l.Part > 0 {
		values["number"], values["count"] = merge{value: strconv.Itoa(l.Part)}, merge{value: strconv.Itoa(l.Of)}
	}
	if !l.Day.IsZero() {
		values["date"] = merge{value: templates.InMail(l.Language).Date(l.Day)}
	}
	return values
}

// Check says which merge fields of a letter's texts can't be filled in any issue, each with line and column: what can be
// known before there is one. It looks at nothing else. The error is joined of *FieldError.
func Check(l Letter) error {
	dummies := map[string]merge{}
	for _, name := range mergeNames {
		dummies[name] = merge{"https://example.org/", strings.HasSuffix(name, "_link")}
	}
	var problems []error
	for _, line := range []struct{ field, text string }{{"Subject", l.Subject}, {"Preheader", l.Preheader}} {
		m := merger{field: line.field, values: dummies}
		m.line(line.text)
		problems = append(problems, m.err())
	}
	_, err := parseDocument(articles(), "Markdown", l.Markdown, setting{merges: dummies})
	return errors.Join(append(problems, checkTitle(l.Title), l.checkUnfilled(), err)...)
}

// checkUnfilled refuses fields in the texts beside the article, where none is filled.
func (l Letter) checkUnfilled() error {
	var err error
	refuse := func(field, s string) {
		if at := fieldIn([]byte(s)); at >= 0 {
			err = errors.Join(err, &FieldError{field, "holds " + quote(s[at:]) + ": fields belong into the subject, the preheader or the text"})
		}
	}
	refuse("ImageAlt", l.ImageAlt)
	refuse("ImageCaption", l.ImageCaption)
	refuse("ReviewedBy", l.ReviewedBy)
	for _, source := range l.Sources {
		refuse("Sources", source)
	}
	return err
}

// fieldIn is where the first field in a text begins, whole or without an end; -1 where there is none.
func fieldIn(s []byte) int {
	for at := range s {
		if s[at] == '{' && (mergeField.Match(s[at:]) || mergeBegun.Match(s[at:])) {
			return at
		}
	}
	return -1
}

// checkTitle refuses fields in a title, which stands on public pages too.
func checkTitle(title string) error {
	at := strings.Index(title, "{{")
	if at < 0 || !mergeField.MatchString(title[at:]) {
		return nil
	}
	return &FieldError{"Title", "holds " + quote(mergeField.FindString(title[at:])) + ": fields belong into the subject or the text"}
}

// problem notes what is wrong with a field at an offset of its text.
func (m *merger) problem(source []byte, offset int, what string) {
	if len(m.problems) == maxProblems {
		m.more++
		return
	}
	line := 1 + bytes.Count(source[:offset], []byte("\n"))
	column := 1 + utf8.RuneCount(source[bytes.LastIndexByte(source[:offset], '\n')+1:offset])
	m.problems = append(m.problems, &PlaceError{line, column, &FieldError{m.field, what}})
}

// err is all that can't be filled, joined of *FieldError; nil for nothing.
func (m *merger) err() error {
	all := m.problems
	if m.more > 0 {
		all = append(all, &FieldError{m.field, fmt.Sprintf("has %d more such faults", m.more)})
	}
	return errors.Join(all...)
}

// resolve is what a field stands for; found is its mergeField. What can't be filled is a problem and stands for nothing.
func (m *merger) resolve(source []byte, offset int, found [][]byte) merge {
	name, fallback := string(found[1]), strings.TrimSpace(strings.ReplaceAll(string(found[2]), `\|`, "|"))
	value, known := m.values[name]
	switch {
	case name == "name" && fallback == "":
		m.problem(source, offset, "{{name}} needs words for readers without a name, as in {{name|there}}")
	case name == "name" && m.hole == Hole{}:
		return merge{value: fallback}
	case name == "name":
		return merge{value: m.hole.Before + strings.ReplaceAll(fallback, " ", "\u00a0") + m.hole.After}
	case !known:
		m.problem(source, offset, fmt.Sprintf("{{%s}} is no field; there are: %s", name, strings.Join(mergeNames, ", ")))
	case value.value == "" && fallback == "":
		m.problem(source, offset, fmt.Sprintf("{{%s}} has no value in this letter; give words for that, as in {{%[1]s|…}}", name))
	case value.value == "":
		return merge{value: fallback}
	}
	return value
}

// line fills the fields of a text of one line. Addresses have no place there.
func (m *merger) line(s string) string {
	var b strings.Builder
	for rest := s; rest != ""; {
		at := strings.Index(rest, "{{")
		if at < 0 {
			b.WriteString(rest)
			break
		}
		offset := len(s) - len(rest) + at
		b.WriteString(rest[:at])
		rest = rest[at:]
		found := mergeField.FindSubmatch([]byte(rest))
		if found == nil {
			m.begun([]byte(s), offset)
			b.WriteByte('{')
			rest = rest[1:]
			continue
		}
		v := m.resolve([]byte(s), offset, found)
		if v.link {
			m.problem([]byte(s), offset, "an address belongs into the text, not here")
		}
		b.WriteString(v.value)
		rest = rest[len(found[0]):]
	}
	return b.String()
}

// begun notes a field that has a beginning and no end: nobody means that to be mailed.
func (m *merger) begun(source []byte, offset int) {
	if mergeBegun.Match(source[offset:]) {
		m.problem(source, offset, `the field has no end on its line: write }}, and in a table \| for |; for the signs themselves write \{{`)
	}
}

// target fills the fields of a link's address, which can hold addresses only.
func (m *merger) target(source []byte, near int, destination []byte) []byte {
	at := bytes.Index(destination, []byte("{{"))
	if at < 0 {
		return destination
	}
	found := mergeField.FindSubmatch(destination[at:])
	if found == nil {
		return destination
	}
	if written := bytes.Index(source[near:], found[0]); written >= 0 {
		near += written
	}
	v := m.resolve(source, near, found)
	if !v.link && v.value != "" {
		m.problem(source, near, fmt.Sprintf("{{%s}} is no address, and a link needs one", found[1]))
	}
	return append(append(bytes.Clone(destination[:at]), v.value...), destination[at+len(found[0]):]...)
}

// unfilled notes a field that is left in an address or a caption, where none is filled or only one; near is an offset
// before it.
func (m *merger) unfilled(source []byte, near int, left []byte) {
	at := fieldIn(left)
	if at < 0 {
		return
	}
	if written := bytes.Index(source[near:], left[at:]); written >= 0 {
		near += written
	}
	m.problem(source, near, "fields are not filled in captions, nor in an address beyond the one field that may begin it")
}

// raw notes a field inside raw HTML, where none is filled.
func (m *merger) raw(source []byte, segments *text.Segments) {
	for i := range segments.Len() {
		segment := segments.At(i)
		value := segment.Value(source)
		for at := range value {
			if value[at] == '{' && mergeField.Match(value[at:]) {
				m.problem(source, segment.Start+at, "fields are not filled inside HTML: write this paragraph in Markdown")
			}
		}
	}
}

// mergeParser reads {{name|there}} in running text.
type mergeParser struct{}

// Trigger implements parser.InlineParser.
func (mergeParser) Trigger() []byte { return []byte{'{'} }

// Parse implements parser.InlineParser.
func (mergeParser) Parse(_ ast.Node, block text.Reader, context parser.Context) ast.Node {
	m, ok := context.Get(mergeKey).(*merger)
	if !ok {
		return nil
	}
	line, segment := block.PeekLine()
	found := mergeField.FindSubmatch(line)
	if found == nil {
		m.begun(block.Source(), segment.Start)
		return nil
	}
	block.Advance(len(found[0]))
	v := m.resolve(block.Source(), segment.Start, found)
	if !v.link {
		return &mergeNode{value: v.value, public: strings.TrimSuffix(strings.TrimPrefix(v.value, m.hole.Before), m.hole.After)}
	}
	link := ast.NewLink()
	link.Destination = []byte(v.value)
	link.AppendChild(link, raw(v.value))
	return link
}

var kindMerge = ast.NewNodeKind("Merge")

// mergeNode is a field in running text.
type mergeNode struct {
	ast.BaseInline
	value  string // with the hole
	public string // where there is no person: the fallback
}

// Kind implements ast.Node.
func (*mergeNode) Kind() ast.NodeKind { return kindMerge }

// Dump implements ast.Node.
func (n *mergeNode) Dump(source []byte, level int) {
	ast.DumpHelper(n, source, level, map[string]string{"value": n.value}, nil)
}

// withoutPerson is rendered HTML or text for a page that has no one reader: the fallbacks stay.
func (l Letter) withoutPerson(s string) string {
	if l.NameHole != (Hole{}) {
		s = strings.NewReplacer(l.NameHole.Before, "", l.NameHole.After, "").Replace(s)
	}
	s = strings.ReplaceAll(s, l.UnsubscribeURL, l.SeriesURL)
	if l.PreferencesURL != "" {
		s = strings.ReplaceAll(s, l.PreferencesURL, l.SeriesURL)
	}
	return s
}

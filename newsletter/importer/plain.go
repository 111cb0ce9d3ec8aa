package importer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"pressrun/newsletter/series"
)

// readPlain reads plain text in the sample's shape: a title on the first line, paragraphs and lists between empty lines, a
// closing note, and at the very end the Previous and Next labels with the neighbours' titles. Characters that mean
// something in Markdown are escaped, so that they stay what they are.
func readPlain(text string) (candidate, []Problem) {
	c := candidate{Incoming: series.Incoming{Text: series.Text{DisclaimerMode: "add"}}}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\u00a0")
	}
	first := 0
	for strings.TrimSpace(lines[first]) == "" { // decode gives no empty text
		first++
	}
	c.Title = oneLine(lines[first])
	if utf8.RuneCountInString(c.Title) > maxTitle {
		return c, []Problem{longTitle(first + 1)}
	}
	lines = lines[first+1:]
	c.plain = &plain{lines: lines, first: first + 2, endings: endingsOf(lines)}
	if lastText(c.plain.above(), len(c.plain.above())) < 0 { // there would be no text
		c.plain.endings = c.plain.endings[:c.plain.sure()]
	}
	c.cut(len(c.plain.endings))
	return c, strayLabels(c.plain.above(), first+2, oneLine, "write it as “Previous: Title” or “Next: Title” on a line of its own at the very end, or take it out")
}

// plain is what a plain text's candidate was read from. Which of its endings are labels, only the whole set can tell.
type plain struct {
	lines   []string // without the title
	first   int      // number of the first of them in the file
	endings []ending // the last first
}

// before is the text without its last n endings.
func (p *plain) before(n int) []string {
	if n == 0 {
		return p.lines
	}
	return p.lines[:p.endings[n-1].from]
}

// above is the text above all of its endings.
func (p *plain) above() []string { return p.before(len(p.endings)) }

// sure is how many endings, from the last one up, are labels for sure.
func (p *plain) sure() int {
	if n := slices.IndexFunc(p.endings, func(e ending) bool { return !e.sure }); n >= 0 {
		return n
	}
	return len(p.endings)
}

// words are the label of an ending with its title.
func (p *plain) words(e ending) string {
	words := oneLine(p.lines[e.from])
	if wordAlone(words) != "" {
		words += " " + e.labels[0].title
	}
	return strings.TrimSpace(words)
}

// line is the number that an ending has in the file.
func (p *plain) line(e ending) int { return p.first + e.from }

// cut makes the text of a plain candidate, with its last n endings read as labels and taken off.
func (c *candidate) cut(n int) {
	c.previous, c.next, c.note, c.noteMarkdown = neighbour{}, neighbour{}, "", ""
	for _, e := range c.plain.endings[:n] {
		for _, l := range e.labels {
			if to := (neighbour{l.title, c.plain.line(e)}); l.word == "previous" {
				c.previous = to
			} else {
				c.next = to
			}
		}
	}
	paragraphs := paragraphsOf(c.plain.before(n))
	if n := len(paragraphs) - 1; n > 0 {
		if note := strings.Join(paragraphs[n].trimmed(), " "); noteBegin.MatchString(note) {
			c.note, c.noteMarkdown = note, paragraphs[n].markdown()
			paragraphs = paragraphs[:n]
		}
	}
	c.Markdown = markdownOf(paragraphs)
}

// paragraph is a run of lines between empty ones.
type paragraph []string

func paragraphsOf(lines []string) []paragraph {
	var all []paragraph
	open := false
	for _, l := range lines {
		switch {
		case strings.TrimSpace(l) == "":
			open = false
		case open:
			all[len(all)-1] = append(all[len(all)-1], l)
		default:
			all, open = append(all, paragraph{l}), true
		}
	}
	return all
}

func (p paragraph) trimmed() []string {
	lines := make([]string, len(p))
	for i, l := range p {
		lines[i] = strings.TrimSpace(l)
	}
	return lines
}

// markdown is the paragraph with its line breaks, escaped.
func (p paragraph) markdown() string {
	lines := p.trimmed()
	for i, l := range lines {
		lines[i] = escapeLine(l)
	}
	return strings.Join(lines, "\n")
}

// markdownOf writes paragraphs, lists and headings as Markdown. Where two lists of a kind follow each other, the second
// gets another mark, which keeps them apart.
func markdownOf(paragraphs []paragraph) string {
	var out []string
	var last list
	for i := 0; i < len(paragraphs); {
		l, n := readList(paragraphs[i:])
		switch {
		case n > 0:
			l.other = last.kind == l.kind && !last.other
			out = append(out, l.markdown())
			i += n
		case isHeading(paragraphs, i):
			out = append(out, "## "+paragraphs[i].markdown())
			i++
		default:
			out = append(out, paragraphs[i].markdown())
			i++
		}
		last = l
	}
	return strings.Join(out, "\n\n")
}

// isHeading knows a heading only where nothing else is likely: one short line that ends like no sentence, after a full
// paragraph and before one.
func isHeading(paragraphs []paragraph, i int) bool {
	if i == 0 || i == len(paragraphs)-1 || len(paragraphs[i]) > 1 {
		return false
	}
	line := strings.TrimSpace(paragraphs[i][0])
	first, _ := utf8.DecodeRuneInString(line)
	last, _ := utf8.DecodeLastRuneInString(line)
	return utf8.RuneCountInString(line) <= 60 && unicode.IsUpper(first) &&
		(unicode.IsLetter(last) || unicode.IsDigit(last)) &&
		isSentences(paragraphs[i-1]) && isSentences(paragraphs[i+1])
}

// isSentences says that a paragraph is long enough and ends as prose does.
func isSentences(p paragraph) bool {
	text := strings.TrimRight(strings.Join(p.trimmed(), " "), `"'”’»)`)
	return utf8.RuneCountInString(text) > 80 && strings.ContainsAny(text[len(text)-1:], ".!?")
}

var (
	numbered = regexp.MustCompile(`^[ \t]*([0-9]{1,3})[.)][ \t]+(\S.*)$`)
	bulleted = regexp.MustCompile(`^[ \t]*([•·▪◦‣*-])[ \t]+(\S.*)$`)
	leadIn   = regexp.MustCompile(`^([^:.!?;]{1,80}):[ \t]+(\S.*)$`)
)

// list is a numbered or bulleted list of plain text.
type list struct {
	kind  string // "numbers" or the bullet; empty: no list
	first int    // number of the first item
	items [][]paragraph
	tight bool // no empty lines between the items
	other bool // written with the other mark of its kind
}

// readList reads the list that begins with the first paragraph, and says how many it spans; 0: none begins there. A list
// has two items or more: numbers that go up by one, or the same bullet. Deeply indented paragraphs belong to the item above.
func readList(paragraphs []paragraph) (l list, n int) {
	for ; n < len(paragraphs); n++ {
		p := paragraphs[n]
		if _, ok := l.item(p[0]); !ok {
			if l.kind == "" || !strings.HasPrefix(strings.ReplaceAll(p[0], "\t", "    "), "   ") {
				break
			}
			last := len(l.items) - 1
			l.items[last] = append(l.items[last], p)
			l.tight = false
			continue
		}
		for _, line := range p {
			if text, ok := l.item(line); ok {
				l.items = append(l.items, []paragraph{{text}})
				continue
			}
			last := l.items[len(l.items)-1]
			last[0] = append(last[0], line)
		}
		l.tight = n == 0
	}
	if len(l.items) < 2 {
		return list{}, 0
	}
	return l, n
}

// item takes the mark off a line that continues the list by one item; an empty list takes any first mark.
func (l *list) item(line string) (text string, ok bool) {
	if m := numbered.FindStringSubmatch(line); m != nil && (l.kind == "" || l.kind == "numbers") {
		number := 0
		for _, digit := range m[1] {
			number = 10*number + int(digit-'0')
		}
		if l.kind == "" {
			l.kind, l.first = "numbers", number
		}
		return m[2], number == l.first+len(l.items)
	}
	if m := bulleted.FindStringSubmatch(line); m != nil && (l.kind == "" || l.kind == m[1]) {
		l.kind = m[1]
		return m[2], true
	}
	return "", false
}

func (l list) markdown() string {
	var out []string
	for i, item := range l.items {
		mark := l.mark(i)
		indent := "\n" + strings.Repeat(" ", len(mark))
		var texts []string
		for j, p := range item {
			text := p.markdown()
			if j == 0 {
				text = itemMarkdown(p)
			}
			texts = append(texts, strings.ReplaceAll(text, "\n", indent))
		}
		out = append(out, mark+strings.Join(texts, "\n"+indent))
	}
	if l.tight {
		return strings.Join(out, "\n")
	}
	return strings.Join(out, "\n\n")
}

func (l list) mark(i int) string {
	switch {
	case l.kind != "numbers" && l.other:
		return "* "
	case l.kind != "numbers":
		return "- "
	case l.other:
		return itoa(l.first+i) + ") "
	}
	return itoa(l.first+i) + ". "
}

// itemMarkdown sets the lead-in of an item in bold: the few words before its first colon.
func itemMarkdown(p paragraph) string {
	m := leadIn.FindStringSubmatch(strings.TrimSpace(p[0]))
	if m == nil {
		return p.markdown()
	}
	rest := append(paragraph{m[2]}, p[1:]...)
	return "**" + escapeInline(m[1]) + ":** " + rest.markdown()
}

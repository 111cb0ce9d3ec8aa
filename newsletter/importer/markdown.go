package importer

import (
	"cmp"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// maxTitle is the longest title, in characters; a longer first line is a paragraph.
const maxTitle = 250

// maxHeading is the longest heading, in bytes, that is parsed for its words. Longer ones are too long for a title anyway,
// and the parser takes quadratic time on brackets.
const maxHeading = 8 * maxTitle

// readMarkdown reads Markdown with or without front matter. Its text stays as it is, but for a heading at its start that
// has to serve as the title.
func readMarkdown(whole string) (candidate, []Problem) {
	front, body, problems := splitFront(whole)
	if anyFatal(problems) {
		return candidate{}, problems
	}
	c, more := front.candidate()
	problems = append(problems, more...)
	problems = append(problems, leftOut(body, 1+strings.Count(whole, "\n")-strings.Count(body, "\n"))...)
	if c.Title == "" {
		c.Title, body = headingTitle(body)
	}
	c.Title = cmp.Or(c.Title, c.Subject)
	if utf8.RuneCountInString(c.Title) > maxTitle {
		problems = append(problems, longTitle(front.line("title")))
	}
	c.Markdown = trimBody(body)
	c.Line = 1 + strings.Count(whole[:strings.LastIndex(whole, c.Markdown)], "\n")
	c.imageLine = front.line("image")
	c.closing, _ = closingNote(c.Markdown)
	problems = append(problems, strayLabels(strings.Split(c.Markdown, "\n"), c.Line, wordsOfLine,
		"take it out: Markdown is ordered by weight: … in front matter")...)
	return c, problems
}

func longTitle(line int) Problem {
	return Problem{
		Line: line, What: "the title has more than 250 characters", Fatal: true,
		Mend: "put a short title on a line of its own at the top",
	}
}

// trimBody takes empty lines off both ends; the spaces before the first word stay, since they may make it code.
func trimBody(body string) string {
	body = strings.TrimRight(body, " \t\n")
	for {
		line, rest, more := strings.Cut(body, "\n")
		if !more || strings.Trim(line, " \t") != "" {
			return body
		}
		body = rest
	}
}

var (
	atxTitle    = regexp.MustCompile(`^ {0,3}#(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*(?:\n|$)`)
	setextTitle = regexp.MustCompile(`^ {0,3}(\S.*)\n {0,3}=+[ \t]*(?:\n|$)`)
)

// headingTitle takes a first-level heading off the start of body and returns its words.
func headingTitle(body string) (title, rest string) {
	body = trimBody(body)
	for _, form := range []*regexp.Regexp{atxTitle, setextTitle} {
		if m := form.FindStringSubmatch(body); m != nil {
			title = m[1]
			if len(title) <= maxHeading {
				title = plainWords(title)
			}
			return oneLine(title), body[len(m[0]):]
		}
	}
	return "", body
}

// wordsOfLine is plainWords of a line that may be a label; a longer one is none.
func wordsOfLine(line string) string {
	if len(line) > maxHeading {
		return ""
	}
	return plainWords(line)
}

// plainWords are the words of a piece of Markdown without its marks.
func plainWords(markdown string) string {
	source := []byte(markdown)
	var b strings.Builder
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(n.Segment.Value(source)))))
				if n.SoftLineBreak() || n.HardLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.AutoLink:
			if entering {
				b.Write(n.Label(source))
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// oneLine makes one line of s, with single spaces; a no-break space stays.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }), " ")
}

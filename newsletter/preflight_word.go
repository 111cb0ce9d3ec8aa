package newsletter

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// proseOf is the text of a document without what is never shown and elements of the classes left out, a space between blocks.
func proseOf(root *html.Node, leaveOut ...string) string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode && (hidesText(n) || slices.Contains(leaveOut, attribute(n, "class"))) {
			return
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
		switch n.Data {
		case "p", "li", "h1", "h2", "h3", "h4", "td", "th", "tr", "br", "div", "blockquote", "pre":
			b.WriteByte(' ')
		}
	}
	walk(root)
	return strings.Join(strings.Fields(b.String()), " ")
}

func cutWords(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n])) + "…"
}

const (
	longestSubject = 70 // characters that a desktop inbox shows; phones show about 40
	mostMarks      = 1  // exclamation marks
)

func subjectRule(s *sheet) []Finding {
	var found []Finding
	if n := utf8.RuneCountInString(s.subject); n > longestSubject {
		found = append(found, s.find("subject", false, "n", n, "most", longestSubject))
	}
	if shouts(s.subject) {
		found = append(found, s.find("shouting", false, "subject", s.subject))
	}
	return found
}

// shouts says whether a subject has two words of four and more capital letters, or marks that call for attention.
func shouts(subject string) bool {
	loud := 0
	for _, word := range strings.FieldsFunc(subject, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if utf8.RuneCountInString(word) >= 4 && word == strings.ToUpper(word) && word != strings.ToLower(word) {
			loud++
		}
	}
	return loud >= 2 || strings.Count(subject, "!")+strings.Count(subject, "！") > mostMarks || strings.Contains(subject, "$$$")
}

// Placeholders that nobody means, and what somebody may: an editor's brackets in a quotation, a mask, a short word.
var (
	surePlaceholder  = regexp.MustCompile(`(?i)\blorem ipsum dolor\b|\bTKTK\w*|\[(?:TK|TODO)\b[^\]]*\]`)
	maybePlaceholder = regexp.MustCompile(`\b(?:TK|TODO|FIXME|TBD|XXX+)\b|(?i:\blorem ipsum\b|\[(?:insert|placeholder|your)\b[^\]]*\])`)
)

func placeholderRule(s *sheet) []Finding {
	text := s.subject + " " + s.prose
	if m := surePlaceholder.FindString(text); m != "" {
		return s.wrong("placeholder", "word", m)
	}
	if m := maybePlaceholder.FindString(text); m != "" {
		return s.odd("stub", "word", m)
	}
	return nil
}

// claimRule finds the site's claim words as whole words, in any case. The disclaimer is no claim.
func claimRule(s *sheet) []Finding {
	text := " " + spaced(s.subject+" "+s.article.Title+" "+s.own()) + " "
	var said []string
	for _, claim := range s.site.ClaimWords {
		if w := spaced(claim); w != "" && strings.Contains(text, " "+w+" ") {
			said = append(said, claim)
		}
	}
	if len(said) == 0 {
		return nil
	}
	return s.odd("claim", "words", strings.Join(said, ", "))
}

// own is the author's text alone: without disclaimers, which are no claims, and the lines on the review.
func (s *sheet) own() string { return proseOf(s.body, "disclaimer", "review") }

// spaced is a text as words in lower case with one space between them.
func spaced(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}

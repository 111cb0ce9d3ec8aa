package outbox

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"pressrun/newsletter/series"
)

// NameHoleBefore and NameHoleAfter stand around the words for readers without a name where each person's own belongs. They
// are private characters, which no text has a use for. Spaces between them are no-break ones, so that no line ends there.
const (
	NameHoleBefore = "\uE0F0"
	NameHoleAfter  = "\uE0F1"
)

// Personal is what an issue's message shows of the person it is written to.
type Personal struct{ Name, UnsubscribeURL string }

// Fill puts it into the holes of a subject and both parts, escaped for each. A subject that the name makes too long for a
// header gets the words for readers without one: nobody's name may stop an issue.
func (p Personal) Fill(subject, htmlPart, textPart string) (filledSubject, filledHTML, filledText string) {
	name := shownName(p.Name)
	htmlPart = strings.ReplaceAll(fillNames(htmlPart, html.EscapeString(name)), UnsubscribeHole, html.EscapeString(p.UnsubscribeURL))
	textPart = strings.ReplaceAll(fillNames(textPart, name), UnsubscribeHole, p.UnsubscribeURL)
	if filledSubject = fillNames(subject, name); len(filledSubject) > longestSubject {
		filledSubject = fillNames(subject, "")
	}
	return filledSubject, htmlPart, textPart
}

// ForNobody is an issue as it reads where there is no one person: the words for readers without a name stand in its subject
// and parts. The hole of the unsubscribe link stays.
func ForNobody(issue series.Issue) series.Issue {
	for _, part := range []*string{&issue.Subject, &issue.HTML, &issue.Text} {
		*part = fillNames(*part, "")
	}
	return issue
}

// fillNames puts a name, escaped for where it goes, into each hole; an empty one leaves the words that stand there. What was
// put in is never looked at again.
func fillNames(s, name string) string {
	before, rest, ok := strings.Cut(s, NameHoleBefore)
	if !ok {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; ok; before, rest, ok = strings.Cut(rest, NameHoleBefore) {
		b.WriteString(before)
		fallback, after, closed := strings.Cut(rest, NameHoleAfter)
		if !closed {
			break
		}
		if name != "" {
			fallback = name
		}
		b.WriteString(strings.ReplaceAll(fallback, "\u00a0", " "))
		rest = after
	}
	if ok {
		return b.String() + rest
	}
	return b.String() + before
}

const (
	longestName    = 60  // characters: what is longer is none
	longestSubject = 998 // octets: a subject of more is no header (RFC 5322, 2.1.1)
)

// shownName is a name as a letter may show it, on one line; empty for what is none: too long, without a letter, or with an
// address that mail programs would make a link of.
func shownName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isUnseen(r), unicode.IsControl(r), unicode.Is(unicode.Co, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) > longestName || !strings.ContainsFunc(name, unicode.IsLetter) || linked.MatchString(name) {
		return ""
	}
	return name
}

// linked finds what mail programs make links of: schemes, paths, addresses, and hosts, whose dots stand before two letters or
// more, unlike those of initials ("J.R.R. Tolkien").
var linked = regexp.MustCompile(`(?i)[@/\\:]|www\.|[\pL\pM\pN][.。．｡][\pL\pN][\pL\pM\pN-]`)

// isUnseen tells characters that show nothing, or turn the writing direction and with it the rest of the line. The two
// joiners shape the letters of Persian and Indic names.
func isUnseen(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point) && r != '\u200c' && r != '\u200d'
}

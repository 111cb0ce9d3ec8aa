package outbox

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
)

// NameHoleBefore and NameHoleAfter stand around the words for readers without a name where each person's own belongs. They
// are private characters, which no text has a use for. Spaces between them are no-break ones, so that no line ends there.
const (
	NameHoleBefore = "\uE0F0"
	NameHoleAfter  = "\uE0F1"
)

// Personal is what an issue's message shows of the person it is written to.
type Personal struct{ Name, UnsubscribeURL, PreferencesURL string }

// Fill puts it into the holes of a subject and both parts, escaped for each.
func (p Personal) Fill(subject, htmlPart, textPart string) (filledSubject, filledHTML, filledText string) {
	name := shownName(p.Name)
	return blank(subject).FillSubject(name),
		p.links(htmlPart, html.EscapeString).FillHTML(name, ""),
		p.links(textPart, func(address string) string { return address }).Fill(name, "")
}

// links is a part with the links in their holes.
func (p Personal) links(part string, written func(string) string) mailer.Blank {
	b := link(blank(part), UnsubscribeHole, written(p.UnsubscribeURL), mailer.NoHole)
	return link(b, PreferencesHole, written(p.PreferencesURL), mailer.NoHole)
}

// ForNobody is an issue as it reads where there is no one person: the words for readers without a name stand in its subject
// and parts. The holes of the links stay.
func ForNobody(issue series.Issue) series.Issue {
	for _, part := range []*string{&issue.Subject, &issue.HTML, &issue.Text} {
		*part = blank(*part).Fill("", "")
	}
	return issue
}

// blank finds the holes for names in a text. One that doesn't end is none.
func blank(s string) mailer.Blank {
	var b mailer.Blank
	for {
		before, rest, ok := strings.Cut(s, NameHoleBefore)
		fallback, after, closed := strings.Cut(rest, NameHoleAfter)
		switch {
		case !ok:
			return append(b, mailer.Piece{Text: s})
		case !closed:
			return append(b, mailer.Piece{Text: before + rest})
		}
		b = append(b, mailer.Piece{Text: before}, mailer.Piece{Text: strings.ReplaceAll(fallback, "\u00a0", " "), Hole: mailer.NameHole})
		s = after
	}
}

// link puts a link, or the beginning of one before the hole of its end, where mark stands.
func link(b mailer.Blank, mark, url string, end mailer.Hole) (linked mailer.Blank) {
	for _, p := range b {
		for p.Hole == mailer.NoHole {
			before, after, ok := strings.Cut(p.Text, mark)
			if !ok {
				break
			}
			linked = append(linked, mailer.Piece{Text: before + url}, mailer.Piece{Hole: end})
			p.Text = after
		}
		linked = append(linked, p)
	}
	return linked
}

const longestName = 60 // characters: what is longer is none

// shownName is a name as a letter may show it, on one line; empty for what is none: too long, without a letter, or with an
// address that mail programs would make a link of.
func shownName(name string) string {
	if plainName(name) {
		return name
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isUnseen(r), unicode.IsControl(r), unicode.Is(unicode.Co, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, name)
	if strings.HasPrefix(name, " ") || strings.HasSuffix(name, " ") || strings.Contains(name, "  ") {
		name = strings.Join(strings.Fields(name), " ")
	}
	if utf8.RuneCountInString(name) > longestName || !strings.ContainsFunc(name, unicode.IsLetter) || strings.ContainsAny(name, linkMarks) && linked.MatchString(name) {
		return ""
	}
	return name
}

// plainName tells of words in the letters of English with one space between them, which a letter may show as they are.
func plainName(s string) bool {
	between := false // the octet before is a letter
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && !(s[i] == ' ' && between) {
			return false
		}
		between = letter
	}
	return between && len(s) <= longestName
}

// linked finds what mail programs make links of: schemes, paths, addresses, and hosts, whose dots stand before two letters or
// more, unlike those of initials ("J.R.R. Tolkien").
var linked = regexp.MustCompile(`(?i)[@/\\:]|www\.|[\pL\pM\pN][.。．｡][\pL\pN][\pL\pM\pN-]`)

// linkMarks are what each of them has one of: most names need no closer look.
const linkMarks = `@/\:.。．｡`

// isUnseen tells characters that show nothing, or turn the writing direction and with it the rest of the line. The two
// joiners shape the letters of Persian and Indic names.
func isUnseen(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point) && r != '\u200c' && r != '\u200d'
}

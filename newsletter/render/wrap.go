package render

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// textWidth is how wide the lines of the text part are; 78 is RFC 5322's wish, and answers need room for their quote marks.
const textWidth = 72

// wrap breaks a text into lines of at most width columns. Its own line feeds stay. A word that is wider, such as an
// address, stands whole on a line of its own; wide characters (Chinese, Japanese, Korean) may break between each other.
func wrap(s string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line, used := "", 0
		for _, p := range pieces(paragraph) {
			w := columnsOf(p.text)
			space := 0
			if p.spaced && used > 0 {
				space = 1
			}
			if used > 0 && used+space+w > width {
				lines, line, used, space = append(lines, line), "", 0, 0
			}
			line += strings.Repeat(" ", space) + p.text
			used += space + w
		}
		lines = append(lines, line)
	}
	return lines
}

// piece is a stretch of text that is not broken; spaced says that a space stands before it.
type piece struct {
	text   string
	spaced bool
}

// pieces splits at spaces (not at no-break ones) and between wide characters, but never before punctuation.
func pieces(s string) []piece {
	var all []piece
	for _, word := range strings.FieldsFunc(s, isSpace) {
		start, spaced, last := 0, true, rune(0)
		for i, r := range word {
			if i > start && (isWide(r) || isWide(last)) && !unicode.IsPunct(r) && !unicode.Is(unicode.Ps, last) {
				all = append(all, piece{word[start:i], spaced})
				start, spaced = i, false
			}
			last = r
		}
		all = append(all, piece{word[start:], spaced})
	}
	return all
}

func isSpace(r rune) bool {
	return unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f'
}

func isWide(r rune) bool {
	if r < 0x1100 {
		return false
	}
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// columnsOf is how many columns a text takes on a terminal: two for a wide character, none for a combining one.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

// indent puts first before the first line and rest before the others; empty lines stay empty.
func indent(lines []string, first, rest string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		lead := rest
		if i == 0 {
			lead = first
		}
		if line == "" {
			lead = strings.TrimRight(lead, " ")
		}
		out[i] = lead + line
	}
	return out
}

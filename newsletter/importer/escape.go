package importer

import (
	"regexp"
	"strconv"
	"strings"
)

// label is one part of a domain, as links between < and > may have it.
const label = `[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?`

var (
	address  = regexp.MustCompile(`https?://[^\s<>"“”„«»]+|[A-Za-z0-9._%+-]+@` + label + `(?:\.` + label + `)+`)
	special  = regexp.MustCompile("[\\\\`*_\\[\\]<~|]|&(?:#|[A-Za-z])[A-Za-z0-9]*;|\\bwww\\.")
	atBegin  = regexp.MustCompile(`^(?:#{1,6}(?:\s|$)|[>+=:-])`)
	asNumber = regexp.MustCompile(`^([0-9]{1,9})([.)])(\s|$)`)
)

// escapeLine makes a line of plain text Markdown that shows as it reads, wherever in a paragraph it stands.
func escapeLine(line string) string {
	if m := asNumber.FindStringSubmatch(line); m != nil {
		return m[1] + `\` + m[2] + escapeInline(line[len(m[1])+1:])
	}
	if atBegin.MatchString(line) {
		return `\` + line[:1] + escapeInline(line[1:])
	}
	return escapeInline(line)
}

// escapeInline escapes what means something within a line. Whole addresses become links, in which nothing is escaped.
func escapeInline(text string) string {
	var b strings.Builder
	rest := 0
	for _, at := range address.FindAllStringIndex(text, -1) {
		end := at[0] + len(trimAddress(text[at[0]:at[1]]))
		b.WriteString(special.ReplaceAllStringFunc(text[rest:at[0]], escapeMatch))
		b.WriteString("<" + text[at[0]:end] + ">")
		rest = end
	}
	b.WriteString(special.ReplaceAllStringFunc(text[rest:], escapeMatch))
	return b.String()
}

// escapeMatch puts the backslash in. Where an address without a scheme stands, the dot is escaped: a renderer that makes
// links of such words would stumble over escapes further on.
func escapeMatch(s string) string {
	if s == "www." {
		return `www\.`
	}
	return `\` + s
}

// trimAddress leaves the punctuation after an address to its sentence, and a closing bracket that none opens inside.
func trimAddress(s string) string {
	for {
		last := s[len(s)-1]
		unopened := last == ')' && strings.Count(s, ")") > strings.Count(s, "(")
		if !unopened && !strings.ContainsRune(`.,;:!?'`, rune(last)) {
			return strings.TrimRight(s, "’…")
		}
		s = s[:len(s)-1]
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

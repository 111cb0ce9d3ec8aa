package importer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// neighbour is the title that a label names. line is the label's in its file; 0: there is no label, or it is a link of a web page.
type neighbour struct {
	title string
	line  int
}

// pageLabel is Previous or Next with what it names.
type pageLabel struct {
	word  string // previous or next
	title string // empty: none
}

// cutNeighbours takes the labels of a page's end off: Previous and Next in any order, each alone on its line once or twice, with a
// title below or without, or with its title on the same line ("Previous: A | Next: B"). Where there are none, lines come back as
// they were. first is the number of the first of lines in the file.
//
// A label that stands there once could also be the end of a text ("Next", and then a last sentence). So then what follows
// has to look like a title; a label that stands there twice, and two on one line, can't be anything else.
func cutNeighbours(lines []string, first int) (rest []string, previous, next neighbour) {
	seen := map[string]neighbour{}
	taken := func(l pageLabel) bool { return seen[l.word].line > 0 }
	rest = lines
	for {
		labels, from := lastLabels(rest)
		if len(labels) == 0 || slices.ContainsFunc(labels, taken) {
			return rest, seen["previous"], seen["next"]
		}
		for _, l := range labels {
			seen[l.word] = neighbour{l.title, first + from}
		}
		rest = rest[:from]
	}
}

// lastLabels reads the labels that lines end with: one, or the two of one line. from is the line where they begin.
func lastLabels(lines []string) (labels []pageLabel, from int) {
	last := lastText(lines, len(lines))
	if last < 0 {
		return nil, 0
	}
	if labels := labelsOf(lines[last]); len(labels) > 0 {
		return labels, last
	}
	l, at := pageLabel{}, last
	if wordAlone(lines[last]) == "" {
		l.title = oneLine(lines[last])
		at = lastText(lines, last)
	}
	if at < 0 || wordAlone(lines[at]) == "" {
		return nil, 0
	}
	l.word = wordAlone(lines[at])
	if above := lastText(lines, at); above >= 0 && wordAlone(lines[above]) == l.word {
		return []pageLabel{l}, above
	}
	if !likeTitle(l.title) {
		return nil, 0
	}
	return []pageLabel{l}, at
}

// likeTitle says that a line is no sentence. The empty one will do.
func likeTitle(s string) bool {
	return utf8.RuneCountInString(s) <= 120 && !strings.HasSuffix(s, ".")
}

// labelEdge are spaces, arrows and rules around a label.
const labelEdge = "\u00a0 \t←→⟵⟶⇐⇒«»‹›<>|·•"

const (
	labelWord = `(previous|prev|next)(?:[\s\p{Zs}](?:article|post|part|page))?`
	blank     = `[\s\p{Zs}]`
)

var (
	labelBegin = regexp.MustCompile(`(?i)^` + labelWord + `(` + blank + `*:|` + blank + `)`)
	// labelBar is a second label behind a bar, a dot or a tab.
	labelBar = regexp.MustCompile(`(?i)` + blank + `*[|·•\t][\s\p{Zs}←→«»‹›]*` + labelWord + `(?:` + blank + `*:|` + blank + `)`)
	// labelColon is a second label with a colon, behind a space or several.
	labelColon = regexp.MustCompile(`(?i)` + blank + `[←→«»‹›]*` + blank + `*` + labelWord + blank + `*:`)
)

// labelsOf reads a line that holds labels with their titles; none: it is no such line. One label takes a colon. Two make each other
// sure where they are different and a bar, a dot, a tab or a colon parts them.
func labelsOf(line string) []pageLabel {
	line = strings.Trim(line, labelEdge)
	m := labelBegin.FindStringSubmatchIndex(line)
	if m == nil {
		return nil
	}
	one, rest := wordOf(line[m[2]:m[3]]), line[m[1]:]
	colon := strings.HasSuffix(line[m[4]:m[5]], ":")
	apart := []*regexp.Regexp{labelBar}
	if colon {
		apart = append(apart, labelColon)
	}
	for _, between := range apart {
		n := between.FindStringSubmatchIndex(rest)
		if n == nil {
			continue
		}
		if two := wordOf(rest[n[2]:n[3]]); two != one {
			return []pageLabel{{one, labelTitle(rest[:n[0]])}, {two, labelTitle(rest[n[1]:])}}
		}
	}
	if title := labelTitle(rest); colon && title != "" && likeTitle(title) {
		return []pageLabel{{one, title}}
	}
	return nil
}

// labelTitle is a title without what parts it from the next label; empty where nothing else is there.
func labelTitle(s string) string {
	s = oneLine(strings.Trim(s, labelEdge+"–—-/,;"))
	if strings.IndexFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return ""
	}
	return s
}

// wordAlone is the word of a line that is a label and nothing else.
func wordAlone(line string) string {
	return wordOf(strings.Trim(line, labelEdge+":"))
}

// wordOf is "previous" or "next" for the word of a label.
func wordOf(s string) string {
	switch l := strings.ToLower(s); l {
	case "previous", "next":
		return l
	case "prev":
		return "previous"
	}
	return ""
}

// lastText is the last line before end that isn't empty; -1: none.
func lastText(lines []string, end int) int {
	for i := end - 1; i >= 0; i-- {
		if strings.TrimSpace(lines[i]) != "" {
			return i
		}
	}
	return -1
}

// mostStray is how many lines at the end of a text are looked at for labels that were not understood.
const mostStray = 3

// strayLabels says which of a text's last lines look like labels but stay in it. first is the number of the first of lines, read
// makes words of a line.
func strayLabels(lines []string, first int, read func(line string) string, mend string) (problems []Problem) {
	at := len(lines)
	for range mostStray {
		if at = lastText(lines, at); at < 0 {
			break
		}
		if line := strings.Trim(read(lines[at]), labelEdge); strayLabel(line) {
			problems = append([]Problem{{
				Line: first + at, What: "“" + shown(clip(oneLine(line), 60)) + "” looks like a Previous/Next label, is read as none, and stays in the text", Mend: mend,
			}}, problems...)
		}
	}
	return problems
}

// strayLabel says that a line could be meant as a label: it begins as one does, and ends like no sentence unless a colon follows the word.
func strayLabel(line string) bool {
	m := labelBegin.FindStringSubmatch(line)
	return wordAlone(line) != "" || m != nil && (strings.HasSuffix(m[2], ":") || likeTitle(line) && !strings.ContainsAny(line[len(line)-1:], "!?,;:"))
}

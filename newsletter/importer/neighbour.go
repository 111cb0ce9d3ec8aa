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

// ending is a line of labels at a text's end, or a label alone on its line with its title below. from is where it begins, as an index of
// the text's lines.
type ending struct {
	labels []pageLabel
	from   int
	alone  bool
	sure   bool // it can be nothing else
}

// endingsOf reads the labels of a page's end, the last one first: Previous and Next in any order, each alone on its line once or twice,
// with a title below or without, or with its title on the same line ("Previous: A | Next: B").
//
// Only a label that stands there twice, and two that each stand alone, can't be anything else. Others could also be the end of a text
// ("Next: rinse with cold water", or "Next" and then a last sentence): settleLabels decides on them, once it knows the titles that there
// are.
func endingsOf(lines []string) (all []ending) {
	seen := map[string]bool{}
	for {
		e := lastEnding(lines)
		if len(e.labels) == 0 || slices.ContainsFunc(e.labels, func(l pageLabel) bool { return seen[l.word] }) {
			break
		}
		for _, l := range e.labels {
			seen[l.word] = true
		}
		all, lines = append(all, e), lines[:e.from]
	}
	if len(all) == 2 && all[0].alone && all[1].alone {
		all[0].sure, all[1].sure = true, true
	}
	return all
}

// lastEnding is the last one of lines.
func lastEnding(lines []string) ending {
	last := lastText(lines, len(lines))
	if last < 0 {
		return ending{}
	}
	if labels := labelsOf(lines[last]); len(labels) > 0 {
		return ending{labels: labels, from: last}
	}
	l, at := pageLabel{}, last
	if wordAlone(lines[last]) == "" {
		l.title = oneLine(lines[last])
		at = lastText(lines, last)
	}
	if at < 0 || wordAlone(lines[at]) == "" {
		return ending{}
	}
	l.word = wordAlone(lines[at])
	if above := lastText(lines, at); above >= 0 && wordAlone(lines[above]) == l.word {
		return ending{[]pageLabel{l}, above, true, true}
	}
	if !likeTitle(l.title) {
		return ending{}
	}
	return ending{[]pageLabel{l}, at, true, false}
}

// likeTitle says that a line is no sentence. The empty one will do.
func likeTitle(s string) bool {
	return utf8.RuneCountInString(s) <= 120 && !strings.HasSuffix(s, ".")
}

// labelEdge are spaces, arrows and rules around a label.
const labelEdge = "\u00a0 \t←→⟵⟶⇐⇒«»‹›<>|·•"

const (
	// labelWord is Previous or Next in English, German, French, Spanish and Arabic, with what it goes before or behind.
	labelWord = `((?:(?:article|page|partie|chapitre|entrada|art[ií]culo|p[aá]gina|parte|cap[ií]tulo|المقالة?|الصفحة|الجزء)[\s\p{Zs}])?` +
		`(?:previous|prev|next|vorherige[rs]?|vorige[rs]?|zurück|n(?:ä|ae)chste[rs]?|weiter|pr[ée]c[ée]dente?|suivante?|anterior|siguiente|السابقة?|التالية?))` +
		`(?:[\s\p{Zs}](?:article|post|part|page|beitrag|artikel|teil|seite|text|kapitel|folge))?`
	blank = `[\s\p{Zs}]`
)

var (
	labelAlone = regexp.MustCompile(`(?i)^` + labelWord + `$`)
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
	m := labelAlone.FindStringSubmatch(strings.Trim(line, labelEdge+":"))
	if m == nil {
		return ""
	}
	return wordOf(m[1])
}

// wordOf is "previous" or "next" for the word of a label.
func wordOf(s string) string {
	s = strings.ToLower(s)
	for _, next := range []string{"next", "nächste", "naechste", "weiter", "suivant", "siguiente", "التالي"} {
		if strings.Contains(s, next) {
			return "next"
		}
	}
	return "previous"
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

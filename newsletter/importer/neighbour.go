package importer

import (
	"strings"
	"unicode/utf8"
)

// cutNeighbours takes the labels of a page's end off: Previous and Next in any order, each once or twice, each with a title
// below or without. Where there are none, lines come back as they were.
//
// A label that stands there once could also be the end of a text ("Next", and then a last sentence). So then what follows
// has to look like a title; a label that stands there twice can't be anything else.
func cutNeighbours(lines []string) (rest []string, previous, next string) {
	type tail struct {
		label, title string
		from         int
	}
	read := func(lines []string) (t tail, ok bool) {
		last := lastText(lines, len(lines))
		if last < 0 {
			return t, false
		}
		at := last
		if labelOf(lines[last]) == "" {
			t.title = oneLine(lines[last])
			at = lastText(lines, last)
		}
		if at < 0 || labelOf(lines[at]) == "" {
			return t, false
		}
		t.label, t.from = labelOf(lines[at]), at
		if above := lastText(lines, at); above >= 0 && labelOf(lines[above]) == t.label {
			t.from = above
			return t, true
		}
		return t, utf8.RuneCountInString(t.title) <= 120 && !strings.HasSuffix(t.title, ".")
	}
	rest = lines
	seen := ""
	for range 2 {
		t, ok := read(rest)
		if !ok || t.label == seen {
			break
		}
		seen = t.label
		if t.label == "previous" {
			previous = t.title
		} else {
			next = t.title
		}
		rest = rest[:t.from]
	}
	return rest, previous, next
}

// labelOf is "previous" or "next" for a line that is such a label and nothing else.
func labelOf(line string) string {
	switch l := strings.ToLower(strings.TrimSpace(line)); l {
	case "previous", "next":
		return l
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

package subscribers

import (
	"fmt"
	"strconv"
	"strings"
)

// faultKinds are the first faults of a file, each kind once with the first lines that have it: a file whose rows all lack the same is
// told once.
type faultKinds struct {
	rows  int // with a fault
	kinds []faultKind
	other int // rows with yet another one
}

type faultKind struct {
	fault string
	lines LineList
}

func (f *faultKinds) add(line int, fault string) {
	const named = 3
	f.rows++
	for i := range f.kinds {
		if f.kinds[i].fault == fault {
			f.kinds[i].lines.Add(line)
			return
		}
	}
	if len(f.kinds) == named {
		f.other++
		return
	}
	f.kinds = append(f.kinds, faultKind{fault: fault})
	f.kinds[len(f.kinds)-1].lines.Add(line)
}

func (f *faultKinds) words() string {
	var all []string
	for _, k := range f.kinds {
		word := "line"
		if k.lines.Count > 1 {
			word = "lines"
		}
		all = append(all, fmt.Sprintf("%s %s: %s", word, k.lines, k.fault))
	}
	if f.other > 0 {
		all = append(all, fmt.Sprintf("and %d more", f.other))
	}
	return strings.Join(all, "; ")
}

// LineList counts lines of a file and names the first ones.
type LineList struct {
	Count int
	first []string
}

// Add takes one more line in.
func (l *LineList) Add(line int) {
	const named = 3
	if l.Count++; l.Count <= named {
		l.first = append(l.first, strconv.Itoa(line))
	}
}

// String is "2", "2, 3" or "2, 3, 5 and 26 more".
func (l LineList) String() string {
	s := strings.Join(l.first, ", ")
	if more := l.Count - len(l.first); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

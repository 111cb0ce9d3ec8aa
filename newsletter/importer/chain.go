package importer

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// chain is what the Previous and Next labels of a set of candidates say, as indexes; -1: nobody.
type chain struct {
	all          []candidate
	before, then []int
	said         map[[2]int]string // the place of the label that joined two
	problems     []Problem
}

// byChain orders candidates by their Previous and Next labels, as they read: Previous is the one before. It decides if
// they make one line of all; titles of articles elsewhere may stand at its two ends. Otherwise it says what is broken,
// unless there are no labels at all.
func byChain(all []candidate) (bool, []Problem) {
	if len(all) < 2 || !hasLabels(all) {
		return false, nil
	}
	c := chain{all: all, before: make([]int, len(all)), then: make([]int, len(all)), said: map[[2]int]string{}}
	for i := range all {
		c.before[i], c.then[i] = -1, -1
	}
	c.link()
	if len(c.problems) > 0 {
		return false, c.problems
	}
	heads := c.heads()
	var line []int
	if len(heads) == 1 {
		for i := heads[0]; i >= 0; i = c.then[i] {
			line = append(line, i)
		}
	}
	if len(line) != len(all) {
		return false, c.broken(heads)
	}
	sorted := make([]candidate, len(all))
	for place, i := range line {
		sorted[place] = all[i]
	}
	copy(all, sorted)
	return true, nil
}

func hasLabels(all []candidate) bool {
	for _, c := range all {
		if c.previous.title != "" || c.next.title != "" {
			return true
		}
	}
	return false
}

// link joins candidates whose labels name each other's titles. A title that two files have joins nothing.
func (c *chain) link() {
	byTitle := map[string]int{}
	for i, a := range c.all {
		key := fold(a.Title)
		if other, taken := byTitle[key]; taken {
			c.complain(i, 0, "has the same title as "+c.all[other].file+", so Previous and Next can't tell them apart",
				"give each its own title")
			continue
		}
		byTitle[key] = i
	}
	for i, a := range c.all {
		if other, ok := byTitle[fold(a.previous.title)]; ok && a.previous.title != "" {
			c.join(other, i, i, a.previous.line)
		}
		if other, ok := byTitle[fold(a.next.title)]; ok && a.next.title != "" {
			c.join(i, other, i, a.next.line)
		}
	}
}

// join puts b after a, as the label in a line of candidate says does, unless other labels contradict.
func (c *chain) join(a, b, says, line int) {
	switch {
	case a == b:
		c.complain(says, line, "names itself as its neighbour", "correct its Previous and Next")
	case c.then[a] >= 0 && c.then[a] != b:
		c.complain(says, line, fmt.Sprintf("puts %s after %s, but %s puts %s there",
			c.all[b].file, c.all[a].file, c.said[[2]int{a, c.then[a]}], c.all[c.then[a]].file), "correct the labels of these files")
	case c.before[b] >= 0 && c.before[b] != a:
		c.complain(says, line, fmt.Sprintf("puts %s before %s, but %s puts %s there",
			c.all[a].file, c.all[b].file, c.said[[2]int{c.before[b], b}], c.all[c.before[b]].file), "correct the labels of these files")
	case c.then[a] < 0:
		c.then[a], c.before[b] = b, a
		c.said[[2]int{a, b}] = Problem{File: c.all[says].file, Line: line}.place()
	}
}

func (c *chain) complain(i, line int, what, mend string) {
	c.problems = append(c.problems, Problem{File: c.all[i].file, Line: line, What: what, Mend: mend})
}

// heads lists those that nobody stands before.
func (c *chain) heads() (heads []int) {
	for i, before := range c.before {
		if before < 0 {
			heads = append(heads, i)
		}
	}
	return heads
}

// maxPieces bounds the problems of one broken chain: a folder may hold a thousand texts without labels.
const maxPieces = 5

// broken says why the labels make no single line: where its pieces begin and end, and each circle.
func (c *chain) broken(heads []int) []Problem {
	var problems []Problem
	onLine := make([]bool, len(c.all))
	for n, head := range heads {
		end := head
		for i := head; i >= 0; i = c.then[i] {
			onLine[i], end = true, i
		}
		if len(heads) > 1 && n < maxPieces {
			problems = append(problems, c.piece(head, end))
		}
	}
	if more := len(heads) - maxPieces; more > 0 {
		problems[maxPieces-1].What += fmt.Sprintf(" (and %d more pieces elsewhere)", more)
	}
	for i := range c.all {
		if onLine[i] {
			continue
		}
		var names []string
		for j := i; !onLine[j]; j = c.then[j] {
			onLine[j] = true
			names = append(names, c.all[j].file)
		}
		problems = append(problems, Problem{
			File: c.all[i].file, Line: cmp.Or(c.all[i].next.line, c.all[i].previous.line),
			What: "the Previous/Next labels lead in a circle: " + strings.Join(append(names, names[0]), " → "),
			Mend: "take the labels out where the series begins and ends",
		})
	}
	return problems
}

// piece is the problem of a part of the chain that stands alone.
func (c *chain) piece(head, end int) Problem {
	p := Problem{
		File: c.all[head].file, What: "the Previous/Next chain is broken: one of its pieces begins here",
		Mend: "correct the labels, or bring the missing text",
	}
	if missing := c.all[head].previous; missing.title != "" {
		p.Line = missing.line
		p.What += ", after “" + shown(clip(missing.title, 100)) + "”, which no file has as its title"
	}
	if missing := c.all[end].next; missing.title != "" {
		p.What += fmt.Sprintf("; it ends at %s, before “%s”", Problem{File: c.all[end].file, Line: missing.line}.place(), shown(clip(missing.title, 100)))
	}
	return p
}

// alike makes the quotation marks disappear, and one kind of all dashes, when titles are compared.
var alike = strings.NewReplacer(
	`"`, "", "'", "", "“", "", "”", "", "„", "", "‟", "", "‘", "", "’", "", "‚", "", "‛", "", "«", "", "»", "", "‹", "", "›", "", "`", "",
	"–", "-", "—", "-", "‐", "-", "‑", "-", "−", "-",
)

// fold makes equal what differs only in case, spaces, quotation marks or the form of its letters.
func fold(s string) string {
	return strings.Join(strings.Fields(alike.Replace(strings.ToLower(norm.NFKC.String(s)))), " ")
}

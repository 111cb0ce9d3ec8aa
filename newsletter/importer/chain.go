package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"pressrun/newsletter/series"
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
	c := chainOf(all)
	if len(c.problems) > 0 {
		return false, c.problems
	}
	sorted := c.line()
	if sorted == nil {
		return false, c.broken(c.heads())
	}
	copy(all, sorted)
	return true, nil
}

// byChainThrough is byChain for a folder that lacks texts which its series has: known, by rank. The labels of the others name them still, so
// that the chain goes through them, and from one of them to the next where the series has nothing of the folder in between.
func byChainThrough(all []candidate, known []series.Article) bool {
	here, named, taken := map[string]bool{}, map[string]bool{}, map[string]bool{"": true}
	for _, c := range all {
		here[c.Slug], taken[fold(c.Title)] = true, true
		named[fold(c.previous.title)], named[fold(c.next.title)] = true, true
	}
	with := slices.Clone(all)
	var bridges [][2]int
	last := -1
	for _, a := range known {
		title := fold(a.Title)
		if here[a.Slug] {
			last = -1
			continue
		}
		if !named[title] || taken[title] {
			continue
		}
		taken[title] = true
		if last >= 0 {
			bridges = append(bridges, [2]int{last, len(with)})
		}
		last = len(with)
		with = append(with, candidate{Incoming: series.Incoming{Text: series.Text{Title: a.Title}}})
	}
	c := chainOf(with)
	for _, b := range bridges {
		if c.then[b[0]] < 0 && c.before[b[1]] < 0 {
			c.then[b[0]], c.before[b[1]] = b[1], b[0]
		}
	}
	sorted := c.line()
	if len(c.problems) > 0 || sorted == nil {
		return false
	}
	copy(all, slices.DeleteFunc(sorted, func(c candidate) bool { return c.file == "" }))
	return true
}

// chainOf joins candidates by their labels.
func chainOf(all []candidate) chain {
	c := chain{all: all, before: make([]int, len(all)), then: make([]int, len(all)), said: map[[2]int]string{}}
	for i := range all {
		c.before[i], c.then[i] = -1, -1
	}
	c.link()
	return c
}

// line is the chain from its first to its last; nil: it is not one line of all.
func (c *chain) line() (line []candidate) {
	heads := c.heads()
	if len(heads) != 1 {
		return nil
	}
	for i := heads[0]; i >= 0; i = c.then[i] {
		line = append(line, c.all[i])
	}
	if len(line) != len(c.all) {
		return nil
	}
	return line
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

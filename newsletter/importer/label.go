package importer

import (
	"slices"
	"strings"
)

// settleLabels decides which endings of plain texts are labels, where they aren't sure. They are in a text of which one names an article
// that is here too or that known lists, and in a folder most of whose texts end so; else they stay in the text. Where no article has
// the title, either is a Problem: nobody loses a line of a text in silence.
func settleLabels(all []candidate, known []string) (problems []Problem) {
	titles := map[string]bool{}
	for _, title := range known {
		titles[fold(title)] = true
	}
	for _, c := range all {
		titles[fold(c.Title)] = true
	}
	usual := foldersOfLabels(all)
	for i := range all {
		c := &all[i]
		if c.plain == nil {
			continue
		}
		names := func(l pageLabel) bool {
			title := fold(l.title)
			return titles[title] && title != fold(c.Title)
		}
		problems = append(problems, c.settleLabels(names, usual[c.dir])...)
	}
	return problems
}

// foldersOfLabels are those where two texts or more, and most of all, end as labels do.
func foldersOfLabels(all []candidate) map[string]bool {
	texts, labelled := map[string]int{}, map[string]int{}
	for _, c := range all {
		texts[c.dir]++
		if c.plain != nil && len(c.plain.endings) > 0 && !slices.ContainsFunc(c.plain.endings, ending.asks) {
			labelled[c.dir]++
		}
	}
	usual := map[string]bool{}
	for dir, n := range labelled {
		usual[dir] = n > 1 && 2*n > texts[dir]
	}
	return usual
}

// asks says that a title of the ending is a question or a call, as the ends of texts are more often than titles.
func (e ending) asks() bool {
	return !e.sure && slices.ContainsFunc(e.labels, func(l pageLabel) bool { return strings.HasSuffix(l.title, "?") || strings.HasSuffix(l.title, "!") })
}

// settleLabels puts back into the text what is no label, where names says of a label whether it joins articles and usual that the folder has
// them.
func (c *candidate) settleLabels(names func(pageLabel) bool, usual bool) (problems []Problem) {
	endings := c.plain.endings
	joins := func(e ending) bool { return slices.ContainsFunc(e.labels, names) }
	n := c.plain.sure()
	if usual && !slices.ContainsFunc(endings, ending.asks) || slices.ContainsFunc(endings, joins) {
		n = len(endings)
	}
	if n < len(endings) {
		c.cut(n)
	}
	for i, e := range slices.Backward(endings) {
		p := Problem{File: c.file, Line: c.plain.line(e), What: "“" + shown(clip(c.plain.words(e), 60)) + "” looks like a Previous/Next label, "}
		switch {
		case i >= n:
			p.What += "but no article here has that title: it stays in the text"
			p.Mend = "bring that article along, or take the line out"
		case !e.sure && !joins(e):
			p.What += "and is left out of the text, though no article here has that title"
			p.Mend = "bring that article along, or end the line with a full stop if readers are to see it"
		default:
			continue
		}
		problems = append(problems, p)
	}
	return problems
}

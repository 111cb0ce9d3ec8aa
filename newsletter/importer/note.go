package importer

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	noteBegin = regexp.MustCompile(`(?i)^(?:please note|disclaimer):\s*\S`)
	unescape  = regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])")
)

// closingNote cuts the closing note off a Markdown text: its last paragraph, if that begins with "Please note:". The note
// comes as plain text; rest is the text without it.
func closingNote(markdown string) (note, rest string) {
	i := strings.LastIndex(markdown, "\n\n")
	if i < 0 {
		return "", markdown
	}
	note = unescape.ReplaceAllString(strings.Trim(oneLine(markdown[i:]), "*_ "), "$1")
	if !noteBegin.MatchString(note) {
		return "", markdown
	}
	return note, strings.TrimRight(markdown[:i], "\n")
}

// settleNotes finds the closing note that the texts share (or that the only one has) and puts every other one back into
// its text. Texts share a note if two or more have the same words.
func settleNotes(all []candidate) (disclaimer string, problems []Problem) {
	shared := mostCommon(all, func(c candidate) string { return c.note })
	key := ""
	if shared >= 0 {
		disclaimer = all[shared].note
		key = fold(disclaimer)
	}
	for i := range all {
		c := &all[i]
		if c.note == "" || fold(c.note) == key {
			continue
		}
		c.Markdown += "\n\n" + c.noteMarkdown
		problems = append(problems, Problem{
			File: c.file, What: "its closing note stays in its text, since the others don't have the same",
			Mend: "give all of them the same words if it is the disclaimer of the series",
		})
	}
	return disclaimer, append(problems, keptNotes(all, key)...)
}

// keptNotes warns of a note that Markdown texts share. It stays in them, since Markdown is taken as it is, and readers
// would see it twice beside a disclaimer that says the same.
func keptNotes(all []candidate, shared string) []Problem {
	first, count := -1, 0
	if i := mostCommon(all, func(c candidate) string { return c.closing }); shared == "" && i >= 0 {
		shared = fold(all[i].closing)
	}
	for i, c := range all {
		if c.closing != "" && fold(c.closing) == shared {
			count++
			if first < 0 {
				first = i
			}
		}
	}
	if count == 0 {
		return nil
	}
	return []Problem{{
		File: all[first].file, What: "the closing note stays in the text of " + markdownArticles(count),
		Mend: "take it out of them if the disclaimer of the series says it, or readers see it twice",
	}}
}

func markdownArticles(n int) string {
	if n == 1 {
		return "1 Markdown article"
	}
	return fmt.Sprintf("%d Markdown articles", n)
}

// mostCommon is the first candidate with the words that most have, two at least unless there is but one; -1: none.
func mostCommon(all []candidate, words func(candidate) string) int {
	count := map[string]int{}
	for _, c := range all {
		if w := words(c); w != "" {
			count[fold(w)]++
		}
	}
	best := -1
	for i, c := range all {
		w := words(c)
		if w == "" || count[fold(w)] < 2 && len(all) > 1 {
			continue
		}
		if best < 0 || count[fold(w)] > count[fold(words(all[best]))] {
			best = i
		}
	}
	return best
}

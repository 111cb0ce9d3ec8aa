package importer

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// maxLeftOut is how many notes of one file say what its letter won't show; a hundred would hide all others.
const maxLeftOut = 10

var (
	foreignTag = regexp.MustCompile(`(?i)<(button|canvas|form|img|input|link|meta|object|picture|script|select|style|svg|textarea)\b`)
	playerTag  = regexp.MustCompile(`(?i)<(video|audio|iframe|embed)\b(?:[^>]*\ssrc\s*=\s*["']?([^"'\s>]+))?`)
	deadLink   = regexp.MustCompile(`(?i)[^!]\[[^\]]*\]\(\s*<?(data|file|javascript|vbscript):`)
	hiddenTag  = regexp.MustCompile(`(?i)<[a-z](?:[^<>"']|"[^"]*"|'[^']*')*\s(?:hidden(?:[\s=/>]|$)|style\s*=\s*["'][^"'>]*(?:display\s*:\s*none|visibility\s*:\s*hidden))`)
	fenceLine  = regexp.MustCompile("^ {0,3}(```|~~~)")
)

// leftOut says what of a Markdown text no letter shows, pictures aside, so that its writer doesn't learn it from readers. It goes by lines and
// looks at no code; what the renderer does in the end is the preview's to show. first is the number of the first line.
func leftOut(markdown string, first int) []Problem {
	var problems []Problem
	fence := ""
	for i, line := range strings.Split(markdown, "\n") {
		if m := fenceLine.FindStringSubmatch(line); m != nil && (fence == "" || fence == m[1]) {
			if fence == "" {
				fence = m[1]
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t") {
			continue
		}
		for _, p := range leftOutOf(line) {
			if p.Line = first + i; len(problems) < maxLeftOut {
				problems = append(problems, p)
			}
		}
	}
	return problems
}

func leftOutOf(line string) []Problem {
	var problems []Problem
	if m := foreignTag.FindStringSubmatch(line); m != nil {
		problems = append(problems, Problem{
			What: fmt.Sprintf("the HTML tag <%s> does nothing in a letter: it is left out, or stands there as text", strings.ToLower(m[1])),
			Mend: "take it out, or write what it shows as Markdown",
		})
	}
	if hiddenTag.MatchString(line) {
		problems = append(problems, Problem{
			What: "what an HTML tag hides on a page, a letter shows", Mend: "take it out, with the words in it",
		})
	}
	if m := playerTag.FindStringSubmatch(line); m != nil {
		problems = append(problems, playedElsewhere(strings.ToLower(m[1]), m[2]))
	}
	if m := deadLink.FindStringSubmatch(" " + line); m != nil {
		problems = append(problems, Problem{
			What: fmt.Sprintf("a link to %s: leads nowhere in a letter: only its words stay", strings.ToLower(m[1])),
			Mend: "link to an https address",
		})
	}
	return problems
}

// playedElsewhere says what becomes of what no mail can play. The address may be empty: it is somewhere below the tag.
func playedElsewhere(tag, address string) Problem {
	return Problem{
		What: fmt.Sprintf("no letter can show <%s>: there it is a link to the article's page, and on that page one to %s", tag, cmp.Or(address, "its address")),
		Mend: "see that its address begins with https://, or it is left out",
	}
}

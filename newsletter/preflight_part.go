package newsletter

import (
	"strings"
	"unicode"

	"pressrun/newsletter/series"
)

// The rules about what every letter must have, in both parts.

func disclaimerRule(s *sheet) []Finding {
	if err := series.CheckDisclaimer(s.series, s.article, s.html, s.text); err != nil {
		return s.wrong("disclaimer", "problem", err.Error())
	}
	return nil
}

// postalRule wants the sender's postal address (16 CFR 316.4, STANDARDS section 9).
func postalRule(s *sheet) []Finding {
	for _, part := range []struct{ name, text string }{{"HTML", proseOf(s.letter)}, {"text", s.text}} {
		if s.postal == "" || !strings.Contains(letters(part.text), letters(s.postal)) {
			return s.wrong("postal", "part", part.name, "series", s.series.Slug)
		}
	}
	return nil
}

// RuleUnnamed is the rule whose finding is about the site, not about an article.
const RuleUnnamed = "unnamed"

// unnamedRule wants a site that its readers know by its name.
func unnamedRule(s *sheet) []Finding {
	if !s.site.Unnamed {
		return nil
	}
	return s.odd(RuleUnnamed, "name", s.site.Name)
}

// letters leaves the letters and digits of a text: line breaks and marks between them are the layout's.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

func leaveRule(s *sheet) []Finding {
	linked := false
	for _, link := range linksOf(s.letter) {
		linked = linked || link.url == s.inert
	}
	if !linked {
		return s.wrong("leave", "part", "HTML")
	}
	if !strings.Contains(s.text, s.inert) {
		return s.wrong("leave", "part", "text")
	}
	return nil
}

// sizeRule looks at the letter with its longest personal link in it: Gmail counts what arrives.
func sizeRule(s *sheet) []Finding {
	switch n := len(s.html); {
	case n >= largestHTML:
		return s.wrong("size", "kb", n>>10)
	case n >= warnHTML:
		return s.odd("large", "kb", n>>10)
	}
	return nil
}

const (
	fewestWords = 20 // of an article: fewer are hardly one
	textShare   = 70 // per cent of the HTML's words that the text part must have
)

// textRule compares the words of both parts. Scripts without spaces are counted by their letters.
func textRule(s *sheet) []Finding {
	shown, told := len([]rune(letters(s.prose))), len([]rune(letters(s.text)))
	switch {
	case strings.TrimSpace(s.text) == "" || told == 0:
		return s.wrong("empty")
	case told*100 < shown*textShare:
		return s.odd("thin", "percent", told*100/shown)
	}
	own := s.own()
	if n := len(strings.Fields(own)); n < fewestWords && len([]rune(letters(own))) < 5*fewestWords {
		return s.odd("short", "n", n)
	}
	return nil
}

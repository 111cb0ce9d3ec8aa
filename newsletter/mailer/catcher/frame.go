package catcher

import (
	"regexp"
	"strings"
)

// scheme is the colour scheme a mail is shown in, whatever the visitor's system has.
type scheme string

const (
	light scheme = "light"
	dark  scheme = "dark"
)

var (
	headTag    = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)
	htmlTag    = regexp.MustCompile(`(?i)<html(\s[^>]*)?>`)
	doctype    = regexp.MustCompile(`(?i)<!doctype[^>]*>`)
	styled     = regexp.MustCompile(`(?is)<style\b[^>]*>.*?</style\s*>|<(?:source|link)\b[^>]*>`)
	preference = regexp.MustCompile(`(?i)\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)`)
	declares   = regexp.MustCompile(`(?i)[^-]color-scheme`)
)

// framed is a mail's HTML for the viewing frame: its media queries for the other scheme never hold and those for this one
// always do, its links open in a new tab. Like Apple Mail, it takes a dark ground only if the mail says it can do dark.
func framed(html string, s scheme) string {
	declared := declares.MatchString(html)
	html = styled.ReplaceAllStringFunc(html, func(element string) string {
		return preference.ReplaceAllStringFunc(element, func(query string) string {
			if strings.EqualFold(preference.FindStringSubmatch(query)[1], string(s)) {
				return "(min-width:0)"
			}
			return "(max-width:0)"
		})
	})
	add := `<base target="_blank">`
	switch {
	case s == light:
		add += `<style>:root{color-scheme:light!important}</style>`
	case declared:
		add += `<style>:root{color-scheme:dark!important}</style>`
	}
	for _, tag := range []*regexp.Regexp{headTag, htmlTag, doctype} {
		if at := tag.FindStringIndex(html); at != nil {
			return html[:at[1]] + add + html[at[1]:]
		}
	}
	return add + html
}

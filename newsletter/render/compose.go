package render

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"pressrun/templates"
)

// composition is a letter with its texts parsed: what both parts of the mail are written from.
type composition struct {
	Letter
	words     templates.Words
	article   document
	sources   []document
	notes     []document // the disclaimers
	body      string     // the article, sanitised
	notesBody string     // the disclaimers, sanitised
	preheader string
}

func compose(l Letter) (composition, error) {
	c := composition{Letter: l, words: templates.InMail(l.Language)}
	if err := c.merge(); err != nil {
		return c, err
	}
	in := setting{words: c.words, merges: c.merges(), hole: c.NameHole, pictures: c.Pictures, foreign: templates.Frame{Words: c.words, Lang: c.Language}.Foreign(), page: c.ViewURL}
	if l.BaseURL != "" {
		in.base, _ = url.Parse(strings.TrimSuffix(l.BaseURL, "/") + "/") // checked before
	}
	var err error
	if c.article, err = parseDocument(articles(), "Markdown", l.Markdown, in); err != nil {
		return c, err
	}
	if c.body, err = c.article.html(); err != nil {
		return c, err
	}
	if err := c.review(in); err != nil {
		return c, err
	}
	if err := checkSize(len(c.body)); err != nil {
		return c, err
	}
	if !strings.ContainsFunc(c.article.text(&endnotes{}), isWordRune) {
		return c, &FieldError{"Markdown", "holds no words: a blank letter is never sent"}
	}
	in.merges = nil // a disclaimer stands as it was written
	for _, wording := range l.disclaimers() {
		note, err := parseDocument(disclaimers(), "Disclaimer", wording, in)
		if err != nil {
			return c, err
		}
		html, err := note.html()
		if err != nil {
			return c, err
		}
		c.notes, c.notesBody = append(c.notes, note), c.notesBody+html
	}
	if c.preheader = c.Preheader; c.preheader == "" {
		c.preheader = opening(plain(c.article.root, c.article.source), c.withoutPerson(c.Subject))
	}
	return c, nil
}

// merge fills the fields of the subject and the preheader, and refuses them where none is filled.
func (c *composition) merge() error {
	err := errors.Join(checkTitle(c.Title), c.checkUnfilled())
	for _, line := range []struct {
		field string
		text  *string
	}{{"Subject", &c.Subject}, {"Preheader", &c.Preheader}} {
		m := merger{field: line.field, values: c.merges(), hole: c.NameHole}
		*line.text = m.line(*line.text)
		err = errors.Join(m.err(), err)
	}
	return err
}

// checkSize refuses a letter that Gmail would cut.
func checkSize(html int) error {
	if html <= maxHTML {
		return nil
	}
	return &FieldError{"Markdown", fmt.Sprintf("makes a letter of %d KB, and Gmail cuts off what is past 102 KB: split it into several articles", html>>10)}
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func (c composition) atStart() bool { return c.DisclaimerPlace != "end" }
func (c composition) atEnd() bool   { return c.DisclaimerPlace != "start" }

// page is the article and its disclaimers for the article's public page.
func (c composition) page() string {
	note := `<div class="disclaimer" role="note" aria-label="` + template.HTMLEscapeString(c.words.T("email.disclaimer")) + "\">\n" + c.notesBody + "</div>\n"
	var b strings.Builder
	if c.atStart() {
		b.WriteString(note)
	}
	b.WriteString(c.heroPage())
	b.WriteString(c.body)
	if c.atEnd() {
		b.WriteString(note)
	}
	return c.withoutPerson(b.String())
}

// why is the sentence that tells the reader how the letter came to them.
func (c composition) why() string {
	if c.Reason != "" {
		return c.Reason
	}
	return c.words.T("email.reason", "series", c.SeriesTitle, "site", c.SiteName)
}

// lastLinks are the links that end a letter, the way out first.
func (c composition) lastLinks() []templates.Place {
	var links []templates.Place
	for _, l := range []templates.Place{
		{Title: c.words.T("email.unsubscribe"), URL: c.UnsubscribeURL},
		{Title: c.words.T("email.preferences"), URL: c.PreferencesURL},
		{Title: c.words.T("email.archive"), URL: c.SeriesURL},
		{Title: c.words.T("email.privacy"), URL: c.PrivacyURL},
		{Title: c.words.T("email.imprint"), URL: c.ImprintURL},
	} {
		if l.URL != "" {
			links = append(links, l)
		}
	}
	return links
}

// The preview text beside the subject in an inbox: fewer characters let the body run in, more are cut off.
const (
	shortestPreheader = 40
	longestPreheader  = 130
)

// opening is the beginning of a text, cut at a sentence or a word, for the inbox line.
func opening(text, subject string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = strings.TrimSpace(strings.TrimPrefix(text, subject))
	if utf8.RuneCountInString(text) <= longestPreheader {
		return text
	}
	cut := string([]rune(text)[:longestPreheader])
	if at := lastSentence(cut); at >= shortestPreheader {
		return cut[:at]
	}
	if at := strings.LastIndexByte(cut, ' '); at > len(cut)/2 {
		cut = cut[:at]
	}
	return strings.TrimRightFunc(cut, func(r rune) bool { return !isWordRune(r) }) + "…"
}

// lastSentence is where the last whole sentence ends; 0 where none does.
func lastSentence(s string) int {
	end := 0
	for i, r := range s {
		after := i + utf8.RuneLen(r)
		switch r {
		case '.', '!', '?':
			if after < len(s) && s[after] == ' ' {
				end = after
			}
		case '。', '！', '？', '।':
			end = after
		}
	}
	return end
}

// padding follows a preheader so that an inbox shows nothing of the body after it: figure spaces that take room, with
// joiners that keep programs from folding them into one.
func padding(preheader string) string {
	return strings.Repeat("\u2007\ufeff\u034f ", max(0, 150-utf8.RuneCountInString(preheader)))
}

// minutes is how long the article takes to read: 220 words a minute, or 400 characters where words aren't spaced.
func minutes(text string) int {
	words, wide := 0, 0
	for _, p := range pieces(text) {
		if r, _ := utf8.DecodeRuneInString(p.text); isWide(r) {
			wide++
		} else if strings.ContainsFunc(p.text, isWordRune) {
			words++
		}
	}
	return max(1, (words*400+wide*220+220*400-1)/(220*400)) // rounded up
}

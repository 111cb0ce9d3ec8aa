// Package render turns Markdown into sanitised HTML in the letter's layout with inlined CSS, and into plain text written
// from the same source. It is pure: no database, no clock, no network; the same Letter gives the same Email, and a crash
// leaves nothing behind. What an author or a stranger wrote is data throughout: it is never parsed as a template and never
// reaches a reader as a script.
package render

import (
	"fmt"
	"time"
)

// Link is a neighbour or another place to go. An empty URL is a name without a link.
type Link struct{ Title, URL string }

// Letter is all that an issue's mail shows. Texts are data, never templates.
type Letter struct {
	Language                       string // BCP 47
	SiteName, BaseURL              string
	SeriesTitle, SeriesURL         string
	Title, Subject, Preheader      string // Subject empty: Title; Preheader empty: from the first paragraph
	Markdown                       string
	Disclaimer, DisclaimerPlace    string // the series'; place: start, end, both
	ArticleDisclaimer, ArticleMode string // the article's own: add or replace
	Part, Of                       int    // 0: not shown
	Previous, Next                 *Link  // nil: left out
	ViewURL                        string // "view in browser"; empty: left out
	Greeting                       string // above a welcome; plain text
	PostalAddress                  string
	PrivacyURL, ImprintURL         string
	UnsubscribeURL                 string // a hole that outbox fills for each subscriber
	PreferencesURL                 string // likewise; empty: left out
	Reason                         string // empty: the catalogue's "You get this because …"

	Style // zero: the journal, with the site's name on top

	Pictures               map[string]Picture // of the article, by their paths as the Markdown names them
	Image                  string             // one of Pictures, above the text; empty or unknown: none
	ImageAlt, ImageCaption string
	Sources                []string  // one line each, with links
	ReviewedBy             string    // who looked over the article
	ReviewBy               time.Time // the day by which it must be looked over again; zero: not shown

	Day      time.Time // the issue's, in the series' zone: {{date}}; zero: that field has no value
	NameHole Hole      // stands around the fallback of {{name|there}}
}

// Email is a rendered letter.
type Email struct {
	Subject, Preheader string
	HTML, Text         string // whole document; whole text part
	ArticleHTML        string // the article and its disclaimers alone, sanitised, no inlined styles: for its public page
}

// Issue renders an article's letter. It fails with a *FieldError for each field that can't be used, joined; input above
// 256 KB is refused. An issue always has a title, words, a disclaimer, a postal address and an unsubscribe link.
func Issue(l Letter) (Email, error) {
	l, err := l.checked()
	if err != nil {
		return Email{}, err
	}
	c, err := compose(l)
	if err != nil {
		return Email{}, err
	}
	html, err := c.html()
	if err != nil {
		return Email{}, fmt.Errorf("render %q: %w", l.Title, err)
	}
	return Email{Subject: c.Subject, Preheader: c.preheader, HTML: html, Text: c.text(), ArticleHTML: c.page()}, nil
}

// Note is a notice: a mail that belongs to no issue.
type Note struct {
	Language, SiteName        string
	Subject, Heading          string
	Paragraphs                []string // plain text
	Button                    *Link    // at most one thing to do; nil: none
	After                     []string // paragraphs below the button
	PostalAddress, PrivacyURL string

	Style // as a Letter's
}

// Notice renders a note in the same layout. ArticleHTML stays empty.
func Notice(n Note) (Email, error) {
	n, err := n.checked()
	if err != nil {
		return Email{}, err
	}
	html, err := n.html()
	if err != nil {
		return Email{}, fmt.Errorf("render notice %q: %w", n.Subject, err)
	}
	return Email{Subject: n.Subject, Preheader: n.preheader(), HTML: html, Text: n.text()}, nil
}

// FieldError says which field of a Letter or Note can't be used, and why.
type FieldError struct{ Field, Problem string }

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// PlaceError is a FieldError with its place in the field's text; both count from 1, columns in characters.
type PlaceError struct {
	Line, Column int
	Of           *FieldError
}

func (e *PlaceError) Error() string {
	return fmt.Sprintf("%s line %d, column %d: %s", e.Of.Field, e.Line, e.Column, e.Of.Problem)
}

// Unwrap returns the FieldError.
func (e *PlaceError) Unwrap() error { return e.Of }

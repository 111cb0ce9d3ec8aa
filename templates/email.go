package templates

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"sync"
)

//go:embed email/*.html email/*.css
var emailFiles embed.FS

var letters = sync.OnceValue(func() *Pages { return mustPages(emailFiles, "email", outlookComments) })

// outlookComments open and close what only Outlook for Windows reads: html/template drops comments from a template's own
// text. Each pair must hold balanced markup, or half of a ghost table whose other half stands in a second pair.
var outlookComments = template.FuncMap{
	"mso":    func() template.HTML { return "<!--[if mso]>" },
	"endmso": func() template.HTML { return "<![endif]-->" },
}

// Place is somewhere to go; without a URL it is a name.
type Place struct{ Title, URL string }

// Frame is what every mail has around its content. Words are those of the catalogue, whose language may differ from the
// letter's.
type Frame struct {
	Words
	Lang                  string // of the letter, BCP 47
	Subject               string
	Preheader, Padding    string // the padding keeps body text out of the inbox line
	SiteName              string
	PostalAddress         string
	SansScript            bool // the script reads better in a sans-serif face than in Georgia's substitutes
	ReasonIsFromCatalogue bool
	Look                  Look
	Logo                  *Picture // instead of the site's name; nil: none
}

// LetterView is what email/letter.html shows: an issue's mail, before its styles are inlined.
type LetterView struct {
	Frame
	ViewURL            string
	Greeting           []string // paragraphs
	SeriesTitle        string
	Title              string
	Part, Of, Minutes  int // 0: not shown
	NoteStart, NoteEnd *NoteView
	Hero               *Picture      // nil: none
	Article            template.HTML // sanitised
	Previous, Next     *Place
	Reason             string
	Links              []Place // the last line: unsubscribe and others
}

// Picture is a picture at the size at which it is shown, in pixels.
type Picture struct {
	URL, Alt, Caption string
	Width, Height     int
}

// NoteView is a disclaimer.
type NoteView struct {
	Start string // left or right
	Tint  string // its ground, #rrggbb
	Label string // what assistive technology calls it
	HTML  template.HTML
}

// NoticeView is what email/notice.html shows.
type NoticeView struct {
	Frame
	Heading    string
	Paragraphs []template.HTML // escaped, their addresses links
	Button     *Place
	After      []template.HTML
	PrivacyURL string
}

// WriteLetter writes an issue's mail with its style sheets; those without data-embed are to be inlined.
func (o *Own) WriteLetter(w io.Writer, v LetterView) error { return o.letters().Render(w, "letter", v) }

// WriteNotice writes a notice's mail likewise.
func (o *Own) WriteNotice(w io.Writer, v NoticeView) error { return o.letters().Render(w, "notice", v) }

// Direction is the letter's own writing direction.
func (f Frame) Direction() string { return Dir(f.Lang) }

// Start is the side at which the letter's lines begin, End the other: mail programs know no logical values.
func (f Frame) Start() string {
	if f.Direction() == "rtl" {
		return "right"
	}
	return "left"
}

// End is the side opposite to Start.
func (f Frame) End() string {
	if f.Direction() == "rtl" {
		return "left"
	}
	return "right"
}

// Tokens are the values of the letter's look.
func (f Frame) Tokens() tokens { return f.Look.tokens() }

// Theme is the class that chooses what only one theme has.
func (f Frame) Theme() string {
	if f.Look.Theme == "plain" {
		return "plain"
	}
	return "journal"
}

// Script is the class that chooses the letter's typeface.
func (f Frame) Script() string {
	if f.SansScript {
		return "sans"
	}
	return "serif"
}

// Foreign marks the catalogue's texts with their own language where the letter's is another, so that a screen reader
// doesn't read English aloud as Arabic.
func (f Frame) Foreign() template.HTMLAttr {
	if f.Words.Language() == f.Lang || baseOf(f.Lang) == baseOf(f.Words.Language()) {
		return ""
	}
	return template.HTMLAttr(fmt.Sprintf(` lang="%s" dir="%s"`, f.Words.Language(), f.Words.Dir()))
}

// ReasonForeign is Foreign for the reason, which may be the series' own words.
func (f Frame) ReasonForeign() template.HTMLAttr {
	if f.ReasonIsFromCatalogue {
		return f.Foreign()
	}
	return ""
}

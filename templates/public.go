package templates

import (
	"embed"
	"html/template"
	"io"
	"sync"
	"time"
)

//go:embed public/*.html
var publicFiles embed.FS

var publicPages = sync.OnceValue(func() *Pages { return mustPages(publicFiles, "public", nil) })

// PublicFrame is what stands around the content of a public page.
type PublicFrame struct {
	Words
	Own                    *Own   // templates; nil: the program's
	Site                   string // its name
	PostalAddress          string // several lines; empty: left out
	PrivacyURL, ImprintURL string // empty: left out
	Style, Icon            string // paths
	Canonical              string // address that search programs shall keep; empty: none, the page is one person's
	Description            string // for search programs; empty: left out
}

// PublicHome is the site's first page: its series.
type PublicHome struct {
	PublicFrame
	Series []PublicHomeSeries
}

// PublicHomeSeries is one series on the first page.
type PublicHomeSeries struct {
	Title, Path string
	Rhythm      string // when it comes, in words
	Parts       int    // articles that are public
}

// Write writes the page.
func (v PublicHome) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "home", v) }

// PublicSignup is the form that asks to get a series.
type PublicSignup struct {
	Words
	Action, Series string
	Wording        string // what the visitor agrees to: the same text is kept as evidence
	Email, Name    string // as typed, where the form comes back
	Fault          bool   // the address can't be used
	Shown          int64  // when the form was made, in ms
	PrivacyURL     string
}

// PublicSeries is a series' page: its public articles and the form.
type PublicSeries struct {
	PublicFrame
	Title  string
	Rhythm string
	Drip   bool // each reader starts at the first article
	Parts  []PublicPart
	Signup PublicSignup
}

// PublicPart is one public article in the list.
type PublicPart struct {
	Number                   int // its place in the series
	Title, Path, Description string
}

// Write writes the page.
func (v PublicSeries) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "series", v) }

// PublicArticle is the page of one article, as last sent.
type PublicArticle struct {
	PublicFrame
	Series, SeriesPath string
	Title              string
	Part, Of           int
	Sent               time.Time // in the series' zone
	TextLang, TextDir  string    // of the article, which may differ from the page's
	Body               template.HTML
	Previous, Next     *PublicNeighbour // nil: left out
	Signup             PublicSignup
}

// PublicNeighbour is the article before or after; an empty Path is one that isn't public yet.
type PublicNeighbour struct{ Title, Path string }

// Write writes the page.
func (v PublicArticle) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "article", v) }

// PublicAsked follows the sign-up form, the same for every address.
type PublicAsked struct {
	PublicFrame
	Series, SeriesPath string
}

// Write writes the page.
func (v PublicAsked) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "asked", v) }

// PublicConfirm is the page of a confirmation link, before and after its button.
type PublicConfirm struct {
	PublicFrame
	Series, SeriesPath string
	Masked             string // the address, not given away
	Action             string
	Wording            string
	Done               bool
	Welcome            bool      // a first letter is on its way
	From               string    // the sender's address, to put among the contacts
	Next               time.Time // in the series' zone; zero: none planned
}

// Write writes the page.
func (v PublicConfirm) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "confirm", v) }

// PublicLeave is the page of an unsubscribe link, before and after its button.
type PublicLeave struct {
	PublicFrame
	Series, SeriesPath string
	Masked             string
	Action, Undo       string // where the buttons send
	Left               bool   // this series, or with Everything all
	Everything         bool
	CanUndo            bool
	Undone             bool // they get the series again
	Restored           bool // a leave was taken back; without Undone they don't get this series by that
}

// Write writes the page.
func (v PublicLeave) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "leave", v) }

// PublicTrouble is the page of a request that failed.
type PublicTrouble struct {
	PublicFrame
	Name string // of its texts: public.error.NAME
}

// Write writes the page.
func (v PublicTrouble) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "trouble", v) }

// publicTrials are views of nothing, by the names of their pages: what a template asks of a view that has it not, fails with any.
var publicTrials = map[string]any{
	"home":    PublicHome{},
	"series":  PublicSeries{},
	"article": PublicArticle{},
	"asked":   PublicAsked{},
	"confirm": PublicConfirm{},
	"leave":   PublicLeave{},
	"trouble": PublicTrouble{},
}

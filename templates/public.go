package templates

import (
	"embed"
	"html/template"
	"io"
	"strings"
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
	NoIndex                bool   // search programs shall not keep it, though it is for everybody
	Feed                   string // address of the series' feed; empty: none
	Share                  PublicShare
	Languages              []PublicLanguage // the same page in others; empty: no choice
}

// PublicShare is what other sites show of a page where somebody links to it (Open Graph).
type PublicShare struct {
	Kind, Title     string    // Kind empty: nothing
	Image, ImageAlt string    // address; empty: none
	Published       time.Time // zero: left out
}

// PublicLanguage is a link to the same page in another language.
type PublicLanguage struct {
	Name, Tag, Dir, Path string
	Current              bool
}

// PublicHome is the site's first page: its series.
type PublicHome struct {
	PublicFrame
	Series    []PublicHomeSeries
	Subscribe string // path of the form for several
}

// PublicHomeSeries is one series on the first page.
type PublicHomeSeries struct {
	Title, Path string
	Rhythm      string // when it comes, in words
	Parts       int    // articles that are public
}

// Write writes the page.
func (v PublicHome) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "home", v) }

// PublicSignup is the form that asks to get one series, or some of the site's.
type PublicSignup struct {
	Words
	Action, Site string
	Series       string         // title of the one; empty: there are choices
	Choices      []PublicChoice // series to choose from
	Drip         bool           // each reader starts at the first article
	Sensitive    bool           // a consent of its own is needed
	Wording      string         // what the visitor agrees to: the same text is kept as evidence
	Email, Name  string         // as typed, where the form comes back
	Lang         string         // of the mail that is asked for
	Fault        string         // what is wrong: "fault" the address, "choose" nothing is chosen; empty: nothing
	Token        string         // says that the form is ours, and when it was shown
	PrivacyURL   string
}

// PublicChoice is a series that may be chosen.
type PublicChoice struct {
	Name, Title, Rhythm string
	Sensitive, Chosen   bool
}

// PublicSubscribe is a page with nothing but the form.
type PublicSubscribe struct {
	PublicFrame
	Signup PublicSignup
}

// Write writes the page.
func (v PublicSubscribe) Write(w io.Writer) error {
	return v.Own.publicPages().Render(w, "subscribe", v)
}

// PublicOnce asks a visitor whose form was not ours to press one button.
type PublicOnce struct {
	PublicFrame
	Action                   string
	Series                   []string // their names
	Titles                   string
	Email, Name, From, Token string
	Lang                     string // of the mail that is asked for
	Wording                  string
	Sensitive                bool
}

// Write writes the page.
func (v PublicOnce) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "once", v) }

// PublicGone is what is left of a withdrawn article.
type PublicGone struct {
	PublicFrame
	Series, SeriesPath string
}

// Write writes the page.
func (v PublicGone) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "gone", v) }

// PublicSeries is a series' page: its public articles and the form.
type PublicSeries struct {
	PublicFrame
	Title  string
	Rhythm string
	Drip   bool // each reader starts at the first article
	Parts  []PublicPart
	Signup PublicSignup

	TextLang, TextDir string // of titles, which may differ from the page's
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
	Titles       string // of the series, listed
	Back, BackTo string // path and name of where to go on
}

// Write writes the page.
func (v PublicAsked) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "asked", v) }

// PublicConfirm is the page of a confirmation link, before and after its button.
type PublicConfirm struct {
	PublicFrame
	Series    []PublicJoined
	Titles    string // of all of them, listed
	Masked    string // the address, not given away
	Action    string
	Wording   string
	Sensitive bool // one of them is: the button says the consent
	Done      bool
	From      string // the senders' addresses, to put among the contacts
}

// One says whether it is one series, of which more is said.
func (v PublicConfirm) One() bool { return len(v.Series) == 1 }

// PublicJoined is a series that somebody confirms.
type PublicJoined struct {
	Words
	Title, Path, Name string
	Welcome           bool      // a first letter is on its way
	MayAgain          bool      // they come back to it, and choose between going on and starting again
	Again             bool      // they have started again
	Next              time.Time // in the series' zone; zero: none planned
}

// Zone is the name of Next's zone as readers know it: UTC, America/New York.
func (j PublicJoined) Zone() string {
	return strings.ReplaceAll(strings.TrimPrefix(j.Next.Location().String(), "Etc/"), "_", " ")
}

// Write writes the page.
func (v PublicConfirm) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "confirm", v) }

// PublicPreferences is what the reader of an unsubscribe link gets, and how.
type PublicPreferences struct {
	PublicFrame
	Masked        string // empty: the person is gone
	Action, Leave string // where the buttons send
	Everything    bool   // they left everything
	Old           bool   // the link is from before a rotation of the key, and good for leaving alone: there is neither Series nor Choices
	Series        []PublicPreference
	Choices       []PublicLanguage
	Done          string            // of its text: public.preferences.done.DONE; empty: nothing
	Again         *PublicPreference // the series that Done says was started again; nil: none was
}

// PublicPreference is one series to a reader.
type PublicPreference struct {
	Words
	Title, Path, Name, Rhythm string
	Action                    string // where its buttons send
	Fault                     bool   // its pause can't end on the day that was given
	Waiting                   bool   // a letter of it is on its way
	MayAgain                  bool   // there is something to start again: now, or when they have come back
	Refused                   string // why it can't be started again: live, break, out; empty: that was not asked
	State                     string // active, paused, pending, ended, none
	Asking                    bool   // a confirmation is waited for
	Until, Next               time.Time
	Soonest, Proposed, Latest time.Time // for the end of a pause
	TextLang, TextDir         string
}

// Write writes the page.
func (v PublicPreferences) Write(w io.Writer) error {
	return v.Own.publicPages().Render(w, "preferences", v)
}

// PublicAskMine asks for an address to mail a fresh link to, and says that it is on its way, the same for every address.
type PublicAskMine struct {
	PublicFrame
	Email string // as typed, where the form comes back
	Fault bool
	Sent  bool
}

// Write writes the page.
func (v PublicAskMine) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "askmine", v) }

// PublicMine is the page of a fresh link.
type PublicMine struct {
	PublicFrame
	Masked, Action string
	Preferences    string // path; empty: none
	To             string // new address, masked, that a mail went to; empty: none
	Email          string // as typed, where the form comes back
	Fault          bool
	Erased         bool
}

// Write writes the page.
func (v PublicMine) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "mine", v) }

// PublicMove is the page of the link that a new address got.
type PublicMove struct {
	PublicFrame
	Old, New, Action string
	Done             bool
}

// Write writes the page.
func (v PublicMove) Write(w io.Writer) error { return v.Own.publicPages().Render(w, "move", v) }

// PublicLeave is the page of an unsubscribe link, before and after its button.
type PublicLeave struct {
	PublicFrame
	Series, SeriesPath string
	Masked             string
	Action, Undo       string // where the buttons send
	Left               bool   // this series, or with Everything all
	Everything         bool
	CanUndo            bool
	Undone             bool   // they get the series again
	Restored           bool   // a leave was taken back; without Undone they don't get this series by that
	Preferences        string // path of the page of preferences
	Why                string // where a reason is sent
	Reasons            []string
	Said               bool // they have just given one
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
	"home":        PublicHome{},
	"series":      PublicSeries{},
	"article":     PublicArticle{},
	"subscribe":   PublicSubscribe{},
	"once":        PublicOnce{},
	"gone":        PublicGone{},
	"preferences": PublicPreferences{},
	"askmine":     PublicAskMine{},
	"mine":        PublicMine{},
	"move":        PublicMove{},
	"asked":       PublicAsked{},
	"confirm":     PublicConfirm{},
	"leave":       PublicLeave{},
	"trouble":     PublicTrouble{},
}

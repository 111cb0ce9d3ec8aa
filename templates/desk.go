package templates

import (
	"embed"
	"io"
	"sync"
	"time"
)

//go:embed desk/*.html
var deskFiles embed.FS

var deskPages = sync.OnceValue(func() *Pages { return mustPages(deskFiles, "desk", nil) })

// DeskFrame is what stands around the content of a page of the desk.
type DeskFrame struct {
	Words
	Own                 *Own // templates; nil: the program's
	Site                string
	Style, Icon, Script string // paths; Script empty: the page needs none
	User                string // who is signed in; empty: nobody
	Here                string // which place of the navigation this is
	InboxURL            string // demo's inbox; empty: none
	Notice              string // of its text: desk.done.NOTICE; empty: none
	Stream              string // path of the live progress; empty: none
	Busy                bool   // something is being sent: without a script the page loads itself again
}

// DeskAction is one button of an issue or a series: its texts are desk.action.VERB.
type DeskAction struct {
	Verb, Path string
	Value      string // of the field "as"; empty: no field
	Grave      bool   // can't be taken back: asked for twice
}

// DeskIssue is an issue in a list or on its own page.
type DeskIssue struct {
	Words
	Name, Path         string
	Subject            string
	Series, SeriesPath string // empty: an announcement for the site
	Kind, State        string
	Reason             string
	When               time.Time // its wall time, without zone
	Ends               time.Time // when its last message leaves at the pace that is set; zero: no pace, or nothing left
	Counts             []DeskCount
	Settled, Total     int64
	Line               string // the counts in a few words
	Uncertain          int64
	Actions            []DeskAction
}

// DeskCount is how many deliveries of an issue are in a state.
type DeskCount struct {
	State string
	N     int64
}

// Percent is how much of an issue is through.
func (i DeskIssue) Percent() int64 {
	if i.Total == 0 {
		return 0
	}
	return i.Settled * 100 / i.Total
}

// DeskSlot is a coming slot.
type DeskSlot struct {
	Words
	At                   time.Time // in the series' zone
	Series, SeriesPath   string
	Article, ArticlePath string // its title and page; empty: none
	Others               int    // drip: further articles in this slot
	Readers              int64
	Ends                 time.Time // when its last message leaves, in the series' zone; zero: no pace is set
	Blocked              string
	Actions              []DeskAction
}

// DeskOverview is the desk's first page.
type DeskOverview struct {
	DeskFrame
	Trouble  string // of the relay or the disk; empty: none
	Decide   []DeskIssue
	Now      []DeskIssue
	Coming   []DeskSlot
	Lately   []DeskIssue
	NextWeek string // where demo's button sends; empty: no button
	NoSeries bool
}

// Write writes the page.
func (v DeskOverview) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "overview", v) }

// DeskIssuePage is the page of one issue.
type DeskIssuePage struct {
	DeskFrame
	Issue   DeskIssue
	Planned *DeskSlot // what a slot that has not fired is going to send, by its readers; nil: it has fired
	Zone    string
	Letter  string // path of the letter in a frame; empty: there is none
	About   string // what the letter is
}

// Write writes the page.
func (v DeskIssuePage) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "issue", v) }

// DeskSeries is the page of one series.
type DeskSeries struct {
	DeskFrame
	Title, Rhythm, Zone, Mode string
	Paused                    bool
	Public                    string // path of its public page
	Counts                    []DeskCount
	Coming                    []DeskSlot
	Articles                  []DeskArticle
	Actions                   []DeskAction
	Form                      string // HTML of the form for any site
}

// DeskArticle is an article in the order of its series.
type DeskArticle struct {
	Number      int
	Title, Path string
	State       string
	Elsewhere   bool
	Issued      time.Time // live: when its issue was frozen; zero: not yet
	Next        bool
}

// Write writes the page.
func (v DeskSeries) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "series", v) }

// DeskArticlePage shows an article as its letter would be now.
type DeskArticlePage struct {
	DeskFrame
	Series, SeriesPath string
	Title, State       string
	Findings           []FindingView
	Views              []DeskView
	View               string // the one that is shown
	Frame              string // path of the letter in a frame; empty: Text is shown
	Text               string
}

// DeskView is a way of looking at a letter: its text is desk.view.NAME.
type DeskView struct{ Name, Path string }

// FindingView is what preflight found in a letter.
type FindingView struct {
	Error           bool // it holds the issue
	What, Why, Mend string
}

// Write writes the page.
func (v DeskArticlePage) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "article", v) }

// DeskLogin asks for a login link, and says that one is on its way, or that one is dead.
type DeskLogin struct {
	DeskFrame
	Action      string
	Asked, Dead bool
}

// Write writes the page.
func (v DeskLogin) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "login", v) }

// DeskEnter is the page of a login link: one button.
type DeskEnter struct {
	DeskFrame
	Action string
}

// Write writes the page.
func (v DeskEnter) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "enter", v) }

// DeskTrouble is the page of a request that failed.
type DeskTrouble struct {
	DeskFrame
	Name   string // of its texts: public.error.NAME
	Detail string // what the program says; empty: no more
}

// Write writes the page.
func (v DeskTrouble) Write(w io.Writer) error { return v.Own.deskPages().Render(w, "trouble", v) }

// deskTrials are views of nothing, by the names of their pages: what a template asks of a view that has it not, fails with any.
var deskTrials = map[string]any{
	"overview": DeskOverview{},
	"issue":    DeskIssuePage{},
	"series":   DeskSeries{},
	"article":  DeskArticlePage{},
	"login":    DeskLogin{},
	"enter":    DeskEnter{},
	"trouble":  DeskTrouble{},
}

package public

import (
	"crypto/rand"
	"html"
	"strings"
	"sync"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/templates"
)

// leaveFace is all that the page of an unsubscribe link depends on, but for whose it is. Scanners open each link of each letter within
// minutes, and what they get is the same but for two words, so that it need not be written for each of them: what is kept of a page
// is kept for its face, and is never out of date.
type leaveFace struct {
	words  templates.Words
	lang   string // of the address: "?lang=de", or empty
	series series.Label
	left   bool // this series, or with everything all

	everything, canUndo    bool
	undone, restored, said bool // what a button has just done
}

// mostFaces bounds what is kept: a page has some 5 kB. A site has one for each of its series, languages and states.
const mostFaces = 500

// faces keeps the pages of faces with two holes. The holes are words that nobody can know.
type faces struct {
	tokenHole, maskedHole string

	mu   sync.Mutex
	kept map[leaveFace]string
}

func newFaces() faces {
	return faces{tokenHole: rand.Text(), maskedHole: rand.Text(), kept: map[leaveFace]string{}}
}

// page is a face's for one reader. A token, of letters and digits, stands for itself in any place; the masked address stands in texts
// alone. What an operator's own templates do with either is theirs, so that those are written each time.
func (c *faces) page(p *pages, face leaveFace, masked, token string) (string, error) {
	if p.Publisher.Site().Templates != nil {
		return written(p.leavePage(face, masked, token))
	}
	c.mu.Lock()
	page, ok := c.kept[face]
	c.mu.Unlock()
	if !ok {
		var err error
		if page, err = written(p.leavePage(face, c.maskedHole, c.tokenHole)); err != nil {
			return "", err
		}
		c.keep(face, page)
	}
	page = strings.ReplaceAll(page, c.tokenHole, token)
	return strings.ReplaceAll(page, c.maskedHole, html.EscapeString(masked)), nil
}

func (c *faces) keep(face leaveFace, page string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= mostFaces {
		clear(c.kept)
	}
	c.kept[face] = page
}

func written(page templates.PublicLeave) (string, error) {
	var out strings.Builder
	err := page.Write(&out)
	return out.String(), err
}

func (p *pages) leavePage(face leaveFace, masked, token string) templates.PublicLeave {
	action := "/u/" + token
	return templates.PublicLeave{
		PublicFrame: p.personalFrame(face.words, action), Series: face.series.Title, SeriesPath: "/s/" + face.series.PublicName,
		Masked: masked, Action: action + face.lang, Undo: action + "/undo" + face.lang,
		Left: face.left, Everything: face.everything, CanUndo: face.canUndo,
		Undone: face.undone, Restored: face.restored, Said: face.said,
		Preferences: "/preferences/" + token + face.lang, Why: action + "/why" + face.lang, Reasons: subscribers.LeaveReasons(),
	}
}

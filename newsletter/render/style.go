package render

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"pressrun/templates"
)

// Style is how a mail looks.
type Style struct {
	Look templates.Look
	Logo Picture // zero: the site's name in letters

	Templates *templates.Own // nil: the program's own
}

// The room, in pixels, that a logo has.
const (
	logoWidth  = 240
	logoHeight = 48
)

// logo is the picture that stands for the site's name.
func (s Style) logo(site string) *templates.Picture {
	if s.Logo.URL == "" {
		return nil
	}
	width, height := s.Logo.shown(logoWidth)
	if height > logoHeight {
		width, height = max(1, width*logoHeight/height), logoHeight
	}
	return &templates.Picture{URL: s.Logo.URL, Alt: site, Width: width, Height: height}
}

// check refuses a style that readers could not read.
func (s Style) check(c *checker) {
	if err := s.Look.Check(); err != nil {
		c.add("Look", "can't be used: "+err.Error())
	}
	c.url("Logo", s.Logo.URL, false)
	if s.Logo.URL != "" && (s.Logo.Width < 1 || s.Logo.Height < 1) {
		c.add("Logo", "has no size")
	}
}

// OpenTemplates takes an operator's templates from a folder (see templates.Open) and tries them: a letter and a notice
// that show everything must come out whole in each theme. The error names file and line.
func OpenTemplates(dir string) (*templates.Own, error) {
	own, err := templates.Open(dir)
	if err != nil {
		return nil, err
	}
	for _, theme := range []string{"journal", "plain"} {
		style := Style{
			Templates: own, Look: templates.Look{Theme: theme},
			Logo: Picture{URL: "https://example.org/logo.png", Width: 100, Height: 50},
		}
		err := errors.Join(tryLetter(style), tryNotice(style))
		var sheet *sheetError
		if errors.As(err, &sheet) {
			err = fmt.Errorf("%s line %d: %w", filepath.Join(dir, "email", "inline.css"), sheet.line, sheet.err)
		}
		if err != nil {
			return nil, err
		}
	}
	return own, nil
}

func tryLetter(style Style) error {
	l := Letter{
		Style: style, Language: "en", SiteName: "Site", BaseURL: "https://example.org/", SeriesTitle: "Series",
		SeriesURL: "https://example.org/s", Title: "A title", Markdown: "Some words.", Disclaimer: "The disclaimer.",
		DisclaimerPlace: "both", Part: 2, Of: 3, Previous: &Link{"Before", "https://example.org/before"}, Next: &Link{"After", ""},
		ViewURL: "https://example.org/view", Greeting: "Welcome.", PostalAddress: "1 Street", PrivacyURL: "https://example.org/privacy",
		UnsubscribeURL: "https://example.org/leave", Image: "a.png", ImageAlt: "A picture", ImageCaption: "A caption",
		Pictures: map[string]Picture{"a.png": {"https://example.org/a.png", 600, 300}}, Day: time.Unix(0, 0),
	}
	e, err := Issue(l)
	if err != nil {
		return err
	}
	return holds("letter.html", e.HTML, "Some words.", l.Disclaimer, l.PostalAddress, l.UnsubscribeURL)
}

func tryNotice(style Style) error {
	n := Note{
		Style: style, Language: "en", SiteName: "Site", Subject: "A subject", Paragraphs: []string{"Some words."},
		Button: &Link{"Press", "https://example.org/press"}, After: []string{"And more."}, PostalAddress: "1 Street",
		PrivacyURL: "https://example.org/privacy",
	}
	e, err := Notice(n)
	if err != nil {
		return err
	}
	return holds("notice.html", e.HTML, "Some words.", n.Button.URL, "And more.")
}

// holds says which of the things that every mail must show a template leaves out.
func holds(name, html string, all ...string) error {
	for _, s := range all {
		if !strings.Contains(html, s) {
			return fmt.Errorf("the templates leave out what every mail must show: with email/%s or email/layout.html as they are, %q is missing", name, s)
		}
	}
	return nil
}

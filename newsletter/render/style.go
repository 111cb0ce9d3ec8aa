package render

import "pressrun/templates"

// Style is how a mail looks.
type Style struct {
	Look templates.Look
	Logo Picture // zero: the site's name in letters
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

package render

import (
	"fmt"
	"html/template"
	"strings"

	"pressrun/templates"
)

// maxSources is how many sources an article may list.
const maxSources = 100

// review parses the sources and writes them below the article, with the lines that say who looked it over and until when
// that holds.
func (c *composition) review(in setting) error {
	if len(c.Sources) > maxSources {
		return &FieldError{"Sources", fmt.Sprintf("are more than %d", maxSources)}
	}
	in.merges = nil
	var b strings.Builder
	for _, source := range c.Sources {
		d, err := parseDocument(disclaimers(), "Sources", source, in)
		if err != nil {
			return err
		}
		html, err := d.html()
		if err != nil {
			return err
		}
		c.sources = append(c.sources, d)
		b.WriteString("<li>" + strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(html), "<p>"), "</p>") + "</li>\n")
	}
	if b.Len() > 0 {
		c.body += fmt.Sprintf("<h2><span%s>%s</span></h2>\n<ol class=\"sources\">\n%s</ol>\n", in.foreign, template.HTMLEscapeString(c.words.T("email.sources")), b.String())
	}
	if lines := c.reviewLines(); len(lines) > 0 {
		for i, line := range lines {
			lines[i] = template.HTMLEscapeString(line)
		}
		c.body += fmt.Sprintf("<p class=\"review\"><span%s>%s</span></p>\n", in.foreign, strings.Join(lines, "<br>"))
	}
	return nil
}

func (c *composition) reviewLines() []string {
	var lines []string
	if c.ReviewedBy != "" {
		lines = append(lines, c.words.T("email.reviewed", "name", c.ReviewedBy))
	}
	if !c.ReviewBy.IsZero() {
		lines = append(lines, c.words.T("email.review_by", "date", c.words.Date(c.ReviewBy)))
	}
	return lines
}

// reviewText is what review writes, as text.
func (c *composition) reviewText(notes *endnotes) string {
	var all parts
	if len(c.sources) > 0 {
		lines := underline([]string{c.words.T("email.sources")}, 2)
		lines = append(lines, "")
		for i, d := range c.sources {
			sign := fmt.Sprintf("%*d. ", len(fmt.Sprint(len(c.sources))), i+1)
			w := textWriter{d, notes}
			lines = append(lines, indent(w.blocks(d.root, textWidth-len(sign), true), sign, strings.Repeat(" ", len(sign)))...)
		}
		all.add(strings.Join(lines, "\n"))
	}
	var lines []string
	for _, line := range c.reviewLines() {
		lines = append(lines, wrap(line, textWidth)...)
	}
	all.add(strings.Join(lines, "\n"))
	return strings.Join(all, "\n\n")
}

// hero is the picture above the text; nil: none.
func (c *composition) hero() *templates.Picture {
	p, ok := c.Pictures[c.Image]
	if !ok || c.Image == "" {
		return nil
	}
	width, height := p.shown(heroWidth)
	return &templates.Picture{URL: p.URL, Width: width, Height: height, Alt: c.ImageAlt, Caption: c.ImageCaption}
}

// heroPage is the same for the article's public page.
func (c *composition) heroPage() string {
	h := c.hero()
	if h == nil {
		return ""
	}
	escape := template.HTMLEscapeString
	class := "figure"
	if h.Caption != "" {
		class += " captioned"
	}
	s := fmt.Sprintf("<p class=\"%s\"><img src=\"%s\" alt=\"%s\" width=\"%d\" height=\"%d\"></p>\n", class, escape(h.URL), escape(h.Alt), h.Width, h.Height)
	if h.Caption != "" {
		s += "<p class=\"caption\">" + escape(h.Caption) + "</p>\n"
	}
	return s
}

// heroText stands for the picture in the text part.
func (c *composition) heroText() string {
	h := c.hero()
	if h == nil || h.Alt == "" && h.Caption == "" {
		return ""
	}
	var lines []string
	if h.Alt != "" {
		lines = wrap("["+c.words.T("email.picture", "alt", h.Alt)+"]", textWidth)
	}
	if h.Caption != "" {
		lines = append(lines, wrap(h.Caption, textWidth)...)
	}
	return strings.Join(lines, "\n")
}

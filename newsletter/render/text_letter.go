package render

import (
	"fmt"
	"strings"

	"pressrun/templates"
)

// signature begins what mail programs fold away or leave out of answers.
const signature = "-- "

// divider stands between the article and its disclaimers, and where the author drew a rule.
const divider = "* * *"

// text is the letter's plain-text part.
func (c composition) text() string {
	var notes endnotes
	var p parts
	p.wrapped(c.SeriesTitle + c.place())
	for _, greeting := range split(c.Greeting) {
		p.wrapped(greeting)
	}
	p.add(strings.Join(underline(wrap(c.Title, textWidth), 1), "\n"))
	if c.atStart() {
		p.disclaimer(c.notes, &notes)
		p.add(divider)
	}
	p.add(c.heroText())
	p.add(c.article.text(&notes))
	p.add(c.reviewText(&notes))
	if c.atEnd() {
		p.add(divider)
		p.disclaimer(c.notes, &notes)
	}
	p.add(linkList(c.words, notes))
	p.add(c.turn())
	p.add(c.footer())
	return p.finish()
}

// place is " · Part 7 of 40 · 4-minute read".
func (c composition) place() string {
	s := ""
	if c.Part > 0 {
		s += " · " + c.words.T("email.part", "n", c.Part, "of", c.Of)
	}
	return s + " · " + c.words.T("email.minutes", "n", minutes(plain(c.article.root, c.article.source)))
}

func linkList(words templates.Words, notes endnotes) string {
	if len(notes.targets) == 0 {
		return ""
	}
	lines := underline([]string{words.T("email.links")}, 3)
	for i, target := range notes.targets {
		lines = append(lines, fmt.Sprintf("[%d] %s", i+1, target))
	}
	return strings.Join(lines, "\n")
}

// turn names the neighbours; one that isn't public yet has no address.
func (c composition) turn() string {
	var lines []string
	add := func(label string, l *Link) {
		lines = append(lines, wrap(label+": "+l.Title, textWidth)...)
		if l.URL != "" {
			lines = append(lines, l.URL)
		}
	}
	if c.Previous != nil {
		add(c.words.T("email.previous"), c.Previous)
	}
	if c.Next != nil && c.Next.URL != "" {
		add(c.words.T("email.next"), c.Next)
	} else if c.Next != nil {
		add(c.words.T("email.coming"), c.Next)
	}
	return strings.Join(lines, "\n")
}

func (c composition) footer() string {
	lines := append([]string{signature}, wrap(c.why(), textWidth)...)
	lines = append(lines, "")
	lines = append(lines, wrap(c.SiteName+"\n"+c.PostalAddress, textWidth)...)
	links := c.lastLinks()
	lines = append(lines, "", links[0].Title+":", links[0].URL, "") // the way out
	for _, l := range links[1:] {
		lines = append(lines, l.Title+": "+l.URL)
	}
	if c.ViewURL != "" {
		lines = append(lines, c.words.T("email.view")+": "+c.ViewURL)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// text is the notice's plain-text part.
func (n Note) text() string {
	words := templates.InMail(n.Language)
	var p parts
	p.add(strings.Join(underline(wrap(n.Heading, textWidth), 1), "\n"))
	for _, s := range n.Paragraphs {
		p.wrapped(s)
	}
	if n.Button != nil {
		p.add(n.Button.Title + ":\n" + n.Button.URL)
	}
	for _, s := range n.After {
		p.wrapped(s)
	}
	foot := n.SiteName
	if n.PostalAddress != "" {
		foot += "\n" + n.PostalAddress
	}
	lines := append([]string{signature}, wrap(foot, textWidth)...)
	if n.PrivacyURL != "" {
		lines = append(lines, words.T("email.privacy")+":", n.PrivacyURL)
	}
	p.add(strings.Join(lines, "\n"))
	return p.finish()
}

// parts are the paragraphs of a text part.
type parts []string

func (p *parts) add(s string) {
	if s != "" {
		*p = append(*p, s)
	}
}

func (p *parts) disclaimer(wordings []document, notes *endnotes) {
	for _, wording := range wordings {
		p.add(wording.text(notes))
	}
}

func (p *parts) wrapped(s string) { p.add(strings.Join(wrap(s, textWidth), "\n")) }

// finish joins the parts. References such as &#13; may have made control characters after the source was cleaned.
func (p parts) finish() string { return clean(strings.Join(p, "\n\n")) + "\n" }

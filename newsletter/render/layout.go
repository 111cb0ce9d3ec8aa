package render

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"golang.org/x/text/language"

	"pressrun/templates"
)

// html is the letter's HTML part.
func (c composition) html() (string, error) {
	document, err := c.layout()
	if err != nil {
		return "", err
	}
	whole, err := inlineStyles(document)
	if err != nil {
		return "", err
	}
	return whole, checkSize(len(whole))
}

// layout is the letter in its layout, its styles still in their sheets.
func (c composition) layout() ([]byte, error) {
	article, err := c.article.forMail(c.body)
	if err != nil {
		return nil, err
	}
	note, err := c.article.forMail(c.notesBody)
	if err != nil {
		return nil, err
	}
	v := templates.LetterView{
		Frame:       frame(c.words, c.Style, c.Language, c.SiteName, c.PostalAddress, c.Subject, c.preheader),
		ViewURL:     c.ViewURL,
		Greeting:    split(c.Greeting),
		SeriesTitle: c.SeriesTitle,
		Title:       c.Title,
		Part:        c.Part,
		Of:          c.Of,
		Minutes:     minutes(plain(c.article.root, c.article.source)),
		Hero:        c.hero(),
		Article:     template.HTML(article), // sanitised
		Previous:    (*templates.Place)(c.Previous),
		Next:        (*templates.Place)(c.Next),
		Reason:      c.why(),
		Links:       c.lastLinks(),
	}
	v.ReasonIsFromCatalogue = c.Reason == ""
	aside := &templates.NoteView{Start: v.Start(), Tint: string(v.Tokens().Tint), Label: c.words.T("email.disclaimer"), HTML: template.HTML(note)} // sanitised
	if c.atStart() {
		v.NoteStart = aside
	}
	if c.atEnd() {
		v.NoteEnd = aside
	}
	var b bytes.Buffer
	err = c.Templates.WriteLetter(&b, v)
	return b.Bytes(), err
}

// html is the notice's HTML part.
func (n Note) html() (string, error) {
	v := templates.NoticeView{
		Frame:      frame(templates.InMail(n.Language), n.Style, n.Language, n.SiteName, n.PostalAddress, n.Subject, n.preheader()),
		Heading:    n.Heading,
		Paragraphs: withLinks(n.Paragraphs),
		Button:     (*templates.Place)(n.Button),
		After:      withLinks(n.After),
		PrivacyURL: n.PrivacyURL,
	}
	var b bytes.Buffer
	if err := n.Templates.WriteNotice(&b, v); err != nil {
		return "", err
	}
	return inlineStyles(b.Bytes())
}

// bareURL finds addresses in plain text, without the marks that end a sentence after them.
var bareURL = regexp.MustCompile(`https?://[^\s<>"“”]*[^\s<>"“”.,;:!?)\]]`)

// withLinks are plain texts escaped, the addresses in them as links.
func withLinks(texts []string) []template.HTML {
	var all []template.HTML
	for _, text := range texts {
		var b strings.Builder
		from := 0
		for _, at := range bareURL.FindAllStringIndex(text, -1) {
			address := template.HTMLEscapeString(text[at[0]:at[1]])
			b.WriteString(template.HTMLEscapeString(text[from:at[0]]) + `<a class="link" dir="ltr" href="` + address + `">` + address + `</a>`)
			from = at[1]
		}
		all = append(all, template.HTML(b.String()+template.HTMLEscapeString(text[from:])))
	}
	return all
}

func (n Note) preheader() string { return opening(strings.Join(n.Paragraphs, " "), n.Subject) }

func frame(words templates.Words, style Style, lang, site, address, subject, preheader string) templates.Frame {
	return templates.Frame{
		Look: style.Look, Logo: style.logo(site),
		Words: words, Lang: lang, Subject: subject, Preheader: preheader, Padding: padding(preheader),
		SiteName: site, PostalAddress: address, SansScript: !hasSerifs(lang),
	}
}

// hasSerifs says whether the letter's script is one that Georgia and its usual substitutes can write.
func hasSerifs(lang string) bool {
	t, err := language.Parse(lang)
	if err != nil {
		return true
	}
	script, _ := t.Script()
	switch script.String() {
	case "Latn", "Cyrl", "Grek":
		return true
	}
	return false
}

// split divides a plain text into its paragraphs.
func split(s string) []string {
	var all []string
	for _, p := range strings.Split(s, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			all = append(all, p)
		}
	}
	return all
}

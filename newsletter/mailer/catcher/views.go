package catcher

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
)

// oneView is a way of looking at a mail; HTML, or Text where it has none.
type oneView struct {
	Name, Label, HTML, Text string
	Last                    bool
}

// noPictures keeps a mail's pictures from being loaded.
const noPictures = `<meta http-equiv="Content-Security-Policy" content="img-src 'none'">`

// Views is a page, whole in itself, that shows a mail in all the ways in which the inbox does. Pictures are what stands in
// place of addresses of the mail's pictures, so that nothing has to serve them; nil: none.
func Views(raw []byte, pictures *strings.Replacer) ([]byte, error) {
	page, err := template.ParseFS(files, "views.html")
	if err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	c := readMail(raw)
	shown := c.HTML
	if pictures != nil {
		shown = pictures.Replace(shown)
	}
	lit := framed(shown, light)
	from, to := c.box("From", ""), c.box("To", "")
	view := struct {
		Subject, From, To string
		Views             []oneView
	}{c.value("Subject"), from.Address, to.Address, []oneView{
		{Name: "desktop", Label: "Desktop", HTML: lit},
		{Name: "phone", Label: "Phone", HTML: lit},
		{Name: "dark", Label: "Dark", HTML: framed(shown, dark)},
		{Name: "pictures-off", Label: "Pictures off", HTML: bare(framed(c.HTML, light))},
		{Name: "text", Label: "Text", Text: c.Text},
		{Name: "source", Label: "Source", Text: strings.ToValidUTF8(string(raw), "\uFFFD"), Last: true},
	}}
	var b bytes.Buffer
	if err := page.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	return b.Bytes(), nil
}

// Framed is a mail's HTML for a frame that shows it in a view: dark, pictures-off, or else in light.
func Framed(html, view string) string {
	switch view {
	case "dark":
		return framed(html, dark)
	case pictureless:
		return bare(framed(html, light))
	}
	return framed(html, light)
}

// bare is a framed mail whose pictures are not loaded.
func bare(html string) string {
	if at := headTag.FindStringIndex(html); at != nil {
		return html[:at[1]] + noPictures + html[at[1]:]
	}
	return noPictures + html
}

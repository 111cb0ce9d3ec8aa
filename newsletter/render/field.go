package render

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// checked is the letter with its defaults filled in and control characters taken out, or all that is wrong with it.
func (l Letter) checked() (Letter, error) {
	var c checker
	l.Language = c.language(l.Language)
	l.Title = c.line("Title", l.Title, true)
	l.SiteName = c.line("SiteName", l.SiteName, true)
	l.SeriesTitle = c.line("SeriesTitle", l.SeriesTitle, true)
	l.PostalAddress = c.address(l.PostalAddress, true)
	l.Subject = c.line("Subject", l.Subject, false)
	l.Preheader = c.line("Preheader", l.Preheader, false)
	l.Reason = c.line("Reason", l.Reason, false)
	l.Greeting = c.text("Greeting", l.Greeting)
	l.ImageAlt, l.ImageCaption = c.line("ImageAlt", l.ImageAlt, false), c.line("ImageCaption", l.ImageCaption, false)
	l.ReviewedBy = c.line("ReviewedBy", l.ReviewedBy, false)
	l.Sources = c.paragraphs("Sources", l.Sources)
	for path, picture := range l.Pictures {
		c.url("Pictures", picture.URL, true)
		if picture.Width < 1 || picture.Height < 1 {
			c.add("Pictures", "have no size: "+quote(path))
		}
	}
	if l.Subject == "" {
		l.Subject = l.Title
	}
	if strings.TrimSpace(l.Markdown) == "" {
		c.add("Markdown", "is empty: a blank letter is never sent")
	}
	if len(l.disclaimers()) == 0 {
		c.add("Disclaimer", "is empty: every issue carries one")
	}
	switch l.DisclaimerPlace {
	case "start", "end", "both":
	case "":
		l.DisclaimerPlace = "end"
	default:
		c.add("DisclaimerPlace", "must be start, end or both")
	}
	if l.Part < 0 || l.Of < 0 || l.Part > l.Of {
		l.Part, l.Of = 0, 0 // a place that can't be is not shown
	}
	c.url("BaseURL", l.BaseURL, false)
	c.url("SeriesURL", l.SeriesURL, false)
	c.url("ViewURL", l.ViewURL, false)
	c.url("PrivacyURL", l.PrivacyURL, false)
	c.url("ImprintURL", l.ImprintURL, false)
	c.url("UnsubscribeURL", l.UnsubscribeURL, true)
	c.url("PreferencesURL", l.PreferencesURL, false)
	l.Style.check(&c)
	l.Previous, l.Next = c.link("Previous", l.Previous), c.link("Next", l.Next)
	return l, errors.Join(c.problems...)
}

// disclaimers are the wordings that this letter must show, in order.
func (l Letter) disclaimers() []string {
	all := []string{l.Disclaimer, l.ArticleDisclaimer}
	if l.ArticleMode == "replace" && strings.TrimSpace(l.ArticleDisclaimer) != "" {
		all = all[1:]
	}
	var kept []string
	for _, d := range all {
		if strings.TrimSpace(d) != "" {
			kept = append(kept, d)
		}
	}
	return kept
}

func (n Note) checked() (Note, error) {
	var c checker
	n.Language = c.language(n.Language)
	n.SiteName = c.line("SiteName", n.SiteName, true)
	n.Subject = c.line("Subject", n.Subject, true)
	n.Heading = c.line("Heading", n.Heading, false)
	if n.Heading == "" {
		n.Heading = n.Subject
	}
	n.Paragraphs, n.After = c.paragraphs("Paragraphs", n.Paragraphs), c.paragraphs("After", n.After)
	if len(n.Paragraphs) == 0 {
		c.add("Paragraphs", "are empty: a blank mail is never sent")
	}
	n.Button = c.link("Button", n.Button)
	if n.Button != nil && n.Button.URL == "" {
		c.add("Button", "leads nowhere: it needs an address")
	}
	n.PostalAddress = c.address(n.PostalAddress, false)
	c.url("PrivacyURL", n.PrivacyURL, false)
	n.Style.check(&c)
	return n, errors.Join(c.problems...)
}

// checker gathers what is wrong with a letter's fields.
type checker struct{ problems []error }

func (c *checker) add(field, problem string) {
	c.problems = append(c.problems, &FieldError{field, problem})
}

// language takes an empty tag as English.
func (c *checker) language(tag string) string {
	if tag == "" {
		return "en"
	}
	t, err := language.Parse(tag)
	if err != nil || t == language.Und {
		c.add("Language", "is no language tag, such as en, de or pt-BR: "+quote(tag))
		return "en"
	}
	return t.String()
}

// line checks a text that may become a header: one line without control characters (RFC 5322, 2.2).
func (c *checker) line(field, s string, needed bool) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		c.add(field, "holds a line break or another control character: "+quote(s))
		return s
	}
	s = strings.TrimSpace(c.text(field, s))
	if s == "" && needed {
		c.add(field, "is empty")
	}
	return s
}

// address is a postal address on one line; people write it on several.
func (c *checker) address(s string, needed bool) string {
	var lines []string
	for _, line := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.Trim(strings.TrimSpace(line), ","); line != "" {
			lines = append(lines, line)
		}
	}
	return c.line("PostalAddress", strings.Join(lines, ", "), needed)
}

// text is s in valid UTF-8 without control characters but line breaks and tabs.
func (c *checker) text(field, s string) string {
	if len(s) > maxSource {
		c.add(field, tooLarge)
		return ""
	}
	return clean(s)
}

func (c *checker) paragraphs(field string, in []string) []string {
	var out []string
	for _, s := range in {
		if s = strings.TrimSpace(c.text(field, s)); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (c *checker) link(field string, l *Link) *Link {
	if l == nil {
		return nil
	}
	c.url(field, l.URL, false)
	return &Link{Title: c.line(field, l.Title, true), URL: l.URL}
}

// url takes absolute http and https addresses that stay as they are when written into an attribute, so that both parts of
// the mail show the same one.
func (c *checker) url(field, s string, needed bool) {
	if s == "" {
		if needed {
			c.add(field, "is empty")
		}
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsFunc(s, notInURL) {
		c.add(field, "is no http or https address: "+quote(s))
	}
}

// notInURL says which characters an address must have percent-encoded (RFC 3986, 2).
func notInURL(r rune) bool {
	return r <= ' ' || r >= utf8.RuneSelf || r == 0x7f || strings.ContainsRune("\"<>\\^`{|}'", r)
}

// clean is s in valid UTF-8 without control characters but line feeds and tabs.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}

// quote shortens what a message quotes.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, `"`+s+`"`), "\uFFFD")
}

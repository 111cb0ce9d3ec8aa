package series

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/language"
)

// wrongError is a sentinel that speaks in a sentence of its own.
type wrongError struct {
	kind error
	text string
}

func (e wrongError) Error() string { return e.text }
func (e wrongError) Unwrap() error { return e.kind }

// wrong says in plain words what is wrong, for errors.Is with kind.
func wrong(kind error, format string, args ...any) error {
	return wrongError{kind, fmt.Sprintf(format, args...)}
}

// problems gathers what is wrong with a change, so that all of it is said at once.
type problems []error

func (p *problems) add(flag string, kind error, format string, args ...any) {
	*p = append(*p, wrong(kind, flag+": "+format, args...))
}

// apply puts the values of c into s and checks that nothing required is missing then. The error joins all that is wrong,
// each named by its flag.
func (s *Series) apply(c Change) error {
	var p problems
	p.line("--title", c.Title, &s.Title, 200)
	p.sender(c, s)
	p.line("--postal-address", c.PostalAddress, &s.PostalAddress, 300)
	p.language(c.Language, &s.Language)
	p.zone(c.Zone, &s.Zone)
	p.schedule(c.Schedule, &s.Schedule)
	p.date("--start", c.StartDate, &s.StartDate)
	p.choice("--welcome", c.Welcome, &s.Welcome, "none", "first", "latest")
	p.choice("--when-not-ready", c.WhenNotReady, &s.WhenNotReady, "hold", "skip")
	p.choice("--mode", (*string)(c.Mode), (*string)(&s.Mode), string(Live), string(Drip))
	p.span("--min-gap", c.MinGap, &s.MinGap)
	p.span("--grace", c.Grace, &s.Grace)
	p.disclaimer(c.Disclaimer, &s.Disclaimer.Text)
	p.choice("--disclaimer-place", c.DisclaimerPlace, &s.Disclaimer.Place, "start", "end", "both")
	p.look(c, &s.Look)
	s.show(c)
	return errors.Join(p...)
}

// line takes a text of one line that must not be empty.
func (p *problems) line(flag string, from, to *string, most int) {
	if from != nil {
		*to = strings.TrimSpace(*from)
	}
	if *to == "" {
		p.add(flag, ErrInvalid, "it is required")
		return
	}
	if err := checkLine(*to, most); err != nil {
		p.add(flag, ErrInvalid, "%v", err)
	}
}

// sender takes From and Reply-To. An empty name is the title.
func (p *problems) sender(c Change, s *Series) {
	if c.FromName != nil {
		s.FromName = strings.TrimSpace(*c.FromName)
	}
	if s.FromName == "" {
		s.FromName = s.Title
	}
	if err := checkLine(s.FromName, 200); err != nil {
		p.add("--from", ErrInvalid, "name: %v", err)
	}
	if c.FromEmail != nil {
		s.FromEmail = strings.TrimSpace(*c.FromEmail)
	}
	p.email("--from", &s.FromEmail, `write "Name <news@example.org>"`)
	if c.ReplyTo != nil {
		s.ReplyTo = strings.TrimSpace(*c.ReplyTo)
	}
	if s.ReplyTo != "" {
		p.email("--reply-to", &s.ReplyTo, "write an address such as editor@example.org")
	}
}

// email checks an address that our mail names as its sender and writes its domain in the form that SMTP takes.
func (p *problems) email(flag string, address *string, mend string) {
	if *address == "" {
		p.add(flag, ErrInvalid, "it is required: %s", mend)
		return
	}
	if a, err := mail.ParseAddress(*address); err != nil || a.Address != *address || checkLine(*address, 254) != nil {
		p.add(flag, ErrInvalid, "%q is not a mail address: %s", *address, mend)
		return
	}
	at := strings.LastIndexByte(*address, '@')
	local, domain := (*address)[:at], (*address)[at+1:]
	ascii, err := idna.Lookup.ToASCII(domain)
	switch {
	case err != nil || !strings.Contains(ascii, ".") || strings.HasSuffix(ascii, "."):
		p.add(flag, ErrInvalid, "%q has no domain that mail can be answered to: %s", *address, mend)
	case len(local) > 64 || strings.IndexFunc(local, func(r rune) bool { return r > unicode.MaxASCII || r == '"' || r == ' ' }) >= 0:
		p.add(flag, ErrInvalid, "%q: the part before the @ must be plain letters, digits and marks, 64 at most", *address)
	default:
		*address = local + "@" + ascii
	}
}

func (p *problems) language(from, to *string) {
	if from == nil {
		return
	}
	tag, err := language.Parse(*from)
	if err != nil || strings.HasSuffix(tag.String(), "-ZZ") { // ZZ is the country of what has none
		p.add("--language", ErrInvalid, "%q is no language: write a tag such as en, de or pt-BR", *from)
		return
	}
	*to = tag.String()
}

func (p *problems) zone(from, to *string) {
	if from != nil {
		*to = *from
	}
	if _, err := loadZone(*to); err != nil {
		*p = append(*p, fmt.Errorf("--zone: %w", err))
	}
}

func (p *problems) schedule(from []string, to *[]string) {
	if from != nil {
		lines, err := parseLines(from)
		if err != nil {
			*p = append(*p, fmt.Errorf("--schedule: %w", err))
			return
		}
		*to = lines
	}
	if len(*to) == 0 {
		p.add("--schedule", ErrSchedule, "it is required: write \"tuesdays 09:00\" or a cron line such as \"0 9 * * TUE\"")
	}
}

func (p *problems) date(flag string, from, to *string) {
	if from == nil {
		return
	}
	*to = *from
	if *from != "" && checkDate(*from) != nil {
		p.add(flag, ErrInvalid, "%v", checkDate(*from))
	}
}

func (p *problems) choice(flag string, from, to *string, allowed ...string) {
	if from != nil {
		*to = *from
	}
	if !slices.Contains(allowed, *to) {
		p.add(flag, ErrInvalid, "%q is none of %s", *to, strings.Join(allowed, ", "))
	}
}

func (p *problems) span(flag string, from, to *time.Duration) {
	const most = 90 * 24 * time.Hour
	if from != nil {
		*to = from.Truncate(time.Millisecond)
	}
	if *to < 0 || *to > most {
		p.add(flag, ErrInvalid, "%v is not between 0 and 90 days", *to)
	}
}

func (p *problems) disclaimer(from, to *string) {
	if from != nil {
		*to = strings.TrimSpace(trimText(*from))
	}
	switch err := checkText(*to, 10_000); {
	case squeeze(*to) == "":
		p.add("--disclaimer", ErrDisclaimer, "every issue carries one: give its words, or @FILE to read them from a file")
	case err != nil:
		p.add("--disclaimer", ErrInvalid, "%v", err)
	}
}

// checkLine refuses what could become a second header or hide from an editor's eye: control characters and Unicode's
// line and paragraph separators (RFC 5322, section 2.2).
func checkLine(s string, most int) error {
	return checkRunes(s, most, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// checkText is checkLine for texts of several lines: line feeds and tabs are welcome.
func checkText(s string, most int) error {
	return checkRunes(s, most, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

func checkRunes(s string, most int, refused func(rune) bool) error {
	switch i := strings.IndexFunc(s, refused); {
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8 text")
	case len(s) > most:
		return fmt.Errorf("it is longer than %d bytes", most)
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("it holds the control character %U; take that out", r)
	}
	return nil
}

// trimText brings a text of several lines to line feeds and takes the blank lines around it away. The indent of its
// first line stays: to Markdown it means something.
func trimText(s string) string {
	s = strings.TrimRightFunc(strings.ReplaceAll(s, "\r\n", "\n"), unicode.IsSpace)
	for {
		line, rest, more := strings.Cut(s, "\n")
		if !more || strings.TrimSpace(line) != "" {
			return s
		}
		s = rest
	}
}

// checkDate wants YYYY-MM-DD.
func checkDate(s string) error {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return fmt.Errorf("%q is no date: write YYYY-MM-DD, such as 2027-03-30", s)
	}
	return nil
}

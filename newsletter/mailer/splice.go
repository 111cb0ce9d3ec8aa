package mailer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// own is what is a person's own in a message, checked.
type own struct {
	Recipient
	html        string // the name as HTML has it
	to          string // the address as on the wire
	toName      string
	utf8        bool
	nameDigits  int // the longest run of what a boundary is made of
	tokenDigits int
	boundary    [boundarySize]byte
}

// Append appends a person's message to dst: the octets of Compose of the form's Draft for r, and its errors. A Name with a
// space at an end or a control character, and a Token of other characters than said, empty or too long, are ErrHeader.
func (c *Compiled) Append(dst []byte, r Recipient) ([]byte, error) {
	p := own{Recipient: r}
	l, err := c.prepare(&p)
	if err != nil {
		return dst, err
	}
	return l.append(dst, &p), nil
}

// Message is Compose of the form's Draft for r. Its Bytes are appended to dst and lie in its memory, if that is enough.
func (c *Compiled) Message(dst []byte, r Recipient) (Message, error) {
	p := own{Recipient: r}
	l, err := c.prepare(&p)
	if err != nil {
		return Message{}, err
	}
	m := c.sample
	m.MessageID, m.To, m.SMTPUTF8 = r.MessageID, p.to, c.utf8 || p.utf8
	m.Bytes = l.append(dst, &p)[len(dst):]
	m.Hash = hashOf(m.Bytes)
	return m, nil
}

// hashOf is the hash that a delivery's row keeps.
func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}

// prepare checks a person and finds the layout of their message.
func (c *Compiled) prepare(p *own) (l *layout, err error) {
	if err = p.check(); err == nil {
		l, err = c.layout(p.Name != "", len(p.Token))
	}
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if l.digits || p.nameDigits > fewDigits || p.tokenDigits > fewDigits {
		copy(p.boundary[:], boundary(c.form.Draft(p.Recipient)))
	} else {
		p.boundary = boundaryAt(0, p.MessageID)
	}
	return l, nil
}

// check checks what is personal as Compose does. No name makes a subject that Compile has passed one that is refused.
func (p *own) check() (err error) {
	if p.toName, p.to, p.utf8, err = checkMailbox(p.To); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if err := checkOnce(p.MessageID, p.Date); err != nil {
		return err
	}
	if !p.checkToken() {
		return fmt.Errorf("list-unsubscribe: %w", ErrHeader)
	}
	if p.Name == "" {
		return nil
	}
	if !plainText(p.Name) && (strings.TrimSpace(p.Name) != p.Name || !utf8.ValidString(p.Name) || strings.ContainsFunc(p.Name, breaks)) {
		return fmt.Errorf("name: %w", ErrHeader)
	}
	p.html, p.nameDigits = html.EscapeString(p.Name), digitsInARow(p.Name)
	return nil
}

// checkToken wants characters that stand for themselves in a URL, in HTML and in quoted-printable, and with which no line
// begins that would have to be shielded.
func (p *own) checkToken() bool {
	all := byte(inToken)
	for i := range len(p.Token) {
		all &= octets[p.Token[i]]
	}
	p.tokenDigits = digitsInARow(p.Token)
	return p.Token != "" && len(p.Token) <= maxToken && all == inToken
}

// octets tells of each octet whether tokens, and whether boundaries, have it. A branch for each would be taken for no reason that a
// processor could foresee.
var octets = func() (of [256]byte) {
	for _, b := range []byte("0123456789abcdef") {
		of[b] = inToken | inBoundary
	}
	for b := 'g'; b <= 'z'; b++ {
		of[b] = inToken
	}
	return of
}()

const (
	inBoundary = 1 << iota // a hex digit
	inToken                // a letter in lower case or a digit
)

// append puts the pieces together.
func (l *layout) append(dst []byte, p *own) []byte {
	dst = slices.Grow(dst, l.size+l.size/16)
	for i := range l.segments {
		s := &l.segments[i]
		dst = append(dst, s.same...)
		switch s.then {
		case dateText:
			dst = l.appendDate(dst, p.Date)
		case messageIDField:
			dst = appendField(dst, "Message-ID", "<", p.MessageID, ">")
		case subjectField:
			dst = appendSubject(dst, s.line.FillSubject(p.Name))
		case toField:
			dst = p.appendTo(dst)
		case boundaryText:
			dst = append(dst, p.boundary[:]...)
		case tokenOctets:
			dst = append(dst, p.Token[s.from:s.to]...)
		case wholeLine:
			name := p.Name
			if s.html {
				name = p.html
			}
			dst = appendLine(dst, s.line, name, p.Token)
		}
	}
	return dst
}

// writtenDate is a Date as a header has it. Thousands of messages in a row have the same.
type writtenDate struct {
	second int64 // Unix
	zone   int   // seconds east of UTC
	text   string
}

func (l *layout) appendDate(dst []byte, date time.Time) []byte {
	last := l.date.Load()
	_, zone := date.Zone()
	if last == nil || last.second != date.Unix() || last.zone != zone {
		last = &writtenDate{date.Unix(), zone, date.Format(time.RFC1123Z)}
		l.date.Store(last)
	}
	return append(dst, last.text...)
}

func appendSubject(dst []byte, subject string) []byte {
	subject, _ = text(subject, maxSubject) // it is fit for a header
	dst = append(dst, "Subject: "...)
	return endField(appendEncoded(dst, subject), "Subject", len(dst))
}

// appendTo appends To as net/mail writes it.
func (p *own) appendTo(dst []byte) []byte {
	dst = append(dst, "To: "...)
	start := len(dst)
	if p.toName != "" {
		dst = append(appendPhrase(dst, p.toName), ' ')
	}
	dst = append(append(append(dst, '<'), p.to...), '>')
	return endField(dst, "To", start)
}

// boundarySize is how many hex digits make a boundary. Where no run of what is the same for all is longer than mostDigits, and
// none of what is personal than fewDigits, none of a whole text is as long as a boundary.
const (
	boundarySize = 32
	mostDigits   = 11
	fewDigits    = boundarySize - 1 - 2*mostDigits
)

// digits tells whether a boundary must be looked for in the filled text, since its digits alone don't rule it out.
func (b Blank) digits() bool {
	for i, p := range b {
		inner := i > 0 && i < len(b)-1
		switch run := digitsInARow(p.Text); {
		case p.Hole != NoHole && i > 0 && b[i-1].Hole != NoHole:
			return true
		case p.Hole == NoHole && (run > mostDigits || inner && run == len(p.Text)):
			return true
		}
	}
	return false
}

// digitsInARow is the length of the longest run of hex digits as boundaries have them.
func digitsInARow(s string) (longest int) {
	run := 0
	for i := range len(s) {
		run = (run + 1) & -int(octets[s[i]]&inBoundary)
		longest = max(longest, run)
	}
	return longest
}

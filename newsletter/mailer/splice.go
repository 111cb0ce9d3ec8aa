package mailer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// own is what is a person's own in a message, checked.
type own struct {
	Recipient
	html        string // the name as HTML has it
	subject     string // encoded; empty where it is everybody's
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
	p, l, err := c.prepare(r)
	if err != nil {
		return dst, err
	}
	return l.append(dst, &p), nil
}

// Message is Compose of the form's Draft for r. Its Bytes are appended to dst and lie in its memory, if that is enough.
func (c *Compiled) Message(dst []byte, r Recipient) (Message, error) {
	p, l, err := c.prepare(r)
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
	return hex.EncodeToString(sum[:])
}

func (c *Compiled) prepare(r Recipient) (p own, l *layout, err error) {
	if p, err = c.check(r); err == nil {
		l, err = c.layout(p.Name != "", len(p.Token))
	}
	if err != nil {
		return p, nil, fmt.Errorf("compose: %w", err)
	}
	if l.digits || p.nameDigits > fewDigits || p.tokenDigits > fewDigits {
		copy(p.boundary[:], boundary(c.form.Draft(r)))
	} else {
		p.boundary = boundaryAt(0, r.MessageID)
	}
	return p, l, nil
}

// check checks what is personal as Compose does.
func (c *Compiled) check(r Recipient) (p own, err error) {
	p.Recipient = r
	if p.toName, p.to, p.utf8, err = checkMailbox(r.To); err != nil {
		return p, fmt.Errorf("to: %w", err)
	}
	if err := checkOnce(r.MessageID, r.Date); err != nil {
		return p, err
	}
	if !p.checkToken() {
		return p, fmt.Errorf("list-unsubscribe: %w", ErrHeader)
	}
	if r.Name == "" {
		return p, nil
	}
	if strings.TrimSpace(r.Name) != r.Name || !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, breaks) {
		return p, fmt.Errorf("name: %w", ErrHeader)
	}
	p.html, p.nameDigits = html.EscapeString(r.Name), digitsInARow(r.Name)
	if c.form.Subject.Has(NameHole) {
		p.subject, err = checkSubject(c.form.Subject.FillSubject(r.Name))
	}
	return p, err
}

// checkToken wants characters that stand for themselves in a URL, in HTML and in quoted-printable, and with which no line
// begins that would have to be shielded.
func (p *own) checkToken() bool {
	for i := range len(p.Token) {
		if b := p.Token[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return false
		}
	}
	p.tokenDigits = digitsInARow(p.Token)
	return p.Token != "" && len(p.Token) <= maxToken
}

// append puts the pieces together.
func (l *layout) append(dst []byte, p *own) []byte {
	dst = slices.Grow(dst, l.size+l.size/16)
	for i := range l.segments {
		s := &l.segments[i]
		dst = append(dst, s.same...)
		switch s.then {
		case dateText:
			dst = p.Date.AppendFormat(dst, time.RFC1123Z)
		case messageIDField:
			dst = appendField(dst, "Message-ID", "<", p.MessageID, ">")
		case subjectField:
			dst = appendField(dst, "Subject", p.subject)
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

// appendTo appends To as net/mail writes it.
func (p *own) appendTo(dst []byte) []byte {
	if p.toName == "" {
		return appendField(dst, "To", "<", p.to, ">")
	}
	to := mail.Address{Name: p.toName, Address: p.to}
	return appendField(dst, "To", to.String())
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
		if b := s[i]; b >= '0' && b <= '9' || b >= 'a' && b <= 'f' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

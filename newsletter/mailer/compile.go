package mailer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Compiled is a Form that go-mail composed once; each person's message is spliced from it. Many goroutines may use it.
type Compiled struct {
	form    Form    // as lines end in messages, and neighbours made one
	sample  Message // of nobody: what is the same in all
	utf8    bool    // an address of the sender needs SMTPUTF8
	layouts [2][maxToken + 1]atomic.Pointer[layout]
}

// maxToken is how long a token may be, in octets.
const maxToken = 96

// layout is a message as it is laid out for everybody with, or without, a name and with tokens of one length.
type layout struct {
	segments []segment
	size     int                         // about how many octets a message has
	digits   bool                        // the boundary must be looked for in the text of each person
	date     atomic.Pointer[writtenDate] // the last one
}

// segment is what is the same for all, and then something personal.
type segment struct {
	same     []byte
	then     personal
	from, to int   // of the token's octets
	line     Blank // with its holes; of a part, encoded
	html     bool  // the line's part
}

type personal int

const (
	nothing personal = iota
	dateText
	messageIDField
	subjectField
	toField
	boundaryText
	tokenOctets
	wholeLine // encoded anew, since a name moves the soft breaks
)

var errLayout = errors.New("the pieces don't make what go-mail makes")

// Compile composes a form through go-mail. The error wraps ErrHeader, ErrAddress or ErrBody, names what is wrong for
// everybody alike, and comes again.
func Compile(f Form) (*Compiled, error) {
	f.Subject, f.HTML, f.Text = f.Subject.tidy(), f.HTML.tidy(), f.Text.tidy()
	c := &Compiled{form: f}
	var err error
	if c.sample, err = Compose(f.Draft(nobody("", 1))); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	c.utf8 = c.sample.SMTPUTF8
	return c, nil
}

// nobody is the recipient of the messages from which the pieces are taken and with which they are compared.
func nobody(name string, token int) Recipient {
	return Recipient{
		MessageID: "nobody@example.org", Date: time.Unix(0, 0).UTC(), To: Mailbox{Name: name, Email: "nobody@example.org"},
		Name: name, Token: strings.Repeat("x", token),
	}
}

// tidy gives the text the line ends that it has in a message, and makes one of neighbours.
func (b Blank) tidy() Blank {
	var tidy Blank
	for _, p := range b {
		if last := len(tidy) - 1; p.Hole == NoHole && last >= 0 && tidy[last].Hole == NoHole {
			tidy[last].Text += p.Text
			continue
		}
		tidy = append(tidy, p)
	}
	for i := range tidy {
		tidy[i].Text = lineEnds.Replace(tidy[i].Text)
	}
	return tidy
}

// nameless is the text of those without a name.
func (b Blank) nameless() Blank {
	all := make(Blank, len(b))
	for i, p := range b {
		if all[i] = p; p.Hole == NameHole {
			all[i].Hole = NoHole
		}
	}
	return all.tidy()
}

// lines cuts the text where its lines end. Words for readers without a name are not looked at.
func (b Blank) lines() []Blank {
	all := []Blank{nil}
	for _, p := range b {
		if p.Hole != NoHole {
			all[len(all)-1] = append(all[len(all)-1], p)
			continue
		}
		for i, line := range strings.Split(p.Text, "\n") {
			if i > 0 {
				all = append(all, nil)
			}
			if line != "" {
				all[len(all)-1] = append(all[len(all)-1], Piece{Text: line})
			}
		}
	}
	return all
}

// layout is the one for a person, made when the first of their kind comes.
func (c *Compiled) layout(named bool, token int) (*layout, error) {
	at := &c.layouts[0][token]
	if named {
		at = &c.layouts[1][token]
	}
	if l := at.Load(); l != nil {
		return l, nil
	}
	l, err := c.layOut(named, token)
	if err == nil {
		at.Store(l)
	}
	return l, err
}

// layOut cuts a message of go-mail's into what is the same for all and what is personal, and compares what comes out with
// what go-mail makes.
func (c *Compiled) layOut(named bool, token int) (*layout, error) {
	name := ""
	if named {
		name = "Zoë \"Z\" & Co"
	}
	r := nobody(name, token)
	want, err := Compose(c.form.Draft(r))
	if err != nil {
		return nil, err
	}
	var b builder
	head, body := split(want.Bytes)
	text := boundary(c.form.Draft(r))
	b.head(c.form, head, text, named, token)
	b.parts(c.form, body, text, named, token)
	b.then(segment{then: nothing})
	l := &layout{segments: b.segments, size: len(want.Bytes), digits: b.digits}
	p := own{Recipient: r}
	err = p.check()
	copy(p.boundary[:], text)
	if err == nil && !bytes.Equal(l.append(nil, &p), want.Bytes) {
		err = errLayout
	}
	return l, err
}

// builder gathers a layout's segments.
type builder struct {
	segments []segment
	same     []byte
	digits   bool
}

func (b *builder) then(s segment) {
	s.same, b.same = b.same, nil
	b.segments = append(b.segments, s)
}

// around adds text, the boundary in it open.
func (b *builder) around(raw []byte, boundary string) {
	for {
		before, after, ok := bytes.Cut(raw, []byte(boundary))
		b.same = append(b.same, before...)
		if !ok {
			return
		}
		b.then(segment{then: boundaryText})
		raw = after
	}
}

// head adds the header fields and the empty line.
func (b *builder) head(f Form, head []byte, boundary string, named bool, token int) {
	for _, field := range appendFields(nil, head) {
		name, _, _ := bytes.Cut(field, []byte(":"))
		switch string(name) {
		case "Date":
			b.same = append(b.same, "Date: "...)
			b.then(segment{then: dateText})
			b.same = append(b.same, "\r\n"...)
		case "Message-ID":
			b.then(segment{then: messageIDField})
		case "To":
			b.then(segment{then: toField})
		case "List-Unsubscribe":
			b.same = append(b.same, "List-Unsubscribe: <"+f.List.UnsubscribeURL...)
			b.then(segment{then: tokenOctets, to: token})
			b.same = append(b.same, ">\r\n"...)
		case "Subject":
			if named && f.Subject.Has(NameHole) {
				b.then(segment{then: subjectField, line: f.Subject})
				continue
			}
			fallthrough
		default:
			b.around(field, boundary)
		}
	}
	b.same = append(b.same, "\r\n"...)
}

// appendFields appends a header's fields, each with its further lines and its CRLF.
func appendFields(all [][]byte, head []byte) [][]byte {
	for len(head) > 0 {
		end := 0
		for end == 0 || end < len(head) && (head[end] == ' ' || head[end] == '\t') {
			line := bytes.Index(head[end:], []byte("\r\n"))
			if line < 0 {
				line = len(head) - end - len("\r\n")
			}
			end += line + len("\r\n")
		}
		all = append(all, head[:end:end])
		head = head[end:]
	}
	return all
}

// parts adds the body: text first, then HTML.
func (b *builder) parts(f Form, body []byte, boundary string, named bool, token int) {
	pieces := bytes.Split(body, []byte("--"+boundary)) // before the first, the two parts, the final hyphens
	for i, piece := range pieces {
		if i > 0 {
			b.around([]byte("--"+boundary), boundary)
		}
		part, html := f.Text, false
		switch i {
		case 1:
		case 2:
			part, html = f.HTML, true
		default:
			b.same = append(b.same, piece...)
			continue
		}
		head, _, _ := bytes.Cut(piece, []byte("\r\n\r\n"))
		b.same = append(append(b.same, head...), "\r\n\r\n"...)
		if !named {
			part = part.nameless()
		}
		b.digits = b.digits || part.digits()
		for _, line := range part.lines() {
			b.line(line, html, token)
		}
	}
}

// line adds a line of a part. A name moves the soft breaks after it; a token, whose characters stand for themselves and whose
// length is known, leaves all where it is.
func (b *builder) line(line Blank, html bool, token int) {
	line = line.encoded()
	if line.Has(NameHole) {
		b.then(segment{then: wholeLine, line: line, html: html})
		return
	}
	first, second := appendLine(nil, line, "", strings.Repeat("x", token)), appendLine(nil, line, "", strings.Repeat("y", token))
	from, to := 0, 0 // of the token's octets, those that stand side by side
	flush := func() {
		if to > from {
			b.then(segment{then: tokenOctets, from: from, to: to})
		}
		from = to % token
		to = from
	}
	for i, octet := range first {
		if octet == second[i] {
			flush()
			b.same = append(b.same, octet)
			continue
		}
		if to++; to == token {
			flush()
		}
	}
}

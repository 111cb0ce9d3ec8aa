package mailer

import (
	"html"
	"strings"
	"time"
)

// Hole is what of a person's own belongs into a Piece's place.
type Hole int

const (
	NoHole    Hole = iota
	NameHole       // the name; the Piece's text for readers without one
	TokenHole      // the token that ends a link of theirs
)

// Piece is a stretch of text that is the same for all, or a hole.
type Piece struct {
	Text string
	Hole Hole
}

// Blank is a text with holes.
type Blank []Piece

// Fill puts name and token into the holes, as they are. Of an empty name the words for readers without one stay.
func (b Blank) Fill(name, token string) string {
	size := 0
	for _, p := range b {
		size += len(p.fill(name, token))
	}
	var s strings.Builder
	s.Grow(size)
	for _, p := range b {
		s.WriteString(p.fill(name, token))
	}
	return s.String()
}

func (p Piece) fill(name, token string) string {
	switch {
	case p.Hole == TokenHole:
		return token
	case p.Hole == NameHole && name != "":
		return name
	}
	return p.Text
}

// FillSubject is Fill for a subject. One that the name makes too long for a header gets the words for readers without a
// name: nobody's name may stop an issue.
func (b Blank) FillSubject(name string) string {
	if s := b.Fill(name, ""); len(s) <= maxSubject {
		return s
	}
	return b.Fill("", "")
}

// FillHTML is Fill for HTML, escaped.
func (b Blank) FillHTML(name, token string) string {
	return b.Fill(html.EscapeString(name), html.EscapeString(token))
}

// Has tells whether the text has a hole of the kind.
func (b Blank) Has(hole Hole) bool {
	for _, p := range b {
		if p.Hole == hole {
			return true
		}
	}
	return false
}

// Form is a list's message with all open that is a person's own.
type Form struct {
	From                Mailbox
	ReplyTo             string // empty: none
	Subject, HTML, Text Blank
	List                List // UnsubscribeURL without the token that ends it
	FeedbackID          string
}

// Recipient is what is a person's own in a message.
type Recipient struct {
	MessageID string
	Date      time.Time
	To        Mailbox
	Name      string // on one line, as the message may show it; empty: none
	Token     string // letters in lower case and digits
}

// Draft fills the form in for one person.
func (f Form) Draft(r Recipient) Draft {
	list := f.List
	list.UnsubscribeURL += r.Token
	return Draft{
		MessageID: r.MessageID, Date: r.Date, From: f.From, To: r.To, ReplyTo: f.ReplyTo, Subject: f.Subject.FillSubject(r.Name),
		HTML: f.HTML.FillHTML(r.Name, r.Token), Text: f.Text.Fill(r.Name, r.Token), List: &list, FeedbackID: f.FeedbackID,
	}
}

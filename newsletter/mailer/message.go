package mailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail"
)

// ErrHeader is a value that may not stand in a header: a control character, broken UTF-8, too long, or empty where
// something must be.
var ErrHeader = errors.New("not fit for a header")

// ErrAddress is an address that can't be sent to or from: no valid form, quoted, or without a domain name.
var ErrAddress = errors.New("not a usable address")

// ErrBody is a body part that is empty or not UTF-8.
var ErrBody = errors.New("not fit for a body")

// Mailbox is a display name and an address. The address may have its domain in any script; messages carry the A-label.
type Mailbox struct{ Name, Email string }

// List is what makes a message a newsletter's: RFC 2919 and RFC 8058 headers. Notices have none.
type List struct {
	ID             string // skin.news.example.org: a series' label under the site's host
	Name           string
	UnsubscribeURL string // https, or http on loopback; opaque token; answers POST List-Unsubscribe=One-Click
}

// Draft is what a message is composed from.
type Draft struct {
	MessageID  string // without angle brackets: deterministic, in the sender's domain
	Date       time.Time
	From, To   Mailbox
	ReplyTo    string // empty: none
	Subject    string
	HTML, Text string
	List       *List  // nil for notices, which get Auto-Submitted: auto-generated (RFC 3834)
	FeedbackID string // up to four fields parted by colons, the sender's last and constant; no person's; empty: none
}

// Message is complete bytes ready for the wire, with its envelope. The same Draft always gives the same bytes.
type Message struct {
	MessageID string
	From, To  string // envelope, without angle brackets
	Domain    string // of the From header, in ASCII: what a signature aligns with
	List      bool   // an issue's, not a notice's
	SMTPUTF8  bool   // an address needs it (RFC 6531)
	Bytes     []byte // CRLF lines, not yet dot-stuffed
	Hash      string // hex SHA-256 of Bytes as they were composed, before Handover.Finish

	clean bool // made here: no bare CR or LF, no line that starts with a dot
}

// Compose builds the message through go-mail: text/plain first, text/html last, quoted-printable, boundary derived from
// the Message-ID. Runs of spaces in the subject and in names become one. The error wraps ErrHeader, ErrAddress or ErrBody,
// names the field and never its value; the same draft fails again.
func Compose(d Draft) (Message, error) {
	h, err := checkHeader(d)
	if err != nil {
		return Message{}, fmt.Errorf("compose: %w", err)
	}
	d.Text, d.HTML = lineEnds.Replace(d.Text), lineEnds.Replace(d.HTML)
	for _, part := range []struct{ name, body string }{{"text", d.Text}, {"html", d.HTML}} {
		if strings.TrimSpace(part.body) == "" || !utf8.ValidString(part.body) {
			return Message{}, fmt.Errorf("compose: %s: %w", part.name, ErrBody)
		}
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithBoundary(boundary(d)))
	h.set(msg)
	msg.SetBodyString(mail.TypeTextPlain, d.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, d.HTML)
	var raw bytes.Buffer
	if _, err := msg.WriteTo(&raw); err != nil {
		return Message{}, fmt.Errorf("compose: %w", err)
	}
	content := shieldLines(raw.Bytes())
	return Message{
		MessageID: d.MessageID, From: h.from.Address, To: h.to.Address,
		Domain: h.from.Address[strings.LastIndexByte(h.from.Address, '@')+1:], List: d.List != nil, SMTPUTF8: h.utf8,
		Bytes: content, Hash: hashOf(content), clean: true,
	}, nil
}

// lineEnds has lines of a text end in one way, so that each can be encoded by itself.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// boundary is the first of a row of hashes of the Message-ID that occurs in no part. Its hex digits stand for themselves in
// quoted-printable, so what isn't in the part isn't in its encoded form.
func boundary(d Draft) string {
	for n := 0; ; n++ {
		digits := boundaryAt(n, d.MessageID)
		text := string(digits[:])
		if !strings.Contains(d.Text, text) && !strings.Contains(d.HTML, text) {
			return text
		}
	}
}

// boundaryAt is the hash number n.
func boundaryAt(n int, messageID string) (digits [boundarySize]byte) {
	room := make([]byte, 0, 300)
	sum := sha256.Sum256(append(append(strconv.AppendInt(append(room, "boundary "...), int64(n), 10), ' '), messageID...))
	hex.Encode(digits[:], sum[:boundarySize/2])
	return digits
}

// shieldLines shields the lines of a message's body.
func shieldLines(raw []byte) []byte {
	head, body := split(raw)
	if body == nil {
		return raw
	}
	before := len(head) + len("\r\n")
	return appendShielded(append(make([]byte, 0, len(raw)+64), raw[:before]...), body)
}

// split parts a message's header, whose every line has its CRLF, from the body behind the empty line; nil: there is none.
func split(message []byte) (head, body []byte) {
	end := bytes.Index(message, []byte("\r\n\r\n"))
	if end < 0 {
		return message, nil
	}
	return message[:end+len("\r\n")], message[end+len("\r\n\r\n"):]
}

package mailer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OutcomeState says where a phase left the message.
type OutcomeState string

const (
	Accepted OutcomeState = "accepted" // envelope: go on with the content; content: the relay has the message
	Deferred OutcomeState = "deferred" // 4xx: this message later, the connection is fine
	Refused  OutcomeState = "refused"  // 5xx: this message never
	Away     OutcomeState = "away"     // 421, connection lost or timed out before the last octet: the relay does not have it
	Cut      OutcomeState = "cut"      // connection lost inside the content: the relay can't have it whole
	Unknown  OutcomeState = "unknown"  // connection lost after the last octet: nobody knows (RFC 1047)
)

// Class says what a refusal or deferral is about (STANDARDS: reply codes).
type Class string

const (
	ClassDead        Class = "dead"        // the address does not exist
	ClassMailbox     Class = "mailbox"     // full, or soft trouble of this mailbox
	ClassTransient   Class = "transient"   // later
	ClassBlocked     Class = "blocked"     // our reputation or authentication
	ClassContent     Class = "content"     // this message is refused
	ClassConfig      Class = "config"      // our sender, login or relay settings
	ClassUnsupported Class = "unsupported" // the relay lacks what the address needs (SMTPUTF8)
)

// Reply is one SMTP reply (RFC 5321 section 4.2), its enhanced code (RFC 3463) apart.
type Reply struct {
	Code     int    // 0: none came
	Enhanced string // empty: none
	Text     string // one line, addresses in it redacted, at most 500 characters
}

// String is the reply as one line, for logs and pages.
func (r Reply) String() string {
	if r.Code == 0 {
		return r.Text
	}
	return strings.Join(strings.Fields(fmt.Sprint(r.Code, " ", r.Enhanced, " ", r.Text)), " ")
}

// Outcome is what one phase came to.
type Outcome struct {
	State OutcomeState
	Reply Reply
	Class Class // of Deferred and Refused
}

// refusal reads a 4xx or 5xx as what it means for the message. MAIL names no recipient: whatever the relay says there, it
// is nothing against the one we have in mind.
func refusal(phase string, r Reply) Outcome {
	o := Outcome{State: Refused, Reply: r, Class: Classify(r)}
	if r.Code < 500 {
		o.State = Deferred
	}
	if phase != "mail" || o.Class != ClassDead && o.Class != ClassMailbox {
		return o
	}
	if o.Class = ClassConfig; o.State == Deferred {
		o.Class = ClassTransient
	}
	return o
}

// RelayError is a relay that can't be used now, or a connection that can't be used any more. It is never about a recipient.
type RelayError struct {
	Phase string // connect, greeting, tls, ehlo, auth; in a transaction mail, rcpt, data, content, rset
	Reply Reply  // Code 0: none came
	Err   error  // nil if Reply says it all
}

func (e *RelayError) Error() string {
	text := "relay: " + e.Phase
	if e.Reply.Code != 0 {
		text += ": " + e.Reply.String()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *RelayError) Unwrap() error { return e.Err }

// errReply is what can't be read as an SMTP reply. Where it came, the dialogue is out of step.
var errReply = errors.New("malformed reply")

// maxReplyLines bounds a reply; a line is bounded by the reader's buffer.
const maxReplyLines = 100

// readReply reads one reply of one or more lines. A line longer than the reader's buffer, more than maxReplyLines of
// them or lines with different codes are errReply.
func readReply(in *bufio.Reader) (r Reply, err error) {
	for range maxReplyLines {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return Reply{}, fmt.Errorf("%w: line too long", errReply)
		}
		if err != nil {
			return Reply{}, err
		}
		code, text, last := replyLine(bytes.TrimRight(line, "\r\n"))
		if code == 0 || r.Code != 0 && code != r.Code {
			return Reply{}, errReply
		}
		r.Code = code
		r.add(string(text))
		if last {
			return r.short(), nil
		}
	}
	return Reply{}, fmt.Errorf("%w: too many lines", errReply)
}

// waits tells whether a whole reply, or what can't become one, has come already.
func waits(in *bufio.Reader) bool {
	come, _ := in.Peek(in.Buffered())
	for {
		line, more, ok := bytes.Cut(come, []byte("\n"))
		if !ok {
			return false
		}
		if code, _, last := replyLine(bytes.TrimRight(line, "\r")); code == 0 || last {
			return true
		}
		come = more
	}
}

// replyLine takes "250-text" apart; the code is 0 if it isn't one.
func replyLine(line []byte) (code int, text []byte, last bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, nil, false
	}
	for _, digit := range line[:3] {
		if digit < '0' || digit > '9' {
			return 0, nil, false
		}
		code = code*10 + int(digit-'0')
	}
	if len(line) == 3 {
		return code, nil, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, nil, false
	}
	return code, line[4:], line[3] == ' '
}

// cutEnhanced takes the enhanced code (RFC 3463 section 2) off a line that begins with one.
func cutEnhanced(line string) (code, text string) {
	if line == "" || line[0] != '2' && line[0] != '4' && line[0] != '5' {
		return "", line
	}
	end := 1
	for range 2 {
		if end == len(line) || line[end] != '.' {
			return "", line
		}
		end++
		digits := end
		for end < len(line) && end < digits+3 && line[end] >= '0' && line[end] <= '9' {
			end++
		}
		if end == digits {
			return "", line
		}
	}
	text = strings.TrimLeft(line[end:], " \t\n\f\r")
	if text != "" && len(text) == len(line)-end {
		return "", line // it goes on
	}
	return line[:end], text
}

// address also finds the forms that bounce handlers write into URLs and sender addresses.
var address = regexp.MustCompile(`[^\s<>()\[\]",;:]+(?:@|%40|=40)[^\s<>()\[\]"',;:]+`)

// mayHaveAddress spares most replies, of which each message has four, the regular expression.
func mayHaveAddress(line string) bool {
	return strings.Contains(line, "@") || strings.Contains(line, "40") && (strings.Contains(line, "%40") || strings.Contains(line, "=40"))
}

// maxText is what is kept of a reply's text, in characters.
const maxText = 500

// NewReply joins a reply's lines, takes the enhanced code off each, and redacts addresses.
func NewReply(code int, lines []string) Reply {
	r := Reply{Code: code}
	for _, line := range lines {
		r.add(line)
	}
	return r.short()
}

// add adds a line to a reply.
func (r *Reply) add(line string) {
	code, line := cutEnhanced(line)
	if r.Enhanced == "" {
		r.Enhanced = code
	}
	if len(r.Text) > utf8.UTFMax*maxText {
		return
	}
	plain := plainText(line)
	if !plain {
		line = strings.Map(func(c rune) rune {
			if !unicode.IsPrint(c) {
				return ' '
			}
			return c
		}, strings.ToValidUTF8(line, "?"))
	}
	if mayHaveAddress(line) {
		line = address.ReplaceAllString(line, "[address]")
	}
	if !plain {
		line = strings.Join(strings.Fields(line), " ")
	}
	switch {
	case r.Text == "":
		r.Text = line
	case line != "":
		r.Text += " " + line
	}
}

// short is the reply with no more text than is kept.
func (r Reply) short() Reply {
	if len(r.Text) <= maxText {
		return r
	}
	if text := []rune(r.Text); len(text) > maxText {
		r.Text = string(append(text[:maxText-1], '…'))
	}
	return r
}

package mailer

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
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
func readReply(in *bufio.Reader) (Reply, error) {
	var lines []string
	code := 0
	for range maxReplyLines {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return Reply{}, fmt.Errorf("%w: line too long", errReply)
		}
		if err != nil {
			return Reply{}, err
		}
		number, text, last := replyLine(strings.TrimRight(string(line), "\r\n"))
		if number == 0 || code != 0 && number != code {
			return Reply{}, errReply
		}
		code, lines = number, append(lines, text)
		if last {
			return newReply(code, lines), nil
		}
	}
	return Reply{}, fmt.Errorf("%w: too many lines", errReply)
}

// replyLine takes "250-text" apart; the code is 0 if it isn't one.
func replyLine(line string) (code int, text string, last bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, "", false
	}
	for _, digit := range []byte(line[:3]) {
		if digit < '0' || digit > '9' {
			return 0, "", false
		}
		code = code*10 + int(digit-'0')
	}
	if len(line) == 3 {
		return code, "", true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false
	}
	return code, line[4:], line[3] == ' '
}

var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}(?:\s+|$)`)

// address also finds the forms that bounce handlers write into URLs and sender addresses.
var address = regexp.MustCompile(`[^\s<>()\[\]",;:]+(?:@|%40|=40)[^\s<>()\[\]"',;:]+`)

// mayBeEnhanced and plain spare most replies, of which each message has four, the regular expressions.
func mayBeEnhanced(line string) bool { return len(line) >= len("2.0.0") && line[1] == '.' }

func plain(line string) bool {
	return !strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' })
}

// maxText is what is kept of a reply's text, in characters.
const maxText = 500

// newReply joins a reply's lines, takes the enhanced code off each, and redacts addresses.
func newReply(code int, lines []string) Reply {
	r := Reply{Code: code}
	var words []string
	for _, line := range lines {
		if mayBeEnhanced(line) {
			if found := enhancedCode.FindString(line); found != "" {
				if r.Enhanced == "" {
					r.Enhanced = strings.TrimSpace(found)
				}
				line = line[len(found):]
			}
		}
		if !plain(line) {
			line = strings.Map(func(c rune) rune {
				if !unicode.IsPrint(c) {
					return ' '
				}
				return c
			}, strings.ToValidUTF8(line, "?"))
		}
		if strings.Contains(line, "@") || strings.Contains(line, "40") {
			line = address.ReplaceAllString(line, "[address]")
		}
		words = append(words, strings.Fields(line)...)
	}
	r.Text = strings.Join(words, " ")
	if text := []rune(r.Text); len(text) > maxText {
		r.Text = string(append(text[:maxText-1], '…'))
	}
	return r
}

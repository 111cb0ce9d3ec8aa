package mailer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// Limits in octets. A name can't be folded where it has no space, so it must leave a line under RFC 5322's 998.
const (
	maxName    = 256
	maxSubject = 998
	maxURL     = 900
)

// header is a draft's header values after every check; set is the only place that hands values to go-mail, and this file
// the only one to use its preformatted setters, which check nothing.
type header struct {
	messageID   string
	date        time.Time
	from, to    *mail.Address // as on the wire
	replyTo     *mail.Address // nil: none
	utf8        bool          // an address needs SMTPUTF8
	subject     string        // encoded
	listID      string        // empty for a notice
	unsubscribe string
	feedbackID  string // empty: none
}

func checkHeader(d Draft) (h header, err error) {
	if h.from, err = h.mailbox(d.From); err != nil {
		return h, fmt.Errorf("from: %w", err)
	}
	if h.to, err = h.mailbox(d.To); err != nil {
		return h, fmt.Errorf("to: %w", err)
	}
	if d.ReplyTo != "" {
		if h.replyTo, err = h.mailbox(Mailbox{Email: d.ReplyTo}); err != nil {
			return h, fmt.Errorf("reply-to: %w", err)
		}
	}
	h.messageID, h.date = d.MessageID, d.Date
	if err := checkOnce(d.MessageID, d.Date); err != nil {
		return h, err
	}
	if h.subject, err = checkSubject(d.Subject); err != nil {
		return h, err
	}
	if h.feedbackID = d.FeedbackID; d.FeedbackID != "" && !isFeedbackID(d.FeedbackID) {
		return h, fmt.Errorf("feedback-id: %w", ErrHeader)
	}
	if d.List == nil {
		return h, nil
	}
	return h, h.checkList(*d.List)
}

// checkOnce checks what each message has of its own.
func checkOnce(messageID string, date time.Time) error {
	if !isMessageID(messageID) {
		return fmt.Errorf("message-id: %w", ErrHeader)
	}
	if year := date.Year(); date.IsZero() || year < 1900 || year > 9999 {
		return fmt.Errorf("date: %w", ErrHeader)
	}
	return nil
}

// checkSubject gives the subject as it stands in the header, not yet folded.
func checkSubject(s string) (encoded string, err error) {
	if s, err = text(s, maxSubject); err != nil || s == "" {
		return "", fmt.Errorf("subject: %w", ErrHeader)
	}
	return string(appendEncoded(nil, s)), nil
}

func (h *header) mailbox(m Mailbox) (*mail.Address, error) {
	name, address, needsUTF8, err := checkMailbox(m)
	if err != nil {
		return nil, err
	}
	h.utf8 = h.utf8 || needsUTF8
	return &mail.Address{Name: name, Address: address}, nil
}

func checkMailbox(m Mailbox) (name, address string, needsUTF8 bool, err error) {
	if name, err = text(m.Name, maxName); err != nil {
		return "", "", false, fmt.Errorf("name: %w", err)
	}
	address, needsUTF8, err = wireAddress(m.Email)
	return name, address, needsUTF8, err
}

// checkList makes List-Id (RFC 2919 section 2) and List-Unsubscribe (RFC 2369 section 2, RFC 8058 section 3.1).
func (h *header) checkList(l List) error {
	if len(l.ID) > 255 || !hostName(l.ID) || !strings.Contains(l.ID, ".") {
		return fmt.Errorf("list-id: %w", ErrHeader)
	}
	name, err := text(l.Name, maxName)
	if err != nil {
		return fmt.Errorf("list-id: name: %w", err)
	}
	h.listID = "<" + l.ID + ">"
	if name != "" {
		h.listID = phrase(name) + " " + h.listID
	}
	if !oneClickURL(l.UnsubscribeURL) {
		return fmt.Errorf("list-unsubscribe: %w", ErrHeader)
	}
	h.unsubscribe = "<" + l.UnsubscribeURL + ">"
	return nil
}

// set hands all values to go-mail. One header goes out as it is, for a folded URL is no URL to some receivers; two would
// come in random order.
func (h *header) set(m *gomail.Msg) {
	m.SetMessageIDWithValue(h.messageID)
	m.SetDateWithValue(h.date)
	m.SetGenHeader(gomail.HeaderSubject, h.subject)
	m.FromMailAddress(h.from)
	m.ToMailAddress(h.to)
	if h.replyTo != nil {
		m.ReplyToMailAddress(h.replyTo)
	}
	if h.feedbackID != "" {
		m.SetGenHeader("Feedback-ID", h.feedbackID)
	}
	if h.listID == "" {
		m.SetGenHeader("Auto-Submitted", "auto-generated")
		return
	}
	m.SetGenHeader(gomail.HeaderPrecedence, "bulk")
	m.SetGenHeader("List-Id", h.listID)
	m.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	m.SetGenHeaderPreformatted(gomail.HeaderListUnsubscribe, h.unsubscribe)
}

// text is a subject or name fit for a header, runs of spaces made one.
func text(s string, limit int) (string, error) {
	switch {
	case len(s) > limit:
		return "", ErrHeader
	case plainText(s):
		return s, nil
	case !utf8.ValidString(s) || strings.ContainsFunc(s, breaks):
		return "", ErrHeader
	case s[0] != ' ' && s[len(s)-1] != ' ' && !strings.Contains(s, "  "):
		return s, nil
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " "), nil
}

// plainText tells of words in printable ASCII with one space between them: nothing in them needs a closer look.
func plainText(s string) bool {
	between := false // the octet before is part of a word
	for i := range len(s) {
		if b := s[i]; b < ' ' || b > '~' || b == ' ' && !between {
			return false
		}
		between = s[i] != ' '
	}
	return between || s == ""
}

// foldAt is how long go-mail lets header lines become before it folds them at a space.
const foldAt = gomail.MaxHeaderLength

// appendField appends a header field folded as go-mail folds it. In the value, which comes in pieces, no two spaces stand side
// by side.
func appendField(dst []byte, name string, value ...string) []byte {
	dst = append(append(dst, name...), ": "...)
	start := len(dst)
	for _, piece := range value {
		dst = append(dst, piece...)
	}
	return endField(dst, name, start)
}

// endField folds the field whose value is all from there, and ends its line.
func endField(dst []byte, name string, from int) []byte {
	room, word := foldAt-len(name)-4, from
	if room-(len(dst)-word) > 1 {
		return append(dst, "\r\n"...)
	}
	for word <= len(dst) {
		length := bytes.IndexByte(dst[word:], ' ')
		if length < 0 {
			length = len(dst) - word
		}
		if room-length <= 1 {
			dst = slices.Insert(dst, word-1, '\r', '\n') // the space before the word begins the next line
			word += 2
			room = foldAt - 3
		}
		room -= length + 1
		word += length + 1
	}
	return append(dst, "\r\n"...)
}

// breaks tells whether some program might take the character for the end of a line or a header.
func breaks(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isMessageID takes dot-atom "@" dot-atom (RFC 5322 section 3.6.4), short enough for one line.
func isMessageID(s string) bool {
	left, right, ok := strings.Cut(s, "@")
	return ok && len(s) <= 250 && ascii(s) && dotAtom(left) && dotAtom(right)
}

// isFeedbackID takes four fields of printable ASCII without spaces, the last of 5 to 15 characters, short enough for one
// line (Gmail's feedback loop).
func isFeedbackID(s string) bool {
	fields := strings.Split(s, ":")
	sender := len(fields[len(fields)-1])
	return len(fields) == 4 && sender >= 5 && sender <= 15 && len(s) <= 250 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F })
}

// oneClickURL is one https URI, or http on loopback, in characters that need no quoting inside "<>".
func oneClickURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(s) > maxURL {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F || strings.ContainsRune(`<>",\`, r) }) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

// loopback tells whether a host is this machine by its name or number alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// phrase writes a name as net/mail writes display names: quoted, or as encoded-words.
func phrase(name string) string {
	full := mail.Address{Name: name, Address: "a@b"}
	return strings.TrimSuffix(full.String(), " <a@b>")
}

// wordOctets of text make an encoded-word of 60 characters, so that the first fits beside the header's name within RFC
// 2047's 76.
const wordOctets = 36

// appendEncoded appends unstructured text (RFC 2047): as it is, if it is ASCII that no reader can take for an encoded-word and
// that can be folded; else as encoded-words with whole characters in each.
func appendEncoded(dst []byte, s string) []byte {
	if ascii(s) && !strings.Contains(s, "=?") && longestWord(s) <= 60 {
		return append(dst, s...)
	}
	for s != "" {
		end := 0
		for end < len(s) {
			_, size := utf8.DecodeRuneInString(s[end:])
			if end+size > wordOctets {
				break
			}
			end += size
		}
		dst = append(dst, "=?UTF-8?B?"...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s[:end]))
		dst = append(dst, "?="...)
		if s = s[end:]; s != "" {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// longestWord is how many octets stand between two spaces at most.
func longestWord(s string) (longest int) {
	word := 0
	for i := range len(s) {
		if word++; s[i] == ' ' {
			word = 0
		}
		longest = max(longest, word)
	}
	return longest
}

// appendPhrase appends a display name as net/mail writes it: quoted, or as encoded-words. Most names go without its detours.
func appendPhrase(dst []byte, name string) []byte {
	switch {
	case ascii(name) && !strings.ContainsAny(name, "\"\\"):
		return append(append(append(dst, '"'), name...), '"')
	case ascii(name) || strings.ContainsAny(name, "\"#$%&'(),.:;<>@[]^`{|}~"):
		return append(dst, phrase(name)...)
	}
	return appendWords(dst, name)
}

// appendWords appends text as encoded-words in Q encoding, of 75 octets at most and with whole characters in each.
func appendWords(dst []byte, s string) []byte {
	const most = 75 - len("=?utf-8?q?") - len("?=")
	dst = append(dst, "=?utf-8?q?"...)
	for start := len(dst); s != ""; {
		_, size := utf8.DecodeRuneInString(s)
		b, long := s[0], 3*size
		stands := b >= ' ' && b <= '~' && b != '=' && b != '?' && b != '_'
		if stands {
			long = 1
		}
		if len(dst)-start+long > most {
			dst = append(dst, "?= =?utf-8?q?"...)
			start = len(dst)
		}
		switch {
		case b == ' ':
			dst = append(dst, '_')
		case stands:
			dst = append(dst, b)
		default:
			for i := range size {
				dst = append(dst, '=', hexDigits[s[i]>>4], hexDigits[s[i]&0xF])
			}
		}
		s = s[size:]
	}
	return append(dst, "?="...)
}

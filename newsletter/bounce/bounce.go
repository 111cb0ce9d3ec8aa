// Package bounce reads what comes back by mail: reports that a message wasn't delivered (RFC 3464, and the texts of old mail
// servers), complaints (RFC 5965), automatic and ordinary answers. It parses, and does nothing else: it knows neither
// deliveries nor people, opens nothing, answers nothing and keeps nothing, so a crash leaves nothing of it. Whatever a message
// says is a stranger's word; whether it is believed is decided where the return path's MAC is looked at.
package bounce

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"pressrun/newsletter/mailer"
)

// MaxSize is how many octets a message may have to be read at all. Ours are far smaller, and reports of them too.
const MaxSize = 10 << 20

const (
	maxDepth = 10
	maxParts = 100
	maxPart  = 1 << 20 // octets of a part that are looked at
	maxPaths = 20      // addresses of one message that are looked at
)

// Kind is what a message in the mailbox of bounces is.
type Kind string

const (
	Failed    Kind = "failed"    // every recipient's Action is failed
	Passed    Kind = "passed"    // delayed, delivered, relayed or expanded: no bounce, but the message had left us
	Complaint Kind = "complaint" // abuse or opt-out
	Feedback  Kind = "feedback"  // of other types: not-spam, auth-failure and the like
	Auto      Kind = "auto"      // an automatic answer
	Answer    Kind = "answer"    // anything else, a person's above all
)

// Report is what one message says.
type Report struct {
	Kind  Kind
	Paths []string     // addresses that may be the return path of ours: where the message went first, then those quoted in it
	ID    string       // one for each report: a hash of its Message-ID, or of all of it
	Reply mailer.Reply // of Failed, redacted: of several, one that isn't about a missing mailbox if there is such
	// Recipients are whom it names as those that failed: others than ours where mail was passed on. None where it doesn't say.
	Recipients []string
	Original   Original
}

// Original is what a report quotes of our message's header; all may be empty.
type Original struct {
	MessageID   string // without angle brackets
	Unsubscribe string // what List-Unsubscribe points to
}

// Parse reads a message. It never fails: what can't be read is an Answer.
func Parse(raw []byte) Report {
	if len(raw) > MaxSize {
		return Report{Kind: Answer}
	}
	header, body := cutHeader(raw)
	f := parseFields(header)
	r := Report{Kind: Answer, ID: idOf(f, raw)}
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", "Cc"} {
		r.addPaths(f.all(name)...)
	}
	p := walk(f, body)
	switch {
	case p.status != nil:
		r.readStatus(p.status)
	case p.feedback != nil:
		r.readFeedback(p.feedback)
	default:
		r.readText(f, p.text)
	}
	if r.Kind == Answer && isAutomatic(f) {
		r.Kind = Auto
	}
	if p.original != nil {
		r.readOriginal(p.original)
	}
	return r
}

func idOf(f fields, raw []byte) string {
	sum := sha256.Sum256(raw)
	if id := f.get("Message-ID"); id != "" {
		sum = sha256.Sum256([]byte(id))
	}
	return hex.EncodeToString(sum[:16])
}

func (r *Report) addPaths(values ...string) {
	for _, value := range values {
		for _, word := range strings.FieldsFunc(value, func(c rune) bool { return c <= ' ' || strings.ContainsRune(`<>,;:"()[]`, c) }) {
			if strings.Contains(word, "@") && len(r.Paths) < maxPaths {
				r.Paths = append(r.Paths, word)
			}
		}
	}
}

// isAutomatic tells answers that no person wrote (RFC 3834 section 5, and what was there before it).
func isAutomatic(f fields) bool {
	if said := f.get("Auto-Submitted"); said != "" && !strings.EqualFold(word(said), "no") {
		return true
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond"} {
		if f.get(name) != "" {
			return true
		}
	}
	switch strings.ToLower(word(f.get("Precedence"))) {
	case "auto_reply", "bulk", "junk":
		return true
	}
	return false
}

// word is the first one of a field with parameters or comments.
func word(value string) string {
	value, _, _ = strings.Cut(value, ";")
	value, _, _ = strings.Cut(value, "(")
	return strings.TrimSpace(value)
}

// readOriginal reads what is quoted of our message's header.
func (r *Report) readOriginal(raw []byte) {
	header, _ := cutHeader(raw)
	f := parseFields(header)
	r.addPaths(f.all("Return-Path")...)
	r.Original.MessageID = strings.Trim(f.get("Message-ID"), "<> \t")
	link, _, _ := strings.Cut(f.get("List-Unsubscribe"), ",")
	r.Original.Unsubscribe = strings.Trim(link, "<> \t")
}

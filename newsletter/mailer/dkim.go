package mailer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// ErrUnsigned says that a message could not be signed and therefore must not leave.
var ErrUnsigned = errors.New("the message could not be signed")

// signed are the headers that a signature covers where the message has them: what a reader or a mailbox provider acts on.
var signed = []string{
	"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type",
	"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID",
}

// sealed are listed once more than they occur, so that nobody on the way can put a second one above ours (RFC 6376 section
// 8.15).
var sealed = []string{"From", "Subject", "To", "Date"}

// Handover is the last step of a message before the wire: headers that the relay wants, then our signatures. It holds no
// lock and no transaction and may be used by many goroutines.
type Handover struct {
	Kind   Kind
	Stream string         // Postmark's stream of issues; empty: its first broadcast stream
	Keys   func() Keyring // asked for each message, since keys are changed while we send; nil: the relay signs
	Always bool           // a message that none of the keys signs must not leave
}

// Finish returns the message with its bytes complete; its hash stays that of the bytes before. The error wraps ErrUnsigned,
// and then the message must not leave: once a domain has a key, none of its mail goes unsigned by accident.
func (h Handover) Finish(m Message) (Message, error) {
	body := append(h.Kind.headers(m, h.Stream), m.Bytes...)
	var keys []DKIMKey
	if h.Keys != nil && !h.Kind.Rebuilds {
		keys = h.Keys().For(m.Domain)
	}
	if len(keys) == 0 && h.Always {
		return Message{}, fmt.Errorf("no DKIM key for %s: %w", m.Domain, ErrUnsigned)
	}
	var top bytes.Buffer
	for _, key := range keys {
		line, err := key.sign(body, h.Kind.covered(body))
		if err != nil {
			return Message{}, fmt.Errorf("DKIM selector %s of %s: %w: %w", key.Selector, key.Domain, ErrUnsigned, err)
		}
		top.WriteString(line)
	}
	m.Bytes = append(top.Bytes(), body...)
	return m, nil
}

// covered is the h= of a message: what it has of the signed headers, and the sealed ones once more.
func (k Kind) covered(message []byte) []string {
	head, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	var names []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && line[0] != ' ' && line[0] != '\t' {
			names = append(names, strings.ToLower(name))
		}
	}
	var list []string
	for _, name := range signed {
		if !slices.Contains(k.Rewrites, name) && slices.Contains(names, strings.ToLower(name)) {
			list = append(list, name)
		}
	}
	for _, name := range sealed {
		if !slices.Contains(k.Rewrites, name) {
			list = append(list, name)
		}
	}
	return list
}

// sign makes the DKIM-Signature header (RFC 6376, RFC 8463): relaxed/relaxed, the whole body.
func (k DKIMKey) sign(message []byte, headers []string) (line string, err error) {
	if k.lost != nil {
		return "", k.lost
	}
	signer, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: k.Domain, Selector: k.Selector, Signer: k.signer, HeaderKeys: headers,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return "", err
	}
	_, err = signer.Write(message)
	if err := errors.Join(err, signer.Close()); err != nil {
		return "", err
	}
	return signer.Signature(), nil
}

package mailer

import (
	"errors"
	"fmt"
	"slices"
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
// and then the message is as it was and must not leave: once a domain has a key, none of its mail goes unsigned by accident. As
// with append, what is added may lie in the memory of the bytes that came, which are of no use afterwards.
func (h Handover) Finish(m Message) (Message, error) {
	var keys []DKIMKey
	if h.Keys != nil && !h.Kind.Rebuilds {
		keys = h.Keys().For(m.Domain)
	}
	if len(keys) == 0 && h.Always {
		return Message{}, fmt.Errorf("no DKIM key for %s: %w", m.Domain, ErrUnsigned)
	}
	if len(keys) > 0 && keys[0].Lost() != nil {
		return Message{}, fmt.Errorf("no DKIM key for %s to be had (%w): %w", keys[0].Domain, keys[0].Lost(), ErrUnsigned)
	}
	top := h.Kind.headers(m, h.Stream)
	if len(keys) == 0 && len(top) == 0 {
		return m, nil
	}
	if len(keys) > 0 {
		s := signers.Get().(*signer)
		defer signers.Put(s)
		s.read(top, m.Bytes, h.Kind)
		for _, key := range keys {
			if err := s.by(key); err != nil {
				return Message{}, fmt.Errorf("DKIM selector %s of %s: %w: %w", key.Selector, key.Domain, ErrUnsigned, err)
			}
		}
		top = append(s.lines, top...)
	}
	m.Bytes = slices.Insert(m.Bytes, 0, top...)
	return m, nil
}

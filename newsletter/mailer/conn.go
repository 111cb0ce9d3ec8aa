package mailer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// Conn is one connection, used by one goroutine, for one message after the other.
type Conn struct {
	wire     *wire
	session  *smtp.Client
	timeouts Timeouts
	open     *envelope // accepted, its content not sent yet
}

// envelope is what the relay agreed to take.
type envelope struct{ messageID, to string }

var (
	errNoEnvelope = errors.New("content without its accepted envelope")
	errUnasked    = errors.New("not what SMTP has here")
)

// Envelope sends MAIL, RCPT and DATA. Accepted means that the relay waits for the content and that it has nothing yet.
// After a refusal the transaction is reset and the connection goes on. After an error, always a *RelayError, only Close may
// follow: the Outcome is then Away, or the refusal if it was RSET that failed. A connection that the relay closed while it
// lay idle is found here, as Away.
func (c *Conn) Envelope(ctx context.Context, m Message) (Outcome, error) {
	if err := wellFormed(m); err != nil {
		return Outcome{State: Refused, Reply: Reply{Text: err.Error()}, Class: ClassContent}, nil
	}
	mail := "MAIL FROM:<" + m.From + ">"
	if m.SMTPUTF8 {
		if ok, _ := c.session.Extension("SMTPUTF8"); !ok {
			text := "the relay has no SMTPUTF8, which the address needs"
			return Outcome{State: Refused, Reply: Reply{Text: text}, Class: ClassUnsupported}, nil
		}
		if ok, _ := c.session.Extension("8BITMIME"); ok {
			mail += " BODY=8BITMIME" // the address stands in the header too
		}
		mail += " SMTPUTF8"
	}
	c.open = nil
	defer context.AfterFunc(ctx, func() { c.wire.Close() })()
	for _, step := range []struct {
		phase, command string
		timeout        time.Duration
		lowest, next   int // codes that go on
	}{
		{"mail", mail, c.timeouts.Command, 200, 300},
		{"rcpt", "RCPT TO:<" + m.To + ">", c.timeouts.Command, 200, 300},
		{"data", "DATA", c.timeouts.Data, 354, 355},
	} {
		reply, err := c.command(ctx, step.phase, step.command, step.timeout)
		switch {
		case err != nil:
			return Outcome{State: Away, Reply: reply}, err
		case reply.Code >= 400:
			return refusal(step.phase, reply), c.reset(ctx)
		case reply.Code < step.lowest || reply.Code >= step.next:
			return Outcome{State: Away, Reply: reply}, &RelayError{Phase: step.phase, Reply: reply, Err: errUnasked}
		}
	}
	c.open = &envelope{messageID: m.MessageID, to: m.To}
	return Outcome{State: Accepted}, nil
}

// reset ends a refused transaction, so that the next MAIL isn't out of order.
func (c *Conn) reset(ctx context.Context) error {
	reply, err := c.command(ctx, "rset", "RSET", c.timeouts.Command)
	if err == nil && reply.Code >= 300 {
		err = &RelayError{Phase: "rset", Reply: reply}
	}
	return err
}

// command sends one line and reads its reply. The error is a *RelayError; a 421 is one, whatever it answers (RFC 5321
// section 3.8).
func (c *Conn) command(ctx context.Context, phase, line string, timeout time.Duration) (Reply, error) {
	if c.session.Text.R.Buffered() > 0 {
		// A farewell, most likely: it says why better than the broken connection would.
		reply, err := readReply(c.session.Text.R)
		return reply, c.fail(ctx, phase, reply, errors.Join(errUnasked, err))
	}
	if err := c.session.UpdateDeadline(timeout); err != nil {
		return Reply{}, c.fail(ctx, phase, Reply{}, err)
	}
	if err := c.write([]byte(line + "\r\n")); err != nil {
		return Reply{}, c.fail(ctx, phase, Reply{}, err)
	}
	reply, err := readReply(c.session.Text.R)
	if err != nil || reply.Code == 421 {
		return reply, c.fail(ctx, phase, reply, err)
	}
	return reply, nil
}

// write puts all of p into one write of the socket. An error means that at least the last octet did not leave.
func (c *Conn) write(p []byte) error {
	if _, err := c.session.Text.W.Write(p); err != nil {
		return err
	}
	return c.session.Text.W.Flush()
}

// Content hands over the bytes and the final dot in one go and reads the reply. An error after the first octet was
// written comes with an Outcome whose State is Unknown (the last octet may have left) or Cut (it surely has not); before
// that it is Away. Deferred by a 421 comes with an error too, since the relay hangs up after it, and is believed. Errors
// are *RelayErrors, and only Close may follow them.
func (c *Conn) Content(ctx context.Context, m Message) (Outcome, error) {
	if c.open == nil || *c.open != (envelope{m.MessageID, m.To}) {
		return Outcome{State: Away}, &RelayError{Phase: "content", Err: errNoEnvelope}
	}
	c.open = nil
	defer context.AfterFunc(ctx, func() { c.wire.Close() })()
	if c.session.Text.R.Buffered() > 0 {
		// Taken for the reply to the content, it would settle a message that nobody has.
		reply, err := readReply(c.session.Text.R)
		return Outcome{State: Away, Reply: reply}, c.fail(ctx, "content", reply, errors.Join(errUnasked, err))
	}
	err := ctx.Err()
	if err == nil {
		err = c.session.UpdateDeadline(c.timeouts.Content)
	}
	if err != nil {
		return Outcome{State: Away}, c.fail(ctx, "content", Reply{}, err)
	}
	if err := c.write(stuff(m.Bytes)); err != nil {
		return Outcome{State: Cut}, c.fail(ctx, "content", Reply{}, err)
	}
	if err := c.session.UpdateDeadline(c.timeouts.Content); err != nil {
		return Outcome{State: Unknown}, c.fail(ctx, "content", Reply{}, err)
	}
	reply, err := readReply(c.session.Text.R)
	switch {
	case err != nil:
		return Outcome{State: Unknown}, c.fail(ctx, "content", Reply{}, err)
	case reply.Code == 421:
		return refusal("content", reply), c.fail(ctx, "content", reply, nil)
	case reply.Code >= 400:
		return refusal("content", reply), nil
	case reply.Code >= 300:
		return Outcome{State: Unknown, Reply: reply}, c.fail(ctx, "content", reply, errUnasked)
	}
	return Outcome{State: Accepted, Reply: reply}, nil
}

// fail makes the error after which the connection is of no more use.
func (c *Conn) fail(ctx context.Context, phase string, reply Reply, err error) error {
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return &RelayError{Phase: phase, Reply: reply, Err: err}
}

// quitTimeout is how long a relay may take to say goodbye.
const quitTimeout = 5 * time.Second

// Quit says QUIT and closes; what the relay answers changes nothing. The error is that of closing.
func (c *Conn) Quit(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.wire.Close() })()
	if c.open == nil { // else QUIT would be content
		_, _ = c.command(ctx, "quit", "QUIT", min(quitTimeout, c.timeouts.Command))
	}
	return c.Close()
}

// Close closes the socket at once and never writes a dot. It is safe to call twice.
func (c *Conn) Close() error { return c.wire.Close() }

// stuff makes content ready for the wire: dots doubled at line starts, and the final dot (RFC 5321 section 4.5.2).
func stuff(content []byte) []byte {
	out := make([]byte, 0, len(content)+len(content)/64+8)
	if bytes.HasPrefix(content, []byte(".")) {
		out = append(out, '.')
	}
	for {
		end := bytes.Index(content, []byte("\r\n."))
		if end < 0 {
			break
		}
		out = append(append(out, content[:end+3]...), '.')
		content = content[end+3:]
	}
	return append(append(out, content...), ".\r\n"...)
}

// wellFormed refuses what would say more than one message: addresses that end the command, bare CR or LF that some relay
// takes for a line end (RFC 5321 section 2.3.8), content that doesn't end its last line.
func wellFormed(m Message) error {
	for _, address := range []string{m.From, m.To} {
		if strings.ContainsFunc(address, func(r rune) bool { return breaks(r) || r == ' ' || r == '<' || r == '>' }) {
			return fmt.Errorf("envelope: %w", ErrAddress)
		}
	}
	if m.To == "" {
		return fmt.Errorf("envelope: %w", ErrAddress)
	}
	if !bytes.HasSuffix(m.Bytes, []byte("\r\n")) {
		return errors.New("content does not end with a line end")
	}
	lines := bytes.Count(m.Bytes, []byte("\r\n"))
	if bytes.Count(m.Bytes, []byte("\r")) != lines || bytes.Count(m.Bytes, []byte("\n")) != lines {
		return errors.New("content has a bare CR or LF")
	}
	return nil
}

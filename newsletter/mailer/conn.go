package mailer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// Conn is one connection, used by one goroutine, for one message after the other. It does what the relay offers: with
// PIPELINING (RFC 2920) a message's content and the next one's envelope are one write, so that a message costs one round
// trip; with CHUNKING (RFC 3030) the content goes by BDAT, whose length stands before it: nothing in it can end it, no 354
// binds us to send it, and what breaks off inside it is no message. Else each command waits for its reply.
type Conn struct {
	wire     *wire
	session  *smtp.Client
	timeouts Timeouts
	offers   offers
	steps    []step    // of an envelope
	open     Message   // its envelope is accepted, its content not sent yet; To is empty: none
	ahead    Message   // its envelope is written, the replies not read yet; likewise
	unclear  bool      // a BDAT was refused: its transaction may still be open
	spoilt   bool      // after an error: the relay and we are out of step
	out      []byte    // of one write; kept for the next
	deadline time.Time // of the socket
	watches  []*watch
}

// offers are the extensions in the relay's EHLO that change what we say.
type offers struct{ pipelining, chunking, size, dsn, smtputf8, eightBit bool }

func newConn(line *wire, session *smtp.Client, timeouts Timeouts) *Conn {
	c := &Conn{wire: line, session: session, timeouts: timeouts}
	for name, offered := range map[string]*bool{
		"PIPELINING": &c.offers.pipelining, "CHUNKING": &c.offers.chunking, "SIZE": &c.offers.size,
		"DSN": &c.offers.dsn, "SMTPUTF8": &c.offers.smtputf8, "8BITMIME": &c.offers.eightBit,
	} {
		*offered, _ = session.Extension(name)
	}
	c.steps = []step{{"mail", timeouts.Command, 200, 300}, {"rcpt", timeouts.Command, 200, 300}}
	if !c.offers.chunking {
		c.steps = append(c.steps, step{"data", timeouts.Data, 354, 355})
	}
	return c
}

var (
	errNoEnvelope = errors.New("content without its accepted envelope")
	errOther      = errors.New("the envelope of another message was sent ahead")
	errUnasked    = errors.New("not what SMTP has here")
	errWaiting    = errors.New("the relay waits for content, and gets none")
)

// Envelope offers a message, or reads what the relay answered if Content sent its envelope ahead. Accepted means that the
// relay will take the content and that it has nothing yet; the message's Bytes must stay as they are until Content has
// returned. After a refusal the transaction is reset and the connection goes on. After an error, always a *RelayError, only
// Close may follow: the Outcome is then Away, or the refusal if what failed came after it. A connection that the relay closed
// while it lay idle is found here, as Away.
func (c *Conn) Envelope(ctx context.Context, m Message) (Outcome, error) {
	written := c.ahead.To != ""
	other := written && (c.ahead.MessageID != m.MessageID || c.ahead.To != m.To)
	c.open, c.ahead = Message{}, Message{}
	if other {
		return Outcome{State: Away}, c.fail(ctx, "mail", Reply{}, errOther)
	}
	if !written {
		if refused := c.unsendable(&m); refused.State != "" {
			return refused, nil
		}
	}
	defer c.under(ctx).leave()
	if c.unclear {
		if err := c.clear(ctx, written); err != nil {
			return Outcome{State: Away}, err
		}
		written = false
	}
	out, err := c.offer(ctx, &m, written)
	if err == nil && out.State != Accepted {
		err = c.reset(ctx)
	}
	if err == nil && out.State == Accepted {
		c.open = m
	}
	return out, err
}

// clear ends a transaction that a refused BDAT may have left open, and takes back the envelope that was sent behind it, if one was:
// the relay may have read that as out of order.
func (c *Conn) clear(ctx context.Context, ahead bool) error {
	if ahead {
		for _, s := range c.steps {
			if _, err := c.reply(ctx, s.phase, s.timeout); err != nil {
				return err
			}
		}
	}
	c.unclear = false
	return c.reset(ctx)
}

// offer goes through the commands of an envelope; written says that they are on their way already. The first refusal is the
// outcome. All replies are read even so, and where the relay then asks for content, the error says that nothing but closing
// may follow: a dot would be an empty message (RFC 2920 section 3.1).
func (c *Conn) offer(ctx context.Context, m *Message, written bool) (Outcome, error) {
	if c.offers.pipelining && !written {
		c.out = c.appendEnvelope(c.out[:0], m)
		if err := c.say(ctx, c.steps[0].phase, c.out); err != nil {
			return c.farewell(err), err
		}
		written = true
	}
	out := Outcome{State: Accepted}
	for _, s := range c.steps {
		if !written {
			if out.State != Accepted {
				return out, nil
			}
			c.out = c.appendCommand(c.out[:0], s.phase, m)
			if err := c.say(ctx, s.phase, c.out); err != nil {
				return c.farewell(err), err
			}
		}
		reply, err := c.reply(ctx, s.phase, s.timeout)
		good := reply.Code >= s.lowest && reply.Code < s.next
		switch {
		case out.State != Accepted && err == nil && reply.Code == 354:
			err = c.fail(ctx, s.phase, reply, errWaiting)
		case err == nil && reply.Code < 400 && !good && out.State == Accepted:
			err = c.fail(ctx, s.phase, reply, errUnasked)
		}
		switch {
		case err != nil && out.State == Accepted:
			return Outcome{State: Away, Reply: reply}, err
		case err != nil:
			return out, err
		case reply.Code >= 400 && out.State == Accepted:
			out = refusal(s.phase, reply)
		}
	}
	return out, nil
}

// farewell is the outcome of a command that could not be said.
func (c *Conn) farewell(err error) Outcome {
	out := Outcome{State: Away}
	var relay *RelayError
	if errors.As(err, &relay) {
		out.Reply = relay.Reply
	}
	return out
}

// step is one command of those that come before a message's content: with BDAT, DATA is not among them.
type step struct {
	phase        string
	timeout      time.Duration
	lowest, next int // codes that go on
}

// appendEnvelope appends all commands of a message's envelope.
func (c *Conn) appendEnvelope(out []byte, m *Message) []byte {
	for _, s := range c.steps {
		out = c.appendCommand(out, s.phase, m)
	}
	return out
}

func (c *Conn) appendCommand(out []byte, phase string, m *Message) []byte {
	switch phase {
	case "mail":
		return c.appendMail(out, m)
	case "data":
		return append(out, "DATA\r\n"...)
	}
	out = append(append(append(out, "RCPT TO:<"...), m.To...), '>')
	if c.offers.dsn {
		out = append(out, " NOTIFY=FAILURE"...)
	}
	return append(out, "\r\n"...)
}

// appendMail appends MAIL with the parameters that the relay offers and the message needs. ENVID is the Message-ID's left part, which
// names the delivery and says nothing about the person (RFC 3461 section 4.4; its letters and digits are xtext as they are).
func (c *Conn) appendMail(out []byte, m *Message) []byte {
	out = append(append(append(out, "MAIL FROM:<"...), m.From...), '>')
	if c.offers.size {
		out = strconv.AppendInt(append(out, " SIZE="...), int64(len(m.Bytes)), 10)
	}
	if m.SMTPUTF8 {
		if c.offers.eightBit {
			out = append(out, " BODY=8BITMIME"...) // the address stands in the header too
		}
		out = append(out, " SMTPUTF8"...)
	}
	if c.offers.dsn {
		out = append(out, " RET=HDRS"...)
		if id, _, _ := strings.Cut(m.MessageID, "@"); xtext(id) {
			out = append(append(out, " ENVID="...), id...)
		}
	}
	return append(out, "\r\n"...)
}

// xtext tells what needs no escape in xtext and is no longer than an ENVID may be.
func xtext(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' || r == '+' || r == '=' })
}

// unsendable refuses what this relay can't be offered; its State is empty for all else.
func (c *Conn) unsendable(m *Message) Outcome {
	if err := wellFormed(m); err != nil {
		return Outcome{State: Refused, Reply: Reply{Text: err.Error()}, Class: ClassContent}
	}
	if m.SMTPUTF8 && !c.offers.smtputf8 {
		text := "the relay has no SMTPUTF8, which the address needs"
		return Outcome{State: Refused, Reply: Reply{Text: text}, Class: ClassUnsupported}
	}
	return Outcome{}
}

// reset ends a refused transaction, so that the next MAIL isn't out of order.
func (c *Conn) reset(ctx context.Context) error {
	reply, err := c.command(ctx, "rset", "RSET\r\n", c.timeouts.Command)
	if err == nil && reply.Code >= 300 {
		err = &RelayError{Phase: "rset", Reply: reply}
	}
	return err
}

// command says one line and reads its reply.
func (c *Conn) command(ctx context.Context, phase, line string, timeout time.Duration) (Reply, error) {
	if err := c.say(ctx, phase, []byte(line)); err != nil {
		return Reply{}, err
	}
	return c.reply(ctx, phase, timeout)
}

// say writes commands where no reply is outstanding. The error is a *RelayError.
func (c *Conn) say(ctx context.Context, phase string, commands []byte) error {
	if c.session.Text.R.Buffered() > 0 {
		// A farewell, most likely: it says why better than the broken connection would.
		reply, err := readReply(c.session.Text.R)
		return c.fail(ctx, phase, reply, errors.Join(errUnasked, err))
	}
	err := c.allow(c.timeouts.Command)
	if err == nil {
		_, err = c.write(commands)
	}
	if err != nil {
		return c.fail(ctx, phase, Reply{}, err)
	}
	return nil
}

// reply reads one reply, for as long as its command's timeout. The error is a *RelayError; a 421 is one, whatever it
// answers (RFC 5321 section 3.8).
func (c *Conn) reply(ctx context.Context, phase string, timeout time.Duration) (Reply, error) {
	reply, err := c.listen(timeout)
	if err != nil || reply.Code == 421 {
		return reply, c.fail(ctx, phase, reply, err)
	}
	return reply, nil
}

// listen reads one reply, for so long.
func (c *Conn) listen(timeout time.Duration) (Reply, error) {
	if in := c.session.Text.R; !waits(in) {
		if err := c.allow(timeout); err != nil {
			return Reply{}, err
		}
	}
	return readReply(c.session.Text.R)
}

// allow gives the socket so long from now, or up to a 64th longer: a deadline costs more than most replies and can often stay.
func (c *Conn) allow(timeout time.Duration) error {
	now := time.Now()
	if left := c.deadline.Sub(now); left >= timeout && left <= timeout+timeout/64 {
		return nil
	}
	c.deadline = now.Add(timeout + timeout/64)
	return c.wire.SetDeadline(c.deadline)
}

// write puts all of p into one write of the socket. Of what is not among the written octets nothing has left, or under TLS
// nothing that can be read.
func (c *Conn) write(p []byte) (written int, err error) {
	out := c.session.Text.W
	if written, err = out.Write(p); err == nil {
		err = out.Flush()
		written -= out.Buffered()
	}
	return written, err
}

// Content hands over the message whose Envelope was accepted and whose mark is committed, and reads the reply. next, if any,
// is the message that comes after it: where the relay takes it so, its envelope goes out in the same write, and Envelope with
// that very message must be the next call. An error after the first octet was written comes with an Outcome whose State is
// Unknown (the last octet may have left) or Cut (it surely has not); before that it is Away. Deferred by a 421 comes with an
// error too, since the relay hangs up after it, and is believed. Errors are *RelayErrors, and only Close may follow them.
func (c *Conn) Content(ctx context.Context, next *Message) (Outcome, error) {
	if c.open.To == "" {
		return Outcome{State: Away}, &RelayError{Phase: "content", Err: errNoEnvelope}
	}
	defer c.under(ctx).leave()
	m := c.open
	c.open = Message{}
	if c.session.Text.R.Buffered() > 0 {
		// Taken for the reply to the content, it would settle a message that nobody has.
		reply, err := readReply(c.session.Text.R)
		return Outcome{State: Away, Reply: reply}, c.fail(ctx, "content", reply, errors.Join(errUnasked, err))
	}
	err := ctx.Err()
	if err == nil {
		err = c.allow(c.timeouts.Content)
	}
	if err != nil {
		return Outcome{State: Away}, c.fail(ctx, "content", Reply{}, err)
	}
	c.out = c.appendContent(c.out[:0], &m)
	whole := len(c.out)
	if next != nil && c.offers.pipelining && c.unsendable(next).State == "" {
		c.out = c.appendEnvelope(c.out, next)
		c.ahead = *next
	}
	if written, err := c.write(c.out); err != nil {
		state := Unknown
		if written < whole {
			state = Cut
		}
		return Outcome{State: state}, c.fail(ctx, "content", Reply{}, err)
	}
	out, err := c.verdict(ctx)
	if err == nil && out.State != Accepted {
		c.unclear = c.offers.chunking
	}
	return out, err
}

// appendContent appends what brings a message's content: the bytes and the final dot, or BDAT with them.
func (c *Conn) appendContent(out []byte, m *Message) []byte {
	switch {
	case !c.offers.chunking && m.clean:
		return append(append(out, m.Bytes...), ".\r\n"...)
	case !c.offers.chunking:
		return stuff(out, m.Bytes)
	}
	out = append(out, "BDAT "...)
	out = strconv.AppendInt(out, int64(len(m.Bytes)), 10)
	return append(append(out, " LAST\r\n"...), m.Bytes...)
}

// verdict reads the reply to a content.
func (c *Conn) verdict(ctx context.Context) (Outcome, error) {
	reply, err := c.listen(c.timeouts.Content)
	switch {
	case err != nil:
		return Outcome{State: Unknown}, c.fail(ctx, "content", Reply{}, err)
	case reply.Code == 421, c.offers.chunking && reply.Code >= 500 && reply.Code <= 504 && reply.Code != 503:
		// A relay that knows no BDAT, for all that it offers it, reads the content as commands: no more of it.
		return refusal("content", reply), c.fail(ctx, "content", reply, nil)
	case reply.Code >= 400:
		return refusal("content", reply), nil
	case reply.Code >= 300:
		return Outcome{State: Unknown, Reply: reply}, c.fail(ctx, "content", reply, errUnasked)
	}
	return Outcome{State: Accepted, Reply: reply}, nil
}

// Drop ends the transaction of an accepted envelope whose content is not to leave. Where the relay has said 354 only the end
// of the connection can do that: then, as after any error, only Close may follow.
func (c *Conn) Drop(ctx context.Context) error {
	if c.open.To == "" {
		return nil
	}
	c.open = Message{}
	if !c.offers.chunking {
		return errors.Join(c.fail(ctx, "data", Reply{}, errWaiting), c.Close())
	}
	defer c.under(ctx).leave()
	return c.reset(ctx)
}

// fail makes the error after which the connection is of no more use.
func (c *Conn) fail(ctx context.Context, phase string, reply Reply, err error) error {
	c.ahead, c.spoilt = Message{}, true
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return &RelayError{Phase: phase, Reply: reply, Err: err}
}

// quitTimeout is how long a relay may take to say goodbye.
const quitTimeout = 5 * time.Second

// Quit says QUIT and closes; what the relay answers changes nothing. The error is that of closing.
func (c *Conn) Quit(ctx context.Context) error {
	defer c.under(ctx).leave()
	if !c.spoilt && c.ahead.To == "" && (c.open.To == "" || c.offers.chunking) { // else QUIT would be content, or out of turn
		_, _ = c.command(ctx, "quit", "QUIT\r\n", min(quitTimeout, c.timeouts.Command))
	}
	return c.Close()
}

// Close closes the socket at once and never writes a dot. It is safe to call twice.
func (c *Conn) Close() error {
	for _, w := range c.watches {
		w.stop()
	}
	c.watches = nil
	return c.wire.Close()
}

// watch closes the socket when a context ends, if a call is at work under it then. Calls share a few contexts, and asking each of
// them anew costs more than what is done under it.
type watch struct {
	done   <-chan struct{} // of the context
	atWork atomic.Bool
	stop   func() bool
}

// mostWatches is of how many contexts we want to be told.
const mostWatches = 2

// under begins a call under a context. It ends with leave.
func (c *Conn) under(ctx context.Context) *watch {
	w := c.watch(ctx)
	w.atWork.Store(true)
	if ctx.Err() != nil { // perhaps told when nothing was at work
		c.wire.Close()
	}
	return w
}

func (c *Conn) watch(ctx context.Context) *watch {
	for _, w := range c.watches {
		if w.done == ctx.Done() {
			return w
		}
	}
	if len(c.watches) == mostWatches {
		c.watches[0].stop()
		c.watches = slices.Delete(c.watches, 0, 1)
	}
	w := &watch{done: ctx.Done()}
	w.stop = context.AfterFunc(ctx, func() {
		if w.atWork.Load() {
			c.wire.Close()
		}
	})
	c.watches = append(c.watches, w)
	return w
}

func (w *watch) leave() { w.atWork.Store(false) }

// stuff appends content ready for the wire: dots doubled at line starts, and the final dot (RFC 5321 section 4.5.2).
func stuff(out, content []byte) []byte {
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
func wellFormed(m *Message) error {
	for _, address := range []string{m.From, m.To} {
		if strings.ContainsFunc(address, func(r rune) bool { return breaks(r) || r == ' ' || r == '<' || r == '>' }) {
			return fmt.Errorf("envelope: %w", ErrAddress)
		}
	}
	if m.To == "" {
		return fmt.Errorf("envelope: %w", ErrAddress)
	}
	if m.clean {
		return nil
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

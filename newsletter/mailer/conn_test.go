package mailer_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
)

// fault is what a relay does at a point, and what must come of it there.
type fault struct {
	name   string
	script func(*smtptest.Rule)
	before verdict // at MAIL, RCPT or DATA
	after  verdict // at the content
}

type verdict struct {
	state mailer.OutcomeState
	class mailer.Class
	code  int
	err   bool
}

func faults() []fault {
	reply := func(line string) func(*smtptest.Rule) { return func(r *smtptest.Rule) { r.Reply(line) } }
	both := func(name string, script func(*smtptest.Rule), v verdict) fault { return fault{name, script, v, v} }
	lost := func(name string, script func(*smtptest.Rule)) fault {
		return fault{name, script, verdict{state: mailer.Away, err: true}, verdict{state: mailer.Unknown, err: true}}
	}
	return []fault{
		both("451", reply("451 4.3.0 later"), verdict{mailer.Deferred, mailer.ClassTransient, 451, false}),
		both("452 of two lines", reply("452-4.2.2 the mailbox\r\n452 4.2.2 is full"), verdict{mailer.Deferred, mailer.ClassMailbox, 452, false}),
		both("550", reply("550 5.1.1 no such user"), verdict{mailer.Refused, mailer.ClassDead, 550, false}),
		both("554 without text", reply("554"), verdict{mailer.Refused, mailer.ClassMailbox, 554, false}),
		{
			"421", reply("421 4.3.2 shutting down"),
			verdict{mailer.Away, "", 421, true},
			verdict{mailer.Deferred, mailer.ClassTransient, 421, true},
		},
		lost("hangs up", func(r *smtptest.Rule) { r.Drop(false) }),
		lost("never answers", func(r *smtptest.Rule) { r.Silent() }),
		lost("no reply", reply("hello?")),
		lost("short reply", reply("25")),
		lost("unknown code", reply("650 what")),
		lost("codes differ", reply("250-one\r\n550 two")),
		lost("half a reply", func(r *smtptest.Rule) { r.Reply("250-one").Drop(true) }),
		lost("endless line", reply("250 "+strings.Repeat("x", 10<<20))),
		lost("endless lines", reply(strings.Repeat("250-x\r\n", 1<<20)+"250 x")),
		{
			"go on where nothing is to go on", reply("334 go on"),
			verdict{mailer.Away, "", 334, true},
			verdict{mailer.Unknown, "", 334, true},
		},
	}
}

func check(t *testing.T, got mailer.Outcome, err error, want verdict) {
	t.Helper()
	if got.State != want.state || got.Class != want.class || got.Reply.Code != want.code || (err != nil) != want.err {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	var relayErr *mailer.RelayError
	if err != nil && !errors.As(err, &relayErr) {
		t.Errorf("got error %v of type %T, want a *RelayError", err, err)
	}
}

// manners are the ways in which a connection may go, by what the relay offers.
var manners = []struct {
	name    string
	options []smtptest.Option
	ahead   bool // the next envelope travels with the content
	bdat    bool
}{
	{"lockstep", []smtptest.Option{smtptest.WithExtensions("ENHANCEDSTATUSCODES")}, false, false},
	{"pipelined", nil, true, false},
	{"pipelined, replies merged", []smtptest.Option{smtptest.WithMergedReplies()}, true, false},
	{"pipelined, replies in octets", []smtptest.Option{smtptest.WithSplitReplies(1)}, true, false},
	{"pipelined in TLS", []smtptest.Option{smtptest.WithTLS(true)}, true, false},
	{"BDAT", []smtptest.Option{smtptest.WithExtensions("CHUNKING", "ENHANCEDSTATUSCODES")}, false, true},
	{"BDAT, pipelined", []smtptest.Option{smtptest.WithExtensions("CHUNKING", "PIPELINING", "ENHANCEDSTATUSCODES"), smtptest.WithMergedReplies()}, true, true},
}

func kindOf(manner string) mailer.TLS {
	if strings.HasSuffix(manner, "TLS") {
		return mailer.Implicit
	}
	return mailer.NoTLS
}

// TestEveryFaultAtEveryPoint breaks the first, or the second, of three messages on one connection, in every manner.
func TestEveryFaultAtEveryPoint(t *testing.T) {
	all := faults()
	for _, manner := range manners {
		for _, point := range []string{"MAIL", "RCPT", "DATA", "content"} {
			if point == "DATA" && manner.bdat {
				continue
			}
			for _, f := range all {
				for broken := range 2 {
					t.Run(fmt.Sprintf("%s %s %d %s", manner.name, point, broken+1, f.name), func(t *testing.T) {
						t.Parallel()
						srv := smtptest.New(t, manner.options...)
						if broken > 0 {
							srv.At(point).Times(broken)
						}
						f.script(srv.At(point).Times(1))
						r := relay(srv, kindOf(manner.name))
						if f.name == "never answers" {
							r.Timeouts = map[string]mailer.Timeouts{
								"MAIL": {Command: short}, "RCPT": {Command: short}, "DATA": {Data: short}, "content": {Content: short},
							}[point]
						}
						playFault(t, srv, connect(t, r), point, broken, f)
					})
				}
			}
		}
	}
}

// three are messages of one connection.
func three(t *testing.T) (all [3]mailer.Message) {
	for i := range all {
		d := draft()
		d.MessageID = fmt.Sprintf("m%d@news.example.org", i)
		all[i] = compose(t, d)
	}
	return all
}

// handmade is a message to and from the same that nobody composed.
func handmade(m mailer.Message, content string) mailer.Message {
	return mailer.Message{MessageID: m.MessageID, From: m.From, To: m.To, Bytes: []byte(content)}
}

// playFault sends three messages, each envelope with the content before it, and looks at the broken one.
func playFault(t *testing.T, srv *smtptest.Server, c *mailer.Conn, point string, broken int, f fault) {
	all := three(t)
	want := f.before
	switch {
	case point == "content":
		want = f.after
	case point == "MAIL" && want.class == mailer.ClassMailbox && want.state == mailer.Deferred: // MAIL says nothing about a recipient
		want.class = mailer.ClassTransient
	case point == "MAIL" && (want.class == mailer.ClassMailbox || want.class == mailer.ClassDead):
		want.class = mailer.ClassConfig
	}
	for i, m := range all {
		got, err := c.Envelope(t.Context(), m)
		if i == broken && point != "content" {
			check(t, got, err, want)
		} else if err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope %d: got %+v, %v, want accepted", i+1, got, err)
		}
		if err == nil && got.State == mailer.Accepted {
			var next *mailer.Message
			if i < 2 {
				next = &all[i+1]
			}
			got, err = c.Content(t.Context(), next)
			if i == broken && point == "content" {
				check(t, got, err, want)
			} else if err != nil || got.State != mailer.Accepted {
				t.Fatalf("content %d: got %+v, %v, want accepted", i+1, got, err)
			}
		}
		if n := copies(srv, m.MessageID); got.State != mailer.Unknown && (n == 1) != (got.State == mailer.Accepted) || n > 1 {
			t.Errorf("message %d: got %s, and the relay has %d", i+1, got.State, n)
		}
		if err != nil {
			closesQuietly(t, srv, c)
			return
		}
	}
	if n := srv.Connections(); n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
}

// copies counts how often the relay has a message.
func copies(srv *smtptest.Server, messageID string) (n int) {
	for _, m := range srv.Messages() {
		if m.MessageID == messageID {
			n++
		}
	}
	return n
}

func closesQuietly(t *testing.T, srv *smtptest.Server, c *mailer.Conn) {
	t.Helper()
	taken := len(srv.Messages())
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if now := len(srv.Messages()); now != taken {
		t.Errorf("closing delivered something: %d messages, before %d", now, taken)
	}
}

// TestCutBetweenAnyTwoOctets breaks the line after each octet of either direction: what is called accepted is there, what is
// called anything but unknown is not, and nothing is there twice or in part.
func TestCutBetweenAnyTwoOctets(t *testing.T) {
	for _, manner := range manners {
		if kindOf(manner.name) != mailer.NoTLS || strings.Contains(manner.name, "octets") {
			continue // TLS: the octets are not those of SMTP
		}
		for _, direction := range []string{"said", "heard"} {
			t.Run(manner.name+" "+direction, func(t *testing.T) {
				t.Parallel()
				all := three(t)
				for i, m := range all {
					all[i] = handmade(m, "Message-ID: <"+m.MessageID+">\r\n\r\n.\r\nhello\r\n")
				}
				outcomes := map[mailer.OutcomeState]int{}
				for octets, whole := 0, false; !whole; octets++ {
					if octets > 10_000 {
						t.Fatal("the line breaks all the same")
					}
					srv := smtptest.New(t, manner.options...)
					if direction == "said" {
						srv.CutAfter(octets, -1)
					} else {
						srv.CutAfter(-1, octets)
					}
					var got []mailer.OutcomeState
					got, whole = playCut(t, srv, all)
					for i, state := range got {
						outcomes[state]++
						n := copies(srv, all[i].MessageID)
						if state == mailer.Accepted && n != 1 || state != mailer.Accepted && state != mailer.Unknown && n != 0 || n > 1 {
							t.Errorf("cut after %d octets: message %d is %s, and the relay has %d", octets, i+1, state, n)
						}
					}
					for _, m := range srv.Messages() {
						if !bytes.HasSuffix(m.Data, []byte("hello\r\n")) {
							t.Errorf("cut after %d octets: the relay has %q", octets, m.Data)
						}
					}
				}
				for _, state := range []mailer.OutcomeState{mailer.Accepted, mailer.Away, mailer.Unknown} {
					if outcomes[state] == 0 {
						t.Errorf("got no outcome %s among %v", state, outcomes)
					}
				}
			})
		}
	}
}

// playCut sends messages over one connection until it breaks. whole says that it didn't.
func playCut(t *testing.T, srv *smtptest.Server, all [3]mailer.Message) (got []mailer.OutcomeState, whole bool) {
	c, err := relay(srv, mailer.NoTLS).Connect(t.Context())
	if err != nil {
		return nil, false
	}
	defer c.Close()
	for i, m := range all {
		out, err := c.Envelope(t.Context(), m)
		if err == nil && out.State == mailer.Accepted {
			var next *mailer.Message
			if i < 2 {
				next = &all[i+1]
			}
			out, err = c.Content(t.Context(), next)
		}
		got = append(got, out.State)
		if err != nil {
			return got, false
		}
	}
	return got, true
}

// TestGoOnAfterRefusal: a relay that asks for content though it refused the recipient, or the sender, gets none, and no dot.
func TestGoOnAfterRefusal(t *testing.T) {
	for _, point := range []string{"MAIL", "RCPT"} {
		for broken := range 2 {
			srv := smtptest.New(t)
			srv.At(point).Times(broken)
			srv.At(point).Reply("550 5.7.1 no").Times(1)
			srv.At("DATA").Reply("354 go on")
			c := connect(t, relay(srv, mailer.NoTLS))
			all := three(t)
			got, err := c.Envelope(t.Context(), all[0])
			if broken > 0 {
				if got, err := c.Content(t.Context(), &all[1]); err != nil || got.State != mailer.Accepted {
					t.Fatalf("content: got %+v, %v", got, err)
				}
				got, err = c.Envelope(t.Context(), all[1])
			}
			check(t, got, err, verdict{mailer.Refused, mailer.ClassBlocked, 550, true})
			if err := c.Quit(t.Context()); err != nil {
				t.Error(err)
			}
			if n := len(srv.Messages()); n != broken {
				t.Errorf("%s: the relay has %d messages, want %d", point, n, broken)
			}
		}
	}
}

// TestOneRoundTripEach counts the writes of a client whose relay offers what saves them.
func TestOneRoundTripEach(t *testing.T) {
	for _, manner := range manners {
		srv := smtptest.New(t, manner.options...)
		tap := tapped(t, srv.Addr())
		c := connect(t, mailer.SMTP{Host: "127.0.0.1", Port: tap.port, TLS: kindOf(manner.name), Helo: "news.example.org", Roots: srv.Roots()})
		before := tap.turns.Load()
		all := three(t)
		for i, m := range all {
			if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
				t.Fatalf("%s: envelope: got %+v, %v", manner.name, got, err)
			}
			var next *mailer.Message
			if i < 2 {
				next = &all[i+1]
			}
			if got, err := c.Content(t.Context(), next); err != nil || got.State != mailer.Accepted {
				t.Fatalf("%s: content: got %+v, %v", manner.name, got, err)
			}
		}
		want := int64(4) // the first envelope, and each content
		switch {
		case manner.name == "lockstep":
			want = 3 * 4
		case !manner.ahead:
			want = 3 * 3
		}
		if got := tap.turns.Load() - before; got != want && !strings.HasSuffix(manner.name, "octets") {
			t.Errorf("%s: got %d turns for three messages, want %d", manner.name, got, want)
		}
	}
}

func TestConnectionLostBetweenPhases(t *testing.T) {
	m := compose(t, draft())
	for _, tt := range []struct {
		point         string
		envelope      mailer.OutcomeState
		content, next mailer.OutcomeState
	}{
		{"MAIL", mailer.Away, "", ""},
		{"RCPT", mailer.Away, "", ""},
		{"DATA", mailer.Accepted, mailer.Unknown, ""},
		{"content", mailer.Accepted, mailer.Accepted, mailer.Away},
	} {
		t.Run(tt.point, func(t *testing.T) {
			srv := smtptest.New(t)
			srv.At(tt.point).Drop(true)
			c := connect(t, relay(srv, mailer.NoTLS))
			got, err := c.Envelope(t.Context(), m)
			if got.State != tt.envelope || (err != nil) != (tt.content == "") {
				t.Fatalf("envelope: got %+v, %v, want %s", got, err, tt.envelope)
			}
			if tt.content == "" {
				return
			}
			got, err = c.Content(t.Context(), nil)
			if got.State != tt.content || (err != nil) != (tt.next == "") {
				t.Fatalf("content: got %+v, %v, want %s", got, err, tt.content)
			}
			if tt.next == "" {
				return
			}
			if got, err = c.Envelope(t.Context(), m); got.State != tt.next || err == nil {
				t.Errorf("next envelope: got %+v, %v, want %s", got, err, tt.next)
			}
		})
	}
}

func TestIdleConnectionWithFarewell(t *testing.T) {
	srv := smtptest.New(t)
	srv.At("content").Reply("250 2.0.0 taken\r\n421 4.4.2 idle too long")
	c := connect(t, relay(srv, mailer.NoTLS))
	send(t, c, compose(t, draft()))
	got, err := c.Envelope(t.Context(), compose(t, draft()))
	check(t, got, err, verdict{state: mailer.Away, code: 421, err: true})
	if n := strings.Count(strings.Join(srv.Commands(), "\n"), "MAIL"); n != 1 {
		t.Errorf("got %d MAIL commands, want 1", n)
	}
}

// A reply too many must never be taken for the reply to the content.
func TestReplyOutOfTurnSettlesNothing(t *testing.T) {
	for _, extra := range []string{"250 2.0.0 taken", "550 5.0.0 no", "421 4.0.0 bye", "hello"} {
		srv := smtptest.New(t)
		srv.At("DATA").Reply("354 go on\r\n" + extra)
		c := connect(t, relay(srv, mailer.NoTLS))
		m := compose(t, draft())
		if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		if got, err := c.Content(t.Context(), nil); got.State != mailer.Away || err == nil {
			t.Errorf("%s: got %+v, %v, want away", extra, got, err)
		}
		c.Close()
		if n := len(srv.Messages()); n != 0 {
			t.Errorf("%s: the relay has %d messages, want none", extra, n)
		}
	}
}

func TestResetFails(t *testing.T) {
	for name, script := range map[string]func(*smtptest.Rule){
		"refused": func(r *smtptest.Rule) { r.Reply("500 5.5.2 what") },
		"dropped": func(r *smtptest.Rule) { r.Drop(false) },
		"closing": func(r *smtptest.Rule) { r.Reply("421 4.3.2 bye") },
	} {
		srv := smtptest.New(t)
		srv.At("RCPT").Reply("550 5.1.1 nobody")
		script(srv.At("RSET"))
		c := connect(t, relay(srv, mailer.NoTLS))
		got, err := c.Envelope(t.Context(), compose(t, draft()))
		if got.State != mailer.Refused || got.Class != mailer.ClassDead || got.Reply.Code != 550 {
			t.Errorf("%s: got %+v, want the refusal kept", name, got)
		}
		var relayErr *mailer.RelayError
		if !errors.As(err, &relayErr) || relayErr.Phase != "rset" {
			t.Errorf("%s: got %v, want a RelayError of phase rset", name, err)
		}
	}
}

func TestContentCutInside(t *testing.T) {
	m := compose(t, draft())
	// More than the buffers between the two sockets hold.
	m.Bytes = append(m.Bytes, bytes.Repeat([]byte(strings.Repeat("x", 70)+"\r\n"), 1<<19)...)
	for _, kind := range []mailer.TLS{mailer.NoTLS, mailer.Implicit} {
		var options []smtptest.Option
		if kind == mailer.Implicit {
			options = append(options, smtptest.WithTLS(true))
		}
		srv := smtptest.New(t, options...)
		srv.At("content").DropMid(100)
		c := connect(t, relay(srv, kind))
		if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		got, err := c.Content(t.Context(), nil)
		check(t, got, err, verdict{state: mailer.Cut, err: true})
		c.Close()
		if n := len(srv.Messages()); n != 0 {
			t.Errorf("the relay has %d messages, want none", n)
		}
	}
}

func TestContextEndsAPhase(t *testing.T) {
	m := compose(t, draft())
	for point, want := range map[string]mailer.OutcomeState{
		"MAIL": mailer.Away, "RCPT": mailer.Away, "DATA": mailer.Away, "content": mailer.Unknown,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		srv := smtptest.New(t)
		srv.At(point).Call(cancel).Silent()
		c := connect(t, relay(srv, mailer.NoTLS))
		got, err := c.Envelope(ctx, m)
		if point == "content" {
			got, err = c.Content(ctx, nil)
		}
		if got.State != want || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %+v, %v, want %s and context.Canceled", point, got, err, want)
		}
		if got, err := c.Envelope(t.Context(), m); got.State != mailer.Away || err == nil {
			t.Errorf("%s: after it got %+v, %v, want away", point, got, err)
		}
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	m := compose(t, draft())
	srv := smtptest.New(t)
	c := connect(t, relay(srv, mailer.NoTLS))
	if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := c.Content(ctx, nil); got.State != mailer.Away || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v, want away and context.Canceled", got, err)
	}
	if n := len(srv.Messages()); n != 0 {
		t.Errorf("the relay has %d messages, want none", n)
	}
}

func TestCloseInsideTheTransactionSendsNoDot(t *testing.T) {
	m := compose(t, draft())
	for name, end := range map[string]func(*mailer.Conn) error{
		"close": (*mailer.Conn).Close,
		"quit":  func(c *mailer.Conn) error { return c.Quit(t.Context()) },
	} {
		var srv *smtptest.Server
		t.Run(name, func(t *testing.T) {
			srv = smtptest.New(t)
			c := connect(t, relay(srv, mailer.NoTLS))
			if got, err := c.Envelope(t.Context(), m); err != nil || got.State != mailer.Accepted {
				t.Fatalf("envelope: got %+v, %v", got, err)
			}
			for range 2 {
				if err := end(c); err != nil {
					t.Error(err)
				}
			}
		})
		if n := len(srv.Messages()); n != 0 { // the server has ended: nothing can still come
			t.Errorf("%s: the relay has %d messages, want none", name, n)
		}
	}
}

func TestQuitMindsNoAnswer(t *testing.T) {
	for name, script := range map[string]func(*smtptest.Rule){
		"refused": func(r *smtptest.Rule) { r.Reply("500 5.5.2 what") },
		"dropped": func(r *smtptest.Rule) { r.Drop(false) },
		"silent":  func(r *smtptest.Rule) { r.Silent() },
	} {
		srv := smtptest.New(t)
		script(srv.At("QUIT"))
		r := relay(srv, mailer.NoTLS)
		r.Timeouts.Command = 4 * short
		c := connect(t, r)
		if err := c.Quit(t.Context()); err != nil {
			t.Errorf("%s: got %v, want none", name, err)
		}
	}
}

func TestContentNeedsItsEnvelope(t *testing.T) {
	srv := smtptest.New(t)
	c := connect(t, relay(srv, mailer.NoTLS))
	if got, err := c.Content(t.Context(), nil); got.State != mailer.Away || err == nil {
		t.Errorf("without envelope: got %+v, %v, want away", got, err)
	}
	all := three(t)
	if got, err := c.Envelope(t.Context(), all[0]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v", got, err)
	}
	if got, err := c.Content(t.Context(), &all[1]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("content: got %+v, %v", got, err)
	}
	if got, err := c.Envelope(t.Context(), all[2]); got.State != mailer.Away || err == nil {
		t.Errorf("another than was sent ahead: got %+v, %v, want away", got, err)
	}
	if got, err := c.Content(t.Context(), nil); got.State != mailer.Away || err == nil {
		t.Errorf("after it: got %+v, %v, want away", got, err)
	}
	if n := len(srv.Messages()); n != 1 {
		t.Errorf("the relay has %d messages, want one", n)
	}
}

// TestDrop ends a transaction without its content: by RSET where the relay waits for a command, else by closing.
func TestDrop(t *testing.T) {
	for _, manner := range manners {
		srv := smtptest.New(t, manner.options...)
		c := connect(t, relay(srv, kindOf(manner.name)))
		all := three(t)
		if got, err := c.Envelope(t.Context(), all[0]); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		if err := c.Drop(t.Context()); (err == nil) != manner.bdat {
			t.Errorf("%s: got %v", manner.name, err)
		}
		if manner.bdat {
			send(t, c, all[1])
		} else if got, err := c.Envelope(t.Context(), all[1]); got.State != mailer.Away || err == nil {
			t.Errorf("%s: after it got %+v, %v, want away", manner.name, got, err)
		}
		if n := copies(srv, all[0].MessageID); n != 0 {
			t.Errorf("%s: the relay has %d copies, want none", manner.name, n)
		}
	}
}

// TestRefusedChunk: RFC 3030 leaves open what becomes of the transaction, so the next one begins with RSET.
func TestRefusedChunk(t *testing.T) {
	for _, manner := range manners {
		if !manner.bdat {
			continue
		}
		srv := smtptest.New(t, manner.options...)
		srv.At("content").Reply("452 4.3.1 later").Times(1)
		c := connect(t, relay(srv, mailer.NoTLS))
		all := three(t)
		if got, err := c.Envelope(t.Context(), all[0]); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		got, err := c.Content(t.Context(), &all[1])
		check(t, got, err, verdict{mailer.Deferred, mailer.ClassTransient, 452, false})
		send(t, c, all[1])
		if got := strings.Join(srv.Commands(), " "); strings.Count(got, "RSET") != 1 || copies(srv, all[1].MessageID) != 1 {
			t.Errorf("%s: got %s, want one RSET and the second message", manner.name, got)
		}
	}
}

// TestRelayWithoutTheChunksItOffers reads content as commands, for all we know: it hears no more of it.
func TestRelayWithoutTheChunksItOffers(t *testing.T) {
	srv := smtptest.New(t, smtptest.WithExtensions("CHUNKING", "PIPELINING"))
	srv.At("content").Reply("500 what")
	c := connect(t, relay(srv, mailer.NoTLS))
	all := three(t)
	if got, err := c.Envelope(t.Context(), all[0]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v", got, err)
	}
	if got, err := c.Content(t.Context(), &all[1]); got.State != mailer.Refused || err == nil {
		t.Errorf("got %+v, %v, want refused and an error", got, err)
	}
}

// TestParameters are those that the relay offers, and no others.
func TestParameters(t *testing.T) {
	for _, tt := range []struct {
		offers     []string
		mail, rcpt string
	}{
		{nil, "MAIL FROM:<news@example.org>", "RCPT TO:<ada@example.org>"},
		{[]string{"SIZE 10000000"}, "MAIL FROM:<news@example.org> SIZE=%d", "RCPT TO:<ada@example.org>"},
		{[]string{"DSN"}, "MAIL FROM:<news@example.org> RET=HDRS ENVID=m0", "RCPT TO:<ada@example.org> NOTIFY=FAILURE"},
		{[]string{"PIPELINING", "DSN", "SIZE"}, "MAIL FROM:<news@example.org> SIZE=%d RET=HDRS ENVID=m0", "RCPT TO:<ada@example.org> NOTIFY=FAILURE"},
	} {
		srv := smtptest.New(t, smtptest.WithExtensions(tt.offers...))
		m := three(t)[0]
		m.From, m.To = "news@example.org", "ada@example.org"
		send(t, connect(t, relay(srv, mailer.NoTLS)), m)
		mail := tt.mail
		if strings.Contains(mail, "%d") {
			mail = fmt.Sprintf(mail, len(m.Bytes))
		}
		if got := srv.Commands(); got[1] != mail || got[2] != tt.rcpt {
			t.Errorf("%v: got %q, %q, want %q, %q", tt.offers, got[1], got[2], mail, tt.rcpt)
		}
	}
}

func TestDotsAndHashSurviveTheWire(t *testing.T) {
	srv := smtptest.New(t)
	c := connect(t, relay(srv, mailer.NoTLS))
	for i, body := range []string{".\r\n", "..\r\n.\r\n.x\r\n", "a\r\n.\r\n\r\n.\r\n", "\r\n", strings.Repeat(".\r\n", 5000)} {
		m := handmade(compose(t, draft()), "Message-ID: <x@example.org>\r\n\r\n"+body)
		send(t, c, m)
		if got := srv.Messages()[i].Data; !bytes.Equal(got, m.Bytes) {
			t.Errorf("the relay has %q, want %q", got, m.Bytes)
		}
	}
	m := handmade(compose(t, draft()), ".starts with a dot\r\n")
	send(t, c, m)
	if got := srv.Messages()[5].Data; !bytes.Equal(got, m.Bytes) {
		t.Errorf("the relay has %q, want %q", got, m.Bytes)
	}
}

func TestEnvelopeRefusesWhatWouldSayMore(t *testing.T) {
	srv := smtptest.New(t)
	c := connect(t, relay(srv, mailer.NoTLS))
	for name, change := range map[string]func(*mailer.Message){
		"second command": func(m *mailer.Message) { m.To = "a@example.org>\r\nRCPT TO:<b@example.org" },
		"parameter":      func(m *mailer.Message) { m.From = "a@example.org> SIZE=1" },
		"nobody":         func(m *mailer.Message) { m.To = "" },
		"bare LF":        func(m *mailer.Message) { m.Bytes = []byte("a\n.\nMAIL FROM:<x>\r\n") },
		"bare CR":        func(m *mailer.Message) { m.Bytes = []byte("a\r.\r\r\n") },
		"no end":         func(m *mailer.Message) { m.Bytes = []byte("a\r\nb") },
		"nothing":        func(m *mailer.Message) { m.Bytes = nil },
	} {
		m := compose(t, draft())
		m = handmade(m, string(m.Bytes))
		change(&m)
		got, err := c.Envelope(t.Context(), m)
		if err != nil || got.State != mailer.Refused || got.Class != mailer.ClassContent {
			t.Errorf("%s: got %+v, %v, want refused, content", name, got, err)
		}
	}
	if got := srv.Commands(); len(got) != 1 {
		t.Errorf("the relay heard %q, want EHLO alone", got)
	}
	send(t, c, compose(t, draft()))
}

func TestSMTPUTF8OnlyWhenNeeded(t *testing.T) {
	d := draft()
	d.To.Email = "jörg@bücher.example"
	intl, plain := compose(t, d), compose(t, draft())

	without := connect(t, relay(smtptest.New(t), mailer.NoTLS))
	got, err := without.Envelope(t.Context(), intl)
	check(t, got, err, verdict{state: mailer.Refused, class: mailer.ClassUnsupported})
	send(t, without, plain)

	srv := smtptest.New(t, smtptest.WithExtensions("8BITMIME", "SMTPUTF8"))
	with := connect(t, relay(srv, mailer.NoTLS))
	send(t, with, intl)
	send(t, with, plain)
	var params []string
	for _, m := range srv.Messages() {
		params = append(params, m.Params)
	}
	if want := "[BODY=8BITMIME SMTPUTF8 ]"; fmt.Sprint(params) != want {
		t.Errorf("got MAIL parameters %v, want %s", params, want)
	}
	if to := srv.Messages()[0].To; to != "jörg@xn--bcher-kva.example" {
		t.Errorf("got recipient %s", to)
	}
}

func TestRepliesAreRedacted(t *testing.T) {
	for _, tt := range []struct{ line, enhanced, text string }{
		{"550 5.1.1 <gone@example.org>: no such user", "5.1.1", "<[address]>: no such user"},
		{"550-5.1.1 The account o'brien@example.org\r\n550 5.1.1 is gone. https://x.example/?q=a%40b.example", "5.1.1", "The account [address] is gone. https:[address]"},
		{"450 bounce+ada=40example.org later\x1b[31m", "", "[address] later [31m"},
		{"550 5.1.1", "5.1.1", ""},
		{"550 5.1.1.2 odd", "", "5.1.1.2 odd"},
		{"554 " + strings.Repeat("ä ", 800), "", strings.Repeat("ä ", 249) + "ä…"},
	} {
		srv := smtptest.New(t)
		srv.At("RCPT").Reply(tt.line)
		c := connect(t, relay(srv, mailer.NoTLS))
		got, err := c.Envelope(t.Context(), compose(t, draft()))
		if err != nil || got.Reply.Enhanced != tt.enhanced || got.Reply.Text != tt.text {
			t.Errorf("%.60q: got %q %q, %v, want %q %q", tt.line, got.Reply.Enhanced, got.Reply.Text, err, tt.enhanced, tt.text)
		}
	}
}

func TestAcceptedKeepsTheReply(t *testing.T) {
	srv := smtptest.New(t)
	srv.At("content").Reply("250 2.0.0 Ok: queued as 4F2A1 for ada@example.org").Delay(time.Millisecond)
	c := connect(t, relay(srv, mailer.NoTLS))
	m := compose(t, draft())
	if _, err := c.Envelope(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := c.Content(t.Context(), nil)
	if want := "250 2.0.0 Ok: queued as 4F2A1 for [address]"; err != nil || got.Reply.String() != want {
		t.Errorf("got %q, %v, want %q", got.Reply, err, want)
	}
}

// The end of a context ends the calls that were made under it, and no other: content that is out may be answered while sending stops.
func TestContextOfAnotherCall(t *testing.T) {
	all := three(t)
	c := connect(t, relay(smtptest.New(t), mailer.NoTLS))
	for range 3 { // more contexts than are watched at once
		send(t, c, all[0])
		ctx, cancel := context.WithCancel(t.Context())
		if got, err := c.Envelope(ctx, all[1]); err != nil || got.State != mailer.Accepted {
			t.Fatalf("envelope: got %+v, %v", got, err)
		}
		cancel()
		hard, cut := context.WithCancel(t.Context())
		defer cut()
		if got, err := c.Content(hard, nil); err != nil || got.State != mailer.Accepted {
			t.Fatalf("content under another context: got %+v, %v", got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if got, err := c.Envelope(ctx, all[2]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v", got, err)
	}
	cancel()
	if got, err := c.Content(ctx, nil); got.State != mailer.Away || !errors.Is(err, context.Canceled) {
		t.Errorf("content under the ended one: got %+v, %v, want away and context.Canceled", got, err)
	}
}

// What came of a reply that isn't whole is waited for no longer than for any other of its command.
func TestHalfAReplyBehindAnother(t *testing.T) {
	all := three(t)
	port := scripted(t, "220 hello", "250-hello\r\n250 PIPELINING", "250 a\r\n250 b\r\n354 c", "250 taken\r\n250-half")
	r := mailer.SMTP{Host: "127.0.0.1", Port: port, TLS: mailer.NoTLS, Timeouts: mailer.Timeouts{Command: short, Data: time.Hour, Content: time.Hour}}
	c := connect(t, r)
	if got, err := c.Envelope(t.Context(), all[0]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("envelope: got %+v, %v", got, err)
	}
	if got, err := c.Content(t.Context(), &all[1]); err != nil || got.State != mailer.Accepted {
		t.Fatalf("content: got %+v, %v", got, err)
	}
	if got, err := c.Envelope(t.Context(), all[1]); got.State != mailer.Away || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %+v, %v, want away and the deadline exceeded", got, err)
	}
}

// scripted is a relay that says its lines one after the other: the first as its greeting, the next after EHLO and the others after
// what ends with DATA. Then it is silent.
func scripted(t *testing.T, says ...string) (port int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	ends.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for turn := "EHLO"; err == nil; {
			if turn != "" && len(says) > 0 {
				fmt.Fprint(conn, says[0]+"\r\n")
				says = says[1:]
			}
			if turn, err = in.ReadString('\n'); !strings.HasPrefix(turn, "EHLO") && turn != "DATA\r\n" {
				turn = ""
			}
		}
	})
	t.Cleanup(func() { listener.Close(); ends.Wait() })
	return listener.Addr().(*net.TCPAddr).Port
}

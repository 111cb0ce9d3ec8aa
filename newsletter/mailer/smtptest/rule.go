package smtptest

import (
	"strings"
	"time"
)

// Rule is a point in a session where the server does something else. Of several rules for one point the first that has
// uses left acts, so rules with Times play one after the other. Set rules before the client gets to their point.
type Rule struct {
	server *Server
	point  string
	action action // guarded by server.mu
	left   int    // uses; below zero: any number
}

// action is what one use of a rule does; its zero value is the ordinary reply.
type action struct {
	reply     string // empty: the ordinary one
	drop      bool   // instead of the reply
	dropAfter bool
	mid       int // octets of the content before the drop; below zero: none
	silent    bool
	delay     time.Duration
	call      func()
}

// At names a point: "connect", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "content" (the end of the content, by a dot or
// BDAT LAST), "BDAT" (any but the last), "RSET", "NOOP", "QUIT", "AUTH", "STARTTLS". An address after it narrows it: "RCPT gone@example.org", "content gone@example.org"; after
// MAIL it is the sender's. Two or more rules may be set for one point.
func (s *Server) At(point string) *Rule {
	r := &Rule{server: s, point: point, action: action{mid: -1}, left: -1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
	return r
}

// Reply answers with this line instead, every time, or the first n times with Times. The command takes effect if the
// line starts with 2 or 3. It goes out as it is plus CRLF, so it may hold several lines, or be none at all to SMTP.
// Content whose reply starts with neither 4 nor 5 counts as taken. After a reply 421 the server hangs up.
func (r *Rule) Reply(line string) *Rule {
	return r.set(func(a *action) { a.reply = line })
}

// Drop closes the connection: instead of replying, or with after set, after replying.
func (r *Rule) Drop(after bool) *Rule {
	return r.set(func(a *action) { a.drop, a.dropAfter = !after, after })
}

// DropMid closes the connection after n octets of the content were read; the content must be longer. Its point is
// "content".
func (r *Rule) DropMid(n int) *Rule {
	return r.set(func(a *action) { a.mid = n })
}

// Silent never replies until the server closes or the client hangs up.
func (r *Rule) Silent() *Rule {
	return r.set(func(a *action) { a.silent = true })
}

// Delay waits before the reply.
func (r *Rule) Delay(d time.Duration) *Rule {
	return r.set(func(a *action) { a.delay = d })
}

// Call runs f at the point, before the reply.
func (r *Rule) Call(f func()) *Rule {
	return r.set(func(a *action) { a.call = f })
}

// Times limits the rule to its first n uses.
func (r *Rule) Times(n int) *Rule {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.left = n
	return r
}

func (r *Rule) set(change func(*action)) *Rule {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	change(&r.action)
	return r
}

// use finds the action for a point and spends one use of its rule.
func (s *Server) use(point, addr string) action {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		name, narrow, _ := strings.Cut(r.point, " ")
		if name != point || narrow != "" && narrow != addr || r.left == 0 {
			continue
		}
		r.left--
		return r.action
	}
	return action{mid: -1}
}

// line is what the server says at this point, or "" if it says nothing.
func (a action) line(ordinary string) string {
	switch {
	case a.drop || a.silent:
		return ""
	case a.reply != "":
		return a.reply
	}
	return ordinary
}

package smtptest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errEnd ends a session; nothing is wrong with it.
var errEnd = errors.New("end of session")

// session is one connection's dialogue.
type session struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader

	secure, greeted, login bool
	from, to, params       string
	inMail                 bool
	chunks                 []byte // of BDATs before the last one
	held                   []byte // replies not sent yet
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{server: s, conn: conn, in: bufio.NewReader(conn), secure: s.options.implicit}
}

// run greets and answers commands until one side has enough.
func (c *session) run() {
	greeting, err := c.answer("connect", "", "220 127.0.0.1 ESMTP smtptest")
	if err != nil || !positive(greeting) {
		return
	}
	defer c.flush()
	for {
		if c.in.Buffered() == 0 && c.flush() != nil {
			return
		}
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		c.server.mu.Lock()
		c.server.commands = append(c.server.commands, line)
		c.server.mu.Unlock()
		if c.command(line) != nil {
			return
		}
	}
}

func (c *session) command(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO", "HELO":
		return c.hello(verb)
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(rest)
	case "MAIL":
		return c.mail(rest)
	case "RCPT":
		return c.rcpt(rest)
	case "DATA":
		return c.data()
	case "BDAT":
		return c.bdat(rest)
	case "RSET":
		reply, err := c.answer("RSET", "", c.reply("250", "2.0.0", "reset"))
		if positive(reply) {
			c.reset()
		}
		return err
	case "NOOP":
		_, err := c.answer("NOOP", "", c.reply("250", "2.0.0", "nothing done"))
		return err
	case "QUIT":
		if _, err := c.answer("QUIT", "", c.reply("221", "2.0.0", "bye")); err != nil {
			return err
		}
		return errEnd
	}
	return c.send(c.reply("500", "5.5.2", "unknown command"))
}

func (c *session) reset() { c.inMail, c.from, c.to, c.params, c.chunks = false, "", "", "", nil }

func (c *session) hello(verb string) error {
	lines := []string{"127.0.0.1 greets you"}
	if verb == "EHLO" {
		lines = append(lines, c.server.options.extensions...)
		if c.server.options.tls && !c.secure {
			lines = append(lines, "STARTTLS")
		}
		if c.server.options.user != "" {
			lines = append(lines, "AUTH PLAIN LOGIN")
		}
	}
	var text strings.Builder
	for i, line := range lines {
		mark, end := "-", "\r\n"
		if i == len(lines)-1 {
			mark, end = " ", ""
		}
		text.WriteString("250" + mark + line + end)
	}
	reply, err := c.answer(verb, "", text.String())
	if positive(reply) {
		c.reset()
		c.greeted = true
	}
	return err
}

func (c *session) startTLS() error {
	if !c.server.options.tls || c.secure {
		return c.send(c.reply("502", "5.5.1", "no STARTTLS here"))
	}
	reply, err := c.answer("STARTTLS", "", c.reply("220", "2.0.0", "go on"))
	if err != nil || !positive(reply) {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	link := tls.Server(c.conn, c.server.cert.config)
	if err := link.Handshake(); err != nil {
		return err
	}
	c.conn, c.in = link, bufio.NewReader(link)
	c.secure, c.greeted, c.login = true, false, false
	c.reset()
	return nil
}

// auth takes AUTH PLAIN with and without an initial response, and AUTH LOGIN (RFC 4954).
func (c *session) auth(rest string) error {
	mechanism, initial, given := strings.Cut(rest, " ")
	var user, password string
	var err error
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		if !given {
			if initial, err = c.challenge(""); err != nil {
				return err
			}
		}
		fields := strings.Split(decode(initial), "\x00")
		if len(fields) == 3 {
			user, password = fields[1], fields[2]
		}
	case "LOGIN":
		if user, err = c.challenge("Username:"); err != nil {
			return err
		}
		if password, err = c.challenge("Password:"); err != nil {
			return err
		}
		user, password = decode(user), decode(password)
	}
	if user == "" || user != c.server.options.user || password != c.server.options.password {
		_, err := c.answer("AUTH", "", c.reply("535", "5.7.8", "wrong login"))
		return err
	}
	reply, err := c.answer("AUTH", "", c.reply("235", "2.7.0", "welcome"))
	c.login = positive(reply)
	return err
}

func (c *session) challenge(text string) (string, error) {
	if err := c.send("334 " + base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
		return "", err
	}
	if err := c.flush(); err != nil {
		return "", err
	}
	line, err := c.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func decode(text string) string {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(plain)
}

func (c *session) mail(rest string) error {
	addr, params, ok := path(rest, "FROM:")
	utf8 := slices.Contains(strings.Fields(params), "SMTPUTF8")
	switch {
	case !ok:
		return c.send(c.reply("501", "5.5.4", "MAIL FROM:<address> is what I know"))
	case !c.greeted || c.inMail:
		return c.send(c.reply("503", "5.5.1", "MAIL out of order"))
	case c.server.options.user != "" && !c.login:
		return c.send(c.reply("530", "5.7.0", "log in first"))
	case utf8 && !slices.Contains(c.server.options.extensions, "SMTPUTF8"):
		return c.send(c.reply("555", "5.5.4", "SMTPUTF8 not offered"))
	case !utf8 && !ascii(addr):
		return c.send(c.reply("553", "5.6.7", "address needs SMTPUTF8"))
	}
	reply, err := c.answer("MAIL", addr, c.reply("250", "2.1.0", "sender ok"))
	if positive(reply) {
		c.inMail, c.from, c.params = true, addr, params
	}
	return err
}

func (c *session) rcpt(rest string) error {
	addr, _, ok := path(rest, "TO:")
	switch {
	case !ok:
		return c.send(c.reply("501", "5.5.4", "RCPT TO:<address> is what I know"))
	case !c.inMail:
		return c.send(c.reply("503", "5.5.1", "RCPT out of order"))
	case c.to != "":
		return c.send(c.reply("452", "4.5.3", "one recipient a message"))
	case !ascii(addr) && !slices.Contains(strings.Fields(c.params), "SMTPUTF8"):
		return c.send(c.reply("553", "5.6.7", "address needs SMTPUTF8"))
	}
	ordinary := c.reply("250", "2.1.5", "recipient ok")
	if c.server.putsOff(c.from, addr) {
		ordinary = c.reply("451", "4.7.1", "greylisted, come again")
	}
	reply, err := c.answer("RCPT", addr, ordinary)
	if positive(reply) {
		c.to = addr
	}
	return err
}

// putsOff says whether a greylist puts a recipient off now.
func (s *Server) putsOff(from, to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pair := from + " " + to
	first := s.options.greylists && !s.greys[pair]
	s.greys[pair] = true
	return first
}

func (c *session) data() error {
	ordinary := "354 go on, end with a dot"
	if c.to == "" {
		ordinary = c.reply("503", "5.5.1", "DATA out of order")
	}
	reply, err := c.answer("DATA", c.to, ordinary)
	if err != nil || !strings.HasPrefix(reply, "354") {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	act := c.server.use("content", c.to)
	if act.mid >= 0 {
		return c.breakOff(act.mid)
	}
	content, err := c.content()
	if err != nil {
		return err
	}
	return c.judge(act, content)
}

// bdat reads a chunk (RFC 3030 section 2), also where it refuses it.
func (c *session) bdat(rest string) error {
	size, last, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 || last != "" && !strings.EqualFold(last, "LAST") {
		return c.send(c.reply("501", "5.5.4", "BDAT size [LAST] is what I know"))
	}
	act := action{mid: -1}
	if c.to != "" && last != "" {
		act = c.server.use("content", c.to)
	}
	if act.mid >= 0 {
		return c.breakOff(act.mid)
	}
	chunk := make([]byte, n)
	if _, err := io.ReadFull(c.in, chunk); err != nil {
		return err
	}
	switch {
	case !slices.Contains(c.server.options.extensions, "CHUNKING"), c.to == "":
		return c.send(c.reply("503", "5.5.1", "BDAT out of order"))
	case last == "":
		c.chunks = append(c.chunks, chunk...)
		_, err := c.answer("BDAT", c.to, c.reply("250", "2.0.0", "go on"))
		return err
	}
	return c.judge(act, append(c.chunks, chunk...))
}

// breakOff hangs up inside a content.
func (c *session) breakOff(after int) error {
	if _, err := io.CopyN(io.Discard, c.in, int64(after)); err != nil {
		return err
	}
	return errEnd
}

// judge answers a content.
func (c *session) judge(act action, content []byte) error {
	if err := c.before(act); err != nil {
		return err
	}
	line := act.line(c.reply("250", "2.0.0", "taken"))
	if line == "" || line[0] != '4' && line[0] != '5' {
		if err := c.take(content, strings.HasPrefix(line, "250")); err != nil {
			return err
		}
	}
	c.reset()
	return c.after(act, line)
}

// content reads to the final dot and removes the others (RFC 5321 section 4.5.2). A bare LF ends no line.
func (c *session) content() ([]byte, error) {
	var all []byte
	atStart := true
	for {
		piece, err := c.in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if atStart && string(piece) == ".\r\n" {
			return all, nil
		}
		if atStart && piece[0] == '.' {
			piece = piece[1:]
		}
		all = append(all, piece...)
		atStart = bytes.HasSuffix(all, []byte("\r\n"))
	}
}

// take keeps a message and logs it, before its reply is sent.
func (c *session) take(content []byte, acknowledged bool) error {
	sum := sha256.Sum256(content)
	m := Taken{
		From: c.from, To: c.to, Params: c.params, Data: content,
		Hash: hex.EncodeToString(sum[:]), Acknowledged: acknowledged,
	}
	if parsed, err := mail.ReadMessage(bytes.NewReader(content)); err == nil {
		m.MessageID = strings.Trim(parsed.Header.Get("Message-ID"), "<> ")
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, m)
	if s.log == nil {
		return nil
	}
	code := "000"
	if acknowledged {
		code = "250"
	}
	_, err := fmt.Fprintf(s.log, "%s %s %s %s\n", code, m.MessageID, m.Hash, m.To)
	if err == nil {
		err = s.log.Sync()
	}
	if err != nil && s.failed == nil {
		s.failed = fmt.Errorf("log: %w", err)
	}
	return err
}

// answer plays the rule of a point. It returns the line that was sent, "" if none was, and an error when the session is
// to end.
func (c *session) answer(point, addr, ordinary string) (string, error) {
	act := c.server.use(point, addr)
	if err := c.before(act); err != nil {
		return "", err
	}
	line := act.line(ordinary)
	return line, c.after(act, line)
}

// before acts and waits as the rule says.
func (c *session) before(act action) error {
	if act.call != nil {
		act.call()
	}
	if act.delay <= 0 {
		return nil
	}
	timer := time.NewTimer(act.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.server.done:
		return errEnd
	}
}

// after sends the line and hangs up if the rule or the line says so.
func (c *session) after(act action, line string) error {
	if act.silent {
		if err := c.flush(); err != nil {
			return err
		}
		// What the client says meanwhile is read, so that its writes don't block, and its end is noticed.
		_, err := io.Copy(io.Discard, c.in)
		return errors.Join(errEnd, err)
	}
	if act.drop {
		return errEnd
	}
	if err := c.send(line); err != nil {
		return err
	}
	if act.dropAfter || strings.HasPrefix(line, "421") {
		return errEnd
	}
	return nil
}

func (c *session) send(line string) error {
	c.held = append(append(c.held, line...), "\r\n"...)
	if c.server.options.merged {
		return nil
	}
	return c.flush()
}

// flush sends the replies held back, in as many pieces as the options say.
func (c *session) flush() error {
	held := c.held
	c.held = nil
	for len(held) > 0 {
		n := len(held)
		if piece := c.server.options.piece; piece > 0 {
			n = min(n, piece)
		}
		if _, err := c.conn.Write(held[:n]); err != nil {
			return err
		}
		held = held[n:]
	}
	return nil
}

// reply writes a reply with the enhanced code if the server has those.
func (c *session) reply(code, enhanced, text string) string {
	if slices.Contains(c.server.options.extensions, "ENHANCEDSTATUSCODES") {
		return code + " " + enhanced + " " + text
	}
	return code + " " + text
}

// positive tells whether a command takes effect by its reply.
func positive(line string) bool {
	return line != "" && (line[0] == '2' || line[0] == '3')
}

// path takes "FROM:<a@b> PARAMS" apart.
func path(rest, prefix string) (addr, params string, ok bool) {
	if len(rest) < len(prefix) || !strings.EqualFold(rest[:len(prefix)], prefix) {
		return "", "", false
	}
	rest, ok = strings.CutPrefix(rest[len(prefix):], "<")
	if !ok {
		return "", "", false
	}
	addr, params, ok = strings.Cut(rest, ">")
	return addr, strings.TrimSpace(params), ok
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

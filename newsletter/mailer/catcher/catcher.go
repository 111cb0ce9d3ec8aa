// Package catcher is demo's mail catcher: a real SMTP server on loopback that keeps what it takes in memory, and the
// inbox page that shows every mail as HTML, phone, dark, text, source and headers. It forwards nothing, ever.
//
// After a crash: the mails are gone, but for the copies in the folder given to Start.
package catcher

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"
)

// Mail is one mail taken. A mail to several recipients is several Mails.
type Mail struct {
	Number   int // from 1, in order of arrival
	At       time.Time
	Dated    time.Time // as it says itself; At where it says nothing that can be read
	From, To string    // envelope
	Subject  string    // decoded
	Raw      []byte    // as received, CRLF
}

// maxBytes is the largest mail taken.
const maxBytes = 32 << 20

// Catcher is a running server.
type Catcher struct {
	server   *smtp.Server
	listener *listener
	dir      *os.Root // nil: no copies
	served   chan struct{}

	mu     sync.Mutex
	closed bool
	mails  []Mail
}

// Start listens on a loopback port: the one given, or a free one where that is 0 or taken. dir, if not empty, is made and gets each mail as NNN-address.eml too; a file of
// that name is written over. A mail that can't be written there is refused with 452.
func Start(dir string, port int) (*Catcher, error) {
	c := &Catcher{served: make(chan struct{})}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("mail catcher: %w", err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("mail catcher: %w", err)
		}
		c.dir = root
	}
	inner, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		inner, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		if c.dir != nil {
			c.dir.Close()
		}
		return nil, fmt.Errorf("mail catcher: %w", err)
	}
	c.listener = &listener{Listener: inner, conns: map[net.Conn]struct{}{}}
	c.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{catcher: c}, nil }))
	c.server.Domain = "127.0.0.1"
	c.server.EnableSMTPUTF8 = true
	c.server.MaxMessageBytes = maxBytes
	c.server.MaxRecipients = 100
	c.server.ReadTimeout = 10 * time.Minute
	c.server.WriteTimeout = time.Minute
	c.server.ErrorLog = log.New(io.Discard, "", 0) // a client that hangs up is no news
	go func() {
		defer close(c.served)
		_ = c.server.Serve(c.listener) // ends by Close alone
	}()
	return c, nil
}

// Addr is the SMTP address, host:port.
func (c *Catcher) Addr() string { return c.listener.Addr().String() }

// Mails lists what was taken, oldest first.
func (c *Catcher) Mails() []Mail {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mails)
}

// mail finds one by its number.
func (c *Catcher) mail(number int) (Mail, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number < 1 || number > len(c.mails) {
		return Mail{}, false
	}
	return c.mails[number-1], true
}

// Close stops the server, ends its sessions and waits for them. What Mails lists stays. It is safe to call twice.
func (c *Catcher) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	err := errors.Join(c.server.Close(), c.listener.Close())
	c.listener.open.Wait()
	<-c.served
	if c.dir != nil {
		err = errors.Join(err, c.dir.Close())
	}
	if err != nil {
		return fmt.Errorf("mail catcher: %w", err)
	}
	return nil
}

// keep numbers a mail for each recipient, and writes it if there is a folder.
func (c *Catcher) keep(from string, to []string, raw []byte) error {
	now, head := time.Now(), content{Fields: fields(raw)}
	subject, dated := head.value("Subject"), now
	if t, err := mail.ParseDate(head.value("Date")); err == nil {
		dated = t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	kept := c.mails
	for _, recipient := range to {
		m := Mail{Number: len(kept) + 1, At: now, Dated: dated, From: from, To: recipient, Subject: subject, Raw: raw}
		if c.dir != nil {
			if err := c.dir.WriteFile(fileName(m), raw, 0o644); err != nil {
				return err
			}
		}
		kept = append(kept, m)
	}
	c.mails = kept
	return nil
}

// fileName is NNN-address.eml in characters that every file system takes.
func fileName(m Mail) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("@._+-", r):
			return r
		}
		return '_'
	}, m.To)
	return fmt.Sprintf("%03d-%s.eml", m.Number, name[:min(len(name), 120)])
}

// session is one SMTP session, as go-smtp calls it.
type session struct {
	catcher *Catcher
	from    string
	to      []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.catcher.keep(s.from, s.to, raw); err != nil {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "can't keep this mail: " + err.Error()}
	}
	return nil
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// listener knows its connections, so that closing can end them all and wait: go-smtp forgets those that it has accepted
// and not greeted yet.
type listener struct {
	net.Listener
	open sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		inner.Close()
		return nil, net.ErrClosed
	}
	l.conns[inner] = struct{}{}
	l.open.Add(1)
	return &conn{Conn: inner, listener: l}, nil
}

// Close ends listening and hangs up on everybody. The server calls it too, unless it is closed before it serves.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for inner := range l.conns {
		inner.Close()
	}
	return l.Listener.Close()
}

// conn is closed by its session's end.
type conn struct {
	net.Conn
	listener *listener
	once     sync.Once
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.listener.mu.Lock()
		delete(c.listener.conns, c.Conn)
		c.listener.mu.Unlock()
		c.listener.open.Done()
	})
	return err
}

// Package smtptest is an SMTP server on loopback that breaks on order: it delays, refuses, lies and hangs up at any
// point of any transaction, for tests of the code that has to live with such relays. It keeps what it took, so that a
// test can ask what a relay has and not what its client believes. It is plain TCP: the client may be another process.
package smtptest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// Server is one server on 127.0.0.1 with a free port. The zero script accepts everything.
type Server struct {
	options  options
	cert     certificate
	listener net.Listener
	log      *os.File // nil without WithLog
	done     chan struct{}
	sessions sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	opened   int
	cut      cut
	rules    []*Rule
	greys    map[string]bool // sender and recipient, as far as they came before
	commands []string
	taken    []Taken
	failed   error // the first trouble with the log
}

type options struct {
	user, password string
	tls, implicit  bool
	certName       string
	certExpires    time.Time
	logPath        string
	greylists      bool
	extensions     []string
	merged         bool
	piece          int
}

// Option changes what New starts.
type Option func(*options)

// WithLogin makes the server demand AUTH PLAIN or LOGIN with these.
func WithLogin(user, password string) Option {
	return func(o *options) { o.user, o.password = user, password }
}

// WithTLS offers STARTTLS (implicit false) or speaks TLS from the first byte, with a certificate of the server's own CA
// (see Roots) for 127.0.0.1.
func WithTLS(implicit bool) Option {
	return func(o *options) { o.tls, o.implicit = true, implicit }
}

// WithCertificate gives the server's certificate another host name than 127.0.0.1 or another end than tomorrow.
func WithCertificate(name string, expires time.Time) Option {
	return func(o *options) { o.certName, o.certExpires = name, expires }
}

// WithExtensions replaces the extensions that EHLO lists besides STARTTLS and AUTH: 8BITMIME, PIPELINING and
// ENHANCEDSTATUSCODES. With SMTPUTF8 among them the server takes such addresses, with CHUNKING it takes BDAT; without
// ENHANCEDSTATUSCODES its own replies have no enhanced code.
func WithExtensions(keywords ...string) Option {
	return func(o *options) { o.extensions = keywords }
}

// WithMergedReplies holds replies back until the client has nothing more to say, as servers do that pipeline (RFC 2920
// section 3.2).
func WithMergedReplies() Option {
	return func(o *options) { o.merged = true }
}

// WithSplitReplies sends replies in pieces of n octets, wherever that cuts them.
func WithSplitReplies(n int) Option {
	return func(o *options) { o.piece = n }
}

// WithLog appends one line per message taken to the file: "250 MESSAGE-ID HASH RCPT", written and synced before the reply
// leaves, so that it outlives a killed client process. A message that was taken and gets no 250 (its rule drops the
// connection, stays silent or answers gibberish) starts with 000 instead.
func WithLog(path string) Option {
	return func(o *options) { o.logPath = path }
}

// WithGreylist puts the first RCPT of each sender and recipient off (RFC 6647 section 2.4).
func WithGreylist() Option {
	return func(o *options) { o.greylists = true }
}

// New starts a server; it is closed when the test ends.
func New(t testing.TB, settings ...Option) *Server {
	t.Helper()
	o := options{
		certName: "127.0.0.1", certExpires: time.Now().Add(24 * time.Hour),
		extensions: []string{"8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES"},
	}
	for _, set := range settings {
		set(&o)
	}
	s := &Server{options: o, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, greys: map[string]bool{}}
	var err error
	if s.cert, err = newCertificate(o.certName, o.certExpires); err != nil {
		t.Fatalf("smtptest: certificate: %v", err)
	}
	if o.logPath != "" {
		if s.log, err = os.OpenFile(o.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			t.Fatalf("smtptest: log: %v", err)
		}
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatalf("smtptest: listen: %v", err)
	}
	s.sessions.Go(s.accept)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("smtptest: %v", err)
		}
	})
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Port is the port of Addr.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Roots holds the CA that signed the server's certificate.
func (s *Server) Roots() *x509.CertPool { return s.cert.roots }

// Taken is one message that the server answered 250, or took and then hung up on (Acknowledged false).
type Taken struct {
	From, To     string
	Params       string // what followed the address in MAIL, such as "BODY=8BITMIME"
	MessageID    string // without angle brackets
	Data         []byte // dot-unstuffed
	Hash         string // hex SHA-256 of Data
	Acknowledged bool
}

// Messages is all the server took, in order.
func (s *Server) Messages() []Taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Commands is every command line that came, over all connections, in order of arrival. Content is not among them.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Connections counts the connections made so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// HangUp closes all connections at once, as a relay does that restarts; new ones are taken.
func (s *Server) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// cut says after how many octets connections break.
type cut struct {
	set     bool
	in, out int
}

// CutAfter breaks connections made from now on once the client has said in octets or the server out; below zero never.
func (s *Server) CutAfter(in, out int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut{true, in, out}
}

// shears is a connection that breaks after so many octets.
type shears struct {
	net.Conn
	cut
}

var errCut = errors.New("cut by the test")

func (s *shears) Read(p []byte) (int, error) {
	if s.in == 0 {
		return 0, errors.Join(errCut, s.Close())
	}
	if s.in > 0 {
		p = p[:min(len(p), s.in)]
	}
	n, err := s.Conn.Read(p)
	if s.in > 0 {
		s.in -= n
	}
	return n, err
}

func (s *shears) Write(p []byte) (int, error) {
	short := s.out >= 0 && len(p) > s.out
	if short {
		p = p[:s.out]
	}
	n, err := s.Conn.Write(p)
	if s.out > 0 {
		s.out -= n
	}
	if short && err == nil {
		err = errors.Join(errCut, s.Close())
	}
	return n, err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		select {
		case <-s.done:
			conn.Close()
		default:
			s.conns[conn] = struct{}{}
			s.opened++
			link := conn
			if s.cut.set {
				link = &shears{conn, s.cut}
			}
			s.sessions.Go(func() { s.serve(link, conn) })
		}
		s.mu.Unlock()
	}
}

func (s *Server) serve(link, conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	if s.options.implicit {
		link = tls.Server(link, s.cert.config)
	}
	newSession(s, link).run()
}

// close ends all sessions and waits for them.
func (s *Server) close() error {
	close(s.done)
	s.listener.Close()
	s.HangUp()
	s.sessions.Wait()
	if s.log != nil {
		if err := s.log.Close(); s.failed == nil {
			s.failed = err
		}
	}
	return s.failed
}

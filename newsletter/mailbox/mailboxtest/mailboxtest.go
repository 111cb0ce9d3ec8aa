// Package mailboxtest is an IMAP server in the process, with one account, for tests. It keeps nothing.
package mailboxtest

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
)

// Server is a running server and the way to its mailbox.
type Server struct {
	mailbox.IMAP
	t    testing.TB
	user *imapmemserver.User

	mu         sync.Mutex
	unreadable map[imap.UID]bool // true: the connection ends over it
	frozen     bool
	hangsUp    bool // over a flag
}

// New starts a server that ends with the test.
func New(t testing.TB, security mailer.TLS) *Server {
	t.Helper()
	certificate, roots := smtptest.Certificate(t, "127.0.0.1")
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	memory, user := imapmemserver.New(), imapmemserver.NewUser("bounces", "hush")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	memory.AddUser(user)
	s := &Server{t: t, user: user, unreadable: map[imap.UID]bool{}, IMAP: mailbox.IMAP{
		Host: "127.0.0.1", Port: port, TLS: security, Username: "bounces", Password: "hush", Folder: "INBOX", Roots: roots, MaxSize: 1 << 20,
	}}
	options := &imapserver.Options{
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return session{memory.NewSession(), s, c}, nil, nil
		},
		InsecureAuth: security == mailer.NoTLS, Logger: log.New(io.Discard, "", 0),
	}
	switch security {
	case mailer.StartTLS:
		options.TLSConfig = config
	case mailer.Implicit:
		listener = tls.NewListener(listener, config)
	}
	running, ended := imapserver.New(options), make(chan struct{})
	go func() {
		defer close(ended)
		_ = running.Serve(listener) // it says that it was closed
	}()
	t.Cleanup(func() { _ = running.Close(); <-ended })
	return s
}

// Lose makes a message one that the server doesn't give out: it says so, or with hangUp set ends the connection.
func (s *Server) Lose(uid imap.UID, hangUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreadable[uid] = hangUp
}

// Find takes Lose back.
func (s *Server) Find(uid imap.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unreadable, uid)
}

// Freeze lets nobody set a flag: the server says so, or with hangUp set ends the connection.
func (s *Server) Freeze(hangUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen, s.hangsUp = true, hangUp
}

// session is one that may refuse.
type session struct {
	imapserver.Session
	server *Server
	conn   *imapserver.Conn
}

func refuse(c *imapserver.Conn, hangUp bool, text string) error {
	if hangUp {
		return c.NetConn().Close()
	}
	return &imap.Error{Type: imap.StatusResponseTypeNo, Text: text}
}

func (c session) Fetch(w *imapserver.FetchWriter, of imap.NumSet, options *imap.FetchOptions) error {
	if uids, ok := of.(imap.UIDSet); ok && len(options.BodySection) > 0 {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		for uid, hangUp := range c.server.unreadable {
			if uids.Contains(uid) {
				return refuse(c.conn, hangUp, "the message can't be read")
			}
		}
	}
	return c.Session.Fetch(w, of, options)
}

func (c session) Store(w *imapserver.FetchWriter, of imap.NumSet, flags *imap.StoreFlags, options *imap.StoreOptions) error {
	c.server.mu.Lock()
	frozen, hangsUp := c.server.frozen, c.server.hangsUp
	c.server.mu.Unlock()
	if frozen {
		return refuse(c.conn, hangsUp, "the folder is read-only")
	}
	return c.Session.Store(w, of, flags, options)
}

type literal struct{ *strings.Reader }

// Put brings messages into the mailbox.
func (s *Server) Put(messages ...string) {
	s.t.Helper()
	for _, m := range messages {
		if _, err := s.user.Append(s.Folder, literal{strings.NewReader(m)}, &imap.AppendOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Unread lists the UIDs of messages that nobody has marked as read.
func (s *Server) Unread() []imap.UID {
	return s.find(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}})
}

// All lists the UIDs of all messages.
func (s *Server) All() []imap.UID { return s.find(&imap.SearchCriteria{}) }

func (s *Server) find(what *imap.SearchCriteria) []imap.UID {
	s.t.Helper()
	dial := imapclient.DialInsecure
	switch s.TLS {
	case mailer.Implicit:
		dial = imapclient.DialTLS
	case mailer.StartTLS:
		dial = imapclient.DialStartTLS
	}
	client, err := dial(net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), &imapclient.Options{TLSConfig: &tls.Config{RootCAs: s.Roots}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	err = client.Login(s.Username, string(s.Password)).Wait()
	if err == nil {
		_, err = client.Select(s.Folder, nil).Wait()
	}
	var found *imap.SearchData
	if err == nil {
		found, err = client.UIDSearch(what, nil).Wait()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return found.AllUIDs()
}

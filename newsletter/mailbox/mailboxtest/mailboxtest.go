// Package mailboxtest is an IMAP server in the process, with one account, for tests. It keeps nothing.
package mailboxtest

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
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
	options := &imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
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
	return &Server{t: t, user: user, IMAP: mailbox.IMAP{
		Host: "127.0.0.1", Port: port, TLS: security, Username: "bounces", Password: "hush", Folder: "INBOX", Roots: roots, MaxSize: 1 << 20,
	}}
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

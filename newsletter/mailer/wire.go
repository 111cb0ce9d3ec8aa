package mailer

import (
	"bytes"
	"errors"
	"net"
	"sync"
)

// errFlood is a relay that says more than any reply can hold.
var errFlood = errors.New("the relay talks without end")

// maxBetweenWrites bounds what a relay may say, in octets, before it is our turn again. A TLS handshake fits well.
const maxBetweenWrites = 256 << 10

// wire is the socket under everything. Through it we know how far go-mail got, keep what it reads within bounds, and can
// close the socket whatever state TLS or go-mail is in. All but Close belongs to one goroutine.
type wire struct {
	net.Conn
	phase  string // where connecting is; empty once connected
	secure bool   // the handshake is done
	bare   bool   // STARTTLS was said, its reply is being read
	heard  int    // octets since our last write

	mu     sync.Mutex
	closed bool
	dialed bool // Conn is set
}

// open takes the dialled socket, and closes it at once if Close came first.
func (w *wire) open(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Conn, w.dialed, w.phase = conn, true, "greeting"
	if w.closed {
		conn.Close()
	}
}

// secured notes that the peer has shown its certificate.
func (w *wire) secured() { w.secure, w.phase = true, "ehlo" }

// Read keeps to single octets while the reply to STARTTLS comes. So what an attacker put behind that reply in clear text
// stays in the socket, and breaks the handshake instead of passing for what the relay said inside TLS (RFC 3207 section
// 4.2).
func (w *wire) Read(p []byte) (int, error) {
	if w.heard >= maxBetweenWrites {
		return 0, errFlood
	}
	if w.bare && len(p) > 1 {
		p = p[:1]
	}
	n, err := w.Conn.Read(p)
	w.heard += n
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.heard = 0
	w.bare = bytes.HasPrefix(p, []byte("STARTTLS"))
	switch {
	case w.bare:
		w.phase = "tls"
	case w.phase == "greeting":
		w.phase = "ehlo"
	}
	return w.Conn.Write(p)
}

// Close closes the socket without a word, not even TLS's. It is safe to call twice and from any goroutine.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if !w.dialed {
		return nil
	}
	return w.Conn.Close()
}

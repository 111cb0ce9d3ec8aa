package outbox_test

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tap stands on the line between a client, which may be another process, and a test server. It sees what either side writes
// as octets, whatever the client makes of SMTP, and can cut a connection between any two of them.
type tap struct {
	listener net.Listener
	tapping  sync.WaitGroup

	hooks hooks

	mu     sync.Mutex
	server string // where the next connection goes
	conns  map[net.Conn]bool
	opened int
	closed bool
}

// hooks are told of each piece; nil: nobody is.
type hooks struct {
	before func(piece) (goOn bool) // false cuts the connection instead
	half   func(piece) bool        // of a piece that before cuts: half of it goes on first
	after  func(piece) (goOn bool) // it went on; false cuts the connection then
}

// piece is what a side wrote at once: of the client what one read found, of the server a line. An empty one of the client is
// its connecting.
type piece struct {
	conn       int // the connection's number
	fromServer bool
	text       []byte
}

func newTap(t testing.TB, h hooks) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if h.before == nil {
		h.before = func(piece) bool { return true }
	}
	if h.half == nil {
		h.half = func(piece) bool { return false }
	}
	if h.after == nil {
		h.after = func(piece) bool { return true }
	}
	p := &tap{listener: l, hooks: h, conns: map[net.Conn]bool{}}
	p.tapping.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		l.Close()
		p.hangUp()
		p.tapping.Wait()
	})
	return p
}

func (p *tap) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// leadTo sets the server of the connections to come.
func (p *tap) leadTo(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = addr
}

// hangUp ends all connections.
func (p *tap) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *tap) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		p.opened++
		n, to := p.opened, p.server
		p.mu.Unlock()
		p.tapping.Go(func() { p.join(n, client, to) })
	}
}

// keep notes a connection, or closes it where the test is over.
func (p *tap) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

// join carries octets both ways until one side ends or a hook cuts.
func (p *tap) join(n int, client net.Conn, to string) {
	defer client.Close()
	if !p.keep(client) || !p.hooks.before(piece{conn: n}) {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(server) {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		p.carry(n, true, client, server)
		client.Close()
	}()
	p.carry(n, false, server, client)
	server.Close()
	<-back
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *tap) carry(n int, fromServer bool, to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		k, err := from.Read(buf)
		if err != nil {
			return
		}
		pieces := [][]byte{buf[:k]}
		if fromServer {
			pieces = slices.Collect(bytes.Lines(buf[:k]))
		}
		for _, text := range pieces {
			one := piece{n, fromServer, text}
			goOn := p.hooks.before(one)
			if p.hooks.half(one) {
				_, _ = to.Write(text[:len(text)/2])
			}
			if !goOn {
				return
			}
			if _, err := to.Write(text); err != nil {
				return
			}
			if !p.hooks.after(one) {
				return
			}
		}
	}
}

// ends says whether a server's line ends a transaction with the content taken.
func (p piece) ends() bool {
	return p.fromServer && bytes.HasPrefix(p.text, []byte("250 ")) && bytes.Contains(p.text, []byte("taken"))
}

// recipients reads the RCPT commands in what a client writes, in order, also where they are cut by a packet's end.
type recipients struct {
	rest map[int]string // by connection: a line not at its end yet
}

func (r *recipients) in(p piece) (all []string) {
	if r.rest == nil {
		r.rest = map[int]string{}
	}
	lines := strings.Split(r.rest[p.conn]+string(p.text), "\n")
	r.rest[p.conn] = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		if to, ok := strings.CutPrefix(line, "RCPT TO:<"); ok {
			to, _, _ = strings.Cut(to, ">")
			all = append(all, to)
		}
	}
	return all
}

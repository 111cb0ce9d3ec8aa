package web

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/netutil"

	"pressrun/subscribers"
)

// LimitListener keeps a flood of connections from taking all handles of the process: more than all at once wait in the kernel's
// queue. More than perNetwork from one network are closed at once, so that one that holds connections open can't keep everybody
// else, and mail programs with their one-clicks, out. Exempt are trusted networks, where proxies stand before many
// visitors, and this machine.
func LimitListener(l net.Listener, all, perNetwork int, trusted []netip.Prefix) net.Listener {
	return netutil.LimitListener(&networkListener{Listener: l, most: perNetwork, trusted: trusted, open: map[netip.Prefix]int{}}, all)
}

type networkListener struct {
	net.Listener
	most    int
	trusted []netip.Prefix

	mu   sync.Mutex
	open map[netip.Prefix]int
}

func (l *networkListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := remote(conn.RemoteAddr().String())
		if from.IsLoopback() || within(l.trusted, from) {
			return conn, nil
		}
		network := subscribers.Network(from)
		if l.take(network) {
			return &networkConn{Conn: conn, l: l, network: network}, nil
		}
		_ = conn.Close() // whoever holds so many knows why
	}
}

// take counts a connection, if it is not one too many.
func (l *networkListener) take(network netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[network] >= l.most {
		return false
	}
	l.open[network]++
	return true
}

func (l *networkListener) giveBack(network netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[network]--; l.open[network] == 0 {
		delete(l.open, network)
	}
}

// networkConn is counted until it is closed.
type networkConn struct {
	net.Conn
	l       *networkListener
	network netip.Prefix
	once    sync.Once
}

func (c *networkConn) Close() error {
	c.once.Do(func() { c.l.giveBack(c.network) })
	return c.Conn.Close()
}

package web_test

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pressrun/newsletter/web"
)

// farListener is a listener whose connections come from where the test says.
type farListener struct {
	net.Listener
	from chan string
}

type farConn struct {
	net.Conn
	from net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.from }

func (l farListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return farConn{conn, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(<-l.from))}, nil
}

// TestConnectionsPerNetwork opens many connections from one network: the others come in, proxies are not counted, and what is
// closed may be opened again.
func TestConnectionsPerNetwork(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	far := farListener{inner, make(chan string, 1)}
	l := web.LimitListener(far, 100, 3, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	// come opens a connection, and says whether the server kept it.
	come := func(from string) (net.Conn, bool) {
		t.Helper()
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		far.from <- from
		closed := make(chan error, 1)
		go func() { _, err := conn.Read(make([]byte, 1)); closed <- err }()
		select {
		case kept := <-accepted:
			return kept, true
		case err := <-closed:
			if err != io.EOF {
				t.Fatalf("from %s: %v", from, err)
			}
			return nil, false
		case <-time.After(time.Minute):
			t.Fatalf("from %s: neither accepted nor closed", from)
			return nil, false
		}
	}
	var got []bool
	var first net.Conn
	for i, from := range []string{
		"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1", "198.51.100.1:1", "[2001:db8::1]:1",
		"10.1.1.1:1", "10.1.1.1:2", "10.1.1.1:3", "10.1.1.1:4", "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4",
	} {
		conn, ok := come(from)
		if got = append(got, ok); i == 0 {
			first = conn
		}
	}
	if want := []bool{true, true, true, false, true, true, true, true, true, true, true, true, true, true}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	first.Close()
	first.Close()
	if _, ok := come("192.0.2.5:1"); !ok {
		t.Error("a connection that was closed is still counted")
	}
	if _, ok := come("192.0.2.6:1"); ok {
		t.Error("a connection that was closed twice is given back twice")
	}
}

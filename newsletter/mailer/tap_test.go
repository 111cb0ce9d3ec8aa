package mailer_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// tap passes on what client and server say and counts how often it becomes the client's turn: those are the round trips.
type tap struct {
	port  int
	turns atomic.Int64
}

func tapped(t *testing.T, server string) *tap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{port: listener.Addr().(*net.TCPAddr).Port}
	var running sync.WaitGroup
	running.Go(func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		behind, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer behind.Close()
		running.Go(func() {
			_, _ = io.Copy(client, behind)
			client.Close()
		})
		_, _ = io.Copy(turns{behind, p}, client)
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return p
}

// turns counts writes: what a client says without waiting is read here at once, or nearly so.
type turns struct {
	io.Writer
	*tap
}

func (w turns) Write(p []byte) (int, error) {
	w.turns.Add(1)
	return w.Writer.Write(p)
}

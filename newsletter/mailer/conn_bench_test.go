package mailer_test

import (
	"bytes"
	"context"
	"net"
	"testing"

	"pressrun/newsletter/mailer"
)

// prompt is a relay that has answered as soon as it was written to, without any network, or over pipe by a system's socket.
type prompt struct {
	net.Conn // for deadlines
	replies  bytes.Buffer
}

func (p *prompt) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("EHLO")) {
		p.replies.WriteString("250-relay.example\r\n250-PIPELINING\r\n250 SIZE 100000000\r\n")
		return len(b), nil
	}
	if !bytes.HasPrefix(b, []byte("MAIL")) {
		p.replies.WriteString("250 2.0.0 Ok: queued as 4B7F2C0A91D\r\n")
	}
	if bytes.HasSuffix(b, []byte("\nDATA\r\n")) {
		p.replies.WriteString("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n")
	}
	return len(b), nil
}

func (p *prompt) Read(b []byte) (int, error) { return p.replies.Read(b) }

// BenchmarkConn hands over a message of 9 KB, its envelope sent with the content before it, without the system's part but deadlines.
func BenchmarkConn(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	idle, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	relay := &prompt{Conn: idle}
	relay.replies.WriteString("220 relay.example\r\n")
	conn, err := mailer.ConnOver(relay)
	if err != nil {
		b.Fatal(err)
	}
	m, err := compile(b, letterForm()).Message(nil, recipient())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hard, cut := context.WithCancel(context.Background())
	defer cut()
	b.ReportAllocs()
	for b.Loop() {
		if out, err := conn.Envelope(ctx, m); err != nil || out.State != mailer.Accepted {
			b.Fatal(out, err)
		}
		if out, err := conn.Content(hard, &m); err != nil || out.State != mailer.Accepted {
			b.Fatal(out, err)
		}
	}
}

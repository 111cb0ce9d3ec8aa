package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// took is what the sink has taken. Sum is order-independent, so that it can be compared with a table's rows.
type took struct {
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"` // without what makes them ready for the wire, and without our signatures
	First    int64  `json:"first"` // Unix ns of the first message; 0: none
	Sum      digest `json:"sum"`
}

// digest is a sum of SHA-256 hashes, each 64-bit word for itself: unlike with exclusive or, a message twice shows.
type digest [4]uint64

func (d *digest) add(hash [sha256.Size]byte) {
	for i := range d {
		d[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
}

// addHex adds a hash as rows keep it.
func (d *digest) addHex(s string) error {
	var hash [sha256.Size]byte
	if n, err := hex.Decode(hash[:], []byte(s)); err != nil || n != len(hash) {
		return fmt.Errorf("%q is no SHA-256", s)
	}
	d.add(hash)
	return nil
}

func (a *app) benchSinkCommand() *cobra.Command {
	var s sink
	cmd := &cobra.Command{
		Use:    "bench-sink",
		Short:  "The mail server of bench: it takes everything and counts",
		Hidden: true,
		Long: `Prints its address, then takes messages by SMTP until its standard input ends. For each line there it prints, as JSON,
what it took since the last one.`,
		Example: "  pressrun bench-sink --latency 20ms",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), a.in, a.out) },
	}
	cmd.Flags().DurationVar(&s.latency, "latency", 0, "how long a reply is on its way")
	cmd.Flags().BoolVar(&s.chunking, "chunking", false, "offer BDAT (RFC 3030)")
	return cmd
}

// sink is a mail server that looks at nothing but where messages end.
type sink struct {
	latency  time.Duration
	chunking bool

	mu   sync.Mutex
	took took
}

func (s *sink) run(ctx context.Context, orders io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	defer listener.Close()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		s.mu.Lock()
		sofar := s.took
		s.took = took{}
		s.mu.Unlock()
		if err := json.NewEncoder(out).Encode(sofar); err != nil {
			return err
		}
	}
	return nil
}

// count notes a message before it is answered.
func (s *sink) count(content []byte) {
	content = unsigned(content)
	hash := sha256.Sum256(content)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took.Messages == 0 {
		s.took.First = time.Now().UnixNano()
	}
	s.took.Messages++
	s.took.Bytes += int64(len(content))
	s.took.Sum.add(hash)
}

// unstuffed takes the dots away that SMTP adds (RFC 5321 section 4.5.2).
func unstuffed(content []byte) []byte {
	content = bytes.TrimPrefix(content, []byte("."))
	if !bytes.Contains(content, []byte("\r\n.")) {
		return content
	}
	return bytes.ReplaceAll(content, []byte("\r\n."), []byte("\r\n"))
}

// unsigned takes the signatures away that stand on top.
func unsigned(content []byte) []byte {
	for bytes.HasPrefix(content, []byte("DKIM-Signature:")) {
		end := bytes.Index(content, []byte("\r\n")) + 2
		for end < len(content) && (content[end] == ' ' || content[end] == '\t') {
			end += bytes.Index(content[end:], []byte("\r\n")) + 2
		}
		content = content[end:]
	}
	return content
}

// mostContent bounds a message of the bench, in octets.
const mostContent = 8 << 20

var errTooLong = errors.New("longer than any message of the bench")

// session is one connection to the sink.
type session struct {
	sink *sink
	in   io.Reader
	out  *bufio.Writer
	room []byte // what was read; of it come[:] is not used up
	come []byte
}

func (s *sink) serve(conn net.Conn) {
	var out io.WriteCloser = conn
	if s.latency > 0 {
		out = newDelayLine(conn, s.latency)
	}
	defer out.Close()
	v := session{sink: s, in: conn, out: bufio.NewWriter(out), room: make([]byte, 64<<10)}
	v.say("220 sink.invalid ESMTP")
	for v.command() == nil {
	}
	_ = v.out.Flush() // the client has gone
}

func (v *session) say(line string) { _, _ = v.out.WriteString(line + "\r\n") } // the next read finds the fault

// more waits for further octets, once all that was asked is answered.
func (v *session) more() error {
	if len(v.come) >= mostContent {
		return errTooLong
	}
	if err := v.out.Flush(); err != nil {
		return err
	}
	if len(v.come) == len(v.room) {
		v.room = append(v.room, make([]byte, len(v.room))...)
	}
	n := copy(v.room, v.come)
	read, err := v.in.Read(v.room[n:])
	v.come = v.room[:n+read]
	if read > 0 {
		return nil
	}
	return err
}

// until takes everything up to an end, the end included.
func (v *session) until(end []byte) (taken []byte, err error) {
	for from := 0; ; {
		if at := bytes.Index(v.come[from:], end); at >= 0 {
			at += from + len(end)
			taken, v.come = v.come[:at], v.come[at:]
			return taken, nil
		}
		from = max(0, len(v.come)-len(end)+1)
		if err := v.more(); err != nil {
			return nil, err
		}
	}
}

// octets takes as many.
func (v *session) octets(n int) (taken []byte, err error) {
	for len(v.come) < n {
		if err := v.more(); err != nil {
			return nil, err
		}
	}
	taken, v.come = v.come[:n], v.come[n:]
	return taken, nil
}

// command takes one command and answers it.
func (v *session) command() error {
	line, err := v.until([]byte("\r\n"))
	if err != nil {
		return err
	}
	verb, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	switch string(bytes.ToUpper(verb)) {
	case "EHLO":
		v.hello()
	case "DATA":
		return v.data()
	case "BDAT":
		return v.chunk(string(rest))
	case "QUIT":
		v.say("221 2.0.0 bye")
		return io.EOF
	case "MAIL", "RCPT", "RSET", "NOOP":
		v.say("250 2.0.0 ok")
	default:
		v.say("500 5.5.1 not known here")
	}
	return nil
}

func (v *session) hello() {
	v.say("250-sink.invalid")
	v.say("250-PIPELINING")
	v.say("250-ENHANCEDSTATUSCODES")
	if v.sink.chunking {
		v.say("250-CHUNKING")
	}
	v.say("250-8BITMIME")
	v.say("250 SMTPUTF8")
}

func (v *session) data() error {
	v.say("354 go on")
	content, err := v.until([]byte("\r\n.\r\n"))
	if err != nil {
		return err
	}
	v.sink.count(unstuffed(content[:len(content)-len(".\r\n")]))
	v.say("250 2.0.0 taken")
	return nil
}

// chunk takes a message that comes as one last chunk; more of them the bench has no use for.
func (v *session) chunk(args string) error {
	size, last, _ := bytes.Cut([]byte(args), []byte(" "))
	n, err := strconv.Atoi(string(size))
	if err != nil || n < 0 || n > mostContent || !bytes.EqualFold(last, []byte("LAST")) {
		v.say("501 5.5.4 one chunk, the last")
		return errTooLong
	}
	content, err := v.octets(n)
	if err != nil {
		return err
	}
	v.sink.count(content)
	v.say("250 2.0.0 taken")
	return nil
}

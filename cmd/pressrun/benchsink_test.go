package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// The sink finds the end of each message however its octets come, and counts what was sent before dots and signatures.
func TestSinkCounts(t *testing.T) {
	const message = "Subject: x\r\n\r\n.dot\r\nend\r\n"
	talk := strings.Join([]string{
		"EHLO a", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA",
		"DKIM-Signature: a=b;\r\n c=d\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.",
		"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "BDAT 25 LAST", message + "NOOP", "WHAT", "QUIT", "",
	}, "\r\n")
	for name, slow := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "octet by octet": iotest.OneByteReader, "in halves": iotest.HalfReader,
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			s := sink{chunking: true}
			v := session{sink: &s, in: slow(strings.NewReader(talk)), out: bufio.NewWriter(&out), room: make([]byte, 8)}
			for v.command() == nil {
			}
			if err := v.out.Flush(); err != nil {
				t.Fatal(err)
			}
			hash := sha256.Sum256([]byte(message))
			var want digest
			want.add(hash)
			want.add(hash)
			if s.took.Messages != 2 || s.took.Bytes != 2*int64(len(message)) || s.took.Sum != want || s.took.First == 0 {
				t.Errorf("took %+v, want two times %q", s.took, message)
			}
			_, rest, _ := strings.Cut(out.String(), "250 SMTPUTF8\r\n")
			const answers = "250 2.0.0 ok\r\n250 2.0.0 ok\r\n354 go on\r\n250 2.0.0 taken\r\n250 2.0.0 ok\r\n250 2.0.0 ok\r\n250 2.0.0 taken\r\n" +
				"250 2.0.0 ok\r\n500 5.5.1 not known here\r\n221 2.0.0 bye\r\n"
			if rest != answers {
				t.Errorf("answered\n%s\nwant\n%s", rest, answers)
			}
		})
	}
}

// A message that never ends doesn't fill the memory.
func TestSinkBoundsMessages(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("DATA\r\n"), iotest.DataErrReader(forever{}))
	v := session{sink: &sink{}, in: endless, out: bufio.NewWriter(io.Discard), room: make([]byte, 8)}
	if err := v.command(); !errors.Is(err, errTooLong) {
		t.Errorf("got %v, want errTooLong", err)
	}
}

type forever struct{}

func (forever) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Sums of hashes don't depend on the order, and one message twice is not none.
func TestDigest(t *testing.T) {
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	sum := func(all ...[sha256.Size]byte) (d digest) {
		for _, hash := range all {
			if err := d.addHex(hex.EncodeToString(hash[:])); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	if sum(a, b) != sum(b, a) || sum(a, b, b) == sum(a) || sum(a) == sum(b) {
		t.Errorf("sums: %x, %x, %x, %x", sum(a, b), sum(b, a), sum(a, b, b), sum(a))
	}
	for _, bad := range []string{"", "ab", strings.Repeat("z", 64)} {
		if err := new(digest).addHex(bad); err == nil {
			t.Errorf("%q was taken for a hash", bad)
		}
	}
}

// One count that differs is enough to fail.
func TestBenchDisagrees(t *testing.T) {
	rows := took{Messages: 5, Sum: digest{1, 2, 3, 4}}
	good := benchReport{Messages: 5, Marks: 5, SinkMessages: 5}
	if err := good.disagrees(5, rows, rows.Sum); err != nil {
		t.Errorf("got %v, want agreement", err)
	}
	for name, spoil := range map[string]func(r *benchReport, rows *took){
		"answers": func(r *benchReport, _ *took) { r.Messages-- }, "marks": func(r *benchReport, _ *took) { r.Marks++ },
		"server": func(r *benchReport, _ *took) { r.SinkMessages++ }, "rows": func(_ *benchReport, rows *took) { rows.Messages-- },
		"hashes": func(_ *benchReport, rows *took) { rows.Sum[3]++ },
	} {
		r, bad := good, rows
		spoil(&r, &bad)
		if err := r.disagrees(5, bad, rows.Sum); !errors.Is(err, errDisagree) {
			t.Errorf("%s: got %v, want errDisagree", name, err)
		}
	}
}

// Pieces come out late, whole, in order, and the second doesn't wait for the first.
func TestDelayLine(t *testing.T) {
	near, far := net.Pipe()
	d := newDelayLine(near, 0)
	go func() {
		for _, piece := range []string{"one ", "two ", "three"} {
			_, _ = d.Write([]byte(piece))
		}
		_ = d.Close()
	}()
	got, err := io.ReadAll(far)
	if string(got) != "one two three" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

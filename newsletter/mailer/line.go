package mailer

import (
	"bytes"
	"mime/quotedprintable"
	"sync"
)

// maxLine is quoted-printable's limit for a line without its CRLF (RFC 2045 section 6.7).
const maxLine = 76

// lineWriter encodes text line by line: a soft break depends on nothing before its line.
type lineWriter struct {
	text    []byte
	encoded bytes.Buffer
	encoder *quotedprintable.Writer
}

var lineWriters = sync.Pool{New: func() any {
	w := new(lineWriter)
	w.encoder = quotedprintable.NewWriter(&w.encoded)
	return w
}}

// appendLine appends a line of text, filled in and as it stands in a message's body, with its CRLF. A line feed that a value
// may bring ends a line like any other.
func appendLine(dst []byte, line Blank, name, token string) []byte {
	w := lineWriters.Get().(*lineWriter)
	defer lineWriters.Put(w)
	w.text = w.text[:0]
	for _, p := range line {
		w.text = append(w.text, p.fill(name, token)...)
	}
	w.encoded.Reset()
	_, _ = w.encoder.Write(w.text) // into memory
	_ = w.encoder.Close()          // writes what it holds back, and may be used again
	w.encoded.WriteString("\r\n")
	return appendShielded(dst, w.encoded.Bytes())
}

// appendShielded appends body lines, those encoded that start with a dot or with "From ", which careless relays and mailbox
// files alter on their way. The parts are quoted-printable, so the text stays the same.
func appendShielded(dst, body []byte) []byte {
	for len(body) > 0 {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\r\n"))
		for len(line) > 0 && line[0] == '.' || bytes.HasPrefix(line, []byte("From ")) {
			const hex = "0123456789ABCDEF"
			dst = append(dst, '=', hex[line[0]>>4], hex[line[0]&0xF])
			line = line[1:]
			if len(line)+len("=2E") <= maxLine {
				break
			}
			dst = append(dst, "=\r\n"...) // a soft break; what follows starts a line again
		}
		dst = append(append(dst, line...), "\r\n"...)
	}
	return dst
}

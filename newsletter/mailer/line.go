package mailer

import (
	"bytes"
	"slices"
)

// maxLine is quoted-printable's limit for a line without its CRLF (RFC 2045 section 6.7).
const maxLine = 76

const hexDigits = "0123456789ABCDEF"

// encoded gives a line of text its octets as quoted-printable has them, still without soft breaks. What comes into its holes is
// encoded then.
func (b Blank) encoded() Blank {
	all := slices.Clone(b)
	for i, p := range all {
		if p.Hole != NoHole {
			continue
		}
		var octets []byte
		for j := range len(p.Text) {
			ends := i == len(all)-1 && j == len(p.Text)-1
			octets = appendOctet(octets, p.Text[j], ends)
		}
		all[i].Text = string(octets)
	}
	return all
}

// standsForItself tells of an octet that quoted-printable writes as it is, where no line ends after it.
func standsForItself(b byte) bool { return b >= ' ' && b <= '~' && b != '=' || b == '\t' }

// appendOctet appends an octet of a line encoded; ends says that it is the line's last.
func appendOctet(dst []byte, b byte, ends bool) []byte {
	if standsForItself(b) && !(ends && (b == ' ' || b == '\t')) {
		return append(dst, b)
	}
	return append(dst, '=', hexDigits[b>>4], hexDigits[b&0xF])
}

// appendLine appends a line of text that was encoded, filled in and as it stands in a message's body, with its CRLF. Name and token
// have no line feed and no space at their end.
func appendLine(dst []byte, line Blank, name, token string) []byte {
	w := lineWriter{dst, len(dst)}
	for _, p := range line {
		if p.Hole == NoHole {
			w.encoded(p.Text)
			continue
		}
		w.fill(p.fill(name, token))
	}
	w.end("\r\n")
	return w.out
}

// lineWriter breaks a line where mime/quotedprintable breaks it: when the next octet, or its escape, would be the 76th or go beyond.
type lineWriter struct {
	out   []byte
	start int // of the line since the last break
}

func (w *lineWriter) encoded(s string) {
	for s != "" {
		n := min(maxLine-1-(len(w.out)-w.start), len(s))
		if n < len(s) { // an escape stays whole
			if n > 0 && s[n-1] == '=' {
				n--
			} else if n > 1 && s[n-2] == '=' {
				n -= 2
			}
		}
		w.out = append(w.out, s[:n]...)
		if s = s[n:]; s != "" {
			w.end("=\r\n")
		}
	}
}

func (w *lineWriter) fill(s string) {
	for i := range len(s) {
		long := 1
		if !standsForItself(s[i]) {
			long = 3
		}
		if len(w.out)-w.start+long > maxLine-1 {
			w.end("=\r\n")
		}
		w.out = appendOctet(w.out, s[i], false)
	}
}

// end ends a line, and shields it.
func (w *lineWriter) end(mark string) {
	w.out = append(w.out, mark...)
	if line := w.out[w.start:]; exposed(line) {
		var room [maxLine + len("\r\n")]byte
		w.out = appendShielded(w.out[:w.start], append(room[:0], line...))
	}
	w.start = len(w.out)
}

// exposed tells of a line that careless relays and mailbox files alter on its way.
func exposed(line []byte) bool {
	return len(line) > 0 && (line[0] == '.' || line[0] == 'F' && bytes.HasPrefix(line, []byte("From ")))
}

// appendShielded appends body lines, the first octet of those encoded that start with a dot or with "From ". The parts are
// quoted-printable, so the text stays the same.
func appendShielded(dst, body []byte) []byte {
	for len(body) > 0 {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\r\n"))
		for exposed(line) {
			dst = append(dst, '=', hexDigits[line[0]>>4], hexDigits[line[0]&0xF])
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

package mailer

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// signer makes the signatures of a message (RFC 6376): relaxed/relaxed, the whole body. It is used for one message after the
// other.
type signer struct {
	fields   [][]byte // of the message's header
	names    []string // that signatures cover, in their order
	headers  []byte   // what they cover, canonical
	body     []byte   // canonical
	list     []byte   // h=
	bodyHash []byte   // bh=
	at       int64    // t=
	sum      [sha256.Size]byte
	digits   []byte // of a signature
	lines    []byte // the signatures made so far, each with its lines
}

var signers = sync.Pool{New: func() any { return new(signer) }}

// read takes up a message and the header lines that come above it.
func (s *signer) read(lines, message []byte, kind Kind) {
	head, body := split(message)
	s.fields = appendFields(appendFields(s.fields[:0], lines), head)
	s.names = kind.covered(s.names[:0], s.fields)
	s.headers, s.list, s.lines = s.headers[:0], s.list[:0], s.lines[:0]
	for i, name := range s.names {
		// The nth time that a name is listed is the nth field from below (section 5.4.2); where there is none, none may come.
		if field := nthFromBelow(s.fields, name, count(s.names[:i], name)); field != nil {
			s.headers = appendRelaxedField(s.headers, field)
		}
		if i > 0 {
			s.list = append(s.list, ':')
		}
		s.list = append(s.list, name...)
	}
	s.sum = sha256.Sum256(s.relaxed(body))
	s.bodyHash = base64.StdEncoding.AppendEncode(s.bodyHash[:0], s.sum[:])
	s.at = time.Now().Unix()
}

// by adds the DKIM-Signature of one key (RFC 6376, RFC 8463).
func (s *signer) by(key DKIMKey) error {
	if key.lost != nil {
		return key.lost
	}
	start, covered := len(s.lines), len(s.headers)
	s.tags(key)
	s.headers = appendRelaxedField(s.headers, append(s.lines[start:], " b="...))
	s.sum = sha256.Sum256(bytes.TrimSuffix(s.headers, []byte("\r\n")))
	s.headers = s.headers[:covered]
	hashed := crypto.SignerOpts(crypto.SHA256)
	if key.Algorithm() == ed25519Name {
		hashed = crypto.Hash(0) // it signs the hash as if that were the message (RFC 8463 section 3)
	}
	signature, err := key.signer.Sign(rand.Reader, s.sum[:], hashed)
	if err != nil {
		return err
	}
	s.digits = base64.StdEncoding.AppendEncode(append(s.digits[:0], " b="...), signature)
	text := s.digits
	s.lines = append(s.lines, "\r\n"...)
	for len(text) > signatureLine {
		s.lines = append(append(s.lines, text[:signatureLine]...), "\r\n "...)
		text = text[signatureLine:]
	}
	s.lines = append(append(s.lines, text...), "\r\n"...)
	return nil
}

// signatureLine is how much of a signature stands in a line.
const signatureLine = 75

// tags adds the header up to its signature.
func (s *signer) tags(key DKIMKey) {
	s.lines = append(s.lines, "DKIM-Signature:"...)
	start := 0 // of the tags in the line
	s.lines = appendTag(s.lines, &start, "a", key.Algorithm()+"-sha256")
	s.lines = appendTag(s.lines, &start, "bh", s.bodyHash)
	s.lines = appendTag(s.lines, &start, "c", "relaxed/relaxed")
	s.lines = appendTag(s.lines, &start, "d", key.Domain)
	s.lines = appendTag(s.lines, &start, "h", s.list)
	s.lines = appendTag(s.lines, &start, "s", key.Selector)
	s.lines = appendTag(s.lines, &start, "t", strconv.FormatInt(s.at, 10))
	s.lines = appendTag(s.lines, &start, "v", "1")
}

// appendTag appends a tag, in a new line where it would make this one, in which so many octets of tags stand, too long.
func appendTag[T string | []byte](line []byte, octets *int, name string, value T) []byte {
	length := len(" =;") + len(name) + len(value)
	if *octets+length > signatureLine {
		line, *octets = append(line, "\r\n"...), 0
	}
	*octets += length
	line = append(append(append(line, ' '), name...), '=')
	return append(append(line, value...), ';')
}

// covered appends the h= of a message: what it has of the signed headers, and the sealed ones once more.
func (k Kind) covered(list []string, all [][]byte) []string {
	for _, name := range signed {
		if !slices.Contains(k.Rewrites, name) && nthFromBelow(all, name, 0) != nil {
			list = append(list, name)
		}
	}
	for _, name := range sealed {
		if !slices.Contains(k.Rewrites, name) {
			list = append(list, name)
		}
	}
	return list
}

func count(names []string, name string) (n int) {
	for _, other := range names {
		if other == name {
			n++
		}
	}
	return n
}

// nthFromBelow is the field of a name that has n others of it below; nil: none.
func nthFromBelow(all [][]byte, name string, n int) []byte {
	for _, field := range slices.Backward(all) {
		if len(field) > len(name) && field[len(name)] == ':' && strings.EqualFold(string(field[:len(name)]), name) {
			if n--; n < 0 {
				return field
			}
		}
	}
	return nil
}

// appendRelaxedField appends a header field, given with its CRLF, in relaxed form (section 3.4.2).
func appendRelaxedField(dst, field []byte) []byte {
	name, value, _ := bytes.Cut(field, []byte(":"))
	for _, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	dst = append(dst, ':')
	space := false
	start := len(dst)
	for _, b := range value {
		if b == ' ' || b == '\t' || b == '\r' || b == '\n' {
			space = true
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		dst, space = append(dst, b), false
	}
	return append(dst, "\r\n"...)
}

// relaxed is a body of whole lines in relaxed form (section 3.4.4): no space at the end of a line, one between words, no empty
// lines at the end.
func (s *signer) relaxed(body []byte) []byte {
	s.body = s.body[:0]
	for at := slack(body); at >= 0; at = slack(body) {
		s.body = append(s.body, bytes.TrimSuffix(body[:at], []byte(" "))...) // the one before a tab
		body = bytes.TrimLeft(body[at:], " \t")
		if len(body) > 0 && body[0] != '\r' {
			s.body = append(s.body, ' ')
		}
	}
	s.body = append(s.body, body...)
	for bytes.HasSuffix(s.body, []byte("\r\n\r\n")) {
		s.body = s.body[:len(s.body)-2]
	}
	if string(s.body) == "\r\n" {
		return nil
	}
	return s.body
}

// slack is where in whole lines a tab, two spaces or a space before a line end come first; -1: nowhere. It looks at eight octets at
// a time, since each body is looked through once: an octet of tab, two or end is zero where there is one.
func slack(lines []byte) int {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	at := 0
	for ; at+9 <= len(lines); at += 8 {
		octets, next := binary.LittleEndian.Uint64(lines[at:]), binary.LittleEndian.Uint64(lines[at+1:])
		tab, space := octets^('\t'*each), octets^(' '*each)
		two, end := space|(next^(' '*each)), space|(next^('\r'*each))
		// The lowest bit is of a zero octet; those above it need not be.
		if zero := (tab-each)&^tab&high | (two-each)&^two&high | (end-each)&^end&high; zero != 0 {
			return at + bits.TrailingZeros64(zero)/8
		}
	}
	for ; at < len(lines); at++ {
		if b := lines[at]; b == '\t' || b == ' ' && at+1 < len(lines) && (lines[at+1] == ' ' || lines[at+1] == '\r') {
			return at
		}
	}
	return -1
}

package mailer

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signing is what all signatures of a message share (RFC 6376): relaxed/relaxed, the whole body.
type signing struct {
	names    string // h=
	headers  []byte // what it covers, canonical
	bodyHash string // bh=
	at       int64  // t=
}

func newSigning(message []byte, kind Kind) signing {
	head, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	all := fields(head)
	names := kind.covered(all)
	s := signing{names: strings.Join(names, ":"), at: time.Now().Unix()}
	for i, name := range names {
		// The nth time that a name is listed is the nth field from below (section 5.4.2); where there is none, none may come.
		if field := nthFromBelow(all, name, count(names[:i], name)); field != nil {
			s.headers = appendRelaxedField(s.headers, field)
		}
	}
	sum := sha256.Sum256(relaxedBody(body))
	s.bodyHash = base64.StdEncoding.EncodeToString(sum[:])
	return s
}

// by is the DKIM-Signature of one key (RFC 6376, RFC 8463).
func (s signing) by(key DKIMKey) (line []byte, err error) {
	if key.lost != nil {
		return nil, key.lost
	}
	line = s.tags(key)
	covered := appendRelaxedField(slices.Clone(s.headers), append(slices.Clone(line), " b="...))
	sum := sha256.Sum256(bytes.TrimSuffix(covered, []byte("\r\n")))
	hashed := crypto.SignerOpts(crypto.SHA256)
	if key.Algorithm() == ed25519Name {
		hashed = crypto.Hash(0) // it signs the hash as if that were the message (RFC 8463 section 3)
	}
	signature, err := key.signer.Sign(rand.Reader, sum[:], hashed)
	if err != nil {
		return nil, err
	}
	line = append(line, "\r\n"...)
	text := " b=" + base64.StdEncoding.EncodeToString(signature)
	for len(text) > signatureLine {
		line = append(append(line, text[:signatureLine]...), "\r\n "...)
		text = text[signatureLine:]
	}
	return append(append(line, text...), "\r\n"...), nil
}

// signatureLine is how much of a signature stands in a line.
const signatureLine = 75

// tags is the header up to its signature.
func (s signing) tags(key DKIMKey) []byte {
	line := []byte("DKIM-Signature:")
	start := 0 // of the tags in the line
	for _, tag := range [][2]string{
		{"a", key.Algorithm() + "-sha256"},
		{"bh", s.bodyHash},
		{"c", "relaxed/relaxed"},
		{"d", key.Domain},
		{"h", s.names},
		{"s", key.Selector},
		{"t", strconv.FormatInt(s.at, 10)},
		{"v", "1"},
	} {
		length := len(" =;") + len(tag[0]) + len(tag[1])
		if start+length > signatureLine {
			line, start = append(line, "\r\n"...), 0
		}
		line, start = append(line, " "+tag[0]+"="+tag[1]+";"...), start+length
	}
	return line
}

// covered is the h= of a message: what it has of the signed headers, and the sealed ones once more.
func (k Kind) covered(all [][]byte) []string {
	list := make([]string, 0, len(signed)+len(sealed))
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

// relaxedBody is a body of whole lines in relaxed form (section 3.4.4): no space at the end of a line, one between words, no
// empty lines at the end. Most bodies are so already.
func relaxedBody(body []byte) []byte {
	relaxed := body
	if bytes.Contains(body, []byte("  ")) || bytes.Contains(body, []byte(" \r\n")) || bytes.IndexByte(body, '\t') >= 0 {
		relaxed = make([]byte, 0, len(body))
		space := false
		for _, b := range body {
			switch {
			case b == ' ' || b == '\t':
				space = true
				continue
			case space && b != '\r':
				relaxed = append(relaxed, ' ')
			}
			relaxed, space = append(relaxed, b), false
		}
	}
	for bytes.HasSuffix(relaxed, []byte("\r\n\r\n")) {
		relaxed = relaxed[:len(relaxed)-2]
	}
	if string(relaxed) == "\r\n" {
		return nil
	}
	return relaxed
}

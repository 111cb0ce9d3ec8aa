package outbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"pressrun/subscribers"
)

// ReturnPath is the form of the envelope senders of messages to subscribers: an address in which each delivery has a place of its own,
// so that what comes back names it (VERP). With the zero one messages go out from their sender's address.
type ReturnPath struct {
	before, after string // of the place, in lower case
}

// Place stands in an address where what names a delivery belongs.
const Place = "*"

const (
	pathMAC     = 15 // bytes of the MAC: 120 bits
	pathMACText = 24 // and as text
	pathToken   = 13 + len(".") + pathMACText
	maxLocal    = 64 // octets of a local part (RFC 5321 section 4.5.3.1.1)
)

// ParseReturnPath reads an address with Place in its local part; without it, it is the address's detail: "bounces@example.org" is
// "bounces+*@example.org". Errors wrap subscribers.ErrAddress.
func ParseReturnPath(address string) (ReturnPath, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ReturnPath{}, fmt.Errorf("%q: %w", address, subscribers.ErrAddress)
	}
	local := address[:at]
	if !strings.Contains(local, Place) {
		local += "+" + Place
	}
	before, after, _ := strings.Cut(local, Place)
	parsed, err := subscribers.ParseAddress(before + "0" + after + address[at:])
	switch {
	case err != nil:
		return ReturnPath{}, err
	case strings.Contains(after, Place) || strings.ContainsFunc(local, func(r rune) bool { return r > '~' }):
		return ReturnPath{}, fmt.Errorf("%q: %w: one %s, and ASCII letters", address, subscribers.ErrAddress, Place)
	case len(before)+len(after)+pathToken > maxLocal:
		return ReturnPath{}, fmt.Errorf("%q: %w: what stands before the @ may have %d letters, so that each delivery can have its own", address,
			subscribers.ErrAddress, maxLocal-pathToken)
	}
	return ReturnPath{strings.ToLower(before), strings.ToLower(after) + "@" + parsed.Domain}, nil
}

// Domain is the part behind the @, in ASCII.
func (p ReturnPath) Domain() string { return p.after[strings.LastIndexByte(p.after, '@')+1:] }

func (p ReturnPath) off() bool { return p.after == "" }

// append appends the return path of a delivery, the same for all its tries: a relay that greylists knows a letter again by its sender
// and recipient, and a new sender would be put off each time (RFC 6647 section 2.4). The MAC is bound to the number and to the instant
// at which the row was made, both of which stand before the first try. The number alone can come again in a database that was restored:
// what comes back of a delivery made after the backup proves nothing there, and of one that the backup has it proves what it did before.
// A rotation of the key changes nothing of it.
func (p ReturnPath) append(dst []byte, key subscribers.Key, delivery, created int64) []byte {
	dst = append(dst, p.before...)
	start := len(dst)
	dst = strconv.AppendInt(dst, delivery, 36)
	var number, instant [20]byte
	var mac [sha256.Size]byte
	id := append(number[:0], dst[start:]...)
	key.AppendMAC(mac[:0], "return-path", string(id), string(strconv.AppendInt(instant[:0], created, 10)))
	dst = append(dst, '.')
	dst = lowerText.AppendEncode(dst, mac[:pathMAC])
	return append(dst, p.after...)
}

// Sample is a return path of no delivery, to try with whether a relay takes such.
func (p ReturnPath) Sample(key subscribers.Key) string { return string(p.append(nil, key, 0, 0)) }

// delivery reads the number in an address of this form, in any case; ok says that it has the form, not that its MAC is good.
func (p ReturnPath) delivery(address string) (id int64, ok bool) {
	rest, ok := strings.CutPrefix(strings.ToLower(address), p.before)
	if !ok {
		return 0, false
	}
	if rest, ok = strings.CutSuffix(rest, p.after); !ok {
		return 0, false
	}
	number, mac, ok := strings.Cut(rest, ".")
	id, err := strconv.ParseInt(number, 36, 64)
	return id, ok && err == nil && id > 0 && len(mac) == pathMACText
}

// proves says whether an address is the return path of a delivery. Comparison takes constant time.
func (p ReturnPath) proves(key subscribers.Key, address string, delivery, created int64) bool {
	return hmac.Equal(p.append(nil, key, delivery, created), []byte(strings.ToLower(address)))
}

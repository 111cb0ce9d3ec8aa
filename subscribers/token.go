package subscribers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"
)

var (
	// ErrToken says that a token is not ours, was altered, or was made for another purpose.
	ErrToken = errors.New("not a valid link")
	// ErrKey says that a text is no key file of ours.
	ErrKey = errors.New("not a Pressrun key")
)

// Key is the site's secret (pressrun.key). Everything keyed derives from it: tokens, suppression hashes, Message-IDs.
// It prints as [redacted].
type Key struct {
	// A function, since fmt reaches everything else inside of structs whose fields it can't call methods on.
	secret func() []byte
	derive func(purpose string) []byte // the key for a purpose, made once
}

// keySize is the length of the secret in bytes.
const keySize = 32

// keyPrefix leads the text of a key file; the number is of its form.
const keyPrefix = "pressrun-key-1:"

// NewKey makes a random key.
func NewKey() (Key, error) {
	secret := make([]byte, keySize)
	if _, err := rand.Read(secret); err != nil {
		return Key{}, fmt.Errorf("new key: %w", err)
	}
	return keyOf(secret), nil
}

func keyOf(secret []byte) Key {
	var keys sync.Map // by purpose
	return Key{func() []byte { return secret }, func(purpose string) []byte {
		if key, ok := keys.Load(purpose); ok {
			return key.([]byte)
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(purpose))
		key, _ := keys.LoadOrStore(purpose, mac.Sum(nil))
		return key.([]byte)
	}}
}

// ParseKey reads what Encode wrote, surrounding space aside. The error wraps ErrKey and never shows the text.
func ParseKey(s string) (Key, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), keyPrefix)
	if !ok {
		return Key{}, fmt.Errorf("%w: it does not begin with %s", ErrKey, keyPrefix)
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(secret) != keySize {
		return Key{}, fmt.Errorf("%w: its text is damaged or cut off", ErrKey)
	}
	return keyOf(secret), nil
}

// Encode is the text of the key file: one line.
func (k Key) Encode() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k.secret()) }

const redacted = "[redacted]"

func (k Key) String() string { return redacted }

// Format keeps the secret out of every verb, also those that a Stringer is not asked for, such as %d.
func (k Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// LogValue keeps the secret out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON and other documents.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MAC is HMAC-SHA256 under a key derived for purpose, so that what was made for one purpose proves nothing for another.
// It panics on the zero Key, under which anybody could make the same.
func (k Key) MAC(purpose string, data ...string) []byte {
	mac := k.macs(purpose)
	for _, d := range data {
		// Lengths first: "ab","c" must not prove "a","bc".
		mac.Write(binary.AppendUvarint(nil, uint64(len(d))))
		mac.Write([]byte(d))
	}
	return mac.Sum(nil)
}

// macs makes the MACs of one purpose.
func (k Key) macs(purpose string) hash.Hash {
	return hmac.New(sha256.New, k.derive(purpose))
}

// hashAddress is what suppressions name an address by; with a domain led by "@" all of the domain's addresses.
func (k Key) hashAddress(key string) string {
	return base64.RawURLEncoding.EncodeToString(k.MAC("suppression", key))
}

// addressHasher is hashAddress for many addresses in a row, in one goroutine: it makes the key's part of it once, and remembers
// domains.
func (k Key) addressHasher() func(key string) string {
	const most = 10_000
	mac := k.macs("suppression")
	domains := map[string]string{}
	var buf []byte
	return func(key string) string {
		isDomain := key[0] == '@'
		if hash, ok := domains[key]; ok && isDomain {
			return hash
		}
		mac.Reset()
		buf = append(binary.AppendUvarint(buf[:0], uint64(len(key))), key...)
		mac.Write(buf)
		buf = mac.Sum(buf[:0])
		hash := base64.RawURLEncoding.EncodeToString(buf)
		if isDomain && len(domains) < most {
			domains[strings.Clone(key)] = hash
		}
		return hash
	}
}

// Purpose says what a token may do.
type Purpose byte

// The purposes of tokens. Values stand in links that people keep: they never change.
const (
	PurposeConfirm     Purpose = 1
	PurposeUnsubscribe Purpose = 2 // and the page of preferences
	PurposeManage      Purpose = 3 // one's own data; of a fresh link, mailed, good for an hour
	PurposeAddress     Purpose = 4 // proof of a new address, likewise
	PurposeForm        Purpose = 5 // nobody's: a form that we showed, and when
)

// Token is what a link carries: whom, which series and for what. Serial binds it to one thing: a confirmation to the consent
// that is its request, a fresh link to its row, a form to the instant it was shown (ms); it is zero elsewhere.
type Token struct {
	Purpose      Purpose
	SubscriberID int64
	SeriesID     int64
	Serial       int64
}

const (
	tokenVersion = 1  // of the layout and of the key: the first byte
	tokenMAC     = 16 // bytes of the MAC that stand in a token
	maxToken     = 77 // characters: two bytes, three varints of ten at most and the MAC
)

// tokenText is RFC 4648's base32 in lower case: without punctuation, a token's end is not taken for the end of a sentence.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Seal writes t as URL-safe text with a MAC of 128 bits. It never contains the address.
// Layout: version, purpose, subscriber, series and serial as varints, MAC; in letters and digits, see tokenText.
func (k Key) Seal(t Token) string {
	body := []byte{tokenVersion, byte(t.Purpose)}
	for _, n := range []int64{t.SubscriberID, t.SeriesID, t.Serial} {
		body = binary.AppendUvarint(body, uint64(n))
	}
	mac := k.MAC(fmt.Sprintf("token %d", t.Purpose), string(body))
	return tokenText.EncodeToString(append(body, mac[:tokenMAC]...))
}

// Open reads what Seal wrote; ErrToken if it was not made by k for this purpose. Comparison takes constant time.
func (k Key) Open(s string, want Purpose) (Token, error) {
	if len(s) > maxToken {
		return Token{}, ErrToken
	}
	raw, err := tokenText.DecodeString(s)
	if err != nil || len(raw) < tokenMAC {
		return Token{}, ErrToken
	}
	t, ok := parseToken(raw[:len(raw)-tokenMAC])
	// Sealing again instead of looking at the MAC alone refuses every other spelling of the same token too.
	if !ok || t.Purpose != want || !hmac.Equal([]byte(k.Seal(t)), []byte(s)) {
		return Token{}, ErrToken
	}
	return t, nil
}

func parseToken(body []byte) (t Token, ok bool) {
	if len(body) < 2 || body[0] != tokenVersion {
		return Token{}, false
	}
	t.Purpose, body = Purpose(body[1]), body[2:]
	for _, field := range []*int64{&t.SubscriberID, &t.SeriesID, &t.Serial} {
		n, size := binary.Uvarint(body)
		if size <= 0 {
			return Token{}, false
		}
		*field, body = int64(n), body[size:]
	}
	return t, len(body) == 0
}

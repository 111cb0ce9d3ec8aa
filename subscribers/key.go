package subscribers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// ErrKey says that a text is no key file of ours.
var ErrKey = errors.New("not a Pressrun key")

// Key is the site's secret (pressrun.key). Everything keyed derives from it: tokens, suppression hashes, Message-IDs.
// It prints as [redacted]. Tokens may have secrets of their own since, see Rotate.
type Key struct {
	// Functions, since fmt reaches everything else inside of structs whose fields it can't call methods on.
	secret func() []byte
	makers func(purpose string) *sync.Pool // of *maker, which have the key for the purpose
	later  func() []Key                    // for tokens, the newest last; nil: none
}

// keySize is the length of a secret in bytes.
const keySize = 32

// keyPrefix leads the text of a key file; the number is of its form. A secret for tokens has a line of its own below, which begins with
// tokenKeyPrefix and its number.
const (
	keyPrefix      = "pressrun-key-1:"
	tokenKeyPrefix = "pressrun-token-key-"
)

// mostTokenKeys leaves numbers of a token's first byte for other layouts.
const mostTokenKeys = 100

// NewKey makes a random key.
func NewKey() (Key, error) {
	secret := make([]byte, keySize)
	if _, err := rand.Read(secret); err != nil {
		return Key{}, fmt.Errorf("new key: %w", err)
	}
	return keyOf(secret), nil
}

func keyOf(secret []byte) Key {
	var mu sync.Mutex
	var pools atomic.Pointer[map[string]*sync.Pool] // by purpose; never written to, but replaced
	pools.Store(&map[string]*sync.Pool{})
	return Key{secret: func() []byte { return secret }, makers: func(purpose string) *sync.Pool {
		if pool, ok := (*pools.Load())[purpose]; ok {
			return pool
		}
		mu.Lock()
		defer mu.Unlock()
		all := maps.Clone(*pools.Load())
		if all[purpose] == nil {
			all[purpose] = makersOf(secret, purpose)
			pools.Store(&all)
		}
		return all[purpose]
	}}
}

// maker makes MACs of one purpose, one after the other.
type maker struct {
	mac  hash.Hash
	room []byte
}

func makersOf(secret []byte, purpose string) *sync.Pool {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	key := mac.Sum(nil)
	return &sync.Pool{New: func() any { return &maker{mac: hmac.New(sha256.New, key)} }}
}

// of is the MAC of the data; it is good until the next one.
func (m *maker) of(data ...string) []byte {
	m.mac.Reset()
	for _, d := range data {
		// Lengths first: "ab","c" must not prove "a","bc".
		m.room = append(binary.AppendUvarint(m.room[:0], uint64(len(d))), d...)
		m.mac.Write(m.room)
	}
	m.room = m.mac.Sum(m.room[:0])
	return m.room
}

// Rotate returns the key with a new secret, by which tokens are made from then on. Of those made before, unsubscribe links stay good
// for leaving (see OpenLeave) and confirmation links for what was asked before (see OpenConfirm). Nothing else depends on the new secret: suppressions name the same people. ErrKey
// after a hundred of them.
func (k Key) Rotate() (Key, error) {
	if k.TokenKeys() == mostTokenKeys {
		return Key{}, fmt.Errorf("%w that can be rotated once more: it has %d secrets", ErrKey, mostTokenKeys)
	}
	fresh, err := NewKey()
	if err != nil {
		return Key{}, err
	}
	return k.with(fresh), nil
}

// with is the key with one more for tokens.
func (k Key) with(fresh Key) Key {
	var all []Key
	if k.later != nil {
		all = slices.Clone(k.later())
	}
	all = append(all, fresh)
	k.later = func() []Key { return all }
	return k
}

// TokenKeys counts the secrets that tokens may be made with: 1 where the key was never rotated.
func (k Key) TokenKeys() int {
	if k.later == nil {
		return 1
	}
	return 1 + len(k.later())
}

// tokenKey is the one of a number from 1 to TokenKeys.
func (k Key) tokenKey(number int) Key {
	if number == 1 {
		return k
	}
	return k.later()[number-2]
}

// ParseKey reads what Encode wrote, surrounding space aside. The error wraps ErrKey and never shows the text.
func ParseKey(s string) (Key, error) {
	var key Key
	for i, line := range strings.Split(strings.TrimSpace(s), "\n") {
		prefix := keyPrefix
		if i > 0 {
			prefix = tokenKeyLine(i + 1)
		}
		text, ok := strings.CutPrefix(strings.TrimSpace(line), prefix)
		if !ok || i >= mostTokenKeys {
			return Key{}, fmt.Errorf("%w: line %d does not begin with %s", ErrKey, i+1, prefix)
		}
		secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(secret) != keySize {
			return Key{}, fmt.Errorf("%w: line %d is damaged or cut off", ErrKey, i+1)
		}
		if one := keyOf(secret); i == 0 {
			key = one
		} else {
			key = key.with(one)
		}
	}
	return key, nil
}

func tokenKeyLine(number int) string { return tokenKeyPrefix + strconv.Itoa(number) + ":" }

// Encode is the text of the key file: one line, and one more for each rotation.
func (k Key) Encode() string {
	text := keyPrefix + base64.RawURLEncoding.EncodeToString(k.secret())
	for number := 2; number <= k.TokenKeys(); number++ {
		text += "\n" + tokenKeyLine(number) + base64.RawURLEncoding.EncodeToString(k.tokenKey(number).secret())
	}
	return text
}

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
func (k Key) MAC(purpose string, data ...string) []byte { return k.AppendMAC(nil, purpose, data...) }

// AppendMAC is MAC, appended to dst.
func (k Key) AppendMAC(dst []byte, purpose string, data ...string) []byte {
	makers := k.makers(purpose)
	m := makers.Get().(*maker)
	defer makers.Put(m)
	return append(dst, m.of(data...)...)
}

// hashAddress is what suppressions name an address by; with a domain led by "@" all of the domain's addresses.
func (k Key) hashAddress(key string) string {
	return base64.RawURLEncoding.EncodeToString(k.MAC("suppression", key))
}

// addressHasher is hashAddress for many addresses in a row, in one goroutine: it makes the key's part of it once, and remembers
// domains.
func (k Key) addressHasher() func(key string) string {
	const most = 10_000
	m := k.makers("suppression").New().(*maker)
	domains := map[string]string{}
	return func(key string) string {
		isDomain := key[0] == '@'
		if hash, ok := domains[key]; ok && isDomain {
			return hash
		}
		hash := base64.RawURLEncoding.EncodeToString(m.of(key))
		if isDomain && len(domains) < most {
			domains[strings.Clone(key)] = hash
		}
		return hash
	}
}

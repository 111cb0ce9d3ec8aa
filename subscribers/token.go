package subscribers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strconv"

	"pressrun/subscribers/store"
)

// ErrToken says that a token is not ours, was altered, or was made for another purpose.
var ErrToken = errors.New("not a valid link")

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
	tokenMAC  = 16 // bytes of the MAC that stand in a token
	tokenSize = 2 + 3*binary.MaxVarintLen64 + tokenMAC
	maxToken  = (8*tokenSize + 4) / 5 // characters
)

// tokenText is RFC 4648's base32 in lower case: without punctuation, a token's end is not taken for the end of a sentence.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Seal writes t as URL-safe text with a MAC of 128 bits, by the newest secret. It never contains the address.
// Layout: number of the secret, purpose, subscriber, series and serial as varints, MAC; in letters and digits, see tokenText.
func (k Key) Seal(t Token) string { return k.seal(t, k.TokenKeys()) }

func (k Key) seal(t Token, number int) string {
	var room [tokenSize - tokenMAC + sha256.Size]byte
	body := append(room[:0], byte(number), byte(t.Purpose))
	for _, n := range [...]int64{t.SubscriberID, t.SeriesID, t.Serial} {
		body = binary.AppendUvarint(body, uint64(n))
	}
	whole := k.tokenKey(number).AppendMAC(body, "token "+strconv.Itoa(int(t.Purpose)), string(body))[:len(body)+tokenMAC]
	var text [maxToken]byte
	return string(tokenText.AppendEncode(text[:0], whole))
}

// Open reads what Seal wrote by the newest secret; ErrToken if it was not made by that for this purpose. Comparison takes constant time.
func (k Key) Open(s string, want Purpose) (Token, error) {
	t, number, err := k.open(s, want)
	if err == nil && number < k.TokenKeys() {
		return Token{}, ErrToken
	}
	return t, err
}

// OpenLeave is Open for an unsubscribe link, which has to work for ever: old says that it was made by a secret from before a rotation,
// which may have been stolen. Such a link is good for leaving, and for nothing else.
func (k Key) OpenLeave(s string) (t Token, old bool, err error) {
	t, number, err := k.open(s, PurposeUnsubscribe)
	return t, number < k.TokenKeys(), err
}

// OpenConfirm is Open for a confirmation link. One by a secret from before a rotation is good where its request was made before it too.
func (k Key) OpenConfirm(ctx context.Context, q store.Querier, s string) (Token, error) {
	t, number, err := k.open(s, PurposeConfirm)
	if err != nil {
		return Token{}, err
	}
	good, err := k.confirms(ctx, q, number, t.Serial)
	if err == nil && !good {
		err = ErrToken
	}
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// open takes any secret, and says the number of the one that it was.
func (k Key) open(s string, want Purpose) (t Token, number int, err error) {
	if len(s) > maxToken {
		return Token{}, 0, ErrToken
	}
	raw, err := tokenText.DecodeString(s)
	if err != nil || len(raw) < tokenMAC {
		return Token{}, 0, ErrToken
	}
	t, number, ok := parseToken(raw[:len(raw)-tokenMAC])
	if !ok || t.Purpose != want || number < 1 || number > k.TokenKeys() {
		return Token{}, 0, ErrToken
	}
	// Sealing again instead of looking at the MAC alone refuses every other spelling of the same token too.
	if !hmac.Equal([]byte(k.seal(t, number)), []byte(s)) {
		return Token{}, 0, ErrToken
	}
	return t, number, nil
}

// parseToken reads all but the MAC; number is that of the secret.
func parseToken(body []byte) (t Token, number int, ok bool) {
	if len(body) < 2 {
		return Token{}, 0, false
	}
	number, t.Purpose, body = int(body[0]), Purpose(body[1]), body[2:]
	for _, field := range []*int64{&t.SubscriberID, &t.SeriesID, &t.Serial} {
		n, size := binary.Uvarint(body)
		if size <= 0 {
			return Token{}, 0, false
		}
		*field, body = int64(n), body[size:]
	}
	return t, number, len(body) == 0
}

package subscribers_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"math"
	"strings"
	"testing"

	"pressrun/subscribers"
)

func newKey(t testing.TB) subscribers.Key {
	t.Helper()
	key, err := subscribers.NewKey()
	if err != nil {
		t.Fatalf("new key: %v", err)
	}
	return key
}

func TestTokenRoundTrip(t *testing.T) {
	key := newKey(t)
	for _, want := range []subscribers.Token{
		{Purpose: subscribers.PurposeConfirm, SubscriberID: 1, SeriesID: 2, Serial: 3},
		{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 1_000_000, SeriesID: 7},
		{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: math.MaxInt64, SeriesID: math.MaxInt64, Serial: math.MaxInt64},
		{Purpose: subscribers.PurposeConfirm, SubscriberID: -1, SeriesID: math.MinInt64, Serial: -7},
		{Purpose: 200},
	} {
		text := key.Seal(want)
		if got, err := key.Open(text, want.Purpose); err != nil || got != want {
			t.Errorf("Open(Seal(%+v)) = %+v, %v", want, got, err)
		}
		if strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("Seal(%+v) = %q: not letters and digits alone", want, text)
		}
	}
}

// rotated is a key after a rotation.
func rotated(t testing.TB, key subscribers.Key) subscribers.Key {
	t.Helper()
	key, err := key.Rotate()
	if err != nil {
		t.Fatalf("rotate: %v", err)
	}
	return key
}

// Links that people keep never change: those of today's program are those of before keys could be rotated.
func TestTokenStaysTheSame(t *testing.T) {
	key, err := subscribers.ParseKey("pressrun-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n")
	if err != nil {
		t.Fatal(err)
	}
	later := rotated(t, rotated(t, key))
	for text, want := range map[string]subscribers.Token{
		"aebladqhad3bxmwxsqyj52ddmbkl6egtunra":    {Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 1840, SeriesID: 7},
		"aea2yaqc6crajhqeubj7p5t5fzdqh4ou56wnnsa": {Purpose: subscribers.PurposeConfirm, SubscriberID: 300, SeriesID: 2, Serial: 70_000},
	} {
		if got := key.Seal(want); got != text {
			t.Errorf("Seal(%+v) = %s, want %s", want, got, text)
		}
		if got, err := key.Open(text, want.Purpose); err != nil || got != want {
			t.Errorf("Open(%s) = %+v, %v; want %+v", text, got, err, want)
		}
		if want.Purpose != subscribers.PurposeUnsubscribe {
			continue
		}
		if got, old, err := later.OpenLeave(text); err != nil || got != want || !old {
			t.Errorf("the key rotated twice: OpenLeave(%s) = %+v, old %t, %v; want %+v, of an old secret", text, got, old, err, want)
		}
	}
}

func TestTokenAfterARotation(t *testing.T) {
	first := newKey(t)
	second := rotated(t, first)
	third := rotated(t, second)
	sibling := rotated(t, first) // with another second secret
	for _, tt := range []struct {
		name      string
		by, reads subscribers.Key
		ok        bool // for leaving
	}{
		{"an old key", first, third, true},
		{"the key before", second, third, true},
		{"the newest", third, third, true},
		{"a key that is not known yet", third, second, false},
		{"any key that is not known yet", second, first, false},
		{"another key of the same number", sibling, second, false},
		{"another site's", rotated(t, newKey(t)), second, false},
	} {
		for purpose := subscribers.PurposeConfirm; purpose <= subscribers.PurposeForm; purpose++ {
			newest := tt.by.TokenKeys() == tt.reads.TokenKeys()
			want := tt.ok && newest
			token := subscribers.Token{Purpose: purpose, SubscriberID: 300, SeriesID: 2, Serial: 70_000}
			text := tt.by.Seal(token)
			got, err := tt.reads.Open(text, purpose)
			if want && (err != nil || got != token) || !want && !errors.Is(err, subscribers.ErrToken) {
				t.Errorf("%s, purpose %d: %+v, %v; want it taken: %t", tt.name, purpose, got, err, want)
			}
			leave, old, err := tt.reads.OpenLeave(text)
			want = tt.ok && purpose == subscribers.PurposeUnsubscribe
			if want && (err != nil || leave != token || old == newest) || !want && !errors.Is(err, subscribers.ErrToken) {
				t.Errorf("%s, purpose %d, to leave: %+v, old %t, %v; want it taken: %t", tt.name, purpose, leave, old, err, want)
			}
			for other := subscribers.PurposeConfirm; other <= subscribers.PurposeForm; other++ {
				if got, err := tt.reads.Open(text, other); other != purpose && !errors.Is(err, subscribers.ErrToken) {
					t.Errorf("%s, purpose %d taken for %d: %+v, %v", tt.name, purpose, other, got, err)
				}
			}
		}
	}
}

func TestTokenRefusesEveryAlteredBit(t *testing.T) {
	key := newKey(t)
	refusesEveryAlteredBit(t, key, key)
	later := rotated(t, rotated(t, key)) // so that one altered bit makes another number that is known
	for _, by := range []subscribers.Key{key, later} {
		refusesEveryAlteredBit(t, by, later)
	}
}

// refusesEveryAlteredBit alters a token made by a key, and has another one open it.
func refusesEveryAlteredBit(t *testing.T, by, key subscribers.Key) {
	t.Helper()
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	text := by.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 300, SeriesID: 2, Serial: 70_000})
	if _, _, err := key.OpenLeave(text); err != nil {
		t.Fatalf("unaltered: %v", err)
	}
	raw, err := letters.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		altered := bytes.Clone(raw)
		altered[i/8] ^= 1 << (i % 8)
		if got, _, err := key.OpenLeave(letters.EncodeToString(altered)); !errors.Is(err, subscribers.ErrToken) {
			t.Errorf("bit %d altered: %+v, %v; want ErrToken", i, got, err)
		}
	}
	for i := range len(text) * 8 { // also the bits of the text that stand for no bit of the token
		altered := []byte(text)
		altered[i/8] ^= 1 << (i % 8)
		if got, _, err := key.OpenLeave(string(altered)); !errors.Is(err, subscribers.ErrToken) {
			t.Errorf("bit %d of the text altered: %+v, %v; want ErrToken", i, got, err)
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	key := newKey(t)
	confirm := key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: 1, SeriesID: 2, Serial: 3})
	leave := key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 1, SeriesID: 2})
	foreign := newKey(t).Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: 1, SeriesID: 2, Serial: 3})
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"another purpose", leave},
		{"another site's key", foreign},
		{"cut off", confirm[:len(confirm)-1]},
		{"lengthened", confirm + "a"},
		{"line break inside", confirm[:10] + "\n" + confirm[10:]},
		{"padded", confirm + "="},
		{"long", strings.Repeat("a", 100_000)},
		{"only zeros", strings.Repeat("a", 30)},
		{"upper case", strings.ToUpper(confirm)},
	} {
		if got, err := key.Open(tt.text, subscribers.PurposeConfirm); !errors.Is(err, subscribers.ErrToken) || got != (subscribers.Token{}) {
			t.Errorf("%s: Open = %+v, %v; want ErrToken", tt.name, got, err)
		}
	}
}

func FuzzOpenToken(f *testing.F) {
	old := newKey(f)
	key := rotated(f, old)
	for _, by := range []subscribers.Key{old, key} {
		f.Add(by.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: 1, SeriesID: 2}))
	}
	f.Add("aeaq")
	f.Add(strings.Repeat("_", 60))
	f.Fuzz(func(t *testing.T, s string) {
		token, _, err := key.OpenLeave(s)
		if err == nil && key.Seal(token) != s && old.Seal(token) != s {
			t.Errorf("OpenLeave(%q) = %+v, which seals as %q and %q", s, token, key.Seal(token), old.Seal(token))
		}
	})
}

package subscribers_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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

func TestTokenRefusesEveryAlteredBit(t *testing.T) {
	key := newKey(t)
	letters := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	text := key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: 300, SeriesID: 2, Serial: 70_000})
	raw, err := letters.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		altered := bytes.Clone(raw)
		altered[i/8] ^= 1 << (i % 8)
		if got, err := key.Open(letters.EncodeToString(altered), subscribers.PurposeConfirm); !errors.Is(err, subscribers.ErrToken) {
			t.Errorf("bit %d altered: %+v, %v; want ErrToken", i, got, err)
		}
	}
	for i := range len(text) * 8 { // also the bits of the text that stand for no bit of the token
		altered := []byte(text)
		altered[i/8] ^= 1 << (i % 8)
		if got, err := key.Open(string(altered), subscribers.PurposeConfirm); !errors.Is(err, subscribers.ErrToken) {
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
	key := newKey(f)
	f.Add(key.Seal(subscribers.Token{Purpose: subscribers.PurposeConfirm, SubscriberID: 1, SeriesID: 2, Serial: 3}))
	f.Add("aeaq")
	f.Add(strings.Repeat("_", 60))
	f.Fuzz(func(t *testing.T, s string) {
		token, err := key.Open(s, subscribers.PurposeConfirm)
		if err == nil && key.Seal(token) != s {
			t.Errorf("Open(%q) = %+v, which seals as %q", s, token, key.Seal(token))
		}
	})
}

func TestKeyText(t *testing.T) {
	key := newKey(t)
	again, err := subscribers.ParseKey(" " + key.Encode() + "\r\n")
	if err != nil {
		t.Fatalf("ParseKey(Encode()): %v", err)
	}
	if got, want := again.MAC("test", "x"), key.MAC("test", "x"); !bytes.Equal(got, want) {
		t.Errorf("the key read back makes other MACs: %x, want %x", got, want)
	}
	if strings.ContainsAny(key.Encode(), " \n") {
		t.Errorf("Encode() = more than one word")
	}
	for _, bad := range []string{"", "x", key.Encode()[1:], key.Encode() + "A", key.Encode()[:40], "pressrun-key-1:", "pressrun-key-1:!!"} {
		_, err := subscribers.ParseKey(bad)
		if !errors.Is(err, subscribers.ErrKey) {
			t.Errorf("ParseKey of a damaged text: %v, want ErrKey", err)
		}
		if len(bad) > 20 && strings.Contains(err.Error(), bad[len(bad)-8:]) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestMACTellsPurposesAndPartsApart(t *testing.T) {
	key := newKey(t)
	seen := map[string]string{}
	for name, mac := range map[string][]byte{
		"a(b)":     key.MAC("a", "b"),
		"a(b,)":    key.MAC("a", "b", ""),
		"a(,b)":    key.MAC("a", "", "b"),
		"b(b)":     key.MAC("b", "b"),
		"a(ab,c)":  key.MAC("a", "ab", "c"),
		"a(a,bc)":  key.MAC("a", "a", "bc"),
		"ab()":     key.MAC("ab"),
		"other(b)": newKey(t).MAC("a", "b"),
	} {
		if other, ok := seen[string(mac)]; ok {
			t.Errorf("%s and %s have the same MAC", name, other)
		}
		seen[string(mac)] = name
		if len(mac) != 32 {
			t.Errorf("MAC %s has %d bytes, want 32", name, len(mac))
		}
	}
}

func TestKeyNeverPrints(t *testing.T) {
	key := newKey(t)
	secret, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(key.Encode(), "pressrun-key-1:"))
	if err != nil {
		t.Fatal(err)
	}
	type private struct{ key subscribers.Key }
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%p", "%w"} {
		for _, v := range []any{
			key, &key,
			[]subscribers.Key{key},
			subscribers.Registry{Key: key},
			&subscribers.Registry{Key: key},
			private{key},
			&private{key},
			map[string]subscribers.Key{"k": key},
		} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
	}
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%d", "%#v"} {
		if got := fmt.Sprintf(verb, key); got != "[redacted]" {
			t.Errorf("Sprintf(%q, key) = %q, want [redacted]", verb, got)
		}
	}
	doc, err := json.Marshal(map[string]any{"key": key, "registry": struct{ Key subscribers.Key }{key}})
	if err != nil {
		t.Fatalf("json: %v", err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key, "in", struct{ Key subscribers.Key }{key})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "in", struct{ Key subscribers.Key }{key})
	texts = append(texts, string(doc), log.String())

	leaks := []string{
		fmt.Sprintf("%x", secret[:4]), fmt.Sprintf("%X", secret[:4]), string(secret[:4]), fmt.Sprint(secret[:3])[1:8],
		base64.RawURLEncoding.EncodeToString(secret[:6]),
	}
	for _, text := range texts {
		for _, leak := range leaks {
			if strings.Contains(text, leak) {
				t.Errorf("the key's secret stands in %q", text)
			}
		}
	}
}

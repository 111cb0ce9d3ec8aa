package subscribers_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"pressrun/subscribers"
)

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

func TestRotatedKeyText(t *testing.T) {
	first := newKey(t)
	second := rotated(t, first)
	third := rotated(t, second)
	if got := strings.Split(third.Encode(), "\n"); len(got) != 3 || got[0] != first.Encode() || strings.Join(got[:2], "\n") != second.Encode() {
		t.Errorf("a rotation does not add a line to the %d of before", len(got)-1)
	}
	again, err := subscribers.ParseKey(strings.ReplaceAll(third.Encode(), "\n", " \r\n") + "\n\n")
	if err != nil || again.Encode() != third.Encode() || again.TokenKeys() != 3 {
		t.Errorf("ParseKey(Encode()) of three secrets: %v, with %d", err, again.TokenKeys())
	}
	lines := strings.Split(third.Encode(), "\n")
	for name, bad := range map[string]string{
		"the second line missing": lines[0] + "\n" + lines[2],
		"in another order":        lines[0] + "\n" + lines[2] + "\n" + lines[1],
		"the first missing":       lines[1] + "\n" + lines[2],
		"the last one cut off":    third.Encode()[:len(third.Encode())-1],
		"a line twice":            second.Encode() + "\n" + lines[1],
		"an empty line between":   lines[0] + "\n\n" + lines[1],
		"two keys":                lines[0] + "\n" + newKey(t).Encode(),
	} {
		_, err := subscribers.ParseKey(bad)
		if !errors.Is(err, subscribers.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
			continue
		}
		for _, line := range lines {
			if strings.Contains(err.Error(), line[len(line)-8:]) {
				t.Errorf("%s: the error shows the key: %v", name, err)
			}
		}
	}
}

// The number of a secret is one octet of a token, some of which are left for other layouts.
func TestRotateEnds(t *testing.T) {
	key := newKey(t)
	for key.TokenKeys() < 100 {
		key = rotated(t, key)
	}
	if again, err := subscribers.ParseKey(key.Encode()); err != nil || again.TokenKeys() != 100 {
		t.Errorf("100 secrets read back: %d, %v", again.TokenKeys(), err)
	}
	if _, err := key.Rotate(); !errors.Is(err, subscribers.ErrKey) {
		t.Errorf("one rotation more: %v, want ErrKey", err)
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

// Many goroutines share the hashes: each gets the MAC of its own data, whatever a hash was used for before.
func TestMACTogether(t *testing.T) {
	key := newKey(t)
	secret, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(key.Encode(), "pressrun-key-1:"))
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, data ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, d := range data {
			h.Write(d)
		}
		return h.Sum(nil)
	}
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			for i := range 200 {
				purpose, data, number := fmt.Sprint("purpose ", i%3), strings.Repeat("x", i), fmt.Sprint(i)
				want := append([]byte("before"), mac(mac(secret, []byte(purpose)), binary.AppendUvarint(nil, uint64(i)), []byte(data), []byte{byte(len(number))}, []byte(number))...)
				if got := key.AppendMAC([]byte("before"), purpose, data, number); !bytes.Equal(got, want) {
					t.Errorf("%d: got %x, want %x", i, got, want)
				}
			}
		})
	}
	together.Wait()
}

func TestKeyNeverPrints(t *testing.T) {
	key := rotated(t, newKey(t))
	var secrets [][]byte
	for line := range strings.Lines(key.Encode()) {
		secret, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(line[strings.Index(line, ":")+1:]))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret)
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

	var leaks []string
	for _, secret := range secrets {
		leaks = append(leaks, fmt.Sprintf("%x", secret[:4]), fmt.Sprintf("%X", secret[:4]), string(secret[:4]), fmt.Sprint(secret[:3])[1:8],
			base64.RawURLEncoding.EncodeToString(secret[:6]))
	}
	for _, text := range texts {
		for _, leak := range leaks {
			if strings.Contains(text, leak) {
				t.Errorf("the key's secret stands in %q", text)
			}
		}
	}
}

package mailer_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"

	"pressrun/newsletter/mailer"
)

// BenchmarkSign is a signed message of 10 KB, with styles as letters have them, beside the bare signature, and all but the signature.
func BenchmarkSign(b *testing.B) {
	f := letterForm()
	f.HTML = append(f.HTML, lit(strings.Repeat("  .page { color: #1c2123 !important; }\n", 30)))
	m, err := compile(b, f).Message(nil, recipient())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256(m.Bytes)
		for b.Loop() {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	keys := map[string]mailer.DKIMKey{"rest": mailer.FreeDKIMKey("example.org")}
	for _, ed := range []bool{false, true} {
		key, err := mailer.NewDKIMKey("example.org", "s1", ed)
		if err != nil {
			b.Fatal(err)
		}
		keys[key.Algorithm()] = key
	}
	for about, key := range keys {
		h := mailer.Handover{Keys: func() mailer.Keyring { return mailer.Keyring{key} }}
		b.Run(about, func(b *testing.B) {
			room := make([]byte, 0, len(m.Bytes)+4096)
			b.ReportAllocs()
			for b.Loop() {
				m := m
				m.Bytes = append(room, m.Bytes...) // as if it had just been spliced
				if _, err := h.Finish(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

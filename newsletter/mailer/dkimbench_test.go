package mailer_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"pressrun/newsletter/mailer"
)

// BenchmarkSign is a signed message of 9 KB beside the bare signature: the ratio of the two is what signing costs more.
func BenchmarkSign(b *testing.B) {
	m, err := compile(b, letterForm()).Message(nil, recipient())
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
	for _, ed := range []bool{false, true} {
		key, err := mailer.NewDKIMKey("example.org", "s1", ed)
		if err != nil {
			b.Fatal(err)
		}
		h := mailer.Handover{Keys: func() mailer.Keyring { return mailer.Keyring{key} }}
		b.Run(key.Algorithm(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Finish(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

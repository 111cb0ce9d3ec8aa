package mailer_test

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"testing"

	"pressrun/newsletter/mailer"
)

// letterForm is a newsletter whose messages have about 11 KB.
func letterForm() mailer.Form {
	f := form()
	f.Subject = mailer.Blank{lit("Seven habits for calmer skin")}
	text := strings.Repeat("Water the skin as you would a plant: a little, and often — never all at once. ", 30)
	f.Text = append(f.Text, lit("\n"+text))
	f.HTML = append(f.HTML, lit("<p style=\"margin:0 0 16px;font-size:16px\">"+strings.Repeat(text, 2)+"</p>\n"))
	return f
}

func BenchmarkCompose(b *testing.B) {
	f := letterForm()
	b.ReportAllocs()
	for b.Loop() {
		m, err := mailer.Compose(f.Draft(recipient()))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(m.Bytes)))
	}
}

func BenchmarkCompile(b *testing.B) {
	f, r := letterForm(), recipient()
	b.ReportAllocs()
	for b.Loop() {
		c, err := mailer.Compile(f)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Append(nil, r); err != nil { // the first lays it out
			b.Fatal(err)
		}
	}
}

// BenchmarkSplice makes the octets of a person's message, and with hash the whole Message.
func BenchmarkSplice(b *testing.B) {
	c := compile(b, letterForm())
	tokens, named := recipient(), recipient()
	tokens.Name, tokens.To.Name = "", ""
	var keys [1024]string // one token for all a processor gets to know too well
	for i := range keys {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		keys[i] = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:20]))
	}
	room := make([]byte, 0, 64<<10)
	for _, bench := range []struct {
		about string
		r     mailer.Recipient
	}{{"tokens", tokens}, {"name", named}} {
		b.Run(bench.about, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bench.r.Token = keys[i%len(keys)]
				out, err := c.Append(room, bench.r)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
		b.Run(bench.about+"/hash", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Message(room, bench.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

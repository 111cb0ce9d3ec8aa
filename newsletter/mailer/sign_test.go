package mailer_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"pgregory.net/rapid"

	"pressrun/newsletter/mailer"
)

// signedByLibrary is the header that go-msgauth makes for a signature of ours.
func signedByLibrary(t tester, message []byte, key mailer.DKIMKey, covered string) string {
	s, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: key.Domain, Selector: key.Selector, Signer: mailer.SignerOf(key), HeaderKeys: strings.Split(covered, ":"),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err == nil {
		if _, err = s.Write(message); err == nil {
			err = s.Close()
		}
	}
	if err != nil {
		t.Fatalf("go-msgauth: %v", err)
	}
	return s.Signature()
}

// The signature is, to the octet, the one of go-msgauth, for messages of all shapes and by both algorithms.
func TestSignatureIsTheLibrarys(t *testing.T) {
	pair := []mailer.DKIMKey{newDKIMKey(t, "example.org", "p20270301", false), newDKIMKey(t, "example.org", "e20270301", true)}
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{
		"", "", "word", " led by a space", "two  spaces", "a tab\tin it", "a space \tand a tab", " \tled by both", "both at its end \t", "ends with a space ", "ends with a tab\t", " ", "\t", "a comma,", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~", "  led by two", "a", "\v\f", "--x", "é=20=\r\n", strings.Repeat("w", 76),
	}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		m := mailer.Message{Domain: "example.org"}
		for _, field := range rapid.SliceOfN(rapid.SampledFrom([]string{
			"To: a@b.example", "to:c@d.example", "Subject:  two  spaces\r\n\tand a fold ", "Subject:", "Date: x", "X-Other: y", "List-Id: <a.b>", "FROM: e@f.example",
		}), 0, 8).Draw(t, "fields") {
			m.Bytes = append(m.Bytes, field+"\r\n"...)
		}
		m.Bytes = append(m.Bytes, "From: letters@example.org\r\n\r\n"...)
		for _, line := range lines.Draw(t, "lines") {
			m.Bytes = append(m.Bytes, line+"\r\n"...)
		}
		key := rapid.SampledFrom(pair).Draw(t, "key")
		room := rapid.SampledFrom([]int{0, 100, 4096}).Draw(t, "room")
		unsigned := slices.Clip(m.Bytes)
		for try := 0; ; try++ {
			m.Bytes = append(make([]byte, 0, len(unsigned)+room), unsigned...)
			got, err := mailer.Handover{Keys: func() mailer.Keyring { return mailer.Keyring{key} }}.Finish(m)
			if err != nil {
				t.Fatalf("%v", err)
			}
			header := bytes.TrimSuffix(got.Bytes, unsigned)
			want := signedByLibrary(t, unsigned, key, tags(got.Bytes)["h"])
			if string(header) == want {
				return
			}
			if tags(header)["t"] == tags([]byte(want))["t"] || try > 5 { // else a second began between
				t.Fatalf("got\n%s\nwant\n%s\nfor\n%q", header, want, unsigned)
			}
		}
	})
}

// slackByExpression is what slack looks for.
var slackByExpression = regexp.MustCompile("\t|  | \r")

func TestSlack(t *testing.T) {
	differ := func(t tester, text []byte) {
		want := -1
		if at := slackByExpression.FindIndex(text); at != nil {
			want = at[0]
		}
		if got := mailer.Slack(text); got != want {
			t.Fatalf("%q: got %d, want %d", text, got, want)
		}
	}
	for first := range 256 { // any two octets, at any place of eight
		for second := range 256 {
			text := []byte("xxxxxxxxxxxxxxxxxxxx")
			place := (first + 3*second) % 9
			text[place], text[place+1] = byte(first), byte(second)
			differ(t, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		differ(t, rapid.SliceOfN(rapid.SampledFrom([]byte(" \t\r\n!,-x\x00\xa0")), 0, 40).Draw(t, "text"))
	})
}

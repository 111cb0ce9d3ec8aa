package mailer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"pressrun/newsletter/mailer"
)

func newDKIMKey(t *testing.T, domain, selector string, ed bool) mailer.DKIMKey {
	t.Helper()
	key, err := mailer.NewDKIMKey(domain, selector, ed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// letterDraft is a newsletter's message; noteDraft one that belongs to no list.
func letterDraft() mailer.Draft {
	d := noteDraft()
	d.List = &mailer.List{ID: "skin.news.example.org", Name: "Skin letters", UnsubscribeURL: "https://news.example.org/u/abcdef"}
	d.FeedbackID = "2027-03-30T0900:skin:slot:abcde234"
	return d
}

func noteDraft() mailer.Draft {
	return mailer.Draft{
		MessageID: "one.two@example.org", Date: draft().Date, From: mailer.Mailbox{Name: "Ärzte am Hafen", Email: "letters@news.example.org"},
		To: mailer.Mailbox{Name: "Ada", Email: "ada@reader.example"}, ReplyTo: "office@example.org",
		Subject: "Überraschend gut: 日本語の件名 and a rather long rest of a subject line that must be folded somewhere",
		HTML:    "<p>Grüße</p>\n.dot\nFrom here on\n", Text: "Grüße\n\n.dot\nFrom here on   \n\n\n",
	}
}

func keys(all ...mailer.DKIMKey) func() mailer.Keyring {
	return func() mailer.Keyring { return all }
}

// verified are the signatures that go-msgauth's verifier accepts, by selector.
func verified(t *testing.T, message []byte, known ...mailer.DKIMKey) []string {
	t.Helper()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		for _, key := range known {
			if key.Name() == name {
				return []string{key.Record()}, nil
			}
		}
		return nil, fmt.Errorf("no record of %s", name)
	}})
	if err != nil {
		t.Fatal(err)
	}
	var good []string
	for _, v := range found {
		if v.Err == nil {
			good = append(good, v.Identifier)
		}
	}
	return good
}

// TestFinishSigns: what a signature covers, by kind of relay and by message.
func TestFinishSigns(t *testing.T) {
	key := newDKIMKey(t, "example.org", "p20270301", false)
	for _, tt := range []struct {
		kind  string
		draft mailer.Draft
		want  string // h=; empty: unsigned
	}{
		{"smtp", letterDraft(), "From:To:Subject:Date:Message-ID:Reply-To:MIME-Version:Content-Type:List-Id:List-Unsubscribe:List-Unsubscribe-Post:Feedback-ID:From:Subject:To:Date"},
		{"smtp", noteDraft(), "From:To:Subject:Date:Message-ID:Reply-To:MIME-Version:Content-Type:From:Subject:To:Date"},
		{"ses", letterDraft(), "From:To:Subject:Reply-To:MIME-Version:Content-Type:List-Id:List-Unsubscribe:List-Unsubscribe-Post:Feedback-ID:From:Subject:To"},
		{"gmail", noteDraft(), "From:To:Subject:Date:Reply-To:MIME-Version:Content-Type:From:Subject:To:Date"},
		{"mailgun", noteDraft(), "From:To:Subject:Date:Message-ID:Reply-To:MIME-Version:Content-Type:From:Subject:To:Date"},
		{"postmark", letterDraft(), ""},
		{"brevo", letterDraft(), ""},
		{"sendgrid", letterDraft(), ""},
		{"m365", letterDraft(), ""},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			kind, ok := mailer.KindOf(tt.kind)
			if !ok {
				t.Fatalf("kind %s is not known", tt.kind)
			}
			before := compose(t, tt.draft)
			m, err := mailer.Handover{Kind: kind, Keys: keys(key)}.Finish(compose(t, tt.draft))
			if err != nil {
				t.Fatal(err)
			}
			if got := tags(m.Bytes)["h"]; got != tt.want {
				t.Errorf("h=\ngot  %s\nwant %s", got, tt.want)
			}
			if tt.want != "" && len(verified(t, m.Bytes, key)) != 1 {
				t.Errorf("the signature does not verify:\n%s", m.Bytes)
			}
			checkUntouched(t, before, m)
		})
	}
}

// checkUntouched: finishing adds headers at the top, and the hash stays the one of what was composed.
func checkUntouched(t *testing.T, before, m mailer.Message) {
	t.Helper()
	if !bytes.HasSuffix(m.Bytes, before.Bytes) {
		t.Error("what was composed was changed")
	}
	sum := sha256.Sum256(before.Bytes)
	if got, want := m.Hash, hex.EncodeToString(sum[:]); got != want {
		t.Errorf("hash: got %s, want that of the bytes before signing, %s", got, want)
	}
	if m.MessageID != before.MessageID || m.From != before.From || m.To != before.To {
		t.Errorf("envelope: got %+v, want %+v", m, before)
	}
}

// tags are those of the first DKIM-Signature of a message or a header, white space left out; empty where there is none.
func tags(message []byte) map[string]string {
	head, _, _ := strings.Cut(string(message)+"\r\n", "\r\n\r\n")
	_, rest, ok := strings.Cut("\r\n"+head, "\r\nDKIM-Signature:")
	if !ok {
		return nil
	}
	value := ""
	for i, line := range strings.Split(rest, "\r\n") {
		if i > 0 && line[0] != ' ' && line[0] != '\t' {
			break
		}
		value += line
	}
	found := map[string]string{}
	for tag := range strings.SplitSeq(value, ";") {
		name, text, _ := strings.Cut(tag, "=")
		found[strings.TrimSpace(name)] = strings.Join(strings.Fields(text), "")
	}
	return found
}

// TestFinishHeaders: each kind is told what it must know, and nothing of it is a line too long.
func TestFinishHeaders(t *testing.T) {
	for _, tt := range []struct {
		kind, stream  string
		issue, notice []string
	}{
		{"postmark", "", []string{"X-PM-Message-Stream: broadcast", "X-PM-KeepID: true", "X-PM-TrackLinks: None"}, []string{"X-PM-Message-Stream: outbound"}},
		{"postmark", "weekly", []string{"X-PM-Message-Stream: weekly"}, []string{"X-PM-Message-Stream: outbound"}},
		{"mailgun", "", []string{"X-Mailgun-Track: no"}, []string{"X-Mailgun-Track: no"}},
		{"sendgrid", "", []string{`"clicktrack": {"settings": {"enable": 0}}`}, []string{`"subscriptiontrack": {"settings": {"enable": 0}}`}},
	} {
		kind, _ := mailer.KindOf(tt.kind)
		for _, part := range []struct {
			draft mailer.Draft
			want  []string
		}{{letterDraft(), tt.issue}, {noteDraft(), tt.notice}} {
			m, err := mailer.Handover{Kind: kind, Stream: tt.stream}.Finish(compose(t, part.draft))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range part.want {
				if !strings.Contains(string(m.Bytes), want) {
					t.Errorf("%s: the message doesn't say %s:\n%.400s", tt.kind, want, m.Bytes)
				}
			}
			for line := range strings.SplitSeq(string(m.Bytes), "\r\n") {
				if len(line) > 998 {
					t.Errorf("%s: a line of %d octets", tt.kind, len(line))
				}
			}
		}
	}
}

// TestKeyring: the newest key of each algorithm signs, of the sender's domain or of the nearest one above it.
func TestKeyring(t *testing.T) {
	old := newDKIMKey(t, "example.org", "p20270301", false)
	young := newDKIMKey(t, "example.org", "p20270308", false)
	ed := newDKIMKey(t, "example.org", "e20270301", true)
	below := newDKIMKey(t, "news.example.org", "p20270101", false)
	all := mailer.Keyring{old, ed, young, below}
	for _, tt := range []struct {
		domain string
		want   []string
	}{
		{"example.org", []string{"p20270308._domainkey.example.org", "e20270301._domainkey.example.org"}},
		{"news.example.org", []string{"p20270101._domainkey.news.example.org"}},
		{"deep.letters.example.org", []string{"p20270308._domainkey.example.org", "e20270301._domainkey.example.org"}},
		{"anexample.org", nil},
		{"org", nil},
	} {
		var got []string
		for _, key := range all.For(tt.domain) {
			got = append(got, key.Name())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.domain, got, tt.want)
		}
	}
}

// TestFinishRefuses: a message that must be signed and can't be is not handed on at all.
func TestFinishRefuses(t *testing.T) {
	m := compose(t, letterDraft())
	for _, tt := range []struct {
		name string
		h    mailer.Handover
	}{
		{"no key for the domain", mailer.Handover{Keys: keys(newDKIMKey(t, "other.example", "p1", false)), Always: true}},
		{"no keys", mailer.Handover{Always: true}},
		{"a key that signs nothing", mailer.Handover{Keys: keys(mailer.BrokenDKIMKey("news.example.org"))}},
	} {
		as := slices.Grow(slices.Clone(m.Bytes), 4096)
		m.Bytes = as
		got, err := tt.h.Finish(m)
		if !errors.Is(err, mailer.ErrUnsigned) || got.Bytes != nil {
			t.Errorf("%s: got %d bytes and error %v, want none and ErrUnsigned", tt.name, len(got.Bytes), err)
		}
		if sum := sha256.Sum256(as); hex.EncodeToString(sum[:]) != m.Hash {
			t.Errorf("%s: the message was changed", tt.name)
		}
	}
}

// TestDKIMKeyFile: PEM and back, and what is no key.
func TestDKIMKeyFile(t *testing.T) {
	for _, ed := range []bool{false, true} {
		key := newDKIMKey(t, "Bücher.example", "s", ed)
		text, err := key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		back, err := mailer.ParseDKIMKey(key.Domain, key.Selector, text)
		if err != nil || back.Record() != key.Record() || back.Name() != "s._domainkey.xn--bcher-kva.example" {
			t.Errorf("ed25519 %v: got %q %q, error %v, want %q", ed, back.Name(), back.Record(), err, key.Record())
		}
		if !key.Published([]string{"spam=ham", strings.Replace(key.Record(), "p=", "t=s; p= ", 1)}) || key.Published([]string{"v=DKIM1; p="}) {
			t.Errorf("ed25519 %v: the published record is not known again", ed)
		}
	}
	for _, text := range []string{"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := mailer.ParseDKIMKey("example.org", "s", []byte(text)); !errors.Is(err, mailer.ErrDKIMKey) {
			t.Errorf("%q: got error %v, want ErrDKIMKey", text, err)
		}
	}
	if _, err := mailer.NewDKIMKey("no domain", "s", false); !errors.Is(err, mailer.ErrAddress) {
		t.Errorf("domain with a space: got error %v, want ErrAddress", err)
	}
}

// dkimpy verifies a message, as the mailbox providers' own verifier would, with the records it is given.
const dkimpy = `
import sys, dkim
records = dict(line.rstrip("\n").split(" ", 1) for line in open(sys.argv[2]))
def txt(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()
message = open(sys.argv[1], "rb").read()
count = sum(1 for h in dkim.rfc822_parse(message)[0] if h[0].lower() == b"dkim-signature")
def good(i):
    try:
        return dkim.DKIM(message).verify(idx=i, dnsfunc=txt)
    except dkim.ValidationError:
        return False
print(count, all(good(i) for i in range(count)))
`

// TestIndependentVerifier: Debian's dkimpy, which shares no code with what signs, accepts both signatures, and refuses the
// message once a header is altered or put on top.
func TestIndependentVerifier(t *testing.T) {
	python := withDKIM(t)
	signing := []mailer.DKIMKey{newDKIMKey(t, "example.org", "p20270301", false)}
	want := "1 True"
	if exec.CommandContext(t.Context(), python, "-c", "import nacl").Run() == nil { // dkimpy needs it for Ed25519
		signing = append(signing, newDKIMKey(t, "example.org", "e20270301", true))
		want = "2 True"
	}
	m, err := mailer.Handover{Keys: keys(signing...)}.Finish(compose(t, letterDraft()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"as sent", m.Bytes, want},
		{"other subject", bytes.Replace(m.Bytes, []byte("Subject: "), []byte("Subject: no "), 1), strings.Replace(want, "True", "False", 1)},
		{"second From", append([]byte("From: evil@example.net\r\n"), m.Bytes...), strings.Replace(want, "True", "False", 1)},
		{"other way out", bytes.Replace(m.Bytes, []byte("/u/abcdef"), []byte("/u/abcdeg"), 1), strings.Replace(want, "True", "False", 1)},
		{"longer body", append(bytes.Clone(m.Bytes), "more\r\n"...), strings.Replace(want, "True", "False", 1)},
	} {
		if got := verifyBy(t, python, tt.message, signing); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// withDKIM is a Python that has dkimpy: the first one on the path may be another than the one that Debian's packages are for.
func withDKIM(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import dkim").Run() == nil {
			return python
		}
	}
	t.Skip("dkimpy is not here: apt-get install python3-dkim brings it")
	return ""
}

func verifyBy(t *testing.T, python string, message []byte, known []mailer.DKIMKey) string {
	t.Helper()
	dir := t.TempDir()
	var records strings.Builder
	for _, key := range known {
		fmt.Fprintf(&records, "%s %s\n", key.Name(), key.Record())
	}
	mail, dns := filepath.Join(dir, "mail.eml"), filepath.Join(dir, "records")
	if err := errors.Join(os.WriteFile(mail, message, 0o600), os.WriteFile(dns, []byte(records.String()), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "-c", dkimpy, mail, dns).CombinedOutput()
	if err != nil {
		t.Fatalf("dkimpy: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

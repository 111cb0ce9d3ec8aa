package bounce_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pressrun/newsletter/bounce"
	"pressrun/newsletter/mailer"
)

const returnPath = "bounces+7k.abcdefghijklmnopqrstuvwx@news.example.org"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestReports reads messages in the shapes that mail servers give them. They were written for this test, after: Postfix bounce(5)
// (https://www.postfix.org/bounce.5.html); Exim's specification, "Customizing bounce and warning messages"
// (https://docs.huihoo.com/exim/4/spec/ch46.html); "Email non-delivery reports and SMTP errors in Exchange Online"
// (https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online); RFC 3464 section 2 for Gmail's, whose
// lines of a reply repeat the codes (RFC 5321 section 4.2.1); QSBMF (https://cr.yp.to/proto/qsbmf.txt); RFC 5965 appendix B; RFC 3834 section 5;
// RFC 6533 section 3.
func TestReports(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kind  bounce.Kind
		class mailer.Class
		reply string
	}{
		{"postfix", bounce.Failed, mailer.ClassDead, "550 5.1.1 <[address]>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"postfix-expired", bounce.Failed, mailer.ClassTransient, "450 4.4.1 connect to mx.reader.example[198.51.100.7]:25: Connection timed out"},
		{"postfix-delayed", bounce.Passed, "", ""},
		{"postfix-two", bounce.Passed, "", ""},
		{"exim", bounce.Failed, mailer.ClassDead, "550 No such user here"},
		{"exim-text", bounce.Failed, mailer.ClassMailbox, "552 5.2.2 SMTP error from remote mail server after RCPT TO:<[address]>: host mx.reader.example [198.51.100.7]: 552 5.2.2 Mailbox full"},
		{"exim-warning", bounce.Auto, "", ""},
		{"exchange", bounce.Failed, mailer.ClassDead, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient [address] not found by SMTP address lookup"},
		{"gmail", bounce.Failed, mailer.ClassDead, "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. For more information, go to https://support.google.com/mail/?p=NoSuchUser a1-20020a17si123 - gsmtp"},
		{"qmail", bounce.Failed, mailer.ClassDead, "550 5.1.1 Sorry, no mailbox here by that name. (#5.1.1)"},
		{"blocked", bounce.Failed, mailer.ClassBlocked, "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org"},
		{"global", bounce.Failed, mailer.ClassDead, "550 5.1.1 <[address]>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"nested", bounce.Failed, mailer.ClassDead, "550 5.1.1 <[address]>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"exim-lines", bounce.Failed, mailer.ClassDead, "550 Unknown user in our directory"},
		{"passed-on", bounce.Answer, "", ""},
		{"arf-abuse", bounce.Complaint, "", ""},
		{"arf-redacted", bounce.Complaint, "", ""},
		{"arf-not-spam", bounce.Feedback, "", ""},
		{"arf-auth", bounce.Feedback, "", ""},
		{"vacation", bounce.Auto, "", ""},
		{"vacation-old", bounce.Auto, "", ""},
		{"vacation-quotes", bounce.Auto, "", ""},
		{"vacation-begins", bounce.Auto, "", ""},
		{"vacation-postmaster", bounce.Auto, "", ""},
		{"answer", bounce.Answer, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := sample(t, tt.name)
			got := bounce.Parse(raw)
			if got.Kind != tt.kind || got.Reply.String() != tt.reply {
				t.Errorf("got %s %q, want %s %q", got.Kind, got.Reply, tt.kind, tt.reply)
			}
			if class := mailer.Classify(got.Reply); tt.class != "" && class != tt.class {
				t.Errorf("got class %s, want %s", class, tt.class)
			}
			if found := slices.Contains(got.Paths, returnPath); found == (tt.name == "arf-redacted") {
				t.Errorf("got paths %q", got.Paths)
			}
			crlf := bounce.Parse(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")))
			if crlf.ID, got.ID = "", ""; fmt.Sprint(crlf) != fmt.Sprint(got) {
				t.Errorf("with CRLF got %v, want %v", crlf, got)
			}
		})
	}
}

// TestOriginal: what is quoted of our header leads to the delivery where addresses were taken out.
func TestOriginal(t *testing.T) {
	for _, name := range []string{"postfix", "exim", "exim-text", "qmail", "gmail", "arf-redacted", "arf-abuse"} {
		got := bounce.Parse(sample(t, name)).Original
		want := bounce.Original{MessageID: "q2w3e4r5t6z7q2w3e4r5t6z7q2w3e4r5@example.org", Unsubscribe: "https://news.example.org/u/aebagbaf7777"}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestRecipients: whom a report names, of reports whose senders put it in each place of its own.
func TestRecipients(t *testing.T) {
	for _, name := range []string{"postfix", "exim", "exim-text", "qmail", "exchange"} {
		if got := bounce.Parse(sample(t, name)).Recipients; fmt.Sprint(got) != "[ada@reader.example]" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for _, name := range []string{"postfix-delayed", "postfix-two", "vacation-quotes", "arf-abuse"} {
		if got := bounce.Parse(sample(t, name)).Recipients; got != nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestHostileSizes: whatever a stranger sends is read within bounds, or not at all. What is quadratic in them ends in the test's own time-out.
func TestHostileSizes(t *testing.T) {
	nested := ""
	for i := range 10_000 {
		nested += fmt.Sprintf("Content-Type: multipart/report; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, raw := range map[string]string{
		"deep":     nested,
		"parts":    "Content-Type: multipart/report; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: message/delivery-status\n\nAction: failed\n\n", 50_000),
		"header":   "Subject: " + strings.Repeat("x", 9<<20) + "\n\nhello",
		"received": strings.Repeat("Received: from a by b; 1\n", 100_000) + "\nhello",
		"folded":   "Subject: x\n" + strings.Repeat(" y\n", 1<<20) + "\nhello",
		"paths":    "To: " + strings.Repeat("a@example.org,", 500_000) + "\n\nhello",
		"blocks":   "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("Action: failed\n\n", 200_000),
		"huge":     strings.Repeat("a", bounce.MaxSize+1),
	} {
		got := bounce.Parse([]byte(raw))
		if len(got.Paths) > 20 || len(got.Reply.Text) > 4*500 {
			t.Errorf("%s: got %d paths and %d octets of text", name, len(got.Paths), len(got.Reply.Text))
		}
	}
}

// FuzzParse: no message makes the parser fail, and none that isn't a report fails anybody.
func FuzzParse(f *testing.F) {
	all, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(all) == 0 {
		f.Fatal(len(all), err)
	}
	for _, file := range all {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := bounce.Parse(raw)
		switch got.Kind {
		case bounce.Failed:
			if got.Reply.Code < 400 || got.Reply.Code > 599 {
				t.Errorf("failed with code %d", got.Reply.Code)
			}
		case bounce.Passed, bounce.Complaint, bounce.Feedback, bounce.Auto, bounce.Answer:
			if got.Reply != (mailer.Reply{}) {
				t.Errorf("%s with a reply: %v", got.Kind, got.Reply)
			}
		default:
			t.Errorf("got kind %q", got.Kind)
		}
		if strings.ContainsAny(got.Reply.Text, "\r\n") {
			t.Errorf("got text %q", got.Reply.Text)
		}
	})
}

// TestNestedMessages: ten multiparts in each other, as long as a message may be, take no more memory than what is looked at.
func TestNestedMessages(t *testing.T) {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("Content-Type: text/plain\r\n\r\n")
	b.WriteString(strings.Repeat("There is nothing in these lines that says anything to anybody.\r\n", bounce.MaxSize/65))
	raw := []byte(b.String())
	if len(raw) > bounce.MaxSize {
		raw = raw[:bounce.MaxSize]
	}
	var before, then runtime.MemStats
	runtime.ReadMemStats(&before)
	r := bounce.Parse(raw)
	runtime.ReadMemStats(&then)
	if took := (then.TotalAlloc - before.TotalAlloc) >> 20; took > 16 || r.Kind != bounce.Answer {
		t.Errorf("took %d MB, and is %s", took, r.Kind)
	}
}

package mailer_test

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pressrun/newsletter/mailer"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		code     int
		enhanced string
		text     string
		want     mailer.Class
	}{
		// no such address
		{550, "5.1.1", "<[address]>: Recipient address rejected: User unknown in virtual alias table", mailer.ClassDead},
		{550, "5.1.1", "The email account that you tried to reach does not exist. Please try double-checking", mailer.ClassDead},
		{550, "5.1.1", "", mailer.ClassDead},
		{501, "5.1.3", "Bad recipient address syntax", mailer.ClassDead},
		{550, "5.1.6", "recipient no longer on server", mailer.ClassDead},
		{550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", mailer.ClassDead},
		{556, "5.1.10", "Recipient address has null MX", mailer.ClassDead},
		{556, "", "no mail here", mailer.ClassDead},
		{550, "5.1.2", "Host or domain name not found", mailer.ClassDead},
		{550, "5.4.4", "Unable to route: no mail hosts for domain", mailer.ClassDead},
		{550, "5.2.1", "The email account that you tried to reach is disabled", mailer.ClassDead},
		{550, "5.2.1", "mailbox inactive", mailer.ClassDead},
		{550, "", "No such user here", mailer.ClassDead},
		{550, "", "[address]... User unknown", mailer.ClassDead},
		{553, "", "sorry, no mailbox here by that name", mailer.ClassDead},
		{554, "", "delivery error: dd This user doesn't have a yahoo.com account", mailer.ClassDead},
		{554, "", "30 Sorry, your message cannot be delivered. This mailbox is disabled", mailer.ClassDead},
		{550, "5.0.0", "Host or domain name not found", mailer.ClassDead},
		{550, "5.5.0", "Requested action not taken: mailbox unavailable", mailer.ClassMailbox},

		// this mailbox, now
		{552, "5.2.2", "The email account that you tried to reach is over quota", mailer.ClassMailbox},
		{452, "4.2.2", "The recipient's inbox is out of storage space", mailer.ClassMailbox},
		{452, "", "mailbox full", mailer.ClassMailbox},
		{550, "", "user has exceeded their storage quota", mailer.ClassMailbox},
		{552, "", "Requested mail action aborted: exceeded storage allocation", mailer.ClassMailbox},
		{550, "5.1.1", "mailbox is full", mailer.ClassMailbox},
		{550, "", "mailbox size limit exceeded", mailer.ClassMailbox},
		{550, "", "Requested action not taken", mailer.ClassMailbox},
		{554, "5.0.0", "", mailer.ClassMailbox},
		{550, "5.1.2", "bad destination", mailer.ClassMailbox},
		{550, "", "the domain of the sender does not exist", mailer.ClassMailbox},
		{550, "", "your domain does not exist", mailer.ClassMailbox},
		{550, "", "From address does not exist", mailer.ClassMailbox},
		{550, "", "Return-Path: user unknown", mailer.ClassMailbox},
		{550, "", "sending domain does not exist", mailer.ClassMailbox},
		{550, "5.4.1", "Recipient address rejected: Access denied", mailer.ClassMailbox},

		// later
		{421, "4.7.0", "[TSS04] Messages temporarily deferred due to unexpected volume or user complaints", mailer.ClassTransient},
		{450, "4.7.1", "Greylisted, please try again", mailer.ClassTransient},
		{450, "4.2.1", "The user you are trying to contact is receiving mail too quickly", mailer.ClassTransient},
		{550, "5.2.1", "The user you are trying to contact is receiving mail at a rate that: receiving mail too quickly", mailer.ClassTransient},
		{450, "4.1.1", "unverified address: Address verification in progress", mailer.ClassTransient},
		{451, "", "Temporary local problem", mailer.ClassTransient},
		{452, "4.3.1", "Insufficient system storage", mailer.ClassTransient},
		{451, "4.4.1", "no answer from host", mailer.ClassTransient},
		{450, "", "", mailer.ClassTransient},

		// our reputation or authentication
		{550, "5.7.1", "Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam, this message has been blocked", mailer.ClassBlocked},
		{554, "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", mailer.ClassBlocked},
		{550, "5.7.26", "This mail is unauthenticated: SPF and DKIM did not pass", mailer.ClassBlocked},
		{550, "5.7.25", "the IP has no PTR record", mailer.ClassBlocked},
		{550, "5.7.515", "Access denied, sending domain doesn't meet the required authentication level", mailer.ClassBlocked},
		{554, "5.7.9", "Message not accepted for policy reasons", mailer.ClassBlocked},
		{550, "5.7.0", "", mailer.ClassBlocked},
		{550, "5.7.33", "one-click unsubscribe is missing", mailer.ClassBlocked},
		{550, "5.1.1", "rejected: your host is on our blacklist", mailer.ClassBlocked},
		{550, "", "Blocked, see the Barracuda reputation page", mailer.ClassBlocked},
		{553, "", "sorry, your domain has no valid SPF", mailer.ClassBlocked},
		{451, "", "listed by spamhaus", mailer.ClassBlocked},

		// this message
		{554, "5.7.1", "Blocked - spam content in the message", mailer.ClassContent},
		{552, "5.3.4", "Message size exceeds fixed limit", mailer.ClassContent},
		{552, "", "message too large", mailer.ClassContent},
		{550, "5.6.0", "Lone CR or LF in headers", mailer.ClassContent},
		{554, "", "virus found: Eicar", mailer.ClassContent},
		{550, "5.2.3", "message longer than the mailbox takes", mailer.ClassContent},
		{554, "5.7.1", "message rejected, identified as spam", mailer.ClassContent},

		// our settings
		{553, "5.1.8", "Sender address rejected: Domain not found", mailer.ClassConfig},
		{550, "5.1.7", "bad sender address syntax", mailer.ClassConfig},
		{553, "", "sender rejected", mailer.ClassConfig},
		{503, "5.5.1", "nested MAIL command", mailer.ClassConfig},
		{530, "5.7.0", "Authentication required", mailer.ClassConfig},
		{530, "", "", mailer.ClassConfig},
		{535, "5.7.8", "bad credentials", mailer.ClassConfig},
		{535, "", "no", mailer.ClassConfig},
		{501, "", "syntax", mailer.ClassConfig},
		{554, "5.7.1", "<[address]>: Relay access denied", mailer.ClassConfig},
		{550, "", "relaying denied", mailer.ClassConfig},
		{550, "5.7.60", "Client does not have permissions to send as this sender", mailer.ClassConfig},

		{550, "", "Your account is disabled", mailer.ClassConfig},
		{554, "", "Your Example Mail account has been suspended: user inactive", mailer.ClassConfig},
		{550, "5.2.1", "Your account is disabled, please contact support", mailer.ClassConfig},
		{550, "5.1.1", "The SMTP account is inactive", mailer.ClassConfig},
		{535, "", "account disabled", mailer.ClassConfig},

		{553, "5.6.7", "address needs SMTPUTF8", mailer.ClassUnsupported},
		{550, "5.6.9", "UTF-8 header message can't be transferred", mailer.ClassUnsupported},
	} {
		r := mailer.Reply{Code: tt.code, Enhanced: tt.enhanced, Text: tt.text}
		if got := mailer.Classify(r); got != tt.want {
			t.Errorf("%s: got %s, want %s", r, got, tt.want)
		}
	}
}

// A refusal is held against an address only if something says that the address is at fault.
func TestClassifyNeverKillsOnTheBasicCodeAlone(t *testing.T) {
	for code := 400; code < 600; code++ {
		for _, text := range []string{"", "no", "denied by policy", "requested action aborted"} {
			r := mailer.Reply{Code: code, Text: text}
			if got := mailer.Classify(r); got == mailer.ClassDead && code != 556 || got == "" {
				t.Errorf("%s: got %q", r, got)
			}
		}
	}
	for _, enhanced := range []string{"", "4.1.1", "4.4.4", "5.1.1", "4.7.1"} {
		r := mailer.Reply{Code: 450, Enhanced: enhanced, Text: "no such user, disabled"}
		if got := mailer.Classify(r); got == mailer.ClassDead {
			t.Errorf("%s: got dead of a temporary refusal", r)
		}
	}
}

func TestUnresolved(t *testing.T) {
	for _, tt := range []struct {
		enhanced, text string
		want           bool
	}{
		{"5.4.4", "Unable to route: no mail hosts for domain", true},
		{"5.4.310", "DNS domain reader.example does not exist [Message=InfoDomainNonexistent]", true},
		{"5.4.310", "no words", true},
		{"", "The domain reader.example doesn't exist", true},
		{"5.1.2", "Domain does not exist", true},
		{"5.1.1", "The account does not exist in this domain", false},
		{"5.1.2", "Host or domain name not found. Name service error for name=gone.example type=MX: Host not found", true},
		{"", "Domain not found", true},
		{"5.1.1", "User unknown", false},
		{"5.1.10", "Recipient not found by SMTP address lookup", false},
		{"5.1.10", "Recipient address has null MX", false},
	} {
		if got := mailer.Unresolved(mailer.Reply{Code: 550, Enhanced: tt.enhanced, Text: tt.text}); got != tt.want {
			t.Errorf("%s %s: got %t, want %t", tt.enhanced, tt.text, got, tt.want)
		}
	}
}

func TestSlowDown(t *testing.T) {
	for _, tt := range []struct {
		code           int
		enhanced, text string
		want           bool
	}{
		{421, "4.7.0", "[TSS04] Messages temporarily deferred due to unexpected volume or user complaints", true},
		{451, "4.7.0", "[TSS04] deferred", true},
		{421, "", "Service not available", true},
		{450, "4.2.1", "The user you are trying to contact is receiving mail too quickly", true},
		{421, "4.7.28", "Our system has detected an unusual rate of unsolicited mail originating from your IP address", true},
		{451, "4.7.500", "Server busy. Please try again later", false},
		{451, "4.7.652", "The mail server has exceeded the maximum number of connections: rate limited", true},
		{450, "4.7.1", "Greylisted, please try again", false},
		{452, "4.2.2", "mailbox full", false},
		{250, "", "too many cooks", false},
	} {
		r := mailer.Reply{Code: tt.code, Enhanced: tt.enhanced, Text: tt.text}
		if got := mailer.SlowDown(r); got != tt.want {
			t.Errorf("%s: got %t, want %t", r, got, tt.want)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"250 ok\r\n", "250\r\n", "250-a\r\n250 b\r\n", "550 5.1.1 <a@b.c> x\r\n", "25", "250-a\r\n251 b\r\n", "999 x\r\n", "421 4.3.2\n", "250_x\r\n",
		strings.Repeat("250-x\r\n", 101) + "250 x\r\n", "354" + strings.Repeat(" ", 5000) + "\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := mailer.ReadReply(bufio.NewReader(strings.NewReader(s)))
		if err != nil {
			if r != (mailer.Reply{}) {
				t.Errorf("got %+v with %v", r, err)
			}
			return
		}
		if r.Code < 200 || r.Code > 599 || len([]rune(r.Text)) > 500 || strings.ContainsAny(r.Text, "\r\n\x00") || strings.Contains(r.Text, "a@b.c") {
			t.Errorf("got %+v", r)
		}
		again, err := mailer.ReadReply(bufio.NewReader(strings.NewReader(r.String() + "\r\n")))
		if err != nil || again.Code != r.Code {
			t.Errorf("printed and read again: got %+v, %v, want %+v", again, err, r)
		}
		if r.Code >= 400 && mailer.Classify(r) == "" {
			t.Errorf("%+v has no class", r)
		}
	})
}

var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}(?:\s+|$)`)

func TestEnhancedCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.StringMatching(`[2-5]\.[0-9]{0,4}\.[0-9]{0,4}[ \t\fa.]{0,3}x?`), rapid.StringOfN(rapid.RuneFrom([]rune("245.. \tx")), 0, 9, -1)).Draw(t, "line")
		code, text := mailer.CutEnhanced(line)
		found := enhancedCode.FindString(line)
		if code != strings.TrimSpace(found) || text != line[len(found):] {
			t.Fatalf("%q: got %q and %q, want %q and %q", line, code, text, strings.TrimSpace(found), line[len(found):])
		}
	})
}

// Whether a reply has come whole is known without waiting for it.
func TestWaitingReplies(t *testing.T) {
	for come, want := range map[string]bool{
		"": false, "2": false, "250 ok": false, "250 ok\r": false, "250 ok\r\n": true, "250 ok\n": true, "250-a\r\n": false, "250-a\r\n250 b": false,
		"250-a\r\n250 b\r\n": true, "250-a\r\n550 b\r\n": true, "hello\r\n": true, "\n": true, "250 ok\r\n250-half\r\n": true,
	} {
		in := bufio.NewReader(strings.NewReader(come))
		_, _ = in.Peek(1)
		got := mailer.Waits(in)
		if got != want {
			t.Errorf("%q: got %v, want %v", come, got, want)
		}
		if _, err := mailer.ReadReply(in); got && errors.Is(err, io.EOF) {
			t.Errorf("%q: there is more to wait for", come)
		}
	}
}

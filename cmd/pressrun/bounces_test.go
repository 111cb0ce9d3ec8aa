package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"pressrun/newsletter/mailbox/mailboxtest"
	"pressrun/newsletter/mailer"
)

// hears gives a trial a mailbox for bounces.
func (s *trial) hears(t *testing.T) *mailboxtest.Server {
	t.Helper()
	imap := mailboxtest.New(t, mailer.NoTLS)
	for key, value := range map[string]string{
		"ADDRESS": "bounces@bakery.example", "HOST": imap.Host, "PORT": fmt.Sprint(imap.Port), "TLS": "none",
		"USERNAME": imap.Username, "PASSWORD": string(imap.Password),
	} {
		t.Setenv("PRESSRUN_BOUNCES_"+key, value)
	}
	return imap
}

func failureReport(to string) string {
	return "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\nTo: <" + to + ">\r\nMessage-ID: <1@mx.example.net>\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; mx.example.net\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
}

func complaintReport(from string) string {
	return "From: fbl@provider.example\r\nTo: <fbl@bakery.example>\r\nMessage-ID: <2@provider.example>\r\n" +
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Mail-From: <" + from + ">\r\n\r\n--b--\r\n"
}

// TestBouncesByTheCommandLine: a letter leaves, comes back an hour later, and is shown wherever its reader and its issue are.
func TestBouncesByTheCommandLine(t *testing.T) {
	s := newTrial(t)
	imap := s.hears(t)
	s.bread("ada@example.org", "bob@example.org", "eve@example.org")
	s.run("issue", "send", "bread", "--yes")
	from := map[string]string{}
	for _, m := range s.await(3) {
		from[m.To] = m.From
	}
	imap.Put(failureReport(from["ada@example.org"]), complaintReport(from["bob@example.org"]), "Subject: hello\r\n\r\nhello\r\n")
	has := func(said string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(said, want) {
				t.Errorf("lacks %q:\n%s", want, said)
			}
		}
	}
	has(s.run("run-due"), "Came back by mail: 1 bounce, 1 complaint, 1 other mail.")
	has(s.run("run-due", "--json"), `"due"`)
	has(s.run("subscriber", "show", "ada@example.org"), "suppressed", "bounced", "550 5.1.1 no such user", "a bounce came by mail")
	has(s.run("subscriber", "show", "bob@example.org"), "suppressed", "complained", "a complaint came by mail")
	issues := s.run("issue", "list", "bread", "--json")
	has(issues, `"sent": 3`, `"bounced": 1`, `"complained": 1`)
	_, name, _ := strings.Cut(issues, `"issue": "`)
	name, _, _ = strings.Cut(name, `"`)
	has(s.run("issue", "show", name), "bounced     1, of those sent", "complained  1, of those sent")
	has(s.run("check"), "login accepted, 3 messages in INBOX; in the last 30 days: 1 bounce, 1 complaint, 1 other mail")
	has(s.run("subscriber", "bounces"), "No bounce waits.")
	has(s.run("subscriber", "bounces", "--drop", "--json"), "[]")
	s.run("check", "--send", "me@example.org", "--yes")
	if all := s.server.Messages(); !strings.HasPrefix(all[len(all)-1].From, "bounces+0.") {
		t.Errorf("the test mail is from %s", all[len(all)-1].From)
	}
	if said := s.run("subscriber", "show", "eve@example.org"); strings.Contains(said, "bounced") || strings.Contains(said, "suppressed") {
		t.Errorf("nothing came back of hers:\n%s", said)
	}
}

// TestBouncesThatWait: too many at once are held, shown, and given up at somebody's word alone.
func TestBouncesThatWait(t *testing.T) {
	s := newTrial(t)
	imap := s.hears(t)
	var readers []string
	for i := range 22 {
		readers = append(readers, fmt.Sprintf("r%d@example.org", i))
	}
	s.bread(readers...)
	s.run("issue", "send", "bread", "--yes")
	for _, m := range s.await(22) {
		imap.Put(failureReport(m.From))
	}
	s.run("run-due")
	if said := s.run("subscriber", "bounces"); !strings.Contains(said, "bread   2") {
		t.Errorf("got:\n%s", said)
	}
	if err := s.try("subscriber", "bounces", "--drop"); err == nil {
		t.Error("given up without a word")
	}
	if said := s.run("subscriber", "bounces", "--drop", "--yes"); said != "Given up: 2 bounces.\n" {
		t.Errorf("got %q", said)
	}
	if said := s.run("subscriber", "bounces", "--json"); strings.TrimSpace(said) != "[]" {
		t.Errorf("got %q", said)
	}
}

// TestServeHears: a running serve looks into the mailbox when it starts.
func TestServeHears(t *testing.T) {
	s := newTrial(t)
	imap := s.hears(t)
	s.bread("ada@example.org")
	s.run("issue", "send", "bread", "--yes")
	imap.Put(failureReport(s.await(1)[0].From))
	s.serveUntil("mailbox of bounces read")()
	if said := s.run("subscriber", "show", "ada@example.org"); !strings.Contains(said, "suppressed") {
		t.Errorf("got:\n%s", said)
	}
}

// TestBouncesByKind: what is said of the mailbox depends on what the relay does with bounces. Amazon SES mails them on
// (https://docs.aws.amazon.com/ses/latest/dg/monitor-sending-activity-using-notifications-email.html); Postmark takes all
// (https://postmarkapp.com/support/article/1074-how-do-i-automatically-alert-senders-when-an-email-bounces).
func TestBouncesByKind(t *testing.T) {
	for kind, want := range map[string]string{
		"smtp": "login accepted", "ses": "email feedback forwarding is on", "gmail": "keeps the return path that we give", "mailgun": "keeps the return path that we give",
		"postmark": "mails it to nobody", "sendgrid": "mails it to nobody", "brevo": "mails it to nobody",
	} {
		s := newTrial(t)
		s.hears(t)
		t.Setenv("PRESSRUN_RELAY_KIND", kind)
		var out strings.Builder
		err := run(t.Context(), []string{"check", "--json"}, strings.NewReader(""), &out, io.Discard)
		if said := fmt.Sprint(out.String(), err); !strings.Contains(said, want) {
			t.Errorf("%s: lacks %q:\n%s", kind, want, said)
		}
	}
}

// TestCheckBounces: a mailbox that can't be opened is OPEN.
func TestCheckBounces(t *testing.T) {
	s := newTrial(t)
	s.hears(t)
	t.Setenv("PRESSRUN_BOUNCES_PASSWORD", "seeded-secret")
	err := s.try("check")
	if err == nil || strings.Contains(err.Error(), "seeded-secret") {
		t.Errorf("got %v", err)
	}
}

// TestCheckReadsAsTheReader: what keeps bounces from being read, or from being marked as read, is OPEN.
func TestCheckReadsAsTheReader(t *testing.T) {
	s := newTrial(t)
	imap := s.hears(t)
	imap.Put("Subject: hello\r\n\r\nhello\r\n")
	said := func(want string) {
		t.Helper()
		var out bytes.Buffer
		err := run(t.Context(), []string{"check"}, strings.NewReader(""), &out, io.Discard)
		if got := out.String() + fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	said("1 message in INBOX")
	imap.Lose(1, true)
	_ = s.try("run-due") // it says that the mailbox can't be read
	said("message 1: ")
	imap.Find(1)
	said("it could not be read")
	s.run("run-due")
	imap.Freeze(false)
	said("message 1: mark as read: ")
}

// TestCheckBounceDomain asks a real DNS server on loopback.
func TestCheckBounceDomain(t *testing.T) {
	const policy = "TXT v=DMARC1; p=none; rua=mailto:dmarc@example.org"
	records := func(more ...string) map[string]string {
		all := map[string]string{"_dmarc.example.org": policy, "relay.example.net": "A 203.0.113.5"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	const spf = "TXT v=spf1 a:relay.example.net -all"
	for _, tt := range []struct {
		name, address string
		records       map[string]string
		want          []string
	}{
		{"all is there", "bounces@example.org", records(), nil},
		{"nothing is there", "*@bounces.example.org", records(), []string{"OPEN there is no record", "OPEN neither a mail server", "ok bounces.example.org is aligned"}},
		{"of its own", "*@bounces.example.org", records("bounces.example.org", spf), []string{"ok v=spf1", "OPEN neither a mail server", "ok bounces.example.org is aligned"}},
		{"strict", "*@bounces.example.org", records("bounces.example.org", spf, "_dmarc.example.org", policy+"; aspf=s"), []string{"ok v=spf1", "OPEN neither a mail server", "look aspf=s wants example.org itself"}},
		{"elsewhere", "bounces@example.net", records("example.net", spf), []string{"ok v=spf1", "OPEN neither a mail server", "look example.net is of another organization"}},
		{"not answered", "*@bounces.example.org", map[string]string{"_dmarc.example.org": "FAIL", "bounces.example.org": spf, "relay.example.net": "A 203.0.113.5"}, []string{"ok v=spf1", "OPEN neither a mail server", "look could not be asked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dnsSite(t, tt.records, func(c *Config) {
				if err := setBounces(c, tt.address); err != nil {
					t.Fatal(err)
				}
			})
			got := s.checkBounceDomain(t.Context(), []string{"example.org"})
			if len(got) != len(tt.want) {
				t.Fatalf("got %+v", got)
			}
			for i, f := range got {
				if !strings.HasPrefix(short(f), tt.want[i]) {
					t.Errorf("got %s, want %s", short(f), tt.want[i])
				}
			}
		})
	}
}

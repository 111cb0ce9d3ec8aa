package outbox_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

const dead = "550 5.1.1 <r1@example.org>: user unknown"

// TestReturnPaths: each mail to a subscriber leaves from an address of its own, in lower case and no longer than may be, whatever is said
// in its header; without an address for bounces, and to editors, it leaves from the sender's.
func TestReturnPaths(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 2)
	s.issue(s.skin, "rest")
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		n := s.notice("editors", "to editors")
		_, err := outbox.Enqueue(ctx, tx, n, s.now())
		if err == nil {
			n = s.notice("test", "to a subscriber")
			n.ToEmail, n.ToName, n.SubscriberID = "", "", ids[0]
			_, err = outbox.Enqueue(ctx, tx, n, s.now())
		}
		return err
	})
	s.mail(srv)
	seen := map[string]bool{}
	for _, m := range srv.Messages() {
		own := strings.HasPrefix(m.From, "bounces+") && strings.HasSuffix(m.From, "@news.example.org")
		local, _, _ := strings.Cut(m.From, "@")
		if own == (m.To == s.notice("editors", "").ToEmail) || own && (len(local) > 64 || m.From != strings.ToLower(m.From)) {
			t.Errorf("to %s from %s", m.To, m.From)
		}
		if seen[m.From] = true; !strings.Contains(string(m.Data), "From: ") || strings.Contains(string(m.Data), "bounces+") {
			t.Errorf("to %s: the return path is in the message", m.To)
		}
	}
	if len(seen) != 4 {
		t.Errorf("got envelope senders %v, want four", seen)
	}
	s.issue(s.skin, "sleep")
	s.send(srv)
	if m := srv.Messages()[4]; m.From != s.skin.FromEmail {
		t.Errorf("without an address for bounces: from %s", m.From)
	}
}

// TestReturnPathsPassGreylists: a relay that puts off the first letter of each sender and recipient takes the second try, of issues and
// of notices, since it is from the same sender.
func TestReturnPathsPassGreylists(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t, smtptest.WithGreylist())
	ids := s.readers(s.skin, 2)
	issue := s.issue(s.skin, "rest")
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		n := s.notice("test", "to a subscriber")
		n.ToEmail, n.ToName, n.SubscriberID = "", "", ids[0]
		_, err := outbox.Enqueue(ctx, tx, n, s.now())
		return err
	})
	s.mail(srv)
	s.wants(issue.ID, "2 pending")
	s.advance(10 * time.Minute)
	s.mail(srv)
	s.wants(issue.ID, "2 sent")
	if n := len(srv.Messages()); n != 3 {
		t.Errorf("%d messages were taken, want 3", n)
	}
	for i, m := range srv.Messages() {
		if got := s.hears(returned(m.From, "delayed", "450 4.4.1 timed out", fmt.Sprint(i))); got != outbox.HeardPassed {
			t.Errorf("of message %d from %s: got %s", i, m.From, got)
		}
	}
}

func TestParseReturnPath(t *testing.T) {
	for address, want := range map[string]string{
		"bounces@news.example.org":                "news.example.org",
		"b-*@bounces.example.org":                 "bounces.example.org",
		"*@bücher.example":                        "xn--bcher-kva.example",
		strings.Repeat("b", 25) + "@example.org":  "example.org",
		strings.Repeat("b", 26) + "@example.org":  "",
		"bounces":                                 "",
		"bounces@":                                "",
		"bo unces@example.org":                    "",
		"bö@example.org":                          "",
		"*b*@example.org":                         "",
		"bounces@news.example.org, x@example.org": "",
		"Name <bounces@news.example.org>":         "",
	} {
		p, err := outbox.ParseReturnPath(address)
		if got := ""; err == nil {
			if got = p.Domain(); got != want {
				t.Errorf("%s: got domain %q, want %q", address, got, want)
			}
		} else if want != "" {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestForgedReports: whatever is not proved to be about a delivery of ours of the last 30 days changes nobody.
func TestForgedReports(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 3)
	s.issue(s.skin, "rest")
	s.mail(srv)
	one, two := srv.Messages()[0], srv.Messages()[1]
	local, domain, _ := strings.Cut(one.From, "@")
	name, mac, _ := strings.Cut(local, ".")
	_, othersMAC, _ := strings.Cut(strings.Split(two.From, "@")[0], ".")
	unsubscribe := s.key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: ids[0], SeriesID: s.skin.ID})
	forged := map[string]outbox.Heard{
		name + "." + othersMAC + "@" + domain:                    outbox.HeardForged,
		name + "." + one.MessageID[:24] + "@" + domain:           outbox.HeardForged,
		name + "." + unsubscribe[:24] + "@" + domain:             outbox.HeardForged,
		name + "." + mac[:16] + "@" + domain:                     outbox.HeardUnknown,
		"bounces+zz." + mac + "@" + domain:                       outbox.HeardUnknown,
		"bounces+0." + mac + "@" + domain:                        outbox.HeardUnknown,
		"bounces+-1." + mac + "@" + domain:                       outbox.HeardUnknown,
		"bounces@" + domain:                                      outbox.HeardUnknown,
		local + "@evil.example":                                  outbox.HeardUnknown,
		address(1):                                               outbox.HeardUnknown,
		strings.Replace(one.From, mac, mac+"a", 1):               outbox.HeardUnknown,
		strings.Replace(one.From, mac, other(mac[0])+mac[1:], 1): outbox.HeardForged,
	}
	for i := range 1000 {
		forged[fmt.Sprintf("%s.%024d@%s", name, i, domain)] = outbox.HeardForged
	}
	for to, want := range forged {
		for _, raw := range []string{returned(to, "failed", dead, to), complaint("abuse", to, smtptest.Taken{})} {
			if got := s.hears(raw); got != want {
				t.Errorf("to %s: got %s, want %s", to, got, want)
			}
		}
	}
	stranger := site{TB: t, db: s.db, key: newKey(), people: s.people}
	if got := stranger.hears(returned(one.From, "failed", dead, "1")); got != outbox.HeardForged {
		t.Errorf("by another key: got %s", got)
	}
	if got := s.hears("From: a@example.org\r\nTo: " + one.From + "\r\n\r\nHi. This is the news: " + dead); got != outbox.HeardAnswer {
		t.Errorf("an answer: got %s", got)
	}
	s.advance(31 * 24 * time.Hour)
	if got := s.hears(returned(one.From, "failed", dead, "1")); got != outbox.HeardOld {
		t.Errorf("after a month: got %s", got)
	}
	for i := range 3 {
		if got, because := s.suppressedBy(i + 1); got != "" {
			t.Errorf("reader %d: got %s because %s", i+1, got, because)
		}
	}
}

// other is another letter of a MAC.
func other(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}

// TestANumberThatComesAgain: a restored database gives a delivery's number anew. A bounce of the one that had it before is none of the
// second's.
func TestANumberThatComesAgain(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	s.issue(s.skin, "rest")
	before := s.mail(srv)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE deliveries SET created = created + 1`)
		return err
	})
	if got := s.hears(returned(before.From, "failed", dead, "1")); got != outbox.HeardForged {
		t.Errorf("got %s", got)
	}
}

// TestReturnPathsOnEveryWire: whatever the relay offers, each letter goes out with its own.
func TestReturnPathsOnEveryWire(t *testing.T) {
	for _, offers := range [][]string{nil, {"PIPELINING"}, {"PIPELINING", "CHUNKING"}, {"PIPELINING", "CHUNKING", "DSN", "SIZE 1000000"}} {
		s, srv := newSite(t), smtptest.New(t, smtptest.WithExtensions(offers...))
		ids := s.readers(s.skin, 12)
		s.issue(s.skin, "rest")
		s.mail(srv)
		for i, m := range srv.Messages() {
			if got := s.hears(returned(m.From, "failed", dead, fmt.Sprint(i))); got != outbox.HeardBounce {
				t.Errorf("%q: message %d from %s: %s", offers, i, m.From, got)
			}
		}
		for i, id := range ids {
			if back := must(outbox.ReturnsOf(t.Context(), s.db, id)); len(back) != 1 {
				t.Errorf("%q: of reader %d came back %+v", offers, i+1, back)
			}
		}
	}
}

// TestReturnPathsTakeNoMemory: a letter with a return path of its own is written with no allocation more.
func TestReturnPathsTakeNoMemory(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("under the race detector pools forget what they hold")
	}
	var allocations []float64
	for _, path := range []outbox.ReturnPath{{}, returnPath} {
		s := newSite(t)
		s.readers(s.skin, 1)
		s.issue(s.skin, "rest")
		cfg := s.config(relay(smtptest.New(t)))
		cfg.MayLeave = func(context.Context) error { return outbox.ErrHeld } // nothing is claimed but by Claim
		cfg.Lease, cfg.ReturnPath = time.Hour, path
		steps, err := s.start(cfg).Claim(1)
		if err != nil || steps.Len() != 1 {
			t.Fatal(steps.Len(), err)
		}
		room := make([]byte, 0, 64<<10)
		allocations = append(allocations, testing.AllocsPerRun(100, func() {
			if _, err := steps.WriteTo(t.Context(), 0, "Ada", room); err != nil {
				t.Fatal(err)
			}
		}))
	}
	if allocations[1] > allocations[0] {
		t.Errorf("got %v allocations, without return paths %v", allocations[1], allocations[0])
	}
}

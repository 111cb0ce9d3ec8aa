package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// suppressedBy is why somebody gets nothing; empty where nothing stands against them.
func (s *site) suppressedBy(i int) (reason, because string) {
	s.Helper()
	all, err := s.people.Suppressions(context.Background(), s.db, address(i))
	if err != nil {
		s.Fatal(err)
	}
	if len(all) == 0 {
		return "", ""
	}
	return all[0].Reason, all[0].Because
}

// TestWhatARefusalMeansForTheAddress has real replies said to one of two readers: those about the address suppress it at once
// and with the evidence, those about us never, whichever phase they come in.
func TestWhatARefusalMeansForTheAddress(t *testing.T) {
	for _, tt := range []struct {
		reply string
		want  string // reason
	}{
		{"550 5.1.1 <r1@example.org>: Recipient address rejected: User unknown in virtual mailbox table", "bounce"},
		{"550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n550 5.1.1 double-checking the recipient's email address for typos", "bounce"},
		{"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient r1@example.org not found by SMTP address lookup", "bounce"},
		{"550 5.2.1 The email account that you tried to reach is disabled", "bounce"},
		{"556 5.1.10 Recipient address has null MX", "bounce"},
		{"554 delivery error: dd This user doesn't have a yahoo.com account (r1@yahoo.com) [0]", "bounce"},
		{"550 5.4.4 Host or domain name not found", ""}, // once
		{"552 5.2.2 The email account that you tried to reach is over quota", ""},
		{"550 Requested action not taken: mailbox unavailable", ""},
		{"550 5.7.1 Our system has detected that this message is likely unsolicited mail", ""},
		{"550 5.7.26 This mail has been blocked because the sender is unauthenticated", ""},
		{"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", ""},
		{"550 5.1.1 rejected: your host is on our blacklist", ""},
		{"554 5.7.1 message rejected, identified as spam", ""},
		{"552 5.3.4 Message size exceeds fixed limit", ""},
		{"553 5.1.8 Sender address rejected: Domain not found", ""},
		{"554 5.7.1 <r1@example.org>: Relay access denied", ""},
		{"451 4.7.1 Greylisted", ""},
	} {
		for _, phase := range []string{"RCPT", "content"} {
			t.Run(phase+" "+tt.reply, func(t *testing.T) {
				t.Parallel()
				s, srv := newSite(t), smtptest.New(t)
				ids := s.readers(s.skin, 1)
				s.issue(s.skin, "rest")
				srv.At(phase).Reply(tt.reply)
				s.send(srv)
				reason, because := s.suppressedBy(1)
				if reason != tt.want {
					t.Errorf("got suppressed for %q, want %q", reason, tt.want)
				}
				e, err := subscribers.EnrolmentOf(t.Context(), s.db, s.skin.ID, ids[0])
				if err != nil || e.EndedBy != tt.want {
					t.Errorf("got enrolment ended by %q, %v, want %q", e.EndedBy, err, tt.want)
				}
				if tt.want == "" {
					return
				}
				if strings.Contains(because, "@example.org>:") || strings.Contains(because, "r1@") || !strings.HasPrefix(because, tt.reply[:3]) {
					t.Errorf("got evidence %q, want the reply without addresses", because)
				}
				if id := s.delivery(ids[0]).MessageID; id != "" && !strings.Contains(because, id) {
					t.Errorf("got evidence %q, want the message's id %s in it", because, id)
				}
			})
		}
	}
}

// TestADomainNotFoundOnTwoDays: name servers break, so once is not enough, nor twice a day.
func TestADomainNotFoundOnTwoDays(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	srv.At("RCPT").Reply("550 5.4.4 Host or domain name not found")
	s.advance(12*time.Hour - s.now().Sub(s.now().Truncate(24*time.Hour))) // noon by UTC
	for i, want := range []string{"", "", "bounce"} {
		s.issue(s.skin, "rest"+string(rune('a'+i)))
		s.send(srv)
		if got, _ := s.suppressedBy(1); got != want {
			t.Errorf("refusal %d: got %q, want %q", i+1, got, want)
		}
		s.advance(time.Duration(1+22*i) * time.Hour)
	}
}

// TestAMailboxThatIsFullForAMonth is given up after five failures over thirty days; a delivery between begins the count anew,
// and so little says what was put off because of us.
func TestAMailboxThatIsFullForAMonth(t *testing.T) {
	const full, taken, late = "552 5.2.2 over quota", "", "451 4.7.1 greylisted"
	for _, tt := range []struct {
		name    string
		every   time.Duration
		replies []string
		want    string
	}{
		{"five in 32 days", 8 * 24 * time.Hour, []string{full, full, full, full, full}, "bounce"},
		{"four in 32 days", 11 * 24 * time.Hour, []string{full, full, full, full}, ""},
		{"five in 28 days", 7 * 24 * time.Hour, []string{full, full, full, full, full}, ""},
		{"six in 35 days", 7 * 24 * time.Hour, []string{full, full, full, full, full, full}, "bounce"},
		{"one taken between", 8 * 24 * time.Hour, []string{full, full, full, taken, full, full, full}, ""},
		{"put off", 8 * 24 * time.Hour, []string{late, late, late, late, late, late}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 2)
			for i, reply := range tt.replies {
				s.issue(s.skin, "rest"+string(rune('a'+i)))
				rule := srv.At("RCPT " + address(1))
				if reply != taken {
					rule.Reply(reply)
				}
				s.send(srv)
				rule.Times(0)
				s.advance(tt.every)
			}
			got, because := s.suppressedBy(1)
			if got != tt.want || got != "" && !strings.Contains(because, "552 5.2.2 over quota") {
				t.Errorf("got %q because %q, want %q", got, because, tt.want)
			}
			if other, _ := s.suppressedBy(2); other != "" {
				t.Errorf("the other reader: got %q, want nothing against them", other)
			}
		})
	}
}

// TestABounceEndsAllEnrolmentsWithItsTurn: the reader of two series leaves both, and the row and the suppression are one commit.
func TestABounceEndsAllEnrolmentsWithItsTurn(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1)
	hair := s.addSeries("hair")
	s.readers(hair, 1)
	s.issue(s.skin, "rest")
	srv.At("RCPT").Reply("550 5.1.1 no such user")
	s.send(srv)
	for _, of := range []series.Series{s.skin, hair} {
		if e := must(subscribers.EnrolmentOf(t.Context(), s.db, of.ID, ids[0])); e.State != subscribers.Ended || e.EndedBy != "bounce" {
			t.Errorf("%s: got %s by %q, want ended by bounce", of.Slug, e.State, e.EndedBy)
		}
	}
	var failed, suppressed int64
	const together = `SELECT (SELECT updated FROM deliveries WHERE state = 'failed'), (SELECT created FROM suppressions)`
	err := s.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(t.Context(), together).Scan(&failed, &suppressed)
	})
	if err != nil || suppressed < failed {
		t.Errorf("got a failure at %d and a suppression at %d, %v", failed, suppressed, err)
	}
}

// moves has a reader change to another address, by the links that prove both.
func (s *site) moves(subscriber int64, email string) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		manage, err := s.people.AskManage(ctx, tx, subscriber, subscribers.Evidence{})
		if err != nil {
			return err
		}
		token, _, err := s.people.AskAddress(ctx, tx, manage, email, subscribers.Evidence{})
		if err != nil {
			return err
		}
		_, _, err = s.people.ChangeAddress(ctx, tx, token, subscribers.Evidence{})
		return err
	})
}

// TestANewAddressAnswersForItself: what the relay says of the address that a reader gave up, also of mail that was on its way
// when they did, and what it said in months before, is not held against the new one.
func TestANewAddressAnswersForItself(t *testing.T) {
	const full, unfound = "552 5.2.2 over quota", "550 5.4.4 Host or domain name not found"
	for _, tt := range []struct {
		name   string
		before []string // to the old address, a month apart
		during string   // while they move
		after  string   // to the new one
	}{
		{name: "no such user, as they move", during: "550 5.1.1 no such user"},
		{name: "full for months", before: []string{full, full, full, full}, after: full},
		{name: "no such domain", before: []string{unfound}, after: unfound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			ids := s.readers(s.skin, 1)
			for i, reply := range tt.before {
				s.issue(s.skin, "old"+string(rune('a'+i)))
				srv.At("RCPT " + address(1)).Reply(reply).Times(1)
				s.send(srv)
				s.advance(30 * 24 * time.Hour)
			}
			if tt.during != "" {
				s.issue(s.skin, "during")
				srv.At("RCPT " + address(1)).Call(func() { s.moves(ids[0], "new@example.net") }).Reply(tt.during)
				s.send(srv)
			} else {
				s.moves(ids[0], "new@example.net")
			}
			s.issue(s.skin, "after")
			if tt.after != "" {
				srv.At("RCPT new@example.net").Reply(tt.after)
			}
			s.send(srv)
			against := must(s.people.Suppressions(t.Context(), s.db, "new@example.net"))
			if e := must(subscribers.EnrolmentOf(t.Context(), s.db, s.skin.ID, ids[0])); len(against) > 0 || e.State != subscribers.Active {
				t.Errorf("got suppressions %+v and an enrolment that is %s by %q, want a reader", against, e.State, e.EndedBy)
			}
		})
	}
}

package outbox_test

import (
	"context"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

// TestEvidenceSettles: a report about a message of which the relay said nothing shows that it had it.
func TestEvidenceSettles(t *testing.T) {
	for _, tt := range []struct {
		action  string
		want    string
		bounced int64
	}{{"delayed", "", 0}, {"failed", "bounce", 1}} {
		s, srv := newSite(t), smtptest.New(t)
		s.readers(s.skin, 1)
		issue := s.issue(s.skin, "rest")
		srv.At("content").Drop(false)
		m := s.mail(srv)
		s.wants(issue.ID, "1 uncertain")
		s.hears(returned(m.From, tt.action, dead, "1"))
		s.wants(issue.ID, "1 sent")
		if got, _ := s.suppressedBy(1); got != tt.want || s.allCounts(issue.ID).Bounced != tt.bounced {
			t.Errorf("%s: suppressed for %q, %+v", tt.action, got, s.allCounts(issue.ID))
		}
	}
}

// TestEvidenceComesFirst: a bounce of a copy while the next one still waits is kept, and applied once that has its end.
func TestEvidenceComesFirst(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	issue := s.issue(s.skin, "rest")
	srv.At("content").Drop(false).Times(1)
	m := s.mail(srv)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := outbox.Settle(ctx, tx, issue.ID, "again", s.now())
		return err
	})
	if got := s.hears(returned(m.From, "failed", dead, "1")); got != outbox.HeardBounce {
		t.Errorf("got %s", got)
	}
	s.wants(issue.ID, "1 pending")
	if held := must(s.reports().Again(t.Context())); len(held) > 0 {
		t.Errorf("held %v", held)
	}
	if got, _ := s.suppressedBy(1); got != "" {
		t.Errorf("suppressed for %q before its end is known", got)
	}
	if again := s.mail(srv); again.From != m.From {
		t.Errorf("the second try is from %s, the first was from %s", again.From, m.From)
	}
	must(s.reports().Again(t.Context()))
	if got, _ := s.suppressedBy(1); got != "bounce" {
		t.Errorf("suppressed for %q", got)
	}
}

// TestAReceiptComesFirst: what a report proves of a message in flight is kept, and settles it where its sender dies before it notes the
// relay's answer; and so where it was to be sent once more, and nobody knows again what became of that.
func TestAReceiptComesFirst(t *testing.T) {
	for _, state := range []string{"inflight", "pending"} {
		s, srv := newSite(t), smtptest.New(t)
		s.readers(s.skin, 2)
		issue := s.issue(s.skin, "rest")
		srv.At("content").Drop(false)
		m := s.mail(srv)
		s.wants(issue.ID, "2 uncertain")
		s.exec(`UPDATE deliveries SET state = ?1, owner = CASE ?1 WHEN 'inflight' THEN 'dead' ELSE '' END, amb = 1, lease_until = 1, next_try = 0
			WHERE state = 'uncertain'`, state)
		if got := s.hears(returned(m.From, "delayed", "450 4.4.1 timed out", "1")); got != outbox.HeardPassed {
			t.Errorf("%s: got %s", state, got)
		}
		must(s.reports().Again(t.Context()))
		s.wants(issue.ID, "2 "+state)
		s.mail(srv) // a worker takes over what the dead one left, or sends what waits
		s.wants(issue.ID, "2 uncertain")
		for range 2 {
			must(s.reports().Again(t.Context()))
			s.wants(issue.ID, "1 sent, 1 uncertain")
		}
	}
}

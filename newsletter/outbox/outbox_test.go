package outbox_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
)

func taken(srv *smtptest.Server) (all []took) {
	for _, m := range srv.Messages() {
		all = append(all, took{messageID: m.MessageID, hash: m.Hash})
	}
	return all
}

func TestEverybodyOnce(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 50)
	issue := s.issue(s.skin, "rest")
	s.wants(issue.ID, "50 pending")
	s.send(srv)
	s.finish()
	s.wants(issue.ID, "50 sent")
	checkInvariants(t, s.db, taken(srv), 0)
	if got := s.state(issue.ID); got.State != "done" || !got.Reached {
		t.Errorf("got state %s, reached %v, want done and reached", got.State, got.Reached)
	}
	seen := map[string]bool{}
	for _, m := range srv.Messages() {
		seen[m.To] = true
		if strings.Contains(string(m.Data), "unsubscribe.invalid") {
			t.Fatalf("%s: the hole is still there", m.To)
		}
	}
	if len(seen) != 50 {
		t.Errorf("got %d recipients, want 50", len(seen))
	}
}

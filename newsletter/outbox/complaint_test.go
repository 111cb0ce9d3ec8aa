package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// TestComplaints: whoever calls our mail spam gets none any more, of no series, until an owner lifts it; other feedback changes nothing.
func TestComplaints(t *testing.T) {
	for _, tt := range []struct {
		kind     string
		redacted bool
		heard    outbox.Heard
		want     string
	}{
		{"abuse", false, outbox.HeardComplaint, "complaint"},
		{"opt-out", false, outbox.HeardComplaint, "complaint"},
		{"abuse", true, outbox.HeardComplaint, "complaint"},
		{"not-spam", false, outbox.HeardFeedback, ""},
		{"auth-failure", false, outbox.HeardFeedback, ""},
	} {
		s, srv := newSite(t), smtptest.New(t)
		ids := s.readers(s.skin, 1)
		hair := s.addSeries("hair")
		s.readers(hair, 1)
		issue := s.issue(s.skin, "rest")
		m := s.mail(srv)
		from := m.From
		if tt.redacted {
			from = ""
		}
		for range 2 {
			if got := s.hears(complaint(tt.kind, from, m)); got != tt.heard {
				t.Errorf("%s: got %s, want %s", tt.kind, got, tt.heard)
			}
		}
		if got, because := s.suppressedBy(1); got != tt.want || got != "" && !strings.Contains(because, m.MessageID) {
			t.Errorf("%s: got %q because %q, want %q", tt.kind, got, because, tt.want)
		}
		e := must(subscribers.EnrolmentOf(t.Context(), s.db, hair.ID, ids[0]))
		if (e.State == subscribers.Ended) != (tt.want != "") || s.allCounts(issue.ID).Complained != int64(len(tt.want)/len("complaint")) {
			t.Errorf("%s: the other series is %s; %+v", tt.kind, e.State, s.allCounts(issue.ID))
		}
	}
}

// sender is the envelope sender of the first message that a server was offered.
func sender(t *testing.T, srv *smtptest.Server) string {
	t.Helper()
	for _, command := range srv.Commands() {
		if _, from, ok := strings.Cut(command, "FROM:<"); ok {
			from, _, _ = strings.Cut(from, ">")
			return from
		}
	}
	t.Fatalf("got %q", srv.Commands())
	return ""
}

// TestComplaintsNeverWait: whatever became of the delivery, or may become yet, and however many bounces wait, who complained gets nothing more.
func TestComplaintsNeverWait(t *testing.T) {
	again := func(s *site, issue int64) {
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := outbox.Settle(ctx, tx, issue, "again", s.now())
			return err
		})
	}
	for _, tt := range []struct {
		name, reply string
		then        func(s *site, issue int64)
		is, after   string
	}{
		{"sent", "250 ok", nil, "1 sent", "1 sent"},
		{"failed", "554 5.7.1 blocked", nil, "1 failed", "1 failed"},
		{"put off", "451 4.3.0 later", nil, "1 pending", "1 skipped"},
		{"uncertain", "", nil, "1 uncertain", "1 sent"},
		{"pending", "", again, "1 pending", "1 sent"},
		{"claimed", "", func(s *site, issue int64) { again(s, issue); s.dead("claimed") }, "1 claimed", "1 claimed"},
		{"inflight", "", func(s *site, issue int64) {
			again(s, issue)
			s.exec(`UPDATE deliveries SET state = 'inflight', owner = 'dead', epoch = epoch + 1, lease_until = ?1`, s.now().Add(time.Hour).UnixMilli())
		}, "1 inflight", "1 inflight"},
		{"skipped", "451 4.3.0 later", func(s *site, _ int64) {
			s.suppress(address(1), "bounce")
			s.advance(time.Hour)
			s.send(smtptest.New(t))
		}, "1 skipped", "1 skipped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 1)
			issue := s.issue(s.skin, "rest")
			if tt.reply == "" {
				srv.At("content").Drop(false)
			} else {
				srv.At("content").Reply(tt.reply)
			}
			s.mail(srv)
			from := sender(t, srv)
			if tt.then != nil {
				tt.then(s, issue.ID)
			}
			s.wants(issue.ID, tt.is)
			if got := s.hears(complaint("abuse", from, smtptest.Taken{})); got != outbox.HeardComplaint {
				t.Errorf("got %s", got)
			}
			against := must(s.people.Suppressions(t.Context(), s.db, address(1)))
			if len(against) == 0 || against[len(against)-1].Reason != "complaint" {
				t.Errorf("got suppressions %+v", against)
			}
			later := smtptest.New(t)
			if tt.is == "1 pending" {
				s.advance(time.Hour)
				s.send(later)
			}
			must(s.reports().Again(t.Context()))
			s.wants(issue.ID, tt.after)
			if n := len(later.Messages()); n > 0 {
				t.Errorf("%d messages left", n)
			}
		})
	}
}

// TestComplaintsAreOutsideTheCap: they go through while bounces wait, and take no bounce's place.
func TestComplaintsAreOutsideTheCap(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 50)
	s.issue(s.skin, "rest")
	s.mail(srv)
	for i, m := range srv.Messages() {
		want, raw := "", returned(m.From, "failed", dead, fmt.Sprint(i))
		switch {
		case i < 10 || i >= 40:
			want, raw = "complaint", strings.Replace(complaint("abuse", m.From, m), "abuse@", fmt.Sprint(i, "@"), 1)
		case i < 30:
			want = "bounce"
		}
		s.hears(raw)
		var reader int
		if _, err := fmt.Sscanf(m.To, "r%d@", &reader); err != nil {
			t.Fatal(m.To, err)
		}
		if got, _ := s.suppressedBy(reader); got != want {
			t.Errorf("report %d: suppressed for %q, want %q", i+1, got, want)
		}
	}
	if held := must(s.reports().Again(t.Context())); held[s.skin.ID] != 10 {
		t.Errorf("held are %v, want 10", held)
	}
}

// TestAComplaintOfAnothersMessage: the token of one reader with the Message-ID of another's proves nothing.
func TestAComplaintOfAnothersMessage(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 2)
	s.issue(s.skin, "rest")
	s.mail(srv)
	one, two := srv.Messages()[0], srv.Messages()[1]
	mixed := smtptest.Taken{Data: []byte(strings.Replace(string(one.Data), one.MessageID, two.MessageID, 1))}
	if got := s.hears(complaint("abuse", "", mixed)); got != outbox.HeardUnknown {
		t.Errorf("got %s", got)
	}
}

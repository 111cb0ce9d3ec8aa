package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func (s *site) notice(kind, dedupe string) outbox.Notice {
	return outbox.Notice{
		Kind: kind, Dedupe: dedupe, ToName: "Ada", ToEmail: "ada@example.org", FromName: "Harbour Clinic", FromEmail: "news@example.org",
		Subject: "A word", HTML: "<p>https://news.example.org/c/SECRET</p>", Text: "https://news.example.org/c/SECRET",
		Expires: s.now().Add(time.Hour),
	}
}

func (s *site) enqueue(n outbox.Notice) (queued bool) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		queued, err = outbox.Enqueue(ctx, tx, n, s.now())
		return err
	})
	return queued
}

// join asks to join the series and queues the confirmation, as the conductor does.
func (s *site) join(email string) (subscriber int64) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		r, err := s.people.Join(ctx, tx, []int64{s.skin.ID}, subscribers.Addition{Email: email, Name: "BUY PILLS"}, subscribers.Evidence{Wording: "yes"})
		if err != nil {
			return err
		}
		n := s.notice("confirmation", fmt.Sprint("confirm ", r.Serial))
		n.SubscriberID, n.SeriesID, n.ToEmail = r.Subscriber.ID, s.skin.ID, ""
		subscriber = r.Subscriber.ID
		_, err = outbox.Enqueue(ctx, tx, n, s.now())
		return err
	})
	return subscriber
}

// notices lists kind, state, class and copies that may be out of all notices, in order.
func (s *site) notices() (all []string) {
	s.Helper()
	rows, err := s.db.Query(context.Background(), `SELECT n.kind || ' ' || d.state || ' ' || d.class || CASE d.amb WHEN 1 THEN 'amb' ELSE '' END
		FROM notices n JOIN deliveries d ON d.notice_id = n.id ORDER BY n.id`)
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			s.Fatal(err)
		}
		all = append(all, strings.TrimSpace(one))
	}
	return all
}

func (s *site) wantNotices(want ...string) {
	s.Helper()
	if got := s.notices(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		s.Errorf("got notices %q, want %q", got, want)
	}
}

// TestConfirmationSaysNothingThatWasTyped: whoever types an address may have typed anything beside it.
func TestConfirmationSaysNothingThatWasTyped(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.join("new@example.org")
	s.send(srv)
	m := srv.Messages()
	if len(m) != 1 {
		t.Fatalf("got %d messages, want 1", len(m))
	}
	if text := string(m[0].Data); strings.Contains(text, "PILLS") || !strings.Contains(text, "\r\nTo: <new@example.org>\r\n") {
		t.Errorf("got this, want one to the bare address:\n%s", text)
	}
}

func TestNoticeOncePerDedupe(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	if !s.enqueue(s.notice("login", "a")) || s.enqueue(s.notice("login", "a")) {
		t.Error("the same word was queued twice, or not at all")
	}
	s.send(srv)
	s.wantNotices("login sent")
	m := srv.Messages()
	if len(m) != 1 || m[0].To != "ada@example.org" || !strings.Contains(string(m[0].Data), "Auto-Submitted: auto-generated") {
		t.Errorf("got %d messages, want one to ada@example.org with Auto-Submitted", len(m))
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestNoticeIsForgottenOnceThrough: its links are secrets, and the database is copied for backups.
func TestNoticeIsForgottenOnceThrough(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	for _, dedupe := range []string{"sent", "sent by the same worker", "sent by it too"} {
		s.enqueue(s.notice("login", dedupe))
	}
	s.send(srv)
	srv.At("RCPT").Reply("550 5.1.1 no").Times(1)
	s.enqueue(s.notice("login", "failed"))
	s.send(srv)
	var left int
	if err := s.db.QueryRow(t.Context(), `SELECT count(*) FROM notices WHERE html || text LIKE '%SECRET%'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("got %d notices with their text, %v, want none", left, err)
	}
}

// TestNoticeIsNeverLost: a notice that was not answered is sent once more ten minutes later, and that it may be out twice was
// written down before.
func TestNoticeIsNeverLost(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.enqueue(s.notice("login", "a"))
	srv.At("content").Drop(false).Times(1)
	s.send(srv)
	s.wantNotices("login pending amb")
	s.advance(9 * time.Minute)
	s.send(srv)
	s.wantNotices("login pending amb")
	s.advance(2 * time.Minute)
	s.send(srv)
	s.wantNotices("login sent amb")
	if got := len(srv.Messages()); got != 2 {
		t.Errorf("got %d copies, want 2", got)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

func TestNoticeOfADeadOwner(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.enqueue(s.notice("login", "a"))
	s.dead("inflight")
	s.send(srv)
	s.wantNotices("login pending amb")
	s.advance(11 * time.Minute)
	s.send(srv)
	s.wantNotices("login sent amb")
	checkInvariants(t, s.db, taken(srv), 0)
}

func TestNoticeThatIsNotWorthSending(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(s *site)
		want    string
	}{
		{"expired", func(s *site) { s.enqueue(s.notice("login", "a")); s.advance(2 * time.Hour) }, "login failed expired"},
		{"address bounced", func(s *site) {
			s.enqueue(s.notice("login", "a"))
			s.suppress("ada@example.org", "bounce")
		}, "login skipped"},
		{"domain suppressed by hand", func(s *site) {
			s.enqueue(s.notice("editors", "a"))
			s.suppress("example.org", "manual")
		}, "editors skipped"},
		{"unsubscribed, and asked for it", func(s *site) {
			s.enqueue(s.notice("login", "a"))
			s.suppress("ada@example.org", "unsubscribe")
		}, "login sent"},
		{"confirmation", func(s *site) { s.join("new@example.org") }, "confirmation sent"},
		{"confirmation of somebody who left and comes back", func(s *site) {
			id := s.readers(s.skin, 1)[0]
			s.unsubscribe(id, s.skin)
			s.join(address(1))
		}, "confirmation sent"},
		{"confirmation of somebody whose mail bounced", func(s *site) {
			s.suppress("new@example.org", "bounce")
			s.join("new@example.org")
		}, "confirmation sent"},
		{"confirmation, left meanwhile", func(s *site) { s.unsubscribe(s.join("new@example.org"), s.skin) }, "confirmation skipped"},
		{"confirmation, erased meanwhile", func(s *site) {
			id := s.join("new@example.org")
			s.tx(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, id) })
		}, "confirmation skipped"},
		{"no address at all", func(s *site) {
			n := s.notice("login", "a")
			n.ToEmail = "nobody"
			s.enqueue(n)
		}, "login failed unsupported"},
		{"a subject that breaks the header", func(s *site) {
			n := s.notice("login", "a")
			n.Subject = "a\r\nBcc: all@example.org"
			s.enqueue(n)
		}, "login failed config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			tt.prepare(s)
			s.send(srv)
			s.wantNotices(tt.want)
			if got, sent := len(srv.Messages()) > 0, strings.Contains(tt.want, "sent"); got != sent {
				t.Errorf("got a message: %v, want %v", got, sent)
			}
			checkInvariants(t, s.db, taken(srv), 0)
		})
	}
}

func (s *site) suppress(target, reason string) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return s.people.Suppress(ctx, tx, target, 0, reason, "test")
	})
}

// TestBeforeGoLive lets out what an owner needs to get there, and nothing else.
func TestBeforeGoLive(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 5)
	issue := s.issue(s.skin, "rest")
	for _, kind := range []string{"login", "test", "editors"} {
		s.enqueue(s.notice(kind, kind))
	}
	s.join("new@example.org")
	held := fmt.Errorf("%w: go-live has not passed", outbox.ErrHeld)
	may := held
	cfg := s.config(relay(srv))
	cfg.MayLeave = func(context.Context) error { return may }
	w := s.start(cfg)
	if err := w.Drain(t.Context()); !errors.Is(err, outbox.ErrHeld) {
		t.Errorf("drain: got %v, want ErrHeld, since something is due", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.wantNotices("login sent", "test sent", "editors pending", "confirmation pending")
	s.wants(issue.ID, "5 pending")

	may = nil
	s.drain(s.start(cfg))
	s.wantNotices("login sent", "test sent", "editors sent", "confirmation sent")
	s.wants(issue.ID, "5 sent")
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestNoticesGoBeforeIssues: somebody waits for a login link; an issue has time.
func TestNoticesGoBeforeIssues(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	s.issue(s.skin, "rest")
	s.enqueue(s.notice("login", "a"))
	s.send(srv)
	if m := srv.Messages(); len(m) != 21 || m[0].To != "ada@example.org" {
		t.Errorf("got %d messages, the first to %s, want 21 and the login link first", len(m), m[0].To)
	}
}

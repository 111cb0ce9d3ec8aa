package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// atNth calls f in the n-th transaction at the point, before the server answers.
func atNth(srv *smtptest.Server, point string, n int32, f func()) {
	var seen atomic.Int32
	srv.At(point).Call(func() {
		if seen.Add(1) == n {
			f()
		}
	})
}

// TestUnsubscribeInMidSend has half of the readers leave, one by one, while the issue goes out: from the moment a leave is
// committed nobody of them is marked.
func TestUnsubscribeInMidSend(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	const readers = 200
	ids := s.readers(s.skin, readers)
	issue := s.issue(s.skin, "rest")
	var left atomic.Int32
	srv.At("content").Call(func() {
		if n := int(left.Add(1)); n <= readers/2 {
			s.unsubscribe(ids[readers-n], s.skin)
		}
	})
	cfg := s.config(relay(srv))
	cfg.Connections = 4
	s.drain(s.start(cfg))
	c := s.counts(issue.ID)
	if c.Sent+c.Skipped != readers || c.Skipped < readers/4 {
		t.Errorf("got %s, want all of %d sent or skipped, and many skipped", words(c), readers)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

func TestPauseCancelWithdrawInMidSend(t *testing.T) {
	const readers, connections = 100, 4
	for _, tt := range []struct {
		name string
		stop func(s *stage) func(context.Context, *store.Tx) error
		rest string
	}{
		{"pause", func(s *stage) func(context.Context, *store.Tx) error { return s.pause }, "pending"},
		{"cancel", func(s *stage) func(context.Context, *store.Tx) error { return s.cancel }, "skipped"},
		{"withdraw", func(s *stage) func(context.Context, *store.Tx) error { return s.withdraw }, "skipped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stage{site: newSite(t), srv: smtptest.New(t)}
			s.readers(s.skin, readers)
			s.issue = s.site.issue(s.skin, "rest")
			atNth(s.srv, "content", 30, func() { s.tx(tt.stop(s)) })
			cfg := s.config(relay(s.srv))
			cfg.Connections = connections
			w := s.start(cfg)
			s.drain(w)
			c := s.counts(s.issue.ID)
			if c.Sent < 30 || c.Sent >= 30+2*connections {
				t.Errorf("got %d sent, want 30 and at most one more transaction for each connection", c.Sent)
			}
			if want := fmt.Sprintf("%d %s", readers-c.Sent, tt.rest); !strings.Contains(words(c), want) {
				t.Errorf("got %s, want %s", words(c), want)
			}
			if tt.name == "pause" {
				s.tx(s.resume)
				w.Wake()
				s.drain(w)
				s.wants(s.issue.ID, "100 sent")
			}
			checkInvariants(t, s.db, taken(s.srv), 0)
		})
	}
}

func TestTwoIssuesAtOnce(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	gut := s.addSeries("gut")
	s.readers(s.skin, 60)
	s.readers(gut, 40)
	one, two := s.issue(s.skin, "rest"), s.issue(gut, "herbs")
	three := s.issue(s.skin, "sleep")
	cfg := s.config(relay(srv))
	cfg.Connections = 3
	w := s.start(cfg)
	s.drain(w)
	s.wants(one.ID, "60 sent")
	s.wants(two.ID, "40 sent")
	s.wants(three.ID, "60 sent")
	checkInvariants(t, s.db, taken(srv), 0)
	for _, m := range srv.Messages() {
		list := map[bool]string{true: "<gut.example.org>", false: "<skin.example.org>"}[strings.Contains(string(m.Data), "About herbs")]
		if !strings.Contains(string(m.Data), list) {
			t.Fatalf("%s: got no List-Id %s in\n%s", m.To, list, m.Data)
		}
	}
}

// TestRetryGivesTheSameBytes compares two copies of one message, made a day apart by two workers.
func TestRetryGivesTheSameBytes(t *testing.T) {
	s := newStage(t)
	s.unanswered()
	s.settle("again")
	s.advance(24 * time.Hour)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := series.Set(ctx, tx, "skin", series.Change{Title: ptr("Another"), FromName: ptr("Somebody else")}, s.now())
		return err
	})
	s.play()
	m := s.srv.Messages()
	if len(m) != 2 {
		t.Fatalf("got %d copies, want 2", len(m))
	}
	if string(m[0].Data) != string(m[1].Data) {
		t.Errorf("got two messages:\n%s\n---\n%s", m[0].Data, m[1].Data)
	}
	if strings.Contains(m[0].MessageID, "r1") || !strings.HasSuffix(m[0].MessageID, "@example.org") {
		t.Errorf("got Message-ID %s, want one without the address in the sender's domain", m[0].MessageID)
	}
}

// TestAddressChangedAfterComposing has the address change between composing and mark: the message to the old one never leaves.
func TestAddressChangedAfterComposing(t *testing.T) {
	s := newStage(t)
	s.srv.At("DATA").Times(1).Call(s.change(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE subscribers SET email = 'new@example.org' WHERE id = ?1`, s.reader)
		return err
	}))
	s.play()
	s.wants(s.issue.ID, "1 sent")
	if m := s.srv.Messages(); len(m) != 1 || m[0].To != "new@example.org" {
		t.Errorf("got %d messages, the first to %s, want one to new@example.org", len(m), m[0].To)
	}
	if d := s.delivery(s.reader); d.Tries != 1 {
		t.Errorf("got %d tries, want 1", d.Tries)
	}
	checkInvariants(t, s.db, taken(s.srv), 0)
}

// TestLeftBetweenEnvelopeAndMark has one reader leave once the relay has agreed to take their message: it has the one before
// and the one after, of theirs not an octet, and no empty message.
func TestLeftBetweenEnvelopeAndMark(t *testing.T) {
	for name, offers := range map[string][]string{"lockstep": nil, "pipelined": {"PIPELINING"}, "BDAT": {"PIPELINING", "CHUNKING"}} {
		t.Run(name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t, smtptest.WithExtensions(offers...))
			ids := s.readers(s.skin, 3)
			issue := s.issue(s.skin, "rest")
			srv.At("RCPT " + address(2)).Call(func() { s.unsubscribe(ids[1], s.skin) }).Times(1)
			s.send(srv)
			s.wants(issue.ID, "2 sent, 1 skipped")
			connections := 2
			if name == "BDAT" {
				connections = 1
			}
			if n := srv.Connections(); n != connections || len(srv.Messages()) != 2 {
				t.Errorf("got %d connections and %d messages, want %d and 2", n, len(srv.Messages()), connections)
			}
			checkInvariants(t, s.db, taken(srv), 0)
		})
	}
}

func TestErasedBeforeTheMark(t *testing.T) {
	s := newStage(t)
	s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error { return s.people.Erase(ctx, tx, s.reader) }))
	s.play()
	s.wants(s.issue.ID, "1 skipped")
	checkInvariants(t, s.db, taken(s.srv), 0)
}

// TestCancelOfManyRows skips what one transaction should not, in several.
func TestCancelOfManyRows(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 2100)
	issue := s.issue(s.skin, "rest")
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return outbox.Cancel(ctx, tx, issue.ID, "test", s.now())
	})
	s.wants(issue.ID, "100 pending, 2000 skipped")
	n, err := outbox.SkipCancelled(context.Background(), s.db, s.now())
	if n != 100 || err != nil {
		t.Errorf("got %d, %v, want 100", n, err)
	}
	s.wants(issue.ID, "2100 skipped")
	if s.state(issue.ID).Reached {
		t.Error("the cancelled issue counts as reached, so that it keeps its article")
	}
	checkInvariants(t, s.db, nil, 0)
}

// TestCutInsideTheContent sends more than sockets buffer, so that the client knows that the relay has not all of it.
func TestCutInsideTheContent(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 1)
	f := s.frozen(s.skin, s.article(s.skin, "rest"))
	f.Text += strings.Repeat("Rest is best for everybody who can have it, and few can have enough of it.\n", 200_000)
	issue := s.freeze(f)
	if _, err := outbox.FillLive(t.Context(), s.db, issue.ID, s.now); err != nil {
		t.Fatal(err)
	}
	srv.At("content").DropMid(100).Times(1)
	s.send(srv)
	s.wants(issue.ID, "1 pending")
	s.advance(2 * time.Minute)
	s.send(srv)
	s.wants(issue.ID, "1 sent")
	checkInvariants(t, s.db, taken(srv), 0)
}

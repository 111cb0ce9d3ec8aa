package outbox_test

import (
	"context"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// stage is a site with one issue for one reader, and a relay.
type stage struct {
	*site
	srv    *smtptest.Server
	issue  series.Issue
	reader int64
}

func newStage(t *testing.T) *stage {
	s := newSite(t)
	reader := s.readers(s.skin, 1)[0]
	return &stage{site: s, srv: smtptest.New(t), issue: s.issue(s.skin, "rest"), reader: reader}
}

// play sends what can be sent now.
func (s *stage) play() { s.Helper(); s.send(s.srv) }

// change runs one of outbox's functions on the stage's issue.
func (s *stage) change(f func(ctx context.Context, tx *store.Tx) error) func() {
	return func() { s.tx(f) }
}

func (s *stage) pause(ctx context.Context, tx *store.Tx) error {
	return outbox.Pause(ctx, tx, s.issue.ID, "test", s.now())
}

func (s *stage) resume(ctx context.Context, tx *store.Tx) error {
	return outbox.Resume(ctx, tx, s.issue.ID, s.now())
}

func (s *stage) cancel(ctx context.Context, tx *store.Tx) error {
	return outbox.Cancel(ctx, tx, s.issue.ID, "test", s.now())
}

func (s *stage) withdraw(ctx context.Context, tx *store.Tx) error {
	if err := series.Withdraw(ctx, tx, s.issue.ArticleID, s.now()); err != nil {
		return err
	}
	_, err := outbox.WithdrawArticle(ctx, tx, s.issue.ArticleID, s.now())
	return err
}

func (s *stage) settle(as string) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		n, err := outbox.Settle(ctx, tx, s.issue.ID, as, s.now())
		if n != 1 {
			s.Errorf("settle: got %d rows, want 1", n)
		}
		return err
	})
}

func (s *stage) leave() { s.unsubscribe(s.reader, s.skin) }

// dead leaves the site's delivery as an owner would that died: claimed or in flight, its lease good for another hour.
func (s *site) dead(state string) {
	s.Helper()
	s.exec(`UPDATE deliveries SET state = 'claimed', owner = 'dead', epoch = epoch + 1, lease_until = ?1`, s.now().Add(time.Hour).UnixMilli())
	if state == "inflight" {
		s.exec(`UPDATE deliveries SET state = 'inflight', tries = tries + 1, dated = 1, hash = 'h', message_id = 'm'`)
	}
}

// unanswered has the relay take the message and hang up instead of answering, so that the delivery is uncertain.
func (s *stage) unanswered() {
	s.Helper()
	s.srv.At("content").Drop(false).Times(1)
	s.play()
	s.wants(s.issue.ID, "1 uncertain")
}

// TestArrows makes each arrow of DELIVERY happen.
func TestArrows(t *testing.T) {
	for _, tt := range []struct {
		name  string
		play  func(s *stage)
		want  string
		class string
		tries int
		acc   int // copies that the relay has
		lost  int // replies lost
	}{
		{"250", func(s *stage) { s.play() }, "1 sent", "", 1, 1, 0},
		{"5xx to the envelope", func(s *stage) {
			s.srv.At("RCPT").Reply("550 5.1.1 no such user")
			s.play()
		}, "1 failed", "dead", 0, 0, 0},
		{"4xx to the envelope", func(s *stage) {
			s.srv.At("RCPT").Reply("450 4.2.1 later").Times(1)
			s.play()
		}, "1 pending", "", 1, 0, 0},
		{"4xx to the envelope, then taken", func(s *stage) {
			s.srv.At("RCPT").Reply("450 4.2.1 later").Times(1)
			s.play()
			s.advance(2 * time.Minute)
			s.play()
		}, "1 sent", "", 2, 1, 0},
		{"4xx to the envelope for three days", func(s *stage) {
			s.srv.At("RCPT").Reply("450 4.2.1 later")
			for s.counts(s.issue.ID).Pending == 1 {
				s.play()
				s.advance(10 * time.Hour)
			}
		}, "1 failed", "expired", -1, 0, 0},
		{"connection lost in the envelope", func(s *stage) {
			s.srv.At("RCPT").Drop(false).Times(1)
			s.play()
		}, "1 pending", "", 0, 0, 0},
		{"421 in the envelope, then taken", func(s *stage) {
			s.srv.At("MAIL").Reply("421 4.3.2 closing").Times(1)
			s.play()
			s.advance(2 * time.Minute)
			s.play()
		}, "1 sent", "", 1, 1, 0},
		{"mark, person out", func(s *stage) {
			s.srv.At("DATA").Call(s.leave)
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, person out, a copy may be out", func(s *stage) {
			s.unanswered()
			s.settle("again")
			s.srv.At("DATA").Call(s.leave)
			s.play()
		}, "1 uncertain", "", 1, 1, 1},
		{"mark, person left everything", func(s *stage) {
			s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error {
				return s.people.Unsubscribe(ctx, tx, s.reader, 0, subscribers.Evidence{})
			}))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, address suppressed", func(s *stage) {
			s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error {
				return s.people.Suppress(ctx, tx, address(1), 0, "bounce", "test")
			}))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, domain suppressed", func(s *stage) {
			s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error {
				return s.people.Suppress(ctx, tx, "example.org", 0, "manual", "test")
			}))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"out before the envelope", func(s *stage) {
			s.leave()
			s.play()
			if got := s.srv.Connections(); got != 0 {
				s.Errorf("got %d connections, want none", got)
			}
		}, "1 skipped", "", 0, 0, 0},
		{"mark, issue paused", func(s *stage) {
			s.srv.At("DATA").Call(s.change(s.pause))
			s.play()
		}, "1 pending", "", 0, 0, 0},
		{"mark, issue paused, then resumed", func(s *stage) {
			s.srv.At("DATA").Call(s.change(s.pause)).Times(1)
			s.play()
			s.tx(s.resume)
			s.play()
		}, "1 sent", "", 1, 1, 0},
		{"mark, issue cancelled", func(s *stage) {
			s.srv.At("DATA").Call(s.change(s.cancel))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, article withdrawn", func(s *stage) {
			s.srv.At("DATA").Call(s.change(s.withdraw))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, article withdrawn, its issue not cancelled yet", func(s *stage) {
			s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error {
				return series.Withdraw(ctx, tx, s.issue.ArticleID, s.now())
			}))
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"mark, not ours any more", func(s *stage) {
			s.srv.At("DATA").Call(s.change(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE deliveries SET owner = 'other', epoch = epoch + 1`)
				return err
			}))
			s.play()
		}, "1 claimed", "", 0, 0, 0},
		{"claimed, owner dead", func(s *stage) {
			s.dead("claimed")
			s.play()
		}, "1 sent", "", 1, 1, 0},
		{"inflight, owner dead", func(s *stage) {
			s.dead("inflight")
			s.play()
		}, "1 uncertain", "", 1, 0, 1},
		{"5xx to the content", func(s *stage) {
			s.srv.At("content").Reply("552 5.6.0 not this")
			s.play()
		}, "1 failed", "content", 1, 0, 0},
		{"4xx to the content", func(s *stage) {
			s.srv.At("content").Reply("451 4.3.0 later")
			s.play()
		}, "1 pending", "", 1, 0, 0},
		{"4xx to the content for three days", func(s *stage) {
			s.srv.At("content").Reply("451 4.3.0 later")
			for s.counts(s.issue.ID).Pending == 1 {
				s.play()
				s.advance(10 * time.Hour)
			}
		}, "1 failed", "expired", -1, 0, 0},
		{"connection lost inside the content", func(s *stage) {
			s.srv.At("content").DropMid(10)
			s.play()
		}, "1 uncertain", "", 1, 0, 1},
		{"no answer after the last octet", func(s *stage) { s.unanswered() }, "1 uncertain", "", 1, 1, 1},
		{"uncertain, evidence", func(s *stage) {
			s.unanswered()
			s.tx(func(ctx context.Context, tx *store.Tx) error {
				was, err := outbox.Evidence(ctx, tx, s.delivery(s.reader).ID, "250 2.0.0 in the relay's log", s.now())
				if !was {
					s.Error("got no use of the evidence")
				}
				return err
			})
		}, "1 sent", "", 1, 1, 0},
		{"uncertain, count as sent", func(s *stage) {
			s.unanswered()
			s.settle("sent")
		}, "1 sent", "", 1, 1, 0},
		{"uncertain, send again", func(s *stage) {
			s.unanswered()
			s.finish()
			s.settle("again")
			s.play()
		}, "1 sent", "", 2, 2, 0},
		{"pending, cancelled", func(s *stage) {
			s.tx(s.cancel)
			s.play()
		}, "1 skipped", "", 0, 0, 0},
		{"pending, cancelled, a copy may be out", func(s *stage) {
			s.unanswered()
			s.settle("again")
			s.tx(s.cancel)
		}, "1 uncertain", "", 1, 1, 1},
		{"inflight, cancelled meanwhile, 4xx", func(s *stage) {
			s.srv.At("content").Call(s.change(s.cancel)).Reply("451 4.3.0 later")
			s.play()
		}, "1 skipped", "", 1, 0, 0},
		{"inflight, cancelled meanwhile, 250", func(s *stage) {
			s.srv.At("content").Call(s.change(s.cancel))
			s.play()
		}, "1 sent", "", 1, 1, 0},
		{"failed, retried", func(s *stage) {
			s.srv.At("RCPT").Reply("550 5.7.1 blocked").Times(1)
			s.play()
			s.finish()
			s.tx(func(ctx context.Context, tx *store.Tx) error {
				_, err := outbox.Retry(ctx, tx, s.issue.ID, s.now())
				return err
			})
			s.play()
		}, "1 sent", "", 1, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.play(s)
			s.wants(s.issue.ID, tt.want)
			d := s.delivery(s.reader)
			if d.Class != tt.class {
				t.Errorf("got class %q, want %q", d.Class, tt.class)
			}
			if tt.tries >= 0 && d.Tries != tt.tries {
				t.Errorf("got %d tries, want %d", d.Tries, tt.tries)
			}
			if got := len(s.srv.Messages()); got != tt.acc {
				t.Errorf("got %d copies, want %d", got, tt.acc)
			}
			checkInvariants(t, s.db, taken(s.srv), tt.lost)
		})
	}
}

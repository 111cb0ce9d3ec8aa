package outbox_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

// TestStoppedAtOnce: once the command has returned that pauses, cancels or withdraws,
// each connection ends the one transaction that it has, and no further content leaves. Resumed, the rest goes out.
func TestStoppedAtOnce(t *testing.T) {
	const readers, connections = 300, 4
	for _, tt := range []struct {
		name string
		stop func(ctx context.Context, tx *store.Tx, s *site, issue int64) error
		then func(s *site, issue int64)
	}{
		{"pause", func(ctx context.Context, tx *store.Tx, s *site, issue int64) error {
			return outbox.Pause(ctx, tx, issue, "a figure is wrong", s.now())
		}, func(s *site, issue int64) {
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue, s.now()) })
		}},
		{"cancel", func(ctx context.Context, tx *store.Tx, s *site, issue int64) error {
			return outbox.Cancel(ctx, tx, issue, "a figure is wrong", s.now())
		}, nil},
		{"withdraw", func(ctx context.Context, tx *store.Tx, s *site, issue int64) error {
			_, err := outbox.WithdrawArticle(ctx, tx, s.state(issue).ArticleID, s.now())
			return err
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, readers)
			issue := s.issue(s.skin, "rest").ID
			// After fifty, contents wait for their reply until the command has returned.
			var contents atomic.Int64
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			defer open()
			srv.At("content").Call(func() {
				if contents.Add(1) > 50 {
					<-gate
				}
			})
			cfg := s.config(relay(srv))
			cfg.Connections = connections
			w := s.start(cfg)
			s.until("a content that waits", func() bool { return contents.Load() > 50 })
			after := s.elsewhere(func(ctx context.Context, tx *store.Tx) error { return tt.stop(ctx, tx, s, issue) }, srv)
			open()
			s.drain(w)
			if n := len(srv.Messages()); n > after+connections || n == readers {
				t.Errorf("got %d contents after it was stopped, want at most %d; %d of %d in all", n-after, connections, n, readers)
			}
			if tt.then != nil {
				tt.then(s, issue)
				s.drain(w)
				s.finish()
				s.wants(issue, "300 sent")
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			checkInvariants(t, s.db, taken(srv), 0)
		})
	}
}

// elsewhere runs a transaction as another process's command does, on connections of its own, and returns how many messages
// the server has when it is back.
func (s *site) elsewhere(f func(context.Context, *store.Tx) error, srv *smtptest.Server) (taken int) {
	s.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, s.db.Path())
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	if err := db.InTx(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
		s.Fatal(err)
	}
	return len(srv.Messages())
}

package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

func (s *site) compact(before time.Time) int64 {
	s.Helper()
	moved, more, err := outbox.Compact(context.Background(), s.db, before)
	if err != nil || more {
		s.Fatalf("compact: more %v, %v", more, err)
	}
	return moved
}

// compactAll is compact where something else was made since, so that no row is the newest.
func (s *site) compactAll(before time.Time) int64 {
	s.Helper()
	s.enqueue(s.notice("editors", fmt.Sprint("newest ", s.countOf(`SELECT count(*) FROM notices`))))
	s.exec(`UPDATE deliveries SET state = 'skipped' WHERE id = (SELECT max(id) FROM deliveries)`)
	return s.compact(before)
}

func (s *site) countOf(query string, args ...any) (n int64) {
	s.Helper()
	if err := s.db.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		s.Fatal(err)
	}
	return n
}

// TestCompact: rows of what is over go, with their counts kept; what is uncertain, too young, or of an issue that is not
// over stays; and nobody gets the article again, whichever way it is sent.
func TestCompact(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1200) // more than one chunk
	article := s.article(s.skin, "rest")
	issue := s.freeze(s.frozen(s.skin, article))
	if _, err := outbox.FillLive(context.Background(), s.db, issue.ID, s.now); err != nil {
		t.Fatal(err)
	}
	s.unsubscribe(ids[0], s.skin)
	srv.At("RCPT " + address(2)).Reply("550 5.7.1 blocked")
	srv.At("content " + address(3)).Drop(false)
	srv.At("content " + address(4)).Reply("554 5.6.0 no")
	cfg := s.config(relay(srv))
	cfg.Connections = 4
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.wants(issue.ID, "1196 sent, 2 failed, 1 skipped, 1 uncertain")
	long := s.now().Add(time.Hour)
	if moved := s.compact(long); moved != 0 {
		t.Errorf("got %d rows compacted of an issue that is not over, want none", moved)
	}
	s.finish()
	if moved := s.compact(issue.Frozen); moved != 0 {
		t.Errorf("got %d rows compacted that are too young, want none", moved)
	}
	s.advance(time.Hour)
	if moved := s.compact(long); moved != 1198 {
		t.Errorf("got %d rows compacted, want 1198", moved)
	}
	if moved := s.compact(long); moved != 0 {
		t.Errorf("got %d rows compacted once more, want none", moved)
	}
	s.wants(issue.ID, "1196 sent, 2 failed, 1 skipped, 1 uncertain")
	if left, kept := s.countOf(`SELECT count(*) FROM deliveries`), s.countOf(`SELECT count(*) FROM kept`); left != 2 || kept != 1196 {
		t.Errorf("got %d rows left and %d kept, want the uncertain one and the last one, and the sent ones with the one refused for its content", left, kept)
	}

	again := s.freeze(s.frozen(s.skin, article))
	if n, err := outbox.CountFill(context.Background(), s.db, s.skin.ID, article.ID); err != nil || n != 1 {
		t.Errorf("got %d who would get the article again, %v, want the one whom the relay had blocked", n, err)
	}
	if n, err := outbox.FillLive(context.Background(), s.db, again.ID, s.now); err != nil || n != 1 {
		t.Errorf("got %d rows filled, %v, want 1", n, err)
	}
	third := s.freeze(s.frozen(s.skin, article))
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		if n, err := outbox.Add(ctx, tx, third.ID, ids[4:8], s.now()); n != 0 || err != nil {
			t.Errorf("got %d added who had it, %v, want none", n, err)
		}
		return nil
	})
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := outbox.Settle(ctx, tx, issue.ID, "sent", s.now())
		return err
	})
	s.advance(time.Hour)
	if moved := s.compact(s.now()); moved != 2 {
		t.Errorf("got %d rows compacted after the uncertain one was settled, want 2", moved)
	}
	s.wants(issue.ID, "1197 sent, 2 failed, 1 skipped")
}

// TestNumbersNeverComeAgain: a site that sends again when all was compacted gives its deliveries numbers that none had.
func TestNumbersNeverComeAgain(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 3)
	s.issue(s.skin, "rest")
	s.send(srv)
	s.finish()
	greatest := s.countOf(`SELECT max(id) FROM deliveries`)
	s.advance(24 * time.Hour)
	if moved := s.compact(s.now()); moved != 2 {
		t.Errorf("got %d rows compacted, want 2", moved)
	}
	issue := s.issue(s.skin, "sleep")
	if least := s.countOf(`SELECT min(id) FROM deliveries WHERE issue_id = ?1`, issue.ID); least <= greatest {
		t.Errorf("number %d comes again: before there were %d", least, greatest)
	}
	s.send(srv)
	s.finish()
	s.advance(24 * time.Hour)
	if moved := s.compact(s.now()); moved != 3 {
		t.Errorf("got %d rows compacted, want the one that was the last and two more", moved)
	}
	seen := map[string]bool{}
	for _, m := range srv.Messages() {
		if seen[m.MessageID] {
			t.Errorf("Message-ID %s twice", m.MessageID)
		}
		seen[m.MessageID] = true
	}
}

// BenchmarkCompact measures how fast deliveries shrink, and by how much: bytes a row in the file before and after, the
// indexes included.
func BenchmarkCompact(b *testing.B) {
	const readers = 20_000
	for b.Loop() {
		b.StopTimer()
		s := siteOn(b, openQuiet(b), newKey())
		s.readers(s.skin, readers)
		people := s.pages()
		issue := s.issue(s.skin, "rest")
		s.exec(`UPDATE deliveries SET state = 'sent', tries = 1, dated = ?1, hash = hex(randomblob(32)), reply = '250 2.0.0 Ok: queued as 4bXyZ12345zABC',
			message_id = lower(hex(randomblob(16))) || '@news.example.org', epoch = 1`, s.now().UnixMilli())
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			return series.Transition(ctx, tx, issue.ID, series.IssueDone, "", s.now())
		})
		full := s.pages()
		s.advance(time.Hour)
		b.StartTimer()
		for more := true; more; {
			var err error
			if _, more, err = outbox.Compact(context.Background(), s.db, s.now()); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(full-people)/readers, "B/row-before")
		b.ReportMetric(float64(s.pages()-people)/readers, "B/row-after")
		b.StartTimer()
	}
	b.ReportMetric(readers*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// pages are the bytes of the database's pages in use.
func (s *site) pages() int64 {
	s.Helper()
	return s.countOf(`SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`)
}

package outbox_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestUnsignedStops: a message that can't be signed never reaches the relay, its issue waits without a row that failed or a try that counts,
// so does a notice, and once that is mended all of it goes out.
func TestUnsignedStops(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 3)
	issue := s.issue(s.skin, "rest")
	s.enqueue(s.notice("login", "key"))
	srv := smtptest.New(t)
	cfg := s.config(relay(srv))
	cfg.Finish = func(mailer.Message) (mailer.Message, error) {
		return mailer.Message{}, fmt.Errorf("the key is gone: %w", mailer.ErrUnsigned)
	}
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(srv.Messages()); got != 0 {
		t.Fatalf("the relay took %d messages that could not be signed", got)
	}
	s.wants(issue.ID, "3 pending")
	var tries int
	if err := s.db.QueryRow(t.Context(), `SELECT sum(tries) FROM deliveries`).Scan(&tries); err != nil || tries != 0 {
		t.Errorf("got %d tries (%v), want none", tries, err)
	}
	if got := s.state(issue.ID); got.State != series.IssuePaused || !strings.Contains(got.Reason, "the key is gone") || strings.Contains(got.Reason, "refuses") {
		t.Errorf("issue: got %s, %q, want it paused with the reason", got.State, got.Reason)
	}
	if stops := must(outbox.Stops(t.Context(), s.db, issue.ID)); len(stops) != 1 || stops[0].Class != string(outbox.ClassUnsigned) || stops[0].Waiting != 3 {
		t.Errorf("got stops %+v, want one of a missing signature", stops)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue.ID, s.now()) })
	s.advance(time.Minute)
	s.send(srv)
	s.wants(issue.ID, "3 sent")
	if got := len(srv.Messages()); got != 4 {
		t.Errorf("the relay took %d messages, want the issue's 3 and the notice", got)
	}
}

// TestFinished: what leaves is what Finish made of the message, and the row's hash stays that of what was composed.
func TestFinished(t *testing.T) {
	s := newSite(t)
	id := s.readers(s.skin, 1)[0]
	s.issue(s.skin, "rest")
	srv := smtptest.New(t)
	cfg := s.config(relay(srv))
	const line = "X-Finished: yes\r\n"
	hash := ""
	cfg.Finish = func(m mailer.Message) (mailer.Message, error) {
		hash = m.Hash
		m.Bytes = append([]byte(line), m.Bytes...)
		return m, nil
	}
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := srv.Messages()
	if len(got) != 1 || !bytes.HasPrefix(got[0].Data, []byte(line)) {
		t.Fatalf("got %d messages, want one that begins with %q", len(got), line)
	}
	var row string
	if err := s.db.QueryRow(context.Background(), `SELECT hash FROM deliveries WHERE subscriber_id = ?1`, id).Scan(&row); err != nil || row != hash {
		t.Errorf("hash of the row: got %s, %v, want %s", row, err, hash)
	}
	for name, want := range map[string]string{"Feedback-ID": ":skin:slot:", "List-Id": "<skin.example.org>"} {
		if !bytes.Contains(got[0].Data, []byte(name+": ")) || !bytes.Contains(got[0].Data, []byte(want)) {
			t.Errorf("the message has no %s with %s:\n%.600s", name, want, got[0].Data)
		}
	}
}

// Nothing that a relay or a provider reads in the headers says what a sensitive series is about.
func TestHeadersOfASensitiveSeries(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		s.skin, err = series.Set(ctx, tx, s.skin.Slug, series.Change{Sensitive: ptr(true)}, s.now())
		return err
	})
	s.readers(s.skin, 1)
	s.issue(s.skin, "rest")
	s.send(srv)
	got := srv.Messages()
	if len(got) != 1 {
		t.Fatalf("got %d messages, want 1", len(got))
	}
	head, _, _ := strings.Cut(string(got[0].Data), "\r\n\r\n")
	if !strings.Contains(head, "<"+s.skin.PublicName()+".example.org>") {
		t.Errorf("List-Id lacks the opaque name %s:\n%s", s.skin.PublicName(), head)
	}
	for _, line := range strings.Split(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.Contains(value, "skin") || name != "Subject" && strings.Contains(value, "rest") {
			t.Errorf("the header says what it is about: %s", line)
		}
	}
}

// TestAContentWaitsForNoKey: a content that is marked leaves at once, also where the message after it can't be signed and its key is
// looked for.
func TestAContentWaitsForNoKey(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 2)
	issue := s.issue(s.skin, "rest")
	cfg := s.config(relay(srv))
	cfg.Connections = 1
	var finished atomic.Int64
	found := make(chan struct{})
	cfg.Finish = func(m mailer.Message) (mailer.Message, error) {
		if finished.Add(1) > 1 {
			select {
			case <-found:
			default:
				return m, mailer.ErrUnsigned
			}
		}
		return m, nil
	}
	cfg.Unsigned = func(context.Context) { <-found }
	w := s.start(cfg)
	s.until("the first message at the relay, the key of the second still looked for", func() bool { return len(srv.Messages()) == 1 })
	close(found)
	s.drain(w)
	s.wants(issue.ID, "2 sent")
}

// TestFinishedAhead: up to three messages of a connection are in memory while one of them is on the line, and each arrives whole.
func TestFinishedAhead(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 100)
	issue := s.issue(s.skin, "rest")
	cfg := s.config(relay(srv))
	cfg.Connections, cfg.PerConnection = 3, 17
	cfg.Finish = func(m mailer.Message) (mailer.Message, error) {
		for range 1500 { // as long as a signature takes
			sha256.Sum256(m.Bytes)
		}
		return m, nil
	}
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.wants(issue.ID, "100 sent")
	checkInvariants(s, s.db, taken(srv), 0)
}

// TestMarksOfSlowMessages: where connections stand still for their messages, as for signatures, marks wait for each other; where
// it's the relay that they wait for, or processors are left to write, no mark waits for anything.
func TestMarksOfSlowMessages(t *testing.T) {
	const readers = 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, tt := range []struct {
		name            string
		connections     int
		writing, answer time.Duration
		waits           bool
	}{
		{"slow to write", 8, 20 * time.Millisecond, time.Millisecond, true},
		{"slow relay", 8, 20 * time.Millisecond, 100 * time.Millisecond, false},
		{"few connections", 2, 20 * time.Millisecond, time.Millisecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(s *site) {
				s.readers(s.skin, readers)
				issue := s.issue(s.skin, "rest")
				l := &line{takes: func(context.Context) mailer.Outcome {
					time.Sleep(tt.answer)
					return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
				}}
				cfg := s.config(l)
				cfg.Connections = tt.connections
				var written atomic.Int64
				cfg.Finish = func(m mailer.Message) (mailer.Message, error) {
					time.Sleep(tt.writing + time.Duration(written.Add(1)*7%16)*100*time.Microsecond) // no two at the same moment
					return m, nil
				}
				s.db.Used()
				w := s.start(cfg)
				s.drain(w)
				commits := s.db.Used().Commits
				s.wants(issue.ID, "200 sent")
				if waits := commits < readers/2; waits != tt.waits {
					s.Errorf("%d commits for %d messages", commits, readers)
				}
				if err := w.Close(); err != nil {
					s.Error(err)
				}
			})
		})
	}
}

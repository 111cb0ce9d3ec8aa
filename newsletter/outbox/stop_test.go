package outbox_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
)

// line is a relay without network, for tests of what takes minutes: synctest can't wait for sockets.
type line struct {
	mu       sync.Mutex
	offered  func(to string) mailer.Outcome           // answers envelopes, Away by hanging up; nil: all are accepted
	takes    func(ctx context.Context) mailer.Outcome // answers content
	got      []took
	connects int
	quits    int
	away     bool
}

func (l *line) Connect(context.Context) (outbox.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connects++
	if l.away {
		return nil, &mailer.RelayError{Phase: "connect", Err: errTest}
	}
	return &lineConn{line: l}, nil
}

type lineConn struct {
	*line
	open mailer.Message
}

func (c *lineConn) Envelope(_ context.Context, m mailer.Message) (mailer.Outcome, error) {
	c.open = m
	if c.offered == nil {
		return mailer.Outcome{State: mailer.Accepted}, nil
	}
	out := c.offered(m.To)
	if out.State == mailer.Away {
		return out, &mailer.RelayError{Phase: "rcpt", Reply: out.Reply}
	}
	return out, nil
}

func (c *lineConn) Content(ctx context.Context, _ *mailer.Message) (mailer.Outcome, error) {
	c.mu.Lock()
	c.got = append(c.got, took{messageID: c.open.MessageID, hash: c.open.Hash})
	c.mu.Unlock()
	if c.takes == nil {
		return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}, nil
	}
	return c.takes(ctx), nil
}

func (c *lineConn) Drop(context.Context) error { return nil }

func (c *lineConn) Quit(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quits++
	return nil
}

func (c *lineConn) Close() error { return nil }

// seen counts the connections made and the times that a client said QUIT.
func (l *line) seen() (connects, quits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connects, l.quits
}

// bubble runs f in a bubble of its own time, with a site in it. The site's clock is the bubble's.
func bubble(t *testing.T, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newSite(t)) })
}

// TestStopWaitsForAnAnswer: SIGTERM between content and answer leaves nothing uncertain if the relay answers.
func TestStopWaitsForAnAnswer(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 20)
		issue := s.issue(s.skin, "rest")
		asked := make(chan struct{}, 20)
		l := &line{takes: func(context.Context) mailer.Outcome {
			asked <- struct{}{}
			time.Sleep(9 * time.Second)
			return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
		}}
		cfg := s.config(l)
		cfg.Connections = 3
		w := s.start(cfg)
		for range 3 {
			<-asked
		}
		if err := w.Close(); err != nil {
			s.Errorf("got %v, want no error", err)
		}
		s.wants(issue.ID, "17 pending, 3 sent")
		checkInvariants(s, s.db, l.got, 0)
	})
}

// TestStopDoesNotWaitForEver: what has no answer after ten seconds is uncertain and counted.
func TestStopDoesNotWaitForEver(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 20)
		issue := s.issue(s.skin, "rest")
		asked := make(chan struct{}, 20)
		l := &line{takes: func(ctx context.Context) mailer.Outcome {
			asked <- struct{}{}
			<-ctx.Done()
			return mailer.Outcome{State: mailer.Unknown}
		}}
		cfg := s.config(l)
		cfg.Connections = 3
		w := s.start(cfg)
		for range 3 {
			<-asked
		}
		began := time.Now()
		if err := w.Close(); err == nil || !strings.Contains(err.Error(), "3 deliveries are uncertain") {
			s.Errorf("got %v, want 3 uncertain named", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			s.Errorf("got %v of waiting, want 10 s", took)
		}
		s.wants(issue.ID, "17 pending, 3 uncertain")
		checkInvariants(s, s.db, l.got, 3)
	})
}

// startSlow starts a worker with one connection whose messages take a second of the bubble's time to write, as signing would on a slow
// machine; finish is asked what becomes of the nth.
func (s *site) startSlow(l *line, unsigned func(context.Context), finish func(n int) error) *outbox.Worker {
	s.Helper()
	cfg := s.config(l)
	cfg.Connections, cfg.Unsigned = 1, unsigned
	n := 0
	cfg.Finish = func(m mailer.Message) (mailer.Message, error) {
		time.Sleep(time.Second)
		n++
		return m, finish(n)
	}
	return s.start(cfg)
}

// endSlow has all of it sent that can be, and looks at what became of the issue.
func (s *site) endSlow(w *outbox.Worker, l *line, issue int64, want string) {
	s.Helper()
	s.drain(w)
	if err := w.Close(); err != nil {
		s.Error(err)
	}
	s.wants(issue, want)
	checkInvariants(s, s.db, l.taken(), 0)
}

// TestSlowWritingHidesBehindTheRelay: where a message takes long to sign, the one after the next is written while the relay works, so
// that a marked content does not wait for it.
func TestSlowWritingHidesBehindTheRelay(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 6)
		issue := s.issue(s.skin, "rest")
		written, contents := make(chan struct{}, 6), 0
		l := &line{takes: func(context.Context) mailer.Outcome {
			if contents++; contents <= 4 { // behind the fifth and sixth there is none to write
				select {
				case <-written:
				case <-time.After(time.Minute):
					s.Errorf("the relay worked at content %d for a minute, and no further message was written", contents)
				}
			}
			return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
		}}
		w := s.startSlow(l, nil, func(n int) error {
			if n > 2 { // the first is written before its envelope, the second beside its mark
				written <- struct{}{}
			}
			return nil
		})
		s.endSlow(w, l, issue.ID, "6 sent")
	})
}

// TestSlowWritingStopsWithItsIssue: what was written ahead doesn't meet the refusal that stopped its issue.
func TestSlowWritingStopsWithItsIssue(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 12)
		issue := s.issue(s.skin, "rest")
		offered := 0
		l := &line{offered: func(string) mailer.Outcome {
			if offered++; offered <= 4 {
				return mailer.Outcome{State: mailer.Accepted}
			}
			return mailer.Outcome{State: mailer.Refused, Class: mailer.ClassConfig, Reply: mailer.Reply{Code: 550, Text: "not from you"}}
		}}
		w := s.startSlow(l, nil, func(int) error { return nil })
		s.endSlow(w, l, issue.ID, "7 pending, 4 sent, 1 failed")
		if offered != 5 {
			s.Errorf("the relay was offered %d envelopes, want none after the fifth, which stopped the issue", offered)
		}
	})
}

// TestSlowWritingPutsOff: while the key of a message is looked for, those written before it leave, also the one whose envelope is
// with the relay.
func TestSlowWritingPutsOff(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 6)
		issue := s.issue(s.skin, "rest")
		l, looked, found := &line{}, make(chan struct{}), make(chan struct{})
		w := s.startSlow(l, func(context.Context) { close(looked); <-found }, func(n int) error {
			select {
			case <-found:
			default:
				if n > 3 {
					return mailer.ErrUnsigned
				}
			}
			return nil
		})
		<-looked
		if got := len(l.taken()); got != 3 {
			s.Errorf("the relay has %d messages while the key of the fourth is looked for, want 3", got)
		}
		close(found)
		s.endSlow(w, l, issue.ID, "6 sent")
	})
}

func TestIdleConnectionsSayGoodbye(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 3)
		s.issue(s.skin, "rest")
		l := &line{}
		w := s.start(s.config(l))
		s.drain(w)
		if _, quits := l.seen(); quits != 0 {
			s.Errorf("got QUIT at once, want the connection kept")
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if connects, quits := l.seen(); quits != 1 || connects != 1 {
			s.Errorf("got %d QUIT on %d connections, want one on one after five idle seconds", quits, connects)
		}
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestSlowRelayKeepsItsRows: a live worker renews its leases, however long the answer takes.
func TestSlowRelayKeepsItsRows(t *testing.T) {
	bubble(t, func(s *site) {
		ids := s.readers(s.skin, 1)
		s.issue(s.skin, "rest")
		l := &line{takes: func(context.Context) mailer.Outcome {
			time.Sleep(9 * time.Minute)
			var lease int64
			if err := s.db.QueryRow(context.Background(), `SELECT lease_until FROM deliveries`).Scan(&lease); err != nil {
				s.Error(err)
			}
			if until := time.UnixMilli(lease); until.Before(s.now()) {
				s.Errorf("the lease ended at %v, and it is %v", until, s.now())
			}
			return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
		}}
		w := s.start(s.config(l))
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := w.Drain(ctx); err != nil {
			s.Error(err)
		}
		if d := s.delivery(ids[0]); d.State != "sent" {
			s.Errorf("got %s, want sent", d.State)
		}
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestExpiredLeaseIsTakenOver frees a row whose owner died while we live, once its lease has ended.
func TestExpiredLeaseIsTakenOver(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 1)
		w := s.start(s.config(&line{}))
		issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
		if _, err := s.add(issue.ID, 1); err != nil {
			s.Fatal(err)
		}
		s.dead("inflight") // of an issue that is filling, so that our worker leaves it alone
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "1 inflight")
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "1 uncertain")
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestAlarmAfterTenMinutes says once that the relay is away for long.
func TestAlarmAfterTenMinutes(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 1)
		s.issue(s.skin, "rest")
		var log logged
		cfg := s.config(&line{away: true})
		cfg.Log = log.logger()
		w := s.start(cfg)
		const alarm = "the relay is away: deliveries wait"
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if strings.Contains(log.String(), alarm) {
			s.Error("got the alarm within ten minutes")
		}
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if n := strings.Count(log.String(), alarm); n != 1 {
			s.Errorf("got %d alarms, want 1", n)
		}
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestAwayIsLoggedOnce: connections that find the relay away together say it once, and so does each probe after a wait.
func TestAwayIsLoggedOnce(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 30)
		s.issue(s.skin, "rest")
		var log logged
		cfg := s.config(outbox.RelayFunc(func(context.Context) (outbox.Conn, error) {
			time.Sleep(time.Second) // so that all of them try together
			return nil, &mailer.RelayError{Phase: "connect", Err: errTest}
		}))
		cfg.Log, cfg.Connections = log.logger(), 8
		w := s.start(cfg)
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{30 * time.Second, 1}, {8 * time.Minute, 4}} { // at once, after 1, 2 and 4 minutes
			time.Sleep(tt.after)
			synctest.Wait()
			if n := strings.Count(log.String(), `msg="the relay is away"`); n != tt.want {
				s.Errorf("after %s: got %d warnings, want %d:\n%s", tt.after, n, tt.want, log.String())
			}
		}
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestQueuedByAnotherProcess is found without a call of Wake.
func TestQueuedByAnotherProcess(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 3)
	w := s.start(s.config(relay(srv)))
	s.drain(w)
	issue := s.issue(s.skin, "rest")
	s.until("3 sent", func() bool { return words(s.counts(issue.ID)) == "3 sent" })
}

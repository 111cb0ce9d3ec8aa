package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestEveryPhaseTimesEveryFault breaks one transaction of three at each point in each way. Afterwards everybody has the
// issue once, but who was refused, and who is uncertain where the content was not answered.
func TestEveryPhaseTimesEveryFault(t *testing.T) {
	faults := []struct {
		name string
		set  func(*smtptest.Rule)
	}{
		{"4xx", func(r *smtptest.Rule) { r.Reply("451 4.3.0 later") }},
		{"5xx", func(r *smtptest.Rule) { r.Reply("550 5.2.0 never") }},
		{"421", func(r *smtptest.Rule) { r.Reply("421 4.3.2 closing") }},
		{"drop", func(r *smtptest.Rule) { r.Drop(false) }},
		{"drop after", func(r *smtptest.Rule) { r.Drop(true) }},
		{"gibberish", func(r *smtptest.Rule) { r.Reply("what?") }},
		{"silence", func(r *smtptest.Rule) { r.Silent() }},
	}
	for name, offers := range map[string][]string{
		"lockstep": {"ENHANCEDSTATUSCODES"}, "pipelined": {"ENHANCEDSTATUSCODES", "PIPELINING"},
		"BDAT": {"ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING"},
	} {
		points, last := []string{"connect", "EHLO", "MAIL", "RCPT", "DATA", "content"}, "DATA" // the last before the content
		if name == "BDAT" {
			points, last = slices.Delete(points, 4, 5), "RCPT"
		}
		for _, point := range points {
			for _, fault := range faults {
				t.Run(name+" "+point+" "+fault.name, func(t *testing.T) {
					t.Parallel()
					s, srv := newSite(t), smtptest.New(t, smtptest.WithExtensions(offers...))
					s.readers(s.skin, 3)
					issue := s.issue(s.skin, "rest")
					fault.set(srv.At(point).Times(1))
					s.sendThrice(srv)
					want, lost := "3 sent", 0
					transaction := point != "connect" && point != "EHLO"
					unanswered := fault.name == "drop" || fault.name == "gibberish" || fault.name == "silence"
					switch {
					case fault.name == "5xx" && point == "MAIL":
						want = "2 pending, 1 failed" // our sender is refused: the issue stops
					case fault.name == "5xx" && transaction:
						want = "2 sent, 1 failed"
					case point == "content" && unanswered, point == last && fault.name == "drop after":
						want, lost = "2 sent, 1 uncertain", 1
					}
					s.wants(issue.ID, want)
					checkInvariants(t, s.db, taken(srv), lost)
				})
			}
		}
	}
}

// sendThrice sends what it can now, and twice what was put off meanwhile.
func (s *site) sendThrice(srv *smtptest.Server) {
	s.Helper()
	for range 3 {
		w := s.start(s.config(impatient(srv)))
		if err := w.Drain(s.Context()); err != nil && !isRelayError(err) {
			s.Fatal(err)
		}
		if err := w.Close(); err != nil {
			s.Fatal(err)
		}
		s.advance(2 * time.Minute)
	}
}

// impatient is a relay whose client waits for no reply longer than a moment.
func impatient(srv *smtptest.Server) outbox.Relay {
	const moment = 2 * time.Second
	return smtp(mailer.SMTP{
		Host: "127.0.0.1", Port: srv.Port(), TLS: mailer.NoTLS, Helo: "mail.example.org",
		Timeouts: mailer.Timeouts{Connect: moment, Command: moment, Data: moment, Content: moment},
	})
}

func isRelayError(err error) bool {
	var relay *mailer.RelayError
	return errors.As(err, &relay)
}

// TestRelayAwayForTwelveHours asks at most once a minute, touches no row, and sends all when the relay is back.
func TestRelayAwayForTwelveHours(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 20)
	issue := s.issue(s.skin, "rest")
	var calls atomic.Int32
	var back atomic.Bool
	cfg := s.config(outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
		if !back.Load() {
			calls.Add(1)
			return nil, &mailer.RelayError{Phase: "connect", Err: errTest}
		}
		return relay(srv).Connect(ctx)
	}))
	cfg.Connections = 4
	w := s.start(cfg)
	for range 12 * 60 {
		if err := w.Drain(t.Context()); !isRelayError(err) || !errors.Is(err, errTest) {
			t.Fatalf("drain: got %v, want the relay's error", err)
		}
		if err := w.Trouble(); !errors.Is(err, errTest) {
			t.Fatalf("trouble: got %v, want the relay's error", err)
		}
		s.advance(time.Minute)
	}
	// 1, 2, 4, 8, 16 and then every 30 minutes: each with the connections that were on their way together.
	if got := calls.Load(); got < 5+22 || got > 5+24+4 {
		t.Errorf("got %d tries in 12 hours, want about 29", got)
	}
	for _, id := range ids {
		if d := s.delivery(id); d.State != "pending" || d.Tries != 0 || !d.Dated.IsZero() {
			t.Fatalf("got %+v, want a row as it was", d)
		}
	}
	back.Store(true)
	s.advance(time.Hour)
	s.drain(w)
	s.wants(issue.ID, "20 sent")
	if err := w.Trouble(); err != nil {
		t.Errorf("got trouble %v, want none", err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestRelayThatHangsUpOnEverybody takes connections and no transaction: after three it is away, and not each recipient in turn.
func TestRelayThatHangsUpOnEverybody(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	issue := s.issue(s.skin, "rest")
	rule := srv.At("MAIL").Reply("421 4.3.2 closing")
	w := s.start(s.config(relay(srv)))
	if err := w.Drain(t.Context()); !isRelayError(err) || !isRelayError(w.Trouble()) {
		t.Errorf("drain: got %v, trouble %v, want the relay's error", err, w.Trouble())
	}
	if got := srv.Connections(); got != 3 {
		t.Errorf("got %d connections, want 3", got)
	}
	rule.Times(0)
	s.advance(2 * time.Minute)
	s.drain(w)
	s.wants(issue.ID, "20 sent")
	if err := w.Trouble(); err != nil {
		t.Errorf("got trouble %v, want none", err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestOneConnectionTooMany has a relay that takes two connections and refuses further ones: it is not away.
func TestOneConnectionTooMany(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 200)
	issue := s.issue(s.skin, "rest")
	srv.At("connect").Times(2)
	srv.At("connect").Reply("421 4.7.0 too many connections")
	cfg := s.config(relay(srv))
	cfg.Connections = 6
	w := s.start(cfg)
	s.until("100 sent", func() bool { return s.counts(issue.ID).Sent >= 100 })
	if err := w.Trouble(); err != nil && s.counts(issue.ID).Sent < 150 {
		t.Errorf("got trouble %v, want none", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestDatedIsNotBeforeItWasSent: what was placed in the order before a letter went out is not behind it (rule 4), not by a
// part of a second.
func TestDatedIsNotBeforeItWasSent(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 1)
	s.issue(s.skin, "rest")
	began := s.now().Truncate(time.Millisecond)
	s.send(srv)
	if got := s.delivery(ids[0]).Dated; got.Before(began) {
		t.Errorf("got dated %v, want it not before %v", got, began)
	}
}

// TestPoisonousRecipient hangs up on one recipient, always: all others get theirs.
func TestPoisonousRecipient(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 30)
	issue := s.issue(s.skin, "rest")
	srv.At("RCPT " + address(7)).Drop(false)
	for range 5 {
		s.send(srv)
		s.advance(2 * time.Minute)
	}
	s.wants(issue.ID, "1 pending, 29 sent")
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestPoisonousRecipients: whom the relay can't stand, for hours, costs those of later issues no more than a probe or two; and their
// own rows end when their shelf life does.
func TestPoisonousRecipients(t *testing.T) {
	for _, poisonous := range []int{1, 4} {
		t.Run(fmt.Sprint(poisonous), func(t *testing.T) {
			bubble(t, func(s *site) {
				s.readers(s.skin, 20)
				var stands []string
				for i := range poisonous {
					stands = append(stands, address(1+i))
				}
				first := s.issue(s.skin, "rest")
				cfg := s.config(hangsUpOn(stands...))
				cfg.Connections, cfg.ShelfLife = 2, 30*time.Minute
				w := s.start(cfg)
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				s.wants(first.ID, fmt.Sprintf("%d pending, %d sent", poisonous, 20-poisonous))
				second := s.issue(s.skin, "more")
				w.Wake()
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := s.counts(second.ID).Sent; n != int64(20-poisonous) {
					s.Errorf("got %d of the next issue sent within the hour, want %d", n, 20-poisonous)
				}
				for hours := 0; hours < 48 && s.counts(first.ID).Pending+s.counts(second.ID).Pending > 0; hours++ {
					time.Sleep(time.Hour)
					synctest.Wait()
				}
				for _, issue := range []series.Issue{first, second} {
					s.wants(issue.ID, fmt.Sprintf("%d sent, %d failed", 20-poisonous, poisonous))
				}
				if err := w.Close(); err != nil {
					s.Error(err)
				}
			})
		})
	}
}

// hangsUpOn is a relay that hangs up on some addresses and takes everybody else.
func hangsUpOn(addresses ...string) *line {
	return &line{offered: func(to string) mailer.Outcome {
		if slices.Contains(addresses, to) {
			return mailer.Outcome{State: mailer.Away, Reply: mailer.Reply{Code: 421, Enhanced: "4.7.0", Text: "go away"}}
		}
		return mailer.Outcome{State: mailer.Accepted}
	}}
}

// TestPoisonousNotices: notices that the relay can't stand keep no issue from it, though one of an issue is no better, and no other
// notice; and once something was answered, they end with their shelf life.
func TestPoisonousNotices(t *testing.T) {
	for _, tt := range []struct {
		name    string
		before  func(s *site)                    // what waits when the breaker opens
		arrives func(s *site) (sent func() bool) // what comes then
		want    []string
	}{
		{"an issue", func(s *site) { s.queueTo("p1@example.org") }, func(s *site) func() bool {
			issue := s.issue(s.skin, "rest")
			return func() bool { return s.counts(issue.ID).Sent == 20 }
		}, []string{"editors failed expired"}},
		{"an older issue", func(s *site) {
			s.queueTo("p1@example.org")
			old := s.issue(s.skin, "rest")
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Pause(ctx, tx, old.ID, "", s.now()) })
			gut := s.addSeries("gut")
			s.subscribe(gut, "p2@example.org")
			s.issue(gut, "herbs")
		}, func(s *site) func() bool {
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, 1, s.now()) })
			return func() bool { return s.counts(1).Sent == 20 }
		}, []string{"editors failed expired"}},
		{"a notice", func(s *site) { s.queueTo("p1@example.org"); s.queueTo("p2@example.org") }, func(s *site) func() bool {
			s.queueTo("ada@example.org")
			return func() bool { return s.notices()[2] == "editors sent" }
		}, []string{"editors failed expired", "editors failed expired", "editors sent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(s *site) {
				s.readers(s.skin, 20)
				tt.before(s)
				cfg := s.config(hangsUpOn("p1@example.org", "p2@example.org"))
				cfg.Connections, cfg.ShelfLife = 2, 30*time.Minute
				w := s.start(cfg)
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				if w.Trouble() == nil {
					s.Error("the relay that answers nobody is not away")
				}
				sent := tt.arrives(s)
				w.Wake()
				time.Sleep(time.Hour)
				synctest.Wait()
				if !sent() {
					s.Error("what the relay takes is not sent within the hour")
				}
				time.Sleep(4 * time.Hour)
				synctest.Wait()
				s.wantNotices(tt.want...)
				if err := w.Close(); err != nil {
					s.Error(err)
				}
			})
		})
	}
}

// queueTo queues a notice to an address that is worth sending for a fortnight.
func (s *site) queueTo(email string) {
	s.Helper()
	n := s.notice("editors", "word to "+strings.TrimSuffix(email, "@example.org"))
	n.ToEmail, n.Expires = email, s.now().AddDate(0, 0, 14)
	s.enqueue(n)
}

// TestDrainKnowsOfANoticeThatWaits: with the relay away all day it is never said that nothing waits.
func TestDrainKnowsOfANoticeThatWaits(t *testing.T) {
	s := newSite(t)
	s.queueTo("ada@example.org")
	w := s.start(s.config(&line{away: true}))
	for range 24 * 2 {
		if err := w.Drain(t.Context()); !isRelayError(err) {
			t.Fatalf("drain: got %v, want the relay's error", err)
		}
		s.advance(31 * time.Minute)
	}
}

// TestARelayThatHangsUpOnEverybody is away, however few wait: they are not to blame for it, and none of them ages.
func TestARelayThatHangsUpOnEverybody(t *testing.T) {
	for _, readers := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			bubble(t, func(s *site) {
				ids := s.readers(s.skin, readers)
				issue := s.issue(s.skin, "rest")
				var back atomic.Bool
				l := &line{offered: func(string) mailer.Outcome {
					if back.Load() {
						return mailer.Outcome{State: mailer.Accepted}
					}
					return mailer.Outcome{State: mailer.Away}
				}}
				cfg := s.config(l)
				cfg.Connections, cfg.ShelfLife = 2, 30*time.Minute
				w := s.start(cfg)
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if w.Trouble() == nil {
					s.Error("nobody is told that the relay is away")
				}
				s.wants(issue.ID, fmt.Sprintf("%d pending", readers))
				if d := s.delivery(ids[0]); d.Tries != 0 {
					s.Errorf("got %d tries, want none", d.Tries)
				}
				back.Store(true)
				time.Sleep(time.Hour)
				synctest.Wait()
				s.wants(issue.ID, fmt.Sprintf("%d sent", readers))
				if err := w.Close(); err != nil {
					s.Error(err)
				}
			})
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	for _, tt := range []struct{ limit, readers, connections int }{{0, 250, 3}, {7, 30, 5}, {1, 3, 3}} {
		t.Run(fmt.Sprint(tt.limit, " a connection"), func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, tt.readers)
			s.issue(s.skin, "rest")
			cfg := s.config(relay(srv))
			cfg.Connections, cfg.PerConnection = 1, tt.limit
			w := s.start(cfg)
			s.drain(w)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := srv.Connections(); got != tt.connections {
				t.Errorf("got %d connections for %d messages, want %d", got, tt.readers, tt.connections)
			}
			if n := strings.Count(strings.Join(srv.Commands(), "\n"), "QUIT"); n != tt.connections {
				t.Errorf("got %d times QUIT, want %d", n, tt.connections)
			}
		})
	}
}

// TestRelayHangsUpBetweenMessages costs no try, no wait and no word about the relay.
func TestRelayHangsUpBetweenMessages(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	issue := s.issue(s.skin, "rest")
	srv.At("content").Drop(true)
	s.send(srv)
	s.wants(issue.ID, "20 sent")
	if got := srv.Connections(); got != 20 {
		t.Errorf("got %d connections, want 20", got)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestRefusalsAboutUsStopTheIssue: readers wait rather than fail one by one for what is our fault.
func TestRefusalsAboutUsStopTheIssue(t *testing.T) {
	for _, tt := range []struct {
		point, reply, want, lane string // lane: what is stopped; empty: all of the issue
	}{
		{"MAIL", "550 5.1.8 sender refused", "19 pending, 1 failed", ""},
		{"content", "550 5.7.1 blocked by policy", "15 pending, 5 failed", "example.org"},
		{"RCPT", "550 5.1.1 no such user", "20 failed", "none"},
		{"content", "552 5.6.0 we don't like it", "15 pending, 5 failed", "example.org"},
	} {
		t.Run(tt.reply, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 20)
			issue := s.issue(s.skin, "rest")
			srv.At(tt.point).Reply(tt.reply)
			s.send(srv)
			s.wants(issue.ID, tt.want)
			stops := must(outbox.Stops(t.Context(), s.db, issue.ID))
			if tt.lane == "none" {
				if len(stops) > 0 {
					t.Errorf("got %+v stopped, want nothing", stops)
				}
			} else if len(stops) != 1 || stops[0].Lane != tt.lane || !strings.HasPrefix(stops[0].Reply, tt.reply[:9]) {
				t.Errorf("got %+v stopped, want %q with the reply", stops, tt.lane)
			}
			got := s.state(issue.ID)
			if paused := tt.lane == ""; paused != (got.State == "paused") || paused != strings.Contains(got.Reason, tt.reply[:9]) {
				t.Errorf("got issue %s, %q, want it paused with the reply: %v", got.State, got.Reason, paused)
			}
			checkInvariants(t, s.db, taken(srv), 0)
		})
	}
}

// TestSingleRefusalsOfContentStopNothing: one acceptance between them shows that the issue is not meant.
func TestSingleRefusalsOfContentStopNothing(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	issue := s.issue(s.skin, "rest")
	for i := 1; i <= 20; i += 2 {
		srv.At("content " + address(i)).Reply("552 5.6.0 we don't like it")
	}
	s.send(srv)
	s.wants(issue.ID, "10 sent, 10 failed")
}

// TestRefusedContentIsGivenBack: a letter that nobody got is cancelled and its article sent anew, to those too whose relay
// refused the first.
func TestRefusedContentIsGivenBack(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	a := s.article(s.skin, "rest")
	fill := func() series.Issue {
		issue := s.freeze(s.frozen(s.skin, a))
		must(outbox.FillLive(t.Context(), s.db, issue.ID, s.now))
		return issue
	}
	refused := fill()
	srv.At("content").Times(5).Reply("554 5.7.1 spam content")
	s.send(srv)
	s.wants(refused.ID, "15 pending, 5 failed")
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return outbox.Cancel(ctx, tx, refused.ID, "rewritten", s.now())
	})
	anew := fill()
	s.send(srv)
	s.wants(anew.ID, "20 sent")
	s.wants(refused.ID, "5 failed, 15 skipped")
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestRelayThatNeverAnswersContent takes every message and hangs up: three deliveries are uncertain at first, one more after
// each wait, and not the whole issue. Once it answers, all others are sent.
func TestRelayThatNeverAnswersContent(t *testing.T) {
	for _, connections := range []int{1, 4} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 200)
			issue := s.issue(s.skin, "rest")
			rule := srv.At("content").Drop(false)
			cfg := s.config(relay(srv))
			cfg.Connections = connections
			w := s.start(cfg)
			if err := w.Drain(t.Context()); !isRelayError(err) || !isRelayError(w.Trouble()) {
				t.Errorf("drain: got %v, trouble %v, want the relay's error", err, w.Trouble())
			}
			first := s.counts(issue.ID).Uncertain
			if most := int64(2 + connections); first < 3 || first > most {
				t.Errorf("got %d uncertain, want 3 and at most the other connections' (%d)", first, most)
			}
			for wait := time.Minute; wait <= 16*time.Minute; wait *= 2 {
				s.advance(wait)
				_ = w.Drain(t.Context())
			}
			if got := s.counts(issue.ID).Uncertain; got != first+5 {
				t.Errorf("after 31 minutes: got %d uncertain, want 5 more than %d", got, first)
			}
			rule.Times(0)
			s.advance(time.Hour)
			s.drain(w)
			if got := s.counts(issue.ID); got.Sent != 200-first-5 {
				t.Errorf("the relay is back: got %s", words(got))
			}
			checkInvariants(t, s.db, taken(srv), int(first+5))
		})
	}
}

// TestResultThatCantBeWritten takes the message and has every write of its result fail: it is kept, nothing else is sent, and
// once the database can be written all goes on, nobody twice.
func TestResultThatCantBeWritten(t *testing.T) {
	for _, tt := range []struct {
		name        string
		spoil, mend []string
	}{
		{"statement", []string{
			`CREATE TRIGGER broken BEFORE UPDATE ON deliveries WHEN NEW.state = 'sent' BEGIN SELECT RAISE(ABORT, 'made by the test'); END`,
		}, []string{`DROP TRIGGER broken`}},
		{"disk full", []string{
			`CREATE TABLE filler (x BLOB)`,
			`CREATE TRIGGER broken BEFORE UPDATE ON deliveries WHEN NEW.state = 'sent' BEGIN INSERT INTO filler VALUES (zeroblob(1000000)); END`,
			`PRAGMA max_page_count = 1`, // which means: as many as there are
		}, []string{`PRAGMA max_page_count = 1000000`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.readers(s.skin, 10)
			issue := s.issue(s.skin, "rest")
			run := func(queries []string) {
				s.tx(func(ctx context.Context, tx *store.Tx) (err error) {
					for _, query := range queries {
						_, one := tx.Exec(ctx, query)
						err = errors.Join(err, one)
					}
					return err
				})
			}
			atNth(srv, "content", 3, func() { run(tt.spoil) })
			cfg := s.config(relay(srv))
			cfg.Connections = 2
			w := s.start(cfg)
			s.until("trouble", func() bool { return w.Trouble() != nil })
			if tt.name == "disk full" && !errors.Is(w.Trouble(), store.ErrDisk) {
				t.Errorf("got trouble %v, want ErrDisk", w.Trouble())
			}
			if err := w.Drain(t.Context()); err == nil {
				t.Error("drain: got nil, want the database's error")
			}
			// The first failed write may be the result of the message before the third, which is still on its way then.
			s.until("the third is out", func() bool { return len(srv.Messages()) >= 3 })
			if n := len(srv.Messages()); n > 5 {
				t.Errorf("got %d messages out, want 3 and what was marked already", n)
			}
			run(tt.mend)
			s.until("all sent", func() bool { return words(s.counts(issue.ID)) == "10 sent" })
			s.until("no trouble", func() bool { return w.Trouble() == nil })
			s.drain(w)
			checkInvariants(t, s.db, taken(srv), 0)
		})
	}
}

func TestLogsNameNobody(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 5)
	s.issue(s.skin, "rest")
	srv.At("RCPT " + address(1)).Reply("550 5.1.1 <r1@example.org> is no user here")
	srv.At("RCPT " + address(2)).Drop(false)
	srv.At("content " + address(3)).Drop(false)
	var log logged
	cfg := s.config(relay(srv))
	cfg.Log = log.logger()
	w := s.start(cfg)
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if n := strings.Count(text, "delivery attempt"); n != 5 {
		t.Errorf("got %d lines of attempts, want 5:\n%s", n, text)
	}
	for _, secret := range []string{"@example.org", "/u/", "Reader"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q:\n%s", secret, text)
		}
	}
	if d := s.delivery(1); d.Reply == "" || strings.Contains(d.Reply, "@") {
		t.Errorf("got reply %q, want one without address", d.Reply)
	}
}

func TestOnSettledIsToldOfTheIssue(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 5)
	issue := s.issue(s.skin, "rest")
	var told atomic.Int64
	cfg := s.config(relay(srv))
	cfg.OnSettled = func(id int64) {
		if id != issue.ID {
			t.Errorf("told of issue %d, want %d", id, issue.ID)
		}
		told.Add(1)
	}
	s.drain(s.start(cfg))
	if told.Load() < 5 {
		t.Errorf("told %d times, want at least once for each of 5 messages", told.Load())
	}
}

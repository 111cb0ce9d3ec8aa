package outbox_test

import (
	"context"
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
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// people adds confirmed readers with the given addresses, each a day after the one before.
func (s *site) subscribe(of series.Series, addresses ...string) {
	s.Helper()
	for _, email := range addresses {
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := s.people.Enrol(ctx, tx, of.ID, subscribers.Addition{Email: email}, "test")
			return err
		})
	}
}

// many are n addresses of a domain.
func many(n int, domain string) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%c%d@%s", domain[0], i, domain))
	}
	return all
}

// sentTo counts what the server took by domain.
func sentTo(srv *smtptest.Server) map[string]int {
	got := map[string]int{}
	for _, m := range srv.Messages() {
		got[m.To[strings.LastIndexByte(m.To, '@')+1:]]++
	}
	return got
}

// paced is a worker with a pace.
func (s *site) paced(srv *smtptest.Server, plan pace.Plan) outbox.Config {
	cfg := s.config(relay(srv))
	cfg.Connections, cfg.Pace = 4, plan
	return cfg
}

func rate(text string) pace.Rate { return must(pace.ParseRate(text)) }

// TestAProviderThatBlocksStopsAlone: five blocked in a row at Gmail keep the rest of Gmail's readers from failing, and nobody
// else from their issue. When an editor resumes it, those who waited get it.
func TestAProviderThatBlocksStopsAlone(t *testing.T) {
	for _, tt := range []struct{ domain, lane string }{{"gmail.com", "gmail"}, {"shop.example", "shop.example"}} {
		t.Run(tt.domain, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			s.subscribe(s.skin, slices.Concat(many(20, tt.domain), many(20, "yahoo.com"), many(20, "other.example"), many(3, "GoogleMail.com"))...)
			issue := s.issue(s.skin, "rest")
			for _, to := range many(20, tt.domain) {
				srv.At("RCPT " + to).Reply("550 5.7.1 blocked, see our postmaster page")
			}
			s.send(srv)
			got := sentTo(srv)
			if got["yahoo.com"] != 20 || got["other.example"] != 20 || got[tt.domain] != 0 {
				t.Errorf("got %v, want all of the others and none of %s", got, tt.domain)
			}
			stops := must(outbox.Stops(t.Context(), s.db, issue.ID))
			if len(stops) != 1 || stops[0].Lane != tt.lane || stops[0].Class != "blocked" || stops[0].Waiting < 12 {
				t.Fatalf("got stops %+v, want one of %s", stops, tt.lane)
			}
			// The other connections may have been on their way.
			if c := s.counts(issue.ID); c.Failed < 5 || c.Failed > 8 || c.Pending+c.Failed < 20 || s.state(issue.ID).State != series.IssueSending {
				t.Errorf("got %s of an issue that is %s, want 5 failed and the others waiting", words(c), s.state(issue.ID).State)
			}
			for _, d := range s.pending(issue.ID) {
				if d.Tries != 0 || !d.Dated.IsZero() {
					t.Errorf("got %+v, want a row as it was", d)
				}
			}
			checkInvariants(t, s.db, taken(srv), 0)

			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue.ID, s.now()) })
			srv2 := smtptest.New(t)
			s.send(srv2)
			if c := s.counts(issue.ID); c.Pending != 0 || c.Failed > 8 {
				t.Errorf("after resuming: got %s, want nothing waiting", words(c))
			}
		})
	}
}

// pending are the deliveries of an issue that wait.
func (s *site) pending(issue int64) (all []outbox.Delivery) {
	s.Helper()
	var id int64
	rows := must(s.db.Query(context.Background(), `SELECT subscriber_id FROM deliveries WHERE issue_id = ?1 AND state = 'pending'`, issue))
	var ids []int64
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			s.Fatal(err)
		}
		ids = append(ids, id)
	}
	_ = rows.Close()
	for _, id := range ids {
		all = append(all, s.delivery(id))
	}
	return all
}

// TestARelayThatBlocksEverybodyPausesTheIssue: where refusals go through several providers it isn't one of them.
func TestARelayThatBlocksEverybodyPausesTheIssue(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.subscribe(s.skin, slices.Concat(many(20, "gmail.com"), many(20, "yahoo.com"), many(20, "other.example"), many(20, "more.example"))...)
	issue := s.issue(s.skin, "rest")
	srv.At("content").Reply("554 5.7.1 blocked")
	s.send(srv)
	if c := s.counts(issue.ID); c.Failed > 12 || s.state(issue.ID).State != series.IssuePaused {
		t.Errorf("got %s of an issue that is %s, want it paused after a few", words(c), s.state(issue.ID).State)
	}
	if stops := must(outbox.Stops(t.Context(), s.db, 0)); !slices.ContainsFunc(stops, func(x outbox.Stop) bool { return x.Lane == "" }) {
		t.Errorf("got stops %+v, want one of all", stops)
	}
}

// TestARelayThatKnowsNobodyPausesTheIssue: a relay that lost its table of users doesn't cost a site its readers.
func TestARelayThatKnowsNobodyPausesTheIssue(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.subscribe(s.skin, many(80, "reader.example")...)
	issue := s.issue(s.skin, "rest")
	srv.At("RCPT").Reply("550 5.1.1 no such user")
	s.send(srv)
	got := s.state(issue.ID)
	if c := s.counts(issue.ID); c.Failed < 25 || c.Failed > 45 || got.State != series.IssuePaused || !strings.Contains(got.Reason, "don't exist") {
		t.Errorf("got %s of an issue that is %s, %q; want it paused soon after 25", words(c), got.State, got.Reason)
	}
}

// TestResumedAfterRefusals: what an editor has had go on isn't stopped again by the next refusal, but by as many as before.
func TestResumedAfterRefusals(t *testing.T) {
	for _, tt := range []struct {
		class  mailer.Class
		failed []int64
	}{{mailer.ClassDead, []int64{25, 50}}, {mailer.ClassBlocked, []int64{5, 10}}} {
		t.Run(string(tt.class), func(t *testing.T) {
			s := newSite(t)
			s.subscribe(s.skin, many(80, "reader.example")...)
			issue := s.issue(s.skin, "rest")
			cfg := s.config(&line{offered: func(string) mailer.Outcome { return mailer.Outcome{State: mailer.Refused, Class: tt.class} }})
			cfg.Connections = 1
			w := s.start(cfg)
			for _, failed := range tt.failed {
				s.drain(w)
				s.wants(issue.ID, fmt.Sprintf("%d pending, %d failed", 80-failed, failed))
				s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue.ID, s.now()) })
				w.Wake()
			}
			s.drain(w)
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Cancel(ctx, tx, issue.ID, "", s.now()) })
			if s.countOf("SELECT count(*) FROM stops") == 0 || s.countOf(outbox.AnyStop) != 0 {
				t.Error("stops of a cancelled issue are still heeded")
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefusalsThatStoppedAProviderCountOnce: once that was resumed, they don't have one refusal elsewhere stop all of the issue.
func TestRefusalsThatStoppedAProviderCountOnce(t *testing.T) {
	s := newSite(t)
	s.subscribe(s.skin, slices.Concat(many(6, "gmail.com"), many(1, "other.example"), many(1, "more.example"), many(4, "yahoo.com"))...)
	issue := s.issue(s.skin, "rest")
	for domain, wait := range map[string]time.Duration{"more.example": time.Hour, "yahoo.com": 2 * time.Hour} {
		s.exec(`UPDATE deliveries SET next_try = next_try + ?1 WHERE subscriber_id IN (SELECT id FROM subscribers WHERE email LIKE '%@' || ?2)`,
			wait.Milliseconds(), domain)
	}
	cfg := s.config(&line{offered: func(to string) mailer.Outcome {
		if strings.HasSuffix(to, "@yahoo.com") {
			return mailer.Outcome{State: mailer.Accepted}
		}
		return mailer.Outcome{State: mailer.Refused, Class: mailer.ClassBlocked}
	}})
	cfg.Connections = 1
	w := s.start(cfg)
	s.drain(w)
	s.wants(issue.ID, "6 pending, 6 failed")
	s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue.ID, s.now()) })
	for _, want := range []string{"4 pending, 8 failed", "4 sent, 8 failed"} {
		s.advance(time.Hour)
		w.Wake()
		s.drain(w)
		s.wants(issue.ID, want)
	}
	if got := s.state(issue.ID); got.State != series.IssueSending {
		t.Errorf("got an issue that is %s (%s), want it sending", got.State, got.Reason)
	}
}

// TestUnknownAddressesAmongOthersPauseNothing: many that don't exist are an old list, as long as others do.
func TestUnknownAddressesAmongOthersPauseNothing(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.subscribe(s.skin, many(40, "gone.example")...)
	s.subscribe(s.skin, many(40, "reader.example")...)
	issue := s.issue(s.skin, "rest")
	for i := range 40 {
		srv.At("RCPT " + many(40, "gone.example")[i]).Reply("550 5.1.1 no such user")
	}
	s.send(srv)
	if c := s.counts(issue.ID); c.Failed != 40 || c.Sent != 40 {
		t.Errorf("got %s, want half sent and half failed", words(c))
	}
}

// TestAFeedThatWaitsForRoom looks again when a row is through, and not each millisecond: within hours, and with one probe on its way
// to a relay that was away.
func TestAFeedThatWaitsForRoom(t *testing.T) {
	for _, tt := range []struct {
		name  string
		plan  pace.Plan
		away  bool
		after time.Duration
	}{
		{"hours", pace.Plan{Hours: must(pace.ParseHours("00:00-23:59", time.UTC)), Connections: 4}, false, 5 * time.Second},
		{"probe", pace.Plan{Relay: rate("10/s"), Connections: 4}, true, 75 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(s *site) {
				s.readers(s.skin, 400)
				s.issue(s.skin, "rest")
				l := &line{away: tt.away, takes: func(context.Context) mailer.Outcome {
					time.Sleep(200 * time.Millisecond)
					return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
				}}
				var rounds, tries atomic.Int64
				cfg := s.config(outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) {
					if tries.Add(1) > 1 && tt.away {
						<-ctx.Done()
					}
					return l.Connect(ctx)
				}))
				cfg.Connections, cfg.Pace = 4, tt.plan
				cfg.MayLeave = func(context.Context) error { rounds.Add(1); return nil }
				w := s.start(cfg)
				time.Sleep(tt.after)
				before, statements := rounds.Load(), s.db.Statements()
				time.Sleep(5 * time.Second)
				if n := rounds.Load() - before; n > 200 { // a hundred rows end
					s.Errorf("the feed looked %d times in five seconds", n)
				}
				if n := s.db.Statements() - statements; n > 1000 {
					s.Errorf("%d statements in five seconds", n)
				}
				if err := w.Close(); err != nil {
					s.Error(err)
				}
			})
		})
	}
}

// TestHoursEnd: what was claimed before their end waits like all the rest.
func TestHoursEnd(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 60)
		issue := s.issue(s.skin, "rest")
		l := &line{takes: func(context.Context) mailer.Outcome {
			time.Sleep(10 * time.Second)
			return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
		}}
		cfg := s.config(l)
		cfg.Connections, cfg.Pace = 1, pace.Plan{Hours: must(pace.ParseHours("00:00-00:01", time.UTC)), Connections: 1}
		w := s.start(cfg)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "54 pending, 6 sent")
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestClaimsThatFailUseUpNoPace: what could not be claimed has not left, however often it was tried.
func TestClaimsThatFailUseUpNoPace(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 200)
		issue := s.issue(s.skin, "rest")
		s.exec(`CREATE TRIGGER broken BEFORE INSERT ON handed BEGIN SELECT RAISE(ABORT, 'made by the test'); END`)
		cfg := s.config(&line{})
		cfg.Connections, cfg.Pace = 2, pace.Plan{Relay: rate("50/d"), Connections: 2}
		w := s.start(cfg)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "200 pending")
		s.exec(`DROP TRIGGER broken`)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "151 pending, 49 sent") // one is kept for notices
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestAClockThatWasAhead: what left under it is counted once, also over restarts, and no word on the days to come.
func TestAClockThatWasAhead(t *testing.T) {
	for _, ahead := range []time.Duration{6 * time.Hour, 365 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			s := newSite(t)
			s.readers(s.skin, 10)
			cfg := s.config(&line{})
			cfg.Pace = pace.Plan{Relay: rate("100/d"), Connections: 1}
			for i, step := range []time.Duration{ahead, -ahead, time.Hour / 2, time.Hour / 2, time.Hour / 2} {
				s.advance(step)
				issue := s.issue(s.skin, fmt.Sprint("article", i))
				w := s.start(cfg)
				s.drain(w)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				s.wants(issue.ID, "10 sent")
				if n := s.countOf(`SELECT sum(n) FROM handed`); n != int64(10*(i+1)) {
					t.Errorf("step %d: %d are counted of %d that left", i, n, 10*(i+1))
				}
			}
		})
	}
}

// TestAClockSetBackDuringAProbe: what left before is on the disk as it counts since then, though nothing was claimed for minutes.
func TestAClockSetBackDuringAProbe(t *testing.T) {
	bubble(t, func(s *site) {
		s.readers(s.skin, 60)
		issue := s.issue(s.skin, "rest")
		s.advance(30 * time.Minute)
		var offered atomic.Int64
		cfg := s.config(&line{takes: func(context.Context) mailer.Outcome {
			switch n := offered.Add(1); {
			case n > 30 && n <= 33: // it is away, by what is known
				return mailer.Outcome{State: mailer.Unknown}
			case n == 34:
				time.Sleep(4 * time.Minute)
			}
			return mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250}}
		}})
		cfg.Pace = pace.Plan{Relay: rate("1000/h"), Connections: 1}
		w := s.start(cfg)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "26 pending, 1 inflight, 30 sent, 3 uncertain")
		s.advance(-30 * time.Minute)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		s.wants(issue.ID, "57 sent, 3 uncertain")
		if n := s.countOf(`SELECT sum(n) FROM handed`); n < 60 {
			s.Errorf("%d are counted of 60 that left within the hour", n)
		}
		if err := w.Close(); err != nil {
			s.Error(err)
		}
	})
}

// TestAClaimThatRunsTwiceKeepsWhatTheClockMoved: what the first run of it had kept was undone with it.
func TestAClaimThatRunsTwiceKeepsWhatTheClockMoved(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 20)
	s.issue(s.skin, "rest")
	w, clock := s.claims(pace.Plan{Relay: rate("100/d")})
	right := clock.now()
	clock.set(right.Add(12 * time.Hour))
	claimed := must(w.Claim(20)).Len()
	clock.set(right)
	claimed += must(w.ClaimBeside(5)).Len() // nothing is due
	s.issue(s.skin, "more")
	clock.set(right.Add(time.Hour))
	claimed += must(w.Claim(5)).Len()
	if n := s.countOf(`SELECT sum(n) FROM handed`); claimed != 25 || n != 25 {
		t.Errorf("claimed %d, of which %d are counted, want 25", claimed, n)
	}
}

// TestADailyLimitCarriesOverMidnightAndRestart: a limit holds in every 24 hours, whoever starts in between, and what waits for
// it has neither tried nor aged.
func TestADailyLimitCarriesOverMidnightAndRestart(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 25)
	issue := s.issue(s.skin, "rest")
	plan := pace.Plan{Relay: rate("10/d")}
	foreseen := must(outbox.CourseOf(t.Context(), s.db, plan, issue, s.now()))
	begun := s.now()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 10}, {23 * time.Hour, 10}, {90 * time.Minute, 20}, {time.Hour, 20}, {22 * time.Hour, 20}, {2 * time.Hour, 25}} {
		s.advance(step.after)
		w := s.start(s.paced(srv, plan))
		s.drain(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := len(srv.Messages()); got != step.want {
			t.Fatalf("after %s: got %d messages, want %d", s.now().Sub(begun).Round(time.Minute), got, step.want)
		}
		for _, d := range s.pending(issue.ID) {
			if d.Tries != 0 || !d.Dated.IsZero() {
				t.Fatalf("got %+v, want a row as it was", d)
			}
		}
	}
	if took := foreseen.Ends.Sub(begun); took < 48*time.Hour || took > 49*time.Hour {
		t.Errorf("foreseen were %s, want a little over 48 h", took)
	}
	var waited int64
	if err := s.db.QueryRow(t.Context(), `SELECT sum(waited) FROM deliveries`).Scan(&waited); err != nil || waited != 0 {
		t.Errorf("got %d ms of age, %v, want none", waited, err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestSpeedOutlivesARestart: a provider that complains gets half, and the next sender begins with that.
func TestSpeedOutlivesARestart(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.subscribe(s.skin, "a@gmail.com", "b@yahoo.com")
	s.issue(s.skin, "rest")
	srv.At("RCPT a@gmail.com").Reply("450 4.2.1 The user you are trying to contact is receiving mail too quickly")
	w := s.start(s.paced(srv, pace.Plan{Relay: rate("100/s"), Adapt: true}))
	s.drain(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for lane, want := range map[string]float64{"gmail": 1, "yahoo": 2} {
		var got float64
		if err := s.db.QueryRow(t.Context(), `SELECT coalesce(speed, 0) FROM lanes WHERE name = ?1`, lane).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %v messages a second, %v, want %v", lane, got, err, want)
		}
	}
}

// TestHoursPauseAnIssueAndNoNotice: outside the hours nothing of an issue leaves, a login link does.
func TestHoursPauseAnIssueAndNoNotice(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 3)
	issue := s.issue(s.skin, "rest")
	s.advance(s.now().Truncate(24 * time.Hour).Add(31 * time.Hour).Sub(s.now())) // seven in the morning by UTC
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := outbox.Enqueue(ctx, tx, s.notice("login", "key"), s.now())
		return err
	})
	w := s.start(s.paced(srv, pace.Plan{Hours: must(pace.ParseHours("08:00-20:00", time.UTC))}))
	s.drain(w)
	s.wants(issue.ID, "3 pending")
	if got := len(srv.Messages()); got != 1 {
		t.Errorf("got %d messages before the hours, want the login link", got)
	}
	s.advance(time.Hour)
	s.drain(w)
	s.wants(issue.ID, "3 sent")
}

// TestWarmUpOverDays sends 50, 100 and the rest, who confirmed longest ago first.
func TestWarmUpOverDays(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 180)
	for i, id := range ids { // the last of them confirmed first
		s.exec(`UPDATE enrolments SET active_since = ?2 WHERE subscriber_id = ?1`, id, s.now().Add(-time.Duration(i)*time.Hour).UnixMilli())
	}
	plan := pace.Plan{WarmUp: []string{"example.org"}}
	if err := outbox.SetWarmUps(t.Context(), s.db, plan.WarmUp); err != nil {
		t.Fatal(err)
	}
	issue := s.issue(s.skin, "rest")
	s.advance(s.now().Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(s.now()))
	foreseen := must(outbox.CourseOf(t.Context(), s.db, plan, issue, s.now()))
	for day, want := range []int{50, 150, 180} {
		w := s.start(s.paced(srv, plan))
		s.drain(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := len(srv.Messages()); got != want {
			t.Fatalf("day %d: got %d messages, want %d", day+1, got, want)
		}
		if day == 0 {
			for _, m := range srv.Messages() {
				if n := must(fmt.Sscanf(m.To, "r%d@", new(int))); n != 1 {
					t.Fatal(m.To)
				}
				var i int
				_, _ = fmt.Sscanf(m.To, "r%d@", &i)
				if i <= 130 {
					t.Errorf("on the first day: got %s, who confirmed later than others", m.To)
				}
			}
		}
		s.advance(24 * time.Hour)
	}
	if got, want := foreseen.Ends.Format(time.DateOnly), s.now().Add(-24*time.Hour).Format(time.DateOnly); got != want {
		t.Errorf("foreseen was an end on %s, want %s", got, want)
	}
	s.wants(issue.ID, "180 sent")
}

// TestAPaceOfSecondsIsWaitedFor: Drain goes on until all is sent, never faster than the pace.
func TestAPaceOfSecondsIsWaitedFor(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.subscribe(s.skin, slices.Concat(many(6, "gmail.com"), many(6, "other.example"))...)
	issue := s.issue(s.skin, "rest")
	stopped := s.now()
	var moved time.Duration
	cfg := s.paced(srv, pace.Plan{Relay: rate("4/s")})
	var clock steadyClock
	clock.set(stopped)
	cfg.Now = clock.now
	w := s.start(cfg)
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(t.Context()) }()
	for want := 4; want <= 12; want += 4 {
		s.until(fmt.Sprint(want, " messages"), func() bool { return len(srv.Messages()) == want })
		moved += time.Second + 20*time.Millisecond
		clock.set(stopped.Add(moved))
		w.Wake()
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	s.wants(issue.ID, "12 sent")
	if got := sentTo(srv); got["gmail.com"] != 6 || got["other.example"] != 6 {
		t.Errorf("got %v, want six each", got)
	}
}

// claims is a worker that claims issues' rows by Claim alone, with a clock that stands still.
func (s *site) claims(plan pace.Plan) (*outbox.Worker, *steadyClock) {
	s.Helper()
	cfg, clock := s.paced(smtptest.New(s), plan), new(steadyClock)
	clock.set(s.now())
	cfg.Now = clock.now
	w, end, err := outbox.Claimer(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(end)
	return w, clock
}

// TestLooksInVainTakeNobodysTurn: with one message a second and as many looks as there are lanes, no lane is always the first.
func TestLooksInVainTakeNobodysTurn(t *testing.T) {
	s := newSite(t)
	s.subscribe(s.skin, slices.Concat(many(12, "gmail.com"), many(12, "other.example"))...)
	s.issue(s.skin, "rest")
	w, clock := s.claims(pace.Plan{Relay: rate("1/s")})
	lanes := len(pace.LaneNames())
	const seconds = 10
	for range seconds {
		for look := range lanes {
			want := 0
			if look == 0 {
				want = 1
			}
			if got := must(w.Claim(1)).Len(); got != want {
				t.Fatalf("look %d of a second: got %d, want %d", look+1, got, want)
			}
		}
		clock.set(clock.now().Add(time.Second + 20*time.Millisecond))
	}
	for _, lane := range []pace.Lane{pace.Rest, pace.Gmail} {
		var n int
		err := s.db.QueryRow(t.Context(), `SELECT count(*) FROM deliveries WHERE state = 'claimed' AND lane = ?1`, lane).Scan(&n)
		if err != nil || n < seconds/lanes {
			t.Errorf("%s: got %d of %d, %v, want its turns", pace.LaneNames()[lane], n, seconds, err)
		}
	}
}

// TestAClaimThatRunsTwiceIsGrantedOnce: where another's statement fails, the claim that shared its commit runs again; what the
// first run was granted doesn't count as under way for ever.
func TestAClaimThatRunsTwiceIsGrantedOnce(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 9)
	s.issue(s.skin, "rest")
	w, _ := s.claims(pace.Plan{Relay: rate("1000/s"), Connections: 2})
	for i, claim := range []func(int) (*outbox.Steps, error){w.ClaimBeside, w.Claim} {
		if got := must(claim(2)).Len(); got != 2 {
			t.Errorf("claim %d: got %d, want two of the four that two connections may have", i+1, got)
		}
	}
}

// TestAClaimBesideALeaver: a mark that can't be made, since its reader left, takes back nothing of what a claim in the same commit
// was granted.
func TestAClaimBesideALeaver(t *testing.T) {
	s := newSite(t)
	readers := s.readers(s.skin, 40)
	s.issue(s.skin, "rest")
	w, _ := s.claims(pace.Plan{Relay: rate("20/h")})
	first := must(w.Claim(1))
	if err := first.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, reader := range readers {
		s.unsubscribe(reader, s.skin)
	}
	more, marked, err := w.ClaimBesideMark(19, first)
	if err != nil || marked {
		t.Fatalf("marked %v, %v, want a reader who left not to be marked", marked, err)
	}
	if got := more.Len(); got != 19 {
		t.Errorf("claimed %d, want the 19 that the hour still had", got)
	}
}

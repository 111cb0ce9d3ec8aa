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

// startAgain begins another cycle for a reader.
func (s *site) startAgain(of series.Series, reader int64) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return s.people.StartAgain(ctx, tx, reader, of.ID, subscribers.Evidence{})
	})
}

// reader are somebody's facts, as the many are read and as one is.
func (s *site) reader(of series.Series, id int64) outbox.Reader {
	s.Helper()
	one, err := outbox.ReaderOf(context.Background(), s.db, of.ID, id)
	if err != nil {
		s.Fatal(err)
	}
	many, err := outbox.Readers(context.Background(), s.db, of.ID, id-1, 1)
	if err != nil || len(many) != 1 {
		s.Fatalf("got %d readers, %v", len(many), err)
	}
	if m := many[0]; m.Cycle != one.Cycle || m.Begun != one.Begun || len(m.Had) != len(one.Had) || len(m.Before) != len(one.Before) || !m.Welcomed.Equal(one.Welcomed) {
		s.Errorf("among others: got %+v, want %+v", m, one)
	}
	return one
}

// TestRowsOfAnEarlierCycleEnd: whatever a row of an earlier cycle waits for, it never goes, and it comes to its end.
func TestRowsOfAnEarlierCycleEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *site, srv *smtptest.Server, issue int64) // the reader starts again
		after  func(s *site, issue int64)
		want   string
	}{
		{"queued", nil, nil, "2 sent, 1 skipped"},
		{
			"paused meanwhile",
			func(s *site, srv *smtptest.Server, issue int64) {
				s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Pause(ctx, tx, issue, "by hand", s.now()) })
			},
			func(s *site, issue int64) {
				s.wants(issue, "3 pending")
				s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Resume(ctx, tx, issue, s.now()) })
			},
			"2 sent, 1 skipped",
		},
		{
			"put off by the relay after its content",
			func(s *site, srv *smtptest.Server, _ int64) {
				srv.At("content " + address(1)).Reply("451 4.3.0 later").Times(1)
				s.send(srv)
			},
			func(s *site, issue int64) { s.wants(issue, "1 pending, 2 sent"); s.advance(time.Hour) },
			"2 sent, 1 skipped",
		},
		{
			"a copy may be out",
			func(s *site, srv *smtptest.Server, issue int64) {
				srv.At("content " + address(1)).Drop(false).Times(1)
				s.send(srv)
				s.tx(func(ctx context.Context, tx *store.Tx) error {
					_, err := outbox.Settle(ctx, tx, issue, "again", s.now())
					return err
				})
			},
			func(s *site, issue int64) { s.wants(issue, "1 pending, 2 sent") },
			"2 sent, 1 uncertain",
		},
		{
			"refused, and tried again",
			func(s *site, srv *smtptest.Server, issue int64) {
				srv.At("RCPT " + address(1)).Reply("550 5.7.1 blocked").Times(1)
				s.send(srv)
				s.tx(func(ctx context.Context, tx *store.Tx) error {
					_, err := outbox.Retry(ctx, tx, issue, s.now())
					return err
				})
			},
			func(s *site, issue int64) { s.wants(issue, "1 pending, 2 sent") },
			"2 sent, 1 skipped",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			ids := s.readers(s.skin, 3)
			issue := s.issue(s.skin, "rest")
			if tt.before != nil {
				tt.before(s, srv, issue.ID)
			}
			got := len(srv.Messages())
			s.startAgain(s.skin, ids[0])
			if tt.after != nil {
				tt.after(s, issue.ID)
			}
			s.send(srv)
			s.wants(issue.ID, tt.want)
			for _, m := range srv.Messages()[got:] {
				if m.To == address(1) {
					t.Error("a row of an earlier cycle was sent")
				}
			}
			s.finish()
			if got := s.state(issue.ID).State; got != series.IssueDone {
				t.Errorf("the issue is %s, want it done", got)
			}
			skips, err := outbox.CountSkips(t.Context(), s.db, issue.ID)
			if want := s.counts(issue.ID).Skipped; err != nil || skips.Again != want || skips.Plus(outbox.Skips{}) != skips {
				t.Errorf("skipped since they started again: got %+v, %v, want %d", skips, err, want)
			}
			if r := s.reader(s.skin, ids[0]); len(r.Had) != 0 || r.Begun || r.Cycle != 2 {
				t.Errorf("in the new cycle: got %+v, want nothing had", r)
			}
		})
	}
}

// announce sends an article to readers of a series.
func (s *site) announce(article series.Article, to series.Series, readers ...int64) series.Issue {
	s.Helper()
	f := s.frozen(s.skin, article)
	f.Kind = "announcement"
	issue := s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		if n, err := outbox.AddFor(ctx, tx, issue.ID, to.ID, readers, s.now()); n != int64(len(readers)) || err != nil {
			s.Errorf("announce: added %d, %v, want all of %v", n, err, readers)
		}
		return outbox.Open(ctx, tx, s.now(), issue.ID)
	})
	return issue
}

// TestAnnouncedInTwoCycles: an announcement that was marked before they started again, and whose next try comes after, is had in the cycle
// in which it comes; so is its article not sent a second time in its turn, also where its row was compacted.
func TestAnnouncedInTwoCycles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails func(srv *smtptest.Server) // at its first try
		after func(ctx context.Context, s *site, tx *store.Tx, issue int64) (int64, error)
	}{
		{"put off", func(srv *smtptest.Server) { srv.At("content " + address(1)).Reply("451 4.3.0 later").Times(1) }, nil},
		{
			"a copy may be out",
			func(srv *smtptest.Server) { srv.At("content " + address(1)).Drop(false).Times(1) },
			func(ctx context.Context, s *site, tx *store.Tx, issue int64) (int64, error) {
				return outbox.Settle(ctx, tx, issue, "again", s.now())
			},
		},
		{
			"refused for its content",
			func(srv *smtptest.Server) { srv.At("content " + address(1)).Reply("554 5.6.0 no").Times(1) },
			func(ctx context.Context, s *site, tx *store.Tx, issue int64) (int64, error) {
				return outbox.Retry(ctx, tx, issue, s.now())
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			gut := s.addSeries("gut")
			id := s.readers(s.skin, 1)[0]
			s.readers(gut, 1)
			article := s.article(s.skin, "sleep")
			tt.fails(srv)
			issue := s.announce(article, gut, id)
			s.send(srv)
			s.advance(time.Hour)
			s.startAgain(s.skin, id)
			s.advance(time.Hour)
			if tt.after != nil {
				if r := s.reader(s.skin, id); len(r.Had) != 0 || r.Begun {
					t.Errorf("ended in the cycle before: got %+v, want nothing had", r)
				}
				s.tx(func(ctx context.Context, tx *store.Tx) error {
					if n, err := tt.after(ctx, s, tx, issue.ID); n != 1 || err != nil {
						t.Errorf("once more: got %d, %v, want 1", n, err)
					}
					return nil
				})
			}
			slot := s.freeze(s.frozen(s.skin, article))
			isHad := func(when string, begun bool) {
				t.Helper()
				if r := s.reader(s.skin, id); len(r.Had) != 1 || r.Begun != begun {
					t.Errorf("%s: got %+v, want it had, and begun %v", when, r, begun)
				}
				if n, err := outbox.CountFill(t.Context(), s.db, s.skin.ID, article.ID); n != 0 || err != nil {
					t.Errorf("%s: counted %d, %v, want none", when, n, err)
				}
				if n, err := s.add(slot.ID, id); n != 0 || err != nil {
					t.Errorf("%s: added %d, %v, want none", when, n, err)
				}
			}
			isHad("waiting", false)
			s.send(srv)
			s.wants(issue.ID, "1 sent")
			isHad("sent", true)
			s.finish()
			s.advance(time.Hour)
			if s.compactAll(s.now()) != 1 {
				t.Error("not compacted")
			}
			isHad("compacted", true)
			if n, err := s.fill(slot.ID); n != 0 || err != nil {
				t.Errorf("filled %d, %v, want none", n, err)
			}
		})
	}
}

// TestAnotherSeriesArticleIsOfNoCycle: an announcement with an article of another series waits for its readers in whatever cycle, and where
// it can't go, that is no matter of cycles.
func TestAnotherSeriesArticleIsOfNoCycle(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 3)
	article := s.article(s.addSeries("gut"), "sleep")
	srv.At("RCPT " + address(1)).Reply("451 4.3.0 later").Times(1)
	srv.At("RCPT " + address(2)).Reply("451 4.3.0 later").Times(1)
	issue := s.announce(article, s.skin, ids...)
	s.send(srv)
	s.wants(issue.ID, "2 pending, 1 sent")
	s.startAgain(s.skin, ids[0])
	s.startAgain(s.skin, ids[1])
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return s.people.Pause(ctx, tx, ids[1], s.skin.ID, s.now().Add(240*time.Hour), subscribers.Evidence{})
	})
	s.advance(time.Hour)
	s.send(srv)
	s.wants(issue.ID, "2 sent, 1 skipped")
	skips, err := outbox.CountSkips(t.Context(), s.db, issue.ID)
	if want := (outbox.Skips{Paused: 1}); err != nil || skips != want {
		t.Errorf("skipped: got %+v, %v, want %+v", skips, err, want)
	}
}

// TestWhatIsOfNoCycleGoes: a correction that waits, and an announcement without an article, go to who has started again meanwhile.
func TestWhatIsOfNoCycleGoes(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 2)
	s.issue(s.skin, "rest")
	s.send(srv)
	f := s.frozen(s.skin, s.mend("rest"))
	f.Kind = "correction"
	correction := s.freeze(f)
	if n, err := s.fill(correction.ID); n != 2 || err != nil {
		t.Fatalf("fill: got %d, %v, want 2", n, err)
	}
	s.startAgain(s.skin, ids[0])
	s.send(srv)
	s.wants(correction.ID, "2 sent")
}

// TestAddNextAsksForTheCycle: what was decided for one cycle is not written into the next.
func TestAddNextAsksForTheCycle(t *testing.T) {
	s := newSite(t)
	ids := s.readers(s.skin, 2)
	s.send(smtptest.New(t))
	readers, err := outbox.Readers(t.Context(), s.db, s.skin.ID, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	s.startAgain(s.skin, ids[1])
	issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		if n, err := outbox.AddNext(ctx, tx, issue.ID, readers, s.now()); n != 1 || err != nil {
			t.Errorf("added %d, %v, want the first alone", n, err)
		}
		return nil
	})
	if after := s.state(issue.ID).FillAfter; after != ids[1] {
		t.Errorf("filled up to %d, want %d: nobody is looked at twice in a slot", after, ids[1])
	}
}

// TestReaderOfALaterCycle: what was had, or read before, is of its cycle; an announcement to another series is of the one it came in.
func TestReaderOfALaterCycle(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		s, srv := newSite(t), smtptest.New(t)
		gut := s.addSeries("gut")
		id := s.readers(s.skin, 1)[0]
		s.readers(gut, 1)
		told := func(slug string) series.Article {
			article := s.article(s.skin, slug)
			s.announce(article, gut, id)
			return article
		}
		if r := s.reader(s.skin, id); r.Begun {
			t.Error("there is something to start again before anything was had")
		}
		issue := s.issue(s.skin, "rest")
		if r := s.reader(s.skin, id); r.Begun || len(r.Had) != 1 {
			t.Errorf("what waits is had, and nothing to start again: got %+v", r)
		}
		before := told("sleep")
		s.send(srv)
		if r := s.reader(s.skin, id); !r.Begun || len(r.Had) != 2 {
			t.Errorf("sent: got %+v, want two had", r)
		}
		s.read(s.skin, []int64{id}, 4711)
		s.finish()
		s.advance(time.Hour)
		if compacted && s.compactAll(s.now()) != 2 {
			t.Error("not compacted")
		}
		waits := told("stress")
		s.startAgain(s.skin, id)
		r := s.reader(s.skin, id)
		if _, had := r.Had[waits.ID]; len(r.Had) != 1 || !had || r.Begun || len(r.Before) != 0 {
			t.Errorf("started again: got %+v, want what is still to come from the other series alone", r)
		}
		for article, want := range map[int64]int64{issue.ArticleID: 1, before.ID: 1, waits.ID: 0} {
			if n, err := outbox.CountFill(t.Context(), s.db, s.skin.ID, article); n != want || err != nil {
				t.Errorf("count of article %d: got %d, %v, want %d", article, n, err, want)
			}
		}
		f := s.frozen(s.skin, must(series.ArticleByID(t.Context(), s.db, issue.ArticleID)))
		first := s.freeze(f)
		if n, err := s.add(first.ID, id); n != 1 || err != nil {
			t.Errorf("the first article: added %d, %v, want 1", n, err)
		}
		second := s.freeze(s.frozen(s.skin, before))
		if n, err := s.fill(second.ID); n != 1 || err != nil {
			t.Errorf("what was announced in the cycle before: filled %d, %v, want 1", n, err)
		}
		third := s.freeze(s.frozen(s.skin, waits))
		if n, err := s.add(third.ID, id); n != 0 || err != nil {
			t.Errorf("what is announced in this one: added %d, %v, want none", n, err)
		}
		s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), first.ID) })
		s.send(srv)
		if r := s.reader(s.skin, id); len(r.Had) != 3 || !r.Begun {
			t.Errorf("in the second cycle: got %+v, want three had", r)
		}
	}
}

// TestNoCorrectionOfWhatWasHadAnew: who had the old text in one cycle and the mended one in the next needs none.
func TestNoCorrectionOfWhatWasHadAnew(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		s, srv := newSite(t), smtptest.New(t)
		ids := s.readers(s.skin, 2)
		s.issue(s.skin, "rest")
		s.send(srv)
		article := s.mend("rest")
		s.startAgain(s.skin, ids[0])
		anew := s.freeze(s.frozen(s.skin, article))
		if n, err := s.fill(anew.ID); n != 1 || err != nil {
			t.Fatalf("fill: got %d, %v, want 1", n, err)
		}
		s.send(srv)
		s.finish()
		if compacted && s.compactAll(s.now().Add(time.Hour)) != 3 {
			t.Error("not compacted")
		}
		if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision); n != 1 || err != nil {
			t.Errorf("count: got %d, %v, want the other alone", n, err)
		}
		f := s.frozen(s.skin, article)
		f.Kind = "correction"
		correction := s.freeze(f)
		if n, err := s.fill(correction.ID); n != 1 || err != nil {
			t.Errorf("fill: got %d, %v, want the other alone", n, err)
		}
	}
}

// TestCorrectionBesideADoomedRow: a row with the mended text that waits, but can only be skipped since they started again, takes nobody's
// correction away; one that will go does.
func TestCorrectionBesideADoomedRow(t *testing.T) {
	for _, again := range []bool{true, false} {
		s, srv := newSite(t), smtptest.New(t)
		id := s.readers(s.skin, 1)[0]
		s.issue(s.skin, "rest")
		s.send(srv)
		s.startAgain(s.skin, id)
		article := s.mend("rest")
		slot := s.freeze(s.frozen(s.skin, article))
		if n, err := s.fill(slot.ID); n != 1 || err != nil {
			t.Fatalf("fill: got %d, %v, want 1", n, err)
		}
		srv.At("content " + address(1)).Reply("451 4.3.0 later").Times(1)
		s.send(srv)
		s.wants(slot.ID, "1 pending")
		want := int64(0)
		if again {
			s.startAgain(s.skin, id)
			want = 1
		}
		correct := func(what string, want int64) {
			t.Helper()
			if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision); n != want || err != nil {
				t.Errorf("%s: counted %d, %v, want %d", what, n, err, want)
			}
			f := s.frozen(s.skin, article)
			f.Kind = "correction"
			if n, err := s.fill(s.freeze(f).ID); n != want || err != nil {
				t.Errorf("%s: filled %d, %v, want %d", what, n, err, want)
			}
		}
		correct("a first correction", want)
		if again {
			s.startAgain(s.skin, id)
		}
		correct("a second one, while the first waits", 0)
	}
}

// TestSettleLeavesOutWhoStartedAgain: what can't go any more is not sent round again, and counted; by "sent" it ends.
func TestSettleLeavesOutWhoStartedAgain(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 2)
	issue := s.issue(s.skin, "rest")
	srv.At("content " + address(1)).Drop(false).Times(1)
	srv.At("content " + address(2)).Drop(false).Times(1)
	s.send(srv)
	s.wants(issue.ID, "2 uncertain")
	s.startAgain(s.skin, ids[0])
	for _, want := range []struct {
		as        string
		settled   int64
		left      int64
		delivered string
	}{{"again", 1, 1, "1 sent, 1 uncertain"}, {"again", 0, 1, "1 sent, 1 uncertain"}, {"sent", 1, 0, "2 sent"}} {
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			if n, err := outbox.Settle(ctx, tx, issue.ID, want.as, s.now()); n != want.settled || err != nil {
				t.Errorf("as %s: got %d, %v, want %d", want.as, n, err, want.settled)
			}
			return nil
		})
		if n, err := outbox.CountOver(t.Context(), s.db, issue.ID); n != want.left || err != nil {
			t.Errorf("as %s: left %d, %v, want %d", want.as, n, err, want.left)
		}
		s.send(srv)
		s.wants(issue.ID, want.delivered)
	}
}

// TestRetryKnowsCycles: what failed in an earlier cycle stays failed, and what came by another series' announcement in one keeps nothing
// from the cycle after.
func TestRetryKnowsCycles(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		s, srv := newSite(t), smtptest.New(t)
		gut := s.addSeries("gut")
		ids := s.readers(s.skin, 3)
		s.readers(gut, 3)
		article := s.article(s.skin, "rest")
		s.announce(article, gut, ids[0])
		s.send(srv)
		s.finish()
		s.advance(time.Hour)
		if compacted && s.compactAll(s.now()) != 1 {
			t.Error("not compacted")
		}
		s.startAgain(s.skin, ids[0])
		issue := s.freeze(s.frozen(s.skin, article))
		if n, err := s.fill(issue.ID); n != 3 || err != nil {
			t.Fatalf("fill: got %d, %v, want 3", n, err)
		}
		for i := range 3 {
			srv.At("content " + address(i+1)).Reply("554 5.6.0 no").Times(1)
		}
		s.send(srv)
		s.wants(issue.ID, "3 failed")
		s.startAgain(s.skin, ids[1])
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			if n, err := outbox.Retry(ctx, tx, issue.ID, s.now()); n != 2 || err != nil {
				t.Errorf("got %d, %v, want 2: not the one of the earlier cycle", n, err)
			}
			return nil
		})
		s.send(srv)
		s.wants(issue.ID, "2 sent, 1 failed")
	}
}

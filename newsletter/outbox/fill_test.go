package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

func (s *site) fill(issue int64) (int64, error) {
	return outbox.FillLive(context.Background(), s.db, issue, s.now)
}

func (s *site) add(issue int64, readers ...int64) (n int64, err error) {
	err = s.db.InTx(context.Background(), func(tx *store.Tx) error {
		n, err = outbox.Add(context.Background(), tx, issue, readers, s.now())
		return err
	})
	return n, err
}

func (s *site) exec(query string, args ...any) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error { _, err := tx.Exec(ctx, query, args...); return err })
}

// read has people of the series have had articles before they came to us.
func (s *site) read(of series.Series, readers []int64, articles ...int64) {
	s.Helper()
	list, err := json.Marshal(articles)
	if err != nil {
		s.Fatal(err)
	}
	s.exec(`INSERT INTO readings (series_id, articles, created) VALUES (?1, ?2, 0)`, of.ID, string(list))
	for _, id := range readers {
		s.exec(`UPDATE enrolments SET reading_id = (SELECT max(id) FROM readings) WHERE subscriber_id = ?1 AND series_id = ?2`, id, of.ID)
	}
}

func TestFillLeavesOut(t *testing.T) {
	s := newSite(t)
	ids := s.readers(s.skin, 12)
	article := s.article(s.skin, "rest")
	before := s.freeze(s.frozen(s.skin, article))
	if n, err := s.add(before.ID, ids[0], ids[1]); n != 2 || err != nil {
		t.Fatalf("add: got %d, %v, want 2", n, err)
	}
	s.unsubscribe(ids[2], s.skin)
	s.suppress(address(4), "bounce")
	s.read(s.skin, ids[4:6], article.ID, 999)
	s.read(s.skin, ids[6:8], 10*article.ID+1, 999) // not this one, though its number is in theirs
	f := s.frozen(s.skin, article)
	f.Kind = "now"
	issue := s.freeze(f)
	want, err := outbox.CountFill(t.Context(), s.db, s.skin.ID, article.ID)
	if err != nil || want != 6 {
		t.Errorf("count: got %d, %v, want 6", want, err)
	}
	if got, err := s.fill(issue.ID); got != 6 || err != nil {
		t.Errorf("fill: got %d, %v, want 6", got, err)
	}
	s.wants(issue.ID, "6 pending")
	if got := s.state(issue.ID); got.State != series.IssueSending || got.SendingSince.IsZero() {
		t.Errorf("got state %s, want sending", got.State)
	}
}

// TestFillGoesOnAfterACrash stops a fill in the middle; the next call writes the others and nobody twice.
func TestFillGoesOnAfterACrash(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 3000)
	issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
	ctx, crash := context.WithCancel(t.Context())
	calls := 0
	_, err := outbox.FillLive(ctx, s.db, issue.ID, func() time.Time {
		if calls++; calls == 3 {
			crash()
		}
		return s.now()
	})
	if err == nil {
		t.Fatal("got no error from a fill that was stopped")
	}
	half := s.counts(issue.ID)
	if half.Total() == 0 || half.Total() == 3000 || s.state(issue.ID).State != series.IssueFilling {
		t.Fatalf("got %d rows, issue %s, want some of 3000 and filling", half.Total(), s.state(issue.ID).State)
	}
	srv := smtptest.New(t)
	s.send(srv)
	if n := len(srv.Messages()); n != 0 {
		t.Errorf("got %d messages of an issue that is filling, want none", n)
	}
	if n, err := s.fill(issue.ID); n != 3000 || err != nil {
		t.Errorf("got %d, %v, want 3000", n, err)
	}
	s.wants(issue.ID, "3000 pending")
	if n, err := s.fill(issue.ID); n != 3000 || err != nil {
		t.Errorf("a second fill: got %d, %v, want 3000 and nothing done", n, err)
	}
	checkInvariants(t, s.db, nil, 0)
}

// TestTwoFillOneIssue has a second process fill between the chunks of the first, as serve does beside a command: both end
// well, and with the same rows.
func TestTwoFillOneIssue(t *testing.T) {
	s := newSite(t)
	s.readers(s.skin, 3000)
	issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
	begun := make(chan bool)
	other := make(chan error)
	go func() {
		<-begun
		_, err := s.fill(issue.ID)
		other <- err
	}()
	calls := 0
	n, err := outbox.FillLive(t.Context(), s.db, issue.ID, func() time.Time {
		if calls++; calls == 2 {
			close(begun) // it waits for the transaction that is open here
		}
		return s.now()
	})
	if failed := <-other; n != 3000 || err != nil || failed != nil {
		t.Errorf("got %d, %v and %v, want 3000 and no error of either", n, err, failed)
	}
	s.wants(issue.ID, "3000 pending")
	checkInvariants(t, s.db, nil, 0)
}

func TestOpenChecksAgain(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(s *site, a series.Article) func(context.Context, *store.Tx) error
		want      series.IssueState
		rows      string
	}{
		{"nothing changed", func(*site, series.Article) func(context.Context, *store.Tx) error {
			return func(context.Context, *store.Tx) error { return nil }
		}, series.IssueSending, "2 pending"},
		{"article edited", func(s *site, a series.Article) func(context.Context, *store.Tx) error {
			return func(ctx context.Context, tx *store.Tx) error {
				in := []series.Incoming{{Slug: a.Slug, Text: series.Text{Title: a.Title, Markdown: "Other words."}}}
				_, err := series.ImportArticles(ctx, tx, a.SeriesID, in, series.ImportOptions{}, s.now())
				return err
			}
		}, series.IssueHeld, "2 pending"},
		{"disclaimer changed", func(s *site, a series.Article) func(context.Context, *store.Tx) error {
			return func(ctx context.Context, tx *store.Tx) error {
				_, err := series.Set(ctx, tx, "skin", series.Change{Disclaimer: ptr("Ask somebody who knows.")}, s.now())
				return err
			}
		}, series.IssueHeld, "2 pending"},
		{"article withdrawn", func(s *site, a series.Article) func(context.Context, *store.Tx) error {
			return func(ctx context.Context, tx *store.Tx) error { return series.Withdraw(ctx, tx, a.ID, s.now()) }
		}, series.IssueCancelled, "2 skipped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			ids := s.readers(s.skin, 2)
			article := s.article(s.skin, "rest")
			issue := s.freeze(s.frozen(s.skin, article))
			if _, err := s.add(issue.ID, ids...); err != nil {
				t.Fatal(err)
			}
			s.tx(tt.meanwhile(s, article))
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), issue.ID) })
			got := s.state(issue.ID)
			if got.State != tt.want || (got.Reason == "") != (tt.want == series.IssueSending) {
				t.Errorf("got issue %s, %q, want %s with its reason", got.State, got.Reason, tt.want)
			}
			s.wants(issue.ID, tt.rows)
			checkInvariants(t, s.db, nil, 0)
		})
	}
}

func TestIssueWithoutReadersIsDone(t *testing.T) {
	s := newSite(t)
	issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
	if n, err := s.fill(issue.ID); n != 0 || err != nil {
		t.Errorf("got %d, %v, want 0", n, err)
	}
	if got := s.state(issue.ID); got.State != series.IssueDone || got.Reached {
		t.Errorf("got %s, reached %v, want done and reached nobody", got.State, got.Reached)
	}
}

func TestIssueWithoutUnsubscribeLinkIsNotSent(t *testing.T) {
	for _, part := range []string{"HTML", "text"} {
		s := newSite(t)
		ids := s.readers(s.skin, 2)
		f := s.frozen(s.skin, s.article(s.skin, "rest"))
		where := map[string]*string{"HTML": &f.HTML, "text": &f.Text}[part]
		*where = strings.ReplaceAll(*where, outbox.UnsubscribeHole, "https://news.example.org/")
		issue := s.freeze(f)
		if _, err := s.fill(issue.ID); !errors.Is(err, outbox.ErrHole) || !strings.Contains(err.Error(), part) {
			t.Errorf("fill: got %v, want ErrHole in %s", err, part)
		}
		if _, err := s.add(issue.ID, ids...); !errors.Is(err, outbox.ErrHole) {
			t.Errorf("add: got %v, want ErrHole", err)
		}
		s.wants(issue.ID, "")
	}
}

// TestHoldAndRelease holds an issue that is half filled, and releases it to be filled to its end.
func TestHoldAndRelease(t *testing.T) {
	s := newSite(t)
	ids := s.readers(s.skin, 3)
	issue := s.freeze(s.frozen(s.skin, s.article(s.skin, "rest")))
	if _, err := s.add(issue.ID, ids[0]); err != nil {
		t.Fatal(err)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return outbox.Hold(ctx, tx, issue.ID, "look again", s.now())
	})
	if _, err := s.fill(issue.ID); !errors.Is(err, series.ErrState) {
		t.Errorf("fill of a held issue: got %v, want ErrState", err)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Release(ctx, tx, issue.ID, s.now()) })
	if got := s.state(issue.ID).State; got != series.IssuePlanned {
		t.Errorf("got %s, want planned", got)
	}
	if n, err := s.fill(issue.ID); n != 3 || err != nil {
		t.Errorf("got %d, %v, want 3", n, err)
	}
	err := s.db.InTx(t.Context(), func(tx *store.Tx) error { return outbox.Release(t.Context(), tx, issue.ID, s.now()) })
	if !errors.Is(err, series.ErrState) {
		t.Errorf("release of an issue that sends: got %v, want ErrState", err)
	}
}

func TestWelcomesAreAddedSingly(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 3)
	f := s.frozen(s.skin, s.article(s.skin, "rest"))
	f.Kind = "welcome"
	issue := s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), issue.ID) })
	for i, id := range ids[:2] {
		if n, err := s.add(issue.ID, id); n != 1 || err != nil {
			t.Errorf("add: got %d, %v, want 1", n, err)
		}
		if n, err := s.add(issue.ID, id); n != 0 || err != nil {
			t.Errorf("add again: got %d, %v, want 0", n, err)
		}
		s.send(srv)
		s.finish()
		if got := s.state(issue.ID).State; got != series.IssueSending {
			t.Errorf("after %d: got %s, want it open for the next", i+1, got)
		}
	}
	s.wants(issue.ID, "2 sent")
	slot := s.freeze(s.frozen(s.skin, s.article(s.skin, "other")))
	if _, err := s.fill(slot.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.add(slot.ID, ids[2]); !errors.Is(err, series.ErrState) {
		t.Errorf("add to a slot's issue after its fill: got %v, want ErrState", err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestAnnouncement goes to the readers of two series, once to who reads both, and each may leave the series they got it by.
func TestAnnouncement(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	gut := s.addSeries("gut")
	skinReaders, gutReaders := s.readers(s.skin, 3), s.readers(gut, 5)
	f := s.frozen(s.skin, series.Article{})
	f.Kind, f.Subject, f.Article = "announcement", "We move", series.Article{}
	issue := s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		one, err := outbox.AddFor(ctx, tx, issue.ID, s.skin.ID, skinReaders, s.now())
		if err != nil {
			return err
		}
		two, err := outbox.AddFor(ctx, tx, issue.ID, gut.ID, gutReaders, s.now())
		if one != 3 || two != 2 {
			t.Errorf("got %d and %d rows, want 3 and 2", one, two)
		}
		if err == nil {
			err = outbox.Open(ctx, tx, s.now(), issue.ID)
		}
		return err
	})
	s.unsubscribe(skinReaders[0], s.skin) // reads gut still, but got it as a reader of skin
	s.send(srv)
	s.wants(issue.ID, "4 sent, 1 skipped")
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestAnnouncedToAnotherSeries: a row of another series' reader counts as had in the article's own, by whatever way it is looked at.
func TestAnnouncedToAnotherSeries(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		s, srv := newSite(t), smtptest.New(t)
		gut := s.addSeries("gut")
		both := s.readers(s.skin, 3)[:2] // the third reads skin alone
		s.readers(gut, 2)
		article := s.article(s.skin, "rest")
		f := s.frozen(s.skin, article)
		f.Kind = "announcement"
		told := s.freeze(f)
		s.tx(func(ctx context.Context, tx *store.Tx) error {
			if n, err := outbox.AddFor(ctx, tx, told.ID, gut.ID, both, s.now()); err != nil || n != 2 {
				t.Errorf("announce: got %d, %v, want 2", n, err)
			}
			return outbox.Open(ctx, tx, s.now(), told.ID)
		})
		s.send(srv)
		s.exec(`UPDATE enrolments SET cycle = 2, cycle_since = 1 WHERE series_id = ?1`, gut.ID) // that one's, not skin's
		if compacted {
			s.finish()
			s.advance(time.Hour)
			if moved := s.compactAll(s.now()); moved != 2 {
				t.Fatalf("got %d rows compacted, want 2", moved)
			}
		}
		if had, err := outbox.HadBy(t.Context(), s.db, s.skin.ID, article.ID, both[0], both[1]+1); err != nil || len(had) != 2 {
			t.Errorf("had by: got %v, %v, want two", had, err)
		}
		if r, err := outbox.ReaderOf(t.Context(), s.db, s.skin.ID, both[0]); err != nil || r.Had[article.ID].IsZero() {
			t.Errorf("reader: got %+v, %v, want the article had", r, err)
		}
		if n, err := outbox.CountFill(t.Context(), s.db, s.skin.ID, article.ID); n != 1 || err != nil {
			t.Errorf("count: got %d, %v, want the third alone", n, err)
		}
		f.Kind = "welcome"
		hello := s.freeze(f)
		if n, err := s.add(hello.ID, both...); n != 0 || err != nil {
			t.Errorf("welcome: got %d, %v, want nobody", n, err)
		}
		f.Kind = "slot"
		if n, err := s.fill(s.freeze(f).ID); n != 1 || err != nil {
			t.Errorf("fill: got %d, %v, want the third alone", n, err)
		}
	}
}

// mend writes an article anew: its next revision.
func (s *site) mend(slug string) (mended series.Article) {
	s.Helper()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		in := []series.Incoming{{Slug: slug, Text: series.Text{Title: "About " + slug, Markdown: "Better words."}}}
		all, err := series.ImportArticles(ctx, tx, s.skin.ID, in, series.ImportOptions{}, s.now())
		if err == nil {
			mended = all[0].Article
		}
		return err
	})
	return mended
}

func TestCorrectionGoesToWhoHadLess(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 4)
	issue := s.issue(s.skin, "rest")
	srv.At("RCPT " + address(1)).Reply("552 5.2.2 full")
	s.send(srv)
	s.readers(s.skin, 6) // two more, who had nothing
	article := s.mend("rest")
	if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision); n != 3 || err != nil {
		t.Errorf("count: got %d, %v, want 3", n, err)
	}
	f := s.frozen(s.skin, article)
	f.Kind = "correction"
	correction := s.freeze(f)
	if n, err := s.fill(correction.ID); n != 3 || err != nil {
		t.Errorf("fill: got %d, %v, want 3", n, err)
	}
	s.send(srv)
	s.wants(issue.ID, "3 sent, 1 failed")
	s.wants(correction.ID, "3 sent")
	if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision); n != 0 || err != nil {
		t.Errorf("count once more: got %d, %v, want nobody", n, err)
	}
	again := s.frozen(s.skin, article)
	again.Kind = "correction"
	if n, err := s.fill(s.freeze(again).ID); n != 0 || err != nil {
		t.Errorf("the same correction once more: got %d, %v, want nobody", n, err)
	}
	if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision+1); n != 3 || err != nil {
		t.Errorf("a correction of the correction: got %d, %v, want 3", n, err)
	}
	checkInvariants(t, s.db, taken(srv), 0)
}

// TestCorrectionOfAnotherCycle: for whom the old text was refused before they began again, the article is as for somebody new; who read
// it then has read it.
func TestCorrectionOfAnotherCycle(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		t.Run(fmt.Sprint("compacted ", compacted), func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			ids := s.readers(s.skin, 4)
			for i := range 3 {
				srv.At("content " + address(i+1)).Reply("554 5.7.1 looks like spam").Times(1)
			}
			old := s.issue(s.skin, "rest")
			s.send(srv)
			s.wants(old.ID, "1 sent, 3 failed")
			article := s.mend("rest")
			for _, again := range []int{0, 1, 3} {
				s.exec(`UPDATE enrolments SET cycle = 2, cycle_since = 1 WHERE subscriber_id = ?1`, ids[again])
			}
			f := s.frozen(s.skin, article)
			f.Kind = "welcome"
			hello := s.freeze(f)
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), hello.ID) })
			if n, err := s.add(hello.ID, ids[0]); n != 1 || err != nil {
				t.Fatalf("welcome: got %d, %v, want one", n, err)
			}
			s.send(srv)
			s.finish()
			if compacted {
				if n := s.compactAll(s.now().Add(time.Hour)); n != 5 {
					t.Fatalf("got %d compacted, want 5", n)
				}
			}
			if n, err := outbox.CountCorrection(t.Context(), s.db, article.ID, article.Revision); n != 2 || err != nil {
				t.Errorf("count: got %d, %v, want 2", n, err)
			}
			f.Kind = "correction"
			correction := s.freeze(f)
			if n, err := s.fill(correction.ID); n != 2 || err != nil {
				t.Errorf("fill: got %d, %v, want 2", n, err)
			}
			var to []int64
			err := outbox.Recipients(t.Context(), s.db, correction.ID, func(id int64) { to = append(to, id) })
			slices.Sort(to)
			if err != nil || !slices.Equal(to, ids[2:]) {
				t.Errorf("got a correction to %d, %v, want it to %d", to, err, ids[2:])
			}
		})
	}
}

func TestReaders(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	ids := s.readers(s.skin, 5)
	first := s.article(s.skin, "first")
	f := s.frozen(s.skin, first)
	f.Kind = "welcome"
	hello := s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), hello.ID) })
	if _, err := s.add(hello.ID, ids[1]); err != nil {
		t.Fatal(err)
	}
	s.send(srv)
	srv.At("RCPT " + address(4)).Reply("552 5.2.2 full")
	issue := s.issue(s.skin, "second")
	s.send(srv)
	s.read(s.skin, ids[4:5], first.ID)
	s.unsubscribe(ids[2], s.skin)
	s.exec(`UPDATE enrolments SET cycle = 2, cycle_since = 1 WHERE subscriber_id = ?1`, ids[0])

	all, err := outbox.Readers(t.Context(), s.db, s.skin.ID, 0, 10)
	if err != nil || len(all) != 4 {
		t.Fatalf("got %d readers, %v, want 4", len(all), err)
	}
	for i, tt := range []struct {
		id       int64
		had      int
		before   bool
		welcomed bool
	}{
		{ids[0], 0, false, false}, // begins again
		{ids[1], 2, false, true},
		{ids[3], 0, false, false}, // refused: not had
		{ids[4], 1, true, false},
	} {
		r := all[i]
		if r.SubscriberID != tt.id || len(r.Had) != tt.had || r.Before[first.ID] != tt.before || r.Welcomed.IsZero() == tt.welcomed {
			t.Errorf("got %+v, want %+v", r, tt)
		}
		one, err := outbox.ReaderOf(t.Context(), s.db, s.skin.ID, tt.id)
		if err != nil || len(one.Had) != tt.had || one.Before[first.ID] != tt.before || !one.Welcomed.Equal(r.Welcomed) {
			t.Errorf("one: got %+v, %v, want %+v", one, err, tt)
		}
	}
	if when := all[1].Had[issue.ArticleID]; when.IsZero() || when.After(s.now()) {
		t.Errorf("got had at %v, want when it was sent", when)
	}
	page, err := outbox.Readers(t.Context(), s.db, s.skin.ID, ids[0], 2)
	if err != nil || len(page) != 2 || page[0].SubscriberID != ids[1] {
		t.Errorf("a page: got %+v, %v, want two from the second", page, err)
	}
	if r, err := outbox.ReaderOf(t.Context(), s.db, s.skin.ID, ids[2]); err != nil || len(r.Had) != 1 {
		t.Errorf("somebody who left: got %+v, %v, want their facts", r, err)
	}
	if _, err := outbox.ReaderOf(t.Context(), s.db, s.skin.ID, 999); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a stranger: got %v, want ErrNotFound", err)
	}
}

// TestRetrySkipsWhoHadItSince: a failed row is not sent again to somebody who got the article through another issue.
// TestOldAnnouncementsKeepTheTurn: what counted as its article's issue before an upgrade does so after it.
func TestOldAnnouncementsKeepTheTurn(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate, series.Migrate, func(ctx context.Context, db *store.DB) error {
		return store.Migrate(ctx, db, "outbox", before(t, "0010"))
	})
	s := siteOn(t, db, newKey())
	gut := s.addSeries("gut")
	s.readers(s.skin, 2)
	s.readers(gut, 2)
	own, other, slot := s.issue(s.skin, "one"), s.issue(s.skin, "two"), s.issue(s.skin, "three")
	s.exec(`UPDATE issues SET kind = 'announcement' WHERE id <> ` + fmt.Sprint(slot.ID))
	s.exec(`UPDATE deliveries SET series_id = ` + fmt.Sprint(gut.ID) + ` WHERE issue_id = ` + fmt.Sprint(other.ID))
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if n := s.countOf(`SELECT id FROM issues WHERE everybody = 1`); n != own.ID {
		t.Errorf("issue %d counts as announced to everybody, want %d", n, own.ID)
	}
}

// TestRetryAfterRefusedContent: once the relay is mended, those whose content it refused get it too.
func TestRetryAfterRefusedContent(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 20)
	issue := s.issue(s.skin, "rest")
	srv.At("content").Reply("554 5.7.1 looks like spam").Times(5)
	s.send(srv)
	s.wants(issue.ID, "15 pending, 5 failed")
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		n, err := outbox.Retry(ctx, tx, issue.ID, s.now())
		if n != 5 {
			t.Errorf("got %d retried, want 5", n)
		}
		return err
	})
	s.send(srv)
	s.wants(issue.ID, "20 sent")
	checkInvariants(t, s.db, taken(srv), 0)
}

func TestRetrySkipsWhoHadItSince(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		t.Run(fmt.Sprint("compacted ", compacted), func(t *testing.T) {
			s, srv := newSite(t), smtptest.New(t)
			ids := s.readers(s.skin, 2)
			srv.At("RCPT").Reply("550 5.7.1 blocked").Times(2)
			one := s.issue(s.skin, "rest")
			s.send(srv)
			s.wants(one.ID, "2 failed")
			f := s.frozen(s.skin, must(series.ArticleBySlug(t.Context(), s.db, "rest")))
			f.Kind = "now"
			two := s.freeze(f)
			if _, err := s.add(two.ID, ids[0]); err != nil {
				t.Fatal(err)
			}
			s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Open(ctx, tx, s.now(), two.ID) })
			if compacted {
				s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.Pause(ctx, tx, one.ID, "", s.now()) })
				s.send(srv)
				s.finish()
				if s.compactAll(s.now().Add(time.Hour)) != 1 {
					t.Error("what the other issue sent was not compacted")
				}
			}
			s.tx(func(ctx context.Context, tx *store.Tx) error {
				n, err := outbox.Retry(ctx, tx, one.ID, s.now())
				if n != 1 {
					t.Errorf("got %d retried, want 1", n)
				}
				if err == nil && compacted {
					err = outbox.Resume(ctx, tx, one.ID, s.now())
				}
				return err
			})
			s.send(srv)
			s.wants(one.ID, "1 sent, 1 failed")
			s.wants(two.ID, "1 sent")
			if n := len(srv.Messages()); n != 2 {
				t.Errorf("got %d messages, want one to each", n)
			}
		})
	}
}

// TestRetrySkipsWhoHadItAnnounced: the same where the other issue was announced to another series.
func TestRetrySkipsWhoHadItAnnounced(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	gut := s.addSeries("gut")
	ids := s.readers(s.skin, 2)
	s.readers(gut, 1)
	srv.At("RCPT").Reply("550 5.7.1 blocked").Times(2)
	one := s.issue(s.skin, "rest")
	s.send(srv)
	f := s.frozen(s.skin, must(series.ArticleBySlug(t.Context(), s.db, "rest")))
	f.Kind = "announcement"
	told := s.freeze(f)
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		if _, err := outbox.AddFor(ctx, tx, told.ID, gut.ID, ids[:1], s.now()); err != nil {
			return err
		}
		if err := outbox.Open(ctx, tx, s.now(), told.ID); err != nil {
			return err
		}
		if n, err := outbox.Retry(ctx, tx, one.ID, s.now()); n != 1 || err != nil {
			t.Errorf("got %d retried, %v, want 1", n, err)
		}
		return nil
	})
	s.send(srv)
	s.wants(one.ID, "1 sent, 1 failed")
	s.wants(told.ID, "1 sent")
}

func TestSettleRefusesOtherWords(t *testing.T) {
	s := newStage(t)
	for _, tt := range []struct {
		as   string
		want error
	}{{"perhaps", series.ErrInvalid}, {"sent", nil}, {"again", nil}} {
		err := s.db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := outbox.Settle(t.Context(), tx, s.issue.ID, tt.as, s.now())
			return err
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.as, err, tt.want)
		}
	}
	s.tx(s.cancel)
	for name, f := range map[string]func(context.Context, *store.Tx) error{
		"again": func(ctx context.Context, tx *store.Tx) error {
			_, err := outbox.Settle(ctx, tx, s.issue.ID, "again", s.now())
			return err
		},
		"retry": func(ctx context.Context, tx *store.Tx) error {
			_, err := outbox.Retry(ctx, tx, s.issue.ID, s.now())
			return err
		},
	} {
		if err := s.db.InTx(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) }); !errors.Is(err, series.ErrState) {
			t.Errorf("%s of a cancelled issue: got %v, want ErrState", name, err)
		}
	}
}

// TestWithdrawnGoesToNobodyElse: what was over of an issue when its article was withdrawn stays over.
func TestWithdrawnGoesToNobodyElse(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.readers(s.skin, 2)
	issue := s.issue(s.skin, "rest")
	srv.At("content " + address(1)).Drop(false)
	srv.At("RCPT " + address(2)).Reply("550 5.7.1 blocked")
	s.send(srv)
	s.finish()
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		return series.Withdraw(ctx, tx, issue.ArticleID, s.now())
	})
	for name, f := range map[string]func(context.Context, *store.Tx) (int64, error){
		"again": func(ctx context.Context, tx *store.Tx) (int64, error) {
			return outbox.Settle(ctx, tx, issue.ID, "again", s.now())
		},
		"retry": func(ctx context.Context, tx *store.Tx) (int64, error) {
			return outbox.Retry(ctx, tx, issue.ID, s.now())
		},
	} {
		err := s.db.InTx(t.Context(), func(tx *store.Tx) error { _, err := f(t.Context(), tx); return err })
		if !errors.Is(err, series.ErrState) || !strings.Contains(err.Error(), "rest is withdrawn") {
			t.Errorf("%s: got %v, want ErrState and why", name, err)
		}
	}
	s.wants(issue.ID, "1 failed, 1 uncertain")
	if got := s.state(issue.ID).State; got != series.IssueDone {
		t.Errorf("got an issue that is %s, want it done", got)
	}
}

func TestCountPending(t *testing.T) {
	s := newStage(t)
	if n, next, err := outbox.CountPending(t.Context(), s.db); n != 1 || next.IsZero() || err != nil {
		t.Errorf("got %d, %v, %v, want 1 and when", n, next, err)
	}
	s.enqueue(s.notice("login", "a"))
	s.tx(s.pause)
	if n, _, err := outbox.CountPending(t.Context(), s.db); n != 1 || err != nil {
		t.Errorf("paused: got %d, %v, want the notice alone", n, err)
	}
}

// TestChunksFollowTheirTime takes the size of a chunk from the last one's time: 25 ms each, whatever the disk.
func TestChunksFollowTheirTime(t *testing.T) {
	for _, tt := range []struct {
		name       string
		size, want int64
		took       time.Duration
	}{
		{"fits", 3000, 3000, 25 * time.Millisecond},
		{"too long", 3000, 1500, 50 * time.Millisecond},
		{"it had to wait", 8000, 4000, 500 * time.Millisecond},
		{"a commit alone takes longer", 100, 100, time.Second},
		{"a little short", 2000, 2250, 20 * time.Millisecond},
		{"short", 500, 1000, 2 * time.Millisecond},
		{"no time at all", 500, 1000, 0},
		{"short, and large already", 9000, 10_000, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outbox.NextChunk(tt.size, tt.took); got != tt.want {
				t.Errorf("got %d people after %d in %s, want %d", got, tt.size, tt.took, tt.want)
			}
		})
	}
}

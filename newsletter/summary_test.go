package newsletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// summaries are the subjects of the summaries that the editors got.
func (w *world) summaries() []string {
	w.t.Helper()
	return slices.DeleteFunc(w.notices("editors"), func(subject string) bool { return !strings.HasPrefix(subject, "A day later: ") })
}

const day = 24 * time.Hour

// TestRule20Summary: what became of each letter, who left, and what goes next, once, and not before a day has passed.
func TestRule20Summary(t *testing.T) {
	server := smtptest.New(t)
	server.At("RCPT dead@reader.example").Reply("550 5.1.1 no such user")
	server.At("RCPT full@reader.example").Reply("552 5.2.2 over quota")
	server.At("RCPT block@reader.example").Reply("550 5.7.1 we don't want it")
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "ben", "cyd", "dead", "full", "block", "gone", "away", "bad")
	w.run(monday)
	w.run(tuesday(1))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "gone"), false, evidence()))
	w.tx("pause", func(tx *store.Tx) error {
		return w.people.Pause(w.ctx, tx, w.person("away").ID, s.ID, tuesday(9), evidence())
	})
	w.tx("suppress", func(tx *store.Tx) error {
		return w.people.Suppress(w.ctx, tx, "bad@reader.example", 0, "bounce", "it came back")
	})
	worker := w.start(smtp(server))
	w.check("drain", worker.Drain(w.ctx))
	w.check("close", worker.Close())
	w.clock.set(tuesday(1).Add(2 * time.Hour))
	w.check("finish", w.p.Finish(w.ctx))
	w.check("unsubscribe", w.p.Unsubscribe(w.ctx, w.link(s, "ben"), false, evidence()))

	w.run(tuesday(1).Add(day - time.Second))
	equal(t, "before a day has passed", w.summaries(), []string{})
	for _, after := range []time.Duration{0, time.Minute, 3 * day} {
		w.run(tuesday(1).Add(day + after))
		equal(t, "after a day", w.summaries(), []string{"A day later: “About one”"})
	}
	w.p = w.publisher(w.cfg)
	w.run(tuesday(1).Add(4 * day))
	equal(t, "after a restart", w.summaries(), []string{"A day later: “About one”"})
	contains(t, "summary", w.noticeTextOf("A day later: “About one”"),
		"skin/2027-03-02T09:00 went out from Tuesday 2 March 2027 at 09:00 until Tuesday 2 March 2027 at 11:00.",
		"Sent: 3 of 9.",
		"Refused, or given up: 3. By reason:", "1: the address or its domain does not exist.", "1: the mailbox is full", "1: the receiving side refuses our mail.",
		"pressrun issue retry skin/2027-03-02T09:00",
		"Skipped: 1, who left before", "Skipped: 1, whose address had bounced", "Skipped: 1, who took a break",
		"Of those who got it 1 has left the series since.",
		"Next, on Tuesday 9 March 2027 at 09:00: “About two”, to",
		"/desk/issue/skin/2027-03-02T09:00")
}

// TestRule20SummaryOfADripSlot is one, whatever the number of its articles.
func TestRule20SummaryOfADripSlot(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "a", "b", "c", "d", "e", "f", "g", "h")
	w.run(monday)
	for n := 1; n <= 7; n++ {
		w.enrol(s, strings.Repeat("x", n))
		w.run(tuesday(n))
	}
	w.deliver(&moody{loses: "x@reader.example"})
	before := len(w.summaries())
	w.run(tuesday(7).Add(day))
	got := w.summaries()[before:]
	equal(t, "summaries", got, []string{"A day later: The skin letters, Tuesday 13 April 2027 at 09:00"})
	contains(t, "summary", w.noticeTextOf(got[0]), "Each reader got their next article, 7 articles in all:", "“About a” (1)", "and 2 more.",
		"Sent: 6 of 7.", "Uncertain: 1.", "pressrun issue settle skin/2027-04-13T09:00 --as sent",
		"Next, on Tuesday 20 April 2027 at 09:00: to 7 readers their next of 7 articles", "/desk/series/skin")
}

// TestRule20SummaryOfWhatGoesByHand: of an announcement, a correction and an issue sent by hand there is one each, of a welcome none.
func TestRule20SummaryOfWhatGoesByHand(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode, Welcome: ptr("first")})
			w.articles(s, "one", "two", "three")
			w.enrol(s, "ada")
			w.run(monday)
			sent, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
			w.check("send", err)
			w.deliver(&moody{})
			_, _, err = w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "three"}, false)
			w.check("announce", err)
			w.importArticles(s, series.Incoming{Slug: "one", Text: series.Text{Title: "About one", Markdown: "Half of it."}})
			_, _, err = w.p.Correct(w.ctx, sent, "The dose was wrong.", false)
			w.check("correct", err)
			w.deliver(&moody{})
			w.join(s, "ben")
			w.deliver(&moody{})
			w.run(monday.Add(day))
			got := w.summaries()
			slices.Sort(got)
			equal(t, "summaries", got, []string{"A day later: “About one”", "A day later: “About three”", "A day later: “Correction: About one”"})
			contains(t, "announcement", w.noticeTextOf("A day later: “About three”"), "site/2027-03-01T08:00/announcement went out on Monday 1 March 2027 at 08:00.", "Sent: 1 of 1.",
				"Nobody who got it has left")
		})
	}
}

// TestRule20SummaryOfTwoByHand: two that go by hand in the same minute are two in live; what goes by one word in drip is one, whatever
// mode the series has a day later.
func TestRule20SummaryOfTwoByHand(t *testing.T) {
	for _, tt := range []struct {
		mode, later series.Mode
		sends       int
		want        []string
	}{
		{series.Live, series.Live, 2, []string{"A day later: “About two”", "A day later: “About three”"}},
		{series.Live, series.Drip, 2, []string{"A day later: “About two”", "A day later: “About three”"}},
		{series.Drip, series.Drip, 1, []string{"A day later: The skin letters, Thursday 4 March 2027 at 09:00"}},
		{series.Drip, series.Live, 1, []string{"A day later: The skin letters, Thursday 4 March 2027 at 09:00"}},
	} {
		t.Run(fmt.Sprintf("%s, then %s", tt.mode, tt.later), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode, Schedule: []string{"0 9 1 1 *"}})
			w.articles(s, "one", "two", "three", "four")
			w.enrol(s, "ada")
			w.clock.set(tuesday(1))
			send := func() {
				_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
				w.check("send", err)
			}
			send()
			w.run(tuesday(1).Add(day))
			before := len(w.summaries())
			w.enrol(s, "ben")
			for n := range tt.sends {
				w.clock.set(tuesday(1).Add(2*day + time.Duration(n)*time.Second))
				send()
			}
			w.tx("mode", func(tx *store.Tx) error {
				_, err := series.Set(w.ctx, tx, "skin", series.Change{Mode: &tt.later}, w.clock.now())
				return err
			})
			w.run(tuesday(1).Add(3*day + time.Minute))
			equal(t, "summaries", w.summaries()[before:], tt.want)
		})
	}
}

// TestRule20SummaryOfWhatIsNotThrough counts what there is, and names what waits for an editor.
func TestRule20SummaryOfWhatIsNotThrough(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w *world, issue string) error
		want []string
	}{
		"the pace takes days": {
			func(*world, string) error { return nil },
			[]string{"began to go out on Tuesday 2 March 2027 at 09:00 and is not through yet. Still waiting: 1 of 2.", "Sent: 1 of 2."},
		},
		"paused": {
			func(w *world, issue string) error { return w.p.PauseIssue(w.ctx, issue, "a wrong dose") },
			[]string{"is not through yet", "is paused: a wrong dose.", "pressrun issue resume skin/2027-03-02T09:00"},
		},
		"cancelled": {
			func(w *world, issue string) error { return w.p.CancelIssue(w.ctx, issue, "a wrong dose") },
			[]string{"and was cancelled", "was cancelled: a wrong dose.", "Sent: 1 of 2.", "Skipped: 1, since the issue or its article was taken back"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two")
			w.enrol(s, "ada", "ben")
			w.run(monday)
			w.run(tuesday(1))
			w.deliver(&moody{defers: "ben@reader.example"})
			w.check("do", tt.do(w, "skin/"+wall(1)))
			w.run(tuesday(1).Add(day))
			contains(t, "summary", w.noticeTextOf("A day later: “About one”"), tt.want...)
			w.run(tuesday(1).Add(2 * day))
			equal(t, "summaries", len(w.summaries()), 1)
		})
	}
}

// TestRule20SummaryIsNoSurprise: nothing is said of what nobody was to get, of old news, or from a database that may not send.
func TestRule20SummaryIsNoSurprise(t *testing.T) {
	begin := func(t *testing.T) (*world, series.Series) {
		w := newWorld(t)
		s := w.series("skin", series.Change{})
		w.articles(s, "one")
		w.enrol(s, "ada")
		w.run(monday)
		w.run(tuesday(1))
		return w, s
	}
	t.Run("down for a week", func(t *testing.T) {
		w, _ := begin(t)
		w.run(tuesday(1).Add(8 * day))
		equal(t, "summaries", w.summaries(), []string{})
	})
	t.Run("down for less", func(t *testing.T) {
		w, _ := begin(t)
		w.run(tuesday(1).Add(8*day - time.Minute))
		equal(t, "summaries", len(w.summaries()), 1)
	})
	t.Run("nobody", func(t *testing.T) {
		w, s := begin(t)
		w.articles(s, "two")
		w.tx("suppress", func(tx *store.Tx) error {
			return w.people.Suppress(w.ctx, tx, "ada@reader.example", 0, "bounce", "it came back")
		})
		w.run(tuesday(1).Add(day))
		w.run(tuesday(2))
		w.run(tuesday(2).Add(day))
		equal(t, "summaries", len(w.summaries()), 1)
	})
	t.Run("on hold", func(t *testing.T) {
		w, _ := begin(t)
		cfg, held := w.cfg, errors.New("a copy")
		cfg.MayLeave = func(context.Context) error { return held }
		w.p = w.publisher(cfg)
		w.run(tuesday(1).Add(day))
		equal(t, "held", w.summaries(), []string{})
		held = nil
		w.run(tuesday(1).Add(2 * day))
		equal(t, "let go", len(w.summaries()), 1)
	})
	t.Run("editors come later", func(t *testing.T) {
		w, _ := begin(t)
		cfg := w.cfg
		cfg.Site.NotifyTo = nil
		w.p = w.publisher(cfg)
		w.run(tuesday(1).Add(day))
		w.p = w.publisher(w.cfg)
		w.run(tuesday(1).Add(2 * day))
		equal(t, "summaries", w.summaries(), []string{})
	})
}

// TestRule20SummaryIsToldOnce by two processes at the same moment, and after one whose transaction was broken off.
func TestRule20SummaryIsToldOnce(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.enrol(s, "ben")
	w.run(tuesday(2))
	told := len(w.summaries())
	w.tx("break", func(tx *store.Tx) error {
		_, err := tx.Exec(w.ctx, `CREATE TRIGGER broken BEFORE INSERT ON notices WHEN NEW.dedupe LIKE 'summary %' BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
		return err
	})
	w.clock.set(tuesday(2).Add(day))
	if _, err := w.p.RunDue(w.ctx); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Fatalf("broken off: %v, want its error", err)
	}
	w.tx("mend", func(tx *store.Tx) error { _, err := tx.Exec(w.ctx, `DROP TRIGGER broken`); return err })
	var both sync.WaitGroup
	for range 2 {
		p := w.publisher(w.cfg)
		both.Go(func() {
			if _, err := p.RunDue(w.ctx); err != nil {
				t.Errorf("run due: %v", err)
			}
		})
	}
	both.Wait()
	equal(t, "summaries", len(w.summaries())-told, 1)
	begun, err := outbox.Unsummed(w.ctx, w.db, monday)
	w.check("unsummed", err)
	equal(t, "not summed up", len(begun), 0)
}

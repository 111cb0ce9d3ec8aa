package newsletter_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/series"
)

// TestRule6WithdrawnInMidSend: who didn't get it before it was withdrawn, or its issue cancelled, can be sent it once it is ready again,
// by hand and once; nobody gets it twice, and the next slot is as it was.
func TestRule6WithdrawnInMidSend(t *testing.T) {
	for name, stop := range map[string]func(w *world) error{
		"withdrawn": func(w *world) error { _, err := w.p.Withdraw(w.ctx, "one"); return err },
		"cancelled": func(w *world) error { return w.p.CancelIssue(w.ctx, "skin/"+wall(1), "a wrong figure") },
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.New(t)
			w := newWorld(t)
			worker := w.start(smtp(server))
			defer func() { w.check("close", worker.Close()) }()
			s := w.series("skin", series.Change{})
			w.articles(s, "one", "two")
			readers := names(12)
			w.enrol(s, readers...)
			var seen atomic.Int32
			stopped := make(chan error, 1)
			server.At("content").Call(func() {
				if seen.Add(1) == 3 {
					stopped <- stop(w)
				}
			})
			w.run(monday)
			w.run(tuesday(1))
			w.check("drain", worker.Drain(w.ctx))
			w.check(name, <-stopped)
			w.clock.set(tuesday(1).Add(time.Hour))
			if name == "withdrawn" {
				w.article("one", series.MarkReady)
			}
			st, err := w.p.Issue(w.ctx, "skin/"+wall(1))
			w.check("issue", err)
			one, err := series.ArticleBySlug(w.ctx, w.db, "one")
			w.check("article", err)
			lack, err := w.p.LackIn(w.ctx, w.db, one)
			w.check("lack", err)
			without := int64(len(readers)) - st.Counts.Sent
			equal(t, "without it", lack, newsletter.Lack{Issued: tuesday(1), Readers: without, Broken: true})
			equal(t, "nobody's next", w.plan("skin", 1), []string{wall(2) + " two 12"})
			_, _, n, err := w.p.SendNow(w.ctx, "skin", "one", false)
			w.check("send", err)
			equal(t, "sent to", n, without)
			w.check("drain", worker.Drain(w.ctx))
			if _, _, _, err := w.p.SendNow(w.ctx, "skin", "one", false); !errors.Is(err, newsletter.ErrNothing) {
				t.Errorf("once more: got %v, want ErrNothing", err)
			}
			for _, r := range readers {
				got := 0
				for _, row := range w.deliveriesOf(r) {
					if row == "one sent" {
						got++
					}
				}
				equal(t, r+" got it", got, 1)
			}
			equal(t, "next slot", w.run(tuesday(2)), []string{wall(2) + " issued 12"})
		})
	}
}

// TestRule6AnIssueThatWentToItsEnd is not sent again, whoever came since.
func TestRule6AnIssueThatWentToItsEnd(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two")
	w.enrol(s, "ada")
	w.run(monday)
	worker := w.start(&tape{})
	defer func() { w.check("close", worker.Close()) }()
	w.run(tuesday(1))
	w.check("drain", worker.Drain(w.ctx))
	w.run(tuesday(1).Add(time.Hour))
	w.enrol(s, "ben")
	one, err := series.ArticleBySlug(w.ctx, w.db, "one")
	w.check("article", err)
	lack, err := w.p.LackIn(w.ctx, w.db, one)
	w.check("lack", err)
	equal(t, "without it", lack, newsletter.Lack{Issued: tuesday(1), Readers: 1})
	if _, _, _, err := w.p.SendNow(w.ctx, "skin", "one", false); !errors.Is(err, newsletter.ErrNothing) {
		t.Errorf("send: got %v, want ErrNothing", err)
	}
}

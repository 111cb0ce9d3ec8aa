package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// BenchmarkSend is a whole issue over TCP to a server that takes everything, both in this process.
func BenchmarkSend(b *testing.B) {
	for _, n := range []int{2_000, 20_000} {
		for _, connections := range []int{1, 4, 8} {
			b.Run(fmt.Sprintf("readers=%d/connections=%d", n, connections), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					s := siteOn(b, openQuiet(b), newKey())
					srv := smtptest.New(b)
					s.readers(s.skin, n)
					issue := s.issue(s.skin, "rest")
					cfg := s.config(relay(srv))
					cfg.Connections = connections
					b.StartTimer()
					began := time.Now()
					w := s.start(cfg)
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
					if err := w.Drain(ctx); err != nil {
						b.Fatal(err)
					}
					cancel()
					b.ReportMetric(float64(n)/time.Since(began).Seconds(), "messages/s")
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
					s.wants(issue.ID, fmt.Sprint(n, " sent"))
				}
			})
		}
	}
}

// BenchmarkSendWhileErasing sends an issue while so many people a second are erased, and out of the files too.
func BenchmarkSendWhileErasing(b *testing.B) {
	const n = 20_000
	for _, perSecond := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("erasures=%d", perSecond), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := siteOn(b, openQuiet(b), newKey())
				srv := smtptest.New(b)
				s.readers(s.skin, n)
				issue := s.issue(s.skin, "rest")
				others := s.readers(s.addSeries("gut"), n+100)[n:]
				ctx, stop := context.WithCancel(context.Background())
				b.StartTimer()
				began := time.Now()
				w := s.start(s.config(relay(srv)))
				e := &erasing{s: s, who: others}
				done := make(chan struct{})
				go func() { defer close(done); e.run(ctx, perSecond) }()
				err := w.Drain(context.Background())
				took := time.Since(began)
				stop()
				<-done
				if err = errors.Join(err, w.Close()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(n/took.Seconds(), "messages/s")
				b.ReportMetric(float64(e.longest.Milliseconds()), "ms-longest")
				b.ReportMetric(100*float64(e.clean)/float64(max(1, e.n)), "%clean")
				s.wants(issue.ID, fmt.Sprint(n, " sent"))
			}
		})
	}
}

// erasing erases people, as serve does for whoever presses the button.
type erasing struct {
	s        *site
	who      []int64
	n, clean int
	longest  time.Duration // of an erasure, with the wait for its turn
}

func (e *erasing) run(ctx context.Context, perSecond int) {
	if perSecond == 0 {
		return
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for _, id := range e.who {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		e.s.tx(func(ctx context.Context, tx *store.Tx) error { return e.s.people.Erase(ctx, tx, id) })
		clean, err := subscribers.Wipe(context.Background(), e.s.db)
		if err != nil {
			e.s.Error(err)
			return
		}
		e.longest = max(e.longest, time.Since(began))
		if e.n++; clean {
			e.clean++
		}
	}
}

// BenchmarkFill writes the rows of an issue.
func BenchmarkFill(b *testing.B) {
	s := siteOn(b, openQuiet(b), newKey())
	s.readers(s.skin, 50_000)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		issue := s.freeze(s.frozen(s.skin, s.article(s.skin, fmt.Sprint("rest-", i))))
		b.StartTimer()
		if _, err := outbox.FillLive(context.Background(), s.db, issue.ID, s.now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(50_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

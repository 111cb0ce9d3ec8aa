package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
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

package outbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
)

// BenchmarkStep is one step of a delivery, without network; marks and results share commits as they do with so many
// connections. An operation is one delivery.
func BenchmarkStep(b *testing.B) {
	for _, together := range []int{1, 16, 100} {
		b.Run(fmt.Sprintf("mark/together=%d", together), func(b *testing.B) {
			benchSteps(b, func(s *outbox.Steps) {
				b.StartTimer()
				inGroups(b, s.Len(), together, s.Mark)
				b.StopTimer()
				inGroups(b, s.Len(), s.Len(), s.Settle)
			})
		})
		b.Run(fmt.Sprintf("settle/together=%d", together), func(b *testing.B) {
			benchSteps(b, func(s *outbox.Steps) {
				inGroups(b, s.Len(), s.Len(), s.Mark)
				b.StartTimer()
				inGroups(b, s.Len(), together, s.Settle)
				b.StopTimer()
			})
		})
	}
}

func inGroups(b *testing.B, n, together int, step func(ctx context.Context, i, j int) error) {
	b.Helper()
	for i := 0; i < n; i += together {
		if err := step(context.Background(), i, min(i+together, n)); err != nil {
			b.Fatal(err)
		}
	}
}

// benchSteps has do take b.N deliveries through their states, with the timer stopped.
func benchSteps(b *testing.B, do func(*outbox.Steps)) {
	b.StopTimer()
	b.ReportAllocs()
	s := siteOn(b, openQuiet(b), newKey())
	s.readers(s.skin, b.N)
	issue := s.issue(s.skin, "rest")
	cfg := s.config(relay(smtptest.New(b)))
	cfg.MayLeave = func(context.Context) error { return outbox.ErrHeld } // nothing is claimed but by Claim
	cfg.Lease = time.Hour
	w := s.start(cfg)
	for done := 0; done < b.N; {
		steps, err := w.Claim(min(256, b.N-done))
		if err == nil {
			err = steps.Write(context.Background())
		}
		if err != nil || steps.Len() == 0 {
			b.Fatal(steps.Len(), err)
		}
		do(steps)
		done += steps.Len()
	}
	s.wants(issue.ID, fmt.Sprint(b.N, " sent"))
}

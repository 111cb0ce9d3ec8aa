package outbox_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/outbox"
)

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{
		1: time.Minute, 2: 5 * time.Minute, 3: 15 * time.Minute, 4: 30 * time.Minute,
		5: time.Hour, 6: 2 * time.Hour, 7: 4 * time.Hour, 8: 8 * time.Hour, 9: 8 * time.Hour, 1000: 8 * time.Hour,
	} {
		if got := outbox.Backoff(tries, 0.5); got != want {
			t.Errorf("after %d tries: got %v, want %v", tries, got, want)
		}
	}
}

func TestBackoffBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tries := rapid.Int().Draw(t, "tries")
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		got, middle := outbox.Backoff(tries, random), outbox.Backoff(tries, 0.5)
		if got < 48*time.Second || got > 10*time.Hour {
			t.Fatalf("got %v, want between 48 s and 10 h", got)
		}
		if ratio := float64(got) / float64(middle); ratio < 0.799 || ratio > 1.201 {
			t.Fatalf("got %v, want %v within 20 %%", got, middle)
		}
	})
}

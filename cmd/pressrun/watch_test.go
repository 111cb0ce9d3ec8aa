package main

import (
	"strings"
	"testing"
	"time"
)

// TestMeter: the rate is that of the last ten seconds, and the time left what the rest takes at it.
func TestMeter(t *testing.T) {
	type reading struct {
		after time.Duration // the one before
		done  int64
	}
	for _, tt := range []struct {
		name      string
		readings  []reading
		remaining int64
		want      string
	}{
		{"the first one", []reading{{0, 500}}, 100, ""},
		{"steady", []reading{{0, 0}, {time.Second, 100}, {time.Second, 200}}, 1000, "100/s, 10s left"},
		{"slow", []reading{{0, 0}, {10 * time.Second, 5}}, 5, "0.5/s, 10s left"},
		{"what was long ago", []reading{{0, 0}, {time.Second, 10_000}, {10 * time.Second, 10_100}}, 100, "10/s, 10s left"},
		{"stands", []reading{{0, 7}, {time.Second, 7}, {time.Second, 7}}, 100, ""},
		{"goes back, where somebody sends again", []reading{{0, 7}, {time.Second, 5}}, 2, ""},
		{"through", []reading{{0, 0}, {time.Second, 100}}, 0, "100/s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var m meter
			rate, at := 0.0, time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
			for _, r := range tt.readings {
				at = at.Add(r.after)
				rate = m.rate(at, r.done)
			}
			if got := strings.Join(progressWords(tt.remaining, rate), ", "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

package series_test

import (
	"context"
	"testing"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestModeChange: what stands at the old mode's default follows the mode, what an editor chose stays.
func TestModeChange(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		from, to               series.Mode
		welcome                *string
		want, wantWhenNotReady string
	}{
		{"live to drip", series.Live, series.Drip, nil, "first", "skip"},
		{"drip to live", series.Drip, series.Live, nil, "latest", "hold"},
		{"a choice stays", series.Live, series.Drip, new("none"), "none", "skip"},
		{"the same mode", series.Drip, series.Drip, new("latest"), "latest", "skip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			c := weekly()
			c.Mode, c.Welcome = &tt.from, tt.welcome
			add(t, db, c)
			var s series.Series
			in(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
				s, err = series.Set(ctx, tx, "skin", series.Change{Mode: &tt.to}, day0)
				return err
			})
			if s.Welcome != tt.want || s.WhenNotReady != tt.wantWhenNotReady {
				t.Errorf("got welcome %s, when not ready %s, want %s, %s", s.Welcome, s.WhenNotReady, tt.want, tt.wantWhenNotReady)
			}
		})
	}
}

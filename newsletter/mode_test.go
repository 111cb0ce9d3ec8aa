package newsletter_test

import (
	"context"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// TestCompareModes: in numbers what readers lose or gain by another mode is what their slots send then.
func TestCompareModes(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(tuesday(1))
	w.run(tuesday(2))
	w.enrol(s, "ben")
	compare := func(before, after series.Series) newsletter.ModeChange {
		t.Helper()
		c, err := w.p.CompareModes(w.ctx, w.db, before, after)
		w.check("compare", err)
		return c
	}
	set := func(to series.Mode) (after series.Series) {
		t.Helper()
		w.tx("set", func(tx *store.Tx) (err error) {
			after, err = series.Set(context.Background(), tx, "skin", series.Change{Mode: &to}, w.clock.now())
			return err
		})
		return after
	}
	live, err := series.BySlug(w.ctx, w.db, "skin")
	w.check("series", err)
	drip := live
	live.Mode, live.WhenNotReady = series.Live, "hold"
	equal(t, "in drip", w.plan("skin", 3), []string{wall(3) + " one 2", wall(4) + " two 1", wall(5) + " three 1"})
	equal(t, "to live", compare(drip, live), newsletter.ModeChange{Readers: 2, Lose: 1, Lost: []string{"one", "two"}})
	live = set(series.Live)
	equal(t, "in live", w.plan("skin", 1), []string{wall(3) + " three 2"})
	equal(t, "back to drip", compare(live, drip), newsletter.ModeChange{Readers: 2, Gain: 1, Gained: []string{"one", "two"}})
	w.run(tuesday(3))
	equal(t, "ben", w.deliveriesOf("ben"), []string{"three pending"})
	equal(t, "past them all", compare(live, drip), newsletter.ModeChange{Readers: 2, Gain: 1, Gained: []string{"one", "two"}})
}

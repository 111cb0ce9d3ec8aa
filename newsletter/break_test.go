package newsletter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// takeBreak pauses a person until an instant.
func (w *world) takeBreak(s series.Series, name string, until time.Time) {
	w.t.Helper()
	w.tx("break of "+name, func(tx *store.Tx) error {
		return w.people.Pause(w.ctx, tx, w.person(name).ID, s.ID, until, evidence())
	})
}

// TestRule21BreaksAreForeseen: plan and explain say what is sent to those who come back, and what a slot does while all are away.
func TestRule21BreaksAreForeseen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   series.Mode
		others []string
		plan   []string
		ada    []string
	}{
		{
			"live, the only reader", series.Live, nil,
			[]string{wall(2) + " two 0 !", wall(3) + " two 1", wall(4) + " three 1"},
			[]string{wall(2) + "  paused 13", wall(3) + " two send 1", wall(4) + " three send 1"},
		},
		{
			"live, others there", series.Live,
			[]string{"ben"},
			[]string{wall(2) + " two 1", wall(3) + " three 2", wall(4) + " four 2"},
			[]string{wall(2) + "  paused 13", wall(3) + " three send 1", wall(4) + " four send 1"},
		},
		{
			"drip, the only reader", series.Drip, nil,
			[]string{wall(2) + "  0 !", wall(3) + " two 1", wall(4) + " three 1"},
			[]string{wall(2) + "  paused 13", wall(3) + " two send 1", wall(4) + " three send 1"},
		},
		{
			"drip, others there", series.Drip,
			[]string{"ben"},
			[]string{wall(2) + " two 1", wall(3) + " two 2", wall(4) + " three 2"},
			[]string{wall(2) + "  paused 13", wall(3) + " two send 1", wall(4) + " three send 1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &tt.mode})
			w.articles(s, "one", "two", "three", "four", "five")
			w.enrol(s, append([]string{"ada", "zoe"}, tt.others...)...)
			w.run(monday)
			w.run(tuesday(1))
			w.clock.set(tuesday(1).Add(time.Hour))
			w.takeBreak(s, "ada", tuesday(3).Add(-24*time.Hour))
			w.takeBreak(s, "zoe", tuesday(3).Add(-time.Hour)) // and is not mailed after it either
			w.tx("suppress", func(tx *store.Tx) error {
				return w.people.Suppress(w.ctx, tx, "zoe@reader.example", 0, "manual", "she asked by telephone")
			})
			equal(t, "plan", w.plan("skin", 3), tt.plan)
			lines, err := w.p.Explain(w.ctx, "ada@reader.example", 3)
			w.check("explain", err)
			equal(t, "ada", short(lines), tt.ada)
			lines, err = w.p.Explain(w.ctx, "zoe@reader.example", 1)
			w.check("explain", err)
			equal(t, "zoe", short(lines), []string{wall(2) + "  out 13"})
			for n := 2; n <= 4; n++ {
				got := strings.Fields(w.run(tuesday(n))[0])
				want := strings.Fields(strings.TrimSuffix(tt.plan[n-2], " !"))
				equal(t, fmt.Sprintf("readers of slot %d", n), got[2], want[len(want)-1])
			}
			had := w.deliveriesOf("ada")
			for i, line := range tt.ada[1:] {
				equal(t, "ada had", had[i+1], strings.Fields(line)[1]+" pending")
			}
		})
	}
}

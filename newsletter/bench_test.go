package newsletter_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// BenchmarkPlanDrip forecasts a drip series of 100,000 readers at 40 different places, each of whom had 20 articles on average.
func BenchmarkPlanDrip(b *testing.B) {
	w := newWorld(b)
	slugs := make([]string, 40)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("a%02d", i)
	}
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, slugs...)
	const n = 100_000
	for first := 0; first < n; first += 5000 {
		w.tx("enrol", func(tx *store.Tx) error {
			for i := first; i < first+5000; i++ {
				if _, err := w.people.Enrol(w.ctx, tx, s.ID, subscribers.Addition{Email: fmt.Sprintf("r%d@reader.example", i)}, "test"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.tx("histories", func(tx *store.Tx) error {
		for i, slug := range slugs {
			a, err := series.ArticleBySlug(w.ctx, tx, slug)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("skin/2026-01-%02dT09:00/%s", i%28+1, slug)
			if _, err := tx.Exec(w.ctx, `INSERT INTO issues (name, series_id, article_id, revision, slot, kind, state, subject, html, text, article_html, disclaimer_id, from_name, from_email, reply_to, language, updated, frozen)
				VALUES (?1, ?2, ?3, 1, ?4, 'slot', 'done', 's', 'h', 't', 'a', (SELECT min(id) FROM disclaimers), 'n', 'e', '', 'en', 1, 1)`, name, s.ID, a.ID, fmt.Sprintf("2026-01-%02dT09:%02d", i%28+1, i)); err != nil {
				return err
			}
			if _, err := tx.Exec(w.ctx, `INSERT INTO deliveries (kind, issue_id, subscriber_id, series_id, article_id, cycle, state, dated, hash, message_id, next_try, created, updated)
				SELECT 'issue', (SELECT id FROM issues WHERE name = ?1), m.subscriber_id, ?2, ?3, m.cycle, 'sent', 1000 + ?4, 'h', 'm', 1, 1, 1
				FROM mailable m WHERE m.series_id = ?2 AND m.subscriber_id % 40 > ?4`, name, s.ID, a.ID, i); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		if _, err := w.p.Plan(w.ctx, "skin", 8, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlanBreaks forecasts a live series of 1,000,000 readers, of whom none or some are on a break that ends before the slots, for
// one and for more slots. What breaks add is the difference to none.
func BenchmarkPlanBreaks(b *testing.B) {
	w := newWorld(b)
	slugs := make([]string, 20)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("a%02d", i)
	}
	s := w.series("skin", series.Change{})
	w.articles(s, slugs...)
	w.tx("people", func(tx *store.Tx) error {
		for _, query := range []string{
			`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
			INSERT INTO subscribers (id, email, email_key, address_hash, domain_hash, created)
			SELECT i, 'r' || i || '@reader.example', 'r' || i || '@reader.example', 'h' || i, 'd', 1 FROM n`,
			`INSERT INTO enrolments (series_id, subscriber_id, state, active_since, created, updated) SELECT 1, id, 'active', 1, 1, 1 FROM subscribers`,
		} {
			if _, err := tx.Exec(w.ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
	for _, away := range []int{0, 1000, 10_000} {
		w.tx("breaks", func(tx *store.Tx) error {
			_, err := tx.Exec(w.ctx, `UPDATE enrolments SET state = 'paused', paused_until = ?2 WHERE ?1 > 0 AND id % 1000000 < ?1 * 7 AND id % 7 = 0`,
				away, monday.Add(time.Hour).UnixMilli())
			return err
		})
		for _, slots := range []int{1, 8} {
			b.Run(fmt.Sprintf("%d away, %d slots", away, slots), func(b *testing.B) {
				before := processorTime()
				for b.Loop() {
					if _, err := w.p.Plan(w.ctx, "skin", slots, time.Time{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((processorTime()-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

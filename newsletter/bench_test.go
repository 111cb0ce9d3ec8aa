package newsletter_test

import (
	"fmt"
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

package outbox_test

import (
	"context"
	"testing"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// TestAnUpgradeTellsNoOldNews: what began before summaries were told has none; what is still to begin has one.
func TestAnUpgradeTellsNoOldNews(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate, series.Migrate, func(ctx context.Context, db *store.DB) error {
		return store.Migrate(ctx, db, "outbox", before(t, "0013"))
	})
	s := siteOn(t, db, newKey())
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		now := s.now().UnixMilli()
		for _, query := range []string{
			`INSERT INTO issues (name, series_id, slot, kind, state, subject, disclaimer_id, from_name, from_email, reply_to, language, frozen,
	sending_since, updated, html, text, article_html)
SELECT 'skin/old', id, '2027-03-02T09:00', 'correction', 'sending', 'Old', ?2, '', '', '', 'en', ?1, ?1, ?1, '', '', '' FROM series`,
			`INSERT INTO issues (name, series_id, slot, kind, state, subject, disclaimer_id, from_name, from_email, reply_to, language, frozen,
	sending_since, updated, html, text, article_html)
SELECT 'skin/held', id, '2027-03-09T09:00', 'correction', 'held', 'Held', ?2, '', '', '', 'en', ?1, NULL, ?1, '', '', '' FROM series`,
		} {
			if _, err := tx.Exec(ctx, query, now, s.skin.Disclaimer.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s.tx(func(ctx context.Context, tx *store.Tx) error {
		held, err := series.IssueByName(ctx, tx, "skin/held")
		if err != nil {
			return err
		}
		return series.Transition(ctx, tx, held.ID, series.IssueSending, "", s.now())
	})
	all, err := outbox.Unsummed(t.Context(), db, s.now().Add(-time.Hour))
	if err != nil || len(all) != 1 || all[0].Slot != "2027-03-09T09:00" {
		t.Errorf("to be summed up: %+v, %v; want the one alone that began since", all, err)
	}
}

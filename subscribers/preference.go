package subscribers

import (
	"context"
	"fmt"

	"golang.org/x/text/language"

	"pressrun/subscribers/store"
)

const resumeEnrolment = `UPDATE enrolments SET state = 'active', paused_until = NULL, updated = ?3
WHERE subscriber_id = ?1 AND series_id = ?2 AND state = 'paused'`

// Resume ends a pause before its date. It is idempotent: of somebody who is not paused nothing changes.
func (r *Registry) Resume(ctx context.Context, tx *store.Tx, subscriberID, seriesID int64, e Evidence) error {
	p, err := personByID(ctx, tx, subscriberID)
	var n int64
	if err == nil {
		n, err = tx.Exec(ctx, resumeEnrolment, subscriberID, seriesID, r.now().UnixMilli())
	}
	if err == nil && n > 0 {
		_, err = r.record(ctx, tx, p, Consent{SeriesID: seriesID, Event: eventResumed, Evidence: e})
	}
	if err != nil {
		return fmt.Errorf("resume subscriber %d in series %d: %w", subscriberID, seriesID, err)
	}
	return nil
}

const setLanguage = `UPDATE subscribers SET language = ?2 WHERE id = ?1`

// SetLanguage is in which language somebody wants pages and mails about their subscription; empty: the series'. ErrField for
// what is no BCP 47 tag.
func (r *Registry) SetLanguage(ctx context.Context, tx *store.Tx, subscriberID int64, tag string) error {
	if tag != "" {
		parsed, err := language.Parse(tag)
		if err != nil {
			return fmt.Errorf("subscriber %d: the language %w: it is no BCP 47 tag such as en or pt-BR", subscriberID, ErrField)
		}
		tag = parsed.String()
	}
	if _, err := personByID(ctx, tx, subscriberID); err != nil {
		return fmt.Errorf("language of subscriber %d: %w", subscriberID, err)
	}
	if _, err := tx.Exec(ctx, setLanguage, subscriberID, tag); err != nil {
		return fmt.Errorf("language of subscriber %d: %w", subscriberID, err)
	}
	return nil
}

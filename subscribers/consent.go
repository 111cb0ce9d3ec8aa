package subscribers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"

	"pressrun/subscribers/store"
)

// Evidence is how somebody came or left: kept in the consents, never overwritten, as long as the person is known (GDPR article
// 7(1) has us show their consent): an erasure takes it away, IP and agent too, and so does the sweep of a request that was never
// confirmed, after 14 days.
type Evidence struct {
	IP, Agent, Form, Wording, Because string
	Language                          string // that Wording is in
	MessageID                         string // of the mail whose link was used
}

// The events of consents.
const (
	eventRequested    = "requested"
	eventConfirmed    = "confirmed"
	eventAdded        = "added"
	eventImported     = "imported"
	eventUnsubscribed = "unsubscribed"
	eventUndone       = "undone"
	eventSuppressed   = "suppressed"
	eventUnsuppressed = "unsuppressed"
	eventPaused       = "paused"
	eventResumed      = "resumed"
	eventRestarted    = "restarted"
)

// Consent is one event of how somebody came, stayed or left.
type Consent struct {
	ID, SeriesID int64 // SeriesID 0: everything
	Event        string
	RequestID    int64 // of a confirmation: the request that it answers; 0 elsewhere
	At           time.Time
	Evidence
	WordingVersion string // the same for the same words; empty without any
	Token          string // id of the link that was used: no link can be made of it
	Email          string // as typed that time
}

const selectConsents = `SELECT id, coalesce(series_id, 0), event, coalesce(request_id, 0), at, ip, agent, form, wording, because, email,
	language, message_id, wording_version, token
FROM consents WHERE subscriber_id = ?1 ORDER BY id`

// Consents lists a person's events, oldest first.
func Consents(ctx context.Context, q store.Querier, subscriberID int64) ([]Consent, error) {
	rows, err := q.Query(ctx, selectConsents, subscriberID)
	if err != nil {
		return nil, fmt.Errorf("consents of subscriber %d: %w", subscriberID, err)
	}
	defer rows.Close()
	var all []Consent
	for rows.Next() {
		var c Consent
		var at int64
		err := rows.Scan(&c.ID, &c.SeriesID, &c.Event, &c.RequestID, &at, &c.IP, &c.Agent, &c.Form, &c.Wording, &c.Because, &c.Email,
			&c.Language, &c.MessageID, &c.WordingVersion, &c.Token)
		if err != nil {
			return nil, fmt.Errorf("consents of subscriber %d: %w", subscriberID, err)
		}
		c.At = instant(at)
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("consents of subscriber %d: %w", subscriberID, err)
	}
	return all, nil
}

const insertConsent = `INSERT INTO consents (subscriber_id, series_id, event, request_id, at, ip, agent, form, wording, because, email,
	language, message_id, wording_version, token)
VALUES (?1, nullif(?2, 0), ?3, nullif(?4, 0), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) RETURNING id`

// record adds a consent of p and returns its number. Without an instant it is now.
func (r *Registry) record(ctx context.Context, tx *store.Tx, p person, c Consent) (id int64, err error) {
	if c.Email == "" {
		c.Email = p.Email
	}
	if c.At.IsZero() {
		c.At = r.now()
	}
	// A stranger chooses what a browser says of itself: keep what tells browsers apart, not all that can be sent.
	const octets = 1000
	row := tx.QueryRow(ctx, insertConsent, p.ID, c.SeriesID, c.Event, c.RequestID, c.At.UnixMilli(),
		clip(c.IP, octets), clip(c.Agent, octets), clip(c.Form, octets), c.Wording, c.Because, c.Email,
		c.Language, c.MessageID, wordingVersion(c.Wording), c.Token)
	err = row.Scan(&id)
	return id, err
}

// wordingVersion is made of the words, so that nobody can change them and forget the version.
func wordingVersion(wording string) string {
	if wording == "" {
		return ""
	}
	return digest(wording)
}

// digest is short, and tells texts apart.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// clip cuts s to at most n octets, between two characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

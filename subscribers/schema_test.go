package subscribers_test

import (
	"testing"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// TestSchemaRefuses tries what no code of the package does: the rules hold against other hands too.
func TestSchemaRefuses(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.leave(id, skin)
	p.join(skin, "bob@example.org")
	for _, tt := range []struct{ rule, query string }{
		{"a consent is never changed", `UPDATE consents SET ip = '' WHERE subscriber_id = 1`},
		{"nor what it was given for", `UPDATE consents SET wording = 'everything', wording_version = '', language = '', token = '', message_id = ''`},
		{"nor when", `UPDATE consents SET at = at - 1 WHERE event = 'confirmed'`},
		{"nor are consents deleted together", `DELETE FROM consents`},
		{"a consent is never changed, also by an upsert", `INSERT INTO consents (id, subscriber_id, event, at) VALUES (1, 1, 'imported', 1)
			ON CONFLICT (id) DO UPDATE SET at = 1`},
		{"an unsubscribe stays", `DELETE FROM consents WHERE event = 'unsubscribed'`},
		{"a confirmation stays", `DELETE FROM consents WHERE event = 'confirmed'`},
		{"a confirmed request stays", `DELETE FROM consents WHERE event = 'requested' AND subscriber_id = 1`},
		{"people don't vanish under their consents", `DELETE FROM subscribers WHERE id = 1`},
		{"one confirmation a request", `INSERT INTO consents (subscriber_id, event, request_id, at) VALUES (1, 'confirmed', 1, 1)`},
		{"a confirmation names its request", `INSERT INTO consents (subscriber_id, event, at) VALUES (1, 'confirmed', 1)`},
		{"an owner's word has a reason", `INSERT INTO consents (subscriber_id, event, at) VALUES (1, 'added', 1)`},
		{"an unknown event", `INSERT INTO consents (subscriber_id, event, at) VALUES (1, 'guessed', 1)`},
		{"ended says by what", `UPDATE enrolments SET ended_by = '' WHERE subscriber_id = 1`},
		{"active was never ended", `UPDATE enrolments SET state = 'active' WHERE subscriber_id = 1`},
		{"active has a since", `UPDATE enrolments SET state = 'active' WHERE state = 'pending'`},
		{"paused has a date", `UPDATE enrolments SET state = 'paused', active_since = 1 WHERE state = 'pending'`},
		{"a later cycle has a beginning", `UPDATE enrolments SET cycle = 2 WHERE subscriber_id = 1`},
		{"the first has none", `UPDATE enrolments SET cycle_since = 1 WHERE subscriber_id = 1`},
		{"one enrolment a series", `INSERT INTO enrolments (series_id, subscriber_id, state, created, updated) VALUES (1, 1, 'pending', 1, 1)`},
		{"one person an address", `INSERT INTO subscribers (email, email_key, address_hash, domain_hash, created) VALUES ('A', 'ada@example.org', 'x', 'y', 1)`},
		{"a person has an address", `UPDATE subscribers SET email = '' WHERE id = 1`},
		{"the erased have none", `UPDATE subscribers SET erased = 1 WHERE id = 1`},
		{"an unknown reason", `INSERT INTO suppressions (hash, reason, created) VALUES ('x', 'mood', 1)`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			err := p.tx(func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), tt.query)
				return err
			})
			if err == nil {
				t.Errorf("the database took %s", tt.query)
			}
		})
	}
}

func TestNumbersOfRequestsAreNeverGivenTwice(t *testing.T) {
	p := newPeople(t)
	first := p.join(skin, "ada@example.org")
	p.pass(15 * day)
	p.must(func(tx *store.Tx) error { _, err := p.Sweep(t.Context(), tx); return err })
	if second := p.join(skin, "ada@example.org"); second.Serial <= first.Serial {
		t.Errorf("the request after a deleted one has number %d, the first had %d: an old link could answer it", second.Serial, first.Serial)
	}
}

func TestMigrateTwice(t *testing.T) {
	p := newPeople(t)
	if err := subscribers.Migrate(t.Context(), p.db); err != nil {
		t.Errorf("Migrate a second time: %v", err)
	}
}

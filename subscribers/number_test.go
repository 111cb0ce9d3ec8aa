package subscribers_test

import (
	"errors"
	"testing"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// What was mailed after a backup names nobody in the database restored from it, though that one gives numbers too.
func TestSkipNumbers(t *testing.T) {
	p := newPeople(t)
	before, after := p.active(skin, "before@example.org"), p.active(skin, "after@example.org")
	p.pass(day)
	asked := p.join(gut, "after@example.org")
	manage := p.manage(after.ID)
	p.erase(after.ID) // as if the backup never had them
	for _, table := range []string{"consents", "fresh_links"} {
		p.must(func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM "+table+") WHERE name = ?1", table)
			return err
		})
	}
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "DELETE FROM subscribers WHERE id = ?1", after.ID)
		return err
	})

	given := map[int64]bool{before.ID: true, after.ID: true}
	for _, email := range []string{"one@example.org", "two@example.org"} {
		p.must(func(tx *store.Tx) error { return p.SkipNumbers(t.Context(), tx) })
		again := p.join(gut, email)
		if given[again.Subscriber.ID] || again.Serial <= asked.Serial {
			t.Errorf("%s is subscriber %d with request %d: numbers that were given before", email, again.Subscriber.ID, again.Serial)
		}
		given[again.Subscriber.ID] = true
		p.pass(day)
	}
	if _, _, err := p.confirm(asked.Token); !errors.Is(err, subscribers.ErrNotPending) {
		t.Errorf("confirmation of before: %v, want ErrNotPending", err)
	}
	if _, err := p.Manage(t.Context(), p.db, manage); !errors.Is(err, subscribers.ErrExpired) {
		t.Errorf("fresh link of before: %v, want ErrExpired", err)
	}
	p.wantGets(skin, "before@example.org", true, "after the restore")
	if n, err := subscribers.CountPeople(t.Context(), p.db); err != nil || n != 3 {
		t.Errorf("people: %d, %v, want 3: nobody is none", n, err)
	}
}

// A backup that was copied into the database's place by hand is known by the journal, once anybody left since: numbers that were
// given meanwhile are not given again.
func TestOlderDatabaseSkipsNumbers(t *testing.T) {
	p := journalled(t)
	leaves := p.active(skin, "leaves@example.org").ID
	monday := p.backup()
	since := p.join(skin, "since@example.org")
	p.leave(leaves, skin)
	r := p.restore(monday, subscribers.Replayed{Leaves: 1})
	other := r.join(skin, "other@example.org")
	if other.Subscriber.ID <= since.Subscriber.ID || other.Serial <= since.Serial {
		t.Errorf("somebody new is subscriber %d with request %d; before the restore %d and %d were given",
			other.Subscriber.ID, other.Serial, since.Subscriber.ID, since.Serial)
	}
	again := r.open(r.db.Path(), subscribers.Replayed{}).join(skin, "again@example.org")
	if again.Subscriber.ID != other.Subscriber.ID+1 {
		t.Errorf("the next one is subscriber %d after %d: numbers are skipped once", again.Subscriber.ID, other.Subscriber.ID)
	}
}

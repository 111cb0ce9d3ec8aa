package subscribers_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

func TestBindKey(t *testing.T) {
	db := storetest.Open(t, subscribers.Migrate)
	own, other := newKey(t), newKey(t)
	second := rotated(t, own)
	fourth := rotated(t, rotated(t, second))
	for _, tt := range []struct {
		name string
		key  subscribers.Key
		want error
	}{
		{"the first", own, nil},
		{"the same", own, nil},
		{"another", other, subscribers.ErrForeignKey},
		{"the first again", own, nil},
		{"rotated", second, nil},
		{"rotated, again", second, nil},
		{"a copy from before", own, subscribers.ErrOldKey},
		{"rotated twice more", fourth, nil},
		{"a copy from before that", second, subscribers.ErrOldKey},
		{"another after the same beginning", rotated(t, second), subscribers.ErrForeignKey},
		{"another, rotated", rotated(t, other), subscribers.ErrForeignKey},
		{"the newest", fourth, nil},
	} {
		if got := subscribers.BindKey(t.Context(), db, tt.key); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Who may not be mailed is told by the key's first secret alone, in the database and in the journal beside it.
func TestRotationKeepsSuppressions(t *testing.T) {
	p := journalled(t)
	if err := subscribers.BindKey(t.Context(), p.db, p.Key); err != nil {
		t.Fatal(err)
	}
	id := p.active(skin, "left@example.org").ID
	p.leave(id, 0)
	p.suppress("stranger@example.org", 0, "bounce")
	p.suppress("gone.example", 0, "manual")
	monday := p.backup()
	p.suppress("since@example.org", 0, "complaint")
	p.Registry.Key = rotated(t, p.Registry.Key)
	after := p.open(p.db.Path(), subscribers.Replayed{})
	restored := p.restore(monday, subscribers.Replayed{Leaves: 1})
	for name, p := range map[string]*people{"the same database": after, "a backup of before": restored} {
		if err := subscribers.BindKey(t.Context(), p.db, p.Key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, email := range []string{"left@example.org", "stranger@example.org", "any@gone.example", "since@example.org"} {
			if err := p.enrol(gut, email); !errors.Is(err, subscribers.ErrSuppressed) {
				t.Errorf("%s: enrol %s: %v, want ErrSuppressed", name, email, err)
			}
		}
		if err := p.enrol(gut, "new@example.org"); err != nil {
			t.Errorf("%s: enrol somebody new: %v", name, err)
		}
	}
}

// The proof of a confirmation names the link that was pressed, of whatever secret, for each series that it confirmed.
func TestConfirmByALinkOfBefore(t *testing.T) {
	p := newPeople(t)
	p.bind()
	var req subscribers.Request
	p.must(func(tx *store.Tx) (err error) {
		req, err = p.Join(t.Context(), tx, []int64{skin, gut}, subscribers.Addition{Email: "ada@example.org"}, subscribers.Evidence{})
		return err
	})
	p.Registry.Key = rotated(t, p.Registry.Key)
	p.bind()
	if _, fresh, err := p.confirm(req.Token); err != nil || !fresh {
		t.Fatalf("confirm: fresh %t, %v", fresh, err)
	}
	all, err := subscribers.Consents(t.Context(), p.db, req.Subscriber.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, confirmed := fmt.Sprintf("%x", sha256.Sum256([]byte(req.Token)))[:16], 0
	for _, c := range all {
		if c.Event != "confirmed" {
			continue
		}
		if confirmed++; c.Token != want {
			t.Errorf("series %d: the proof names link %q, want %q", c.SeriesID, c.Token, want)
		}
	}
	if confirmed != 2 {
		t.Errorf("got %d confirmations, want 2", confirmed)
	}
}

// bind makes the registry's key the database's.
func (p *people) bind() {
	p.Helper()
	if err := subscribers.BindKey(p.Context(), p.db, p.Registry.Key); err != nil {
		p.Fatal(err)
	}
}

// By a secret that was stolen nobody confirms what is asked for after the rotation, however often the key is rotated: the number of a
// request can be guessed, and double opt-in is nothing without the mailbox.
func TestOldSecretsConfirmNothingNew(t *testing.T) {
	p := newPeople(t)
	keys := []subscribers.Key{p.Registry.Key}
	p.bind()
	var asked []subscribers.Token
	for range 3 {
		email := fmt.Sprintf("reader%d@example.org", len(asked))
		var req subscribers.Request
		p.must(func(tx *store.Tx) (err error) {
			req, err = p.Join(t.Context(), tx, []int64{skin}, subscribers.Addition{Email: email}, subscribers.Evidence{})
			return err
		})
		asked = append(asked, subscribers.Token{
			Purpose: subscribers.PurposeConfirm, SubscriberID: req.Subscriber.ID, SeriesID: skin, Serial: req.Serial,
		})
		p.Registry.Key = rotated(t, p.Registry.Key)
		p.bind()
		keys = append(keys, p.Registry.Key)
	}
	for secret, key := range keys {
		for when, token := range asked {
			want := error(nil)
			if when > secret {
				want = subscribers.ErrToken
			}
			got, err := p.Registry.Key.OpenConfirm(t.Context(), p.db, key.Seal(token))
			if !errors.Is(err, want) || err == nil && got != token {
				t.Errorf("secret %d, asked for under secret %d: %+v, %v; want %v", secret+1, when+1, got, err, want)
			}
		}
	}
	if _, _, err := p.confirm(keys[0].Seal(asked[2])); !errors.Is(err, subscribers.ErrToken) {
		t.Errorf("confirm by a stolen secret: %v, want ErrToken", err)
	}
	// A process that read the key before the rotation asks nobody: the link it would mail is dead.
	p.Registry.Key = keys[0]
	err := p.tx(func(tx *store.Tx) error {
		_, err := p.Join(t.Context(), tx, []int64{skin}, subscribers.Addition{Email: "late@example.org"}, subscribers.Evidence{})
		return err
	})
	if !errors.Is(err, subscribers.ErrOldKey) {
		t.Errorf("ask with a copy of the key from before: %v, want ErrOldKey", err)
	}
	err = p.tx(func(tx *store.Tx) error {
		_, err := p.AskManage(t.Context(), tx, asked[0].SubscriberID, subscribers.Evidence{})
		return err
	})
	if !errors.Is(err, subscribers.ErrOldKey) {
		t.Errorf("a fresh link with a copy of the key from before: %v, want ErrOldKey", err)
	}
}

// A database whose key was rotated before rotations were dated: what waits for its confirmation is confirmed by the link that was mailed.
func TestRotationsOfBeforeTheirDates(t *testing.T) {
	earlier := fstest.MapFS{}
	for _, file := range migrationsBefore(t, "0010") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		earlier[filepath.ToSlash(file)] = &fstest.MapFile{Data: data}
	}
	db := storetest.Open(t, func(ctx context.Context, db *store.DB) error { return store.Migrate(ctx, db, "subscribers", earlier) })
	for _, query := range []string{
		`INSERT INTO site_key (id, fingerprint) VALUES (1, '1111111111111111 2222222222222222 3333333333333333')`,
		`INSERT INTO subscribers (email, email_key, address_hash, domain_hash, created) VALUES ('a@b.example', 'a@b.example', 'x', 'y', 1)`,
		`INSERT INTO consents (id, subscriber_id, series_id, event, at) VALUES (7, 1, 1, 'requested', 1)`,
	} {
		if err := db.InTx(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), query); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := subscribers.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	var got string
	err := db.QueryRow(t.Context(), `SELECT group_concat(number || ' until ' || last_request, ', ' ORDER BY number) FROM old_secrets`).Scan(&got)
	if want := "1 until 7, 2 until 7"; err != nil || got != want {
		t.Errorf("old secrets: %q, %v; want %q", got, err, want)
	}
}

// migrationsBefore lists the files of the migrations below a number.
func migrationsBefore(t *testing.T, number string) (files []string) {
	t.Helper()
	all, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if filepath.Base(file) < number {
			files = append(files, file)
		}
	}
	return files
}

package subscribers

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// TestOldDatabaseAfterPowerCuts has people leave, and the power cut at every change of the journal's disk. The database of the
// morning is put in the place of the lost one: whoever was answered is out in it, whatever the cut tore.
func TestOldDatabaseAfterPowerCuts(t *testing.T) {
	key := testKey(t)
	db := storetest.Open(t, Migrate)
	clock := time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
	r := &Registry{Key: key, Now: func() time.Time { return clock }}
	d := newLossyDisk(nil)
	if _, err := r.keepJournal(t.Context(), db, "j", d); err != nil {
		t.Fatal(err)
	}
	var people []int64
	for i := range 8 {
		people = append(people, enrolled(t, r, db, fmt.Sprintf("%d@example.org", i)))
	}
	morning := filepath.Join(t.TempDir(), "morning.db")
	if err := db.Backup(t.Context(), morning); err != nil {
		t.Fatal(err)
	}
	out := map[int64]bool{}
	type cut struct {
		data []byte
		out  map[int64]bool
	}
	var cuts []cut
	d.after = func() {
		for _, data := range d.cuts("j", 29) {
			cuts = append(cuts, cut{slices.Clone(data), maps.Clone(out)})
		}
	}
	for i, id := range people[:6] {
		clock = clock.Add(time.Hour)
		err := db.InTx(t.Context(), func(tx *store.Tx) error {
			switch i {
			case 1:
				return r.Suppress(t.Context(), tx, "1@example.org", 0, "complaint", "")
			case 2:
				return r.Erase(t.Context(), tx, id)
			}
			return r.Unsubscribe(t.Context(), tx, id, int64(i%2), Evidence{})
		})
		if err != nil {
			t.Fatal(err)
		}
		out[id] = true
	}
	if len(cuts) < 60 {
		t.Fatalf("only %d cuts", len(cuts))
	}
	for i, c := range cuts {
		wantOut(t, key, morning, fmt.Sprintf("cut %d", i), c.data, c.out)
	}
	t.Logf("%d cuts", len(cuts))
}

// TestNobodyIsAnsweredInANamelessFile has the journal put in its place by a disk that can't make names last: nobody is answered until one
// can, and then a power cut brings no older file back.
func TestNobodyIsAnsweredInANamelessFile(t *testing.T) {
	key, db, d := testKey(t), storetest.Open(t, Migrate), newLossyDisk(nil)
	d.nameless = true
	r := &Registry{Key: key}
	if _, err := r.keepJournal(t.Context(), db, "j", d); err == nil {
		t.Fatal("the journal was made on a disk that keeps no names")
	}
	if _, err := r.keepJournal(t.Context(), db, "j", d); err != nil {
		t.Fatal(err)
	}
	id := enrolled(t, r, db, "0@example.org")
	leave := func() error {
		return db.InTx(t.Context(), func(tx *store.Tx) error { return r.Unsubscribe(t.Context(), tx, id, 1, Evidence{}) })
	}
	if err := leave(); !errors.Is(err, store.ErrDisk) {
		t.Errorf("left while names don't last: %v, want ErrDisk", err)
	}
	d.nameless = false
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	for i, data := range d.cuts("j", 1) {
		f := leaveFile{disk: newLossyDisk(map[string][]byte{"j": data}), path: "j", key: key}
		if _, err := f.read(); err != nil || f.records != 1 {
			t.Errorf("cut %d: %d records, %v; want the one that was answered", i, f.records, err)
		}
	}
}

func enrolled(t *testing.T, r *Registry, db *store.DB, email string) (id int64) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		e, err := r.Enrol(t.Context(), tx, 1, Addition{Email: email}, "a test")
		id = e.SubscriberID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wantOut opens a copy of the database at path beside a journal of these octets and looks who gets mail.
func wantOut(t *testing.T, key Key, path, when string, data []byte, out map[int64]bool) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := map[string][]byte{}
	if data != nil {
		files["j"] = data
	}
	r := &Registry{Key: key}
	if _, err := r.keepJournal(t.Context(), db, "j", newLossyDisk(files)); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for id := range out {
		if in, err := Mailable(t.Context(), db, 1, id); err != nil || in {
			t.Errorf("%s: subscriber %d, who was answered, gets mail (%v)", when, id, err)
		}
	}
	for id := int64(7); id <= 8; id++ {
		if in, err := Mailable(t.Context(), db, 1, id); err != nil || !in {
			t.Errorf("%s: subscriber %d, who stayed, gets none (%v)", when, id, err)
		}
	}
}

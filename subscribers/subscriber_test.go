package subscribers_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

func TestAdd(t *testing.T) {
	p := newPeople(t)
	var first, second subscribers.Subscriber
	p.must(func(tx *store.Tx) (err error) {
		first, err = p.Add(t.Context(), tx, subscribers.Addition{Email: "Ada@Example.org", Fields: map[string]string{"City": "London", "Empty": "", "Note": "a\r\nb\rc"}})
		return err
	})
	p.pass(time.Hour)
	p.must(func(tx *store.Tx) (err error) {
		second, err = p.Add(t.Context(), tx, subscribers.Addition{
			Email: "ada@example.org", Name: "Ada", Language: "DE-at", Fields: map[string]string{"City": "Paris", "Country": "UK"},
		})
		return err
	})
	want := subscribers.Subscriber{
		ID: first.ID, Email: "Ada@Example.org", Name: "Ada", Language: "de-AT", Created: p.clock.Add(-time.Hour),
		Fields: map[string]string{"City": "London", "Note": "a\nb\nc", "Country": "UK"},
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("the second Add (-want +got):\n%s", diff)
	}
	for name, find := range map[string]func() (subscribers.Subscriber, error){
		"ByEmail": func() (subscribers.Subscriber, error) {
			return subscribers.ByEmail(t.Context(), p.db, "ADA@example.ORG")
		},
		"ByID": func() (subscribers.Subscriber, error) { return subscribers.ByID(t.Context(), p.db, first.ID) },
	} {
		got, err := find()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if n := p.count(`SELECT count(*) FROM mailable`); n != 0 {
		t.Errorf("Add made %d people mailable, want none", n)
	}
}

func TestPeopleStayApart(t *testing.T) {
	p := newPeople(t)
	ids := map[int64]string{}
	for _, email := range []string{"ada@example.org", "ada+x@example.org", "a.da@example.org", "ada@example.com", "ada@bücher.example"} {
		s := p.active(skin, email)
		if other, ok := ids[s.ID]; ok {
			t.Errorf("%s and %s are one person", email, other)
		}
		ids[s.ID] = email
	}
	for _, email := range []string{"ADA@EXAMPLE.org", "Ada@xn--bcher-kva.example"} {
		s, err := subscribers.ByEmail(t.Context(), p.db, email)
		if err != nil || ids[s.ID] == "" {
			t.Errorf("ByEmail(%s) = %+v, %v; want a known person", email, s, err)
		}
	}
}

func TestFindNobody(t *testing.T) {
	p := newPeople(t)
	if _, err := subscribers.ByEmail(t.Context(), p.db, "zoe@example.org"); !errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "zoe") {
		t.Errorf("ByEmail: %v, want ErrNotFound with the address masked", err)
	}
	if _, err := subscribers.ByEmail(t.Context(), p.db, "zoe"); !errors.Is(err, subscribers.ErrAddress) {
		t.Errorf("ByEmail of no address: %v, want ErrAddress", err)
	}
	if _, err := subscribers.ByID(t.Context(), p.db, 4711); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ByID: %v, want ErrNotFound", err)
	}
}

// TestEraseLeavesNothingInTheFile looks at the octets: free pages and indexes keep what was deleted unless it is overwritten, and the log
// of an open database what stood there before.
func TestEraseLeavesNothingInTheFile(t *testing.T) {
	p := newPeople(t)
	var ids []int64
	for i := range 200 {
		ids = append(ids, p.active(skin, fmt.Sprintf("ada.lovelace%d@example.org", i)).ID)
	}
	for _, id := range ids {
		p.erase(id)
	}
	read := p.db.Snapshot(t.Context(), func(q store.Querier) error {
		var n int
		if err := q.QueryRow(t.Context(), `SELECT count(*) FROM subscribers`).Scan(&n); err != nil {
			return err
		}
		p.active(skin, "bob@example.org")
		if clean, err := subscribers.Wipe(t.Context(), p.db); clean || err != nil {
			t.Errorf("while somebody reads: clean %v, %v, want neither", clean, err)
		}
		return nil
	})
	if read != nil {
		t.Fatal(read)
	}
	if clean, err := subscribers.Wipe(t.Context(), p.db); !clean || err != nil {
		t.Fatalf("clean %v, %v", clean, err)
	}
	p.wantGoneFromFiles("lovelace")
	before := p.db.Used().Commits
	if clean, err := subscribers.Wipe(t.Context(), p.db); !clean || err != nil || p.db.Used().Commits != 0 {
		t.Errorf("with nobody erased since: clean %v, %v, after %d commits before", clean, err, before)
	}
}

// wantGoneFromFiles looks for a word at the octets of the open database.
func (p *people) wantGoneFromFiles(word string) {
	p.Helper()
	for _, path := range []string{p.db.Path(), p.db.Path() + "-wal"} {
		content, err := os.ReadFile(path)
		if err != nil {
			p.Fatal(err)
		}
		if at := bytes.Index(content, []byte(word)); at >= 0 {
			p.Errorf("%s still has %q", filepath.Base(path), content[at-10:at+20])
		}
	}
}

// TestWipeAfterAnImport: the file of an import may have somebody in it who was erased before, and is kept until it is done.
func TestWipeAfterAnImport(t *testing.T) {
	p := newPeople(t)
	p.erase(p.active(skin, "ada.lovelace@example.org").ID)
	wipe := func() {
		if clean, err := subscribers.Wipe(t.Context(), p.db); !clean || err != nil {
			t.Fatalf("clean %v, %v", clean, err)
		}
	}
	wipe()
	if _, err := p.Import(t.Context(), p.db, strings.NewReader("email\nada.lovelace@example.org\nbob@example.org\n"), subscribers.ImportOptions{SeriesID: skin}); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada.lovelace@example.org", false, "after the import")
	wipe()
	p.wantGoneFromFiles("lovelace")
}

// TestEraseReachesWhatStandsElsewhere: texts against an address they had before, and what others asked of theirs.
func TestEraseReachesWhatStandsElsewhere(t *testing.T) {
	p := newPeople(t)
	ada, bob, cyd := p.active(skin, "ada@example.org").ID, p.active(skin, "bob@example.org").ID, p.active(skin, "cyd@example.org").ID
	p.suppress("ada@example.org", gut, "manual")
	p.pass(day)
	if err := p.changeAddress(p.newAddress(ada, "lovelace@example.net")); err != nil {
		t.Fatal(err)
	}
	p.pass(day)
	p.newAddress(bob, "Lovelace@example.net")
	p.newAddress(cyd, "Ada@example.org")
	p.erase(ada)
	if n := p.count(`SELECT count(*) FROM suppressions WHERE because <> ''`); n != 0 {
		t.Errorf("%d suppressions have a text", n)
	}
	if n := p.count(`SELECT count(*) FROM fresh_links WHERE subscriber_id = ?1 AND purpose = 'manage'`, bob); n == 0 {
		t.Error("another's links are gone")
	}
	if n := p.count(`SELECT count(*) FROM fresh_links WHERE purpose = 'address'`); n != 0 {
		t.Errorf("%d changes of others to an address that they had are left", n)
	}
	for _, line := range dump(p) {
		if strings.Contains(strings.ToLower(line), "lovelace") || strings.Contains(line, "ada@") {
			t.Errorf("after the erasure: %q", line)
		}
	}
}

func TestErase(t *testing.T) {
	p := newPeople(t)
	p.must(func(tx *store.Tx) error {
		_, err := p.Add(t.Context(), tx, subscribers.Addition{Email: "ada@example.org", Name: "Ada Lovelace", Fields: map[string]string{"City": "London"}})
		return err
	})
	id := p.active(skin, "ada@example.org").ID
	p.active(skin, "bob@example.org")
	p.suppress("ada@example.org", gut, "bounce")
	p.erase(id)

	p.wantGets(skin, "ada@example.org", false, "after the erasure")
	p.wantGets(skin, "bob@example.org", true, "after somebody else's erasure")
	if _, err := subscribers.ByID(t.Context(), p.db, id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ByID: %v, want ErrNotFound", err)
	}
	if n := p.count(`SELECT count(*) FROM subscribers WHERE id = ?1`, id); n != 1 {
		t.Errorf("%d rows of the erased person, want the empty one", n)
	}
	for _, table := range []string{"consents", "enrolments"} {
		if n := p.count(`SELECT count(*) FROM `+table+` WHERE subscriber_id = ?1`, id); n != 0 {
			t.Errorf("%d %s left", n, table)
		}
	}
	got, err := p.Suppressions(t.Context(), p.db, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	want := []subscribers.Suppression{
		{Reason: "erasure", Created: time.Date(2027, 3, 30, 0, 0, 0, 0, time.UTC)},
		{SeriesID: gut, Reason: "bounce", Created: p.clock},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("suppressions: reason and day alone stay (-want +got):\n%s", diff)
	}
	for _, line := range dump(p) {
		for _, word := range []string{"ada", "Ada", "London"} {
			if strings.Contains(line, word) {
				t.Errorf("%q stands in %q after the erasure", word, line)
			}
		}
	}
	if err := p.tx(func(tx *store.Tx) error { return p.Erase(t.Context(), tx, id) }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Erase twice: %v, want ErrNotFound", err)
	}
}

func TestTheErasedMayComeBackThemselves(t *testing.T) {
	p := newPeople(t)
	id := p.active(skin, "ada@example.org").ID
	p.erase(id)
	req := p.join(skin, "ada@example.org")
	if req.Token == "" || req.Subscriber.ID == id {
		t.Fatalf("Join after the erasure = %+v, want a token for a new person", req)
	}
	p.wantGets(skin, "ada@example.org", false, "before confirming")
	if _, _, err := p.confirm(req.Token); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", true, "after confirming")
}

package subscribers_test

import (
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

// journalled is newPeople with the journal beside the database.
func journalled(t *testing.T) *people {
	t.Helper()
	p := newPeople(t)
	p.keepJournal(subscribers.Replayed{Remade: true})
	return p
}

func (p *people) keepJournal(want subscribers.Replayed) {
	p.Helper()
	got, err := p.KeepJournal(p.Context(), p.db)
	if err != nil || got != want {
		p.Fatalf("KeepJournal = %+v, %v; want %+v", got, err, want)
	}
}

func (p *people) journal() string { return p.db.Path() + subscribers.JournalSuffix }

// backup copies the database as it is now.
func (p *people) backup() string {
	p.Helper()
	path := filepath.Join(p.TempDir(), "backup.db")
	if err := p.db.Backup(p.Context(), path); err != nil {
		p.Fatal(err)
	}
	return path
}

// restore opens a copy of a backup beside the journal of now.
func (p *people) restore(backup string, want subscribers.Replayed) *people {
	p.Helper()
	path := filepath.Join(p.TempDir(), "restored.db")
	if err := store.CopyFile(p.Context(), backup, path); err != nil {
		p.Fatal(err)
	}
	data, err := os.ReadFile(p.journal())
	if err == nil {
		err = os.WriteFile(path+subscribers.JournalSuffix, data, 0o600)
	}
	if err != nil {
		p.Fatal(err)
	}
	return p.open(path, want)
}

// open opens the database at path as another process would.
func (p *people) open(path string, want subscribers.Replayed) *people {
	p.Helper()
	db, err := store.Open(p.Context(), path)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { db.Close() })
	other := &people{TB: p.TB, Registry: p.Registry, db: db, clock: p.clock}
	other.keepJournal(want)
	return other
}

func TestRestoredDatabaseLearnsWhoLeft(t *testing.T) {
	p := journalled(t)
	names := []string{"series", "everything", "bounced", "complained", "manual", "erased", "stays"}
	ids := map[string]int64{}
	for _, name := range names {
		ids[name] = p.active(skin, name+"@example.org").ID
		p.active(gut, name+"@example.org")
	}
	inDomain := p.active(skin, "any@gone.example").ID
	monday := p.backup()
	p.pass(day)
	p.leave(ids["series"], skin)
	p.leave(ids["everything"], 0)
	p.suppress("bounced@example.org", 0, "bounce")
	p.suppress("complained@example.org", 0, "complaint")
	p.suppress("manual@example.org", 0, "manual")
	p.suppress("gone.example", 0, "manual")
	p.suppress("stranger@example.org", 0, "bounce")
	p.erase(ids["erased"])
	left := p.clock
	p.pass(2 * day)

	r := p.restore(monday, subscribers.Replayed{Leaves: 8})
	for _, name := range names {
		r.wantGets(skin, name+"@example.org", name == "stays", "restored, in the first series")
		r.wantGets(gut, name+"@example.org", name == "stays" || name == "series", "restored, in the second series")
	}
	r.wantGets(skin, "any@gone.example", false, "restored, a suppressed domain")
	if e := r.enrolment(skin, inDomain); e.State != subscribers.Active {
		t.Errorf("an enrolment that a domain's suppression keeps waiting = %+v, want it active", e)
	}
	if err := r.enrol(skin, "stranger@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("enrol somebody suppressed since, whom the backup never knew: %v, want ErrSuppressed", err)
	}
	if _, err := subscribers.ByID(t.Context(), r.db, ids["erased"]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the erased person in the restored backup: %v, want nobody", err)
	}
	if n := r.count(`SELECT count(*) FROM subscribers WHERE email LIKE 'erased%'`); n != 0 {
		t.Error("the restored backup still has the address of the erased")
	}
	if st, err := r.StandingOf(t.Context(), r.db, ids["series"], skin); err != nil || !st.Leave.At.Equal(left) {
		t.Errorf("leave in the restored backup = %+v, %v; want that of %s", st.Leave, err, left)
	}
	if got := r.events(ids["everything"]); got[len(got)-1] != "unsubscribed" {
		t.Errorf("events in the restored backup = %v, want the leave at the end", got)
	}
	before := dump(r)
	again := r.open(r.db.Path(), subscribers.Replayed{})
	if diff := cmp.Diff(before, dump(again)); diff != "" {
		t.Errorf("opening it again changed (-before +after):\n%s", diff)
	}
	if err := r.undo(ids["series"], skin); err != nil {
		t.Errorf("undo of a leave that the journal brought back: %v", err)
	}
}

// TestReplayKnowsWhoCameBack: what a person said after their leave stands where it is known, and where its proof is lost they are out.
func TestReplayKnowsWhoCameBack(t *testing.T) {
	p := journalled(t)
	confirmed := p.active(skin, "confirmed@example.org").ID
	undone := p.active(skin, "undone@example.org").ID
	before := p.backup()
	p.pass(day)
	p.leave(confirmed, skin)
	p.leave(undone, skin)
	p.pass(day)
	p.active(skin, "confirmed@example.org")
	if err := p.undo(undone, skin); err != nil {
		t.Fatal(err)
	}
	after := p.backup()
	p.pass(day)
	p.leave(p.active(gut, "other@example.org").ID, 0)
	for _, tt := range []struct {
		what string
		p    *people
		in   bool
	}{
		{"the live database", p.open(p.db.Path(), subscribers.Replayed{}), true},
		{"a backup of after", p.restore(after, subscribers.Replayed{Leaves: 1}), true},
		{"a backup of before", p.restore(before, subscribers.Replayed{Leaves: 3}), false},
	} {
		tt.p.wantGets(skin, "confirmed@example.org", tt.in, tt.what)
		tt.p.wantGets(skin, "undone@example.org", tt.in, tt.what)
	}
}

// failCommit makes a change whose commit fails, after the journal was written.
func (p *people) failCommit(f func(tx *store.Tx) error) {
	p.Helper()
	err := p.tx(func(tx *store.Tx) error {
		if _, err := tx.Exec(p.Context(), `PRAGMA defer_foreign_keys = on`); err != nil {
			return err
		}
		if _, err := tx.Exec(p.Context(), `INSERT INTO enrolments (series_id, subscriber_id, state, created, updated) VALUES (9, 4711, 'pending', 1, 1)`); err != nil {
			return err
		}
		return f(tx)
	})
	if err == nil || !strings.Contains(err.Error(), "commit") {
		p.Fatalf("got %v, want the commit to fail", err)
	}
}

// TestCommitThatFailsBehindTheJournal: nobody was answered, but somebody asked to leave. They are out from the next transaction on,
// whoever makes it, and what they say after that stands.
func TestCommitThatFailsBehindTheJournal(t *testing.T) {
	p := journalled(t)
	other := p.open(p.db.Path(), subscribers.Replayed{})
	id := p.active(skin, "ada@example.org").ID
	leave := func(tx *store.Tx) error {
		return p.Unsubscribe(t.Context(), tx, id, skin, subscribers.Evidence{})
	}
	nothing := func(*store.Tx) error { return nil }
	for what, next := range map[string]*people{"this process": p, "another process": other} {
		p.failCommit(leave)
		p.wantGets(skin, "ada@example.org", true, "after the failed commit")
		next.must(nothing)
		p.wantGets(skin, "ada@example.org", false, "after a transaction of "+what)
		p.pass(day)
		p.active(skin, "ada@example.org")
		p.must(nothing)
		other.must(nothing)
		p.open(p.db.Path(), subscribers.Replayed{}).wantGets(skin, "ada@example.org", true, "confirmed after that")
	}
	p.failCommit(leave)
	p.leave(p.active(skin, "bob@example.org").ID, skin) // the number of the failed one is not given twice
	for _, email := range []string{"ada@example.org", "bob@example.org"} {
		p.wantGets(skin, email, false, "after both")
	}
	p.open(p.db.Path(), subscribers.Replayed{})
}

// TestTwoProcessesShareTheJournal has two open databases write in turn, as serve and a command do.
func TestTwoProcessesShareTheJournal(t *testing.T) {
	p := journalled(t)
	other := p.open(p.db.Path(), subscribers.Replayed{})
	backup := ""
	for i := range 12 {
		id := p.active(skin, fmt.Sprintf("%d@example.org", i)).ID
		if i == 3 {
			backup = p.backup()
		}
		[]*people{p, other}[i%2].leave(id, skin)
	}
	restored := p.restore(backup, subscribers.Replayed{Leaves: 9})
	for i := range 12 {
		if err := restored.enrol(skin, fmt.Sprintf("%d@example.org", i)); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("reader %d in the restored backup: %v, want ErrSuppressed", i, err)
		}
	}
}

// TestMissingJournal: the file is written anew from what stands, so that an older backup is told that at least.
func TestMissingJournal(t *testing.T) {
	for what, lose := range map[string]func(path string) error{
		"removed":  os.Remove,
		"emptied":  func(path string) error { return os.Truncate(path, 0) },
		"cut off":  func(path string) error { return os.Truncate(path, 88) },
		"reverted": func(path string) error { return os.Truncate(path, 2*88) },
	} {
		t.Run(what, func(t *testing.T) {
			p := journalled(t)
			ada, bob := p.active(skin, "ada@example.org").ID, p.active(skin, "bob@example.org").ID
			backup := p.backup()
			p.leave(ada, skin)
			p.leave(bob, skin)
			if err := lose(p.journal()); err != nil {
				t.Fatal(err)
			}
			p.open(p.db.Path(), subscribers.Replayed{Remade: true})
			p.leave(p.active(skin, "cyd@example.org").ID, skin)
			r := p.restore(backup, subscribers.Replayed{Leaves: 3})
			for _, email := range []string{"ada@example.org", "bob@example.org"} {
				r.wantGets(skin, email, false, "in the backup")
			}
		})
	}
}

// TestJournalLostWhileRunning: the next transaction makes it again.
func TestJournalLostWhileRunning(t *testing.T) {
	p := journalled(t)
	ada := p.active(skin, "ada@example.org").ID
	bob := p.active(skin, "bob@example.org").ID
	backup := p.backup()
	p.leave(ada, skin)
	if err := os.Remove(p.journal()); err != nil {
		t.Fatal(err)
	}
	p.leave(bob, skin)
	r := p.restore(backup, subscribers.Replayed{Leaves: 2})
	for _, email := range []string{"ada@example.org", "bob@example.org"} {
		r.wantGets(skin, email, false, "in the backup")
	}
}

func TestJournalOfAnotherSite(t *testing.T) {
	p, foreign := journalled(t), journalled(t)
	data, err := os.ReadFile(foreign.journal())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.journal(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.KeepJournal(t.Context(), p.db); !errors.Is(err, subscribers.ErrForeignJournal) {
		t.Errorf("KeepJournal: %v, want ErrForeignJournal", err)
	}
	if after, err := os.ReadFile(p.journal()); err != nil || string(after) != string(data) {
		t.Errorf("the other site's journal was changed (%v)", err)
	}
	if _, err := (&subscribers.Registry{Key: newKey(t)}).KeepJournal(t.Context(), foreign.db); !errors.Is(err, subscribers.ErrForeignJournal) {
		t.Errorf("KeepJournal with another key: %v, want ErrForeignJournal", err)
	}
}

// TestNothingIsCommittedWithoutTheJournal: no leave is answered that a backup could undo, and nothing else is written either,
// so that nobody is mailed who may be asking to leave. Once the file can be written all goes on.
func TestNothingIsCommittedWithoutTheJournal(t *testing.T) {
	p := journalled(t)
	id := p.active(skin, "ada@example.org").ID
	aside := p.journal() + ".aside"
	if err := errors.Join(os.Rename(p.journal(), aside), os.Mkdir(p.journal(), 0o700)); err != nil {
		t.Fatal(err)
	}
	before := dump(p)
	for what, f := range map[string]func(tx *store.Tx) error{
		"a leave": func(tx *store.Tx) error {
			return p.Unsubscribe(t.Context(), tx, id, skin, subscribers.Evidence{})
		},
		"anything": func(*store.Tx) error { return nil },
	} {
		if err := p.tx(f); !errors.Is(err, store.ErrDisk) {
			t.Errorf("%s: %v, want ErrDisk", what, err)
		}
	}
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
	if err := errors.Join(os.Remove(p.journal()), os.Rename(aside, p.journal())); err != nil {
		t.Fatal(err)
	}
	p.leave(id, skin)
	p.wantGets(skin, "ada@example.org", false, "once the journal is back")
}

// TestJournalHoldsNoAddress looks into the file itself.
func TestJournalHoldsNoAddress(t *testing.T) {
	p := journalled(t)
	p.leave(p.active(skin, "ada@example.org").ID, skin)
	p.suppress("gone.example", 0, "manual")
	data, err := os.ReadFile(p.journal())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ada", "example", "gone"} {
		if strings.Contains(string(data), secret) {
			t.Errorf("the journal has %q in it", secret)
		}
	}
	if info, err := os.Stat(p.journal()); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 3*88 {
		t.Errorf("the journal: %v, %v; want 264 octets for its owner alone", info, err)
	}
}

// TestJournalOfADatabaseFromBefore opens a database in which people stand suppressed since before there was a journal.
func TestJournalOfADatabaseFromBefore(t *testing.T) {
	p := newPeople(t)
	ada := p.active(skin, "ada@example.org").ID
	backup := p.backup()
	p.leave(ada, skin)
	p.pass(time.Hour)
	p.keepJournal(subscribers.Replayed{Remade: true})
	p.must(func(*store.Tx) error { return nil })
	p.restore(backup, subscribers.Replayed{Leaves: 1}).wantGets(skin, "ada@example.org", false, "in the backup")
}

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

const tables = "-- +goose Up\nCREATE TABLE things (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;\n"

func migrateThings(files ...string) func(context.Context, *store.DB) error {
	fsys := fstest.MapFS{"migrations/0001_things.sql": {Data: []byte(tables)}}
	for i, content := range files {
		fsys[fmt.Sprintf("migrations/%04d_more.sql", i+2)] = &fstest.MapFile{Data: []byte(content)}
	}
	return func(ctx context.Context, db *store.DB) error { return store.Migrate(ctx, db, "things", fsys) }
}

// TestPragmas asks every connection that the pools can open, since a pragma set on one of them alone is a trap.
func TestPragmas(t *testing.T) {
	db := storetest.Open(t)
	ask := func(q store.Querier, pragma string) string {
		var got string
		if err := q.QueryRow(t.Context(), "SELECT * FROM pragma_"+pragma).Scan(&got); err != nil {
			t.Fatalf("%s: %v", pragma, err)
		}
		return got
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "20", "query_only": "0", "secure_delete": "1"}
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		for pragma, want := range want {
			if got := ask(tx, pragma); got != want {
				t.Errorf("writer: %s: got %s, want %s", pragma, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{"query_only": "1", "synchronous": "2"} {
		if got := ask(db, pragma); got != want {
			t.Errorf("reader: %s: got %s, want %s", pragma, got, want)
		}
	}
}

// TestEmptyLog deletes a word and looks for it in the files while they are open, with somebody in the way who read before, and without.
func TestEmptyLog(t *testing.T) {
	db := storetest.Open(t, migrateThings("-- +goose Up\nCREATE TABLE words (word TEXT NOT NULL) STRICT;\n"))
	const word = "a word that is found in a file"
	exec := func(query string, args ...any) {
		t.Helper()
		err := db.InTx(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), query, args...); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	inFiles := func() (in []string) {
		t.Helper()
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(db.Path() + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(content), word) {
				in = append(in, suffix)
			}
		}
		return in
	}
	exec(`INSERT INTO words (word) VALUES (?1)`, word)
	exec(`DELETE FROM words`)
	if in := inFiles(); len(in) == 0 {
		t.Fatal("the word is nowhere, so that nothing is shown")
	}
	err := db.Snapshot(t.Context(), func(q store.Querier) error {
		var n int
		if err := q.QueryRow(t.Context(), `SELECT count(*) FROM words`).Scan(&n); err != nil {
			return err
		}
		exec(`INSERT INTO things (n) VALUES (1)`)
		done, err := db.EmptyLog(t.Context())
		if done || err != nil {
			t.Errorf("while somebody reads older pages: done %v, %v, want neither", done, err)
		}
		exec(`INSERT INTO things (n) VALUES (2)`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := db.EmptyLog(t.Context()); !done || err != nil {
		t.Errorf("done %v, %v, want it done", done, err)
	}
	if in := inFiles(); len(in) > 0 {
		t.Errorf("the word is in %q", in)
	}
	var wait, n int
	err = db.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.QueryRow(t.Context(), `SELECT timeout FROM pragma_busy_timeout`).Scan(&wait); err != nil {
			return err
		}
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n)
	})
	if err != nil || wait != 20 || n != 2 {
		t.Errorf("afterwards the writer waits %d ms for others and has %d rows, %v, want 20 and 2", wait, n, err)
	}
}

// TestWaitForAnotherProgram has another one hold the write lock until ours gives up.
func TestWaitForAnotherProgram(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, migrateThings())
	other, err := store.Open(t.Context(), db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	for _, tt := range []struct {
		ctx  context.Context
		held func() // while the lock is held and asked for
		want error
	}{
		{cancelled, cancel, context.Canceled},
		{t.Context(), func() {}, store.ErrBusy},
	} {
		err := other.InTx(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (1)`); err != nil {
				return err
			}
			asked := make(chan error)
			go func() { asked <- db.InTx(tt.ctx, func(*store.Tx) error { return nil }) }()
			tt.held()
			if err := <-asked; !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.InTx(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Errorf("afterwards: got %v, want a transaction", err)
	}
}

// TestCheckpoint looks for what was committed in the database file itself, while a transaction is open.
func TestCheckpoint(t *testing.T) {
	db := storetest.Open(t, migrateThings("-- +goose Up\nCREATE TABLE words (word TEXT NOT NULL) STRICT;\n"))
	const word = "a word that is found in a file"
	insert := func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO words (word) VALUES (?1)`, word)
		return err
	}
	inFile := func() bool {
		content, err := os.ReadFile(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(content), word)
	}
	if err := db.InTx(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	if inFile() {
		t.Fatal("the word is in the file before it was moved there")
	}
	err := db.InTx(t.Context(), func(tx *store.Tx) error { return errors.Join(insert(tx), db.Checkpoint(t.Context())) })
	if err != nil {
		t.Fatal(err)
	}
	if !inFile() {
		t.Error("the word is not in the file")
	}
}

// TestReadThenWrite runs read-then-write transactions against each other: immediate transactions never meet a lock.
func TestReadThenWrite(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO things (id, n) VALUES (1, 0)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const writers, rounds = 8, 25
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range rounds {
				err := db.InTx(t.Context(), func(tx *store.Tx) error {
					var n int
					if err := tx.QueryRow(t.Context(), `SELECT n FROM things WHERE id = ?1`, 1).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), `UPDATE things SET n = ?1 WHERE id = ?2`, n+1, 1)
					return err
				})
				if err != nil {
					t.Errorf("read then write: %v", err)
				}
			}
		})
	}
	all.Wait()
	var n int
	if err := db.QueryRow(t.Context(), `SELECT n FROM things`).Scan(&n); err != nil || n != writers*rounds {
		t.Errorf("got %d (%v), want %d", n, err, writers*rounds)
	}
}

// TestRollback: an error and a panic leave nothing behind.
func TestSnapshot(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	count := func(q store.Querier) (n int) {
		if err := q.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	broken := errors.New("broken")
	for range 10 { // more than there are readers: each gives its own back
		err := db.Snapshot(t.Context(), func(q store.Querier) error {
			before := count(q)
			err := db.InTx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (1)`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := count(q); got != before {
				t.Errorf("a snapshot of %d rows has %d after a commit", before, got)
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want the error of what read", err)
		}
	}
	if got := count(db); got != 10 {
		t.Errorf("got %d rows afterwards, want 10", got)
	}
}

func TestRollback(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	fault := errors.New("fault")
	insert := func(tx *store.Tx) {
		if _, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.InTx(t.Context(), func(tx *store.Tx) error { insert(tx); return fault }); !errors.Is(err, fault) {
		t.Errorf("got %v, want the error of the function", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.InTx(t.Context(), func(tx *store.Tx) error { insert(tx); panic("inside") })
	}()
	var id int
	if err := db.QueryRow(t.Context(), `SELECT id FROM things`).Scan(&id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got row %d, %v, want ErrNotFound", id, err)
	}
}

// TestForeign: files of others are refused and not changed by a byte.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	makeOther(t, other)
	for name, path := range map[string]string{
		"text":          writeFile(t, dir, "notes.txt", "Dear diary, nothing in here is a database, and so it shall stay for all of these many words."),
		"short":         writeFile(t, dir, "short.txt", "short"),
		"other program": other,
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(t.Context(), path)
			if !errors.Is(err, store.ErrForeign) {
				t.Errorf("got %v, %v, want ErrForeign", db, err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// makeOther makes a database that another program could have made: ours, with its mark taken away.
func makeOther(t *testing.T, path string) {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrateThings()(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	err = db.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `PRAGMA application_id = 1234`)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpenBesideAWriter: who opens a database that is up to date waits for no lock.
func TestOpenBesideAWriter(t *testing.T) {
	migrate := migrateThings()
	db := storetest.Open(t, migrate)
	err := db.InTx(t.Context(), func(*store.Tx) error {
		other, err := store.Open(t.Context(), db.Path())
		if err != nil {
			return err
		}
		return errors.Join(migrate(t.Context(), other), other.Close())
	})
	if err != nil {
		t.Errorf("beside a writer: got %v, want it to open", err)
	}
}

// TestPrivate: the files that hold people's addresses are their owner's alone.
func TestPrivate(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: got permissions %o, want 600", info.Name(), got)
		}
	}
}

// TestMigrate: each file once; a faulty file leaves nothing of itself; a newer database is refused.
func TestMigrate(t *testing.T) {
	db := storetest.Open(t, migrateThings(), migrateThings())
	if err := migrateThings("-- +goose Up\nCREATE TABLE more (id INTEGER) STRICT;\nCREATE TABLE more (id INTEGER) STRICT;\n")(t.Context(), db); err == nil {
		t.Error("a faulty migration: got no error")
	}
	var name string
	if err := db.QueryRow(t.Context(), `SELECT name FROM sqlite_schema WHERE name = 'more'`).Scan(&name); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half a migration stayed: %q, %v", name, err)
	}
	if err := migrateThings("-- +goose Up\nCREATE TABLE more (id INTEGER) STRICT;\n")(t.Context(), db); err != nil {
		t.Errorf("the mended migration: %v", err)
	}
	if err := migrateThings()(t.Context(), db); !errors.Is(err, store.ErrNewer) {
		t.Errorf("an older program: got %v, want ErrNewer", err)
	}
}

// TestFull: a full disk is ErrDisk, what was committed stays, and the database goes on once there is room.
func TestFull(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	limit := func(pages int) {
		err := db.InTx(t.Context(), func(tx *store.Tx) error {
			var now int
			return tx.QueryRow(t.Context(), fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)).Scan(&now)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func() error {
		return db.InTx(t.Context(), func(tx *store.Tx) error {
			for i := range 20_000 {
				if _, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	limit(10)
	if err := fill(); !errors.Is(err, store.ErrDisk) {
		t.Errorf("full: got %v, want ErrDisk", err)
	}
	limit(1 << 20)
	if err := fill(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	var rows int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&rows); err != nil || rows != 20_000 {
		t.Errorf("got %d rows (%v), want those of the one whole transaction", rows, err)
	}
}

// TestTogether has many make a change at once: each is told its own outcome, and one that fails takes nobody along.
func TestTogether(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	commits := 0
	db.Around(nil, func(context.Context, *store.Tx) error { commits++; return nil })
	const callers = 64
	fault := errors.New("no")
	outcomes := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			outcomes[i] = db.Together(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, i); err != nil || i%16 != 7 {
					return err
				}
				return fault
			})
		})
	}
	all.Wait()
	for i, err := range outcomes {
		var n int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM things WHERE n = ?1`, i).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if want := i%16 != 7; (err == nil) != want || (n == 1) != want {
			t.Errorf("caller %d: %v, with %d rows", i, err, n)
		}
	}
	t.Logf("%d commits", commits)
}

// TestTogetherSharesCommits keeps the database busy while others ask: they share one commit.
func TestTogetherSharesCommits(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	commits := 0
	db.Around(nil, func(context.Context, *store.Tx) error { commits++; return nil })
	const callers = 20
	var all sync.WaitGroup
	first := make(chan struct{})
	all.Go(func() {
		_ = db.Together(t.Context(), func(*store.Tx) error {
			close(first)
			for db.Waiting() < callers {
				runtime.Gosched()
			}
			return nil
		})
	})
	<-first
	for range callers {
		all.Go(func() {
			if err := db.Together(t.Context(), func(*store.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if commits != 2 {
		t.Errorf("got %d commits for one caller and %d that waited for it, want 2", commits, callers)
	}
}

// TestTogetherAfterAPanic: one caller's panic is its own, and the next ones are served.
func TestTogetherAfterAPanic(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Together(t.Context(), func(*store.Tx) error { panic("a fault") })
	}()
	if err := db.Together(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestBackup copies a database that is written meanwhile, and never over another file.
func TestBackup(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	add := func(n int) {
		t.Helper()
		if err := db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, n)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	add(1)
	dir := t.TempDir()
	backup, copied := filepath.Join(dir, "backup.db"), filepath.Join(dir, "copy.db")
	if err := db.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	add(2)
	if err := db.Backup(t.Context(), backup); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup over a file: %v, want os.ErrExist", err)
	}
	if err := errors.Join(store.Check(t.Context(), backup, true), store.CopyFile(t.Context(), backup, copied)); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(found) != 2 || len(hidden) != 0 {
		t.Errorf("the folder has %v and %v, want the two files alone", found, hidden)
	}
	for _, path := range found {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, want it for its owner alone", path, info.Mode())
		}
		again, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		err = again.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n)
		if err = errors.Join(err, again.Close()); err != nil || n != 1 {
			t.Errorf("%s: %d things, %v; want 1", path, n, err)
		}
	}
}

// TestCheckFindsDamage changes pages of a backup.
func TestCheckFindsDamage(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	if err := db.InTx(t.Context(), func(tx *store.Tx) error {
		for n := range 2000 {
			if _, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, n); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := db.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		data []byte
		want error
	}{
		"cut off":      {whole[:len(whole)/2], store.ErrDamaged},
		"overwritten":  {append(append(append([]byte{}, whole[:8192]...), make([]byte, 4096)...), whole[12288:]...), store.ErrDamaged},
		"another file": {[]byte(strings.Repeat("something else ", 100)), store.ErrForeign},
		"empty":        {nil, store.ErrForeign},
	} {
		path := filepath.Join(t.TempDir(), "damaged.db")
		if err := os.WriteFile(path, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.Check(t.Context(), path, false); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
	if err := store.Check(t.Context(), filepath.Join(t.TempDir(), "none.db"), false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v, want os.ErrNotExist", err)
	}
}

func TestUsed(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	db.Used()
	for range 3 {
		if err := db.InTx(t.Context(), func(*store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	_ = db.InTx(t.Context(), func(*store.Tx) error { return store.ErrNotFound })
	if got := db.Used(); got.Commits != 3 || got.Longest <= 0 {
		t.Errorf("got %+v, want 3 commits that took time", got)
	}
	if got := db.Used(); got != (store.Used{}) {
		t.Errorf("got %+v since then, want nothing", got)
	}
}

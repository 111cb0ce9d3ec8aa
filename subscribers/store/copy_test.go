package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

// TestCopy changes a copy while the original is being written: neither waits for the other, and nothing of the copy stays.
func TestCopy(t *testing.T) {
	db := storetest.Open(t, migrateThings())
	add := func(db *store.DB, n int) {
		t.Helper()
		err := db.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO things (n) VALUES (?1)`, n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(db *store.DB) (n int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	add(db, 1)
	copied, closeCopy, err := db.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add(copied, 2)
	add(copied, 3)
	add(db, 4)
	if here, there := count(db), count(copied); here != 2 || there != 3 {
		t.Errorf("got %d in the database and %d in its copy, want 2 and 3", here, there)
	}
	if info, err := os.Stat(filepath.Dir(copied.Path())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the copy's folder: %v, %v, want it open to its owner alone", info.Mode(), err)
	}
	if err := closeCopy(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(copied.Path())); !os.IsNotExist(err) {
		t.Errorf("the copy's folder after close: %v, want it gone", err)
	}
}

// TestCopiesOfTheDeadAreDropped opens a database beside which a process died with a copy, and one lives.
func TestCopiesOfTheDeadAreDropped(t *testing.T) {
	db := storetest.Open(t)
	dead := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	folder := func(pid int) string {
		dir := filepath.Join(filepath.Dir(db.Path()), fmt.Sprintf(".pressrun-copy-%d-7", pid))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	left, used := folder(dead.Process.Pid), folder(os.Getpid())
	again, err := store.Open(t.Context(), db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the dead one's copy: %v, want it gone", err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("the living one's copy: %v, want it left alone", err)
	}
}

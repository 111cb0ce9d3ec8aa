package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"pressrun/subscribers/store"
)

// TestEraseSaysWhatIsLeft erases by the command line while another process reads and an import is not done: it is done at once, says
// what is left, and the next run-due cleans the files.
func TestEraseSaysWhatIsLeft(t *testing.T) {
	site := newTrial(t)
	site.bread("ada.lovelace@reader.example", "bob@reader.example")
	other, err := store.Open(t.Context(), "pressrun.db")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	left := func() (files []string) {
		for _, path := range []string{"pressrun.db", "pressrun.db-wal"} {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(content, []byte("lovelace")) {
				files = append(files, path)
			}
		}
		return files
	}
	part := func(query string) {
		t.Helper()
		if err := other.InTx(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), query); return err }); err != nil {
			t.Fatal(err)
		}
	}
	part(`INSERT INTO imports (id, series_id, sum, terms, begun, touched) VALUES (7, 1, '', '{}', 1, 9999999999999)`)
	part(`INSERT INTO import_parts (import_id, number, data) VALUES (7, 0, X'00')`)
	err = other.Snapshot(t.Context(), func(q store.Querier) error {
		var n int
		if err := q.QueryRow(t.Context(), `SELECT count(*) FROM subscribers`).Scan(&n); err != nil {
			return err
		}
		said := site.run("subscriber", "erase", "ada.lovelace@reader.example", "--yes")
		for _, want := range []string{"is erased. Backups of before", "Old pages are left", "The file of an import that isn't done"} {
			if !strings.Contains(said, want) {
				t.Errorf("it says\n%s\nwant %q in it", said, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(left()) == 0 {
		t.Error("nothing was left, so that nothing is shown")
	}
	part(`DELETE FROM import_parts`)
	site.run("run-due")
	if files := left(); len(files) > 0 {
		t.Errorf("the name is left in %q", files)
	}
	if said := site.run("subscriber", "erase", "bob@reader.example", "--yes"); strings.Count(said, "\n") != 1 {
		t.Errorf("with nobody in the way it says\n%s", said)
	}
}

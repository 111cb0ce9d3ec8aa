package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMondayOnThursday is the backup of Monday, made by serve itself, put back after somebody left by the link in their letter: the
// next issue leaves them out.
func TestMondayOnThursday(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example", "ben@reader.example")
	site.serveUntil("nightly backup made")()
	nights, err := filepath.Glob("backups/pressrun-*.db")
	if err != nil || len(nights) != 1 {
		t.Fatalf("nightly backups: %v (%v), want one", nights, err)
	}

	stop := site.serve()
	if again := site.try("restore", nights[0], "--yes"); again == nil || !strings.Contains(again.Error(), "another pressrun sends") {
		t.Errorf("restore beside serve: %v, want it refused", again)
	}
	site.run("issue", "send", "bread", "--yes")
	first := site.await(2)
	site.leaveByOneClick(leaveLink(t, first[0].Data))
	stop()

	said := site.run("restore", nights[0], "--yes")
	if !strings.Contains(said, "out in it too: 1 leave from the journal") {
		t.Errorf("restore doesn't tell of the leave:\n%s", said)
	}
	site.run("go-live", "--yes")
	site.run("issue", "send", "bread", "--yes")
	all := site.await(3)
	if len(all) != 3 || all[2].To == first[0].To {
		t.Fatalf("after the restore %d messages were sent, the last to %s; want one, not to %s who left", len(all)-2, all[len(all)-1].To, first[0].To)
	}
}

// restores are the ways in which monday.db takes the database's place.
var restores = map[string]func(site *trial){
	"restored": func(site *trial) { site.run("restore", "monday.db", "--yes") },
	"copied into the file": func(site *trial) {
		site.place(func(backup, database string) error {
			data, err := os.ReadFile(backup)
			return errors.Join(err, os.WriteFile(database, data, 0o600))
		})
	},
	"moved into its place": func(site *trial) { site.place(os.Rename) },
}

// place puts monday.db in the database's place by hand.
func (s *trial) place(put func(backup, database string) error) {
	s.t.Helper()
	for _, suffix := range databaseFiles[1:] {
		if err := os.Remove("pressrun.db" + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
	}
	if err := put("monday.db", "pressrun.db"); err != nil {
		s.t.Fatal(err)
	}
	s.run("go-live", "--yes")
}

// TestLinksOfBeforeARestore is somebody who came after the backup: the link in their letter must not become that of whoever comes
// after the restore, also where the backup was put in place by hand.
func TestLinksOfBeforeARestore(t *testing.T) {
	for name, restore := range restores {
		t.Run(name, func(t *testing.T) {
			site := newTrial(t)
			site.bread()
			site.run("backup", "monday.db")
			site.run("subscriber", "add", "bread", "ada@reader.example", "--confirmed", "--because", "asked in the shop")
			stop := site.serve()
			site.run("issue", "send", "bread", "--yes")
			ada := site.await(1)[0]
			stop()

			restore(site)
			site.run("subscriber", "add", "bread", "ben@reader.example", "--confirmed", "--because", "asked in the shop")
			stop = site.serve()
			site.leaveByOneClick(leaveLink(t, ada.Data))
			stop()
			if shown := site.run("subscriber", "show", "ben@reader.example"); !strings.Contains(shown, "ben@reader.example>: active") {
				t.Errorf("ada's link unsubscribed somebody else:\n%s", shown)
			}
		})
	}
}

// TestSignedOutByARestore is an owner who is in the backup, signed in and with a link unused, and was removed since: neither is good
// any more, and somebody can sign in.
func TestSignedOutByARestore(t *testing.T) {
	for name, restore := range restores {
		t.Run(name, func(t *testing.T) {
			site := newTrial(t)
			site.bread()
			site.run("user", "add", "eve@bakery.example", "--role", "owner")
			unused := strings.TrimSpace(site.run("user", "link", "eve@bakery.example"))
			stop := site.serve()
			eve := site.signIn(strings.TrimSpace(site.run("user", "link", "eve@bakery.example")))
			if eve == nil || site.desk(eve) != http.StatusOK {
				t.Fatal("eve can't sign in")
			}
			stop()
			site.run("backup", "monday.db")
			stop = site.serve()
			site.run("user", "remove", "eve@bakery.example", "--yes")
			stop()

			restore(site)
			stop = site.serve()
			defer stop()
			if got := site.desk(eve); got != http.StatusSeeOther {
				t.Errorf("the session of before: got %d, want 303 to the way in", got)
			}
			if c := site.signIn(unused); c != nil {
				t.Error("the link of before signs in")
			}
			if c := site.signIn(strings.TrimSpace(site.run("user", "link"))); c == nil || site.desk(c) != http.StatusOK {
				t.Error("nobody can sign in any more")
			}
		})
	}
}

// TestAsideIsKept: restores in the same second keep each database that was there.
func TestAsideIsKept(t *testing.T) {
	database := filepath.Join(t.TempDir(), "pressrun.db")
	now := time.Date(2027, 3, 30, 9, 0, 0, 0, time.UTC)
	kept := map[string]bool{}
	for range 3 {
		name := asideName(database, now)
		if kept[name] {
			t.Fatalf("%s would be replaced", name)
		}
		kept[name] = true
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A database that is missing is still known as that where a backup is named instead.
func TestMissingDatabaseNamesItsBackup(t *testing.T) {
	c := Config{Database: "pressrun.db", BackupDir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(c.BackupDir, "pressrun-2027-03-29.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, missing := range []error{errNoDatabase, errEmptyDatabase} {
		if err := c.orBackup(missing); !errors.Is(err, missing) || !strings.Contains(err.Error(), "pressrun-2027-03-29.db") || strings.Contains(err.Error(), missing.Error()) {
			t.Errorf("%v: got %v, want it with the backup named in place of its own words", missing, err)
		}
	}
}

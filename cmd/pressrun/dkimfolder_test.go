package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

var keyDay = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

func addKey(t *testing.T, folder dkimFolder, domain string) mailer.DKIMKey {
	t.Helper()
	key, _, err := folder.add(domain, true, keyDay)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// domainsOf are the domains of keys, each as often as it has keys.
func domainsOf(keys mailer.Keyring) []string {
	all := []string{}
	for _, key := range keys {
		all = append(all, key.Domain)
	}
	slices.Sort(all)
	return all
}

// TestDKIMFolderUnreadable: what may hold keys of a domain and can't be read stops that domain's mail, which would leave unsigned.
func TestDKIMFolderUnreadable(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(folder string) error
		lost  string // the domain
		want  string // in the reason
	}{
		{"a domain's folder can't be followed", func(folder string) error {
			return os.Symlink("example.net", filepath.Join(folder, "example.net"))
		}, "example.net", "example.net"},
		{"capitals", func(folder string) error {
			return os.Rename(filepath.Join(folder, "example.org"), filepath.Join(folder, "Example.org"))
		}, "example.org", "small letters"},
		{"a broken key", func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "example.org", "e20270301.pem"), []byte("broken"), 0o600)
		}, "example.org", "e20270301.pem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dkim")
			addKey(t, dkimFolder(path), "example.org")
			if err := tt.spoil(path); err != nil {
				t.Fatal(err)
			}
			signing, _, err := dkimFolder(path).read()
			if err != nil {
				t.Fatal(err)
			}
			keys := signing.For("mail." + tt.lost)
			if len(keys) != 1 || keys[0].Lost() == nil || !strings.Contains(keys[0].Lost().Error(), tt.want) {
				t.Errorf("%s is signed by %+v, want a lost key that says %q", tt.lost, keys, tt.want)
			}
			message := mailer.Message{Domain: tt.lost, Bytes: []byte("From: a@" + tt.lost + "\r\n\r\n")}
			if _, err := (mailer.Handover{Keys: func() mailer.Keyring { return signing }}).Finish(message); !errors.Is(err, mailer.ErrUnsigned) {
				t.Errorf("got %v, want %v", err, mailer.ErrUnsigned)
			}
		})
	}
}

// TestDKIMFolderReads: every key is found, whatever the folder is called and whatever else lies in it.
func TestDKIMFolderReads(t *testing.T) {
	folder := dkimFolder(filepath.Join(t.TempDir(), "news[1]*", "dkim"))
	if signing, waiting, err := folder.read(); err != nil || len(signing)+len(waiting) != 0 {
		t.Fatalf("before the first key: got %d and %d keys, %v, want none", len(signing), len(waiting), err)
	}
	addKey(t, folder, "example.org")
	addKey(t, folder, "example.org") // waits
	addKey(t, folder, "Example.NET")
	for _, name := range []string{"README", ".hidden", "example.org/notes.txt"} {
		if err := os.WriteFile(filepath.Join(string(folder), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	signing, waiting, err := folder.read()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := domainsOf(signing), []string{"example.net", "example.org"}; !slices.Equal(got, want) {
		t.Errorf("signing: got %q, want %q", got, want)
	}
	if got, want := domainsOf(waiting), []string{"example.org"}; !slices.Equal(got, want) {
		t.Errorf("waiting: got %q, want %q", got, want)
	}
}

// TestDKIMNoFolder: a file in place of the folder of all keys is an error.
func TestDKIMNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dkim")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := dkimFolder(file).read(); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("got %v, want an error that says it is no folder", err)
	}
}

// TestDKIMKeysStay: a process that signs for a domain goes on, also where its folder vanishes or can't be read; a new key of the
// domain takes over, and a domain that was dropped is let go.
func TestDKIMKeysStay(t *testing.T) {
	folder, s := dkimSite(t)
	old := addKey(t, folder, "example.org")
	ring := new(keyRing)
	ring.keys.Store(&mailer.Keyring{})
	read := func(when, domain string, want ...string) {
		t.Helper()
		s.rereadDKIM(t.Context(), ring, ring.keys.Load())
		got := []string{}
		for _, key := range ring.keys.Load().For(domain) {
			if key.Lost() == nil {
				got = append(got, key.Selector)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s is signed by %q, want %q", when, domain, got, want)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	read("at first", "example.org", old.Selector)
	move(string(folder), string(folder)+".away")
	read("folder gone", "example.org", old.Selector)
	addKey(t, folder, "example.net")
	read("another domain's key is there", "example.org", old.Selector)
	read("another domain's key is there", "example.net", old.Selector)
	move(filepath.Join(string(folder), "example.net"), filepath.Join(string(folder), "Example.net"))
	read("one can't be read", "example.net", old.Selector)
	if err := os.RemoveAll(string(folder)); err != nil {
		t.Fatal(err)
	}
	newer, _, err := folder.add("example.org", true, keyDay.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	read("a newer one", "example.org", newer.Selector)
	forgetSigned(t, s, "example.net")
	read("dropped", "example.net")
	if keys := ring.keys.Load().For("example.net"); len(keys) > 0 {
		t.Errorf("dropped: got %+v, want the relay to sign", keys)
	}
	read("another was dropped", "example.org", newer.Selector)
}

// TestDKIMFoundAgain: mail that can't be signed does not leave; once the key is back, or its domain dropped, the next message does, without
// a restart.
func TestDKIMFoundAgain(t *testing.T) {
	for _, tt := range []struct {
		name string
		mend func(t *testing.T, folder dkimFolder, s *site)
		sign bool
	}{
		{"the key is back", func(t *testing.T, folder dkimFolder, _ *site) { addKey(t, folder, "example.org") }, true},
		{"dropped", func(t *testing.T, _ dkimFolder, s *site) { forgetSigned(t, s, "example.org") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder, s := dkimSite(t)
			addKey(t, folder, "example.org")
			if _, err := s.startSigning(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(string(folder)); err != nil {
				t.Fatal(err)
			}
			ring, err := s.startSigning(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			message := mailer.Message{Domain: "mail.example.org", Bytes: []byte("From: a@mail.example.org\r\n\r\nWords.\r\n")}
			finish := s.finish(ring)
			if _, err := finish(message); !errors.Is(err, mailer.ErrUnsigned) || !strings.Contains(err.Error(), "no DKIM key for example.org") {
				t.Fatalf("without a key: got %v, want %v of example.org", err, mailer.ErrUnsigned)
			}
			tt.mend(t, folder, s)
			s.findKeys(ring)(t.Context()) // as the worker does before it gives a message up
			done, err := finish(message)
			if signed := strings.HasPrefix(string(done.Bytes), "DKIM-Signature:"); err != nil || signed != tt.sign {
				t.Errorf("got signed: %v, %v; want signed: %v", signed, err, tt.sign)
			}
		})
	}
}

// dkimSite is a site with a database, and an empty folder of keys.
func dkimSite(t *testing.T) (dkimFolder, *site) {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "pressrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	folder := dkimFolder(filepath.Join(dir, "dkim"))
	return folder, &site{db: db, cfg: Config{DKIM: DKIMConfig{Keys: string(folder)}}, log: slog.New(slog.DiscardHandler), now: time.Now}
}

func forgetSigned(t *testing.T, s *site, domain string) {
	t.Helper()
	if err := s.db.InTx(t.Context(), func(tx *store.Tx) error { return series.ForgetSigned(t.Context(), tx, domain) }); err != nil {
		t.Fatal(err)
	}
}

// TestDKIMNotRenamed: a waiting key that can't take over waits on; the one before it signs, and other domains' keys take over.
func TestDKIMNotRenamed(t *testing.T) {
	folder := dkimFolder(filepath.Join(t.TempDir(), "dkim"))
	records := map[string]string{}
	for _, domain := range []string{"example.net", "example.org"} {
		addKey(t, folder, domain)
		waiting := addKey(t, folder, domain)
		records[waiting.Name()] = "TXT " + waiting.Record()
	}
	if err := os.Mkdir(filepath.Join(string(folder), "example.net", "e20270301b.pem"), 0o700); err != nil { // in its way
		t.Fatal(err)
	}
	s := dnsSite(t, records, func(c *Config) { c.DKIM.Keys = string(folder) })
	keys, err := s.readDKIM(t.Context())
	if err != nil {
		t.Fatalf("got %v, want the keys that sign", err)
	}
	for domain, want := range map[string]string{"example.net": "e20270301", "example.org": "e20270301b"} {
		if got := keys.For(domain); len(got) != 1 || got[0].Selector != want {
			t.Errorf("%s: got %+v, want %s to sign", domain, got, want)
		}
	}
}

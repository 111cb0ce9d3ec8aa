package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers/store"
)

func TestOneSenderAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pressrun.db")
	one, err := outbox.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.TryLock(path); !errors.Is(err, outbox.ErrRunning) {
		t.Errorf("got %v, want ErrRunning", err)
	}
	for range 2 {
		if err := one.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	two, err := outbox.TryLock(path)
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
}

func TestOneWorkerAFile(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	one := s.start(s.config(relay(srv)))
	if _, err := outbox.Start(s.config(relay(srv))); !errors.Is(err, outbox.ErrRunning) {
		t.Errorf("a second worker: got %v, want ErrRunning", err)
	}
	for range 2 {
		if err := one.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := one.Drain(t.Context()); err == nil {
		t.Error("drain of a closed worker: got nil")
	}
	lock := must(outbox.TryLock(s.db.Path()))
	cfg := s.config(relay(srv))
	cfg.Lock = lock
	if err := s.start(cfg).Close(); err != nil {
		t.Error(err)
	}
	if _, err := outbox.TryLock(s.db.Path()); !errors.Is(err, outbox.ErrRunning) {
		t.Errorf("after the worker is closed: got %v, want the lock still its owner's", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartSaysAllThatIsMissing(t *testing.T) {
	_, err := outbox.Start(outbox.Config{})
	for _, name := range []string{"DB", "Relay", "Key", "BaseURL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s named", err, name)
		}
	}
}

func check(t *testing.T, db *store.DB, now time.Time) outbox.Instance {
	t.Helper()
	inst, err := outbox.CheckInstance(t.Context(), db, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

// TestSenderIsNeverHeldByItself starts and stops senders, also by a clock of their own, as a demo's.
func TestSenderIsNeverHeldByItself(t *testing.T) {
	s, srv := newSite(t), smtptest.New(t)
	s.advance(73 * 365 * 24 * time.Hour)
	for i := range 10 {
		if inst := check(t, s.db, time.Now()); inst.Held != "" {
			t.Fatalf("start %d: held: %s", i, inst.Held)
		}
		w := s.start(s.config(relay(srv)))
		s.drain(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// close closes the database, so that all of it is in its file.
func (s *site) close() {
	s.Helper()
	if err := s.db.Close(); err != nil {
		s.Fatal(err)
	}
}

// copyFile copies a database that nobody has open.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCopiedAndRestoredDatabasesAreHeld(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, s *site) (path string, at time.Time)
		want  string
	}{
		{"as it is", func(_ *testing.T, s *site) (string, time.Time) { return s.db.Path(), now }, ""},
		{"clock a little behind", func(_ *testing.T, s *site) (string, time.Time) { return s.db.Path(), now.Add(-9 * time.Minute) }, ""},
		{"clock far behind", func(_ *testing.T, s *site) (string, time.Time) { return s.db.Path(), now.Add(-time.Hour) }, "clock"},
		{"off for a month", func(_ *testing.T, s *site) (string, time.Time) { return s.db.Path(), now.Add(30 * 24 * time.Hour) }, ""},
		{"off for five hours in the middle of an issue", func(_ *testing.T, s *site) (string, time.Time) {
			return s.midway(true), now.Add(5 * time.Hour)
		}, ""},
		{"off for a day in the middle of an issue", func(_ *testing.T, s *site) (string, time.Time) {
			return s.midway(true), now.Add(24 * time.Hour)
		}, "alive 24h0m0s ago, in the middle of an issue"},
		{"off for a day in the middle of a trial", func(_ *testing.T, s *site) (string, time.Time) {
			return s.midway(false), now.Add(24 * time.Hour)
		}, ""},
		{"off for a day after the relay was away", func(t *testing.T, s *site) (string, time.Time) {
			path := s.midway(true)
			w := s.start(s.config(outbox.RelayFunc(func(context.Context) (outbox.Conn, error) { return nil, errTest })))
			if err := errors.Join(w.Close(), s.db.Close()); err != nil {
				t.Fatal(err)
			}
			return path, now.Add(24 * time.Hour)
		}, ""},
		{"off for a day after an issue", func(_ *testing.T, s *site) (string, time.Time) {
			path := s.midway(true)
			s.exec(`UPDATE deliveries SET state = 'skipped'`)
			return path, now.Add(24 * time.Hour)
		}, ""},
		{"copied", func(t *testing.T, s *site) (string, time.Time) {
			path := filepath.Join(t.TempDir(), "copy.db")
			s.close()
			copyFile(t, s.db.Path(), path)
			return path, now
		}, "copy"},
		{"from another machine", func(_ *testing.T, s *site) (string, time.Time) {
			s.exec(`UPDATE instance SET machine = 'another'`)
			return s.db.Path(), now
		}, "another machine"},
		{"from a machine without id", func(_ *testing.T, s *site) (string, time.Time) {
			s.exec(`UPDATE instance SET machine = ''`)
			return s.db.Path(), now
		}, ""},
		{"restored in its place", func(t *testing.T, s *site) (string, time.Time) {
			path := filepath.Join(t.TempDir(), "backup.db")
			s.close()
			copyFile(t, s.db.Path(), path)
			s.db = must(store.Open(t.Context(), s.db.Path()))
			s.send(smtptest.New(t)) // goes on, and notes a later heartbeat
			s.close()
			copyFile(t, path, s.db.Path())
			return s.db.Path(), now.Add(time.Minute)
		}, "older"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			check(t, s.db, now)
			path, at := tt.spoil(t, s)
			db, err := store.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for range 2 { // a hold stays
				if got := check(t, db, at).Held; !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
					t.Errorf("got held %q, want %q in it", got, tt.want)
				}
			}
			err = db.InTx(t.Context(), func(tx *store.Tx) error { return outbox.LiftHold(t.Context(), tx, path, at) })
			if err != nil {
				t.Fatal(err)
			}
			if got := check(t, db, at); got.Held != "" {
				t.Errorf("lifted: got held %q, want none", got.Held)
			}
		})
	}
}

// TestHeldDatabaseThatIsReplaced: while a database is on hold, older ones that are put in its place are told too, each once, by what
// they were held for first.
func TestHeldDatabaseThatIsReplaced(t *testing.T) {
	s := newSite(t)
	now, older := time.Now(), 0
	check(t, s.db, now)
	path, other := s.db.Path(), filepath.Join(t.TempDir(), "pressrun.db")
	reopened := func(db string, want int, when string) {
		t.Helper()
		for range 2 {
			s.db = must(store.Open(t.Context(), db))
			inst, err := outbox.CheckInstance(t.Context(), s.db, now, func(context.Context, *store.Tx) error { older++; return nil })
			if err != nil || !strings.Contains(inst.Held, "this file is a copy") {
				t.Errorf("%s: %+v, %v, want it held as a copy", when, inst, err)
			}
			s.close()
		}
		if older != want {
			t.Errorf("%s: told %d times that it is an older one, want %d", when, older, want)
		}
	}
	s.close()
	copyFile(t, path, other)
	reopened(other, 1, "copied")
	backup := other + ".bak"
	copyFile(t, other, backup)
	if err := os.Rename(backup, other); err != nil {
		t.Fatal(err)
	}
	reopened(other, 2, "a backup of the held one put back")
	if err := os.WriteFile(other+".lock", fmt.Appendf(nil, "%020d\n", now.Add(time.Hour).UnixMilli()), 0o600); err != nil {
		t.Fatal(err)
	}
	reopened(other, 3, "a sender was alive later than it knows")
}

// midway has an issue wait for the sender, and returns the database's path.
func (s *site) midway(live bool) string {
	s.Helper()
	s.readers(s.skin, 3)
	s.issue(s.skin, "rest")
	s.exec(`UPDATE instance SET closed = 0`) // as a sender does when it begins
	if live {
		s.tx(func(ctx context.Context, tx *store.Tx) error { return outbox.GoLive(ctx, tx, "a relay", s.now()) })
	}
	return s.db.Path()
}

// TestClockThatJumps sets the clock forward by half an hour, as far as the time since the machine's start can tell: nothing
// more leaves. A sleep, in which both go on, is none.
func TestClockThatJumps(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stays time.Duration // by how much the time since the start falls back behind the clock
		held  bool
	}{{"half an hour", 30 * time.Minute, true}, {"a correction", 5 * time.Minute, false}, {"back", -30 * time.Minute, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, srv := newSite(t), smtptest.New(t)
			check(t, s.db, time.Now())
			began := time.Now()
			var behind, looks atomic.Int64
			cfg := s.config(relay(srv))
			cfg.Lease = 30 * time.Millisecond // how often the worker looks after things follows it
			cfg.Uptime = func() (time.Duration, error) {
				looks.Add(1)
				return time.Hour + time.Since(began) - time.Duration(behind.Load()), nil
			}
			s.start(cfg)
			held := func() string { return must(outbox.ReadInstance(t.Context(), s.db)).Held }
			s.until("a look at the clock", func() bool { return looks.Load() > 0 })
			if got := held(); got != "" {
				t.Fatalf("got held %q from the start", got)
			}
			behind.Store(int64(tt.stays))
			was := looks.Load()
			s.until("two more", func() bool { return looks.Load() > was+2 })
			if got := held(); (got != "") != tt.held || tt.held && !strings.Contains(got, "30m0s") {
				t.Errorf("got held %q, want %v", got, tt.held)
			}
		})
	}
}

func TestGoLive(t *testing.T) {
	s := newSite(t)
	live := func(bound string, at time.Time) error {
		return s.db.InTx(t.Context(), func(tx *store.Tx) error { return outbox.GoLive(t.Context(), tx, bound, at) })
	}
	if err := live("a relay", s.now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before there is a record: got %v, want ErrNotFound", err)
	}
	if inst := must(outbox.ReadInstance(t.Context(), s.db)); inst != (outbox.Instance{}) {
		t.Errorf("got %+v, want the zero Instance", inst)
	}
	if inst := check(t, s.db, s.now()); inst.Held != "" || !inst.LiveSince.IsZero() {
		t.Errorf("a new database: got %+v, want neither held nor live", inst)
	}
	first := s.now().Truncate(time.Millisecond)
	later, last := first.Add(time.Hour), first.Add(2*time.Hour)
	for _, tt := range []struct {
		bound    string
		at, want time.Time
	}{{"a relay", first, first}, {"a relay", later, first}, {"another relay", last, last}} {
		if err := live(tt.bound, tt.at); err != nil {
			t.Fatal(err)
		}
		if inst := must(outbox.ReadInstance(t.Context(), s.db)); !inst.LiveSince.Equal(tt.want) || inst.LiveFor != tt.bound {
			t.Errorf("got live since %v for %q, want %v for %q", inst.LiveSince, inst.LiveFor, tt.want, tt.bound)
		}
	}
}

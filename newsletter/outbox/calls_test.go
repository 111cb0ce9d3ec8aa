package outbox_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// The ways in which a call on the line fails.
var lineFaults = []string{"never arrives", "arrives in half", "arrives, and the line is dead"}

// TestEveryCallOnTheLineFails counts what goes over the line in a clean run: connecting, each write of the client, each line
// of the server, which is a read of the client. Then the k-th of them fails, for every k, in three ways.
func TestEveryCallOnTheLineFails(t *testing.T) {
	first := prepare(t, filepath.Join(t.TempDir(), "pressrun.db"))
	clean := lineRun(t, first, 0, "")
	if clean < 20 {
		t.Fatalf("got %d calls in a clean run, want more", clean)
	}
	t.Logf("%d calls on the line, each fails in %d ways", clean, len(lineFaults))
	for k := 1; k <= clean; k++ {
		for _, way := range lineFaults {
			t.Run(fmt.Sprintf("%d %s", k, way), func(t *testing.T) {
				t.Parallel()
				lineRun(t, first, k, way)
			})
		}
	}
}

// lineRun sends what waits over a line of which call k fails (0: none), and counts the calls.
func lineRun(t *testing.T, first prepared, k int, way string) (calls int) {
	t.Helper()
	s, srv := first.open(t, filepath.Join(t.TempDir(), "pressrun.db")), smtptest.New(t)
	var n atomic.Int64
	line := newTap(t, hooks{
		before: func(p piece) bool { return n.Add(1) != int64(k) || way == lineFaults[2] && len(p.text) > 0 },
		half:   func(piece) bool { return n.Load() == int64(k) && way == lineFaults[1] },
		after:  func(piece) bool { return n.Load() != int64(k) },
	})
	line.leadTo(srv.Addr())
	w := s.start(s.config(smtpTo(line.port())))
	s.sendAll(w, func() { s.advance(time.Hour) })
	s.finish()
	checkInvariants(t, s.db, taken(srv), 1)
	if c := s.counts(first.issue); c.Sent+c.Uncertain != 3 || k == 0 && c.Sent != 3 {
		t.Errorf("issue: got %s, want 3 sent, or one of them uncertain", words(c))
	}
	s.noticeIsThere(taken(srv))
	return int(n.Load())
}

// prepared is a database file in which an issue for three readers and a notice wait.
type prepared struct {
	file  []byte
	key   subscribers.Key
	issue int64
	made  time.Time
}

func prepare(t *testing.T, path string) prepared {
	t.Helper()
	p := prepared{key: newKey()}
	db := must(store.Open(t.Context(), path))
	for _, migrate := range []func(context.Context, *store.DB) error{migrateAll, audit} {
		if err := migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	s := siteOn(t, db, p.key)
	s.readers(s.skin, 3)
	p.issue = s.issue(s.skin, "rest").ID
	n := s.notice("login", "one")
	n.Expires = s.now().AddDate(0, 0, 2)
	s.enqueue(n)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p.file, p.made = must(os.ReadFile(path)), time.Now().Round(0)
	return p
}

// open puts the file at a path, and is the site in it.
func (p prepared) open(t *testing.T, path string) *site {
	t.Helper()
	for _, suffix := range []string{"-wal", "-shm", ".lock"} {
		_ = os.Remove(path + suffix)
	}
	if err := os.WriteFile(path, p.file, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{TB: t, db: must(store.Open(t.Context(), path)), key: p.key}
	t.Cleanup(func() { s.db.Close() })
	s.people = &subscribers.Registry{Key: p.key, Now: s.now}
	s.advance(max(0, time.Until(p.made))) // a bubble's time starts long ago
	return s
}

// sendAll sends until nothing is pending, over any trouble, and closes the worker. later has time pass between.
func (s *site) sendAll(w *outbox.Worker, later func()) {
	s.Helper()
	for range 10 {
		failed := w.Drain(context.Background())
		pending, _, err := outbox.CountPending(context.Background(), s.db)
		if failed == nil && err == nil && pending == 0 {
			break
		}
		later()
	}
	if err := w.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
}

// noticeIsThere fails unless the server has the site's only notice: never lost.
func (s *site) noticeIsThere(log []took) {
	s.Helper()
	for _, d := range deliveriesIn(s, s.db) {
		if d.kind != "notice" {
			continue
		}
		for _, m := range log {
			if m.messageID == d.messageID {
				return
			}
		}
		s.Errorf("the notice is %s and the server has no copy", d.state)
	}
}

// TestEveryCallOfTheDatabaseFails counts what SQLite asks of the disk while an issue and a notice are sent: each write, sync
// and truncate of the database and its log. Then the k-th of them fails once, for every k: the disk is full, or broken. A
// mark that is not on the disk is not sent, and a result that is not there yet is kept: all is sent, and nothing twice.
func TestEveryCallOfTheDatabaseFails(t *testing.T) {
	path := os.Getenv(powerDatabase)
	if path == "" {
		library := buildRecorder(t)
		folder := t.TempDir()
		control := filepath.Join(folder, "control")
		if err := os.WriteFile(control, make([]byte, 16), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(again(t, library, powerDatabase+"="+filepath.Join(folder, "pressrun.db"), recorderControl+"="+control))
		return
	}
	d := &faultyDisk{path, prepare(t, path), must(os.OpenFile(os.Getenv(recorderControl), os.O_RDWR, 0))}
	defer d.control.Close()
	clean := d.run(t, 0)
	if clean < 20 {
		t.Fatalf("got %d calls in a clean run, want more", clean)
	}
	for k := 1; k <= clean; k++ {
		t.Run(fmt.Sprint(k), func(t *testing.T) { d.run(t, k) })
	}
	t.Logf("%d calls of the database, each failed once", clean)
}

const recorderControl = "RECORDER_CONTROL"

// faultyDisk has the recorder under it, which can make a call fail.
type faultyDisk struct {
	path    string
	first   prepared
	control *os.File
}

// fail makes call k from now on fail; 0: none.
func (d *faultyDisk) fail(k int) {
	var b [16]byte
	binary.NativeEndian.PutUint64(b[8:], uint64(k))
	must(d.control.WriteAt(b[:], 0))
}

func (d *faultyDisk) calls() int {
	var b [16]byte
	must(d.control.ReadAt(b[:], 0))
	return int(binary.NativeEndian.Uint64(b[:]))
}

// run sends what waits while call k fails (0: none), in a time of its own, and counts the calls.
func (d *faultyDisk) run(t *testing.T, k int) (calls int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := d.first.open(t, d.path)
		l := &line{}
		d.fail(k)
		w, err := outbox.Start(s.config(l))
		if err != nil { // call k was in its first transaction: nothing is sent
			if w, err = outbox.Start(s.config(l)); err != nil {
				t.Fatal(err)
			}
		}
		s.sendAll(w, func() { time.Sleep(10 * time.Second) }) // the bubble's own
		calls = d.calls()
		d.fail(0)
		s.finish()
		log := l.taken()
		checkInvariants(t, s.db, log, 0)
		s.wants(d.first.issue, "3 sent")
		s.noticeIsThere(log)
		if len(log) != 4 {
			t.Errorf("got %d messages sent, want 4", len(log))
		}
	})
	return calls
}

func (l *line) taken() []took {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]took(nil), l.got...)
}

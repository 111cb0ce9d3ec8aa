package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var cuts = flag.Int("cuts", 500, "how often TestPowerLoss cuts the power")

// A process with these in its environment is TestPowerLoss's sender.
const (
	powerDatabase    = "RECORDER_DATABASE" // the recorder's own
	powerLog         = "RECORDER_LOG"
	powerKey         = "OUTBOX_POWER_KEY"
	powerSynchronous = "OUTBOX_POWER_SYNCHRONOUS"
)

// TestPowerLoss records what a sender does to its database's files while it sends and people leave, and makes of that the
// files that a power cut would have left, at random points, without what was not synced, or with parts of it. Nothing that
// anybody was told is forgotten: an unsubscribe that was answered, the mark of a content that the server has, a result that
// was shown. And from what is left, nobody is mailed twice.
func TestPowerLoss(t *testing.T) {
	if path := os.Getenv(powerDatabase); path != "" {
		powerLife(t, path)
		return
	}
	library := buildRecorder(t)
	t.Run("FULL", func(t *testing.T) {
		r := recordLife(t, library, "FULL")
		broken := r.cutPower(t, *cuts)
		for _, line := range broken {
			t.Error(line)
		}
		t.Log(r)
		if r.checked < *cuts {
			t.Errorf("got %d facts looked for in %d cuts, want more", r.checked, *cuts)
		}
	})
	// With NORMAL a commit waits for nothing: a test that does not see it proves nothing of FULL either.
	t.Run("NORMAL must fail", func(t *testing.T) {
		r := recordLife(t, library, "NORMAL")
		broken := r.cutPower(t, 50)
		t.Log(r)
		for _, kind := range []string{"unsubscribe", "mark", "result"} {
			if !slices.ContainsFunc(broken, func(line string) bool { return strings.Contains(line, kind) }) {
				t.Errorf("got no %s lost with synchronous=NORMAL, want some", kind)
			}
		}
	})
}

// powerLife is the sender: three issues for forty readers, of whom nine leave in mid-send; then the issues are compacted.
func powerLife(t *testing.T, path string) {
	key, err := subscribers.ParseKey(os.Getenv(powerKey))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(os.Getenv(powerLog), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	told := &facts{f: f}
	overrule(t, "PRAGMA synchronous="+os.Getenv(powerSynchronous), "PRAGMA wal_autocheckpoint=60")
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, migrate := range []func(context.Context, *store.DB) error{migrateAll, audit} {
		if err := migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	s := siteOn(t, db, key)
	people := s.readers(s.skin, 40)
	told.note("ready")
	srv := smtptest.New(t, smtptest.WithLog(os.Getenv(powerLog)))
	cfg := s.config(relay(srv))
	cfg.Connections = childConnections
	cfg.OnSettled = func(issue int64) {
		if c, err := outbox.Count(context.Background(), db, issue); err == nil {
			told.note("shown %d %d", issue, c.Sent)
		}
	}
	for i, slug := range []string{"rest", "food", "sun"} {
		issue := s.issue(s.skin, slug)
		told.note("filled %d %d", issue.ID, s.counts(issue.ID).Total())
		w := s.start(cfg)
		for _, id := range people[3*i : 3*i+3] {
			s.unsubscribe(id, s.skin)
			told.note("left %d", id)
		}
		s.drain(w)
		told.note("drained %d", issue.ID)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s.finish()
	}
	told.note("compacting")
	s.advance(time.Hour)
	if s.compact(s.now()) == 0 {
		t.Fatal("nothing was compacted")
	}
}

// overrule runs pragmas on each connection that the process opens from now on, after those of its own.
func overrule(t *testing.T, pragmas ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.Driver().(*sqlite3.SQLiteDriver).ConnectHook = func(conn *sqlite3.SQLiteConn) error {
		for _, pragma := range pragmas {
			if _, err := conn.Exec(pragma, nil); err != nil {
				return err
			}
		}
		return nil
	}
}

// recording is a life of the sender, and what cutting its power came to.
type recording struct {
	key     subscribers.Key
	entries []recorded
	random  *rand.Rand

	synchronous                      string
	cuts, unsynced, checked, resumed int
	facts                            map[string]int // looked for, by kind
}

func (r *recording) String() string {
	return fmt.Sprintf("synchronous=%s: %d cuts of a recording of %d entries, %d of them with writes that were not synced; looked for %d acknowledged facts (%v); sent on from %d",
		r.synchronous, r.cuts, len(r.entries), r.unsynced, r.checked, r.facts, r.resumed)
}

func recordLife(t *testing.T, library, synchronous string) *recording {
	t.Helper()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed=%d", *seed)
	r := &recording{key: newKey(), random: rand.New(rand.NewPCG(*seed, 1)), synchronous: synchronous, facts: map[string]int{}}
	folder := t.TempDir()
	log := filepath.Join(t.TempDir(), "recording")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again(t, library, powerDatabase+"="+filepath.Join(folder, "pressrun.db"), powerLog+"="+log, powerKey+"="+r.key.Encode(), powerSynchronous+"="+synchronous)
	var err error
	if r.entries, err = readRecording(log); err != nil {
		t.Fatal(err)
	}
	return r
}

// cutPower cuts at random points and lists what was forgotten.
func (r *recording) cutPower(t *testing.T, cuts int) (broken []string) {
	t.Helper()
	ready := slices.IndexFunc(r.entries, func(e recorded) bool { return e.line == "F ready" })
	if ready < 0 {
		t.Fatal("the recording has no beginning")
	}
	points := make([]int, cuts)
	for i := range points {
		points[i] = ready + 1 + r.random.IntN(len(r.entries)-ready)
	}
	slices.Sort(points)
	d, at := newDisk(), 0
	folder := t.TempDir()
	for i, point := range points {
		for ; at < point; at++ {
			d.play(r.entries[at])
		}
		if err := d.cut(i%cutWays, r.random, folder, "pressrun.db"); err != nil {
			t.Fatal(err)
		}
		r.cuts++
		for _, f := range d.files {
			if len(f.open) > 0 {
				r.unsynced++
				break
			}
		}
		path := filepath.Join(folder, "pressrun.db")
		for _, line := range r.look(t, path, point) {
			broken = append(broken, fmt.Sprintf("cut %d, after %d entries: %s", i, point, line))
		}
		if r.synchronous == "FULL" && i%20 == 0 && !r.known(point).compacting {
			r.goOn(t, path, point)
		}
	}
	return broken
}

// Rows leave deliveries in the transaction that counts them, and keeps who had it.
const (
	rowsOf = `SELECT (SELECT count(*) FROM deliveries WHERE issue_id = ?1) + coalesce((SELECT sent + failed + skipped FROM kept_counts WHERE issue_id = ?1), 0)`
	hadOf  = `SELECT coalesce((SELECT sent FROM kept_counts WHERE issue_id = ?1), 0) - (SELECT count(*) FROM kept WHERE issue_id = ?1 AND sent = 1)`
)

// look lists what a database has forgotten of what was known to somebody when the power went.
func (r *recording) look(t *testing.T, path string, point int) (lost []string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_synchronous=OFF")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var sane string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sane); err != nil || sane != "ok" {
		return []string{fmt.Sprintf("integrity: %s, %v", sane, err)}
	}
	want := r.known(point)
	for issue, n := range want.filled {
		r.checked++
		r.facts["filled"]++
		var got, had int64
		err := errors.Join(db.QueryRow(rowsOf, issue).Scan(&got), db.QueryRow(hadOf, issue).Scan(&had))
		if err != nil || got != n || had != 0 {
			lost = append(lost, fmt.Sprintf("rows of issue %d: %d were filled, %d are there or counted as compacted, %d too many or too few are kept (%v)", issue, n, got, had, err))
		}
	}
	if want.compacting {
		return lost // messages have no rows of their own any more
	}
	for _, f := range []struct {
		what, query string // counts those that are as they should be
		keys        []any
	}{
		{"unsubscribe", `SELECT NOT EXISTS (SELECT 1 FROM mailable WHERE subscriber_id = ?1)`, want.left},
		{"mark", `SELECT EXISTS (SELECT 1 FROM deliveries WHERE message_id = ?1 AND state IN ('inflight', 'sent', 'uncertain'))`, want.taken},
		{"result", `SELECT EXISTS (SELECT 1 FROM deliveries WHERE message_id = ?1 AND state = 'sent')`, want.drained},
	} {
		for _, key := range f.keys {
			r.checked++
			r.facts[f.what]++
			var ok bool
			if err := db.QueryRow(f.query, key).Scan(&ok); err != nil || !ok {
				lost = append(lost, fmt.Sprintf("%s of %v is forgotten (%v)", f.what, key, err))
			}
		}
	}
	for issue, n := range want.shown {
		r.checked++
		r.facts["shown"]++
		var got int64
		if err := db.QueryRow(`SELECT count(*) FROM deliveries WHERE issue_id = ?1 AND state = 'sent'`, issue).Scan(&got); err != nil || got < n {
			lost = append(lost, fmt.Sprintf("result: %d were shown as sent of issue %d, and now %d (%v)", n, issue, got, err))
		}
	}
	return lost
}

// knowledge is what somebody outside knew at a point of a recording.
type knowledge struct {
	left           []any // subscribers whose unsubscribe was answered
	taken, drained []any // messages that the server has; those of which the sender said that all is done
	shown, filled  map[int64]int64
	log            []took
	compacting     bool
}

func (r *recording) known(point int) knowledge {
	k := knowledge{shown: map[int64]int64{}, filled: map[int64]int64{}}
	for _, e := range r.entries[:point] {
		word := strings.Fields(e.line)
		switch {
		case e.do != 0 || len(word) < 2:
		case word[0] == "250" || word[0] == "000":
			k.taken = append(k.taken, word[1])
			k.log = append(k.log, took{messageID: word[1], hash: word[2]})
		case word[1] == "compacting":
			k.compacting = true
		case word[1] == "left":
			k.left = append(k.left, word[2])
		case word[1] == "drained":
			k.drained = slices.Clone(k.taken)
		case word[1] == "shown" || word[1] == "filled":
			of := map[string]map[int64]int64{"shown": k.shown, "filled": k.filled}[word[1]]
			var issue, n int64
			if _, err := fmt.Sscan(word[2]+" "+word[3], &issue, &n); err == nil {
				of[issue] = max(of[issue], n)
			}
		}
	}
	return k
}

// goOn sends what a power cut has left, and asserts the invariants over both lives.
func (r *recording) goOn(t *testing.T, path string, point int) {
	t.Helper()
	r.resumed++
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &site{TB: t, db: db, key: r.key}
	s.people = &subscribers.Registry{Key: r.key, Now: s.now}
	srv := smtptest.New(t)
	s.send(srv)
	s.finish()
	checkInvariants(t, db, append(r.known(point).log, taken(srv)...), childConnections)
}

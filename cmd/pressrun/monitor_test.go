package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/subscribers/store"
)

// watcher is a monitor on this machine; what it is asked is put into calls.
func watcher(t *testing.T, answer http.HandlerFunc) (calls chan string) {
	t.Helper()
	calls = make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- r.Method + " " + r.URL.Path
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("PRESSRUN_NOTIFY_MONITOR", server.URL+"/hush-hush")
	return calls
}

func fine(http.ResponseWriter, *http.Request) {}

// change changes the database behind the program's back.
func (s *trial) change(query string) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), "pressrun.db")
	if err != nil {
		s.t.Fatal(err)
	}
	err = db.InTx(s.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(s.t.Context(), query)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// halfAnHourAgo has what was put off be offered that much earlier.
const halfAnHourAgo = `UPDATE deliveries SET waited = waited + 30 * 60000 WHERE waited > 0`

// TestRunDueAsksTheMonitor once at its end while all is well, and otherwise says why it didn't. Its address is never told.
func TestRunDueAsksTheMonitor(t *testing.T) {
	const asked = "GET /hush-hush"
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		spoil  func(t *testing.T, s *trial)
		calls  []string
		said   string
	}{
		"all is well": {fine, func(*testing.T, *trial) {}, []string{asked}, ""},
		"the relay is away": {fine, func(t *testing.T, s *trial) {
			t.Setenv("PRESSRUN_RELAY_PORT", "1")
			if err := s.try("issue", "send", "bread", "--yes"); err == nil {
				t.Fatal("the relay that is away took an issue")
			}
		}, nil, "not all is well"},
		"a slot waits for an import at work": {fine, func(_ *testing.T, s *trial) {
			s.change(`INSERT INTO imports (series_id, sum, terms, begun, accepted, touched)
SELECT id, 'a', '{"file":"people.csv"}', now, now, now FROM series, (SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 AS now)`)
			s.change(`INSERT INTO slots (series_id, wall, fires, created, updated) SELECT id, '2020-01-07T09:00', CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 60000, 1, 1 FROM series`)
		}, []string{asked}, ""},
		"on hold": {fine, func(t *testing.T, s *trial) {
			s.change(`UPDATE instance SET held = 'a copy'`)
		}, nil, "a copy"},
		"a slot fails": {fine, func(t *testing.T, s *trial) {
			s.change(`CREATE TRIGGER broken BEFORE INSERT ON issues BEGIN SELECT RAISE(ABORT, 'no issue today'); END`)
			s.change(`INSERT INTO slots (series_id, wall, fires, created, updated) SELECT id, '2020-01-07T09:00', CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 60000, 1, 1 FROM series`)
		}, nil, "no issue today"},
		"refusals stopped an issue": {fine, func(t *testing.T, s *trial) {
			s.run("issue", "send", "bread", "--yes")
			s.change(`INSERT INTO stops (issue_id, lane, class, reply, since) SELECT id, -1, 'config', 'no', 1 FROM issues`)
			s.change(`UPDATE issues SET state = 'paused', done_at = NULL`)
		}, nil, "refusals stopped issue"},
		"the relay puts off everybody": {fine, func(_ *testing.T, s *trial) {
			s.server.At("RCPT").Reply("451 4.3.0 later")
			s.run("subscriber", "add", "bread", "ben@reader.example", "--confirmed", "--because", "asked in the shop")
			s.run("issue", "send", "bread", "--yes")
			s.change(halfAnHourAgo)
		}, nil, "taken nothing of issue 1"},
		"the relay puts off everybody for now": {fine, func(_ *testing.T, s *trial) {
			s.server.At("RCPT").Reply("451 4.3.0 later")
			s.run("issue", "send", "bread", "--yes")
		}, []string{asked}, ""},
		"the relay puts off one": {fine, func(_ *testing.T, s *trial) {
			s.server.At("RCPT ada@reader.example").Reply("451 4.3.0 later")
			s.run("subscriber", "add", "bread", "ben@reader.example", "--confirmed", "--because", "asked in the shop")
			s.run("issue", "send", "bread", "--yes")
			s.change(halfAnHourAgo)
		}, []string{asked}, ""},
		"the relay puts off the only one and takes what came later": {fine, func(_ *testing.T, s *trial) {
			s.server.At("RCPT").Reply("451 4.3.0 later").Times(1)
			s.run("issue", "send", "bread", "--yes")
			s.run("issue", "announce", "bread", "--article", "the-last-crumb", "--yes")
			s.change(halfAnHourAgo)
		}, []string{asked}, ""},
		"the database can't be written": {fine, func(t *testing.T, s *trial) {
			s.change(`CREATE TRIGGER full BEFORE UPDATE OF tried ON instance BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
		}, nil, "disk full"},
		"it has moved": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere-hush", http.StatusFound)
		}, func(*testing.T, *trial) {}, []string{asked}, "127.0.0.1 answered 302 Found"},
		"it is broken": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			func(*testing.T, *trial) {},
			[]string{asked},
			"answered 502 Bad Gateway",
		},
		"it is gone": {fine, func(t *testing.T, s *trial) { t.Setenv("PRESSRUN_NOTIFY_MONITOR", "http://127.0.0.1:1/hush-hush") }, nil, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newTrial(t)
			calls := watcher(t, tt.answer)
			site.bread("ada@reader.example")
			tt.spoil(t, site)
			var out, errs bytes.Buffer
			err := run(t.Context(), []string{"run-due"}, strings.NewReader(""), &out, &errs)
			var got []string
			for len(calls) > 0 {
				got = append(got, <-calls)
			}
			if !slices.Equal(got, tt.calls) {
				t.Errorf("asked %q, want %q (%v)\n%s", got, tt.calls, err, errs.String())
			}
			if said := errs.String(); !strings.Contains(said, tt.said) || tt.said != "" && !strings.Contains(said, "monitor") || strings.Contains(said+fmt.Sprint(err), "hush") {
				t.Errorf("it says %q, want %q, and not the address", said, tt.said)
			}
		})
	}
}

// TestPlayedTimeIsNoSignOfLife: what happens at another time says nothing of today.
func TestPlayedTimeIsNoSignOfLife(t *testing.T) {
	site := newTrial(t)
	calls := watcher(t, fine)
	site.bread("ada@reader.example")
	site.run("run-due", "--now", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	if len(calls) != 0 {
		t.Errorf("asked %q", <-calls)
	}
}

// TestServeAsksTheMonitor after its first run of what is due; a run-due beside it leaves it to it.
func TestServeAsksTheMonitor(t *testing.T) {
	site := newTrial(t)
	calls := watcher(t, fine)
	site.bread("ada@reader.example")
	stop := site.serve()
	defer stop()
	select {
	case <-calls:
	case <-time.After(time.Minute):
		t.Fatal("not asked")
	}
	site.run("run-due")
	if len(calls) != 0 {
		t.Errorf("asked once more: %q", <-calls)
	}
}

// TestASenderKeepsTheMonitor for as long as it sends, whatever command it is; a run-due beside it leaves it to it.
func TestASenderKeepsTheMonitor(t *testing.T) {
	trial := newTrial(t)
	calls := watcher(t, fine)
	trial.bread("ada@reader.example")
	a := &app{err: io.Discard, now: time.Now, config: "pressrun.toml"}
	err := a.with(t.Context(), func(s *site) error {
		if _, _, _, err := s.publisher.SendNow(t.Context(), "bread", "", false); err != nil {
			return err
		}
		trial.server.At("RCPT").Call(func() {
			s.noteRun() // instead of a minute's wait
			select {
			case <-calls:
			case <-time.After(time.Minute):
				t.Error("not asked while a letter is on its way")
			}
			if err := trial.try("run-due"); err != nil || len(calls) != 0 {
				t.Errorf("a run-due beside asked %d times more, %v", len(calls), err)
			}
		}).Times(1)
		d, err := s.deliver(t.Context(), io.Discard)
		if d.Sent != 1 {
			t.Errorf("got %+v, want 1 sent", d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMonitorIsAskedEveryFiveMinutes while all is well; trouble is logged once, and looked at in each turn.
func TestMonitorIsAskedEveryFiveMinutes(t *testing.T) {
	var log bytes.Buffer
	var ill, silent error
	asked := 0
	m := &monitor{
		ask:    func(context.Context) error { asked++; return silent },
		ailing: func(context.Context) error { return ill },
		log:    slog.New(slog.NewTextHandler(&log, nil)),
	}
	now := time.Date(2027, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		after       time.Duration
		ill, silent error
		asked       int
		lines       int
	}{
		{0, nil, nil, 1, 0},
		{30 * time.Second, nil, nil, 1, 0},
		{4 * time.Minute, nil, nil, 1, 0},
		{30 * time.Second, nil, nil, 2, 0},
		{5 * time.Minute, errors.New("relay away"), nil, 2, 1},
		{30 * time.Second, errors.New("relay away"), nil, 2, 1},
		{30 * time.Second, errors.New("disk full"), nil, 2, 2},
		{30 * time.Second, nil, errors.New("no answer"), 3, 3},
		{30 * time.Second, nil, errors.New("no answer"), 4, 3},
		{30 * time.Second, nil, nil, 5, 4}, // and that it is well again
		{30 * time.Second, nil, nil, 5, 4},
	} {
		now, ill, silent = now.Add(step.after), step.ill, step.silent
		m.turn(t.Context(), now)
		if lines := strings.Count(log.String(), "\n"); asked != step.asked || lines != step.lines {
			t.Errorf("step %d: asked %d times and logged %d lines, want %d and %d\n%s", i, asked, lines, step.asked, step.lines, log.String())
		}
	}
}

// TestMonitorIsNotReadToTheEnd: an answer that never ends costs nothing.
func TestMonitorIsNotReadToTheEnd(t *testing.T) {
	site := newTrial(t)
	cut := make(chan error, 1)
	watcher(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				cut <- err
				return
			}
		}
	})
	site.bread()
	site.run("run-due")
	select {
	case <-cut:
	case <-time.After(time.Minute):
		t.Error("the answer is still being read")
	}
}

// TestCheckAsksTheMonitor where nothing is open.
func TestCheckAsksTheMonitor(t *testing.T) {
	site := newTrial(t)
	calls := watcher(t, fine)
	site.bread("ada@reader.example")
	if out := site.run("check"); !strings.Contains(out, "notify.monitor") || !strings.Contains(out, "answers") || len(calls) != 1 {
		t.Errorf("asked %d times:\n%s", len(calls), out)
	}
	t.Setenv("PRESSRUN_RELAY_PORT", "1")
	if err := site.try("check"); err == nil || len(calls) != 1 {
		t.Errorf("asked %d times while the relay is away, %v", len(calls), err)
	}
}

package outbox_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// shrunk is a test whose failures rapid takes, to look for a shorter history that fails too.
type shrunk struct {
	testing.TB
	rapid *rapid.T
}

func (s shrunk) Errorf(format string, args ...any) { s.rapid.Errorf(format, args...) }
func (s shrunk) Fatalf(format string, args ...any) { s.rapid.Fatalf(format, args...) }
func (s shrunk) Error(args ...any)                 { s.rapid.Error(args...) }
func (s shrunk) Fatal(args ...any)                 { s.rapid.Fatal(args...) }

// TestHistories plays random histories of editors, readers, relays and deaths, and asserts the invariants after each step.
func TestHistories(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("10"); err != nil { // a hundred take a minute: ask for them with -rapid.checks
			t.Fatal(err)
		}
		defer func() { _ = f.Value.Set(f.DefValue) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{site: newSite(shrunk{t, rt}), rapid: rt}
		h.people = h.readers(h.skin, 6)
		h.begin()
		rt.Repeat(map[string]func(*rapid.T){
			"send":   func(*rapid.T) { h.play() },
			"later":  func(rt *rapid.T) { h.advance(time.Duration(rapid.IntRange(1, 600).Draw(rt, "minutes")) * time.Minute) },
			"begin":  func(*rapid.T) { h.begin() },
			"leave":  func(rt *rapid.T) { h.unsubscribe(rapid.SampledFrom(h.people).Draw(rt, "person"), h.skin) },
			"pause":  h.edit(outbox.Pause),
			"cancel": h.edit(outbox.Cancel),
			"resume": h.edit(func(ctx context.Context, tx *store.Tx, id int64, _ string, at time.Time) error {
				return outbox.Resume(ctx, tx, id, at)
			}),
			"withdraw": h.edit(h.withdraw),
			"settle": h.edit(func(ctx context.Context, tx *store.Tx, id int64, _ string, at time.Time) error {
				_, err := outbox.Settle(ctx, tx, id, rapid.SampledFrom([]string{"sent", "again"}).Draw(h.rapid, "as"), at)
				return err
			}),
			"retry": h.edit(func(ctx context.Context, tx *store.Tx, id int64, _ string, at time.Time) error {
				_, err := outbox.Retry(ctx, tx, id, at)
				return err
			}),
			"notice": func(*rapid.T) { h.said++; h.enqueue(h.notice("login", fmt.Sprint(h.said))) },
			"die":    func(rt *rapid.T) { h.die(rapid.Bool().Draw(rt, "in flight")) },
			"kill":   func(*rapid.T) { h.kill() },
			"erase":  func(rt *rapid.T) { h.erase(rapid.SampledFrom(h.people).Draw(rt, "person")) },
			"":       func(*rapid.T) { h.finish(); checkInvariants(h, h.db, h.got(), h.lost) },
		})
	})
}

// history is a site with what happened to it.
type history struct {
	*site
	rapid  *rapid.T
	people []int64
	issues []int64
	took   []*smtptest.Server
	lost   int // how many may be uncertain for it
	said   int
}

// got is what all servers took; also what arrived there after its sender was killed.
func (h *history) got() (all []took) {
	for _, srv := range h.took {
		all = append(all, taken(srv)...)
	}
	return all
}

// erase removes a person; the last two stay, or there would be nothing to send.
func (h *history) erase(person int64) {
	if len(h.people) == 2 {
		return
	}
	h.people = slices.DeleteFunc(h.people, func(id int64) bool { return id == person })
	h.tx(func(ctx context.Context, tx *store.Tx) error { return h.site.people.Erase(ctx, tx, person) })
}

// kill sends by a process of its own and kills it at a random point of what it says to the server; the next one takes over.
func (h *history) kill() {
	srv := smtptest.New(h.TB)
	h.took = append(h.took, srv)
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	cmd := h.sender(ctx, srv.Port())
	var left atomic.Int64
	left.Store(int64(rapid.IntRange(1, 5).Draw(h.rapid, "nth")))
	srv.At(rapid.SampledFrom([]string{"MAIL", "RCPT", "content"}).Draw(h.rapid, "point")).Call(func() {
		if left.Add(-1) == 0 {
			kill()
		}
	})
	if out, err := cmd.CombinedOutput(); err == nil {
		return
	} else if ctx.Err() == nil {
		h.Fatalf("the sender ended by itself: %v\n%s", err, out)
	}
	h.lost += childConnections
}

func (h *history) begin() {
	issue := h.issue(h.skin, fmt.Sprint("article-", len(h.issues)))
	h.issues = append(h.issues, issue.ID)
}

// edit does something to one of the issues; what the issue's state forbids changes nothing.
func (h *history) edit(f func(context.Context, *store.Tx, int64, string, time.Time) error) func(*rapid.T) {
	return func(rt *rapid.T) {
		id := rapid.SampledFrom(h.issues).Draw(rt, "issue")
		_ = h.db.InTx(context.Background(), func(tx *store.Tx) error { return f(context.Background(), tx, id, "test", h.now()) })
	}
}

func (h *history) withdraw(ctx context.Context, tx *store.Tx, id int64, _ string, at time.Time) error {
	issue, err := series.IssueByID(ctx, tx, id)
	if err == nil {
		err = series.Withdraw(ctx, tx, issue.ArticleID, at)
	}
	if err == nil {
		_, err = outbox.WithdrawArticle(ctx, tx, issue.ArticleID, at)
	}
	return err
}

// play sends through a relay that breaks once or twice, at random points, in random ways.
func (h *history) play() {
	srv := smtptest.New(h.TB)
	h.took = append(h.took, srv)
	for range rapid.IntRange(0, 2).Draw(h.rapid, "faults") {
		point := rapid.SampledFrom([]string{"connect", "MAIL", "RCPT", "DATA", "content", "content"}).Draw(h.rapid, "point")
		rule := srv.At(point)
		switch rapid.SampledFrom([]string{"later", "never", "drop", "leave", "cancel"}).Draw(h.rapid, "fault") {
		case "later":
			rule.Reply("451 4.3.0 later")
		case "never":
			rule.Reply("550 5.7.1 blocked")
		case "drop":
			rule.Drop(false)
			if point == "content" {
				h.lost += 2
			}
		case "leave":
			id := rapid.SampledFrom(h.people).Draw(h.rapid, "person")
			rule.Call(func() { h.unsubscribe(id, h.skin) })
		case "cancel":
			id := rapid.SampledFrom(h.issues).Draw(h.rapid, "issue")
			rule.Call(func() {
				_ = h.db.InTx(context.Background(), func(tx *store.Tx) error { return outbox.Cancel(context.Background(), tx, id, "test", h.now()) })
			})
		}
		rule.Times(rapid.IntRange(1, 2).Draw(h.rapid, "times"))
	}
	cfg := h.config(relay(srv))
	cfg.Connections = rapid.IntRange(1, 3).Draw(h.rapid, "connections")
	w := h.start(cfg)
	if err := w.Drain(context.Background()); err != nil && !isRelayError(err) {
		h.Errorf("drain: %v", err)
	}
	if err := w.Close(); err != nil {
		h.Errorf("close: %v", err)
	}
}

const aPendingRow = `SELECT coalesce(min(d.id), 0) FROM deliveries d LEFT JOIN issues i ON i.id = d.issue_id
WHERE d.state = 'pending' AND (i.id IS NULL OR i.state = 'sending' AND EXISTS (
	SELECT 1 FROM mailable m WHERE m.series_id = d.series_id AND m.subscriber_id = d.subscriber_id))`

// die leaves some pending row that may be sent as a sender would that died over it.
func (h *history) die(inFlight bool) {
	var id int64
	if err := h.db.QueryRow(context.Background(), aPendingRow).Scan(&id); err != nil {
		h.Fatal(err)
	}
	h.exec(`UPDATE deliveries SET state = 'claimed', owner = 'dead', epoch = epoch + 1, lease_until = 1 WHERE id = ?1`, id)
	if inFlight {
		h.lost++
		h.exec(`UPDATE deliveries SET state = 'inflight', tries = tries + 1, dated = coalesce(dated, 1), hash = CASE hash WHEN '' THEN 'h' ELSE hash END,
			message_id = CASE message_id WHEN '' THEN 'm' || id ELSE message_id END WHERE id = ?1`, id)
	}
}

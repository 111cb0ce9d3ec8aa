package outbox

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"pressrun/subscribers/store"
)

const (
	// company is how long a result waits for a mark to share its commit with: less than a relay's round trips take, so
	// that it costs no throughput, and far less than a person could notice.
	company       = 20 * time.Millisecond
	mostGathering = 5 * time.Millisecond // that a mark waits for others
	retryFirst    = time.Second          // after a commit that failed, by the wall clock
	retryLimit    = 30 * time.Second
	mostTogether  = 256 // writes in one commit, so that others get the database in between
)

// write is one part of a commit.
type write struct {
	do    func(context.Context, *store.Tx) error // may run again after a commit that failed
	mark  *marking                               // what do does, where one statement can do it for many
	sent  *turn                                  // likewise
	issue int64                                  // whose counts it changes; 0: none's
	then  func(error)                            // told once: nil after the commit, or why it won't come (never for facts)
	since time.Time
}

// writer is the one place where the worker's transactions are made. Asks (claims, marks) fail when their commit fails.
// Facts (what the relay answered, what was given back) never fail: they are tried until they are on the disk, before
// anything else is written.
type writer struct {
	db      *store.DB
	now     func() time.Time
	log     *slog.Logger
	settled func(issueID int64)
	signal  chan struct{}
	ended   chan struct{} // closed when run has returned

	crowd atomic.Int64 // connections at work: each will ask for a mark

	mu          sync.Mutex
	asks, facts []*write
	cost        time.Duration // of a commit, of late
	absence     time.Duration // of a connection between its mark and its next, of late; 0: not known
	preparing   time.Duration // of a message, of late
	err         error         // of the last commit; nil: all well
	retryAt     time.Time
	wait        time.Duration
	closed      bool
}

func newWriter(cfg Config) *writer {
	return &writer{
		db: cfg.DB, now: cfg.Now, log: cfg.Log, settled: cfg.OnSettled,
		signal: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// away is a connection's time since its last mark was on the disk.
type away struct {
	since     time.Time     // zero: it had none lately
	preparing time.Duration // how long its last message took to write, beside the commit or longer
}

// markAfter is asked, for a mark of a connection that was away.
func (w *writer) markAfter(a away, mark *write) <-chan error {
	if !a.since.IsZero() {
		w.mu.Lock()
		w.absence = lately(w.absence, min(time.Since(a.since), company)) // one that waits for a slow relay says nothing of the others
		w.preparing = lately(w.preparing, min(a.preparing, company))
		w.mu.Unlock()
	}
	return w.asked(mark)
}

// lately is a mean in which the newest of the values counts for an eighth.
func lately(mean, value time.Duration) time.Duration {
	if mean == 0 {
		return value
	}
	return mean + (value-mean)/8
}

// gathers says how long a commit should wait for more to share it: where connections are back in about the time that a commit
// takes, one for nearly all of them costs half of what two by turns do. Where writing messages takes the processors longer than that, as
// signing does, one half of the connections keep them busy while the other half wait for each other.
func (w *writer) gathers(now time.Time) time.Duration {
	crowd, asks := w.crowd.Load(), int64(len(w.asks))
	switch {
	case asks == 0 || 5*asks >= 4*crowd || w.absence == 0:
		return 0
	case w.absence <= 2*w.cost:
		return min(4*w.absence, mostGathering) - now.Sub(w.asks[0].since)
	case 2*asks < crowd && w.preparing*time.Duration(crowd) > w.cost*time.Duration(runtime.GOMAXPROCS(0)):
		return mostGathering - now.Sub(w.asks[0].since)
	}
	return 0
}

// ask commits do together with whatever else waits, and returns once it is on the disk or can't be.
func (w *writer) ask(issue int64, do func(context.Context, *store.Tx) error) error {
	return <-w.asked(&write{do: do, issue: issue})
}

// asked is ask for those who have something to do meanwhile: the answer comes once.
func (w *writer) asked(one *write) <-chan error {
	answer := make(chan error, 1)
	w.mu.Lock()
	err := w.err
	if err == nil || !time.Now().Before(w.retryAt) {
		err = nil
		one.then, one.since = func(err error) { answer <- err }, time.Now()
		w.asks = append(w.asks, one)
	}
	w.mu.Unlock()
	if err != nil {
		answer <- err
		return answer
	}
	w.wake()
	return answer
}

// record commits do soon, and again and again until it is on the disk. It never blocks.
func (w *writer) record(issue int64, do func(context.Context, *store.Tx) error, then func()) {
	w.keep(&write{do: do, issue: issue, then: func(error) { then() }})
}

// keep is record for a fact that one statement can write with many.
func (w *writer) keep(fact *write) {
	fact.since = time.Now()
	w.mu.Lock()
	w.facts = append(w.facts, fact)
	w.mu.Unlock()
	w.wake()
}

func (w *writer) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// trouble is why nothing can be written now; nil when all is well.
func (w *writer) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// run commits until close was called and all facts are on the disk, or ctx ends. Commits themselves don't end with ctx:
// what a relay has said must be written also while stopping.
func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		asks, facts, wait, over := w.due()
		if over {
			return
		}
		if len(asks)+len(facts) > 0 {
			w.commit(context.WithoutCancel(ctx), asks, facts)
			continue
		}
		timer.Reset(wait)
		select {
		case <-w.signal:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// close has run end when the facts are written. Nothing may be asked or recorded after it.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
}

// unwritten counts the facts that are not on the disk.
func (w *writer) unwritten() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.facts)
}

// due takes what should be written now, or says how long to wait for it.
func (w *writer) due() (asks, facts []*write, wait time.Duration, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case len(w.asks)+len(w.facts) == 0:
		return nil, nil, time.Hour, w.closed
	case w.err != nil && now.Before(w.retryAt):
		return nil, nil, w.retryAt.Sub(now), false
	case len(w.asks) == 0 && !w.closed && now.Sub(w.facts[0].since) < company:
		return nil, nil, company - now.Sub(w.facts[0].since), false
	}
	if wait = w.gathers(now); wait > 0 && !w.closed {
		return nil, nil, wait, false
	}
	n := min(len(w.facts), mostTogether)
	facts, w.facts = w.facts[:n:n], w.facts[n:]
	if len(w.facts) > 0 {
		return nil, facts, 0, false // a mark never comes before a fact that was known first
	}
	asks, w.asks = w.asks, nil
	return asks, facts, 0, false
}

// commit writes all in one transaction. Where a statement fails, and not the disk, each gets a transaction of its own,
// so that one of them can't stand in the way of all; asks then only if no fact is left behind.
func (w *writer) commit(ctx context.Context, asks, facts []*write) {
	all := append(append([]*write(nil), facts...), asks...)
	err := w.together(ctx, all)
	if err == nil {
		w.done(all)
		return
	}
	if len(all) > 1 && !errors.Is(err, store.ErrDisk) && !errors.Is(err, store.ErrBusy) {
		var left []*write
		for _, f := range facts {
			if one := w.together(ctx, []*write{f}); one != nil {
				left, err = append(left, f), one
				continue
			}
			w.done([]*write{f})
		}
		if len(left) == 0 {
			w.each(ctx, asks)
			return
		}
		facts = left
	}
	w.failed(err, facts)
	for _, a := range asks {
		a.then(err)
	}
}

func (w *writer) each(ctx context.Context, asks []*write) {
	for _, a := range asks {
		if err := w.together(ctx, []*write{a}); err != nil {
			a.then(err)
			continue
		}
		w.done([]*write{a})
	}
}

// together writes all in one transaction: by one statement for those that can share it, and where that doesn't fit all of them,
// each by its own.
func (w *writer) together(ctx context.Context, all []*write) error {
	began := time.Now()
	err := w.db.InTx(ctx, func(tx *store.Tx) error { return w.makeShared(ctx, tx, all) })
	if errors.Is(err, errApart) {
		err = w.db.InTx(ctx, func(tx *store.Tx) error { return makeEach(ctx, tx, all) })
	}
	if err == nil {
		w.mu.Lock()
		w.cost = lately(w.cost, time.Since(began))
		w.mu.Unlock()
	}
	return err
}

func makeEach(ctx context.Context, tx *store.Tx, all []*write) error {
	for _, one := range all {
		if err := one.do(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// makeShared writes marks last: what else is written may forbid them. It fails with errApart where one statement doesn't fit all.
func (w *writer) makeShared(ctx context.Context, tx *store.Tx, all []*write) error {
	var marks []*marking
	var sents []turn
	for _, one := range all {
		switch {
		case one.mark != nil:
			marks = append(marks, one.mark)
		case one.sent != nil:
			sents = append(sents, *one.sent)
		default:
			if err := one.do(ctx, tx); err != nil {
				return err
			}
		}
	}
	if len(sents) > 0 {
		n, err := makeSent(ctx, tx, sents, w.now())
		if err == nil && n < int64(len(sents)) {
			err = errApart
		}
		if err != nil {
			return err
		}
	}
	if len(marks) == 0 {
		return nil
	}
	n, err := marks[0].w.markAll(ctx, tx, marks)
	if err == nil && n < len(marks) {
		err = errApart
	}
	for _, m := range marks {
		m.marked = err == nil
	}
	return err
}

func (w *writer) done(all []*write) {
	w.mu.Lock()
	if w.err != nil {
		w.log.Info("the database can be written again")
	}
	w.err, w.wait = nil, 0
	w.mu.Unlock()
	told := map[int64]bool{0: true}
	for _, one := range all {
		one.then(nil)
		if !told[one.issue] {
			told[one.issue] = true
			w.settled(one.issue)
		}
	}
}

// failed keeps the facts for the next try, in front of those that came meanwhile. Who asked meanwhile need not wait for it.
func (w *writer) failed(err error, facts []*write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts = append(facts, w.facts...)
	if len(facts) == 0 && !errors.Is(err, store.ErrDisk) {
		return // a claim or mark that can't be written is its asker's to deal with
	}
	for _, a := range w.asks {
		a.then(err)
	}
	w.asks = nil
	w.wait = min(max(retryFirst, 2*w.wait), retryLimit)
	w.err, w.retryAt = err, time.Now().Add(w.wait)
	w.log.Error("the database can't be written: nothing is sent until it can", "error", err, "unwritten", len(w.facts))
}

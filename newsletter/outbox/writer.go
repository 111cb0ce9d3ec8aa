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

	processors int64
	crowd      atomic.Int64 // connections at work: each will ask for a mark

	mu          sync.Mutex
	asks, facts []*write
	cost        time.Duration // of a commit, of late
	writing     time.Duration // of a message, of late
	absence     time.Duration // of a connection between its mark and its next, of late; 0: not known
	standing    time.Duration // of a connection that has its answer, for its next message, of late
	err         error         // of the last commit; nil: all well
	retryAt     time.Time
	wait        time.Duration
	closed      bool
}

func newWriter(cfg Config) *writer {
	return &writer{
		db: cfg.DB, now: cfg.Now, log: cfg.Log, settled: cfg.OnSettled,
		signal: make(chan struct{}, 1), ended: make(chan struct{}),
		processors: int64(min(runtime.NumCPU(), runtime.GOMAXPROCS(0))), // one of these may be a spare
	}
}

// markAfter is asked, for a mark of a connection whose last one was on the disk at since; zero: it had none lately.
func (w *writer) markAfter(since time.Time, mark *write) <-chan error {
	if !since.IsZero() {
		w.mu.Lock()
		w.absence = lately(w.absence, min(time.Since(since), company)) // one that waits for a slow relay says nothing of the others
		w.mu.Unlock()
	}
	return w.asked(mark)
}

// wrote notes how long a message took to write.
func (w *writer) wrote(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = lately(w.writing, took)
}

// slowToWrite says that messages take long to write, as signed ones do: more than half a commit, so that a content which is marked
// would often wait for the message beside it. From there on both a relay 2 ms away and one 20 ms away get more when it is written
// beside their answer.
func (w *writer) slowToWrite() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 2*w.writing > w.cost
}

// stoodFor notes how long a connection stood still for a message to be written, when it had its answer.
func (w *writer) stoodFor(took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.standing = lately(w.standing, took)
}

// lately is a mean in which the newest of the values counts for an eighth.
func lately(mean, value time.Duration) time.Duration {
	if mean == 0 {
		return value
	}
	return mean + (value-mean)/8
}

// gathers says how long a commit should wait for more to share it. Where connections are back in about the time that a commit
// takes, one for nearly all of them costs half of what two by turns do. Where they stand still for their messages to be written, and
// more of them than there are processors for that, they may as well wait for their marks: what commits cost is taken from who writes.
func (w *writer) gathers(now time.Time) time.Duration {
	crowd, asks := w.crowd.Load(), int64(len(w.asks))
	if asks == 0 || 5*asks >= 4*crowd {
		return 0
	}
	var wait time.Duration
	if w.absence <= min(2*w.cost, mostGathering) {
		wait = 4 * w.absence
	}
	if 2*w.writing > w.cost && crowd-asks > w.processors {
		wait = max(wait, 4*w.standing)
	}
	return min(wait, mostGathering) - now.Sub(w.asks[0].since)
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

// together writes all in one transaction.
func (w *writer) together(ctx context.Context, all []*write) error {
	began := time.Now()
	err := w.db.InTx(ctx, func(tx *store.Tx) error { return w.makeAll(ctx, tx, all) })
	if err == nil {
		w.mu.Lock()
		w.cost = lately(w.cost, time.Since(began))
		w.mu.Unlock()
	}
	return err
}

// makeAll writes marks last: what else is written may forbid them.
func (w *writer) makeAll(ctx context.Context, tx *store.Tx, all []*write) error {
	var marks, sents []*write
	for _, one := range all {
		switch {
		case one.mark != nil:
			marks = append(marks, one)
		case one.sent != nil:
			sents = append(sents, one)
		default:
			if err := one.do(ctx, tx); err != nil {
				return err
			}
		}
	}
	if err := makeShared(ctx, tx, sents, w.makeSents); err != nil {
		return err
	}
	return makeShared(ctx, tx, marks, makeMarks)
}

// makeShared writes those that one statement can write, and where that doesn't fit all of them takes it back and writes each by its
// own. What else the transaction holds stays: a claim must not be made twice.
func makeShared(ctx context.Context, tx *store.Tx, all []*write, shared func(context.Context, *store.Tx, []*write) (fits bool, err error)) error {
	if len(all) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "SAVEPOINT shared"); err != nil {
		return err
	}
	if fits, err := shared(ctx, tx, all); fits || err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "ROLLBACK TO shared"); err != nil {
		return err
	}
	for _, one := range all {
		if err := one.do(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) makeSents(ctx context.Context, tx *store.Tx, all []*write) (fits bool, err error) {
	turns := make([]turn, len(all))
	for i, one := range all {
		turns[i] = *one.sent
	}
	n, err := makeSent(ctx, tx, turns, w.now())
	return n == int64(len(all)), err
}

func makeMarks(ctx context.Context, tx *store.Tx, all []*write) (fits bool, err error) {
	marks := make([]*marking, len(all))
	for i, one := range all {
		marks[i] = one.mark
	}
	n, err := marks[0].w.markAll(ctx, tx, marks)
	fits = err == nil && n == len(marks)
	for _, m := range marks {
		m.marked = fits
	}
	return fits, err
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

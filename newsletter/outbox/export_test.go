package outbox

import (
	"context"
	"errors"
	"runtime"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/subscribers/store"
)

// Steps are deliveries of a worker that doesn't send by itself: they go from state to state at the caller's word, so that each
// step can be measured.
type Steps struct {
	w       *Worker
	rows    []row
	letters []letter
}

// Claim claims at most n deliveries of issues.
func (w *Worker) Claim(n int) (*Steps, error) {
	rows, err := w.claim(room{issues: n, most: n}, false)
	return &Steps{w, rows, make([]letter, len(rows))}, err
}

// Len is how many were claimed.
func (s *Steps) Len() int { return len(s.rows) }

// Write writes their messages.
func (s *Steps) Write(ctx context.Context) (err error) {
	for i, r := range s.rows {
		if s.letters[i], err = s.w.write(ctx, r, Notice{}, r.to, nil); err != nil {
			return err
		}
	}
	return nil
}

// WriteTo writes one of their messages as if its reader had another name.
func (s *Steps) WriteTo(ctx context.Context, i int, name string, room []byte) ([]byte, error) {
	l, err := s.w.write(ctx, s.rows[i], Notice{}, person{name, s.rows[i].to.email}, room)
	return l.Bytes, err
}

// Mark marks those from i to j in one commit, as the writer does.
func (s *Steps) Mark(ctx context.Context, i, j int) error {
	var all []*write
	for ; i < j; i++ {
		m := &marking{w: s.w, row: s.rows[i], letter: s.letters[i]}
		all = append(all, &write{do: m.mark, mark: m})
		s.rows[i].tries++
		s.rows[i].dated = s.letters[i].dated
	}
	return s.w.writer.together(ctx, all)
}

// Settle settles those from i to j in one commit, as the writer does: the relay took them.
func (s *Steps) Settle(ctx context.Context, i, j int) error {
	out := mailer.Outcome{State: mailer.Accepted, Reply: mailer.Reply{Code: 250, Enhanced: "2.0.0", Text: "taken"}}
	var all []*write
	for ; i < j; i++ {
		t := arrow(s.rows[i], inflight, out, s.w.cfg.ShelfLife, s.w.now())
		all = append(all, &write{sent: &t})
	}
	return s.w.writer.together(ctx, all)
}

// NextChunk is the size of the chunk after one that took so long.
var NextChunk = nextChunk

// Claimer is a worker of which nothing runs but its writer, until end is called: it claims by Claim alone.
func Claimer(cfg Config) (w *Worker, end func(), err error) {
	if cfg, err = cfg.check(); err != nil {
		return nil, nil, err
	}
	w = &Worker{cfg: cfg, owner: "claimer", log: cfg.Log, now: cfg.Now, writer: newWriter(cfg)}
	err = w.remember(context.Background())
	go w.writer.run(context.Background())
	return w, func() { w.writer.close(); <-w.writer.ended }, err
}

// ClaimBeside is Claim in a commit with another's statement that fails after it.
func (w *Worker) ClaimBeside(n int) (*Steps, error) {
	busy, begun, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.writer.record(0, func(context.Context, *store.Tx) error { close(begun); <-busy; return nil }, func() {})
	<-begun
	go func() {
		defer close(ended)
		w.writer.until(1)
		go func() { w.writer.until(2); close(busy) }()
		_ = w.writer.ask(0, func(context.Context, *store.Tx) error { return errors.New("made by the test") })
	}()
	steps, err := w.Claim(n)
	<-ended
	return steps, err
}

// ClaimBesideMark is Claim in one commit with the mark of the first of steps.
func (w *Worker) ClaimBesideMark(n int, steps *Steps) (claimed *Steps, marked bool, err error) {
	busy, begun := make(chan struct{}), make(chan struct{})
	w.writer.record(0, func(context.Context, *store.Tx) error { close(begun); <-busy; return nil }, func() {})
	<-begun
	m := w.markAfter(steps.rows[0], steps.letters[0], time.Time{})
	go func() { w.writer.until(2); close(busy) }()
	claimed, err = w.Claim(n)
	return claimed, m.marked, errors.Join(err, <-m.answer)
}

// until waits until so many wait for a commit.
func (w *writer) until(asks int) {
	for n := 0; n < asks; runtime.Gosched() {
		w.mu.Lock()
		n = len(w.asks)
		w.mu.Unlock()
	}
}

// AnyStop is what a claim asks to know whether refusals stopped something.
const AnyStop = anyStop

package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// prepare writes the message of a claimed delivery, into room if that is enough. ok is false where there is nothing to send:
// then the row has gone where it belongs.
func (w *Worker) prepare(ctx context.Context, r row, room []byte) (l letter, ok bool) {
	n, to, v, err := Notice{}, r.to, eligible, error(nil)
	if to.email == "" || w.suspects.has(r.issue) {
		n, to, v, err = w.addressee(ctx, w.cfg.DB, r)
	}
	if err == nil && v != eligible {
		// Read outside a transaction: the drop looks again.
		w.record(r, func(ctx context.Context, tx *store.Tx) error { return w.drop(ctx, tx, r) })
		return letter{}, false
	}
	if err == nil {
		l, err = w.write(ctx, r, n, to, room)
		if errors.Is(err, mailer.ErrUnsigned) {
			w.cfg.Unsigned(ctx)
			l, err = w.write(ctx, r, n, to, room)
		}
		if err == nil {
			return l, true
		}
	}
	if errors.Is(err, mailer.ErrUnsigned) {
		w.unsigned(ctx, r, err)
		return letter{}, false
	}
	if refused, ok := unwritable(err); ok {
		w.settle(ctx, r, claimed, refused)
		return letter{}, false
	}
	if ctx.Err() == nil {
		w.log.Error("delivery not read", "delivery", r.id, "error", err)
		r.nextTry = w.now().Add(lostWait).UnixMilli()
	}
	w.giveBack(r, r.nextTry)
	return letter{}, false
}

// ready is prepare for a row that needs nothing but its message to be written: neither a look at its person nor at the keys, nor a
// wait for the disk. Where it does, ok is false, and nothing has happened.
func (w *Worker) ready(ctx context.Context, r row, room []byte) (l letter, ok bool) {
	if r.issue == 0 || r.to.email == "" || w.suspects.has(r.issue) {
		return letter{}, false
	}
	l, err := w.write(ctx, r, Notice{}, r.to, room)
	return l, err == nil
}

// marking is a mark that was asked for.
type marking struct {
	w      *Worker
	row    row
	letter letter
	marked bool // once the answer is there
	answer <-chan error
}

// markAfter asks for a mark of the delivery, in a commit of its own or, more often, shared with others' marks and results. since is
// when the connection's last mark was on the disk.
func (w *Worker) markAfter(r row, l letter, since time.Time) *marking {
	m := &marking{w: w, row: r, letter: l}
	one := &write{do: m.mark, issue: r.issue}
	if r.issue != 0 {
		one.mark = m
	}
	m.answer = w.writer.markAfter(since, one)
	return m
}

// made waits for the mark. ok false: no content may leave, and the row has gone where it belongs.
func (m *marking) made() (r row, ok bool) {
	w, r := m.w, m.row
	if err := <-m.answer; err != nil {
		w.log.Warn("delivery not marked, so not sent", "delivery", r.id, "error", err)
		w.giveBack(r, r.nextTry)
		return r, false
	}
	if !m.marked {
		w.suspects.add(r.issue)
		w.end(r)
		return r, false
	}
	r.tries++
	r.dated = m.letter.dated
	return r, true
}

// giveBack makes a delivery of which no content has left pending again. It may be in flight only where the commit of its
// mark was reported as failed and wasn't.
func (w *Worker) giveBack(r row, nextTry int64) {
	r.nextTry = nextTry
	w.record(r, func(ctx context.Context, tx *store.Tx) error {
		for _, from := range []state{claimed, inflight} {
			if became, err := (turn{row: r, from: from, to: pending}).make(ctx, tx, w.now()); err != nil || became != "" {
				return err
			}
		}
		return nil
	})
}

// ClassUnsigned is why an issue stopped whose mail our keys don't sign. No delivery fails for it.
const ClassUnsigned mailer.Class = "unsigned"

// unsigned deals with a message that must not leave since it can't be signed. The row waits, and that was no try: an issue's until an
// editor resumes it, for all of it would fare the same; a notice's for a minute.
func (w *Worker) unsigned(ctx context.Context, r row, why error) {
	if r.issue == 0 {
		w.log.Error("a notice waits, since it can't be signed", "delivery", r.id, "error", why)
		w.giveBack(r, w.now().Add(lostWait).UnixMilli())
		return
	}
	w.halt(ctx, r, func(ctx context.Context, tx *store.Tx) error {
		if _, err := (turn{row: r, from: claimed, to: pending}).make(ctx, tx, w.now()); err != nil {
			return err
		}
		return w.stopIssue(ctx, tx, r.issue, mailer.Outcome{Class: ClassUnsigned, Reply: mailer.Reply{Text: why.Error()}})
	})
}

// lost deals with a fresh connection that was lost in the envelope: one more word on a relay that may be away. The row waits
// a minute, so that a recipient whom a relay can't stand doesn't stand in the way of all others; where it is this one for sure, that is
// a try, as after a 4xx, and one day the last.
func (w *Worker) lost(ctx context.Context, r row, out mailer.Outcome, err error) {
	its, away := w.breaker.lostOne(r.id, w.now())
	if away {
		w.away(cmp.Or[error](err, &mailer.RelayError{Phase: "envelope", Reply: out.Reply}))
	}
	out.State = mailer.Away
	if its {
		out.State = mailer.Deferred
		if out.Reply.String() == "" {
			out.Reply.Text = "the relay closed the connection when it was offered this recipient"
		}
	}
	w.settle(ctx, r, claimed, out)
}

// unanswered notes that a relay took content and said nothing. Once may be its restart; where it goes on, each further
// content would be one more delivery of which nobody knows.
func (w *Worker) unanswered(err error) {
	if w.breaker.unansweredOne() {
		w.away(cmp.Or(err, errUnanswered))
	}
}

var errUnanswered = errors.New("the relay takes messages and does not answer")

// away opens the breaker.
func (w *Worker) away(err error) {
	if w.breaker.failed(err, w.now()) {
		w.log.Warn("the relay is away", "error", err)
	}
}

// settle writes what the relay's answer means for a delivery, soon: the writer keeps it until it is on the disk. Only where
// the answer stops the issue or its provider does settle wait for that, so that no further message meets the same refusal.
func (w *Worker) settle(ctx context.Context, r row, from state, out mailer.Outcome) {
	t := arrow(r, from, out, w.cfg.ShelfLife, w.now())
	w.logAttempt(ctx, t, out)
	if r.issue != 0 { // a notice always has to be told
		_, t.reached = w.reached.Load(r.issue)
	}
	w.pacer.Judge(r.lane, w.warming(ctx, r.issue), answer(out))
	stop := w.halted(r, out)
	if stop == nil {
		one := &write{issue: r.issue, do: func(ctx context.Context, tx *store.Tx) error { return w.make(ctx, tx, t, out) }, then: func(error) {
			if r.issue != 0 && t.to == sent && !t.reached {
				w.reached.Store(r.issue, nil)
			}
			w.end(r)
		}}
		if t.to == sent && t.reached {
			one.sent = &t
		}
		w.writer.keep(one)
		return
	}
	w.halt(ctx, r, func(ctx context.Context, tx *store.Tx) error {
		if err := w.make(ctx, tx, t, out); err != nil {
			return err
		}
		return stop(ctx, tx)
	})
}

// halt has the writer end our hold on a row whose result stops more than itself, and waits for that.
func (w *Worker) halt(ctx context.Context, r row, do func(context.Context, *store.Tx) error) {
	w.suspects.add(r.issue)
	written := make(chan struct{})
	w.writer.record(r.issue, do, func() { w.end(r); close(written) })
	select {
	case <-written:
	case <-ctx.Done():
	}
}

// logAttempt writes the one line that each attempt has. It costs nothing where nobody listens.
func (w *Worker) logAttempt(ctx context.Context, t turn, out mailer.Outcome) {
	if !w.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	w.log.LogAttrs(ctx, slog.LevelInfo, "delivery attempt", slog.Int64("delivery", t.row.id), slog.Int64("issue", t.row.issue),
		slog.Int64("try", t.row.tries), slog.String("phase", phases[t.from]), slog.String("outcome", string(out.State)),
		slog.Int("code", out.Reply.Code), slog.String("enhanced", out.Reply.Enhanced), slog.String("class", string(out.Class)),
		slog.String("state", string(t.to)))
}

// make writes the turn that an answer means, and what it says of the address.
func (w *Worker) make(ctx context.Context, tx *store.Tx, t turn, out mailer.Outcome) error {
	became, err := t.make(ctx, tx, w.now())
	switch {
	case err != nil:
	case became == failed:
		err = w.bounce(ctx, tx, t, out)
	case became == "" && t.to == sent:
		// Another owner thought us dead and left it uncertain.
		_, err = Evidence(ctx, tx, t.row.id, t.reply, w.now())
	}
	return err
}

var phases = map[state]string{claimed: "envelope", inflight: "content"}

// record has the writer end our hold on a row.
func (w *Worker) record(r row, do func(context.Context, *store.Tx) error) {
	w.writer.record(r.issue, do, func() { w.end(r) })
}

// end counts a row that is not ours any more. Where a pace is kept, the next may leave for it.
func (w *Worker) end(r row) {
	if r.issue != 0 {
		w.pacer.Done(r.lane)
	}
	if w.held.Add(-1) == 0 || !w.cfg.Pace.Off() {
		w.Wake()
	}
}

// suspects are issues that may not be sent any more, since a mark of theirs was refused or we stop them: what was read when
// their rows were claimed is read again before the relay hears of it.
type suspects struct {
	mu     sync.Mutex
	issues map[int64]bool
}

func (s *suspects) has(issue int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issues[issue]
}

func (s *suspects) add(issue int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.issues == nil {
		s.issues = map[int64]bool{}
	}
	s.issues[issue] = true
}

// clear is called when rows were claimed: what was read with them holds.
func (s *suspects) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.issues)
}

// halted is what an answer stops, to be written with it; nil: nothing.
func (w *Worker) halted(r row, out mailer.Outcome) func(context.Context, *store.Tx) error {
	stops := w.streaks.judge(r, out)
	if stops == nothing {
		return nil
	}
	why := out
	why.Reply = saidOf(r.to, out.Reply) // an issue keeps it
	return func(ctx context.Context, tx *store.Tx) error {
		if stops == provider {
			return w.stopProvider(ctx, tx, r, why)
		}
		return w.stopIssue(ctx, tx, r.issue, why)
	}
}

// answer is what an outcome says of the pace.
func answer(out mailer.Outcome) pace.Answer {
	switch {
	case out.State == mailer.Accepted:
		return pace.Taken
	case mailer.SlowDown(out.Reply):
		return pace.TooFast
	case out.State == mailer.Refused:
		return pace.Refused
	}
	return pace.NoNews
}

// stopIssue pauses an issue that is still sending.
func (w *Worker) stopIssue(ctx context.Context, tx *store.Tx, issueID int64, out mailer.Outcome) error {
	issue, err := series.IssueByID(ctx, tx, issueID)
	if err != nil || issue.State != series.IssueSending {
		return err
	}
	w.halts.Store(true)
	w.log.Error("issue paused", "issue", issueID, "class", string(out.Class), "code", out.Reply.Code, "enhanced", out.Reply.Enhanced, "why", out.Reply.Text)
	if err := stop(ctx, tx, issueID, everyLane, out, w.now()); err != nil {
		return err
	}
	return Pause(ctx, tx, issueID, stopReason(out), w.now())
}

// stopReason says to editors why all that is left of an issue waits, and what to do.
func stopReason(out mailer.Outcome) string {
	switch out.Class {
	case ClassUnsigned:
		return fmt.Sprintf("Its mail can't be signed and doesn't leave unsigned, so the issue waits: %s. Put the key back, or let the relay sign by pressrun dkim drop DOMAIN; then resume the issue.", out.Reply)
	case mailer.ClassContent:
		return fmt.Sprintf("The relay refuses what the issue says, so the rest of it waits: %s. If nobody has it yet, cancel it, change the article and send that anew; if the relay was wrong, resume it and retry what failed.", out.Reply)
	}
	if out.Class == mailer.ClassDead {
		return fmt.Sprintf("The relay says of %d addresses in a row that they don't exist, so the rest of the issue waits: %s. If it is the wrong relay, or its fault, mend that and take the suppressions back with pressrun subscriber unsuppress; then resume the issue.", deadInARow, out.Reply)
	}
	return fmt.Sprintf("The relay refuses our mail, so the rest of the issue waits: %s. When that is mended, resume the issue and retry what failed.", out.Reply)
}

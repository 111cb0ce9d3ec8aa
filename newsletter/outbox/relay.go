package outbox

import (
	"context"
	"sync"
	"time"

	"pressrun/newsletter/mailer"
)

// Relay opens connections that take messages one after the other; the mark falls between the phases.
type Relay interface {
	Connect(ctx context.Context) (Conn, error)
}

// Conn is one connection. mailer.Conn is the real one; see there what each Outcome means.
type Conn interface {
	Envelope(ctx context.Context, m mailer.Message) (mailer.Outcome, error) // promises nothing yet
	// Content hands over the message whose mark is committed; next, if any, sends its envelope in the same write, and is
	// what Envelope is called with then.
	Content(ctx context.Context, next *mailer.Message) (mailer.Outcome, error)
	Drop(ctx context.Context) error // instead of Content; after an error only Close
	Quit(ctx context.Context) error
	Close() error // never writes a dot
}

// RelayFunc makes a Relay of a function.
type RelayFunc func(ctx context.Context) (Conn, error)

// Connect calls f.
func (f RelayFunc) Connect(ctx context.Context) (Conn, error) { return f(ctx) }

const (
	breakerFirst = time.Minute
	breakerLimit = 30 * time.Minute
	alarmAfter   = 10 * time.Minute
	// lostInARow is how many deliveries may lose a fresh connection in the envelope, and lostFor how long fewer of them may, with no
	// envelope answered between, before it is the relay that is away and not something about one recipient.
	lostInARow = 3
	lostFor    = 10 * time.Minute
	mostLost   = 4096 // deliveries that are remembered
	// unansweredInARow is how many contents may go unanswered, with none answered between, before nothing leaves but one
	// probe after each wait.
	unansweredInARow = 3
)

// breaker keeps everybody from a relay that is away: 1, 2, 4 … 30 minutes, then one probe.
type breaker struct {
	mu      sync.Mutex
	err     error // the last trouble; nil: all well
	wait    time.Duration
	until   time.Time // no try before
	since   time.Time // when the trouble began
	alarmed bool

	lost       map[int64]bool  // deliveries, in a row
	lostSince  time.Time       // when the first of them was
	lostBefore map[int64]int64 // deliveries -> envelopes that had been answered by then
	envelopes  int64           // that were answered
	unanswered int             // in a row
}

// trouble is the relay's last error; nil when it works.
func (b *breaker) trouble() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// open says whether nobody may try now, and probing whether one may.
func (b *breaker) state(now time.Time) (open, probing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil && now.Before(b.until), b.err != nil
}

// failed notes that the relay is away, and says whether that is news. Connections that fail together count once.
func (b *breaker) failed(err error, now time.Time) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil && now.Before(b.until) {
		return false
	}
	if b.err == nil {
		b.since, b.wait = now, breakerFirst/2
	}
	b.err, b.wait = err, min(2*b.wait, breakerLimit)
	b.until = now.Add(b.wait)
	return true
}

// lostOne notes that a fresh connection was lost in the envelope of a delivery. its: the relay has answered others' since it was lost
// before, so it is this one that the relay can't stand; away: it has answered nobody's, for too many or too long.
func (b *breaker) lostOne(delivery int64, now time.Time) (its, away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answered, before := b.lostBefore[delivery]
	if before && answered < b.envelopes {
		return true, false
	}
	if b.lostBefore == nil || len(b.lostBefore) >= mostLost {
		b.lost, b.lostBefore = map[int64]bool{}, map[int64]int64{}
	}
	if len(b.lost) == 0 {
		b.lostSince = now
	}
	b.lost[delivery] = true
	if !before {
		b.lostBefore[delivery] = b.envelopes
	}
	return false, len(b.lost) >= lostInARow || now.Sub(b.lostSince) >= lostFor
}

// unansweredOne counts a content that nobody answered and says whether they are too many in a row.
func (b *breaker) unansweredOne() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unanswered++
	return b.unanswered >= unansweredInARow
}

// works notes that the relay took or judged an envelope. That is no news of a relay that doesn't answer contents.
func (b *breaker) works() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.envelopes++
	clear(b.lost)
	if b.unanswered < unansweredInARow {
		b.err, b.alarmed = nil, false
	}
}

// answered notes that the relay took or judged a message.
func (b *breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.alarmed, b.unanswered = nil, false, 0
	clear(b.lost)
}

// alarm says once in each time of trouble that it has lasted for ten minutes.
func (b *breaker) alarm(now time.Time) (since time.Time, due bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || b.alarmed || now.Sub(b.since) < alarmAfter {
		return time.Time{}, false
	}
	b.alarmed = true
	return b.since, true
}

package newsletter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pressrun/newsletter/outbox"
)

// longestRun is how long after the last run of what is due another one must have ended. It is generous, for runs that queue millions.
const longestRun = 10 * time.Minute

// lastRun is when a run of what is due ended last, and what failed in it.
type lastRun struct {
	mu    sync.Mutex
	ended time.Time // zero: none has
	err   error
}

func (l *lastRun) note(now time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.err = now, err
}

func (l *lastRun) away(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch away := now.Sub(l.ended); {
	case l.ended.IsZero():
		return errors.New("the scheduler has not looked at what is due yet")
	case away > longestRun:
		return fmt.Errorf("the scheduler has not looked at what is due for %s", span(away))
	}
	return nil
}

func (l *lastRun) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return nil
	}
	return fmt.Errorf("the scheduler's last run failed: %w", l.err)
}

// Away says that this process has not looked at what is due yet, or for long; nil: it has. It is of Run: who calls RunDue once knows.
func (p *Publisher) Away() error { return p.last.away(p.now()) }

// longestPutOff is how long the relay may put off all that it is offered: greylisting takes some minutes.
const longestPutOff = 30 * time.Minute

// Checkup says why slots and issues don't go as they should, as far as this process runs them: the last RunDue failed,
// refusals stopped an issue, or the relay takes nothing of one. nil: all is well. What waits for an editor or an import is no failure.
func (p *Publisher) Checkup(ctx context.Context) error {
	errs := []error{p.last.failed()}
	stops, err := outbox.Stops(ctx, p.db, 0)
	errs = append(errs, err)
	for _, stop := range stops {
		errs = append(errs, fmt.Errorf("refusals stopped issue %d, class %s", stop.IssueID, stop.Class))
	}
	putOff, err := outbox.PutOff(ctx, p.db, p.now().Add(-longestPutOff))
	errs = append(errs, err)
	for _, id := range putOff {
		errs = append(errs, fmt.Errorf("for %s the relay has taken nothing of issue %d, and put off what it was offered", span(longestPutOff), id))
	}
	return errors.Join(errs...)
}

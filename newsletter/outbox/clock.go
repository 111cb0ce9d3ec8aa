package outbox

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"pressrun/subscribers/store"
)

// uptime is the time since this machine was started, its sleep included, as Linux tells it.
func uptime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// clockWatch finds out that somebody set the machine's clock: the time since it was started goes on as before, also through
// a sleep.
type clockWatch struct {
	uptime func() (time.Duration, error)
	wall   time.Time // when it was looked at last; zero: never
	up     time.Duration
	jump   time.Duration // that led to no hold yet; 0: none
}

// step is how far the clock was set forward since the last call; below zero: back. It is zero where the system doesn't say
// how long it is up.
func (c *clockWatch) step() time.Duration {
	up, err := c.uptime()
	if err != nil {
		return 0
	}
	wall := time.Now().Round(0) // without the monotonic reading, which no setting moves
	var step time.Duration
	if !c.wall.IsZero() {
		step = wall.Sub(c.wall) - (up - c.up)
	}
	c.wall, c.up = wall, up
	return step
}

// watchClock puts the database in hold where the clock was set forward past any correction: what it says is due, may not be.
// A hold that could not be written is tried again with the next call.
func (w *Worker) watchClock() error {
	if step := w.clock.step(); step > clockSlack {
		w.clock.jump = step
	}
	if w.clock.jump == 0 {
		return nil
	}
	reason := fmt.Sprintf("this machine's clock went forward by %s at once: what is due by it may not be", w.clock.jump.Round(time.Minute))
	err := w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, holdInstance, reason)
		return err
	})
	if err != nil {
		return fmt.Errorf("hold after the clock was set: %w", err)
	}
	w.log.Error("sending is on hold: the clock was set forward", "by", w.clock.jump.Round(time.Second))
	w.clock.jump = 0
	return nil
}

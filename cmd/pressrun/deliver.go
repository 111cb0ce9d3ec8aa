package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/pace"
)

// delivery is what one run of the worker came to: what the relay said to this process, and what is left.
type delivery struct {
	Sent      int64  `json:"sent"`
	Notices   int64  `json:"notices"`  // of the sent: no letters of an issue, but confirmations, words to the editors and such
	Refused   int64  `json:"refused"`  // for good
	Deferred  int64  `json:"deferred"` // for now: they are among the waiting
	Uncertain int64  `json:"uncertain"`
	Waiting   int64  `json:"waiting"`
	NextTry   string `json:"next_try,omitempty"`
	Paced     string `json:"paced,omitempty"`   // what the waiting wait for, where that is the pace
	Ends      string `json:"ends,omitempty"`    // when the last of them leaves at the pace that is set
	Refusal   string `json:"refusal,omitempty"` // the last one's words
	Elsewhere bool   `json:"elsewhere"`         // another process sends from this database: it does the delivery

	Unsettled []outbox.Unsettled `json:"unsettled,omitempty"` // issues with uncertain deliveries, of whatever run

	next     time.Time // in the site's zone
	course   pace.Course
	followed *outbox.Counts // of the issue, where it was watched while another process delivered it
	failed   bool           // the relay's last words may not be on the disk
}

// tally counts what the relay says.
type tally struct {
	sent, notices, refused, deferred, uncertain atomic.Int64
	refusal                                     atomic.Pointer[mailer.Reply] // the last one
}

func (t *tally) handled() int64 {
	return t.sent.Load() + t.refused.Load() + t.deferred.Load() + t.uncertain.Load()
}

// words are what there is of each kind beside the sent ones.
func (t *tally) words() (all []string) {
	for _, x := range []struct {
		n    int64
		word string
	}{{t.refused.Load(), "refused"}, {t.deferred.Load(), "put off"}, {t.uncertain.Load(), "uncertain"}} {
		if x.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", x.n, x.word))
		}
	}
	return all
}

// count counts an answer to an envelope or a content. A content whose connection was cut is tried again: it is nothing yet.
func (t *tally) count(o mailer.Outcome, content bool) {
	switch {
	case o.State == mailer.Accepted && content:
		t.sent.Add(1)
	case o.State == mailer.Refused:
		t.refused.Add(1)
		t.refusal.Store(&o.Reply)
	case o.State == mailer.Deferred:
		t.deferred.Add(1)
	case o.State == mailer.Unknown:
		t.uncertain.Add(1)
	}
}

// counted is a connection whose answers are counted.
type counted struct {
	outbox.Conn
	tally  *tally
	notice bool // what its last envelope was of
}

func (c *counted) Envelope(ctx context.Context, m mailer.Message) (mailer.Outcome, error) {
	c.notice = !m.List
	o, err := c.Conn.Envelope(ctx, m)
	c.tally.count(o, false)
	return o, err
}

func (c *counted) Content(ctx context.Context, next *mailer.Message) (mailer.Outcome, error) {
	o, err := c.Conn.Content(ctx, next)
	c.tally.count(o, true)
	if c.notice && o.State == mailer.Accepted {
		c.tally.notices.Add(1)
	}
	return o, err
}

// deliver hands over what can be sent now, where no other process sends from this database.
func (s *site) deliver(ctx context.Context, progress io.Writer) (d delivery, err error) {
	worker, stop, err := s.startPatiently(ctx)
	if errors.Is(err, outbox.ErrRunning) {
		d.Elsewhere = true
		if err = s.publisher.Finish(ctx); err == nil {
			d.Unsettled, err = outbox.AllUnsettled(ctx, s.db)
		}
		return d, err
	}
	if err != nil {
		return d, err
	}
	unwatched := s.monitorBeside(ctx)
	err = s.drain(ctx, worker, progress)
	unwatched()
	if errors.Is(err, outbox.ErrHeld) { // no failure: waiting says what it keeps here, and why
		err = nil
	}
	if err == nil {
		err = s.publisher.Finish(ctx)
	}
	err = errors.Join(err, stop())
	t := &s.said
	d.Sent, d.Notices = t.sent.Load(), t.notices.Load()
	d.Refused, d.Deferred, d.Uncertain = t.refused.Load(), t.deferred.Load(), t.uncertain.Load()
	if last := t.refusal.Load(); last != nil {
		d.Refusal = oneLine(last.String())
	}
	if d.failed = err != nil; d.failed {
		return d, err
	}
	if d.Unsettled, err = outbox.AllUnsettled(ctx, s.db); err != nil {
		return d, err
	}
	d.Waiting, d.next, err = outbox.CountPending(ctx, s.db)
	if d.next.After(s.now()) { // else it is due already, and something else keeps them here
		d.NextTry, d.next = stamp(d.next), d.next.In(s.pace.Zone)
	} else {
		d.next = time.Time{}
	}
	if err == nil && d.Waiting > 0 {
		d.course, d.Paced, err = outbox.Backlog(ctx, s.db, s.pace, s.now())
		d.Ends = stamp(d.course.Ends)
	}
	return d, err
}

// startPatiently is startWorker, but that it waits a moment for another process that is about to end, as long as something
// is due: else nobody would send it. A process that goes on sends it meanwhile.
func (s *site) startPatiently(ctx context.Context) (*outbox.Worker, func() error, error) {
	const patience, pause = 3 * time.Second, 100 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		worker, stop, err := s.startWorker(ctx)
		if !errors.Is(err, outbox.ErrRunning) || time.Now().After(end) {
			return worker, stop, err
		}
		waiting, next, failed := outbox.CountPending(ctx, s.db)
		if failed != nil || waiting == 0 || next.After(s.now()) {
			return nil, nil, errors.Join(err, failed)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// drain waits until nothing can be sent now, behind a progress bar where somebody looks.
func (s *site) drain(ctx context.Context, worker *outbox.Worker, progress io.Writer) error {
	waiting, _, err := outbox.CountPending(ctx, s.db)
	if err != nil {
		return err
	}
	b := newBar(progress, "Sending")
	defer b.clear()
	var m meter
	drained := make(chan error, 1)
	go func() { drained <- worker.Drain(ctx) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-drained:
			return err
		case <-tick.C:
			done := s.said.handled()
			total := max(waiting, done)
			b.show(done, total, append(progressWords(total-done, m.rate(time.Now(), done)), s.said.words()...)...)
		}
	}
}

// said is the delivery in a sentence.
func (d delivery) said() string {
	if d.Elsewhere {
		return d.saidElsewhere() + d.saidUnsettled()
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{d.Sent - d.Notices, "sent"}, {d.Refused, "refused by the relay"}, {d.Deferred, "put off by the relay"}, {d.Uncertain, "uncertain"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if d.Notices > 0 {
		parts = append(parts, countOf(d.Notices, "notice", "notices"))
	}
	if len(parts) == 0 {
		parts = []string{"nothing"}
	}
	text := "Delivered: " + strings.Join(parts, ", ") + "."
	if d.failed && d.Sent+d.Refused+d.Deferred+d.Uncertain > 0 {
		text = "The relay’s answers before that: " + strings.Join(parts, ", ") + ". `pressrun issue list` says what of it is recorded."
	}
	if d.Refusal != "" {
		text += " The relay’s last refusal: " + d.Refusal + "."
	}
	switch {
	case d.Waiting > 0 && d.Paced != "":
		text += fmt.Sprintf(" Waiting: %d, since %s; the next leaves on %s", d.Waiting, d.Paced, when(d.course.Begins))
		if !d.course.Ends.IsZero() {
			text += fmt.Sprintf(", the last on %s", when(d.course.Ends))
		}
		text += ". A running serve, or the next run-due, sends them."
	case d.Waiting > 0 && d.next.IsZero():
		text += fmt.Sprintf(" Waiting: %d.", d.Waiting)
	case d.Waiting > 0:
		text += fmt.Sprintf(" Waiting: %d; the next try is due on %s.", d.Waiting, when(d.next))
	}
	return text + d.saidUnsettled()
}

// saidOf is said for a command that is about issues of which own letters were sent: a run sends all that waits.
func (d delivery) saidOf(own int64) string {
	others := d.Sent - d.Notices - own
	if others <= 0 {
		return d.said()
	}
	return fmt.Sprintf("%s Of the sent, %d waited of other issues.", d.said(), others)
}

// sentOf counts the letters that were sent of some issues.
func sentOf(all []newsletter.Status) (n int64) {
	for _, st := range all {
		n += st.Counts.Sent
	}
	return n
}

// saidElsewhere is what another process does, as far as it is known here.
func (d delivery) saidElsewhere() string {
	if d.followed == nil {
		return "A running pressrun sends from this database: it does the delivery."
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{d.followed.Sent, "sent"}, {d.followed.Failed, "failed"}, {d.followed.Skipped, "skipped"}, {d.followed.Open(), "not through yet"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing"}
	}
	return "The running pressrun delivered: " + strings.Join(parts, ", ") + "."
}

// mostUnsettled is how many issues with uncertain deliveries are named.
const mostUnsettled = 3

// saidUnsettled says what waits for somebody's word since the relay's answer was lost, now or before.
func (d delivery) saidUnsettled() string {
	if len(d.Unsettled) == 0 {
		return ""
	}
	var n int64
	var names []string
	for _, u := range d.Unsettled {
		n += u.Deliveries
		names = append(names, fmt.Sprintf("%s: %d", u.Issue, u.Deliveries))
	}
	if more := len(names) - mostUnsettled; more > 0 {
		names = append(names[:mostUnsettled], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("\nUncertain in all: %d (%s). The relay’s answer was lost, so they may have arrived or not; `pressrun issue settle ISSUE --as sent|again` decides.",
		n, strings.Join(names, ", "))
}

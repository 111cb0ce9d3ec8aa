package outbox

import (
	"context"
	"sync"
	"time"

	"pressrun/newsletter/mailer"
)

const (
	idleLimit = 5 * time.Second
	restTime  = time.Minute
)

// connection takes claimed deliveries to the relay, one after the other. It opens when there is something to send and
// closes after as many messages as Config says, or five idle seconds.
type connection struct {
	w      *Worker
	conn   Conn      // nil: closed
	used   int       // messages offered since it opened
	next   *job      // prepared, and perhaps offered behind the last content
	after  *job      // prepared, for when next is under way; nil where messages are written fast
	off    *row      // claimed, and needs more than writing: prepared once nothing stands before it
	room   [3][]byte // of the messages at hand, next and after, by turns
	turn   int
	rest   time.Time
	last   time.Time // when it was used, by the wall clock
	marked time.Time // when its last mark was on the disk; zero: not lately
}

// job is a claimed delivery and its message.
type job struct {
	row    row
	letter letter
}

// run works until ctx ends. Content that is out by then has until hard ends to be answered.
func (c *connection) run(ctx, hard context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer c.end(hard)
	for ctx.Err() == nil {
		if c.next != nil {
			c.w.writer.crowd.Add(1)
			c.deliverNext(ctx, hard)
			c.w.writer.crowd.Add(-1)
			continue
		}
		if c.off != nil {
			off := *c.off
			c.off = nil
			c.next = c.prepared(ctx, off)
			continue
		}
		c.marked = time.Time{}
		urgent, rows := c.w.urgent, c.w.rows
		if c.w.now().Before(c.rest) {
			urgent, rows = nil, nil
		} else if r, ok := c.w.take(); ok {
			c.next = c.prepared(ctx, r)
			continue
		}
		select {
		case <-ctx.Done():
		case r := <-urgent:
			c.next = c.prepared(ctx, r)
		case r := <-rows:
			c.w.refill()
			c.next = c.prepared(ctx, r)
		case <-tick.C:
			if time.Since(c.last) >= idleLimit {
				c.quit(hard)
			}
		}
	}
}

// prepared writes the message of a row, if there is one to send.
func (c *connection) prepared(ctx context.Context, r row) *job {
	l, ok := c.w.prepare(ctx, r, c.room[c.turn])
	if !ok {
		return nil
	}
	return c.job(ctx, r, l)
}

// follow writes one more message into place, if none stands there and a row waits, while c waits for something else. A row that needs
// more than writing is put off, for nothing may wait for that.
func (c *connection) follow(ctx context.Context, place **job, take func() (row, bool)) {
	if *place != nil || c.off != nil {
		return
	}
	r, ok := take()
	if !ok {
		return
	}
	began := time.Now()
	l, ok := c.w.ready(ctx, r, c.room[c.turn])
	if !ok {
		c.off = &r
		return
	}
	c.w.writer.wrote(time.Since(began))
	*place = c.job(ctx, r, l)
}

// followAfter begins to write the message after the next while the relay works on the one at hand, if messages are slow to write.
// Nothing else may be written before join has returned. Notices don't stand in that line.
func (c *connection) followAfter(ctx context.Context) (join func()) {
	if c.next == nil || !c.w.writer.slowToWrite() {
		return func() {}
	}
	var beside sync.WaitGroup
	beside.Go(func() { c.follow(ctx, &c.after, c.w.takeOfIssues) })
	return func() {
		began := time.Now()
		beside.Wait()
		c.w.writer.stoodFor(time.Since(began))
	}
}

// job is what c does next with a message, unless its row went elsewhere meanwhile.
func (c *connection) job(ctx context.Context, r row, l letter) *job {
	r.to, r.domain = l.to, domainOf(l.to.email)
	if c.w.strayed(r) || c.w.stoppedMeanwhile(ctx, r) {
		return nil
	}
	if cap(l.Bytes) > cap(c.room[c.turn]) {
		c.room[c.turn] = l.Bytes
	}
	c.turn = (c.turn + 1) % len(c.room)
	return &job{r, l}
}

// end gives back what is prepared, and closes.
func (c *connection) end(hard context.Context) {
	for _, j := range []*job{c.next, c.after} {
		if j != nil {
			c.w.giveBack(j.row, j.row.nextTry)
		}
	}
	if c.off != nil {
		c.w.giveBack(*c.off, c.off.nextTry)
	}
	c.next, c.after, c.off = nil, nil, nil
	c.quit(hard)
}

// deliverNext takes one delivery as far as it goes now. Afterwards its row is not ours any more, once the writer is through.
func (c *connection) deliverNext(ctx, hard context.Context) {
	r, l, since := c.next.row, c.next.letter, c.marked
	c.next, c.after, c.last, c.marked = c.after, nil, time.Now(), time.Time{}
	defer func() { c.last = time.Now() }()
	if c.barred() || c.w.afterHours(r) {
		c.close() // its envelope may be on the way
		c.w.giveBack(r, r.nextTry)
		return
	}
	// Its envelope may have travelled with content that was refused: then nothing of this provider goes on.
	if w := c.w; w.strayed(r) || w.stoppedMeanwhile(ctx, r) {
		c.close()
		return
	}
	if !c.envelope(ctx, r, l) {
		return
	}
	if away, _ := c.w.breaker.state(c.w.now()); away || ctx.Err() != nil {
		c.close()
		c.w.giveBack(r, r.nextTry)
		return
	}
	mark := c.w.markAfter(r, l, since)
	c.follow(ctx, &c.next, c.w.take)
	if r, ok := mark.made(); ok {
		c.marked = time.Now()
		c.content(ctx, hard, r)
	} else {
		c.drop(hard)
	}
	if c.used >= c.w.cfg.PerConnection {
		c.quit(hard)
	}
}

// barred says that nothing may be tried now: the relay is away or takes no further connection, or what it answers could not be
// written.
func (c *connection) barred() bool {
	away, _ := c.w.breaker.state(c.w.now())
	return away || c.w.now().Before(c.rest) || c.w.writer.trouble() != nil
}

// content hands over the message that is marked, and notes what the relay says to it.
func (c *connection) content(ctx, hard context.Context, r row) {
	w := c.w
	var next *mailer.Message
	if c.next != nil && c.used < c.w.cfg.PerConnection {
		next = &c.next.letter.Message
	}
	join := c.followAfter(ctx)
	out, err := c.conn.Content(hard, next)
	if err != nil {
		c.close()
	}
	if out.State == "" {
		out.State = mailer.Unknown // an error that says nothing about the relay: it may have the message
	}
	switch {
	case out.State == mailer.Unknown && hard.Err() != nil:
		w.cutShort.Add(1)
	case out.State == mailer.Unknown:
		w.unanswered(err)
	case out.State != mailer.Away && out.State != mailer.Cut:
		w.breaker.answered()
	}
	w.settle(ctx, r, inflight, out)
	join()
}

// drop ends the transaction of a message that may not leave: the relay gets no content, and no dot.
func (c *connection) drop(ctx context.Context) {
	if err := c.conn.Drop(ctx); err != nil {
		c.close()
	}
}

// envelope offers the message and says whether the relay waits for its content; if not, the row has gone where it belongs.
// A connection that the relay closed since its last message says nothing about this one: it is tried again on a new one.
func (c *connection) envelope(ctx context.Context, r row, l letter) bool {
	for {
		if err := c.open(ctx); err != nil {
			c.w.giveBack(r, r.nextTry)
			return false
		}
		fresh := c.used == 0
		c.used++
		out, err := c.conn.Envelope(ctx, l.Message)
		if err != nil {
			c.close()
		}
		switch {
		case err != nil && (out.State == "" || out.State == mailer.Away) && !fresh && ctx.Err() == nil:
			continue
		case out.State == mailer.Accepted:
			c.w.breaker.works()
			return true
		case out.State == mailer.Refused || out.State == mailer.Deferred:
			c.w.breaker.works()
			c.w.settle(ctx, r, claimed, out)
		case ctx.Err() != nil:
			c.w.giveBack(r, r.nextTry)
		default:
			c.w.lost(ctx, r, out, err)
		}
		return false
	}
}

// open connects where there is no connection. A relay that takes some connections and refuses one more is not away: that
// one rests.
func (c *connection) open(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := c.w.cfg.Relay.Connect(ctx)
	switch {
	case err == nil:
		c.conn, c.used = conn, 0
		c.w.opened.Add(1)
	case ctx.Err() != nil:
	case c.w.opened.Load() > 0:
		c.rest = c.w.now().Add(restTime)
		c.w.log.Warn("the relay takes no further connection", "open", c.w.opened.Load(), "error", err)
	default:
		c.w.away(err)
	}
	return err
}

func (c *connection) close() {
	if c.conn == nil {
		return
	}
	_ = c.conn.Close() // what it had to say was in its outcomes
	c.conn = nil
	c.w.opened.Add(-1)
}

// quit says goodbye, so that the relay need not wait for a next message. What it answers changes nothing.
func (c *connection) quit(ctx context.Context) {
	if c.conn == nil {
		return
	}
	_ = c.conn.Quit(ctx)
	c.close()
}

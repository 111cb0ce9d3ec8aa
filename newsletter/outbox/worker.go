package outbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pressrun/newsletter/mailer"
	"pressrun/newsletter/pace"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// Config is what a Worker needs. Zero values are filled as said.
type Config struct {
	DB          *store.DB
	Lock        *Lock // the right to send from DB; nil: Start takes it and Close gives it back
	Relay       Relay
	Key         subscribers.Key // of Message-IDs and unsubscribe tokens
	BaseURL     *url.URL        // of unsubscribe links
	ReturnPath  ReturnPath      // of messages to subscribers; zero: their sender's address
	Connections int             // 0 means 4
	// PerConnection is how many messages are offered on one connection before it is closed and a new one opened; 0 means 100.
	PerConnection int
	// Finish makes a message's bytes what the relay gets, in the memory that they are in if that is enough: its headers and our
	// signatures. It runs before the envelope, outside any transaction, and waits for nobody; where it errs the message doesn't
	// leave. nil: messages leave as they were composed.
	Finish func(mailer.Message) (mailer.Message, error)
	// Unsigned is told before a message is given up that Finish could not sign. Finish is asked once more then. nil: nobody is told.
	Unsigned  func(context.Context)
	Now       func() time.Time
	Log       *slog.Logger
	Lease     time.Duration                   // how long a dead worker's claims stay its own; renewed at a third; 0 means 1 minute
	ShelfLife time.Duration                   // how long a delivery may wait between its tries, all together; 0 means 72 hours
	MayLeave  func(ctx context.Context) error // asked before issues are claimed: ErrHeld and why; nil: always (demo)
	Uptime    func() (time.Duration, error)   // time since the machine was started, by which a set clock is found out; nil: as Linux tells it
	Pace      pace.Plan                       // how fast messages may leave; zero: as the relay takes them
	OnSettled func(issueID int64)             // told, on a goroutine that it must not keep, after commits that changed an issue's counts; nil: nobody
}

func (cfg Config) check() (Config, error) {
	var errs []error
	for _, fault := range []struct {
		is   bool
		text string
	}{
		{cfg.DB == nil, "DB is missing"},
		{cfg.Relay == nil, "Relay is missing"},
		{cfg.BaseURL == nil, "BaseURL is missing"},
		{reflect.ValueOf(cfg.Key).IsZero(), "Key is missing"},
		{cfg.Connections < 0, "Connections is negative"},
		{cfg.PerConnection < 0, "PerConnection is negative"},
	} {
		if fault.is {
			errs = append(errs, errors.New(fault.text))
		}
	}
	cfg.Connections = cmp.Or(cfg.Connections, 4)
	cfg.PerConnection = cmp.Or(cfg.PerConnection, 100)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	cfg.Lease = cmp.Or(cfg.Lease, time.Minute)
	cfg.ShelfLife = cmp.Or(cfg.ShelfLife, 72*time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Uptime == nil {
		cfg.Uptime = uptime
	}
	if cfg.Finish == nil {
		cfg.Finish = func(m mailer.Message) (mailer.Message, error) { return m, nil }
	}
	if cfg.Unsigned == nil {
		cfg.Unsigned = func(context.Context) {}
	}
	if cfg.OnSettled == nil {
		cfg.OnSettled = func(int64) {}
	}
	return cfg, errors.Join(errs...)
}

// patience is how long Close waits for the relay's answers, and then for the disk.
const patience = 10 * time.Second

// Worker claims deliveries and hands their messages to the relay until it is closed.
type Worker struct {
	cfg      Config
	lock     *Lock
	owner    string // random: no two workers are one
	log      *slog.Logger
	now      func() time.Time
	people   subscribers.Registry
	writer   *writer
	breaker  breaker
	issues   frozen
	streaks  streaks
	suspects suspects
	reached  sync.Map // issues that somebody is on the disk as having
	pacer    *pace.Pacer
	lanes    lanes
	clock    clockWatch  // keep's alone
	turn     int         // feed's alone: whose lane is first
	probed   int         // feed's alone: claims of one row, to see whether the relay is back
	halts    atomic.Bool // providers may be stopped

	urgent chan row // claimed notices: they go first
	rows   chan row // claimed of issues, for the next free connection; refilled at half
	signal chan struct{}
	drains chan chan error

	held     atomic.Int64 // rows that are claimed or in flight, until the commit that ends it
	opened   atomic.Int64 // connections
	cutShort atomic.Int64 // contents that Close did not wait for
	alive    atomic.Int64 // ms of the last heartbeat
	doubt    bool         // feed's alone: a claim was reported as failed, and its rows may be ours all the same

	working            sync.WaitGroup
	stopped            <-chan struct{} // closed when Close begins
	stop, cut, abandon context.CancelFunc
	closing            sync.Once
	closeErr           error
}

// Start checks cfg, takes over what a dead owner left, and starts. ErrRunning where another process sends from the database.
func Start(cfg Config) (*Worker, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	w := &Worker{
		cfg: cfg, lock: cfg.Lock, owner: rand.Text(), log: cfg.Log, now: cfg.Now,
		people: subscribers.Registry{Key: cfg.Key, Now: cfg.Now}, writer: newWriter(cfg), clock: clockWatch{uptime: cfg.Uptime},
		urgent: make(chan row, cfg.Connections), rows: make(chan row, perConnection*cfg.Connections), signal: make(chan struct{}, 1), drains: make(chan chan error),
	}
	if w.lock == nil {
		if w.lock, err = TryLock(cfg.DB.Path()); err != nil {
			return nil, fmt.Errorf("start worker: %w", err)
		}
	}
	err = w.remember(context.Background())
	if err == nil {
		err = cfg.DB.InTx(context.Background(), func(tx *store.Tx) error { return w.tidy(context.Background(), tx, anyLease) })
	}
	if err == nil {
		err = w.lock.note(w.heartbeat())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start worker: %w", err), w.unlock())
	}
	var ctx, hard, flush context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	hard, w.cut = context.WithCancel(context.Background())
	flush, w.abandon = context.WithCancel(context.Background())
	w.stopped = ctx.Done()
	go w.writer.run(flush)
	w.working.Go(func() { w.feed(ctx) })
	w.working.Go(func() { w.keep(ctx) })
	for range cfg.Connections {
		c := &connection{w: w}
		w.working.Go(func() { c.run(ctx, hard) })
	}
	return w, nil
}

// remember takes up the pace where the sender before left it.
func (w *Worker) remember(ctx context.Context) error {
	kept, err := keptPace(ctx, w.cfg.DB)
	w.pacer = pace.New(w.cfg.Pace, kept)
	if err != nil {
		return err
	}
	return w.lanes.load(ctx, w.cfg.DB)
}

// Wake tells the worker that deliveries may be waiting. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

var errClosed = errors.New("the worker is closed")

// Drain returns when nothing is claimed, in flight or pending that could be tried now, or within the two minutes that a pace of
// so many a second or a minute may take; with a relay that is away it returns
// the *mailer.RelayError, with a database that can't be written that error, and what MayLeave says where it keeps something
// that is due.
func (w *Worker) Drain(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case w.drains <- answer:
	case <-w.stopped:
		return fmt.Errorf("drain: %w", errClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Trouble is the relay's last error while its breaker is open, or a disk that can't be written; nil when all is well.
func (w *Worker) Trouble() error {
	if err := w.writer.trouble(); err != nil {
		return err
	}
	return w.breaker.trouble()
}

// Close stops claiming, waits for transactions in progress (10 s at most), and leaves no row claimed. Safe to call twice.
// What had no answer by then is uncertain; the error names how many.
func (w *Worker) Close() error {
	w.closing.Do(func() { w.closeErr = w.close() })
	return w.closeErr
}

func (w *Worker) close() error {
	w.stop()
	cut := time.AfterFunc(patience, w.cut)
	w.working.Wait()
	cut.Stop()
	w.writer.record(0, w.release, func() {})
	w.writer.close()
	abandon := time.AfterFunc(patience, w.abandon)
	<-w.writer.ended
	abandon.Stop()
	w.cut()
	w.abandon()
	var errs []error
	if n := w.cutShort.Load(); n > 0 {
		errs = append(errs, fmt.Errorf("close worker: the relay did not answer in time: %d deliveries are uncertain", n))
	}
	if n := w.writer.unwritten(); n > 0 {
		errs = append(errs, fmt.Errorf("close worker: %d changes could not be written: %w", n, w.writer.trouble()))
	}
	if len(errs) == 0 {
		errs = append(errs, w.lock.note(w.heartbeat()))
	}
	return errors.Join(append(errs, w.unlock())...)
}

func (w *Worker) unlock() error {
	if w.cfg.Lock != nil {
		return nil // its owner gives it back
	}
	return w.lock.Close()
}

// feed claims what is due and hands it out until ctx ends. Once a second it looks for what other processes queued and for
// tries whose time has come: timers would not see a clock that is set.
func (w *Worker) feed(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var drains []chan error
	for ctx.Err() == nil {
		idle := w.held.Load() == 0 // before the claim: what is given back after it must not be missed
		n, asked, hold, err := w.next(ctx)
		if n > 0 {
			continue
		}
		if trouble := w.writer.trouble(); trouble != nil {
			idle, err = true, trouble // what is held can't end before the database can be written
		}
		wait := w.untilPace(ctx, hold == nil && err == nil)
		if idle && len(drains) > 0 && (wait == 0 || wait > shortWait) {
			if err == nil && hold != nil {
				err = w.unlessNothingDue(ctx, hold)
			}
			answerAll(drains, err)
			drains = nil
		}
		var permit <-chan time.Time
		if asked && wait > 0 && wait < time.Second {
			permit = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-permit:
		case <-tick.C:
		case <-w.signal:
		case d := <-w.drains:
			drains = append(drains, d)
		}
	}
	answerAll(drains, fmt.Errorf("drain: %w", errClosed))
}

func answerAll(drains []chan error, err error) {
	for _, d := range drains {
		d <- err
	}
}

// next claims as many rows as may be tried now, and hands them to the connections: none while the relay is away, one to see
// whether it is back, else those there is room for. asked: for as many as the pace gives; else a row that ends, or is taken, wakes
// the feed. hold is why issues may not leave.
func (w *Worker) next(ctx context.Context) (claimed int, asked bool, hold, err error) {
	r := room{notices: cap(w.urgent) - len(w.urgent), issues: cap(w.rows) - len(w.rows), most: math.MaxInt}
	if r.issues < cap(w.rows)/2 {
		r.issues = 0
	}
	spared := 0 // notices that may be claimed if nothing of an issue is
	switch away, probing := w.breaker.state(w.now()); {
	case away:
		return 0, false, nil, w.breaker.trouble()
	case probing && w.held.Load() > 0:
		return 0, false, nil, nil
	case probing:
		// By turns a notice, a row of the newest issue and one of the oldest: two of them may be just what the relay can't stand.
		if r.most, r.newest = 1, w.probed%3 == 1; w.probed%3 != 0 {
			spared, r.notices = r.notices, 0
		}
		w.probed++
	}
	if w.cfg.MayLeave != nil {
		hold = w.cfg.MayLeave(ctx)
	}
	rows, err := w.claim(r, hold != nil)
	if len(rows) == 0 && err == nil && spared > 0 {
		r.notices = spared
		rows, err = w.claim(r, hold != nil)
	}
	if err != nil && w.writer.trouble() == nil {
		w.log.Warn("nothing claimed", "error", err)
	}
	w.held.Add(int64(len(rows)))
	if slices.ContainsFunc(rows, func(r row) bool { return r.issue != 0 }) {
		w.suspects.clear()
	}
	for _, r := range rows {
		if r.notice != 0 {
			w.urgent <- r // this goroutine alone fills them, so there is room
		} else {
			w.rows <- r
		}
	}
	return len(rows), r.issues > 0, hold, err
}

// take is the next delivery to send, if one waits.
func (w *Worker) take() (r row, ok bool) {
	select {
	case r = <-w.urgent:
		return r, true
	default:
		return w.takeOfIssues()
	}
}

// takeOfIssues is take that leaves notices to others.
func (w *Worker) takeOfIssues() (r row, ok bool) {
	select {
	case r = <-w.rows:
		w.refill()
		return r, true
	default:
		return row{}, false
	}
}

// refill has more claimed once half of what was is taken.
func (w *Worker) refill() {
	if len(w.rows) <= cap(w.rows)/2 {
		w.Wake()
	}
}

const anyDue = `SELECT EXISTS (SELECT 1 FROM deliveries WHERE issue_id IS NULL AND lane = 0 AND state = 'pending' AND next_try <= ?1)
	OR EXISTS (SELECT 1 FROM issues i CROSS JOIN lanes l CROSS JOIN deliveries d
		WHERE i.state = 'sending' AND i.state NOT IN ('done', 'cancelled')
			AND d.issue_id = i.id AND d.lane = l.id AND d.state = 'pending' AND d.next_try <= ?1)`

// unlessNothingDue is hold, the reason why something that is due waits, or nil where nothing is.
func (w *Worker) unlessNothingDue(ctx context.Context, hold error) error {
	var due bool
	if err := w.cfg.DB.QueryRow(ctx, anyDue, w.now().UnixMilli()).Scan(&due); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if due {
		return hold
	}
	return nil
}

// keep looks after the rows and the record of the living sender until ctx ends.
func (w *Worker) keep(ctx context.Context) {
	tick := time.NewTicker(min(time.Second, w.cfg.Lease/3))
	defer tick.Stop()
	renewed, tidied := time.Now(), time.Now()
	w.clock.step()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if since, due := w.breaker.alarm(w.now()); due {
			w.log.Error("the relay is away: deliveries wait", "since", since, "error", w.breaker.trouble())
		}
		err := w.watchClock()
		if err == nil {
			_, err = SkipCancelled(ctx, w.cfg.DB, w.now())
		}
		if err == nil && time.Since(renewed) >= w.cfg.Lease/3 {
			renewed = time.Now()
			err = w.renew()
		}
		if err == nil && time.Since(tidied) >= time.Minute {
			tidied = time.Now()
			now := w.now()
			err = w.writer.ask(0, func(ctx context.Context, tx *store.Tx) error { return w.tidy(ctx, tx, now.UnixMilli()) })
			if err == nil {
				err = w.lock.note(w.heartbeat())
			}
		}
		if err != nil && ctx.Err() == nil && w.writer.trouble() == nil {
			w.log.Warn("the outbox could not be kept in order", "error", err)
		}
	}
}

// tidy takes over rows of dead owners whose lease ended before the given instant, brings tries back that a wrong clock put
// off, and records that the sender lives.
func (w *Worker) tidy(ctx context.Context, tx *store.Tx, leases int64) error {
	now := w.now()
	freed, unknown, err := takeOver(ctx, tx, w.owner, leases, w.cfg.ShelfLife, now)
	if err != nil {
		return err
	}
	if freed+unknown > 0 {
		w.log.Warn("took over what a dead sender left", "claimed", freed, "inflight", unknown)
	}
	if err := clamp(ctx, tx, now); err != nil {
		return err
	}
	return w.live(ctx, tx)
}

// live records that the sender lives, by the machine's own clock: the one of a demo says nothing about a restored database.
// Only once its transaction is committed may the lock file keep the heartbeat, or this very database would look older.
func (w *Worker) live(ctx context.Context, tx *store.Tx) error {
	now := time.Now()
	w.alive.Store(now.UnixMilli())
	return Heartbeat(ctx, tx, now)
}

// heartbeat is the last one written.
func (w *Worker) heartbeat() time.Time { return time.UnixMilli(w.alive.Load()) }

const selectClaimed = `SELECT id, epoch, owner, state, coalesce(issue_id, 0), coalesce(notice_id, 0), coalesce(subscriber_id, 0),
	coalesce(series_id, 0), cycle, tries, next_try, waited, coalesce(dated, 0), created, amb, lane
FROM deliveries WHERE owner <> '' AND owner = ?1 AND state = 'claimed'`

// release gives back what was claimed and never tried, as the last thing a worker writes.
func (w *Worker) release(ctx context.Context, tx *store.Tx) error {
	if err := w.giveAllBack(ctx, tx); err != nil {
		return err
	}
	if err := w.live(ctx, tx); err != nil {
		return err
	}
	return endInOrder(ctx, tx)
}

// giveAllBack makes pending what is claimed in our name.
func (w *Worker) giveAllBack(ctx context.Context, tx *store.Tx) error {
	rows, err := scanRows(tx.Query(ctx, selectClaimed, w.owner))
	if err != nil {
		return fmt.Errorf("give back: %w", err)
	}
	for _, r := range rows {
		if _, err := (turn{row: r, from: claimed, to: pending}).make(ctx, tx, w.now()); err != nil {
			return fmt.Errorf("give back: %w", err)
		}
	}
	return nil
}

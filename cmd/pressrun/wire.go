package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/render"
	"pressrun/newsletter/web/desk"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// site is an opened installation: what the subcommands work with.
type site struct {
	cfg       Config
	pace      pace.Plan
	db        *store.DB
	key       subscribers.Key
	people    *subscribers.Registry
	publisher *newsletter.Publisher
	log       *slog.Logger
	now       func() time.Time
	wake      func()               // of the worker, where this process has one
	trouble   func() error         // likewise
	ran       chan struct{}        // the scheduler of this process ended a run
	said      tally                // by the relay to that worker
	replayed  subscribers.Replayed // when the database was opened
}

// open reads the configuration and opens what it names. The caller closes the site.
func (a *app) open(ctx context.Context) (*site, error) {
	cfg, err := loadConfig(a.config, os.Environ())
	if err != nil {
		return nil, err
	}
	key, err := readKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	if err := hasContent(cfg.Database); err != nil {
		return nil, fmt.Errorf("database %s: %w", cfg.Database, cfg.orBackup(err))
	}
	return openSite(ctx, cfg, key, a.now, a.logTo(a.logLevel(cfg)))
}

// logLevel is how much is logged. serve logs as it was told; commands that end say what they did, and log what went wrong:
// a line for each reader would bury both. With log_level = "debug" they log all the same.
func (a *app) logLevel(cfg Config) slog.Level {
	if a.stays || cfg.LogLevel < slog.LevelInfo {
		return cfg.LogLevel
	}
	return max(cfg.LogLevel, slog.LevelWarn)
}

// hasContent refuses a database file that is missing or empty: opening it would make a new site in place of one that was
// lost, with nobody subscribed and nobody suppressed. Only init makes one.
func hasContent(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errNoDatabase
	case err == nil && info.Size() == 0:
		return errEmptyDatabase
	}
	return err
}

// openSite wires an installation from top to bottom.
func openSite(ctx context.Context, cfg Config, key subscribers.Key, now func() time.Time, log *slog.Logger) (*site, error) {
	plan, err := cfg.pace()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	s := &site{
		cfg: cfg, pace: plan, db: db, key: key, log: log, now: now, wake: func() {}, trouble: func() error { return nil },
		ran: make(chan struct{}, 1), people: &subscribers.Registry{Key: key, Now: now},
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := outbox.SetWarmUps(ctx, db, cfg.Relay.WarmUp); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	about := cfg.site()
	if cfg.TemplatesDir != "" {
		if about.Templates, err = render.OpenTemplates(cfg.TemplatesDir); err != nil {
			return nil, errors.Join(fmt.Errorf("templates_dir: %w", err), db.Close())
		}
	}
	s.publisher, err = newsletter.New(newsletter.Config{
		DB: db, Key: key, Site: about, Now: now, Log: log,
		Wake: func() { s.wake() }, MayLeave: s.mayLeave, KeepDeliveries: cfg.KeepDeliveries, Trouble: func() error { return s.trouble() },
		Pace: s.pace, Ran: s.noteRun, Mailbox: cfg.Bounces.mailbox(), ReturnPath: cfg.Bounces.Path,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// noteRun never waits: one note says as much as several.
func (s *site) noteRun() {
	select {
	case s.ran <- struct{}{}:
	default:
	}
}

// prepare brings an opened database up to date, and finds out whether it is ours, an older one, or a copy.
func (s *site) prepare(ctx context.Context) error {
	if err := migrate(ctx, s.db); err != nil {
		return err
	}
	if err := subscribers.BindKey(ctx, s.db, s.key); err != nil {
		return err
	}
	if err := s.keepJournal(ctx); err != nil {
		return err
	}
	// By the machine's own clock: the one of a demo or of run-due --now proves nothing about a restored database.
	_, err := outbox.CheckInstance(ctx, s.db, time.Now(), takesPlace(s.key))
	return err
}

// takesPlace is what a database needs that may stand in the place of a younger one: what was given since, numbers in links and
// sessions of the desk, must not come to mean somebody else or be good again.
func takesPlace(key subscribers.Key) store.Hook {
	return func(ctx context.Context, tx *store.Tx) error {
		if err := (&subscribers.Registry{Key: key}).SkipNumbers(ctx, tx); err != nil {
			return err
		}
		return desk.SignOutAll(ctx, tx)
	}
}

// keepJournal has leaves kept beside the database, and says what the database learned from there.
func (s *site) keepJournal(ctx context.Context) error {
	did, err := s.people.KeepJournal(ctx, s.db)
	if err != nil {
		return err
	}
	s.replayed = did
	if did.Leaves > 0 {
		s.log.WarnContext(ctx, "the journal of leaves knew more than this database: those who left are out in it too", "leaves", did.Leaves)
	}
	if did.Damaged > 0 {
		s.log.ErrorContext(ctx, "the journal of leaves is damaged: some who left since this database was copied may still be in it", "records", did.Damaged)
	}
	return nil
}

// migrate brings all tables up to date, in the order of the arrows.
func migrate(ctx context.Context, db *store.DB) error {
	if err := newsletter.Migrate(ctx, db); err != nil {
		return err
	}
	return desk.Migrate(ctx, db)
}

// Close closes the database. Safe to call twice.
func (s *site) Close() error { return s.db.Close() }

// with opens the site for a subcommand and closes it after f.
func (a *app) with(ctx context.Context, f func(s *site) error) (err error) {
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

// smtp is the configured relay.
func (s *site) smtp() mailer.SMTP {
	r := s.cfg.Relay
	return mailer.SMTP{
		Host: r.Host, Port: r.Port, TLS: mailer.TLS(r.TLS), Username: r.Username, Password: r.Password, Helo: r.Helo,
	}
}

// startWorker starts delivery: this process is the one sender of the database file, or it fails with outbox.ErrRunning.
// stop ends the worker and gives the right back.
func (s *site) startWorker(ctx context.Context) (w *outbox.Worker, stop func() error, err error) {
	lock, err := outbox.TryLock(s.db.Path())
	if err != nil {
		return nil, nil, err
	}
	// The key was read before the lock was ours: a rotation in between would leave this process with the older copy.
	if err := subscribers.BindKey(ctx, s.db, s.key); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("since the key file was read: %w", err), lock.Close())
	}
	ring, err := s.startSigning(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	smtp, settled := s.smtp(), make(chan struct{}, 1)
	w, err = outbox.Start(outbox.Config{
		DB: s.db, Lock: lock, Key: s.key, BaseURL: s.cfg.BaseURL, ReturnPath: s.cfg.Bounces.Path, Connections: s.cfg.Relay.atOnce(), PerConnection: s.cfg.Relay.PerConnection, Now: s.now, Log: s.log,
		Relay:    outbox.RelayFunc(func(ctx context.Context) (outbox.Conn, error) { return s.connect(ctx, smtp) }),
		Finish:   s.finish(ring),
		Unsigned: s.findKeys(ring),
		MayLeave: s.mayLeave, Pace: s.pace,
		OnSettled: func(int64) {
			select {
			case settled <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	s.wake, s.trouble = w.Wake, w.Trouble
	giveBack := spareProcessor()
	var beside sync.WaitGroup
	quiet, end := context.WithCancel(context.WithoutCancel(ctx))
	beside.Go(func() { s.finishWhenQuiet(quiet, settled) })
	beside.Go(func() { s.keepDKIM(quiet, ring) })
	return w, func() error {
		err := w.Close()
		giveBack()
		end()
		beside.Wait()
		return errors.Join(err, lock.Close())
	}, nil
}

// spareProcessor has the runtime use one thread more than there are processors, until it is given back. SQLite waits for the disk in
// a call that keeps a thread's place among them (the runtime takes it away after 20 µs to 10 ms): one of the processors would stand
// still so long, while others sign or talk to the relay. Whoever sets GOMAXPROCS has decided.
func spareProcessor() (giveBack func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return runtime.SetDefaultGOMAXPROCS
}

// finishWhenQuiet marks issues as done once nothing more was settled for a moment: a schedule looks only now and then.
func (s *site) finishWhenQuiet(ctx context.Context, settled <-chan struct{}) {
	const moment = 300 * time.Millisecond
	timer := time.NewTimer(moment)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-settled:
			timer.Reset(moment)
		case <-timer.C:
			if err := s.publisher.Finish(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "issues not marked as done yet", "error", err)
			}
		}
	}
}

// connect opens a connection to the relay whose answers are counted.
func (s *site) connect(ctx context.Context, smtp mailer.SMTP) (outbox.Conn, error) {
	conn, err := smtp.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &counted{Conn: conn, tally: &s.said}, nil
}

// mayLeave keeps issues on this machine until go-live has passed for the relay and the public address of now. A trial, which
// reaches nobody, needs no go-live.
func (s *site) mayLeave(ctx context.Context) error {
	inst, err := outbox.ReadInstance(ctx, s.db)
	switch {
	case err != nil:
		return err
	case inst.Held != "":
		return fmt.Errorf("%w: %s", errCopy, inst.Held)
	case s.cfg.trial():
		return nil
	case isLoopback(s.cfg.BaseURL.Hostname()) && !isLoopback(s.cfg.Relay.Host):
		return fmt.Errorf("%w: base_url %s reaches only this machine, so nobody could leave by a link", outbox.ErrHeld, s.cfg.BaseURL)
	case inst.LiveSince.IsZero():
		return fmt.Errorf("%w: go-live has not passed", outbox.ErrHeld)
	case inst.LiveFor != s.cfg.liveFor():
		return fmt.Errorf("%w: go-live passed for another relay or base_url", outbox.ErrHeld)
	}
	return nil
}

// isLoopback says whether a host name can only mean this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// absoluteURL is a path of this site as people can open it.
func (s *site) absoluteURL(path string) string {
	return s.cfg.BaseURL.ResolveReference(&url.URL{Path: path}).String()
}

package newsletter

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/pace"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

// Site is what all series share: from the configuration.
type Site struct {
	Name, PostalAddress    string
	BaseURL                *url.URL
	Zone, Language         string
	PrivacyURL, ImprintURL string
	ClaimWords             []string       // words that preflight warns of, in any case
	Templates              *templates.Own // nil: the program's
	Unnamed                bool           // Name is a default that nobody chose; preflight warns of it
	NotifyTo               []string       // editors who are told what needs a decision; empty: nobody by mail
}

// Config is what a Publisher needs.
type Config struct {
	DB       *store.DB
	Key      subscribers.Key
	Site     Site
	Now      func() time.Time                // nil means time.Now
	Log      *slog.Logger                    // nil means slog.Default
	Wake     func()                          // told when deliveries were queued; nil: nobody
	MayLeave func(ctx context.Context) error // as the worker's: while it errs, due slots wait (rule 12); nil: always
	Trouble  func() error                    // the worker's, for Run's alarm (rule 20); nil: none
	Ran      func()                          // told after each of Run's runs; nil: nobody
	// How long the evidence of a delivery is kept, and its row in full; then who had what alone. 0: for ever.
	KeepDeliveries time.Duration
	Pace           pace.Plan         // the worker's, to say when an issue ends; zero: none
	Mailbox        Mailbox           // nil: what comes back by mail is not heard
	ReturnPath     outbox.ReturnPath // the worker's
}

// Publisher is the conductor. Its methods may be called from many goroutines, and from several processes on one database.
type Publisher struct {
	db       *store.DB
	key      subscribers.Key
	people   *subscribers.Registry
	site     Site
	now      func() time.Time
	log      *slog.Logger
	wake     func()
	mayLeave func(ctx context.Context) error
	trouble  func() error
	ran      func()
	keep     time.Duration // of deliveries in full; 0: for ever
	pace     pace.Plan
	mailbox  Mailbox // nil: none

	returnPath outbox.ReturnPath

	asked  chan struct{} // a form came
	last   lastRun
	taking sync.Mutex // TakeRequests, once at a time in this process
	proofs proofs
	due    sync.Mutex // guards proofs and compacted; RunDue, and whatever fills, once at a time in this process

	compacted time.Time // when nothing was left to compact
}

// ErrNothing says that a series has nothing to send; the text says why.
var ErrNothing = errors.New("nothing to send")

// New checks cfg.
func New(cfg Config) (*Publisher, error) {
	switch {
	case cfg.DB == nil:
		return nil, errors.New("publisher: no database")
	case cfg.Site.BaseURL == nil || cfg.Site.BaseURL.Host == "":
		return nil, errors.New("publisher: base_url is missing or has no host")
	}
	p := &Publisher{
		db: cfg.DB, key: cfg.Key, site: cfg.Site, now: cfg.Now, log: cfg.Log,
		proofs: proofs{}, wake: cfg.Wake, mayLeave: cfg.MayLeave, trouble: cfg.Trouble, ran: cfg.Ran, keep: cfg.KeepDeliveries, pace: cfg.Pace,
		mailbox: cfg.Mailbox, returnPath: cfg.ReturnPath,
		asked: make(chan struct{}, 1),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.wake == nil {
		p.wake = func() {}
	}
	if p.mayLeave == nil {
		p.mayLeave = func(context.Context) error { return nil }
	}
	if p.trouble == nil {
		p.trouble = func() error { return nil }
	}
	if p.ran == nil {
		p.ran = func() {}
	}
	p.people = &subscribers.Registry{Key: cfg.Key, Now: p.now}
	return p, nil
}

// Site is what the publisher was made with.
func (p *Publisher) Site() Site { return p.site }

// Migrate brings the tables of all packages below up to date, in the order of the arrows.
func Migrate(ctx context.Context, db *store.DB) error {
	for _, migrate := range []func(context.Context, *store.DB) error{subscribers.Migrate, series.Migrate, outbox.Migrate} {
		if err := migrate(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// url is the absolute address of a path of the site.
func (p *Publisher) url(path ...string) string { return p.site.BaseURL.JoinPath(path...).String() }

// location is where a series' wall-clock times are; its zone was checked when it was stored.
func location(s series.Series) *time.Location {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// wallTime is how slots and issues outside a slot are named: the local minute.
const wallTime = "2006-01-02T15:04"

package newsletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pressrun/newsletter/bounce"
	"pressrun/newsletter/mailbox"
	"pressrun/newsletter/outbox"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
)

// Mailbox is where bounces and complaints come to.
type Mailbox interface {
	// Name names it, and no person.
	Name() string
	// Each is mailbox.IMAP's.
	Each(ctx context.Context, since time.Time, r mailbox.Reader) error
}

const (
	// hearEvery is how often the mailbox is looked into, and hearFor how long one look may take; the next goes on where it ended.
	hearEvery = 5 * time.Minute
	hearFor   = 4 * time.Minute
	// HearBack is how old a message may be to be read at all. Reports of deliveries older than 30 days are not believed.
	HearBack = 35 * 24 * time.Hour
	// deafFor is how long the mailbox may be away before the editors are told.
	deafFor = time.Hour
)

// Listen looks into the mailbox every five minutes until ctx ends.
func (p *Publisher) Listen(ctx context.Context) {
	if p.mailbox == nil {
		return
	}
	tick := time.NewTicker(hearEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if _, err := p.Hear(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "mailbox of bounces not read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Hear looks into the mailbox of bounces once, applies what came, and returns how many messages were what. It answers nobody. A mailbox
// that is away for an hour is told to the editors, once. Nothing is read while the database is on hold, or where there is no mailbox.
func (p *Publisher) Hear(ctx context.Context) (heard map[outbox.Heard]int, err error) {
	if p.mailbox == nil {
		return nil, nil
	}
	inst, err := outbox.ReadInstance(ctx, p.db)
	if err != nil || inst.Held != "" {
		return nil, err
	}
	e := &ear{p: p, heard: map[outbox.Heard]int{}, reports: outbox.Reports{DB: p.db, Key: p.key, Path: p.returnPath, Now: p.now, Log: p.log}}
	look, cancel := context.WithTimeout(ctx, hearFor)
	defer cancel()
	err = p.mailbox.Each(look, time.Now().Add(-HearBack), e) // by the machine's own clock, as messages are dated when they come
	if look.Err() != nil && ctx.Err() == nil && len(e.heard) > 0 {
		err, e.failed = nil, nil // there is more, for the next look
	}
	if ctx.Err() == nil && e.failed == nil {
		err = errors.Join(err, p.noteMailbox(ctx, err))
	}
	if len(e.heard) > 0 {
		p.log.InfoContext(ctx, "mailbox of bounces read", "messages", e.heard)
	}
	held, failed := e.reports.Again(ctx)
	if failed == nil {
		failed = p.tellReports(ctx, held)
	}
	if failed == nil {
		failed = p.tellAlarms(ctx)
	}
	return e.heard, errors.Join(err, failed)
}

// ear is a look into the mailbox.
type ear struct {
	p       *Publisher
	reports outbox.Reports
	last    outbox.Heard // what the message that was read last is
	heard   map[outbox.Heard]int
	failed  error // of the database: the mailbox can't help it
}

// Position is mailbox.Reader's.
func (e *ear) Position(ctx context.Context) (mailbox.Position, error) {
	m, err := outbox.Mailbox(ctx, e.p.db, e.p.mailbox.Name())
	e.failed = err
	return mailbox.Position{Validity: m.Validity, Next: m.Next}, err
}

// Read is mailbox.Reader's. What it was taken for is on the disk before the message is marked as read.
func (e *ear) Read(ctx context.Context, raw []byte) (understood bool, err error) {
	report := bounce.Report{Kind: bounce.Answer}
	if err := guarded(func() error { report = bounce.Parse(raw); return nil }); err != nil {
		e.p.log.ErrorContext(ctx, "a message in the mailbox of bounces can't be read, and is left for a person", "error", err)
	}
	e.last, e.failed = e.reports.Apply(ctx, report)
	return e.last.Understood(), e.failed
}

// Passed is mailbox.Reader's.
func (e *ear) Passed(ctx context.Context, to mailbox.Position) error {
	e.failed = e.p.db.InTx(ctx, func(tx *store.Tx) error {
		return outbox.PassMessage(ctx, tx, e.p.mailbox.Name(), to.Validity, to.Next, e.last, e.p.now())
	})
	if e.failed == nil {
		e.heard[e.last]++
	}
	return e.failed
}

// Missed is mailbox.Reader's.
func (e *ear) Missed(ctx context.Context, to mailbox.Position, why error) error {
	e.p.log.ErrorContext(ctx, "the server doesn't give out a message in the mailbox of bounces, which is left for a person", "error", why)
	e.last = outbox.HeardMissed
	return e.Passed(ctx, to)
}

// noteMailbox notes whether the mailbox could be read, and tells the editors of one that can't for an hour.
func (p *Publisher) noteMailbox(ctx context.Context, cause error) error {
	var since time.Time
	err := p.db.InTx(ctx, func(tx *store.Tx) (err error) {
		if cause == nil {
			return outbox.MendMailbox(ctx, tx, p.mailbox.Name())
		}
		since, err = outbox.FailMailbox(ctx, tx, p.mailbox.Name(), p.now())
		return err
	})
	if err != nil || since.IsZero() || p.now().Sub(since) < deafFor {
		return err
	}
	w := p.word(fmt.Sprintf("mailbox %d", since.UnixMilli()), "mailbox", "since", since.Format(time.RFC3339), "problem", cause.Error())
	return p.Tell(ctx, w.dedupe, w.subject, w.paragraphs)
}

// tellReports tells the editors once a day of reports that wait since they would suppress too many of a series.
func (p *Publisher) tellReports(ctx context.Context, held map[int64]int64) error {
	for id, n := range held {
		title, key := p.site.Name, ""
		if id != 0 {
			s, err := series.ByID(ctx, p.db, id)
			if err != nil {
				return err
			}
			title, key = s.Title, s.Slug
		}
		w := p.word(fmt.Sprintf("reports %s %s", key, p.now().UTC().Format(time.DateOnly)), "reports", "series", title, "n", n)
		if err := p.Tell(ctx, w.dedupe, w.subject, w.paragraphs); err != nil {
			return err
		}
	}
	return nil
}

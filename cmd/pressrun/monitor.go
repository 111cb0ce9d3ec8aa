package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"pressrun/newsletter/outbox"
)

const (
	monitorEvery = 5 * time.Minute  // between two calls while all is well
	monitorLook  = time.Minute      // between two looks where the scheduler says nothing
	monitorWait  = 10 * time.Second // for its answer
)

// ailing says what of this installation is not well; nil: all is. Where mail may not leave, or the relay is away, it is not.
func (s *site) ailing(ctx context.Context) error {
	return errors.Join(s.publisher.Checkup(ctx), s.hindrance(), outbox.TryWrite(ctx, s.db))
}

// monitor is the dead-man switch: somebody elsewhere is asked while all is well, and raises the alarm when that ends (rule 20).
type monitor struct {
	ask    func(ctx context.Context) error
	ailing func(ctx context.Context) error
	log    *slog.Logger

	next time.Time // when it is asked again
	said string    // the trouble that was logged last; empty: none is
}

// turn asks where it is time and all is well, and logs once why not. After a failure it tries again at the next turn.
func (m *monitor) turn(ctx context.Context, now time.Time) {
	if now.Before(m.next) {
		return
	}
	what, trouble := "monitor not asked: not all is well", m.ailing(ctx)
	if trouble == nil {
		what, trouble = "monitor does not answer", m.ask(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case trouble == nil:
		if m.next = now.Add(monitorEvery); m.said != "" {
			m.log.InfoContext(ctx, "monitor asked again: all is well")
		}
		m.said = ""
	case what+trouble.Error() != m.said:
		m.said = what + trouble.Error()
		m.log.WarnContext(ctx, what, "because", trouble)
	}
}

// monitor asks where neither the installation ails nor besides knows of trouble.
func (s *site) monitor(besides func() error) *monitor {
	return &monitor{ask: s.askMonitor, ailing: func(ctx context.Context) error { return errors.Join(besides(), s.ailing(ctx)) }, log: s.log}
}

// keepMonitor asks the monitor until ctx ends, after runs of the scheduler. Where these stay away it looks on its own.
func (s *site) keepMonitor(ctx context.Context, besides func() error) {
	if s.cfg.Monitor == "" {
		return
	}
	m := s.monitor(besides)
	tick := time.NewTicker(monitorLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ran:
		case <-tick.C:
		}
		m.turn(ctx, time.Now())
	}
}

// monitorBeside keeps the monitor while this process sends, until done is called: the others leave it to the one that sends. A
// sender that ends soon never asks. Whether somebody looks at what is due it doesn't know, and vouches for the sending alone.
func (s *site) monitorBeside(ctx context.Context) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { s.keepMonitor(ctx, func() error { return nil }) })
	return func() {
		cancel()
		beside.Wait()
	}
}

// monitorOnce asks the monitor at the end of a run-due, where what else it did failed with err.
func (s *site) monitorOnce(ctx context.Context, err error) {
	if s.cfg.Monitor == "" {
		return
	}
	s.monitor(func() error { return err }).turn(ctx, time.Now())
}

// askMonitor calls the monitor's address. Its errors don't name it: its path is a secret. It may be in the operator's own network, where many
// have their monitoring: the address is theirs, from the configuration, and nothing that others write leads to it. So THREATS' T9 has
// no say here; that redirects aren't followed keeps it so.
func (s *site) askMonitor(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, monitorWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(s.cfg.Monitor), nil)
	if err != nil {
		return errors.New("notify.monitor is no address")
	}
	req.Header.Set("User-Agent", "Pressrun")
	client := s.outsider()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", req.URL.Hostname(), err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %d %s; redirects are not followed", req.URL.Hostname(), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}

// checkMonitor asks the monitor where nothing else is open: its owner takes each call for a sign that all is well.
func (s *site) checkMonitor(ctx context.Context, before []finding) []finding {
	if s.cfg.Monitor == "" {
		return nil
	}
	f := finding{What: "notify.monitor", OK: true, Said: "not asked, since not all is well"}
	for _, other := range before {
		if !other.OK {
			return []finding{f}
		}
	}
	f.Said = "answers"
	if err := s.askMonitor(ctx); err != nil {
		f.OK, f.Said, f.Mend = false, err.Error(), "Mend notify.monitor in the configuration, or look after the monitor: it raises the alarm while it isn't called."
	}
	return []finding{f}
}

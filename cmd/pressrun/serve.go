package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"pressrun/newsletter/outbox"
	"pressrun/newsletter/web"
	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/public"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Web pages, scheduler and delivery in one process",
		Long: `Serves the public pages and the desk, publishes every slot when it is due, and delivers. SIGTERM or Ctrl-C stops it
gracefully: transactions in progress end, nothing new is begun, and the rest goes on at the next start.`,
		Example: "  pressrun serve --config /etc/pressrun/pressrun.toml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.stays = true
			return a.with(cmd.Context(), func(s *site) error { return s.serve(cmd.Context()) })
		},
	}
}

// serve runs until ctx ends. What fails to start is reported before anything is sent.
func (s *site) serve(ctx context.Context) (err error) {
	listener, err := s.listen()
	if err != nil {
		return err
	}
	_, stop, err := s.startWorker(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, stop()) }()
	handler, err := s.faces(pages{trouble: s.hindrance})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := s.mayLeave(ctx); err != nil {
		s.log.WarnContext(ctx, "issues wait", "because", err)
	}
	s.log.InfoContext(ctx, "serving", "listen", listener.Addr().String(), "base_url", s.cfg.BaseURL.String())
	err = s.run(ctx, handler, listener)
	waiting, _, counted := outbox.CountPending(context.WithoutCancel(ctx), s.db)
	s.log.InfoContext(ctx, "stopped: what waits goes out after the next start", "waiting", waiting)
	return errors.Join(err, counted)
}

// run serves pages and publishes slots until ctx ends or one of them can't go on.
func (s *site) run(ctx context.Context, f faces, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := web.NewServer(f, s.log)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(listener) }()
	go func() { ended <- s.publisher.Run(ctx) }()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { s.keepBackups(ctx) })
	beside.Go(func() { s.publisher.Listen(ctx) })
	beside.Go(func() { s.keepMonitor(ctx, s.publisher.Away) })
	mailing, quiet := context.WithCancel(context.WithoutCancel(ctx))
	defer quiet() // once no page can be asked any more
	beside.Go(func() { f.editors.MailLinks(mailing) })
	var first error
	left := 2
	select {
	case <-ctx.Done():
	case first = <-ended:
		left--
	}
	cancel()
	shutdown, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	errs := []error{first, server.Shutdown(shutdown)}
	for range left {
		errs = append(errs, <-ended)
	}
	for i, err := range errs {
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, context.Canceled) {
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}

// How many connections are open at once, in all and from one network that is no trusted proxy's.
const (
	maxConnections = 4096
	maxPerNetwork  = 256
)

// listen opens the configured address, with certificates by ACME where tls = "auto".
func (s *site) listen() (net.Listener, error) {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w: another program (another pressrun?) has this port. Nothing was sent. Stop it, or set another `listen`", s.cfg.Listen, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w. Nothing was sent. Mend `listen` in the configuration", s.cfg.Listen, err)
	}
	l = web.LimitListener(l, maxConnections, maxPerNetwork, s.cfg.TrustedProxies)
	if !s.cfg.AutoTLS {
		return l, nil
	}
	certificates := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist(s.cfg.BaseURL.Hostname()),
		Cache:      autocert.DirCache(filepath.Join(filepath.Dir(s.cfg.Database), "certificates")),
	}
	return tls.NewListener(l, &tls.Config{
		GetCertificate: certificates.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1", acme.ALPNProto},
		MinVersion:     tls.VersionTLS12,
	}), nil
}

// hindrance says why mail can't leave now: the relay's or disk's trouble, or that it may not; nil when all is well.
func (s *site) hindrance() error {
	if err := s.trouble(); err != nil {
		return err
	}
	return s.mayLeave(context.Background())
}

// pages are what differs between the pages of serve and those of demo.
type pages struct {
	trouble  func() error
	nextWeek func(ctx context.Context) error // nil: no button
	inbox    http.Handler                    // nil: none
}

const inboxPath = "/inbox"

// faces are all pages of the site; run serves them.
type faces struct {
	http.Handler
	editors *desk.Desk
}

func (s *site) faces(p pages) (faces, error) {
	mux := http.NewServeMux()
	readers, err := public.New(public.Config{
		DB: s.db, Publisher: s.publisher, Site: s.cfg.site(), BaseURL: s.cfg.BaseURL, Now: s.now, Log: s.log,
	})
	if err != nil {
		return faces{}, err
	}
	cfg := desk.Config{
		DB: s.db, Publisher: s.publisher, BaseURL: s.cfg.BaseURL, Now: s.now, Log: s.log, Trouble: p.trouble, NextWeek: p.nextWeek,
	}
	if p.inbox != nil {
		cfg.InboxURL = inboxPath + "/"
		mux.Handle(inboxPath+"/", p.inbox)
	}
	editors, err := desk.New(cfg)
	if err != nil {
		return faces{}, err
	}
	mux.Handle("/desk/", editors)
	mux.Handle("/", readers)
	return faces{web.ClientAddress(mux, s.cfg.TrustedProxies, s.log), editors}, nil
}

// logTo is the program's log: text, to where errors go.
func (a *app) logTo(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

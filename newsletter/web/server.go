package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

type stoppingKey struct{}

// NewServer makes the server of a handler, with time-outs that slow clients can't outlive. Its Shutdown ends streams (see
// Stopping) and waits for everything else.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	stopping, stop := context.WithCancel(context.Background())
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stoppingKey{}, stopping.Done())
		},
	}
	s.RegisterOnShutdown(stop)
	return s
}

// Stopping is closed when the server of a request shuts down: streams end then, so that it need not wait for them. It is
// nil, and never closed, without NewServer.
func Stopping(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return done
}

package web_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"pressrun/newsletter/web"
)

// A stream that listens to Stopping does not hold up the end of the server.
func TestServerEndsStreams(t *testing.T) {
	began := make(chan struct{})
	server := web.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		close(began)
		select {
		case <-web.Stopping(r.Context()):
		case <-t.Context().Done():
			t.Error("the server did not say that it stops")
		}
	}), slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(web.LimitListener(l, 4, 4, nil)) }()
	response, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-began
	if err := server.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-ended; err != http.ErrServerClosed {
		t.Errorf("serve: %v", err)
	}
}

func TestServerIsBounded(t *testing.T) {
	s := web.NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("a server without bounds: %+v", s)
	}
}

func TestNotStoppingWithoutServer(t *testing.T) {
	if web.Stopping(context.Background()) != nil {
		t.Error("got a channel without a server")
	}
}

package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/newsletter/web"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
	"pressrun/templates"
)

func TestProblemOf(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		name   string
	}{
		{store.ErrNotFound, 404, "missing"},
		{subscribers.ErrToken, 404, "link"},
		{subscribers.ErrNotPending, 410, "stale"},
		{subscribers.ErrAddress, 422, "address"},
		{web.ErrGone, 410, "withdrawn"},
		{web.ErrLate, 410, "late"},
		{web.ErrForm, 400, "form"},
		{fmt.Errorf("%w: %w", web.ErrForm, &http.MaxBytesError{Limit: 1}), 413, "form"},
		{web.ErrForeign, 403, "foreign"},
		{web.ErrRole, 403, "role"},
		{web.ErrMany, 429, "many"},
		{series.ErrState, 409, "state"},
		{newsletter.ErrNothing, 409, "state"},
		{newsletter.ErrImport, 409, "import"},
		{store.ErrBusy, 503, "disk"},
		{store.ErrDisk, 503, "disk"},
		{errors.New("anything else"), 500, "broken"},
	} {
		got := web.ProblemOf(fmt.Errorf("series skin: %w", tt.err))
		if got.Status != tt.status || got.Name != tt.name {
			t.Errorf("%v: got %d %s, want %d %s", tt.err, got.Status, got.Name, tt.status, tt.name)
		}
		for _, part := range []string{"title", "happened", "kept", "mend"} {
			if key := "public.error." + got.Name + "." + part; !templates.In("en").Has(key) {
				t.Errorf("%v: no text for %s", tt.err, key)
			}
		}
	}
}

func TestLoggedPath(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/u/SECRET", "/u/[token]"},
		{"/u/SECRET/undo", "/u/[token]/undo"},
		{"/u/SECRET/else/SECRET", "/u/[token]"},
		{"/c/SECRET", "/c/[token]"},
		{"/desk/login/SECRET", "/desk/login/[token]"},
		{"/desk/login", "/desk/login"},
		{"/u/", "/u/"},
		{"/s/skin/sleep", "/s/skin/sleep"},
	} {
		if got := web.LoggedPath(tt.path); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

func answerer(log *bytes.Buffer) web.Answerer {
	return web.Answerer{
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Page: func(w http.ResponseWriter, _ *http.Request, p web.Problem) error {
			w.WriteHeader(p.Status)
			_, err := fmt.Fprintf(w, "page of %s", p.Name)
			return err
		},
	}
}

func TestAnswererShowsAndLogs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		h      web.Handler
		status int
		logged string // empty: nothing
	}{
		{"our fault", func(http.ResponseWriter, *http.Request) error { return errors.New("disk on fire") }, 500, "disk on fire"},
		{"their fault", func(http.ResponseWriter, *http.Request) error { return store.ErrNotFound }, 404, ""},
		{"panic", func(http.ResponseWriter, *http.Request) error { panic("boom") }, 500, "panic: boom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			w := httptest.NewRecorder()
			answerer(&log).Handle(tt.h).ServeHTTP(w, httptest.NewRequest("POST", "/u/SECRET", nil))
			if w.Code != tt.status {
				t.Errorf("got status %d, want %d", w.Code, tt.status)
			}
			if strings.Contains(log.String(), "SECRET") {
				t.Errorf("the token is in the log: %s", log.String())
			}
			if tt.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.logged) {
				t.Errorf("got log %q, want it to say %q", log.String(), tt.logged)
			}
		})
	}
}

// Somebody who closed the page is no fault and gets no answer.
func TestAnswererLeavesTheGoneAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	w := httptest.NewRecorder()
	h := answerer(&log).Handle(func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() })
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if log.Len() > 0 || w.Body.Len() > 0 {
		t.Errorf("got log %q and page %q, want neither", log.String(), w.Body)
	}
}

func TestAnswererWithoutAPage(t *testing.T) {
	var log bytes.Buffer
	a := answerer(&log)
	a.Page = func(http.ResponseWriter, *http.Request, web.Problem) error { return errors.New("no template") }
	w := httptest.NewRecorder()
	a.Handle(func(http.ResponseWriter, *http.Request) error { return store.ErrNotFound }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 404 || !strings.Contains(log.String(), "no template") {
		t.Errorf("got status %d and log %q, want 404 and the cause", w.Code, log.String())
	}
}

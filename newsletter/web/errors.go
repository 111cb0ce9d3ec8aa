package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

var (
	// ErrForeign says that a form of another site was sent here.
	ErrForeign = errors.New("request from another site")
	// ErrForm says that a body is no form, or lacks what its page sends.
	ErrForm = errors.New("form not understood")
	// ErrMany says that a network has asked more often than a person does.
	ErrMany = errors.New("too many requests from this network")
	// ErrRole says that a user's role does not reach so far.
	ErrRole = errors.New("not allowed for this role")
	// ErrLate says that the seven days are over in which a leave can be taken back.
	ErrLate = errors.New("too late to undo")
	// ErrGone says that something was taken back after it had been public.
	ErrGone = errors.New("withdrawn")
)

// Problem is an error as a visitor meets it: a status and the name of its texts in the catalogue (public.error.NAME).
type Problem struct {
	Status int
	Name   string
	Detail string // for users of the desk; empty: nothing they could use
}

// ProblemOf is the one place where errors become HTTP.
func ProblemOf(err error) Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Problem{Status: http.StatusNotFound, Name: "missing"}
	case errors.Is(err, ErrGone):
		return Problem{Status: http.StatusGone, Name: "withdrawn"}
	case errors.Is(err, subscribers.ErrToken):
		return Problem{Status: http.StatusNotFound, Name: "link"}
	case errors.Is(err, subscribers.ErrExpired):
		return Problem{Status: http.StatusGone, Name: "expired"}
	case errors.Is(err, subscribers.ErrNotPending):
		return Problem{Status: http.StatusGone, Name: "stale"}
	case errors.Is(err, subscribers.ErrTaken), errors.Is(err, subscribers.ErrSuppressed):
		return Problem{Status: http.StatusConflict, Name: "taken"}
	case errors.Is(err, ErrLate):
		return Problem{Status: http.StatusGone, Name: "late"}
	case errors.Is(err, subscribers.ErrAddress):
		return Problem{Status: http.StatusUnprocessableEntity, Name: "address"}
	case errors.As(err, &tooLarge):
		return Problem{Status: http.StatusRequestEntityTooLarge, Name: "form"}
	case errors.Is(err, ErrForm), errors.Is(err, subscribers.ErrField):
		return Problem{Status: http.StatusBadRequest, Name: "form"}
	case errors.Is(err, ErrForeign):
		return Problem{Status: http.StatusForbidden, Name: "foreign"}
	case errors.Is(err, ErrRole):
		return Problem{Status: http.StatusForbidden, Name: "role"}
	case errors.Is(err, ErrMany), errors.Is(err, subscribers.ErrMany):
		return Problem{Status: http.StatusTooManyRequests, Name: "many"}
	case errors.Is(err, series.ErrState), errors.Is(err, series.ErrInvalid), errors.Is(err, newsletter.ErrNothing):
		return Problem{Status: http.StatusConflict, Name: "state", Detail: err.Error()}
	case errors.Is(err, newsletter.ErrImport):
		return Problem{Status: http.StatusConflict, Name: "import", Detail: err.Error()}
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrDisk):
		return Problem{Status: http.StatusServiceUnavailable, Name: "disk"}
	}
	return Problem{Status: http.StatusInternalServerError, Name: "broken"}
}

// Handler answers a request, or returns why it could not and has written nothing.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Answerer turns Handlers into http.Handlers: errors become pages and, where they are our fault, lines in the log.
type Answerer struct {
	Log  *slog.Logger
	Page func(w http.ResponseWriter, r *http.Request, p Problem) error
}

// Handle answers with h.
func (a Answerer) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.try(h, w, r); err != nil {
			a.Fail(w, r, err)
		}
	})
}

// try makes an error of a panic, so that one page's fault is one page's.
func (a Answerer) try(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return h(w, r)
}

// Fail answers with the page of err.
func (a Answerer) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the visitor has gone
	}
	p := ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", LoggedPath(r.URL.Path), "cause", err)
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "600")
	}
	if err := a.Page(w, r, p); err != nil {
		a.Log.ErrorContext(r.Context(), "no error page", "status", p.Status, "cause", err)
		http.Error(w, http.StatusText(p.Status), p.Status)
	}
}

// LoggedPath is a request's path as logs may have it: /u/[token] for /u/ and whatever follows.
func LoggedPath(path string) string {
	for _, prefix := range []string{"/u/", "/c/", "/preferences/", "/mine/", "/address/", "/desk/login/"} {
		token, ok := strings.CutPrefix(path, prefix)
		if !ok || token == "" {
			continue
		}
		for _, end := range []string{"/undo", "/why", "/address", "/download", "/erase"} {
			if strings.HasSuffix(token, end) {
				return prefix + "[token]" + end
			}
		}
		return prefix + "[token]"
	}
	return path
}

package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"pressrun/subscribers"
)

// maxForm is how much of a form's body is read: our forms are a few short fields.
const maxForm = 64 << 10

// ParseForm reads a form, urlencoded or multipart, into r.PostForm. A larger one than 64 KB fails with
// *http.MaxBytesError, another body with ErrForm.
func ParseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm() // apart: ParseMultipartForm forgets its error where the body is not multipart
	if err == nil {
		err = r.ParseMultipartForm(maxForm)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return nil
}

// IP is the address that the request's connection came from; empty where there is none.
func IP(r *http.Request) string {
	ip := address(r)
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func address(r *http.Request) netip.Addr { return remote(r.RemoteAddr) }

// remote is the address of an address with port; zero where it has none.
func remote(addr string) netip.Addr {
	from, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// maxNetworks bounds a Limiter's memory: about 2 MB.
const maxNetworks = 10_000

// Limiter says how often a form may be sent: n at once and n an hour from one network, all together many times that.
type Limiter struct {
	now   func() time.Time
	n     int
	hour  rate.Limit
	all   *rate.Limiter
	mu    sync.Mutex
	known map[netip.Prefix]*rate.Limiter
	rest  *rate.Limiter // shared by networks that find no place among the known
	swept time.Time     // when the known were last gone through
}

// NewLimiter allows perHour requests an hour from each network and all from everywhere.
func NewLimiter(now func() time.Time, perHour, all int) *Limiter {
	hourly := func(n int) rate.Limit { return rate.Limit(float64(n) / time.Hour.Seconds()) }
	return &Limiter{
		now: now, n: perHour, hour: hourly(perHour), all: rate.NewLimiter(hourly(all), all),
		known: map[netip.Prefix]*rate.Limiter{}, rest: rate.NewLimiter(hourly(perHour), perHour),
	}
}

// Allow counts a request and fails with ErrMany where it is one too many.
func (l *Limiter) Allow(r *http.Request) error {
	now := l.now()
	if !l.of(subscribers.Network(address(r)), now).AllowN(now, 1) || !l.all.AllowN(now, 1) {
		return ErrMany
	}
	return nil
}

func (l *Limiter) of(network netip.Prefix, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own, ok := l.known[network]; ok {
		return own
	}
	if len(l.known) >= maxNetworks && now.Sub(l.swept) >= time.Minute { // seldom, or a flood would pay for it
		l.forget(now)
		l.swept = now
	}
	if len(l.known) >= maxNetworks {
		return l.rest
	}
	own := rate.NewLimiter(l.hour, l.n)
	l.known[network] = own
	return own
}

// forget drops the networks that have been quiet for so long that a new entry would allow them no more than their own.
func (l *Limiter) forget(now time.Time) {
	for network, own := range l.known {
		if own.TokensAt(now) >= float64(l.n) {
			delete(l.known, network)
		}
	}
}

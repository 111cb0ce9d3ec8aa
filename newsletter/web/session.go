package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"
)

// Cookie is the one cookie of the desk: it holds a session's secret and nothing else.
type Cookie struct {
	Name   string
	secure bool
}

// NewCookie names the cookie for a site at base: with the prefix that browsers guard (__Host-) on https; on loopback
// http a plain name with the port, since cookies know no ports and two programs may run beside each other.
func NewCookie(base *url.URL) Cookie {
	if base.Scheme == "https" {
		return Cookie{Name: "__Host-pressrun", secure: true}
	}
	return Cookie{Name: "pressrun-" + base.Port()}
}

// Set gives the browser a secret for as long as its session may last.
func (c Cookie) Set(w http.ResponseWriter, secret string, lasts time.Duration) {
	http.SetCookie(w, c.with(secret, int(lasts/time.Second)))
}

// Clear takes the secret back.
func (c Cookie) Clear(w http.ResponseWriter) { http.SetCookie(w, c.with("", -1)) }

// Read returns the secret that the request brought; empty where it has none.
func (c Cookie) Read(r *http.Request) string {
	cookie, err := r.Cookie(c.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (c Cookie) with(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Value: value, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// NewSecret is a new random secret of at least 128 bits, fit for URLs and cookies.
func NewSecret() string { return rand.Text() }

// Hash is what is stored of a secret: with 128 random bits in it, one SHA-256 is enough.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

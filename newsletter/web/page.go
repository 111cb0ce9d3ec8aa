package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// policy is the Content-Security-Policy of all pages: everything is our own, nothing is inline. Scripts are the desk's.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// scriptPolicy is policy for the desk, which has a script, a stream of progress and frames with letters.
const scriptPolicy = policy + "; script-src 'self'; connect-src 'self'; frame-src 'self'"

// letterPolicy is for a letter in a frame of the desk: an opaque origin where nothing runs. Its styles are inline, as
// letters need them, and so are its pictures.
const letterPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// hsts has browsers come to this host by https alone, for a year (RFC 6797). Of other hosts of the domain it says nothing: they
// may not be ours.
const hsts = "max-age=31536000"

// Secure gives every answer of a face its headers. base is the site's own address.
func Secure(next http.Handler, base *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-cache")
		// A browser keeps it for the whole host, so not where other ports may serve other things.
		if port := base.Port(); base.Scheme == "https" && (port == "" || port == "443") {
			h.Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}

// Personal marks an answer that is one person's: nobody keeps it or lists it.
func Personal(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

// Private marks a personal answer whose address may hold a token: nobody passes that address on either.
func Private(w http.ResponseWriter) {
	Personal(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// Scripted lets a page of the desk load the desk's script and frames.
func Scripted(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", scriptPolicy)
}

// Letter writes a letter's HTML for a frame of the desk.
func Letter(w http.ResponseWriter, html string) error {
	w.Header().Set("Content-Security-Policy", letterPolicy)
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	return Show(w, http.StatusOK, func(out io.Writer) error {
		_, err := io.WriteString(out, html)
		return err
	})
}

// Show writes a page that is whole in memory before its first octet leaves: one that can't be written shows nothing.
func Show(w http.ResponseWriter, status int, write func(io.Writer) error) error {
	var page bytes.Buffer
	if err := write(&page); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // fails only where the visitor has gone
	return nil
}

// Lasting is a request's context for what must not be undone because the visitor closed the page.
func Lasting(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Guard refuses forms that a foreign site makes a visitor's browser send, on every unsafe method (Sec-Fetch-Site, else
// Origin). base is the site's own address: its Origin is ours also behind a proxy that writes another Host. open are the
// patterns that foreign programs and sites are meant to send to.
//
// tokens are the patterns of forms on pages whose address is a token. Those pages pass no referrer on, and for them a
// browser that is too old to send Sec-Fetch-Site says "Origin: null". They are let through: it is the token that
// authorises them, no cookie, and nobody else has it.
func Guard(next, refuse http.Handler, base *url.URL, open, tokens []string) (http.Handler, error) {
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(origin(base)); err != nil {
		return nil, fmt.Errorf("base URL %s: %w", base, err)
	}
	guard.SetDenyHandler(refuse)
	for _, pattern := range open {
		guard.AddInsecureBypassPattern(pattern)
	}
	ours := http.NewServeMux()
	for _, pattern := range tokens {
		ours.Handle(pattern, next)
	}
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
			if _, pattern := ours.Handler(r); pattern != "" {
				r = r.Clone(r.Context())
				r.Header.Del("Origin")
			}
		}
		guarded.ServeHTTP(w, r)
	}), nil
}

// origin is how browsers write the origin of a URL (RFC 6454 section 6.2): in lower case, without the port that goes without
// saying.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

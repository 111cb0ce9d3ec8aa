package web

import "net/http"

// Guard refuses forms that a foreign site makes a visitor's browser send, on every unsafe method (Sec-Fetch-Site, else
// Origin). open are the patterns that foreign programs and sites are meant to send to.
//
// tokens are the patterns of forms on pages whose address is a token. Those pages pass no referrer on, and for them a
// browser that is too old to send Sec-Fetch-Site says "Origin: null". They are let through: it is the token that
// authorises them, no cookie, and nobody else has it.
func Guard(next, refuse http.Handler, open, tokens []string) http.Handler {
	guard := http.NewCrossOriginProtection()
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
	})
}

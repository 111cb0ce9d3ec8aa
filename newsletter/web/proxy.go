package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// ClientAddress puts the visitor's address into RemoteAddr where the connection comes from a trusted proxy: the right-most
// hop of X-Forwarded-For that is not trusted itself. From anybody else the header is not believed. Where somebody near sends
// it all the same, a proxy has been forgotten and makes one network of all its visitors: that is logged, once.
func ClientAddress(next http.Handler, trusted []netip.Prefix, log *slog.Logger) http.Handler {
	known := func(ip netip.Addr) bool { return within(trusted, ip) }
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, hops := address(r), r.Header.Values("X-Forwarded-For")
		switch {
		case len(hops) == 0:
		case known(from):
			if ip := visitor(hops, known); ip.IsValid() {
				r = r.Clone(r.Context())
				r.RemoteAddr = netip.AddrPortFrom(ip, 0).String()
			}
		case from.IsLoopback() || from.IsPrivate():
			once.Do(func() {
				log.WarnContext(r.Context(), "a proxy is not trusted, so that limits take all its visitors for one: name it in trusted_proxies", "proxy", from)
			})
		}
		next.ServeHTTP(w, r)
	})
}

// visitor reads the hops from the right, as only these were written by proxies we know. A hop that is no address ends it.
func visitor(headers []string, known func(netip.Addr) bool) netip.Addr {
	hops := strings.Split(strings.Join(headers, ","), ",")
	var last netip.Addr
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		ip := remote(hop) // some proxies write the port too
		if !ip.IsValid() {
			bare, err := netip.ParseAddr(hop)
			if err != nil {
				return last
			}
			ip = bare.Unmap().WithZone("")
		}
		last = ip
		if !known(last) {
			return last
		}
	}
	return last
}

func within(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress puts the visitor's address into RemoteAddr where the connection comes from a trusted proxy: the right-most
// hop of X-Forwarded-For that is not trusted itself. From anybody else the header is not believed.
func ClientAddress(next http.Handler, trusted []netip.Prefix) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	known := func(ip netip.Addr) bool { return within(trusted, ip) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known(address(r)) {
			if ip := visitor(r.Header.Values("X-Forwarded-For"), known); ip.IsValid() {
				r = r.Clone(r.Context())
				r.RemoteAddr = netip.AddrPortFrom(ip, 0).String()
			}
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

package subscribers_test

import (
	"net/netip"
	"testing"

	"pressrun/subscribers"
)

func TestNetwork(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "2001:db8:1:2345::9": "2001:db8:1:2300::/56", "::ffff:192.0.2.77": "192.0.2.0/24", "fe80::1%eth0": "fe80::/56",
	} {
		if got := subscribers.Network(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("network of %s: got %s, want %s", ip, got, want)
		}
	}
	if got := subscribers.Network(netip.Addr{}); got.IsValid() {
		t.Errorf("network of no address: got %s, want none", got)
	}
}

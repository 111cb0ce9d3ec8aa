package subscribers

import "net/netip"

// Network is the network of an address, of a size that one subscriber line has: /24 of IPv4, /56 of IPv6. All addresses that
// are none share the zero one.
func Network(ip netip.Addr) netip.Prefix {
	bits := 56
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		bits = 24
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

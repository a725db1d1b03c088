package address

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
)

// DeviceAddress derives the address of device i from base and network, which are the Ready.Address
// and the Ready.Network of a fleet, so that a driver in another process need not ask for each:
//
//	ip    http://127.1.0.0:PORT and up, or those of the network
//	port  http://HOST:PORT+i
//	path  http://HOST:PORT/d/i
func DeviceAddress(base string, a Mode, network netip.Prefix, i int) (string, error) {
	all, err := ParseBase(base, a, network)
	if err != nil {
		return "", err
	}
	address, err := all.Append(nil, i)
	return string(address), err
}

// Base derives the addresses of a fleet's devices.
type Base struct {
	scheme  string
	at      netip.AddrPort
	mode    Mode
	network netip.Prefix
}

// NewBase returns the Base of a fleet whose own address is at and whose devices are in a network.
// Only ip addressing looks at the network.
func NewBase(scheme string, at netip.AddrPort, mode Mode, network netip.Prefix) Base {
	return Base{scheme, at, mode, network}
}

// ParseBase parses base, the Ready.Address of a fleet, once, so that a driver can derive the
// addresses of a million devices from it. It returns an error unless base is scheme://IP:PORT.
func ParseBase(base string, a Mode, network netip.Prefix) (Base, error) {
	u, err := url.Parse(base)
	if err != nil {
		return Base{}, fmt.Errorf("mockfleet: fleet address: %w", err)
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil || u.Scheme == "" {
		const want = "scheme://IP:PORT, as a fleet gives it when it is ready"
		return Base{}, fmt.Errorf("mockfleet: fleet address %q: want %s", base, want)
	}
	return Base{u.Scheme, at, a, network}, nil
}

// Append appends the address of device i to dst. It allocates nothing if dst has room. It returns
// an error if the mode can't address device i, or its port would be above 65535.
func (a Base) Append(dst []byte, i int) ([]byte, error) {
	if n := a.capacity(); i < 0 || i >= n {
		return dst, fmt.Errorf("mockfleet: device %d: %q addressing holds devices 0 to %d", i, string(a.mode), n-1)
	}
	at := a.at
	switch a.mode {
	case IP:
		at = netip.AddrPortFrom(DeviceIP(a.network, i), at.Port())
	case Port:
		port := int(at.Port()) + i
		if port > 65535 {
			return dst, fmt.Errorf("mockfleet: device %d: port %d is beyond 65535", i, port)
		}
		at = netip.AddrPortFrom(at.Addr(), uint16(port))
	}
	dst = append(dst, a.scheme...)
	dst = append(dst, "://"...)
	dst = at.AppendTo(dst)
	if a.mode == Path {
		dst = append(dst, PathPrefix...)
		dst = strconv.AppendInt(dst, int64(i), 10)
	}
	return dst, nil
}

func (a Base) capacity() int {
	if a.mode == IP {
		return NetworkCapacity(a.network)
	}
	return a.mode.Capacity()
}

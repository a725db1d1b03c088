package delivery

import (
	"net/netip"
	"strings"
)

// appendAddress appends an address in the one way to write it: the host in lower case, an
// IPv6 address in its short form (RFC 5952), and no port that the scheme has anyway (RFC 3986
// §6.2.2 and §6.2.3). So http://H1 and http://h1:80/ are one. An address that can't be
// used is appended as it is.
func appendAddress(b []byte, address string) []byte {
	t, err := parseTarget(address)
	if err != nil {
		return append(b, address...)
	}
	scheme, usual := "http://", "80"
	if t.secure {
		scheme, usual = "https://", "443"
	}
	host, port := t.host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], strings.TrimLeft(host[i+1:], "0")
	}
	b = append(b, scheme...)
	b = appendHost(b, host)
	if port != "" && port != usual {
		b = append(append(b, ':'), port...)
	}
	return append(b, t.prefix...)
}

func appendHost(b []byte, host string) []byte {
	if strings.HasPrefix(host, "[") {
		if ip, err := netip.ParseAddr(host[1 : len(host)-1]); err == nil {
			return append(ip.AppendTo(append(b, '[')), ']')
		}
	}
	for i := 0; i < len(host); i++ {
		c := host[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// Package endpoint parses the addresses of devices, and makes the key that identifies a device. No
// address that it refuses is ever connected to.
package endpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// RedactAddress returns what an error may quote of an address that is refused: no user, no
// password, no query and no fragment, at most 120 bytes.
func RedactAddress(address string) string {
	scheme, rest := "", address
	for _, s := range []string{"http://", "https://"} {
		if strings.HasPrefix(address, s) {
			scheme, rest = s, address[len(s):]
		}
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 { // a password may hold any other delimiter
		rest = "(hidden)@" + rest[i+1:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i+1] + "(hidden)"
	}
	return check.Truncate(scheme + rest)
}

// Target is a device's address, taken apart without an allocation: its fields are
// parts of Device.Address.
type Target struct {
	TLS        bool   // https
	Host       string // HOST or HOST:PORT, as it goes into the Host header
	PathPrefix string // path before /update, without a trailing slash; may be empty
}

// MaxAddress bounds an address, in bytes.
const MaxAddress = 2 << 10

var errAddress = errors.New("want http://HOST[:PORT][/PATH] or https://…, without user, query or fragment")

// Parse takes an address apart. It is stricter than net/url: user
// information, queries, fragments, escapes and anything outside printable ASCII are refused.
func Parse(address string) (Target, error) {
	var t Target
	rest, ok := strings.CutPrefix(address, "http://")
	if !ok {
		if rest, ok = strings.CutPrefix(address, "https://"); !ok {
			return t, fmt.Errorf("device address %q: %w", RedactAddress(address), errAddress)
		}
		t.TLS = true
	}
	if len(address) > MaxAddress {
		return t, fmt.Errorf("device address %q: %d bytes, want at most %d", RedactAddress(address), len(address), MaxAddress)
	}
	t.Host = rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		t.Host, t.PathPrefix = rest[:i], strings.TrimRight(rest[i:], "/")
	}
	for i := 0; i < len(t.PathPrefix); i++ {
		if c := t.PathPrefix[i]; !check.IsAlnum(c) && strings.IndexByte("/-._~!$&'()*+,;=:", c) < 0 {
			return t, fmt.Errorf("device address %q: byte %q: %w", RedactAddress(address), c, errAddress)
		}
	}
	if !ValidHost(t.Host) {
		return t, fmt.Errorf("device address %q: host: %w", RedactAddress(address), errAddress)
	}
	return t, nil
}

// ValidHost reports whether host is a host with or without a port. An IPv6 address is in brackets.
func ValidHost(host string) bool {
	name, port, hasPort := host, "", false
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return false
		}
		if net.ParseIP(host[1:end]) == nil {
			return false
		}
		name = host[:end+1]
		if rest := host[end+1:]; rest != "" {
			if rest[0] != ':' {
				return false
			}
			port, hasPort = rest[1:], true
		}
	} else if i := strings.IndexByte(host, ':'); i >= 0 {
		name, port, hasPort = host[:i], host[i+1:], true
	}
	if name == "" || (hasPort && !validPort(port)) {
		return false
	}
	if strings.HasPrefix(name, "[") {
		return true
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !check.IsAlnum(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func validPort(port string) bool {
	n := 0
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' || i >= 5 {
			return false
		}
		n = n*10 + int(port[i]-'0')
	}
	return n >= 1 && n <= 65535
}

// DialAddr returns the target's host with a port.
func (t Target) DialAddr() string {
	bracketed := strings.HasPrefix(t.Host, "[")
	if (bracketed && !strings.HasSuffix(t.Host, "]")) || (!bracketed && strings.Contains(t.Host, ":")) {
		return t.Host
	}
	if t.TLS {
		return t.Host + ":443"
	}
	return t.Host + ":80"
}

// ServerName returns the name that a certificate must be for.
func (t Target) ServerName() string {
	host, _, err := net.SplitHostPort(t.DialAddr())
	if err != nil { // DialAddr always has a port
		return t.Host
	}
	return host
}

// AppendCanonical appends an address in the one way to write it: the host in lower case, an
// IPv6 address in its short form (RFC 5952), and no port that the scheme has anyway (RFC 3986
// §6.2.2 and §6.2.3). So http://H1 and http://h1:80/ are one. An address that can't be
// used is appended as it is.
func AppendCanonical(b []byte, address string) []byte {
	t, err := Parse(address)
	if err != nil {
		return append(b, address...)
	}
	scheme, usual := "http://", "80"
	if t.TLS {
		scheme, usual = "https://", "443"
	}
	host, port := t.Host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], strings.TrimLeft(host[i+1:], "0")
	}
	b = append(b, scheme...)
	b = appendHost(b, host)
	if port != "" && port != usual {
		b = append(append(b, ':'), port...)
	}
	return append(b, t.PathPrefix...)
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

// Key identifies a device in a rollout and its journal. It is 16 bytes of a SHA-256, so no two
// devices of any fleet share one.
type Key [16]byte

// Fingerprint returns a device's key and its place from 0 to 1 (exclusive) in the
// order of the waves. Both are part of the journal's format: they never change.
func Fingerprint(id, address string) (Key, float64) {
	text := append(make([]byte, 0, 192), 'i')
	text = append(text, id...)
	if id == "" {
		text = AppendCanonical(append(text[:0], 'a'), address)
	}
	sum := sha256.Sum256(text)
	place := float64(binary.BigEndian.Uint64(sum[24:])>>11) / (1 << 53) // 53 bits: what a float64 holds exactly
	return Key(sum[:16]), place
}

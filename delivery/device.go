package delivery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// Device is one device to update.
type Device struct {
	// ID is who the device must say it is, at most 128 bytes of UTF-8 without control characters or
	// space around it. Empty: the device isn't asked, and whoever answers at the address counts.
	ID string
	// Address is where it answers, http://HOST[:PORT][/PREFIX] or https://…
	Address string
}

// Validate reports what is wrong with the ID or the address. Nothing that fails
// here reaches a connection: a line break in either could smuggle a header.
func (d Device) Validate() error {
	_, err := d.target()
	return err
}

// target checks the device and gives its address.
func (d Device) target() (target, error) {
	if len(d.ID) > wire.MaxDeviceID || !isName(d.ID) {
		return target{}, fmt.Errorf("device id %q: want at most %d bytes of UTF-8 without control characters or space around them", clip(d.ID), wire.MaxDeviceID)
	}
	return parseTarget(d.Address)
}

// name is what an error calls the device. An ID or address that is refused may hold
// anything: it is quoted, short, and without its secrets.
func (d Device) name() string {
	if d.ID != "" {
		if len(d.ID) > wire.MaxDeviceID || !isName(d.ID) {
			return strconv.Quote(clip(d.ID))
		}
		return d.ID
	}
	if _, err := parseTarget(d.Address); err != nil {
		return strconv.Quote(shown(d.Address))
	}
	return d.Address
}

// shown is what an error quotes of an address that is refused: no user, no
// password, no query and no fragment.
func shown(address string) string {
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
	return clip(scheme + rest)
}

// target is a device's address, taken apart without an allocation: its fields are
// parts of Device.Address.
type target struct {
	secure bool   // https
	host   string // HOST or HOST:PORT, as it goes into the Host header
	prefix string // path before /update, without a trailing slash; may be empty
}

const maxAddress = 2 << 10

var errAddress = errors.New("want http://HOST[:PORT][/PATH] or https://…, without user, query or fragment")

// parseTarget takes an address apart. It is stricter than net/url: user
// information, queries, fragments, escapes and anything outside printable ASCII are refused.
func parseTarget(address string) (target, error) {
	var t target
	rest, ok := strings.CutPrefix(address, "http://")
	if !ok {
		if rest, ok = strings.CutPrefix(address, "https://"); !ok {
			return t, fmt.Errorf("device address %q: %w", shown(address), errAddress)
		}
		t.secure = true
	}
	if len(address) > maxAddress {
		return t, fmt.Errorf("device address %q: %d bytes, want at most %d", shown(address), len(address), maxAddress)
	}
	t.host = rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		t.host, t.prefix = rest[:i], strings.TrimRight(rest[i:], "/")
	}
	for i := 0; i < len(t.prefix); i++ {
		if c := t.prefix[i]; !isAlnum(c) && strings.IndexByte("/-._~!$&'()*+,;=:", c) < 0 {
			return t, fmt.Errorf("device address %q: byte %q: %w", shown(address), c, errAddress)
		}
	}
	if !validHost(t.host) {
		return t, fmt.Errorf("device address %q: host: %w", shown(address), errAddress)
	}
	return t, nil
}

// validHost reports whether host is a host with or without a port. An IPv6 address is in brackets.
func validHost(host string) bool {
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
		if c := name[i]; !isAlnum(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
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

// dialAddress is the target's host with a port.
func (t target) dialAddress() string {
	bracketed := strings.HasPrefix(t.host, "[")
	if (bracketed && !strings.HasSuffix(t.host, "]")) || (!bracketed && strings.Contains(t.host, ":")) {
		return t.host
	}
	if t.secure {
		return t.host + ":443"
	}
	return t.host + ":80"
}

// serverName is the name that a certificate must be for.
func (t target) serverName() string {
	host, _, err := net.SplitHostPort(t.dialAddress())
	if err != nil { // dialAddress always has a port
		return t.host
	}
	return host
}

// isFieldValue reports whether s may stand in a header field: no control
// characters (RFC 9110 §5.5), so no CR, LF or NUL.
func isFieldValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isName reports whether s goes through a header and a JSON document unchanged: UTF-8 without
// control characters, and without the space around it that a header field drops (RFC 9110 §5.5).
func isName(s string) bool {
	if s != "" && (s[0] == ' ' || s[len(s)-1] == ' ') {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isToken reports whether s is an HTTP token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// clip shortens what an error quotes.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

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

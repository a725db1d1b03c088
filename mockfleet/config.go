package mockfleet

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// Config says which fleet to start. Every field but Devices has a useful zero value.
type Config struct {
	Devices        int        // how many devices: 1 to Addressing.Capacity()
	Listen         string     // host:port of the devices; "" is 127.0.0.1:0, any free port
	ControlListen  string     // host:port of the control port; "" is 127.0.0.1:0
	Addressing     Addressing // how a device is told from another; "" is DefaultAddressing()
	Seed           uint64     // what every random choice of the fleet derives from
	InitialVersion string     // the version each device starts with; "" is "1.0.0"
	Behavior       Behavior   // how devices answer; the zero value answers at once and never fails
	Groups         []Group    // parts of the fleet that behave otherwise; at most 64
	Capacity       float64    // updates a second that all devices together answer; further ones wait their turn; 0 is no limit
	TLS            TLS        // how devices speak TLS; "" is plain http
	Token          Secret     // bearer token of the control port; "" is 32 random bytes in hex
	AllowRemote    bool       // lets Listen and ControlListen be other than loopback addresses
	MaxConnections int        // open connections at most; 0 is 65536, or what the descriptor limit allows
}

const (
	defaultListen         = "127.0.0.1:0"
	defaultInitialVersion = "1.0.0"
	defaultMaxConnections = 65536
	maxMaxConnections     = 1 << 24
	maxToken              = 512 // bytes
	maxCapacity           = 1_000_000
)

// ConfigError is a field of a Config that cannot be used as it stands: outside its bounds, or refused
// by the machine (an address in use, a limit too low). Callers find it with errors.As.
type ConfigError struct {
	Field string // as in the flags of `fleetmark fleet`: devices, listen, addressing
	Value string // what it was
	Want  string // what is wanted instead
	Err   error  // what the machine said, or nil
}

func (e *ConfigError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("mockfleet: %s: %s: %v: %s", e.Field, e.Value, e.Err, e.Want)
	}
	return fmt.Sprintf("mockfleet: %s: %s: want %s", e.Field, e.Value, e.Want)
}

func (e *ConfigError) Unwrap() error { return e.Err }

// Secret is text that never shows itself: every way of printing or encoding it yields "[redacted]".
// Convert it to a string to read it.
type Secret string

const redacted = "[redacted]"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format keeps every verb, %q, %x and %#v included, from showing the text.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(s.String())) // fmt.State has no use for the error
}

// MarshalText keeps the text out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// withDefaults returns c with its zero values replaced, Token and MaxConnections excepted: those two
// need the machine.
func (c Config) withDefaults() Config {
	c.Listen, c.ControlListen = cmp.Or(c.Listen, defaultListen), cmp.Or(c.ControlListen, defaultListen)
	c.Addressing = cmp.Or(c.Addressing, DefaultAddressing())
	c.InitialVersion = cmp.Or(c.InitialVersion, defaultInitialVersion)
	c.Behavior = c.Behavior.withDefaults()
	return c
}

// Validate reports every field that is out of bounds, each as a *ConfigError on a line of its own.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(field, value, want string) {
		errs = append(errs, &ConfigError{Field: field, Value: value, Want: want})
	}
	if _, err := ParseAddressing(string(c.Addressing)); err != nil {
		errs = append(errs, err)
	} else if c.Devices < 1 || c.Devices > c.Addressing.Capacity() {
		want := fmt.Sprintf("1 to %d devices in %s addressing", c.Addressing.Capacity(), c.Addressing)
		if c.Addressing == AddressPort && c.Devices > c.Addressing.Capacity() && c.Devices <= AddressPath.Capacity() {
			want += fmt.Sprintf("; %s and %s addressing hold up to %d", AddressIP, AddressPath, AddressPath.Capacity())
		}
		bad("devices", strconv.Itoa(c.Devices), want)
	}
	for _, l := range []struct{ field, value string }{{"listen", c.Listen}, {"control-listen", c.ControlListen}} {
		if err := checkListen(l.field, l.value, c.AllowRemote); err != nil {
			errs = append(errs, err)
		}
	}
	if problem := versionProblem([]byte(c.InitialVersion)); problem != "" {
		bad("initial-version", strconv.Quote(c.InitialVersion),
			fmt.Sprintf("1 to %d bytes of UTF-8 without control characters or space around them", wire.MaxVersion))
	}
	if err := c.Behavior.Validate(); err != nil {
		errs = append(errs, err)
	} else if err := c.Behavior.checkReach(c.Addressing); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.checkGroups()...)
	if !(c.Capacity >= 0 && c.Capacity <= maxCapacity) {
		bad("capacity", strconv.FormatFloat(c.Capacity, 'g', -1, 64), fmt.Sprintf("updates a second from 0 to %d", maxCapacity))
	}
	if !c.TLS.known() {
		bad("tls", strconv.Quote(string(c.TLS)), tlsForms)
	}
	if len(c.Token) > maxToken || strings.ContainsFunc(string(c.Token), func(r rune) bool { return r <= ' ' || r > '~' }) {
		bad("token", redacted, fmt.Sprintf("up to %d visible ASCII characters", maxToken))
	}
	if c.MaxConnections < 0 || c.MaxConnections > maxMaxConnections {
		bad("max-connections", strconv.Itoa(c.MaxConnections), fmt.Sprintf("0 to %d", maxMaxConnections))
	}
	return errors.Join(errs...)
}

// checkListen tells whether address can be listened on: an IP address (or localhost) and a port.
func checkListen(field, address string, allowRemote bool) error {
	bad := func(want string) error {
		return &ConfigError{Field: field, Value: strconv.Quote(address), Want: want}
	}
	host, _, err := splitListen(address)
	switch {
	case err != nil:
		return bad("HOST:PORT, an IP address and a port from 0 to 65535, such as 127.0.0.1:8080")
	case !host.IsLoopback() && !allowRemote:
		return bad("a loopback address such as 127.0.0.1, or remote access allowed")
	}
	return nil
}

// splitListen takes host:port apart. No host means every address of the machine, as in package net.
func splitListen(address string) (netip.Addr, uint16, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "":
		host = "0.0.0.0"
	}
	ip, err := netip.ParseAddr(host)
	return ip.Unmap(), uint16(port), err
}

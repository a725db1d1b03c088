package mockfleet

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// Config says which fleet to start. Every field but Devices has a useful zero value.
//
// With a Network, an IPv4 prefix of 8 to 30 bits, devices have addresses of their own on a real
// network, the second address of the prefix and up; its first and last address are no device's. It
// takes ip addressing and AllowRemote, and a machine that a route has given all addresses of the
// prefix ("ip route add local PREFIX dev lo" on Linux); only the port of Listen counts. A
// connection to any other address of the machine is closed at once. A shard has a Network to
// itself, which holds as many devices as address.NetworkCapacity says (see address.Subnet). A
// Network within
// 127.0.0.0/8 takes neither AllowRemote nor a route. On 127.0.0.0/8 itself device 0 is at 127.1.0.0.
type Config struct {
	Devices        int               // how many devices, of all shards: 1 to Addressing.Capacity() in each
	Shard          address.Shard     // the part of the devices that the fleet has; the zero value is all of them
	Listen         string            // host:port of the devices; "" is 127.0.0.1:0, any free port
	ControlListen  string            // host:port of the control port; "" is 127.0.0.1:0
	Addressing     address.Mode      // how devices are addressed; "" is DefaultMode()
	Network        netip.Prefix      // whose addresses devices have in ip addressing; zero is 127.0.0.0/8, see below
	Seed           uint64            // of every random choice of the fleet
	InitialVersion string            // the version each device starts with; "" is "1.0.0"
	Behavior       behavior.Behavior // how devices answer; the zero value answers at once and never fails
	Groups         []behavior.Group  // parts of the fleet with a behavior of their own; at most 64
	Capacity       float64           // updates a second that the fleet answers, at most 1,000,000; 0 is no limit
	TLS            behavior.TLSMode  // how devices speak TLS; "" is plain http
	Token          Secret            // bearer token of the control port; "" is 32 random bytes in hex
	AllowRemote    bool              // allows addresses other than loopback in Listen and ControlListen
	MaxConnections int               // the most open at a time; 0 is 65536, or what the descriptor limit allows
}

const (
	defaultListen         = "127.0.0.1:0"
	defaultInitialVersion = "1.0.0"
	defaultMaxConnections = 65536
	maxMaxConnections     = 1 << 24
	maxToken              = 512 // bytes
	maxCapacity           = 1_000_000
)

// ConfigError says that a field of a Config can't be used: it is out of bounds, or the machine
// refuses it (an address in use, a limit too low). Callers find it with errors.As.
type ConfigError = field.Error

// Secret is text that can't be shown by accident: every way of printing or encoding it yields
// "[redacted]", or nothing if it is empty. Convert it to a string to read it.
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

// withDefaults returns c with its zero values replaced. Token and MaxConnections stay: their
// defaults depend on the machine.
func (c Config) withDefaults() Config {
	c.Listen, c.ControlListen = cmp.Or(c.Listen, defaultListen), cmp.Or(c.ControlListen, defaultListen)
	c.Addressing = cmp.Or(c.Addressing, address.DefaultMode())
	c.InitialVersion = cmp.Or(c.InitialVersion, defaultInitialVersion)
	c.Behavior = c.Behavior.WithDefaults()
	return c
}

// Validate reports every field that is out of bounds, each as a *ConfigError on a line of its own.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(name, value, want string) {
		errs = append(errs, &field.Error{Field: name, Value: value, Want: want})
	}
	errs = append(errs, c.Shard.Validate()...)
	if _, err := address.ParseMode(string(c.Addressing)); err != nil {
		errs = append(errs, err)
	} else if err := c.checkNetwork(); err != nil {
		errs = append(errs, err)
	} else if !c.Shard.IsWhole() && len(errs) == 0 {
		errs = append(errs, c.checkShard()...)
	} else if capacity := c.addresses(); c.Devices < 1 || c.Devices > capacity {
		want := fmt.Sprintf("1 to %d devices in %s", capacity, c.addressed())
		if c.Addressing == address.Port && c.Devices > c.Addressing.Capacity() && c.Devices <= address.Path.Capacity() {
			want += fmt.Sprintf("; %s and %s addressing hold up to %d", address.IP, address.Path, address.Path.Capacity())
		}
		bad("devices", strconv.Itoa(c.Devices), want)
	}
	for _, l := range []struct{ field, value string }{{"listen", c.Listen}, {"control-listen", c.ControlListen}} {
		if err := checkListen(l.field, l.value, c.AllowRemote); err != nil {
			errs = append(errs, err)
		}
	}
	if problem := device.CheckVersion([]byte(c.InitialVersion)); problem != "" {
		bad("initial-version", strconv.Quote(c.InitialVersion),
			fmt.Sprintf("1 to %d bytes of UTF-8 without control characters or space around them", wire.MaxVersion))
	}
	if err := c.Behavior.Validate(); err != nil {
		errs = append(errs, err)
	} else if err := checkReach(c.Behavior, c.Addressing); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.checkGroups()...)
	if !(c.Capacity >= 0 && c.Capacity <= maxCapacity) {
		want := fmt.Sprintf("updates a second from 0 to %d", maxCapacity)
		bad("capacity", strconv.FormatFloat(c.Capacity, 'g', -1, 64), want)
	}
	if !c.TLS.Known() {
		bad("tls", strconv.Quote(string(c.TLS)), behavior.TLSForms)
	}
	if len(c.Token) > maxToken || strings.ContainsFunc(string(c.Token), func(r rune) bool { return r <= ' ' || r > '~' }) {
		bad("token", redacted, fmt.Sprintf("up to %d visible ASCII characters", maxToken))
	}
	if c.MaxConnections < 0 || c.MaxConnections > maxMaxConnections {
		bad("max-connections", strconv.Itoa(c.MaxConnections), fmt.Sprintf("0 to %d", maxMaxConnections))
	}
	return errors.Join(errs...)
}

// checkShard returns a *ConfigError if a fleet of so many devices can't have the shard.
func (c Config) checkShard() []error {
	most := min(address.MaxDevices, c.addresses()*c.Shard.Count)
	if c.Devices >= c.Shard.Count && c.Devices <= most {
		return nil
	}
	return []error{&field.Error{
		Field: "devices", Value: strconv.Itoa(c.Devices),
		Want: fmt.Sprintf("%d to %d devices in %d shards in %s", c.Shard.Count, most, c.Shard.Count, c.addressed()),
	}}
}

// checkNetwork returns a *ConfigError if devices can't have addresses of the network.
func (c Config) checkNetwork() error {
	if err := address.CheckNetwork(c.Network); err != nil {
		return err
	}
	bad := func(want string) error {
		return &field.Error{Field: address.NetworkField, Value: c.Network.String(), Want: want}
	}
	switch {
	case c.Network == (netip.Prefix{}):
		return nil
	case c.Addressing != address.IP:
		return bad("ip addressing: in " + string(c.Addressing) + " addressing devices share an address")
	case !address.OnLoopback(c.Network) && !c.AllowRemote:
		return bad("remote access allowed, since other machines reach the devices there")
	}
	return nil
}

// addresses returns how many devices the fleet can address.
func (c Config) addresses() int {
	if c.Addressing == address.IP {
		return min(address.NetworkCapacity(c.Network), address.Path.Capacity())
	}
	return c.Addressing.Capacity()
}

// addressed returns how devices are addressed, in words.
func (c Config) addressed() string {
	if c.Network.IsValid() {
		return "the network " + c.Network.String()
	}
	return string(c.Addressing) + " addressing"
}

// checkListen returns a *ConfigError unless address is an IP address (or localhost) and a port, and
// loopback if allowRemote is false.
func checkListen(name, address string, allowRemote bool) error {
	bad := func(want string) error {
		return &field.Error{Field: name, Value: strconv.Quote(address), Want: want}
	}
	host, _, err := server.SplitListen(address)
	switch {
	case err != nil:
		return bad("HOST:PORT, an IP address and a port from 0 to 65535, such as 127.0.0.1:8080")
	case !host.IsLoopback() && !allowRemote:
		return bad("a loopback address such as 127.0.0.1, or remote access allowed")
	}
	return nil
}

// checkReach returns an error for each part of b that devices can't have in addressing mode a or on
// this system, such as a port that refuses where all devices share one.
func checkReach(b behavior.Behavior, a address.Mode) error {
	var errs []error
	bad := func(name, value, want string) {
		errs = append(errs, &field.Error{Field: name, Value: value, Want: want})
	}
	if n := b.Network.MaxConnections; n > 0 && a == address.Path {
		bad("network.max_connections", strconv.Itoa(n),
			"ip or port addressing: in path addressing a connection is no device's")
	}
	if len(b.Faults) == 0 || a == address.Port && server.GatesSupported {
		return errors.Join(errs...)
	}
	table := fault.Table()
	for i, f := range b.Faults {
		if !slices.ContainsFunc(table, func(k fault.Kind) bool { return k.Name == f.Kind && k.NeedsPort }) {
			continue
		}
		want := "port addressing: in " + string(a) + " addressing one listener serves all devices"
		if !server.GatesSupported {
			want = "Linux, and port addressing"
		}
		bad(fmt.Sprintf("faults[%d].kind", i), strconv.Quote(f.Kind), want)
	}
	return errors.Join(errs...)
}

var groupForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// checkGroups returns an error for each field of a group that can't be used, each as a
// *ConfigError.
func (c Config) checkGroups() (errs []error) {
	if len(c.Groups) > behavior.MaxGroups {
		return []error{&field.Error{
			Field: "groups", Value: strconv.Itoa(len(c.Groups)) + " of them",
			Want: "at most " + strconv.Itoa(behavior.MaxGroups),
		}}
	}
	seen := map[string]bool{behavior.RestGroup: true, behavior.AllGroups: true}
	var sum float64
	for i, g := range c.Groups {
		at := fmt.Sprintf("groups[%d].", i)
		bad := func(name, value, want string) {
			errs = append(errs, &field.Error{Field: at + name, Value: value, Want: want})
		}
		switch {
		case !groupForm.MatchString(g.Name):
			bad("name", strconv.Quote(g.Name), "1 to 32 lower-case letters, digits and dashes")
		case seen[g.Name]:
			bad("name", strconv.Quote(g.Name), `a name that no other group has, other than "all" and "rest"`)
		}
		seen[g.Name] = true
		if !(g.Share > 0 && g.Share <= 1) {
			bad("share", fmt.Sprint(float64(g.Share)), "above 0, and 1 at most")
		}
		before := sum
		switch sum += float64(g.Share); {
		case sum > 1+shareSlack && before <= 1+shareSlack:
			bad("share", fmt.Sprint(float64(g.Share)),
				fmt.Sprintf("%.4g at most: the groups before it have the rest", max(0, 1-before)))
		case g.Share > 0 && c.Devices > 0 && sum <= 1+shareSlack &&
			behavior.GroupEnd(c.Devices, sum) == behavior.GroupEnd(c.Devices, before):
			share := percents(float64(g.Share))
			bad("share", share, fmt.Sprintf("%s at least, or more devices: %s of %d is none",
				percents(1/float64(c.Devices)), share, c.Devices))
		}
		err := g.Behavior.Validate()
		if err == nil {
			err = checkReach(g.Behavior, c.Addressing)
		}
		errs = append(errs, field.Within(at+"behavior.", err)...)
		switch {
		case !g.TLS.Known():
			bad("tls", strconv.Quote(string(g.TLS)), behavior.TLSForms)
		case g.TLS != behavior.TLSNone && c.TLS == behavior.TLSNone:
			bad("tls", strconv.Quote(string(g.TLS)), "a fleet that speaks TLS: set its own as well, such as good")
		case g.TLS != behavior.TLSNone && c.Addressing == address.Path:
			bad("tls", strconv.Quote(string(g.TLS)),
				"ip or port addressing: in path addressing the handshake comes before the path")
		}
	}
	return errs
}

// percents returns a share as a percentage with up to four significant digits, such as "2%".
func percents(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + "%" }

// shareSlack is how far above 1 the sum of shares may be, since decimal fractions are inexact in
// binary.
const shareSlack = 1e-9

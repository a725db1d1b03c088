package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// DeviceNetwork is what was found out about a network whose addresses devices are to have. A
// machine either runs the fleet, so that the addresses are its own, or drives it, so that a route
// leads there.
type DeviceNetwork struct {
	Network      string         `json:"network"`
	FirstOwn     bool           `json:"first_own"`        // whether the first device's address is the machine's own
	LastOwn      bool           `json:"last_own"`         // whether the last device's address is
	NonlocalBind *bool          `json:"ip_nonlocal_bind"` // whether every address passes for an own one
	Route        *Route         `json:"route"`            // the closest route to the first device; null if there is none
	ReversePath  map[string]int `json:"rp_filter"`        // by interface: 0 is off, 1 is strict, 2 is loose
	Conntrack    *int           `json:"nf_conntrack_max"` // null if connections aren't tracked
	Neighbors    *int           `json:"gc_thresh3"`       // how many entries the neighbor table may have
}

// Route is a route of the main routing table.
type Route struct {
	To        string `json:"to"` // the network that it leads to; 0.0.0.0/0 is the default route
	Interface string `json:"interface"`
	Gateway   string `json:"gateway,omitempty"` // empty if the network is said to be on the link
}

// recommendedConntrack holds the connections of two minutes at 2,000 a second.
const recommendedConntrack = 1 << 18

// readDeviceNetwork finds out what the machine has for a network. Linux has most of it in files
// below root.
func readDeviceNetwork(ctx context.Context, root string, network netip.Prefix) *DeviceNetwork {
	first := address.DeviceIP(network, 0)
	last := address.DeviceIP(network, address.NetworkCapacity(network)-1)
	at := systemFiles(root)
	return &DeviceNetwork{
		Network: network.String(), FirstOwn: isOwn(ctx, first), LastOwn: isOwn(ctx, last),
		NonlocalBind: at.flag("proc/sys/net/ipv4/ip_nonlocal_bind"),
		Route:        at.routeTo(first), ReversePath: at.reversePath(),
		Conntrack: at.number("proc/sys/net/netfilter/nf_conntrack_max"),
		Neighbors: at.number("proc/sys/net/ipv4/neigh/default/gc_thresh3"),
	}
}

// isOwn reports whether a socket can be bound to an address, as those of a fleet are.
func isOwn(ctx context.Context, ip netip.Addr) bool {
	var config net.ListenConfig
	c, err := config.ListenPacket(ctx, "udp4", netip.AddrPortFrom(ip, 0).String()) // UDP, so that nobody can connect
	if err != nil {
		return false
	}
	_ = c.Close() // it was bound, which is all that was asked
	return true
}

// routeTo returns the route of the main routing table with the longest prefix that leads to an
// address. It returns nil if there is none, or if the table can't be read.
func (at systemFiles) routeTo(to netip.Addr) *Route {
	text, _ := at.text("proc/net/route")
	var best *Route
	longest := -1
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 || f[0] == "Iface" {
			continue
		}
		destination, gateway, mask := hexAddr(f[1]), hexAddr(f[2]), hexAddr(f[7])
		if !destination.IsValid() || !gateway.IsValid() || !mask.IsValid() {
			continue
		}
		raw := mask.As4()
		ones, _ := net.IPMask(raw[:]).Size()
		if network := netip.PrefixFrom(destination, ones); network.Contains(to) && ones > longest {
			longest, best = ones, &Route{To: network.String(), Interface: f[0]}
			if !gateway.IsUnspecified() {
				best.Gateway = gateway.String()
			}
		}
	}
	return best
}

// hexAddr returns an address of /proc/net/route, which shows its four bytes as a number of the
// machine's byte order. It returns the zero Addr if the text is none.
func hexAddr(text string) netip.Addr {
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return netip.Addr{}
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b)
}

// reversePath returns how each interface but the loopback interface filters packets by the way back
// to their senders. The larger of an interface's own value and that for all counts (ip-sysctl.rst
// of the kernel).
func (at systemFiles) reversePath() map[string]int {
	const conf = "proc/sys/net/ipv4/conf"
	all := at.number(conf + "/all/rp_filter")
	if all == nil {
		return nil
	}
	pattern := filepath.Join(string(at), filepath.FromSlash(conf), "*", "rp_filter")
	found, _ := filepath.Glob(pattern) // the pattern is valid
	list := map[string]int{}
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		own := at.number(conf + "/" + name + "/rp_filter")
		if own != nil && !slices.Contains([]string{"all", "default", "lo"}, name) {
			list[name] = max(*all, *own)
		}
	}
	return list
}

// deviceNetwork judges whether devices can have the addresses here, or be reached from here. Like
// the checks below, it returns no state if no network was asked about.
func deviceNetwork(f Facts) (State, string, string) {
	n := f.DeviceNetwork
	if n == nil {
		return "", "", ""
	}
	network, err := netip.ParsePrefix(n.Network)
	if err != nil {
		return Unknown, "unknown", "see that the network is one"
	}
	own := "where the fleet runs: sudo " + address.RouteCommand(network)
	via := "on a driver: sudo ip route add " + n.Network + " via THE FLEET'S MACHINE"
	switch {
	case f.OS != "linux":
		return Unknown, "unknown", own + "; elsewhere see that a route leads there"
	case n.FirstOwn && n.LastOwn && n.NonlocalBind != nil && *n.NonlocalBind:
		return Unknown, n.Network + ", perhaps: any address passes for an own one (ip_nonlocal_bind)", own
	case n.FirstOwn && n.LastOwn:
		return OK, n.Network + ", all of it this machine's own", ""
	case n.FirstOwn || n.LastOwn:
		return Problem, "only a part of " + n.Network + " is this machine's own", own
	case n.Route == nil:
		return Problem, "no route leads to " + n.Network, own + "; " + via
	case strings.HasSuffix(n.Route.To, "/0"):
		return Warning, "only the default route leads to " + n.Network, own + "; " + via
	case n.Route.Gateway == "":
		found := fmt.Sprintf("%s is on the link of %s", n.Network, n.Route.Interface)
		if n.Neighbors != nil {
			found += fmt.Sprintf(", whose neighbor table holds %d entries, one for each device", *n.Neighbors)
		}
		return Warning, found, own + "; " + via
	}
	return OK, fmt.Sprintf("%s, through %s on %s", n.Network, n.Route.Gateway, n.Route.Interface), ""
}

func reversePath(f Facts) (State, string, string) {
	n := f.DeviceNetwork
	switch {
	case n == nil:
		return "", "", ""
	case n.ReversePath == nil:
		return Unknown, "unknown", "see that packets are accepted whose way back leads over another interface"
	}
	var strict []string
	for _, name := range slices.Sorted(maps.Keys(n.ReversePath)) {
		if n.ReversePath[name] == 1 {
			strict = append(strict, name)
		}
	}
	if len(strict) == 0 {
		return OK, "not strict on any interface", ""
	}
	var change []string
	for _, name := range strict {
		change = append(change, "sudo sysctl -w net.ipv4.conf."+name+".rp_filter=2")
	}
	// With one interface, the way back is always the same.
	return grade(false, len(n.ReversePath) > 1), "strict on " + strings.Join(strict, ", "), strings.Join(change, "; ")
}

func conntrack(f Facts) (State, string, string) {
	n := f.DeviceNetwork
	switch {
	case n == nil:
		return "", "", ""
	case f.OS != "linux":
		return Unknown, "unknown", "see whether a firewall tracks connections, and how many"
	case n.Conntrack == nil:
		return OK, "connections aren't tracked", ""
	}
	return grade(false, *n.Conntrack < recommendedConntrack), fmt.Sprintf("%d connections may be tracked", *n.Conntrack),
		fmt.Sprintf("sudo sysctl -w net.netfilter.nf_conntrack_max=%d", recommendedConntrack)
}

package doctor

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadDeviceNetwork reads files as Linux has them. The loopback interface has all of
// 127.0.0.0/8, and no machine has 198.51.100.0/24 (RFC 5737).
func TestReadDeviceNetwork(t *testing.T) {
	hex := func(a string) string {
		b := netip.MustParseAddr(a).As4()
		return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b[:]))
	}
	row := func(dev, to, via, mask string) string {
		return fmt.Sprintf("%s\t%s\t%s\t0003\t0\t0\t0\t%s\t0\t0\t0\n", dev, hex(to), hex(via), hex(mask))
	}
	root := newSystem(t, map[string]string{
		"proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
			row("eth0", "0.0.0.0", "192.0.2.1", "0.0.0.0") + row("eth1", "198.51.100.0", "192.0.2.9", "255.255.255.0") +
			row("eth2", "198.51.0.0", "0.0.0.0", "255.255.0.0"),
		"proc/sys/net/ipv4/ip_nonlocal_bind":         "0\n",
		"proc/sys/net/ipv4/conf/all/rp_filter":       "1\n",
		"proc/sys/net/ipv4/conf/default/rp_filter":   "1\n",
		"proc/sys/net/ipv4/conf/lo/rp_filter":        "0\n",
		"proc/sys/net/ipv4/conf/eth0/rp_filter":      "2\n",
		"proc/sys/net/ipv4/conf/eth1/rp_filter":      "0\n",
		"proc/sys/net/netfilter/nf_conntrack_max":    "65536\n",
		"proc/sys/net/ipv4/neigh/default/gc_thresh3": "1024\n",
	})
	got := readDeviceNetwork(t.Context(), string(root), netip.MustParsePrefix("198.51.100.0/24"))
	require.Equal(t, &DeviceNetwork{
		Network: "198.51.100.0/24", NonlocalBind: to(false),
		Route:       &Route{To: "198.51.100.0/24", Interface: "eth1", Gateway: "192.0.2.9"},
		ReversePath: map[string]int{"eth0": 2, "eth1": 1}, Conntrack: to(65536), Neighbors: to(1024),
	}, got)
	require.Equal(t, &Route{To: "198.51.0.0/16", Interface: "eth2"}, root.routeTo(netip.MustParseAddr("198.51.1.1")))
	require.Equal(t, &Route{To: "0.0.0.0/0", Interface: "eth0", Gateway: "192.0.2.1"},
		root.routeTo(netip.MustParseAddr("10.64.0.1")))

	nothing := readDeviceNetwork(t.Context(), t.TempDir(), netip.MustParsePrefix("198.51.100.0/24"))
	require.Equal(t, &DeviceNetwork{Network: "198.51.100.0/24"}, nothing)
}

func TestExamine_deviceNetwork(t *testing.T) {
	route := func(to, via string) *Route { return &Route{To: to, Interface: "eth0", Gateway: via} }
	for name, row := range map[string]struct {
		check  string
		change func(*Facts)
		state  State
		found  string
		advice string
	}{
		"own": {"device network", func(f *Facts) {}, OK, "10.64.0.0/10, all of it this machine's own", ""},
		"half": {"device network", func(f *Facts) { f.DeviceNetwork.LastOwn = false }, Problem,
			"only a part of 10.64.0.0/10", "where the fleet runs: sudo ip route add local 10.64.0.0/10 dev lo"},
		"any address": {"device network", func(f *Facts) { f.DeviceNetwork.NonlocalBind = to(true) }, Unknown,
			"ip_nonlocal_bind", "ip route add local"},
		"no route": {"device network", func(f *Facts) { f.DeviceNetwork.FirstOwn, f.DeviceNetwork.LastOwn = false, false },
			Problem, "no route leads to 10.64.0.0/10", "on a driver: sudo ip route add 10.64.0.0/10 via"},
		"a driver": {"device network", func(f *Facts) {
			f.DeviceNetwork.FirstOwn, f.DeviceNetwork.LastOwn = false, false
			f.DeviceNetwork.Route = route("10.64.0.0/10", "192.0.2.1")
		}, OK, "10.64.0.0/10, through 192.0.2.1 on eth0", ""},
		"the default route": {"device network", func(f *Facts) {
			f.DeviceNetwork.FirstOwn, f.DeviceNetwork.LastOwn = false, false
			f.DeviceNetwork.Route = route("0.0.0.0/0", "192.0.2.1")
		}, Warning, "only the default route", "on a driver"},
		"on the link": {"device network", func(f *Facts) {
			f.DeviceNetwork.FirstOwn, f.DeviceNetwork.LastOwn = false, false
			f.DeviceNetwork.Route, f.DeviceNetwork.Neighbors = route("10.0.0.0/8", ""), to(1024)
		}, Warning, "on the link of eth0, whose neighbor table holds 1024 entries", "via"},
		"another system": {"device network", func(f *Facts) { f.OS = "plan9" }, Unknown, "unknown", "ip route add local"},

		"loose": {"reverse path", func(f *Facts) {}, OK, "not strict on any interface", ""},
		"strict on one of two": {"reverse path", func(f *Facts) { f.DeviceNetwork.ReversePath["eth1"] = 1 }, Warning,
			"strict on eth1", "sudo sysctl -w net.ipv4.conf.eth1.rp_filter=2"},
		"strict on the only one": {"reverse path", func(f *Facts) { f.DeviceNetwork.ReversePath = map[string]int{"eth0": 1} },
			OK, "strict on eth0", ""},
		"filter unknown": {"reverse path", func(f *Facts) { f.DeviceNetwork.ReversePath = nil }, Unknown, "unknown",
			"way back"},

		"untracked": {"conntrack", func(f *Facts) {}, OK, "connections aren't tracked", ""},
		"a small table": {"conntrack", func(f *Facts) { f.DeviceNetwork.Conntrack = to(65536) }, Warning,
			"65536 connections may be tracked", "nf_conntrack_max=262144"},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			f.DeviceNetwork = &DeviceNetwork{Network: "10.64.0.0/10", FirstOwn: true, LastOwn: true, NonlocalBind: to(false),
				ReversePath: map[string]int{"eth0": 2, "eth1": 0}}
			row.change(&f)
			seen := false
			for _, c := range Examine(f, testAdvice()) {
				if c.Name == row.check {
					seen = true
					require.Equal(t, row.state, c.State, c.Found)
					require.Contains(t, c.Found, row.found)
					require.Contains(t, c.Change, row.advice)
					require.Equal(t, row.state == OK, c.Change == "")
				}
			}
			require.True(t, seen)
		})
	}
	for _, c := range Examine(healthy(), testAdvice()) {
		require.NotContains(t, []string{"device network", "reverse path", "conntrack"}, c.Name, "nobody asked")
	}
}

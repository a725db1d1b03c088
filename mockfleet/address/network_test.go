package address

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

func TestNetworksThatDevicesCanHave(t *testing.T) {
	for network, want := range map[string]string{
		"10.64.0.0/10":        "",
		"127.64.0.0/10":       "",
		"10.0.0.0/8":          "",
		"10.0.0.4/30":         "",
		"fd00::/64":           "want an IPv4 network such as 10.64.0.0/10",
		"::ffff:10.0.0.0/104": "want an IPv4 network",
		"10.0.0.0/7":          "want a prefix of 8 to 30 bits",
		"10.0.0.0/31":         "want a prefix of 8 to 30 bits",
		"10.64.0.9/10":        "want 10.64.0.0/10, the network that this address is in",
		"224.0.0.0/8":         "want a network of addresses that machines can have",
		"0.0.0.0/8":           "want a network of addresses that machines can have",
	} {
		err := CheckNetwork(netip.MustParsePrefix(network))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "mockfleet: device-network: "+network+": "+want)
		var bad *field.Error
		require.ErrorAs(t, err, &bad)
	}
	require.NoError(t, CheckNetwork(netip.Prefix{}))
}

func TestAddressesOfANetwork(t *testing.T) {
	for _, row := range []struct {
		network     string // "" is the zero Prefix
		first, last string // addresses of devices
		devices     int
		others      []string // addresses that are no device's
	}{
		{"", "127.1.0.0", "127.255.255.254", 16_711_679, []string{"127.0.255.255", "127.255.255.255", "10.1.0.0", "::1"}},
		{"127.0.0.0/8", "127.1.0.0", "127.255.255.254", 16_711_679, []string{"127.0.0.1", "128.0.0.0"}},
		{"10.64.0.0/10", "10.64.0.1", "10.127.255.254", 1<<22 - 2, []string{"10.64.0.0", "10.127.255.255", "127.1.0.0"}},
		{"192.0.2.4/30", "192.0.2.5", "192.0.2.6", 2, []string{"192.0.2.4", "192.0.2.7", "0.0.0.0", "255.255.255.255"}},
		{"223.0.0.0/8", "223.0.0.1", "223.255.255.254", 1<<24 - 2, []string{"224.0.0.0"}},
	} {
		var network netip.Prefix
		if row.network != "" {
			network = netip.MustParsePrefix(row.network)
		}
		require.Equal(t, row.devices, NetworkCapacity(network), row.network)
		for i, want := range map[int]string{0: row.first, row.devices - 1: row.last} {
			require.Equal(t, want, DeviceIP(network, i).String())
			require.Equal(t, i, DeviceOfIP(network, netip.MustParseAddr(want)))
			require.Equal(t, i, DeviceOfIP(network, netip.MustParseAddr("::ffff:"+want)))
		}
		for _, other := range row.others {
			require.Equal(t, -1, DeviceOfIP(network, netip.MustParseAddr(other)), other)
		}
	}
	require.Zero(t, NetworkCapacity(netip.MustParsePrefix("fd00::/64")))
	require.True(t, OnLoopback(netip.MustParsePrefix("127.64.0.0/10")))
	require.True(t, OnLoopback(netip.Prefix{}))
	require.False(t, OnLoopback(netip.MustParsePrefix("10.64.0.0/10")))
}

func TestSubnet(t *testing.T) {
	for _, row := range []struct {
		network               string
		index, count, devices int
		want, refused         string
	}{
		{"10.64.0.0/10", 0, 1, 1, "10.64.0.0/10", ""},
		{"10.64.0.0/10", 0, 0, 1, "10.64.0.0/10", ""},
		{"10.64.0.0/10", 0, 2, 1_000_000, "10.64.0.0/11", ""},
		{"10.64.0.0/10", 1, 2, 1_000_000, "10.96.0.0/11", ""},
		{"10.64.0.0/10", 2, 3, 3, "10.96.0.0/12", ""}, // cut into four
		{"10.0.0.0/24", 3, 4, 248, "10.0.0.192/26", ""},
		{"10.0.0.0/24", 0, 4, 249, "", "a larger network: cut into 4 it holds 248 devices in 4 shards, not 249"},
		{"10.0.0.0/24", 4, 5, 150, "10.0.0.128/27", ""},
		{"10.0.0.0/24", 4, 5, 151, "", "cut into 8 it holds 150 devices in 5 shards, not 151"},
		{"10.0.0.0/30", 0, 2, 2, "", "cut into 2 it holds 0 devices in 2 shards, not 2"},
		{"10.0.0.0/30", 1, 2, 1, "", "cut into 2 it holds 0 devices"},
		{"10.0.0.1/24", 0, 1, 1, "", "want 10.0.0.0/24"},
		{"127.0.0.0/8", 2, 3, 1_000_000, "127.0.0.0/8", ""},
		{"127.64.0.0/10", 3, 4, 100, "127.112.0.0/12", ""},
		{"10.0.0.0/8", 2, 2, 1, "", "shard.index: 2: want 0 to 1"},
	} {
		got, err := Subnet(netip.MustParsePrefix(row.network), Shard{row.index, row.count}, row.devices)
		if row.refused != "" {
			require.ErrorContains(t, err, row.refused)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, row.want, got.String())
	}
	got, err := Subnet(netip.Prefix{}, Shard{1, 2}, 100)
	require.NoError(t, err)
	require.False(t, got.IsValid())
}

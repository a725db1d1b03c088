package target

import (
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// listOf returns a list of the given devices.
func listOf(devices ...delivery.Device) *DeviceList {
	m := newDeviceListBuilder(0)
	for _, d := range devices {
		if err := addDevice(m, d.ID, d.Address); err != nil {
			panic(err)
		}
	}
	return m.build()
}

func TestDeviceList(t *testing.T) {
	text := func(n int) string { return strings.Repeat("a", n) }
	repeated := func(n int, d delivery.Device) []delivery.Device { return slices.Repeat([]delivery.Device{d}, n) }
	for name, devices := range map[string][]delivery.Device{
		"none":               nil,
		"one":                {{ID: "till-17", Address: "http://till:80"}},
		"no text at all":     make([]delivery.Device, 3),
		"some without an ID": {{Address: "http://a"}, {ID: "b", Address: "http://b"}, {Address: "http://c"}},
		"the longest":        {{ID: text(255), Address: text(2 << 10)}, {ID: text(255), Address: text(2 << 10)}},
		"a full block": append(repeated(2, delivery.Device{Address: text(listBlock / 2)}),
			delivery.Device{ID: "next", Address: "http://d"}),
		"full to the end":      repeated(4, delivery.Device{Address: text(listBlock / 2)}),
		"nothing after a full": append(repeated(2, delivery.Device{Address: text(listBlock / 2)}), delivery.Device{}),
		"a byte to spare": append(repeated(1, delivery.Device{Address: text(listBlock - 1)}),
			delivery.Device{ID: "id", Address: "http://d"}),
		"many blocks": repeated(10_000, delivery.Device{ID: text(15), Address: text(25)}),
	} {
		t.Run(name, func(t *testing.T) {
			list := listOf(devices...)
			require.Equal(t, len(devices), list.Len())
			require.Equal(t, devices, slices.Collect(list.All()))
		})
	}
	for name, d := range map[string]delivery.Device{
		"an ID longer than its length can say": {ID: text(256)},
		"more than a block":                    {Address: text(listBlock + 1)},
	} {
		require.ErrorContains(t, addDevice(newDeviceListBuilder(0), d.ID, d.Address), "device 0: ", name)
	}
}

func TestTheDevicesOfAFleet(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Port, address.Path} {
		const base = "http://127.0.0.1:4000"
		list, err := ListDevices(base, a, netip.Prefix{}, address.Shard{}, 5000)
		require.NoError(t, err)
		require.Equal(t, 5000, list.Len())
		for i, d := range slices.Collect(list.All()) {
			at, err := address.DeviceAddress(base, a, netip.Prefix{}, i)
			require.NoError(t, err)
			require.Equal(t, delivery.Device{ID: address.DeviceID(i), Address: at}, d)
		}
	}
	_, err := ListDevices("127.0.0.1", address.IP, netip.Prefix{}, address.Shard{}, 1)
	require.Error(t, err)
	_, err = ListDevices("http://127.0.0.1:65000", address.Port, netip.Prefix{}, address.Shard{}, 1000)
	require.ErrorContains(t, err, "port 65536")
}

// TestAListIsMadeWithoutGarbage checks that building a list allocates only the list, 5 bytes a
// device besides the text and a part of a block, and that reading a device allocates nothing.
func TestAListIsMadeWithoutGarbage(t *testing.T) {
	const devices = 200_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, err := ListDevices("http://127.0.0.1:40000", address.IP, netip.Prefix{}, address.Shard{}, devices)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	text := 0
	for d := range list.All() {
		text += len(d.ID) + len(d.Address)
	}
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(text+5*devices)*101/100+2*listBlock)

	var sum int
	require.Zero(t, testing.AllocsPerRun(1000, func() { sum += len(list.At(sum % devices).Address) }))
}

package address

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesAreAppended(t *testing.T) {
	for _, row := range []struct {
		base       string
		addressing Mode
		network    netip.Prefix
		device     int
		want       string
	}{
		{"http://127.0.0.1:8080", IP, netip.Prefix{}, 0, "http://127.1.0.0:8080"},
		{"http://127.0.0.1:8080", IP, netip.Prefix{}, 1_000_000, "http://127.16.66.64:8080"}, // 1<<16 + 1,000,000 is 0x104240
		{"https://127.0.0.1:8080", Port, netip.Prefix{}, 7, "https://127.0.0.1:8087"},
		{"http://[::1]:80", Path, netip.Prefix{}, 42, "http://[::1]:80/d/42"},
		{"https://10.64.0.1:8080", IP, netip.MustParsePrefix("10.64.0.0/10"), 1_000_000, "https://10.79.66.65:8080"},
		{"http://10.64.0.1:80", Path, netip.MustParsePrefix("10.64.0.0/30"), 3, "http://10.64.0.1:80/d/3"},
	} {
		all, err := ParseBase(row.base, row.addressing, row.network)
		require.NoError(t, err)
		text, err := all.Append([]byte("at "), row.device)
		require.NoError(t, err)
		require.Equal(t, "at "+row.want, string(text))
		text = text[:0]
		require.Zero(t, testing.AllocsPerRun(100, func() {
			text = AppendDeviceID(text[:0], row.device)
			text, err = all.Append(text, row.device)
		}), "a driver asks a million times")
		require.Equal(t, DeviceID(row.device)+row.want, string(text))

		text, err = all.Append([]byte("kept"), all.capacity())
		require.ErrorContains(t, err, "addressing holds devices 0 to")
		require.Equal(t, "kept", string(text))
	}
	_, err := ParseBase("127.0.0.1:80", IP, netip.Prefix{})
	require.Error(t, err)
}

package mockfleet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesAreAppended(t *testing.T) {
	for _, row := range []struct {
		base       string
		addressing Addressing
		device     int
		want       string
	}{
		{"http://127.0.0.1:8080", AddressIP, 0, "http://127.1.0.0:8080"},
		{"http://127.0.0.1:8080", AddressIP, 1_000_000, "http://127.16.66.64:8080"}, // 1<<16 + 1,000,000 is 0x104240
		{"https://127.0.0.1:8080", AddressPort, 7, "https://127.0.0.1:8087"},
		{"http://[::1]:80", AddressPath, 42, "http://[::1]:80/d/42"},
	} {
		all, err := ParseAddresses(row.base, row.addressing)
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

		text, err = all.Append([]byte("kept"), row.addressing.Capacity())
		require.ErrorContains(t, err, "addressing holds devices 0 to")
		require.Equal(t, "kept", string(text))
	}
	_, err := ParseAddresses("127.0.0.1:80", AddressIP)
	require.Error(t, err)
}

package address

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesAreAppended(t *testing.T) {
	for _, row := range []struct {
		base       string
		addressing Mode
		device     int
		want       string
	}{
		{"http://127.0.0.1:8080", IP, 0, "http://127.1.0.0:8080"},
		{"http://127.0.0.1:8080", IP, 1_000_000, "http://127.16.66.64:8080"}, // 1<<16 + 1,000,000 is 0x104240
		{"https://127.0.0.1:8080", Port, 7, "https://127.0.0.1:8087"},
		{"http://[::1]:80", Path, 42, "http://[::1]:80/d/42"},
	} {
		all, err := ParseBase(row.base, row.addressing)
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
	_, err := ParseBase("127.0.0.1:80", IP)
	require.Error(t, err)
}

package scenarios

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "1": 1, "1024": 1024, "64KiB": 65536, "64 KiB": 65536, "10MB": 10_000_000, "10MiB": 10_485_760,
		"1.5KiB": 1536, "2GB": 2_000_000_000, "1GiB": 1 << 30, "1TiB": 1 << 40, "7B": 7, "1kB": 1000,
	} {
		var b Bytes
		require.NoError(t, b.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, b, text)
	}
	for _, text := range []string{"", "B", "-1", "1e3", "0x10", "1.5B", "1 KiBs", "1Kib", "10 M", "NaN", "Inf",
		"9999999TiB", "1.2.3", "１"} {
		var b Bytes
		require.Error(t, b.UnmarshalText([]byte(text)), text)
	}
	for b, want := range map[Bytes]string{0: "0B", 1: "1B", 1000: "1000B", 1024: "1KiB", 65536: "64KiB", 1 << 20: "1MiB",
		3 << 30: "3GiB", 1025: "1025B"} {
		require.Equal(t, want, b.String())
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{"10/s": 10, "0.5/s": 0.5, "90/m": 1.5, "3600/h": 1, " 2000 / s ": 2000,
		"10000000/s": 1e7} {
		var r Rate
		require.NoError(t, r.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, r, text)
	}
	for _, text := range []string{"", "10", "10 per s", "/s", "-1/s", "10/d", "10000001/s", "1e3/s", "10/s/s"} {
		var r Rate
		require.Error(t, r.UnmarshalText([]byte(text)), text)
	}
	require.Equal(t, "0.5/s", Rate(0.5).String())
}

func TestDuration(t *testing.T) {
	var d Duration
	require.NoError(t, d.UnmarshalText([]byte("1m30s")))
	require.Equal(t, 90*time.Second, d.Std())
	for _, text := range []string{"", "5", "-1s", "5 seconds", "1d"} {
		require.Error(t, d.UnmarshalText([]byte(text)), text)
	}
}

// FuzzQuantities checks that a quantity which was parsed is written in a form that parses to the
// same value.
func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"64KiB", "1.5KiB", "10/s", "0.1/m", "5s", "1h2m3.000000004s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b, b2 Bytes
		if b.UnmarshalText([]byte(s)) == nil {
			require.NoError(t, b2.UnmarshalText([]byte(b.String())))
			require.Equal(t, b, b2)
			require.GreaterOrEqual(t, b, Bytes(0))
		}
		var r, r2 Rate
		if r.UnmarshalText([]byte(s)) == nil {
			require.NoError(t, r2.UnmarshalText([]byte(r.String())))
			require.Equal(t, r, r2)
		}
		var d, d2 Duration
		if d.UnmarshalText([]byte(s)) == nil {
			require.NoError(t, d2.UnmarshalText([]byte(d.String())))
			require.Equal(t, d, d2)
		}
	})
}

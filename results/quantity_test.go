package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuantity_ParseLimit(t *testing.T) {
	for _, c := range []struct {
		quantity Quantity
		text     string
		want     float64
		problem  string
	}{
		{Duration, "20ms", 20e6, ""}, {Duration, "1m30s", 90e9, ""}, {Duration, "20000000", 20e6, ""},
		{Duration, "-3ms", 0, `"-3ms": want a duration such as 20ms, or nanoseconds`},
		{Duration, "NaN", 0, "want a duration"}, {Duration, "0x10", 0, "want a duration"},
		{Bytes, "64KiB", 65536, ""}, {Bytes, "10 MB", 10e6, ""}, {Bytes, "1.5kB", 1500, ""}, {Bytes, "1e3", 1000, ""},
		{Bytes, "2TB", 2e12, ""},
		{Bytes, "0.3B", 0, `"0.3B": want an amount of data such as 64KiB, 10MB or 1024`},
		{Bytes, "1025TiB", 0, "want an amount"}, {Bytes, "-1KiB", 0, "want an amount"},
		{Rate, "90/m", 1.5, ""}, {Rate, "2 / min", 2.0 / 60, ""}, {Rate, "36/h", 0.01, ""}, {Rate, "100", 100, ""},
		{Rate, "10000001/s", 0, `"10000001/s": want a rate such as 10/s, 90/m or 0.5/s, 10000000/s at most`},
		{Rate, "1/d", 0, "want a rate"}, {Rate, "1/", 0, "want a rate"}, {Rate, "many", 0, "want a rate"},
		{Share, "1%", 0.01, ""}, {Ratio, "2.5 %", 0.025, ""}, {Ratio, "2", 2, ""},
		{Share, "-1%", 0, `"-1%": want a number, or a percentage such as 1%`}, {Share, "1ms", 0, "want a number, or"},
		{Number, "1", 1, ""}, {Objects, "40", 40, ""}, {BytesPerSecond, "1.5e3", 1500, ""},
		{Objects, "1%", 0, `"1%": want a number`}, {BytesPerSecond, "1MB", 0, "want a number"},
		{Number, "", 0, "want a number"},
	} {
		got, err := c.quantity.ParseLimit(c.text)
		if c.problem != "" {
			require.ErrorContains(t, err, c.problem)
			continue
		}
		require.NoError(t, err, c.text)
		require.InDelta(t, c.want, got, 1e-12*c.want, c.text)
	}
}

// TestUnits_limits checks that each metric accepts limits in the units that users know it by.
func TestUnits_limits(t *testing.T) {
	texts := []string{"20ms", "64KiB", "90/m", "1%"}
	want := map[string]string{
		"B/op": "64KiB", "wire-B/device": "64KiB", "peak-rss-B": "64KiB", "ops/s": "90/m", "limit-ops/s": "90/m",
		"MB/s": "", "allocs/op": "", "stopped": "", "devices-at-once": "",
		"requests/device": "1%", "retries/device": "1%", "failed/device": "1%", "failed/fleet": "1%", "updated/fleet": "1%",
		"reached/fleet": "1%",
	}
	for _, u := range Units() {
		taken := ""
		for _, text := range texts {
			if _, err := u.Quantity.ParseLimit(text); err == nil {
				taken += text
			}
		}
		expected, listed := want[u.Name]
		if !listed {
			expected = "20ms"
		}
		require.Equal(t, expected, taken, u.Name)
	}
}

func TestUnit_Binary(t *testing.T) {
	for name, want := range map[string]bool{
		"B/op": true, "peak-rss-B": true, "wire-B/device": false, "MB/s": false, "ns/op": false, "heap-B/op": true,
		"Boxes/op": false,
	} {
		u, _ := LookupUnit(name)
		u.Name = name
		require.Equal(t, want, u.Binary(), name)
	}
}

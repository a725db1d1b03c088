package random

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseInt(t *testing.T) {
	for text, want := range map[string]string{
		"": "0", "0": "0", "4096": "4096", " 4096 ": "4096", "4096B": "4096", "4096 B/s": "4096",
		"20kB/s": "20000", "1.5MB": "1500000", "64KiB": "65536", "0.5KiB/s": "512", "1GiB": "1073741824",
		"2GB/s":                          "2000000000",
		"uniform(10kB/s, 1MiB/s)":        "uniform(10000, 1048576)",
		"lognormal(p50=1kB, p99=50kB/s)": "lognormal(p50=1000, p99=50000)",
		"3600000000000":                  "3600000000000",
		"20kb":                           "", "20KB/s": "", "20kB/m": "", "kB": "", "-1": "", "-1kB": "", "1e3": "",
		"1e3kB": "", "0x10kB": "", "1.0001kB": "", "4000GB": "", "1.5B": "",
	} {
		a, err := ParseInt(text)
		if want == "" {
			require.ErrorContains(t, err, "want a whole number such as 4096, 64KiB or 20kB/s", text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, a.String(), text)
		back, err := ParseInt(a.String())
		require.NoError(t, err)
		require.Equal(t, a, back, text)
	}
	var a Int
	require.NoError(t, json.Unmarshal([]byte(`"20kB/s"`), &a))
	require.Equal(t, int64(20_000), a.Sample(0.5))
}

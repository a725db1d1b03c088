package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormatValue(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{13200, "ns/op", "13.2µs"}, {1, "ns/op", "1.00ns"}, {0.5, "ns/op", "0.5000ns"}, {1.5e9, "p99-ns/op", "1.50s"},
		{999.96, "ns/op", "1.00µs"}, {0, "ns/op", "0s"},
		{65536, "B/op", "64.0KiB"}, {24, "B/op", "24.0B"}, {0, "B/op", "0B"}, {300 << 20, "peak-rss-B", "300MiB"},
		{4100, "ops/s", "4.10k/s"}, {1, "MB/s", "1MB/s"}, {1048.576, "MB/s", "1049MB/s"}, {17.84, "MB/s", "17.8MB/s"},
		{5e6, "B/s", "5MB/s"}, {0, "MB/s", "0MB/s"},
		{1, "allocs/op", "1"}, {1.25, "allocs/op", "1.25"}, {29.33924, "allocs/op", "29.34"},
		{0.02797, "allocs/op", "0.028"}, {0, "allocs/op", "0"}, {2, "requests/device", "2"},
		{0.0002, "failed/device", "0.02%"},
		{65913.5, "wire-B/device", "65913.5B"}, {2.0 / 3, "retries/device", "0.6666666667"}, {-13200, "ns/op", "-13.2µs"},
		{5, "widgets", "5.00"},
	} {
		require.Equal(t, c.want, FormatValue(c.value, c.unit), "%v %s", c.value, c.unit)
	}
}

func TestQuantity_Format(t *testing.T) {
	for want, got := range map[string]string{
		"13.2µs": Duration.Format(13200), "300MiB": Bytes.Format(300 << 20), "17.8MB/s": BytesPerSecond.Format(17.84),
		"4.10k/s": Rate.Format(4100), "3.00/min": Rate.Format(0.05), "8.66667%": Share.Format(0.0866666666),
		"29.34": Objects.Format(29.33924),
	} {
		require.Equal(t, want, got)
	}
}

func TestFormatValue_deviceCounts(t *testing.T) {
	require.Equal(t, "4999", FormatValue(4999, "updated"))
	require.Equal(t, "1000000", FormatValue(1e6, "failed"))
}

package exchange

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitOf returns the wait that the values of Retry-After, a line each, ask for.
func waitOf(values, date string, now time.Time) time.Duration {
	r := Response{RetryAfter: []byte(values), Date: []byte(date)}
	return r.RetryWait(now)
}

func TestRetryAfter(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	now := time.Date(1994, time.November, 6, 8, 49, 47, 0, time.UTC)
	for _, row := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", date, 0},
		{"0", date, 0},
		{"120", "", 2 * time.Minute},
		{"-1", date, 0},
		{"1.5", date, 0},
		{"soon", date, 0},
		{"99999999", date, MaxRetryAfter},
		{"9223372037", date, MaxRetryAfter}, // more nanoseconds than a time.Duration has
		{"99999999999999999999", date, MaxRetryAfter},
		{strings.Repeat("9", 1000), "", MaxRetryAfter},
		{"1\n120\n60", "", 2 * time.Minute}, // the longest of several
		{"5, 120", "", 2 * time.Minute},     // as a proxy may have joined them
		{"120\nsoon", "", 2 * time.Minute},
		{"20\nSun, 06 Nov 1994 08:50:07 GMT", date, 30 * time.Second},
		{"Sun, 06 Nov 1994 08:50:07 GMT", date, 30 * time.Second},
		{"Sunday, 06-Nov-94 08:50:07 GMT", date, 30 * time.Second}, // the two obsolete forms, RFC 9110 §5.6.7
		{"Sun Nov  6 08:50:07 1994", date, 30 * time.Second},
		{"Sun, 06 Nov 1994 08:49:00 GMT", date, 0},
		{"Sun, 06 Nov 1999 08:49:37 GMT", date, MaxRetryAfter},
		{"Sun, 06 Nov 1994 08:50:07 GMT", "", 20 * time.Second}, // without the device's date, by our clock
		{"Sun, 06 Nov 1994 08:50:07 GMT", "yesterday", 20 * time.Second},
	} {
		require.Equal(t, row.want, waitOf(row.value, row.date, now), "%q at %q", row.value, row.date)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		if d := waitOf(value, date, time.Unix(784111777, 0)); d < 0 || d > MaxRetryAfter {
			t.Fatalf("%q at %q: %v is out of bounds", value, date, d)
		}
	})
}

package exchange

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBlindResponse checks that, where nobody can tell what the device's system took, a response
// has as long as the slowest good device may take for what a system may hold, and then its own
// time.
func TestBlindResponse(t *testing.T) {
	for name, row := range map[string]struct {
		size    int64
		least   MinThroughput
		want    time.Duration
		bounded bool
	}{
		"256 KiB at 1 KiB/s": {256 << 10, MinThroughput{BytesPerSecond: 1 << 10}, 256*time.Second + 10*time.Second,
			true},
		"64 MiB: 4 of them": {64 << 20, MinThroughput{BytesPerSecond: 64 << 10}, 64*time.Second + 10*time.Second,
			true},
		"nothing is too slow":      {1 << 20, MinThroughput{BytesPerSecond: -1}, 0, false},
		"a terabyte at a byte a s": {1 << 40, MinThroughput{BytesPerSecond: 1}, 4<<20*time.Second + 10*time.Second, true},
	} {
		limits := Limits{Response: 10 * time.Second, MinThroughput: row.least}
		got, bounded := limits.BlindResponse(row.size)
		require.Equal(t, row.want, got, name)
		require.Equal(t, row.bounded, bounded, name)
	}
}

func TestResponseAfter(t *testing.T) {
	limits := Limits{Response: 10 * time.Second}
	require.Equal(t, 10*time.Second, limits.ResponseAfter(64<<20, 0))
	require.Equal(t, 40*time.Second, limits.ResponseAfter(256<<10, 30*time.Second))
	require.Equal(t, 40*time.Second, limits.ResponseAfter(1<<20, 30*time.Second))
	require.Equal(t, 10*time.Second+30*time.Second/8, limits.ResponseAfter(8<<20, 30*time.Second))
}

// TestRequestTime checks that by default it leaves an upload that makes progress alone.
func TestRequestTime(t *testing.T) {
	body := func(size int64) *Body { return &Body{Size: size} }
	least := Limits{MinThroughput: MinThroughput{BytesPerSecond: 1024, Window: 30 * time.Second}}
	require.Equal(t, 5*time.Minute, least.RequestTime(nil))
	// 64 MiB at 1 KiB/s are 65,536 s; at 100 KB/s it takes 671 s.
	require.Equal(t, 5*time.Minute+30*time.Second+65_536*time.Second, least.RequestTime(body(64<<20)))
	require.Positive(t, least.RequestTime(body(1<<62)), "no overflow")
	none := Limits{MinThroughput: MinThroughput{BytesPerSecond: -1, Window: 30 * time.Second}}
	require.Equal(t, 5*time.Minute, none.RequestTime(body(64<<20)))
	set := Limits{Request: time.Second, MinThroughput: least.MinThroughput}
	require.Equal(t, time.Second, set.RequestTime(body(64<<20)))
}

package exchange

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestThroughputMonitor has a least throughput of 100 bytes a second over 10 s, so each window must
// bring 1,000 bytes.
func TestThroughputMonitor(t *testing.T) {
	type look struct {
		at    int // seconds since the upload began
		taken int64
		slow  bool
	}
	for name, looks := range map[string][]look{
		"stops at once":             {{3, 0, false}, {9, 0, false}, {10, 0, true}},
		"just enough":               {{10, 1000, false}, {20, 2000, false}, {30, 3000, false}},
		"one byte short":            {{5, 999, false}, {10, 999, true}},
		"a lump, then a pause":      {{9, 50_000, false}, {18, 50_000, false}, {19, 50_000, true}},
		"lumps a window apart":      {{9, 50_000, false}, {18, 100_000, false}, {27, 150_000, false}},
		"never looked at, and done": {{60, 6000, false}},
		"goes back": {{5, 2000, false}, {14, 1500, false},
			{15, 1500, true}}, // a system may report too little
	} {
		t.Run(name, func(t *testing.T) {
			var m ThroughputMonitor
			start := time.Unix(1_000_000, 0)
			m.Begin(start, 0, MinThroughput{BytesPerSecond: 100, Window: 10 * time.Second})
			for _, l := range looks {
				require.Equal(t, l.slow, m.IsTooSlow(start.Add(time.Duration(l.at)*time.Second), l.taken), "%+v", l)
			}
		})
	}
	var m ThroughputMonitor
	m.Begin(time.Unix(0, 0), 0, MinThroughput{BytesPerSecond: -1, Window: time.Second})
	require.False(t, m.IsTooSlow(time.Unix(1e9, 0), 0), "none")
	require.EqualValues(t, 1, MinThroughput{BytesPerSecond: 1, Window: time.Millisecond}.minBytes(), "a byte at least")
}

package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTrend: response times that grow by a tenth of the time that passes, and ones that
// don't grow, worked out by hand.
func TestTrend(t *testing.T) {
	grows, stays := NewTrend(8*time.Second), NewTrend(8*time.Second)
	for at := time.Duration(0); at < 8*time.Second; at += time.Second {
		grows.Operation(at, time.Second+at/10, true)
		grows.Operation(at, time.Hour, false)                        // a failure is no response
		stays.Operation(at, time.Second+at%(2*time.Second)/10, true) // 1 s and 1.1 s in turn
	}
	// Second quarter: 1.2 s and 1.3 s; last: 1.6 s and 1.7 s; their middles are 4 s apart. Each has a variance of
	// 0.005, so an error of the mean of 0.05.
	growth, uncertain, ok := grows.Growth()
	require.True(t, ok)
	require.InDelta(t, 0.1, growth, 1e-9)
	require.InDelta(t, 0.0707/4, uncertain, 1e-4)
	growth, _, ok = stays.Growth()
	require.True(t, ok)
	require.InDelta(t, 0, growth, 1e-9)
	_, _, ok = NewTrend(time.Second).Growth()
	require.False(t, ok)
	grows.Merge(stays)
	require.EqualValues(t, 4, grows.quarters[0].n)
	growth, _, _ = grows.Growth()
	require.InDelta(t, 0.05, growth, 1e-9)
}

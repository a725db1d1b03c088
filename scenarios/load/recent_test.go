package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

func TestRecentLatenciesAreWithinASixteenth(t *testing.T) {
	for d := time.Duration(8); d < 100*time.Second; d = d*5/4 + 1 {
		require.InEpsilon(t, float64(d), float64(midpoint(recentBucket(d))), 1.0/15, "%v", d)
	}
	require.Equal(t, recentBuckets-1, recentBucket(24*time.Hour))
	require.Zero(t, recentBucket(0))
	require.Zero(t, recentBucket(-5))
}

func TestLatencyWindowIsOfTheLastSamples(t *testing.T) {
	record := NewRecording(RecordingConfig{Op: delivery.OpPush, Workers: 1})
	r := record.recorder(0)
	var w LatencyWindow
	p50, p99 := w.Sample(record)
	require.Zero(t, p50+p99, "nothing came")
	for range 98 {
		succeed(r, 0, 0, time.Millisecond, delivery.Report{})
	}
	succeed(r, 0, 0, time.Second, delivery.Report{})
	succeed(r, 0, 0, time.Second, delivery.Report{})
	p50, p99 = w.Sample(record)
	require.InEpsilon(t, float64(time.Millisecond), float64(p50), 0.07)
	require.InEpsilon(t, float64(time.Second), float64(p99), 0.07)
	for range windowSamples - 1 { // still in the window
		p50, _ = w.Sample(record)
		require.NotZero(t, p50)
	}
	p50, p99 = w.Sample(record)
	require.Zero(t, p50+p99)
}

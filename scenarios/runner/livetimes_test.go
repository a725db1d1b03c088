package runner

import (
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/stretchr/testify/require"
)

func TestLiveTimesAreWithinASixteenth(t *testing.T) {
	for d := time.Duration(8); d < 100*time.Second; d = d*5/4 + 1 {
		require.InEpsilon(t, float64(d), float64(middle(liveBucket(d))), 1.0/15, "%v", d)
	}
	require.Equal(t, liveBuckets-1, liveBucket(24*time.Hour))
	require.Zero(t, liveBucket(0))
	require.Zero(t, liveBucket(-5))
}

func TestLiveViewIsOfTheLastLooks(t *testing.T) {
	r := newRecorder(scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 1}, leastLongest)
	var v liveView
	p50, p99 := v.look([]*recorder{r})
	require.Zero(t, p50+p99, "nothing came")
	for range 98 {
		r.record(scenarios.Push, time.Millisecond, time.Millisecond)
	}
	r.record(scenarios.Push, time.Second, time.Second)
	r.record(scenarios.Push, time.Second, time.Second)
	p50, p99 = v.look([]*recorder{r})
	require.InEpsilon(t, float64(time.Millisecond), float64(p50), 0.07)
	require.InEpsilon(t, float64(time.Second), float64(p99), 0.07)
	for range liveWindow - 1 { // still in the window
		p50, _ = v.look([]*recorder{r})
		require.NotZero(t, p50)
	}
	p50, p99 = v.look([]*recorder{r})
	require.Zero(t, p50+p99)
}

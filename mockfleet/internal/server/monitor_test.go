package server

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAMonitorCountsSinceTheReset checks that a monitor counts from the last reset on, and that a
// late wake also counts for the wakes that it delayed.
func TestAMonitorCountsSinceTheReset(t *testing.T) {
	m := newMonitor()
	for range 180 {
		m.timerLate(time.Millisecond)
	}
	m.timerLate(time.Second) // counts as 49 more wakes, 980 ms late, 960 ms, …
	m.queueLength(100, 128)
	m.queueLength(1, 128)
	m.responseLate(time.Millisecond)
	m.responseLate(time.Second)
	h := m.observed(9, 7, 5)
	require.InDelta(t, 0.54, h.WakeP90.Seconds(), 0.02) // 23 of 230 are beyond the 90th percentile: 1 s down to 560 ms
	require.InDelta(t, 1, h.WakeMax.Seconds(), 0.01)
	require.Equal(t, []int{1, 100, 128}, []int{h.AcceptQueue, h.AcceptQueuePeak, h.AcceptQueueLimit})
	require.Equal(t, []uint64{2, 1, 9}, []uint64{h.Delayed, h.Late, h.AcceptOverflows})
	require.Equal(t, time.Second, h.LateMax)
	require.EqualValues(t, 230, h.Wakes)
	require.Equal(t, []uint64{7, 5}, []uint64{h.AcceptErrors, h.NoRoom})

	m.reset(9, 7, 5)
	require.Equal(t, Observed{AcceptQueue: 1, AcceptQueueLimit: 128, AcceptOverflows: 2}, m.observed(11, 7, 5))
}

func TestCPUShareIsOfTheLastTicks(t *testing.T) {
	m, begun := newMonitor(), time.Now()
	require.Zero(t, m.cpuShare())
	for n, used := range []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 4.5} {
		m.cpuUsed(begun.Add(time.Duration(n)*time.Second), used)
	}
	// From the third tick to the seventh: 4.3 s of processor time in 4 s.
	require.InDelta(t, 4.3/4, m.cpuShare()*float64(runtime.NumCPU()), 1e-9)
}

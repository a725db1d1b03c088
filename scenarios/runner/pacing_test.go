package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// TestPacingOf: of four operations two were queued, and the last of these was sent 900 ms after its
// time; two waited for a timer, 1 ms and 60 ms late.
func TestPacingOf(t *testing.T) {
	const ms = time.Millisecond
	p := load.NewLateness(minLongest)
	p.Add(10*ms, 11*ms, false)
	p.Add(20*ms, 80*ms, false)
	p.Add(100*ms, 600*ms, true)
	p.Add(150*ms, 1050*ms, true)
	m := &measured{lateness: p, Result: load.Result{
		InFlightPeak: 4, Workers: 4, MeanBusy: 20 * ms, Operations: results.Operations{Planned: 20, NotSent: 16, PlanNS: 1e9},
	}}
	got := m.pacingOf(scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 20})
	near := func(want time.Duration, got *time.Duration) { // what a histogram rounds
		require.InEpsilon(t, want, *got, 0.001)
		*got = want
	}
	near(900*ms, &got.LatenessP99)
	near(60*ms, &got.TimerP90)
	near(60*ms, &got.TimerP99)
	require.Equal(t, &health.Pacing{
		Planned: 20, NotSent: 16, PlanLength: time.Second, Queued: 2, Timer: 2,
		LatenessP99: 900 * ms, TimerP90: 60 * ms, TimerP99: 60 * ms, LastPlanned: 150 * ms, Lag: 900 * ms, FellBehind: true,
		BusyPeak: 4, MaxWorkers: 4, AutoWorkers: true, Took: 20 * ms, PeakRate: 20,
	}, got)
	require.False(t, m.pacingOf(scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 20, Workers: 4}).AutoWorkers)
	require.Nil(t, (&measured{}).pacingOf(scenarios.LoadSpec{Model: scenarios.ClosedLoop}))
}

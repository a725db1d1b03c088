package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// TestHeapFiguresGoInSteps checks that what a repetition allocates once rounds to nothing on slow
// and fast machines alike, and that what each operation allocates stays.
func TestHeapFiguresGoInSteps(t *testing.T) {
	for _, row := range []struct {
		ops                    int64
		bytes, objects         uint64
		perOpBytes, perOpCount float64
	}{
		{2_000, 5_000, 40, 0, 0},
		{200_000, 5_000, 40, 0, 0},
		{2_000, 2_000*48 + 5_000, 2_000 + 40, 48, 1},
		{200_000, 200_000*48 + 5_000, 200_000 + 40, 48, 1},
		{5_000, 13_562_272, 146_696, 2712, 29.35}, // 2,712.45 and 29.3392
	} {
		spec := scenarios.Spec{Name: "x", Load: scenarios.LoadSpec{Model: scenarios.ClosedLoop, Operation: delivery.OpPush,
			Workers: 1}}
		pushes := load.NewLatencies(false, minLongest)
		for range row.ops {
			pushes.Add(time.Millisecond, time.Millisecond)
		}
		m := &measured{Result: load.Result{Elapsed: time.Second}, Totals: load.Totals{Succeeded: row.ops},
			usage: usage{bytes: row.bytes, objects: row.objects}}
		m.latencies = map[delivery.Op]*load.Latencies{delivery.OpPush: pushes}
		list := m.records(spec, 1)
		require.Len(t, list, 1)
		bytes, _ := list[0].Value("B/op")
		objects, _ := list[0].Value("allocs/op")
		require.Equal(t, []float64{row.perOpBytes, row.perOpCount}, []float64{bytes, objects}, "%+v", row)
	}
}

// TestPacingOf checks four operations: two were queued, the last of which was sent 900 ms late; two
// waited for a timer, and were 1 ms and 60 ms late.
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
	near := func(want time.Duration, got *time.Duration) { // equal, but for the rounding of a histogram
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

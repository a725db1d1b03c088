package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/scenarios"
)

// TestWorkersFor checks numbers worked out by hand: L = λW, plus twice its square root.
func TestWorkersFor(t *testing.T) {
	require.Equal(t, 120, workersFor(1000, 100*time.Millisecond)) // 100 + 2·10
	require.Equal(t, 1, workersFor(0, time.Second))
	require.Equal(t, 3, workersFor(1, time.Second))
	require.Equal(t, maxWorkers, workersFor(1e7, time.Hour))
	require.EqualValues(t, scenarios.MaxWorkers, maxWorkers)
}

// TestLimitElsewhere checks a rate that didn't hold, after one that held with operations of 20 ms.
func TestLimitElsewhere(t *testing.T) {
	busy := func(workers int, took time.Duration) *Pacing {
		return &Pacing{Queued: 400, Timer: 100, BusyPeak: workers, MaxWorkers: 32, Took: took}
	}
	for name, row := range map[string]struct {
		p        *Pacing
		findings []Finding
		says     string
	}{
		// 10,000 operations a second that take 20 ms are 200 at a time; twice the square root of that is 28.3.
		"all workers busy, operations as quick as ever": {busy(32, 20*time.Millisecond), nil,
			"at 1,600/s all 32 workers were busy, and an operation took 20ms, hardly longer than before; 10,000/s (load.breakpoint.to) wants about 229 workers: set load.workers to that, or leave it out"},
		"operations slowed down": {busy(32, 40*time.Millisecond), nil, ""},
		"workers to spare":       {busy(31, 20*time.Millisecond), nil, ""},
		"workers to spare, and operations not sent": {busy(31,
			20*time.Millisecond).with(func(p *Pacing) { p.NotSent = 40 }), nil,
			"at 1,600/s at most 31 of 32 workers were busy at once: the driver was too slow, or its machine"},
		"workers by themselves": {busy(32,
			20*time.Millisecond).with(func(p *Pacing) { p.AutoWorkers = true }), nil,
			"at 1,600/s all 32 workers were busy, and an operation took 20ms, hardly longer than before; 10,000/s (load.breakpoint.to) wants about 229 workers: set load.workers to that, for no more are started by themselves, or begin lower (load.rate)"},
		"nothing was queued": {busy(32, 20*time.Millisecond).with(func(p *Pacing) { p.Queued = 0 }), nil,
			""},
		"a closed load": {nil, nil, ""},
		"the fleet's process": {busy(31, 90*time.Millisecond),
			[]Finding{{BehindSchedule, "x"}, {FleetSaturated, "y"}, {BehindSchedule, "z"}}, "the fleet was the bottleneck: y"},
		"fleet and harness": {busy(31, 90*time.Millisecond),
			[]Finding{{FleetSaturated, "y"}, {HarnessSaturated, "z"}}, "the harness was the bottleneck: z"},
		"behind, which is what a search is for": {busy(31, 90*time.Millisecond), []Finding{{BehindSchedule, "x"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			trial := Trial{Rate: 1600, To: 10_000, Findings: row.findings, Pacing: row.p, Quickest: 20 * time.Millisecond}
			require.Equal(t, row.says, trial.LimitElsewhere())
		})
	}
	// No rate held before, so this rate's own time counts: 10,000 a second that take 40 ms are 400, plus 40.
	require.Contains(t, Trial{Rate: 1600, To: 10_000, Pacing: busy(32, 40*time.Millisecond)}.LimitElsewhere(),
		"wants about 440 workers")
}

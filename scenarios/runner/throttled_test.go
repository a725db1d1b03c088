package runner

import (
	"fmt"
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
	"github.com/stretchr/testify/require"
)

// overloaded returns a scenario that plans twice as many updates as its fleet can answer or, if
// throttled is false, as many as it can.
func overloaded(throttled bool) scenarios.Spec {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load = scenarios.LoadSpec{Model: scenarios.ConstantRate, Operation: delivery.OpPush, Workers: 16, Rate: 400,
		Duration: scenarios.Duration(time.Second)}
	if throttled {
		s.Fleet.Capacity = 200
	}
	return s
}

// TestAThrottledFleetMakesTheRunInvalid checks that such a run is invalid, and says how far behind
// its plan it was. BenchmarkThrottled repeats this twenty times.
func TestAThrottledFleetMakesTheRunInvalid(t *testing.T) {
	res, err := Run(t.Context(), options(t, overloaded(true)))
	require.NoError(t, err)
	require.Equal(t, results.Invalid, res.Run.Verdict)
	require.Regexp(t, `^behind schedule: .*\d+(\.\d+)?m?s after its time`, res.Run.Invalid[0])
}

// BenchmarkThrottled counts how many of twenty runs are invalid, for a fleet that can answer half
// of what is planned, and for a fleet that can answer all of it.
func BenchmarkThrottled(b *testing.B) {
	machine, err := results.ThisMachine(b.Context())
	require.NoError(b, err)
	for _, throttled := range []bool{true, false} {
		b.Run(fmt.Sprintf("throttled=%t", throttled), func(b *testing.B) {
			for b.Loop() {
				invalid := 0
				for range 20 {
					res, err := Run(b.Context(), Options{Machine: machine, Spec: overloaded(throttled),
						Target: target.Options{Address: target.InProcess}, Out: b.TempDir()})
					require.NoError(b, err)
					if !res.Run.Valid {
						invalid++
					}
				}
				b.ReportMetric(float64(invalid), "invalid-of-20")
			}
		})
	}
}

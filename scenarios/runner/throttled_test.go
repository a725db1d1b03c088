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

// overloaded is a run that plans twice as many updates as its fleet takes, or, where that has no
// limit, as many.
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

// TestAThrottledFleetMakesTheRunInvalid, which says how far behind it fell. BenchmarkThrottled does it twenty times each.
func TestAThrottledFleetMakesTheRunInvalid(t *testing.T) {
	res, err := Run(t.Context(), options(t, overloaded(true)))
	require.NoError(t, err)
	require.Equal(t, results.Invalid, res.Run.Verdict)
	require.Regexp(t, `^behind schedule: .*\d+(\.\d+)?m?s after its time`, res.Run.Invalid[0])
}

// BenchmarkThrottled counts how many of twenty runs are invalid, of those whose fleet takes half of what is
// planned, and of those whose fleet takes all.
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

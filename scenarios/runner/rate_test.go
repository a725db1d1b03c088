package runner

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// witnessClient notes when each operation reached it, and does nothing.
type witnessClient struct {
	nothing
	mu    sync.Mutex
	began time.Time
	sent  []time.Duration
}

func (w *witnessClient) Push(context.Context, delivery.Device, *delivery.Update) error {
	at := time.Since(w.began)
	w.mu.Lock()
	w.sent = append(w.sent, at)
	w.mu.Unlock()
	return nil
}

// rates are the ones that loads are held to, for 10 s each.
func rates() []scenarios.LoadSpec {
	var list []scenarios.LoadSpec
	for _, model := range []scenarios.Model{scenarios.Constant, scenarios.Poisson} {
		for _, rate := range []scenarios.Rate{100, 1000, 10_000} {
			list = append(list, scenarios.LoadSpec{Model: model, Operation: scenarios.Push, Workers: 64, Rate: rate, Duration: scenarios.Duration(10 * time.Second)})
		}
	}
	return list
}

// sentBy runs a load against a client that notes when, and gives its sorted times.
func sentBy(ctx context.Context, l scenarios.LoadSpec) []time.Duration {
	w := &witnessClient{sent: make([]time.Duration, 0, int(1.1*float64(l.Rate)*l.Duration.Std().Seconds()))}
	load := newLoad(l, 1, w)
	load.standing = func() { w.began = time.Now() }
	load.run(ctx)
	slices.Sort(w.sent)
	return w.sent
}

// TestRatesAreKept: by a clock that doesn't fail, as many operations are sent as planned,
// and the gaps between them are all the same, or exponential (Kolmogorov and Smirnov, at 1%).
func TestRatesAreKept(t *testing.T) {
	for _, l := range rates() {
		t.Run(fmt.Sprintf("%s/%s", l.Model, l.Rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := sentBy(t.Context(), l)
				planned := float64(l.Rate) * 10
				if l.Model == scenarios.Constant {
					require.Len(t, sent, int(planned))
					for n, at := range sent {
						require.InDelta(t, float64(n)/float64(l.Rate)*1e9, float64(at), 1)
					}
					return
				}
				// Of a Poisson count, 99% are within 2.58 of its roots.
				require.InDelta(t, planned, float64(len(sent)), 2.58*math.Sqrt(planned))
				require.Less(t, kolmogorov(gapsOf(sent), func(x float64) float64 { return 1 - math.Exp(-float64(l.Rate)*x) }), 1.63/math.Sqrt(float64(len(sent))))
			})
		})
	}
}

// gapsOf are the distances between moments, in seconds.
func gapsOf(sent []time.Duration) []float64 {
	gaps := make([]float64, 0, len(sent))
	for n := 1; n < len(sent); n++ {
		gaps = append(gaps, (sent[n] - sent[n-1]).Seconds())
	}
	return gaps
}

// BenchmarkRates tells how this machine's clock and scheduler keep the rates: the rate that was
// achieved against the planned one, how late operations were, and how far their gaps' distribution
// is from the intended one (0 is the same, 1 another altogether).
func BenchmarkRates(b *testing.B) {
	for _, l := range rates() {
		b.Run(fmt.Sprintf("model=%s/rate=%d", l.Model, int(l.Rate)), func(b *testing.B) {
			for b.Loop() {
				w := &witnessClient{}
				load := newLoad(l, 1, w)
				load.exact = true
				load.standing = func() { w.began = time.Now() }
				load.run(b.Context())
				slices.Sort(w.sent)
				planned := load.schedule.planned(10 * time.Second)
				if l.Model == scenarios.Poisson { // what was drawn, not its mean
					planned = load.schedule.(*poisson).n - 1
				}
				achieved := float64(len(w.sent)) / float64(planned)
				_, plan := merged(load.recorders, l)
				b.ReportMetric(100*(achieved-1), "%-off")
				b.ReportMetric(float64(plan.late().ValueAtQuantile(50))/1e3, "late-p50-µs")
				b.ReportMetric(float64(plan.late().ValueAtQuantile(99))/1e3, "late-p99-µs")
				if l.Model == scenarios.Poisson {
					b.ReportMetric(kolmogorov(gapsOf(w.sent), func(x float64) float64 { return 1 - math.Exp(-float64(l.Rate)*x) }), "distance")
				}
			}
		})
	}
}

// overloaded is a run that plans twice as many updates as its fleet takes, or, where that has no
// limit, as many.
func overloaded(throttled bool) scenarios.Spec {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load = scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Workers: 16, Rate: 400, Duration: scenarios.Duration(time.Second)}
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
					res, err := Run(b.Context(), Options{Machine: machine, Spec: overloaded(throttled), Target: target.Options{Address: target.InProcess}, Out: b.TempDir()})
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

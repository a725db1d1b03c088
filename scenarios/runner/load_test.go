package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// standIn is a client that takes as long as it is told, in the time of a synctest
// bubble.
type standIn struct {
	takes func(n int64) time.Duration
	fails func(n int64) bool
	n     atomic.Int64
	busy  atomic.Int64
	most  atomic.Int64
}

func (s *standIn) Push(ctx context.Context, _ delivery.Device, _ *delivery.Update) error {
	n := s.n.Add(1) - 1
	busy := s.busy.Add(1)
	defer s.busy.Add(-1)
	for most := s.most.Load(); busy > most && !s.most.CompareAndSwap(most, busy); most = s.most.Load() {
	}
	if s.takes != nil {
		timer := time.NewTimer(s.takes(n))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.fails != nil && s.fails(n) {
		return errors.New("no")
	}
	return nil
}

func (s *standIn) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	return s.Push(ctx, d, u)
}

func (s *standIn) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	return delivery.Report{Pushes: 3, Verifies: 2, Push: 2 * time.Millisecond, Verify: time.Millisecond}, s.Push(ctx, d, u)
}

func newLoad(spec scenarios.LoadSpec, devices int, c client) *load {
	l := &load{
		spec: spec, client: c, devices: listOf(devices), claims: newClaims(devices),
		failures: newFailures(leastLongest), schedule: scheduleOf(spec, 1), recorders: newRecorders(spec, leastLongest),
	}
	return l
}

func TestClosedLoadVisitsEveryDeviceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(int64) time.Duration { return 10 * time.Millisecond }}
		l := newLoad(scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 4}, 100, c)
		require.EqualValues(t, 100, l.planned())
		// 100 operations of 10 ms by 4 workers: 25 rounds.
		require.Equal(t, 250*time.Millisecond, l.run(t.Context()))
		require.EqualValues(t, 4, c.most.Load())
		for i := range 100 {
			require.Equal(t, outcome{1, 0}, l.claims.of(i), "device %d", i)
		}
		ops, _ := merged(l.recorders, l.spec)
		require.EqualValues(t, 100, ops[scenarios.Push].n)
		require.Equal(t, 10e6, ops[scenarios.Push].mean())
	})
}

func TestClosedLoadLastsItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(int64) time.Duration { return 10 * time.Millisecond }}
		l := newLoad(scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 2, Duration: scenarios.Duration(time.Second)}, 3, c)
		require.Equal(t, time.Second, l.run(t.Context()))
		done, failed, _ := l.totals()
		require.EqualValues(t, []int64{200, 0}, []int64{done, failed})
		require.Equal(t, outcome{67, 0}, l.claims.of(0), "200 over 3 devices, in turn")
	})
}

// TestCoordinatedOmission is the reason for planned times. 1,000 operations a
// second are planned for 10 s, a millisecond apart; each takes no time, but the
// device stalls once, for 1 s, from operation 5,000 on. There is one worker, so
// operations 5,000 to 5,999 wait: operation 5,000 takes 1,000 ms, the next 999, and
// so on, 1 ms for operation 5,999. So of 10,000 response times 9,000 are 0 and the
// others 1, 2, …, 1,000 ms. By rank: p50 is 0, p90 (rank 9,000) 0, p99 (rank 9,900)
// 900 ms, p99.9 (rank 9,990) 990 ms. Service time shows the stall once.
func TestCoordinatedOmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(n int64) time.Duration {
			if n == 5000 {
				return time.Second
			}
			return 0
		}}
		spec := scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Workers: 1, Rate: 1000, Duration: scenarios.Duration(10 * time.Second)}
		l := newLoad(spec, 1, c)
		l.run(t.Context())
		ops, plan := merged(l.recorders, spec)
		h := ops[scenarios.Push].response
		require.EqualValues(t, 10_000, h.TotalCount())
		require.Less(t, quantile(h, 50), float64(histLowest)) // zero, to the histogram's resolution
		require.Less(t, quantile(h, 90), float64(histLowest))
		require.InEpsilon(t, 900e6, quantile(h, 99), 0.002)
		require.InEpsilon(t, 990e6, quantile(h, 99.9), 0.002)
		require.InEpsilon(t, 1000e6, float64(h.Max()), 0.002)
		require.InEpsilon(t, 50.05e6, ops[scenarios.Push].mean(), 1e-9) // (1 + … + 1,000) ms / 10,000

		service := ops[scenarios.Push].service
		require.Less(t, quantile(service, 99.9), float64(histLowest))
		require.InEpsilon(t, 1000e6, float64(service.Max()), 0.002)
		require.InEpsilon(t, 899e6, float64(plan.late().ValueAtQuantile(99)), 0.003) // operation 5,000 itself was in time
	})
}

func TestConstantRateKeepsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(int64) time.Duration { return 3 * time.Millisecond }}
		spec := scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Workers: 16, Rate: 2000, Duration: scenarios.Duration(2 * time.Second)}
		l := newLoad(spec, 10, c)
		require.EqualValues(t, 4000, l.planned())
		elapsed := l.run(t.Context())
		require.Equal(t, 2*time.Second-500*time.Microsecond+3*time.Millisecond, elapsed, "the last is planned at 1,999.5 ms")
		done, _, _ := l.totals()
		require.EqualValues(t, 4000, done)
		ops, plan := merged(l.recorders, spec)
		require.Equal(t, 3e6, ops[scenarios.Push].mean())
		require.Less(t, plan.late().Max(), int64(histLowest), "there was always a free worker")
	})
}

// TestLag: a load is behind its plan if operations are sent late to the end, not if
// the last answers take long, nor if it was late for a while.
func TestLag(t *testing.T) {
	for name, row := range map[string]struct {
		takes   func(n int64) time.Duration
		workers int
		lag     time.Duration
		behind  bool
	}{
		"a slow last answer": {func(n int64) time.Duration {
			if n == 99 {
				return 10 * time.Second
			}
			return 0
		}, 1, 0, false},
		"all answers slow, workers enough": {func(int64) time.Duration { return 5 * time.Second }, 100, 0, false},
		"a stall, made up for": {func(n int64) time.Duration {
			if n == 10 {
				return 500 * time.Millisecond
			}
			return 0
		}, 1, 0, false},
		// 100 operations, 10 ms apart, by one worker that takes 20 ms each: the last is
		// planned at 990 ms and sent after 99 others, at 1,980 ms.
		"half as fast as planned": {func(int64) time.Duration { return 20 * time.Millisecond }, 1, 990 * time.Millisecond, true},
		// 10.4 ms each: sent at 1,029.6 ms.
		"within the tolerance": {func(int64) time.Duration { return 10400 * time.Microsecond }, 1, 39600 * time.Microsecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spec := scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Workers: row.workers, Rate: 100, Duration: scenarios.Duration(time.Second), Drain: scenarios.Duration(time.Minute)}
				l := newLoad(spec, 1, &standIn{takes: row.takes})
				l.run(t.Context())
				_, plan := merged(l.recorders, spec)
				require.Equal(t, row.lag, plan.lag())
				require.Equal(t, row.behind, plan.behind(spec))
			})
		})
	}
}

func TestFailuresAndDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{fails: func(n int64) bool { return n%10 == 0 }, takes: func(int64) time.Duration { return 4 * time.Millisecond }}
		l := newLoad(scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Deliver, Workers: 1}, 100, c)
		l.run(t.Context())
		done, failed, retries := l.totals()
		require.EqualValues(t, []int64{90, 10, 300}, []int64{done, failed, retries}, "3 pushes and 2 verifications are 3 too many")
		require.Equal(t, outcome{0, 1}, l.claims.of(0))
		require.Equal(t, map[string]int{"unknown": 10}, l.failures.byClass())
		ops, _ := merged(l.recorders, l.spec)
		require.Equal(t, []float64{2e6, 1e6, 4e6}, []float64{ops[scenarios.Push].mean(), ops[scenarios.Verify].mean(), ops[scenarios.Deliver].mean()})
		require.EqualValues(t, 90, ops[scenarios.Deliver].n, "a failure is counted, its time isn't")
	})
}

func TestLoadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, spec := range []scenarios.LoadSpec{
			{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 3, Duration: scenarios.Duration(time.Hour)},
			{Model: scenarios.Constant, Operation: scenarios.Push, Workers: 3, Rate: 0.1, Duration: scenarios.Duration(time.Hour)},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
			l := newLoad(spec, 1, &standIn{takes: func(int64) time.Duration { return 10 * time.Second }})
			require.Equal(t, 25*time.Second, l.run(ctx))
			cancel()
			_, failed, _ := l.totals()
			require.Zero(t, failed, "what we break off is no failure of the device")
		}
	})
}

func TestRecorder(t *testing.T) {
	spec := scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 1}
	r := newRecorder(spec, leastLongest)
	for ms := 1; ms <= 1000; ms++ {
		r.record(scenarios.Push, time.Duration(ms)*time.Millisecond, 0)
	}
	r.record(scenarios.Push, 200*time.Second, 0)
	ops, _ := merged([]*recorder{r}, spec)
	h := ops[scenarios.Push].response
	require.InEpsilon(t, 500e6, quantile(h, 50), 0.003)
	require.InEpsilon(t, 990e6, quantile(h, 99), 0.003)
	require.EqualValues(t, 1, ops[scenarios.Push].clipped)
	r.reset()
	ops, _ = merged([]*recorder{r}, spec)
	require.Zero(t, ops[scenarios.Push].n)
	require.Zero(t, ops[scenarios.Push].response.TotalCount())
	require.Zero(t, ops[scenarios.Push].mean())
}

// TestRecordersAreFew: their memory is bounded, however many workers there are.
func TestRecordersAreFew(t *testing.T) {
	require.Len(t, newRecorders(scenarios.LoadSpec{Operation: scenarios.Push, Workers: 1}, leastLongest), 1)
	many := newRecorders(scenarios.LoadSpec{Operation: scenarios.Push, Workers: scenarios.MaxWorkers}, leastLongest)
	require.LessOrEqual(t, len(many), maxRecorders)
	require.LessOrEqual(t, len(many), recordersPerCore*runtime.GOMAXPROCS(0))
}

func TestRecordingAllocatesNothing(t *testing.T) {
	r := newRecorder(scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Deliver, Workers: 1}, leastLongest)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r.record(scenarios.Push, time.Millisecond, time.Millisecond)
		r.record(scenarios.Verify, time.Millisecond, time.Millisecond)
		r.record(scenarios.Deliver, time.Millisecond, time.Millisecond)
		r.sent(time.Millisecond, 2*time.Millisecond, true)
	}))
}

// BenchmarkHarness is what the harness spends around one call of the client, with
// one that does nothing.
func BenchmarkHarness(b *testing.B) {
	for _, workers := range []int{1, 64} {
		for _, operation := range []scenarios.Operation{scenarios.Push, scenarios.Deliver} {
			for _, model := range []scenarios.Model{scenarios.Closed, scenarios.Constant} { // at a rate that nobody keeps: what it costs, not when it comes
				b.Run(fmt.Sprintf("%s/model=%s/workers=%d", operation, model, workers), func(b *testing.B) {
					spec := scenarios.LoadSpec{Model: model, Operation: operation, Workers: workers}
					if spec.IsOpen() {
						spec.Rate = results.MaxRate
					}
					l := newLoad(spec, b.N, nothing{})
					b.ReportAllocs()
					b.ResetTimer()
					l.run(b.Context())
				})
			}
		}
		// One burst: all is due at once, so that nobody waits.
		b.Run(fmt.Sprintf("open/workers=%d", workers), func(b *testing.B) {
			l := newLoad(scenarios.LoadSpec{Model: scenarios.Bursts, Operation: scenarios.Deliver, Workers: workers, Burst: scenarios.Burst{Size: b.N}}, b.N, nothing{})
			b.ReportAllocs()
			b.ResetTimer()
			l.run(b.Context())
		})
	}
}

type nothing struct{}

func (nothing) Push(context.Context, delivery.Device, *delivery.Update) error   { return nil }
func (nothing) Verify(context.Context, delivery.Device, *delivery.Update) error { return nil }
func (nothing) Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error) {
	return delivery.Report{}, nil
}

// TestThinking: a worker waits after each operation, and the wait is in no latency.
func TestThinking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(int64) time.Duration { return 10 * time.Millisecond }}
		spec := scenarios.LoadSpec{Model: scenarios.Closed, Operation: scenarios.Push, Workers: 2, Duration: scenarios.Duration(time.Second)}
		require.NoError(t, spec.Think.UnmarshalText([]byte("90ms")))
		l := newLoad(spec, 1, c)
		require.Equal(t, time.Second, l.run(t.Context()))
		done, _, _ := l.totals()
		require.EqualValues(t, 20, done, "2 workers, an operation each 100 ms")
		ops, _ := merged(l.recorders, spec)
		require.Equal(t, 10e6, ops[scenarios.Push].mean())
	})
}

// TestBurst: all of a burst is sent at once, as far as there are workers.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(int64) time.Duration { return 10 * time.Millisecond }}
		spec := scenarios.LoadSpec{Model: scenarios.Bursts, Operation: scenarios.Push, Workers: 50, Burst: scenarios.Burst{Size: 100}}
		l := newLoad(spec, 100, c)
		require.EqualValues(t, 100, l.planned())
		require.Equal(t, 20*time.Millisecond, l.run(t.Context()), "the second half waits for the first")
		require.EqualValues(t, 50, c.most.Load())
		ops, plan := merged(l.recorders, spec)
		require.Equal(t, 15e6, ops[scenarios.Push].mean(), "response counts from when it was planned")
		require.InEpsilon(t, 10e6, float64(plan.late().Max()), 0.002)
	})
}

// listOf returns the devices of a fleet that nobody has started.
func listOf(devices int) *target.DeviceList {
	return must(target.ListDevices("http://127.0.0.1:1", mockfleet.AddressPath, devices))
}

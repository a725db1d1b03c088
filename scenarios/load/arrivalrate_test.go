package load

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// aMinute is a drain that is longer than any test needs.
const aMinute = time.Minute

// TestCoordinatedOmission shows why response times count from planned times. 1,000 operations a
// second are planned for 10 s, a millisecond apart. Each takes no time, but the device stalls once,
// for 1 s, from operation 5,000 on. There is one worker, so operations 5,000 to 5,999 wait:
// operation 5,000 takes 1,000 ms, the next 999 ms, and so on, down to 1 ms for operation 5,999. So
// of 10,000 response times 9,000 are 0 and the others 1, 2, …, 1,000 ms. By rank, p50 is 0, p90
// (rank 9,000) 0, p99 (rank 9,900) 900 ms, and p99.9 (rank 9,990) 990 ms. The service time shows
// the stall once.
func TestCoordinatedOmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: func(n int64) time.Duration {
			if n == 5000 {
				return time.Second
			}
			return 0
		}}
		_, record := run(t.Context(), ArrivalRate{Pacer: ConstantRate(1000), Workers: 1, Duration: 10 * time.Second,
			Drain: aMinute}, 1, c)
		latencies, lateness := record.Merge()
		h := latencies[delivery.OpPush].Response
		require.EqualValues(t, 10_000, h.TotalCount())
		require.Less(t, h.ValueAtQuantile(50), int64(resolution)) // zero, to the histogram's resolution
		require.Less(t, h.ValueAtQuantile(90), int64(resolution))
		require.InEpsilon(t, 900e6, h.ValueAtQuantile(99), 0.002)
		require.InEpsilon(t, 990e6, h.ValueAtQuantile(99.9), 0.002)
		require.InEpsilon(t, 1000e6, h.Max(), 0.002)
		require.InEpsilon(t, 50.05e6, latencies[delivery.OpPush].Mean(), 1e-9) // (1 + … + 1,000) ms / 10,000

		service := latencies[delivery.OpPush].Service
		require.Less(t, service.ValueAtQuantile(99.9), int64(resolution))
		require.InEpsilon(t, 1000e6, service.Max(), 0.002)
		require.InEpsilon(t, 899e6, lateness.All().ValueAtQuantile(99), 0.003) // operation 5,000 itself was sent in time
	})
}

func TestConstantRateKeepsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := ArrivalRate{Pacer: ConstantRate(2000), Workers: 16, Duration: 2 * time.Second, Drain: aMinute}
		require.EqualValues(t, 4000, rate.Expect(10).Operations)
		result, record := run(t.Context(), rate, 10, &standIn{takes: each(3 * time.Millisecond)})
		require.Equal(t, 2*time.Second-500*time.Microsecond+3*time.Millisecond, result.Elapsed,
			"the last is planned at 1,999.5 ms")
		require.EqualValues(t, 4000, record.Totals().Succeeded)
		latencies, lateness := record.Merge()
		require.Equal(t, 3e6, latencies[delivery.OpPush].Mean())
		require.Less(t, lateness.All().Max(), int64(resolution), "there was always a free worker")
	})
}

// TestLag checks that a load is behind its plan if operations are still sent late at its end, but
// not if the last answers take long, or if the load was late only for a while.
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
		"all answers slow, workers enough": {each(5 * time.Second), 100, 0, false},
		"a stall, made up for": {func(n int64) time.Duration {
			if n == 10 {
				return 500 * time.Millisecond
			}
			return 0
		}, 1, 0, false},
		// 100 operations, 10 ms apart, by one worker that takes 20 ms each: the last one is planned
		// at 990 ms and sent after 99 others, at 1,980 ms.
		"half as fast as planned": {each(20 * time.Millisecond), 1, 990 * time.Millisecond, true},
		// 10.4 ms each: the last one is sent at 1,029.6 ms.
		"within the tolerance": {each(10400 * time.Microsecond), 1, 39600 * time.Microsecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rate := ArrivalRate{Pacer: ConstantRate(100), Workers: row.workers, Duration: time.Second, Drain: aMinute}
				_, record := run(t.Context(), rate, 1, &standIn{takes: row.takes})
				_, lateness := record.Merge()
				require.Equal(t, row.lag, lateness.FinalLag())
				require.Equal(t, row.behind, lateness.FellBehind(rate.Pacer))
			})
		})
	}
}

// TestQueued checks that an operation counts as queued if every worker was busy when it was due.
// What is expected is worked out by hand beside each row.
func TestQueued(t *testing.T) {
	second := func(workers int, rate float64) ArrivalRate {
		return ArrivalRate{Pacer: ConstantRate(rate), Workers: workers, Duration: time.Second, Drain: aMinute}
	}
	for name, row := range map[string]struct {
		load    ArrivalRate
		devices int
		takes   func(n int64) time.Duration
		queued  int64
		of      int64
		peak    int
		late    time.Duration // how late the latest queued operation was sent
	}{
		// An operation of 12 ms every 5 ms: three run at a time.
		"workers enough": {second(3, 200), 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		"and to spare":   {second(50, 200), 1, each(12 * time.Millisecond), 0, 200, 3, 0},
		// A worker whose operation takes as long as the gap is free again when the next is due.
		"just enough": {second(1, 100), 1, each(10 * time.Millisecond), 0, 100, 1, 0},
		// 20 ms each where 10 are planned: all but the first wait; the last one, planned at 990 ms,
		// is sent at 1,980 ms.
		"half as fast": {second(1, 100), 1, each(20 * time.Millisecond), 99, 100, 1, 990 * time.Millisecond},
		// 5 are due at once, and 2 workers take 10 ms each: 3 wait, the last until 20 ms.
		"a burst": {ArrivalRate{Pacer: Bursts{Size: 5}, Workers: 2, Drain: aMinute}, 5, each(10 * time.Millisecond), 3, 5,
			2, 20 * time.Millisecond},
		// One stall of 1 s delays the 999 operations that are due in it, at 1,000 a second.
		"a stall": {ArrivalRate{Pacer: ConstantRate(1000), Workers: 1, Duration: 3 * time.Second, Drain: aMinute}, 1,
			func(n int64) time.Duration {
				if n == 1000 {
					return time.Second
				}
				return 0
			}, 999, 3000, 1, 999 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result, record := run(t.Context(), row.load, row.devices, &standIn{takes: row.takes})
				_, l := record.Merge()
				require.Equal(t, row.queued, l.Queued.TotalCount())
				require.Equal(t, row.of, l.All().TotalCount())
				require.Equal(t, row.peak, result.InFlightPeak)
				require.Zero(t, record.inFlight.now.Load())
				require.InDelta(t, float64(row.late), float64(l.Queued.Max()), resolution+0.002*float64(row.late))
				require.Less(t, l.Timer.Max(), int64(resolution), "with a fake clock, a timer is never late")
			})
		})
	}
}

// TestBurst checks that all operations of a burst are sent at once, as far as there are workers.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &standIn{takes: each(10 * time.Millisecond)}
		burst := ArrivalRate{Pacer: Bursts{Size: 100}, Workers: 50, Drain: aMinute}
		require.EqualValues(t, 100, burst.Expect(100).Operations)
		result, record := run(t.Context(), burst, 100, c)
		require.Equal(t, 20*time.Millisecond, result.Elapsed, "the second half waits for the first")
		require.EqualValues(t, 50, c.most.Load())
		latencies, lateness := record.Merge()
		require.Equal(t, 15e6, latencies[delivery.OpPush].Mean(), "the response time counts from the planned time")
		require.InEpsilon(t, 10e6, lateness.All().Max(), 0.002)
	})
}

// TestPoissonWithoutDuration checks that the plan ends when one more operation would be due: n
// operations in the time of n+1 arrivals are an unbiased estimate of the rate.
func TestPoissonWithoutDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Poisson{ConstantRate(100)}
		result, _ := run(t.Context(), ArrivalRate{Pacer: p, Workers: 32, Drain: aMinute}, 1000, &standIn{})
		require.EqualValues(t, 1000, result.Operations.Planned)
		require.EqualValues(t, arrivalsOf(p, 1, 1001)[1000], result.Operations.PlanNS)
	})
}

// TestTheDrainIsBounded checks that a load that is certain to be invalid ends, and so do its
// running operations.
func TestTheDrainIsBounded(t *testing.T) {
	rate := func(workers int, perSecond float64, d time.Duration) ArrivalRate {
		return ArrivalRate{Pacer: ConstantRate(perSecond), Workers: workers, Duration: d, Drain: 30 * time.Second,
			StopBehind: true}
	}
	own := rate(2, 20, time.Second)
	own.Drain, own.StopBehind = 2500*time.Millisecond, false
	for name, row := range map[string]struct {
		load                       Executor
		takes                      time.Duration
		lasts                      time.Duration
		started, notSent, brokenOf int64
		behind                     bool
	}{
		// 5 workers of 50 ms, for 5 s and the 250 ms in which the plan may still be kept: the first
		// sends an operation at 0, 50, …, 5,250 ms; the others begin 1 to 4 ms later and therefore
		// send one less. The load waits for the operations that were sent.
		"too few workers": {rate(5, 1000, 5*time.Second), 50 * time.Millisecond, 5300 * time.Millisecond, 106 + 4*105,
			5000 - 526, 0, true},
		// Two operations each second until 3 s, at 0, 1 and 2 s; those that are sent at 3 s are
		// broken off at once.
		"a drain of its own": {own, time.Second, 3500 * time.Millisecond, 8, 12, 2, true},
		"nobody answers":     {rate(10, 5, time.Second), time.Hour, 31 * time.Second, 5, 0, 5, false},
		"closed": {ClosedLoop{Workers: 3, Duration: time.Second, Drain: time.Second}, time.Hour,
			2 * time.Second, 3, 0, 3, false},
		"in time": {rate(10, 20, time.Second), 100 * time.Millisecond, 1050 * time.Millisecond, 20, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result, record := run(t.Context(), row.load, 1, &standIn{takes: each(row.takes)})
				require.Equal(t, row.lasts, result.Elapsed)
				o := result.Operations
				require.Equal(t, []int64{row.started, row.notSent, row.brokenOf}, []int64{o.Started, o.NotSent, o.BrokenOff})
				require.Equal(t, o.Started, o.Succeeded+o.Failed+o.BrokenOff)
				require.Equal(t, row.behind, record.Behind(row.lasts))
			})
		})
	}
}

// TestWhatIsBrokenOffIsNoClaim checks that an operation that was broken off makes no claim: the
// fleet may or may not have applied the update.
func TestWhatIsBrokenOffIsNoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rate := ArrivalRate{Pacer: ConstantRate(2), Workers: 32, Duration: time.Second, Drain: 30 * time.Second}
		_, record := run(t.Context(), rate, 1, &standIn{takes: each(time.Hour)})
		require.Equal(t, Outcome{BrokenOff: 2, Pushes: 2}, record.Outcomes.Of(0))
	})
}

// TestArrivalRateStartsItsWorkers checks that it starts as many workers as it needs, up to the
// limit.
func TestArrivalRateStartsItsWorkers(t *testing.T) {
	rate := ArrivalRate{Pacer: ConstantRate(1000), Workers: 32, MaxWorkers: 4096, Duration: time.Second,
		Drain: 30 * time.Second, StopBehind: true}
	takes := each(100 * time.Millisecond)
	synctest.Test(t, func(t *testing.T) {
		result, record := run(t.Context(), rate, 1, &standIn{takes: takes})
		require.Equal(t, 1099*time.Millisecond, result.Elapsed)
		_, lateness := record.Merge()
		require.Zero(t, lateness.Queued.TotalCount())
		require.InDelta(t, 100, result.InFlightPeak, 1, "Little's law: 1,000 a second of 100 ms each")
		require.Equal(t, 100*time.Millisecond, result.MeanBusy)
	})
	synctest.Test(t, func(t *testing.T) {
		rate.MaxWorkers = 40
		result, _ := run(t.Context(), rate, 1, &standIn{takes: takes})
		require.EqualValues(t, 40, result.InFlightPeak)
		require.NotZero(t, result.Operations.NotSent)
	})
}

// TestOperationsOfThePlan checks which operations ended within the plan, however long the last
// answers took. Each row's figures are worked out by hand.
func TestOperationsOfThePlan(t *testing.T) {
	quick := each(5 * time.Millisecond)
	rate := func(p Pacer, d time.Duration) ArrivalRate {
		return ArrivalRate{Pacer: p, Workers: 64, Duration: d, Drain: 30 * time.Second}
	}
	for name, row := range map[string]struct {
		load    Executor
		devices int
		takes   func(n int64) time.Duration
		planned int64
		ended   int64
		plan    time.Duration
		drain   time.Duration
	}{
		"one a second": {rate(ConstantRate(1), 2*time.Second), 1, quick, 2, 2, 2 * time.Second, 0},
		// At 0, 3.33, 6.67, 10, 13.33 and 16.67 s.
		"0.3 a second": {rate(ConstantRate(0.3), 20*time.Second), 1, quick, 6, 6, 20 * time.Second, 0},
		"bursts":       {rate(Bursts{50, 2 * time.Second}, 4*time.Second), 1, quick, 100, 100, 4 * time.Second, 0},
		// Every tenth operation hangs: 15 of 150. The last of these, operation 140, is planned at
		// 2.8 s and ends at 12.8 s.
		"a tenth hangs": {rate(ConstantRate(50), 3*time.Second), 1, func(n int64) time.Duration {
			if n%10 == 0 {
				return 10 * time.Second
			}
			return 5 * time.Millisecond
		}, 150, 135, 3 * time.Second, 9800 * time.Millisecond},
		// A 51st operation would be due after 500 ms.
		"each device once": {rate(ConstantRate(100), 0), 50, quick, 50, 50, 500 * time.Millisecond, 0},
		"a closed loop": {ClosedLoop{Workers: 2, Duration: time.Second, Drain: aMinute}, 1, each(300 * time.Millisecond),
			0, 6, time.Second, 200 * time.Millisecond},
		"once": {ClosedLoop{Workers: 5}, 50, quick, 0, 50, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result, _ := run(t.Context(), row.load, row.devices, &standIn{takes: row.takes})
				o := result.Operations
				require.Equal(t, []int64{row.planned, row.ended, int64(row.plan), int64(row.drain)},
					[]int64{o.Planned, o.EndedInPlan, o.PlanNS, o.DrainNS})
				require.Equal(t, row.ended, o.SucceededInPlan)
			})
		})
	}
}

// TestOperationsOfAPoissonPlanThatFellBehind checks that a load which fell behind its plan, and so
// didn't send all of it, says how many operations the plan has, as its intervals do. On average
// there would be 1,000 of them.
func TestOperationsOfAPoissonPlanThatFellBehind(t *testing.T) {
	for _, shard := range []Shard{{}, {Index: 1, Count: 2, Devices: 8}} {
		synctest.Test(t, func(t *testing.T) {
			a := ArrivalRate{Pacer: Poisson{Rate: ConstantRate(1000)}, Duration: time.Second, Workers: 1, MaxWorkers: 1,
				Drain: 30 * time.Second, StopBehind: true, Shard: shard}
			want, device := int64(0), 0
			for planned := range a.Pacer.Arrivals(1) {
				if planned >= time.Second {
					break
				}
				if shard.isWhole() || device%8%2 == 1 {
					want++
				}
				device++
			}
			e := newEnv(a, delivery.OpPush, 4, &standIn{takes: each(10 * time.Millisecond)})
			var planned int64
			e.OnInterval = func(v *Interval) { planned += v.Planned }
			r, err := a.Run(t.Context(), e)
			require.NoError(t, err)
			require.Positive(t, r.Operations.NotSent)
			require.Equal(t, want, planned)
			require.Equal(t, want, r.Operations.Planned)
		})
	}
}

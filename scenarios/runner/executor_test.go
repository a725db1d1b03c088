package runner

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// TestExecutorOf checks which executor each model has, and its settings.
func TestExecutorOf(t *testing.T) {
	minute := scenarios.Duration(time.Minute)
	second := load.ConstantRate(1)
	for name, row := range map[string]struct {
		spec scenarios.LoadSpec
		want load.Executor
	}{
		"closed": {scenarios.LoadSpec{Model: scenarios.ClosedLoop, Duration: minute},
			load.ClosedLoop{Workers: 32, Duration: time.Minute, Drain: 30 * time.Second}},
		"once": {scenarios.LoadSpec{Model: scenarios.Once, Workers: 5},
			load.ClosedLoop{Workers: 5, Drain: 30 * time.Second}},
		"constant": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 1, Workers: 5},
			load.ArrivalRate{Pacer: second, Workers: 5, MaxWorkers: 5, Drain: 30 * time.Second, StopBehind: true}},
		"with drain": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 1, Workers: 5, Drain: minute},
			load.ArrivalRate{Pacer: second, Workers: 5, MaxWorkers: 5, Drain: time.Minute}},
		"as many as it takes": {scenarios.LoadSpec{Model: scenarios.Poisson, Rate: 1, Duration: minute},
			load.ArrivalRate{Pacer: load.Poisson{Rate: second}, Duration: time.Minute, Workers: 32, MaxWorkers: 40,
				Drain: 30 * time.Second, StopBehind: true}},
		"arrivals": {scenarios.LoadSpec{Model: scenarios.RampingRate, Ramp: scenarios.RampSpec{To: 1}, Duration: minute,
			Arrivals: scenarios.PoissonArrivals, Workers: 5},
			load.ArrivalRate{Pacer: load.Poisson{Rate: load.NewRateSchedule(load.Segment{Length: time.Minute, To: 1})},
				Duration: time.Minute, Workers: 5, MaxWorkers: 5, Drain: 30 * time.Second, StopBehind: true}},
		"burst": {scenarios.LoadSpec{Model: scenarios.Burst, Burst: scenarios.BurstSpec{Size: 7}, Workers: 5},
			load.ArrivalRate{Pacer: load.Bursts{Size: 7}, Workers: 5, MaxWorkers: 5, Drain: 30 * time.Second, StopBehind: true}},
		"rollout": {scenarios.LoadSpec{Model: scenarios.Rollout, Workers: 5, Rate: 3},
			load.Rollout{Options: rollout.Options{Workers: 5, PerSecond: 3}}},
	} {
		require.Equal(t, row.want, executorOf(row.spec, 40, load.Shard{}, nil), name)
	}
	require.Equal(t, 12, executorOf(scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 1}, 12, load.Shard{},
		nil).(load.ArrivalRate).Workers, "no more workers than maxAuto")
	spec := scenarios.LoadSpec{Model: scenarios.ClosedLoop}
	require.NoError(t, spec.Think.UnmarshalText([]byte("90ms")))
	require.Equal(t, 90*time.Millisecond, executorOf(spec, 0, load.Shard{}, nil).(load.ClosedLoop).Think(0.5))
}

// rateOf returns a pointer to a rate, for the end of a stage.
func rateOf(r scenarios.Rate) *scenarios.Rate { return &r }

// TestPlannedTimes compares each model with times worked out by hand.
func TestPlannedTimes(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		load scenarios.LoadSpec
		want map[int64]time.Duration // planned times by operation
		all  int64                   // operations before the end of the load
	}{
		"constant": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 100, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 1: 10 * ms, 99: 990 * ms}, 100},
		// From 0/s to 200/s in 1 s: after t seconds there were 100 t² operations, so operation n
		// is planned at the square root of n/100.
		"ramp from nothing": {scenarios.LoadSpec{Model: scenarios.RampingRate, Ramp: scenarios.RampSpec{To: 200},
			Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 1: 100 * ms, 4: 200 * ms, 25: 500 * ms, 81: 900 * ms}, 100},
		// From 100/s to 300/s in 1 s: 100 t + 100 t² = n; operation 75 at 0.5 s, 24 at 0.2 s.
		"ramp up": {scenarios.LoadSpec{Model: scenarios.RampingRate, Rate: 100, Ramp: scenarios.RampSpec{To: 300},
			Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 24: 200 * ms, 75: 500 * ms, 144: 800 * ms}, 200},
		// From 200/s to 0/s in 1 s: 200 t - 100 t² = n; operation 75 at 0.5 s, 99 at 0.9 s; operation 100
		// never comes.
		"ramp down": {scenarios.LoadSpec{Model: scenarios.RampingRate, Rate: 200, Duration: scenarios.Duration(time.Second)},
			map[int64]time.Duration{0: 0, 75: 500 * ms, 99: 900 * ms, 100: math.MaxInt64}, 100},
		// 10/s, but 1,000/s from 1 s to 1.5 s: 10 operations before, 500 within, and 15 after.
		"spike": {scenarios.LoadSpec{Model: scenarios.Spike, Rate: 10, Duration: scenarios.Duration(3 * time.Second),
			Spike: scenarios.SpikeSpec{Rate: 1000, At: scenarios.Duration(time.Second), For: scenarios.Duration(500 * ms)}},
			map[int64]time.Duration{9: 900 * ms, 10: 1000 * ms, 11: 1001 * ms, 509: 1499 * ms, 510: 1500 * ms, 511: 1600 * ms},
			525},
		"a pause is a spike too": {scenarios.LoadSpec{Model: scenarios.Spike, Rate: 10,
			Duration: scenarios.Duration(3 * time.Second),
			Spike:    scenarios.SpikeSpec{At: scenarios.Duration(time.Second), For: scenarios.Duration(time.Second)}},
			map[int64]time.Duration{9: 900 * ms, 10: 2000 * ms, 11: 2100 * ms}, 20},
		// 100/s for 1 s, nothing for 1 s, from 0/s to 100/s in 2 s (25 t²), and then 100/s.
		"stages": {scenarios.LoadSpec{Model: scenarios.Stages, Stages: []scenarios.StageSpec{
			{Rate: 100, For: scenarios.Duration(time.Second)}, {For: scenarios.Duration(time.Second)},
			{To: rateOf(100), For: scenarios.Duration(2 * time.Second)}, {Rate: 100, For: scenarios.Duration(time.Second)},
		}}, map[int64]time.Duration{99: 990 * ms, 100: 2000 * ms, 101: 2200 * ms, 125: 3000 * ms, 200: 4000 * ms,
			299: 4990 * ms, 300: math.MaxInt64}, 300},
		"bursts": {scenarios.LoadSpec{Model: scenarios.Burst,
			Burst:    scenarios.BurstSpec{Size: 50, Every: scenarios.Duration(time.Second)},
			Duration: scenarios.Duration(3 * time.Second)},
			map[int64]time.Duration{0: 0, 49: 0, 50: time.Second, 149: 2 * time.Second, 150: 3 * time.Second}, 150},
		"one burst": {scenarios.LoadSpec{Model: scenarios.Burst, Burst: scenarios.BurstSpec{Size: 50}},
			map[int64]time.Duration{0: 0, 49: 0, 50: math.MaxInt64}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			p := pacerOf(row.load)
			var times []time.Duration
			for at := range p.Arrivals(1) {
				if times = append(times, at); len(times) == 600 {
					break
				}
			}
			require.True(t, slices.IsSorted(times))
			for n, want := range row.want {
				if want == math.MaxInt64 {
					require.Len(t, times, int(n), "there is no operation %d", n)
					continue
				}
				require.InDelta(t, float64(want), float64(times[n]), 2, "operation %d", n)
			}
			end := row.load.TotalDuration()
			if end == 0 {
				end = time.Hour
			}
			require.Equal(t, row.all, load.ArrivalRate{Pacer: p, Duration: end}.Expect(1).Operations)
		})
	}
}

func TestRateOverTime(t *testing.T) {
	l := scenarios.LoadSpec{Model: scenarios.Stages,
		Stages: []scenarios.StageSpec{{Rate: 100, For: scenarios.Duration(time.Second)},
			{Rate: 100, To: rateOf(300), For: scenarios.Duration(2 * time.Second)}}}
	rate := load.ArrivalRate{Pacer: pacerOf(l)}.Expect(1).RateAt
	for at, want := range map[time.Duration]float64{0: 100, 999 * time.Millisecond: 100, 2 * time.Second: 200,
		2500 * time.Millisecond: 250, 3 * time.Second: 0} {
		require.InDelta(t, want, rate(at), 1e-9, "%v", at)
	}
	burst := pacerOf(scenarios.LoadSpec{Model: scenarios.Burst, Burst: scenarios.BurstSpec{Size: 1}})
	require.Nil(t, load.ArrivalRate{Pacer: burst}.Expect(1).RateAt)
}

// TestLongest checks that histograms hold every time that the client's deadlines allow an operation
// to take.
func TestLongest(t *testing.T) {
	second := func(n int) scenarios.Duration { return scenarios.Duration(time.Duration(n) * time.Second) }
	for name, row := range map[string]struct {
		client scenarios.ClientSpec
		load   scenarios.LoadSpec
		want   time.Duration
	}{
		"the client's own deadline": {scenarios.ClientSpec{},
			scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpPush}, 5 * time.Minute},
		"short": {scenarios.ClientSpec{TotalTimeout: second(1)},
			scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpPush}, minLongest},
		"long": {scenarios.ClientSpec{TotalTimeout: second(3600)},
			scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpVerify}, time.Hour},
		"and the wait of a drain": {scenarios.ClientSpec{TotalTimeout: second(3600)},
			scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 1, Operation: delivery.OpVerify, Drain: second(60)},
			time.Hour + time.Minute},
		"and of a burst's queue": {scenarios.ClientSpec{TotalTimeout: second(100)},
			scenarios.LoadSpec{Model: scenarios.Burst, Burst: scenarios.BurstSpec{Size: 10}, Workers: 5,
				Operation: delivery.OpPush}, 330 * time.Second},
		"one attempt of a delivery": {scenarios.ClientSpec{TotalTimeout: second(90), RetryCap: second(10),
			PollTimeout: second(50), MaxAttempts: 1}, scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpDeliver},
			350 * time.Second},
		"whatever the client may try": {scenarios.ClientSpec{TotalTimeout: scenarios.MaxTimeout,
			MaxAttempts: scenarios.MaxAttempts}, scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpDeliver},
			maxLongest},
	} {
		require.Equal(t, row.want, longest(scenarios.Spec{Client: row.client, Load: row.load}), name)
	}
}

// standIn is a client whose pushes take a given time of a synctest bubble's clock.
type standIn struct {
	load.Client
	takes func(n int64) time.Duration
	n     atomic.Int64
}

func (s *standIn) Push(ctx context.Context, _ delivery.Device, _ *delivery.Update) error {
	timer := time.NewTimer(s.takes(s.n.Add(1) - 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runLoad runs a load of pushes to so many devices, with operations that take a given time, and
// with histograms up to longest.
func runLoad(t *testing.T, spec scenarios.LoadSpec, devices int, longest time.Duration,
	takes func(n int64) time.Duration) (load.Result, *load.Recording) {
	_, most := spec.WorkerRange()
	record := load.NewRecording(load.RecordingConfig{Op: delivery.OpPush, Planned: spec.IsOpen(), Devices: devices,
		Workers: most, Longest: longest})
	e := load.Env{Client: &standIn{takes: takes}, Op: delivery.OpPush,
		Devices: must(target.ListDevices("http://127.0.0.1:1", address.Path, netip.Prefix{}, address.Shard{}, devices)), Record: record, Seed: 1}
	result, err := executorOf(spec, 0, load.Shard{}, nil).Run(t.Context(), e)
	require.NoError(t, err)
	return result, record
}

// TestRatesAreOverThePlan checks that a rate is what succeeded within the plan, divided by its
// length, however long the last answers took. Each row's figures are worked out by hand.
func TestRatesAreOverThePlan(t *testing.T) {
	quick := func(int64) time.Duration { return 5 * time.Millisecond }
	stage := func(rate scenarios.Rate, seconds time.Duration) scenarios.StageSpec {
		return scenarios.StageSpec{Rate: rate, For: scenarios.Duration(seconds * time.Second)}
	}
	for name, row := range map[string]struct {
		spec    scenarios.LoadSpec
		devices int
		takes   func(n int64) time.Duration
		rate    float64
		planned int64
		ended   int64
		plan    time.Duration
		drain   time.Duration
	}{
		"one a second": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 1,
			Duration: scenarios.Duration(2 * time.Second)}, 1, quick, 1, 2, 2, 2 * time.Second, 0},
		// At 0, 3.33, 6.67, 10, 13.33 and 16.67 s.
		"0.3 a second": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 0.3,
			Duration: scenarios.Duration(20 * time.Second)}, 1, quick, 0.3, 6, 6, 20 * time.Second, 0},
		"bursts": {scenarios.LoadSpec{Model: scenarios.Burst,
			Burst:    scenarios.BurstSpec{Size: 50, Every: scenarios.Duration(2 * time.Second)},
			Duration: scenarios.Duration(4 * time.Second)}, 1, quick, 25, 100, 100, 4 * time.Second, 0},
		"a pause is time": {scenarios.LoadSpec{Model: scenarios.Stages,
			Stages: []scenarios.StageSpec{stage(100, 1), stage(0, 4)}}, 1, quick, 20, 100, 100, 5 * time.Second, 0},
		// Every tenth operation hangs: 15 of 150. The last of these, 140, is planned at 2.8 s and ends at
		// 12.8 s.
		"a tenth hangs": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 50,
			Duration: scenarios.Duration(3 * time.Second)}, 1, func(n int64) time.Duration {
			if n%10 == 0 {
				return 10 * time.Second
			}
			return 5 * time.Millisecond
		}, 45, 150, 135, 3 * time.Second, 9800 * time.Millisecond},
		// A 51st operation would be due after 500 ms.
		"each device once": {scenarios.LoadSpec{Model: scenarios.ConstantRate, Rate: 100}, 50, quick, 100, 50, 50,
			500 * time.Millisecond, 0},
		"a closed load": {scenarios.LoadSpec{Model: scenarios.ClosedLoop, Workers: 2,
			Duration: scenarios.Duration(time.Second)}, 1, func(int64) time.Duration { return 300 * time.Millisecond }, 6, 0,
			6, time.Second, 200 * time.Millisecond},
		// 50 operations of 5 ms by 5 workers. There is no plan, so the rate is over the time that they
		// took.
		"once": {scenarios.LoadSpec{Model: scenarios.Once, Workers: 5}, 50, quick, 1000, 0, 50, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.spec.Operation = delivery.OpPush
				result, record := runLoad(t, row.spec, row.devices, 0, row.takes)
				m := &measured{bytes: 2e6, Result: result, Totals: record.Totals()}
				m.latencies, m.lateness = record.Merge()
				o := m.Operations
				require.Equal(t, []int64{row.planned, row.ended, int64(row.plan), int64(row.drain)},
					[]int64{o.Planned, row.ended, o.PlanNS, o.DrainNS})
				if row.plan > 0 {
					require.Equal(t, row.ended, o.EndedInPlan)
				}
				line := m.records(scenarios.Spec{Name: "x", Load: row.spec}, 1)[0]
				rate, _ := line.Value("ops/s")
				require.InEpsilon(t, row.rate, rate, 1e-9)
				bandwidth, _ := line.Value("MB/s")
				require.InEpsilon(t, 2*row.rate, bandwidth, 1e-9)
			})
		})
	}
}

// TestALongOperationIsMeasured checks an operation that sends 1 MiB at 8 kB/s, which takes 131 s:
// longer than the default range of a histogram.
func TestALongOperationIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := scenarios.Default()
		spec.Load = scenarios.LoadSpec{Model: scenarios.Once, Operation: delivery.OpPush, Workers: 1}
		_, record := runLoad(t, spec.Load, 3, longest(spec), func(int64) time.Duration { return 131 * time.Second })
		ops, _ := record.Merge()
		require.Zero(t, ops[delivery.OpPush].Overflow)
		require.InEpsilon(t, 131e9, quantile(ops[delivery.OpPush].Response, 50), 0.002)
		require.InEpsilon(t, 131e9, quantile(ops[delivery.OpPush].Response, 99), 0.002)
	})
}

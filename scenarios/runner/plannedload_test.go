package runner

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestRatesAreOverThePlan: what succeeded within the plan, divided by its length, whatever the last
// answers took. Each row's figures are worked out by hand.
func TestRatesAreOverThePlan(t *testing.T) {
	quick := func(int64) time.Duration { return 5 * time.Millisecond }
	stage := func(rate scenarios.Rate, seconds time.Duration) scenarios.Stage {
		return scenarios.Stage{Rate: rate, For: scenarios.Duration(seconds * time.Second)}
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
		"one a second": {scenarios.LoadSpec{Model: scenarios.Constant, Rate: 1, Duration: scenarios.Duration(2 * time.Second)}, 1, quick, 1, 2, 2, 2 * time.Second, 0},
		// At 0, 3.33, 6.67, 10, 13.33 and 16.67 s.
		"0.3 a second":    {scenarios.LoadSpec{Model: scenarios.Constant, Rate: 0.3, Duration: scenarios.Duration(20 * time.Second)}, 1, quick, 0.3, 6, 6, 20 * time.Second, 0},
		"bursts":          {scenarios.LoadSpec{Model: scenarios.Bursts, Burst: scenarios.Burst{Size: 50, Every: scenarios.Duration(2 * time.Second)}, Duration: scenarios.Duration(4 * time.Second)}, 1, quick, 25, 100, 100, 4 * time.Second, 0},
		"a pause is time": {scenarios.LoadSpec{Model: scenarios.Staged, Stages: []scenarios.Stage{stage(100, 1), stage(0, 4)}}, 1, quick, 20, 100, 100, 5 * time.Second, 0},
		// Every tenth hangs: 15 of 150. The last one, operation 140, is planned at 2.8 s and ends at 12.8 s.
		"a tenth hangs": {scenarios.LoadSpec{Model: scenarios.Constant, Rate: 50, Duration: scenarios.Duration(3 * time.Second)}, 1, func(n int64) time.Duration {
			if n%10 == 0 {
				return 10 * time.Second
			}
			return 5 * time.Millisecond
		}, 45, 150, 135, 3 * time.Second, 9800 * time.Millisecond},
		// A 51st would be due after 500 ms.
		"each device once": {scenarios.LoadSpec{Model: scenarios.Constant, Rate: 100}, 50, quick, 100, 50, 50, 500 * time.Millisecond, 0},
		"a closed load":    {scenarios.LoadSpec{Model: scenarios.Closed, Workers: 2, Duration: scenarios.Duration(time.Second)}, 1, func(int64) time.Duration { return 300 * time.Millisecond }, 6, 0, 6, time.Second, 200 * time.Millisecond},
		// 50 operations of 5 ms by 5 workers; there is no plan, so the time is what it took.
		"once": {scenarios.LoadSpec{Model: scenarios.Once, Workers: 5}, 50, quick, 1000, 0, 50, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.spec.Operation = scenarios.Push
				l := newLoad(row.spec, row.devices, &standIn{takes: row.takes})
				m := &measured{bytes: 2e6}
				m.elapsed = l.run(t.Context())
				m.operations = l.operations(m.elapsed)
				m.done, _, _ = l.totals()
				m.ops, m.plan = merged(l.recorders, row.spec)
				o := m.operations
				require.Equal(t, []int64{row.planned, row.ended, int64(row.plan), int64(row.drain)}, []int64{o.Planned, row.ended, o.PlanNS, o.DrainNS})
				if row.plan > 0 {
					require.Equal(t, row.ended, o.EndedInPlan)
				}
				record := m.records(scenarios.Spec{Name: "x", Load: row.spec}, 1)[0]
				rate, _ := record.Value("ops/s")
				require.InEpsilon(t, row.rate, rate, 1e-9)
				bandwidth, _ := record.Value("MB/s")
				require.InEpsilon(t, 2*row.rate, bandwidth, 1e-9)
			})
		})
	}
}

// TestPoissonWithoutDuration: the plan ends when one more operation would be due, and n operations in the
// time of n+1 arrivals are an unbiased estimate of the rate.
func TestPoissonWithoutDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := scenarios.LoadSpec{Model: scenarios.Poisson, Operation: scenarios.Push, Rate: 100}
		l := newLoad(spec, 1000, &standIn{})
		l.run(t.Context())
		require.EqualValues(t, 1000, l.operations(0).Planned)
		again := scheduleOf(spec, 1)
		var at time.Duration
		for range 1001 {
			_, at = again.take()
		}
		require.Equal(t, at, l.ends)
	})
}

// TestTheDrainIsBounded: what is certain to be invalid ends, and so does what is under way.
func TestTheDrainIsBounded(t *testing.T) {
	for name, row := range map[string]struct {
		spec                       scenarios.LoadSpec
		takes                      time.Duration
		lasts                      time.Duration
		started, notSent, brokenOf int64
		says                       bool
	}{
		// 5 workers of 50 ms, for 5 s and the 250 ms in which the plan may still be kept: the first sends one at 0, 50, …, 5,250 ms,
		// the others begin 1 to 4 ms later and so send one less. What was sent is waited for.
		"too few workers": {scenarios.LoadSpec{Workers: 5, Rate: 1000, Duration: scenarios.Duration(5 * time.Second)}, 50 * time.Millisecond, 5300 * time.Millisecond, 106 + 4*105, 5000 - 526, 0, true},
		// Two each second until 3 s: at 0, 1 and 2 s, and those that are sent at 3 s are broken off at once.
		"a drain of its own": {scenarios.LoadSpec{Workers: 2, Rate: 20, Duration: scenarios.Duration(time.Second), Drain: scenarios.Duration(2500 * time.Millisecond)}, time.Second, 3500 * time.Millisecond, 8, 12, 2, true},
		"nobody answers":     {scenarios.LoadSpec{Workers: 10, Rate: 5, Duration: scenarios.Duration(time.Second)}, time.Hour, time.Second + scenarios.DefaultDrain.Std(), 5, 0, 5, false},
		"closed":             {scenarios.LoadSpec{Model: scenarios.Closed, Workers: 3, Duration: scenarios.Duration(time.Second), Drain: scenarios.Duration(time.Second)}, time.Hour, 2 * time.Second, 3, 0, 3, false},
		"in time":            {scenarios.LoadSpec{Workers: 10, Rate: 20, Duration: scenarios.Duration(time.Second)}, 100 * time.Millisecond, 1050 * time.Millisecond, 20, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if row.spec.Operation = scenarios.Push; row.spec.Model == "" {
					row.spec.Model = scenarios.Constant
				}
				l := newLoad(row.spec, 1, &standIn{takes: func(int64) time.Duration { return row.takes }})
				require.Equal(t, row.lasts, l.run(t.Context()))
				o := l.operations(row.lasts)
				require.Equal(t, []int64{row.started, row.notSent, row.brokenOf}, []int64{o.Started, o.NotSent, o.BrokenOff})
				require.Equal(t, o.Started, o.Succeeded+o.Failed+o.BrokenOff)
				require.Equal(t, row.says, l.live(&liveView{}, row.lasts).Invalid != "")
			})
		})
	}
}

// TestWhatIsBrokenOffIsNoClaim: the fleet may have applied it, and that contradicts nothing.
func TestWhatIsBrokenOffIsNoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Rate: 2, Duration: scenarios.Duration(time.Second)}, 1, &standIn{takes: func(int64) time.Duration { return time.Hour }})
		l.run(t.Context())
		require.Equal(t, outcome{0, 0}, l.claims.of(0))
		require.True(t, l.claims.broken[0])
	})
}

// TestAnOpenLoadStartsItsWorkers: as many as it takes, and no more than it may.
func TestAnOpenLoadStartsItsWorkers(t *testing.T) {
	takes := func(int64) time.Duration { return 100 * time.Millisecond }
	spec := scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Rate: 1000, Duration: scenarios.Duration(time.Second)}
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(spec, 1, &standIn{takes: takes})
		require.Equal(t, 1099*time.Millisecond, l.run(t.Context()))
		_, plan := merged(l.recorders, spec)
		require.Zero(t, plan.starved.TotalCount())
		require.InDelta(t, 100, l.crowd.most.Load(), 1, "Little's law: 1,000 a second of 100 ms each")
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(spec, 1, &standIn{takes: takes})
		l.mostAuto = 40
		l.run(t.Context())
		require.EqualValues(t, 40, l.crowd.most.Load())
		require.NotZero(t, l.operations(0).NotSent)
	})
}

// TestALongOperationIsMeasured: 1 MiB at 8 kB/s takes 131 s, more than a histogram used to hold.
func TestALongOperationIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := scenarios.Default()
		spec.Load = scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Push, Workers: 1}
		l := newLoad(spec.Load, 3, &standIn{takes: func(int64) time.Duration { return 131 * time.Second }})
		l.recorders = newRecorders(spec.Load, longest(spec))
		l.run(t.Context())
		ops, _ := merged(l.recorders, spec.Load)
		require.Zero(t, ops[scenarios.Push].clipped)
		require.InEpsilon(t, 131e9, quantile(ops[scenarios.Push].response, 50), 0.002)
		require.InEpsilon(t, 131e9, quantile(ops[scenarios.Push].response, 99), 0.002)
	})
}

// TestLongest: no histogram ends below what the client's deadlines let an operation take.
func TestLongest(t *testing.T) {
	second := func(n int) scenarios.Duration { return scenarios.Duration(time.Duration(n) * time.Second) }
	for name, row := range map[string]struct {
		client scenarios.ClientSpec
		load   scenarios.LoadSpec
		want   time.Duration
	}{
		"the client's own deadline":   {scenarios.ClientSpec{}, scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Push}, 5 * time.Minute},
		"short":                       {scenarios.ClientSpec{TotalTimeout: second(1)}, scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Push}, leastLongest},
		"long":                        {scenarios.ClientSpec{TotalTimeout: second(3600)}, scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Verify}, time.Hour},
		"and the wait of a drain":     {scenarios.ClientSpec{TotalTimeout: second(3600)}, scenarios.LoadSpec{Model: scenarios.Constant, Rate: 1, Operation: scenarios.Verify, Drain: second(60)}, time.Hour + time.Minute},
		"and of a burst's queue":      {scenarios.ClientSpec{TotalTimeout: second(100)}, scenarios.LoadSpec{Model: scenarios.Bursts, Burst: scenarios.Burst{Size: 10}, Workers: 5, Operation: scenarios.Push}, 330 * time.Second},
		"one attempt of a delivery":   {scenarios.ClientSpec{TotalTimeout: second(90), RetryCap: second(10), PollFor: second(50), MaxAttempts: 1}, scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Deliver}, 350 * time.Second},
		"whatever the client may try": {scenarios.ClientSpec{TotalTimeout: scenarios.MaxTimeout, MaxAttempts: scenarios.MaxAttempts}, scenarios.LoadSpec{Model: scenarios.Once, Operation: scenarios.Deliver}, mostLongest},
	} {
		require.Equal(t, row.want, longest(scenarios.Spec{Client: row.client, Load: row.load}), name)
	}
}

// TestHungDevicesAreLeftAlone: what doesn't answer before the load holds nobody up.
func TestHungDevicesAreLeftAlone(t *testing.T) {
	s := small()
	s.Fleet.Devices, s.Repetitions, s.Warmup, s.Profiled = 40, 1, 0, 0
	s.Fleet.Groups = []mockfleet.Group{{Name: "hung", Share: 0.05, Behavior: mockfleet.Behavior{Faults: []mockfleet.Fault{{Kind: "blackhole"}}}}}
	s.Client.AnswerTimeout = scenarios.Duration(time.Minute)
	s.Load = scenarios.LoadSpec{Model: scenarios.Constant, Operation: scenarios.Push, Rate: 10, Duration: scenarios.Duration(100 * time.Millisecond), Drain: scenarios.Duration(100 * time.Millisecond), Workers: 8}
	o, watch := options(t, s), &steps{}
	o.Watcher = watch
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NotEmpty(t, watch.prepared)
	require.Regexp(t, `^opening connections \d+/40$`, watch.prepared[0])
	require.NotEqual(t, "opening connections 40/40", watch.prepared[0])
	require.Contains(t, res.Run.Notes, "2 of 40 devices did not answer within 500ms before the load, so that their connections were opened in it")
}

// TestADeviceThatAnswersTheLoadIsForgiven: the machine may have been slow when its connection was opened.
func TestADeviceThatAnswersTheLoadIsForgiven(t *testing.T) {
	r := &runner{claims: newClaims(3), unopened: map[int]bool{0: true, 1: true, 2: true}}
	r.claims.succeeded(1)
	r.claims.failed(2)
	r.forgive()
	require.Equal(t, map[int]bool{0: true, 2: true}, r.unopened)
}

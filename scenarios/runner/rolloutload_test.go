package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

func rollingOut() scenarios.Spec {
	s := small()
	s.Fleet.Devices = 400
	s.Repetitions, s.Warmup, s.Profiled = 2, 0, 0
	s.Load.Model = scenarios.Rollout
	s.Load.Rollout = scenarios.RolloutSpec{Waves: []scenarios.WaveSpec{{Share: 0.05}, {Share: 1}}, AbortShare: 0.2,
		AbortMinimum: 5}
	return s
}

func TestARolloutReachesEveryDevice(t *testing.T) {
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		s := rollingOut()
		s.Client.Transport = transport
		res, err := Run(t.Context(), options(t, s))
		require.NoError(t, err)
		require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
		require.Equal(t, results.Counts{Devices: 400, Updated: 400}, res.Run.Counts)
		require.Empty(t, res.Run.Notes)
		require.Len(t, res.Records, 6, "push, verify and deliver of two repetitions")
		whole := res.Records[2]
		requests, _ := whole.Value("requests/device")
		failed, ok := whole.Value("failed/fleet")
		require.True(t, ok)
		require.Equal(t, []float64{2, 0}, []float64{requests, failed})
	}
}

// TestARolloutStopsWithItsCanaries checks that a rollout of an update that devices can't install
// stops with its first wave, and that the other devices receive nothing.
func TestARolloutStopsWithItsCanaries(t *testing.T) {
	s := rollingOut()
	s.Repetitions = 1
	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "failed-install", Share: 0.6, Delay: must(random.Fixed(1e6))}}
	s.Client.MaxAttempts, s.Client.PollInterval, s.Client.RetryBase = 1, 1e6, 1e6
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	require.Regexp(t, `^rollout stopped in wave 1 \(5%\): \d+ of \d+ devices failed \(\d+ integrity\), .* not reached$`,
		res.Run.Notes[0])
	require.Less(t, res.Run.Counts.Failed, 40)
	require.NotZero(t, res.Run.Counts.Failed)
	failed, ok := res.Records[2].Value("failed/fleet")
	require.True(t, ok)
	require.InDelta(t, float64(res.Run.Counts.Failed)/400, failed, 1e-9)
}

// TestClientsAsTheyAreShipped checks that a client has the defaults that depend on the clock only
// if its scenario asks for them.
func TestClientsAsTheyAreShipped(t *testing.T) {
	var asShipped delivery.Config
	cfg := scenarios.ClientSpec{Transport: delivery.Lean, Defaults: scenarios.Shipped}.Config()
	require.Equal(t, []any{asShipped.Budget, asShipped.Breaker, asShipped.Retry},
		[]any{cfg.Budget, cfg.Breaker, cfg.Retry})
	cfg = scenarios.ClientSpec{Transport: delivery.Lean}.Config()
	require.True(t, cfg.Budget.Off)
	require.Equal(t, -1, cfg.Breaker.Failures)
}

// TestDevicesOfARolloutHaveFurtherTurns checks a rollout in which half of the devices reject the
// update in their first two turns. Each device counts once.
func TestDevicesOfARolloutHaveFurtherTurns(t *testing.T) {
	s := rollingOut()
	s.Fleet.Devices, s.Repetitions = 100, 1
	busy := behavior.Behavior{Faults: []fault.Fault{{Kind: "status-503", First: 2}}}
	s.Fleet.Groups = []behavior.Group{{Name: "busy", Share: 0.5, Behavior: busy}}
	s.Client.MaxAttempts, s.Client.RetryBase = 1, 1e6
	s.Load.Rollout = scenarios.RolloutSpec{Requeue: scenarios.RequeueSpec{Turns: 2, After: 5e6}}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	require.Equal(t, results.Counts{Devices: 100, Updated: 100}, res.Run.Counts)
	s.Load.Rollout.Requeue.Turns = -1
	res, err = Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 100, Updated: 50, Failed: 50}, res.Run.Counts)
}

// requireLateAtMost checks that nothing is wrong with a run, except that the fleet may be late on a
// busy machine.
func requireLateAtMost(t *testing.T, run results.Run) {
	t.Helper()
	for _, reason := range run.Invalid {
		require.Regexp(t, `^the fleet was the bottleneck: .*late`, reason)
	}
}

// TestAStoppedRolloutFails checks that a rollout that stops fails its run, unless the scenario's
// thresholds say that it should stop.
func TestAStoppedRolloutFails(t *testing.T) {
	s := rollingOut()
	s.Repetitions = 1
	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "status-403"}}
	s.Client.MaxAttempts = 1
	for _, said := range []string{"", "stopped == 1", "updated/fleet == 0"} {
		s.Thresholds = nil
		if said != "" {
			var threshold scenarios.Threshold
			require.NoError(t, threshold.UnmarshalText([]byte(said)))
			s.Thresholds = []scenarios.Threshold{threshold}
		}
		res, err := Run(t.Context(), options(t, s))
		require.NoError(t, err)
		requireLateAtMost(t, res.Run)
		whole := res.Records[len(res.Records)-1]
		for unit, want := range map[string]float64{"stopped": 1, "updated/fleet": 0, "failed/device": 1} {
			v, ok := whole.Value(unit)
			require.True(t, ok, unit)
			require.Equal(t, want, v, unit)
		}
		last := res.Run.Thresholds[len(res.Run.Thresholds)-1]
		require.Equal(t, said == "stopped == 1", last.Held, "%+v", last)
		require.Equal(t, "stopped", last.Unit)

		require.Len(t, res.Run.Rollouts, 1)
		waves := res.Run.Rollouts[0].Waves
		require.Len(t, waves, 1)
		w := waves[0]
		require.Equal(t, []int{1, 20, 0}, []int{w.Number, w.Size, w.Updated}, "5% of 400")
		require.True(t, w.Stopped)
		require.Regexp(t, `^stopped: \d+ of \d+ finished devices failed \(\d+ permanent\), 100%: want less than 20%$`, w.Why)
		require.Equal(t, w.Failed, res.Run.Counts.Failed)
		run, err := rundir.Load(res.Directory)
		require.NoError(t, err)
		require.Equal(t, res.Run.Rollouts, run.Rollouts)
		require.Equal(t, res.Records, run.Records)
	}
}

// TestWavesSayWhyTheyPassed checks the reason that each wave gives, and the notes about waves that
// are judged only at their end.
func TestWavesSayWhyTheyPassed(t *testing.T) {
	s := rollingOut()
	s.Repetitions = 1
	s.Load.Rollout = scenarios.RolloutSpec{Waves: []scenarios.WaveSpec{{Share: 0.03},
		{Share: 0.5, Soak: scenarios.Duration(time.Millisecond)}, {Share: 1}}, AbortShare: 0.2}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Equal(t, []string{"wave 1 (3%, 12 devices) is smaller than load.rollout.abort_least (20): it is judged only at its end, and 3 failed devices of it stop the rollout"}, res.Run.Notes)
	waves := res.Run.Rollouts[0].Waves
	require.Len(t, waves, 3)
	require.False(t, res.Run.Rollouts[0].Stopped)
	for i, size := range []int{12, 188, 200} {
		w := waves[i]
		require.Equal(t, []int{i + 1, size, size, size, 0}, []int{w.Number, w.Size, w.Reached, w.Updated, w.Failed})
		require.Equal(t, "passed: 0% failed, less than 20%", w.Why)
	}
	require.GreaterOrEqual(t, waves[1].SoakNS, int64(time.Millisecond))
	require.Zero(t, waves[0].SoakNS+waves[2].SoakNS)
	require.True(t, res.Run.Thresholds[0].Held, "stopped == 0")
}

// TestASmallWaveIsJudgedAtItsEnd checks that all 4 devices of a small wave are tried before the
// rollout stops. Devices that are tried again count once.
func TestASmallWaveIsJudgedAtItsEnd(t *testing.T) {
	s := rollingOut()
	s.Repetitions, s.Client.MaxAttempts, s.Client.RetryBase = 1, 1, 1e6
	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "status-503"}}
	s.Load.Rollout = scenarios.RolloutSpec{Waves: []scenarios.WaveSpec{{Share: 0.01}, {Share: 1}}, AbortShare: 0.3,
		Requeue: scenarios.RequeueSpec{Turns: 2, After: 1e6}}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	requireLateAtMost(t, res.Run)
	require.Equal(t, "wave 1 (1%, 4 devices) is smaller than load.rollout.abort_least (20): it is judged only at its end, and 2 failed devices of it stop the rollout", res.Run.Notes[0])
	waves := res.Run.Rollouts[0].Waves
	require.Len(t, waves, 1)
	w := waves[0]
	require.Equal(t, []int{4, 4, 0, 4}, []int{w.Size, w.Reached, w.Updated, w.Failed})
	require.Equal(t, "stopped: 4 of 4 finished devices failed (4 throttled), 100%: want less than 30%", w.Why)
	reached, _ := res.Records[len(res.Records)-1].Value("reached/fleet")
	require.Equal(t, 0.01, reached)
}

// TestSizesOfWaves checks that each wave differs from its share by less than one device, and has at
// least one.
func TestSizesOfWaves(t *testing.T) {
	for _, row := range []struct {
		shares  []random.Share
		devices int
		want    []int
	}{
		{nil, 7, []int{7}},
		{[]random.Share{0.01, 0.1, 1}, 500, []int{5, 45, 450}},
		{[]random.Share{0.01, 0.02, 1}, 20, []int{1, 1, 18}},
		{[]random.Share{0.5, 0.9, 1}, 3, []int{1, 1, 1}},
		{[]random.Share{0.01, 0.02, 0.03, 1}, 3, []int{1, 1, 1}},
		{[]random.Share{0.25}, 10, []int{3}},
	} {
		var s scenarios.RolloutSpec
		for _, share := range row.shares {
			s.Waves = append(s.Waves, scenarios.WaveSpec{Share: share})
		}
		require.Equal(t, row.want, waveSizes(s, row.devices), "%v of %d", row.shares, row.devices)
	}
}

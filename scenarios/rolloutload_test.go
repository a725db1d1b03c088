package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

func rollingOut() Spec {
	s := small()
	s.Fleet.Devices = 400
	s.Repetitions, s.Warmup, s.Profiled = 2, 0, 0
	s.Load.Model = Rolling
	s.Load.Rollout = RolloutSpec{Waves: []WaveSpec{{Share: 0.05}, {Share: 1}}, AbortShare: 0.2, AbortLeast: 5}
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

// A rollout of an update that devices can't install stops with its canaries: the others
// never hear of it.
func TestARolloutStopsWithItsCanaries(t *testing.T) {
	s := rollingOut()
	s.Repetitions = 1
	s.Fleet.Behavior.Faults = []mockfleet.Fault{{Kind: "failed-install", Share: 0.6, Delay: must(mockfleet.Fixed(1e6))}}
	s.Client.MaxAttempts, s.Client.Poll, s.Client.RetryBase = 1, 1e6, 1e6
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	require.Regexp(t, `^rollout stopped in wave 1 \(5%\): \d+ of \d+ devices failed \(\d+ integrity\), .* not reached at least$`, res.Run.Notes[0])
	require.Less(t, res.Run.Counts.Failed, 40)
	require.NotZero(t, res.Run.Counts.Failed)
	failed, ok := res.Records[2].Value("failed/fleet")
	require.True(t, ok)
	require.InDelta(t, float64(res.Run.Counts.Failed)/400, failed, 1e-9)
}

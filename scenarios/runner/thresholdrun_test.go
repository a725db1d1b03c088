package runner

import (
	"testing"
	"time"

	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/stretchr/testify/require"
)

func TestARunIsHeldAgainstItsThresholds(t *testing.T) {
	s := small()
	s.Profiled = 0
	for _, text := range []string{"failed/device == 0", "p99-ns/op < 1ns", "ops/s > 1/h"} {
		var threshold scenarios.Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(text)))
		s.Thresholds = append(s.Thresholds, threshold)
	}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	require.Len(t, res.Run.Thresholds, 3)
	require.Equal(t, []bool{true, false, true},
		[]bool{res.Run.Thresholds[0].Held, res.Run.Thresholds[1].Held, res.Run.Thresholds[2].Held})
	require.Greater(t, res.Run.Thresholds[1].Value, float64(time.Microsecond))
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, res.Run.Thresholds, run.Thresholds)
	plain := s
	plain.Thresholds = nil
	with, err := WorkloadDigest(t.Context(), s)
	require.NoError(t, err)
	without, err := WorkloadDigest(t.Context(), plain)
	require.NoError(t, err)
	require.Equal(t, without, with, "thresholds aren't part of the workload")
}

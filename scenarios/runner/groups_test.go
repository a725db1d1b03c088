package runner

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// grouped is a scenario of 50 devices: 10 answer each update after 50 ms, 5 reject every update, 5
// reject the first one, and the rest are healthy.
func grouped() scenarios.Spec {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 2, 0, 0
	s.Fleet.Devices = 50
	s.Fleet.Groups = []behavior.Group{
		{Name: "slow", Share: 0.2, Behavior: behavior.Behavior{Latency: must(random.Fixed(50 * time.Millisecond))}},
		{Name: "broken", Share: 0.1, Behavior: behavior.Behavior{Faults: []fault.Fault{{Kind: "status-400"}}}},
		{Name: "flaky", Share: 0.1, Behavior: behavior.Behavior{FailFirst: 1}},
	}
	s.Client.RetryBase, s.Client.RetryCap = scenarios.Duration(time.Millisecond), scenarios.Duration(time.Millisecond)
	return s
}

// TestGroups checks that what is measured of each group is what the group's behavior says.
func TestGroups(t *testing.T) {
	s := grouped()
	for _, text := range []string{
		"p50-ns/op{group=slow, min=10} >= 50ms", "failed/device{group=slow} == 0", "failed/device{group=broken} == 1",
		"retries/device{group=flaky} == 1", "retries/device{group=rest} == 0", "p50-ns/op{group=broken} < 1h",
		"failed/device == 10%",
	} {
		var threshold scenarios.Threshold
		require.NoError(t, threshold.UnmarshalText([]byte(text)))
		s.Thresholds = append(s.Thresholds, threshold)
	}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	requireIntervals(t, res.Directory)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Len(t, run.Groups, 8, "four groups in two repetitions")
	for i, want := range slices.Repeat([]results.Group{
		{Name: "slow", Counts: results.Counts{Devices: 10, Updated: 10}, Succeeded: 10},
		{Name: "broken", Counts: results.Counts{Devices: 5, Failed: 5}, Failed: 5,
			Failures: map[string]int64{"permanent": 5}},
		{Name: "flaky", Counts: results.Counts{Devices: 5, Updated: 5}, Succeeded: 5},
		{Name: "rest", Counts: results.Counts{Devices: 30, Updated: 30}, Succeeded: 30},
	}, 2) {
		got := run.Groups[i]
		require.Equal(t, 1+i/4, got.Repetition)
		operations := got.Operations
		got.Repetition, got.Operations = 0, nil
		require.Equal(t, want, got)
		require.Len(t, operations, 3)
		for j, op := range []string{"push", "verify", "deliver"} {
			o := operations[j]
			require.Equal(t, op, o.Op)
			require.Equal(t, want.Succeeded, o.Succeeded)
			for _, unit := range []string{"ns/op", "p50-ns/op", "p75-ns/op", "p90-ns/op", "p95-ns/op", "p99-ns/op",
				"p99.9-ns/op",
				"max-ns/op", "service-p99-ns/op"} {
				require.Equal(t, want.Succeeded > 0, o.Metrics[unit] > 0, unit)
			}
		}
		whole := operations[2].Metrics
		require.Equal(t, map[string]float64{"slow": 0, "broken": 1, "flaky": 0, "rest": 0}[want.Name], whole["failed/device"])
		require.Equal(t, map[string]float64{"slow": 0, "broken": 0, "flaky": 1, "rest": 0}[want.Name],
			whole["retries/device"])
		if want.Name == "slow" { // its devices answer no earlier
			require.GreaterOrEqual(t, operations[0].Metrics["p50-ns/op"], 50e6)
			require.GreaterOrEqual(t, whole["p50-ns/op"], 50e6)
		}
	}
	var held []bool
	for _, o := range run.Thresholds {
		held = append(held, o.Held)
	}
	require.Equal(t, []bool{true, true, true, true, true, false, true}, held, "none of the broken devices has a time")
	require.False(t, run.Thresholds[5].Measured)
	require.Equal(t, "broken", run.Thresholds[5].Group)
}

// TestGroups_ofOneGroup checks that a group of all devices is the whole, and that there is no rest.
func TestGroups_ofOneGroup(t *testing.T) {
	s := grouped()
	s.Repetitions = 1
	s.Fleet.Groups = []behavior.Group{{Name: "all-of-them", Share: 1}}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	requireIntervals(t, res.Directory)
	require.Len(t, res.Run.Groups, 1)
	require.Equal(t, res.Run.Counts, res.Run.Groups[0].Counts)
}

// TestGroups_ofASearch checks that the groups of a search for the limit are those of the trial that
// was kept.
func TestGroups_ofASearch(t *testing.T) {
	s := searching(0)
	s.Load.Rate, s.Load.Breakpoint.To, s.Load.Breakpoint.TrialDuration = 200, 400, scenarios.MinTrialDuration
	s.Fleet.Groups = []behavior.Group{{Name: "a", Share: 0.25}}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	if len(res.Records) == 0 { // on a busy machine, no rate may hold
		require.Empty(t, res.Run.Groups)
		return
	}
	requireIntervals(t, res.Directory)
	require.Len(t, res.Run.Groups, 2)
	require.Equal(t, []int{5, 15}, []int{res.Run.Groups[0].Counts.Devices, res.Run.Groups[1].Counts.Devices})
	require.Equal(t, res.Run.Operations[0].Succeeded, res.Run.Groups[0].Succeeded+res.Run.Groups[1].Succeeded)
}

// TestGroups_elsewhere checks that groups of a fleet that somebody else started are those that its
// control port names, and that a note says so if nobody can know them.
func TestGroups_elsewhere(t *testing.T) {
	s := grouped()
	s.Repetitions = 1
	s.Fleet.Addressing = address.Path
	cfg := s.FleetConfig()
	cfg.Devices, cfg.Seed = 60, 77 // larger than the scenario's, and with other members
	cfg.Groups = []behavior.Group{{Name: "lame", Share: 0.5, Behavior: cfg.Groups[1].Behavior}}
	f, err := mockfleet.Start(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	lame := 0
	for i := range 50 {
		d, err := f.Device(i)
		require.NoError(t, err)
		if d.Group == "lame" {
			lame++
		}
	}
	o := options(t, s)
	o.Target.Address, o.Target.Control, o.Target.Token = f.Ready().Address, f.Ready().Control, f.Ready().Token
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, res.Run.Groups, 2)
	require.Equal(t, results.Counts{Devices: lame, Failed: lame}, res.Run.Groups[0].Counts)
	require.Equal(t, results.Counts{Devices: 50 - lame, Updated: 50 - lame}, res.Run.Groups[1].Counts)
	requireIntervals(t, res.Directory)

	o.Target.Control, o.Target.Token = "", ""
	res, err = Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, res.Run.Groups)
	require.Contains(t, res.Run.Notes,
		"there are no results by group: only the fleet's control port says which device is in which group")
}

// TestWaves checks that the waves of a rollout have the times of their deliveries, and follow each
// other.
func TestWaves(t *testing.T) {
	s := rollingOut()
	s.Repetitions = 1
	s.Load.Rollout.Waves[0].Soak = scenarios.Duration(20 * time.Millisecond)
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	waves := res.Run.Rollouts[0].Waves
	require.Len(t, waves, 2)
	require.Equal(t, []int64{20, 380}, []int64{waves[0].Succeeded, waves[1].Succeeded})
	end := int64(0)
	for _, w := range waves {
		require.GreaterOrEqual(t, w.BeganNS, end)
		require.Greater(t, w.EndedNS, w.BeganNS)
		end = w.EndedNS + w.SoakNS
		require.Positive(t, w.P50NS)
		require.GreaterOrEqual(t, w.P99NS, w.P50NS)
		require.GreaterOrEqual(t, w.MaxNS, w.P99NS)
		require.LessOrEqual(t, w.MaxNS, w.EndedNS-w.BeganNS+w.EndedNS/1000, "a delivery is within its wave, but for rounding")
	}
	require.GreaterOrEqual(t, waves[0].SoakNS, int64(20e6))
}

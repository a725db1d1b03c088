package runner

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A deviceEnd is what a run did to one device: what the client claims, and what the device saw.
type deviceEnd struct {
	Client                                              load.Outcome
	Group, Version, Digest                              string
	Pushes, Applied, Rejected, FalseAcks, Verifies, Odd uint32
	Faults                                              string
}

// ends runs the load of a scenario once, and returns the end of each device by its ID.
func ends(t *testing.T, s scenarios.Spec, into map[string]deviceEnd) results.Counts {
	t.Helper()
	session, err := openSession(t.Context(), options(t, s))
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	m, err := session.Repeat(t.Context(), s.Load, WarmUp, nil)
	require.NoError(t, err)
	require.Empty(t, m.Findings)
	devices := session.target.Devices()
	for e, err := range session.target.Witness().Ledger(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, e.ID, devices.At(e.Device).ID)
		require.NotContains(t, into, e.ID)
		faults, err := json.Marshal(e.Faults)
		require.NoError(t, err)
		into[e.ID] = deviceEnd{
			Client: session.claims.Of(e.Device), Group: e.Group, Version: e.Version, Digest: e.Digest,
			Pushes: e.Pushes, Applied: e.Applied, Rejected: e.Rejected, FalseAcks: e.FalseAcks, Verifies: e.Verifies,
			Odd: e.AppliedTwice + e.Misdirected, Faults: string(faults),
		}
	}
	require.Equal(t, devices.Len(), m.Counts.Devices)
	return m.Counts
}

// faulty is a scenario in which much goes wrong, and nothing that depends on times.
func faulty() scenarios.Spec {
	s := small()
	s.Fleet.Devices = 101
	s.Client.RetryBase, s.Client.RetryCap = scenarios.Duration(time.Millisecond), scenarios.Duration(time.Millisecond)
	some := func(kind string, share random.Share, first int) fault.Fault {
		return fault.Fault{Kind: kind, Share: share, First: first}
	}
	s.Fleet.Behavior.Faults = []fault.Fault{some("status-503", 0.2, 2), some("corrupt", 0.2, 1)}
	s.Fleet.Groups = []behavior.Group{
		{Name: "broken", Share: 0.1, Behavior: behavior.Behavior{Faults: []fault.Fault{some("status-400", 0.5, 0)}}},
		{Name: "flaky", Share: 1.0 / 3, Behavior: behavior.Behavior{FailFirst: 1}},
		{Name: "liars", Share: 0.2, Behavior: behavior.Behavior{Faults: []fault.Fault{
			some("ok-but-not-applied", 0.4, 1), some("applied-but-lost", 0.4, 1), some("wrong-version", 0.4, 1),
		}}},
	}
	return s
}

// TestShardsAreTheWholeRun checks that the runs of all shards together do to each device what one
// run does, and that their clients are told the same by it.
func TestShardsAreTheWholeRun(t *testing.T) {
	once, constant, rounds := faulty(), faulty(), small()
	once.Load.Model, once.Load.Workers = scenarios.Once, 9
	constant.Load.Model, constant.Load.Rate, constant.Load.Workers = scenarios.ConstantRate, 1000, 0
	rounds.Fleet.Devices, rounds.Load.Operation = 23, delivery.OpPush
	rounds.Load = scenarios.LoadSpec{
		Model: scenarios.Poisson, Operation: delivery.OpPush, Rate: 200, Duration: scenarios.Duration(500 * time.Millisecond),
	}
	for name, s := range map[string]scenarios.Spec{"once": once, "constant": constant, "rounds": rounds} {
		seeds := 3
		if testenv.Raced {
			seeds = 1
		}
		for seed := range seeds {
			s.Seed = uint64(seed + 1)
			want := map[string]deviceEnd{}
			counted := ends(t, s, want)
			if name != "rounds" {
				require.Len(t, want, s.Fleet.Devices)
				require.NotZero(t, counted.Failed)
			}
			for _, count := range []int{2, 7} {
				got := map[string]deviceEnd{}
				var sum results.Counts
				for index := range count {
					s.Shard = scenarios.ShardSpec{Index: index, Count: count}
					part := ends(t, s, got)
					sum.Devices, sum.Updated, sum.Failed = sum.Devices+part.Devices, sum.Updated+part.Updated, sum.Failed+part.Failed
				}
				s.Shard = scenarios.ShardSpec{}
				require.Equal(t, want, got, "%s, seed %d in %d", name, seed, count)
				require.Equal(t, counted, sum)
			}
		}
	}
}

// TestTheDirectoryOfAShard checks what a shard's run directory says: the whole scenario, the
// shard's devices, and their numbers in the whole.
func TestTheDirectoryOfAShard(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Fleet.Devices, s.Fleet.Capacity = 10, 3000
	s.Fleet.Behavior.Faults = []fault.Fault{{Kind: "status-400"}}
	whole, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	s.Shard = scenarios.ShardSpec{Index: 1, Count: 3}
	res, err := Run(t.Context(), options(t, s))
	require.NoError(t, err)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, 3, run.Counts.Devices)
	require.Equal(t, 3, run.Counts.Failed)
	var spec scenarios.Spec
	require.NoError(t, json.Unmarshal(run.Spec, &spec))
	require.Equal(t, s.Shard, spec.Shard)
	require.Equal(t, 4, spec.Load.Workers)
	require.EqualValues(t, 3000, spec.Fleet.Capacity)
	require.Equal(t, 10, spec.Fleet.Devices)
	require.NotEqual(t, whole.Run.WorkloadDigest, run.WorkloadDigest)

	var numbers []int
	for line := range strings.Lines(string(must(os.ReadFile(filepath.Join(res.Directory, rundir.FailuresFile))))) {
		var f Failure
		require.NoError(t, json.Unmarshal([]byte(line), &f))
		require.EqualValues(t, 1, f.Fleet.Rejected)
		numbers = append(numbers, f.Device)
	}
	require.ElementsMatch(t, []int{1, 4, 7}, numbers)
}

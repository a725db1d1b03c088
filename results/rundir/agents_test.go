package rundir

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestAgents_roundTrip checks that a merged run is read as it was written, and fixes the keys.
func TestAgents_roundTrip(t *testing.T) {
	d, run := newDirectory(t), testRun()
	run.Machine.Agents, run.Machine.Machines = 2, 1
	counts := results.Counts{Devices: 2500, Updated: 2499, Failed: 1}
	run.Agents = &results.Agents{
		Count: 2, LeaseNS: 3e9, MaxSkewNS: 5e6, SkewNS: 4e5, SkewErrorNS: 1e5,
		Starts: []results.StartSkew{{Phase: "timed", Repetition: 1, SkewNS: 4e5}},
		List: []results.Agent{
			{
				Name: "a", Host: "one", Revision: "5d3d764", Directory: "x", Role: results.RoleBoth, CPUs: 2, Machine: "0123456789ab",
				ClockOffsetNS: -7, ClockErrorNS: 9, StartLateNS: 11, Devices: 2500, Counts: counts, Operations: 6000, Rate: 199.5,
				PlannedRate: 200, P50NS: 1, P99NS: 2, LatenessP99NS: 3, CPUNSPerOp: 4.5, SentPerSecond: 5.5, ReceivedPerSecond: 6.5,
				Status: results.AgentStopped, Problem: "agent b was lost",
			},
			{
				Name: "b", Index: 1, Role: results.RoleFleet, Status: results.AgentLost,
				Lost: &results.AgentLoss{Phase: "timed", Repetition: 2, Time: testStart.Add(time.Second), SilentNS: 3e9},
			},
		},
	}
	require.NoError(t, d.WriteRun(run))
	loaded, err := Load(d.Path())
	require.NoError(t, err)
	require.Equal(t, run.Agents, loaded.Agents)
	require.Equal(t, run.Machine, loaded.Machine)

	text, err := os.ReadFile(filepath.Join(d.Path(), RunFile))
	require.NoError(t, err)
	var keys struct{ Agents map[string]any }
	require.NoError(t, json.Unmarshal(text, &keys))
	written, err := json.Marshal(keys.Agents)
	require.NoError(t, err)
	require.JSONEq(t, `{"count":2,"lease_ns":3000000000,"max_skew_ns":5000000,"skew_ns":400000,"skew_error_ns":100000,
		"starts":[{"phase":"timed","repetition":1,"skew_ns":400000}],
		"list":[{"name":"a","index":0,"host":"one","revision":"5d3d764","directory":"x","role":"both","cpus":2,"machine":"0123456789ab",
			"clock_offset_ns":-7,"clock_error_ns":9,"start_late_ns":11,"devices":2500,
			"counts":{"devices":2500,"updated":2499,"failed":1,"lost":0,"applied_twice":0},"operations":6000,"rate":199.5,"planned_rate":200,
			"p50_ns":1,"p99_ns":2,"lateness_p99_ns":3,"cpu_ns_per_op":4.5,"sent_bytes_per_second":5.5,"received_bytes_per_second":6.5,
			"status":"stopped","problem":"agent b was lost"},
			{"name":"b","index":1,"role":"fleet","cpus":0,"clock_offset_ns":0,"clock_error_ns":0,"start_late_ns":0,"devices":0,
			"counts":{"devices":0,"updated":0,"failed":0,"lost":0,"applied_twice":0},"operations":0,"rate":0,
			"p50_ns":0,"p99_ns":0,"lateness_p99_ns":0,"cpu_ns_per_op":0,"sent_bytes_per_second":0,"received_bytes_per_second":0,
			"status":"lost","lost":{"phase":"timed","repetition":2,"time":"2026-11-23T08:27:01Z","silent_ns":3000000000}}]}`, string(written))
}

//go:build !race

package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Not under the race detector: there, sync.Pool drops what it is given at random.

func TestAnAnswerAllocatesNothing(t *testing.T) {
	for _, p := range hotPaths {
		t.Run(p.name, func(t *testing.T) {
			c, memory := replay(behavior.Behavior{}, p.request)
			answerOnce(t, c)
			require.Contains(t, string(memory.wrote), p.want)
			// A garbage collection may empty the pools, and refilling them costs a few allocations.
			// In 1,000 runs these average to less than one, which AllocsPerRun rounds down to 0.
			require.Zero(t, testing.AllocsPerRun(1000, func() { answerOnce(t, c) }))
		})
	}
}

// TestAnAnswerWithABehaviorAllocatesLittle checks that an answer costs at most two
// allocations if devices have behaviors: for the side state of the device while it installs or
// reboots.
func TestAnAnswerWithABehaviorAllocatesLittle(t *testing.T) {
	var life behavior.InstallTimes
	require.NoError(t, life.Install.UnmarshalText([]byte("1ns")))
	for name, test := range map[string]struct {
		behavior behavior.Behavior
		most     float64
	}{
		"a fault that acts no more": {withFault(fault.Fault{Kind: "status-500", First: 1}), 0},
		"a fault that acts":         {withFault(fault.Fault{Kind: "wrong-version"}), 0},
		"a refusal":                 {withFault(fault.Fault{Kind: "status-503"}), 0},
		"a network":                 {behavior.Behavior{Network: behavior.Network{MaxRequests: 1 << 30}}, 0},
		"a life":                    {behavior.Behavior{Life: life}, 2},
	} {
		for _, p := range hotPaths[:3] {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				c, _ := replay(test.behavior, p.request)
				answerOnce(t, c)
				require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { answerOnce(t, c) }), test.most)
			})
		}
	}
}

func withFault(f fault.Fault) behavior.Behavior { return behavior.Behavior{Faults: []fault.Fault{f}} }

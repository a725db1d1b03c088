package health

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInterference checks shares worked out by hand, for the number of cores of this machine.
func TestInterference(t *testing.T) {
	cores := time.Duration(runtime.NumCPU())
	begin := time.Unix(1000, 0)
	at := func(second int, all, stolen, own time.Duration) *MachineCPU {
		return &MachineCPU{wall: begin.Add(time.Duration(second) * time.Second), all: all * cores, stolen: stolen * cores,
			own: own * cores}
	}
	const ms = time.Millisecond
	var i Interference

	// In the first second of 1,000 ms a core, processes used 900 ms and the run 700 of
	// these; the hypervisor took 50.
	first := i.Add(at(0, 5000*ms, 100*ms, 3000*ms), at(1, 5900*ms, 150*ms, 3700*ms))
	require.InDelta(t, 0.20, first.OthersFraction, 1e-9)
	require.InDelta(t, 0.05, first.StolenFraction, 1e-9)

	// In the next three seconds, the run used 100 ms more than everything together, since the
	// clocks go in steps: 200-100 = 100 ms of others in 4,000.
	both := i.Add(at(9, 9000*ms, 150*ms, 5000*ms), at(12, 10000*ms, 150*ms, 6100*ms))
	require.InDelta(t, 0.025, both.OthersFraction, 1e-9)
	require.InDelta(t, 0.0125, both.StolenFraction, 1e-9)

	require.Nil(t, i.Add(nil, at(13, 0, 0, 0)), "not known before")
	require.Nil(t, i.Add(at(12, 0, 0, 0), nil), "not known after")

	// A process that is charged for interrupts leaves nothing of the total for others; the list of
	// processes shows 300 ms of 1,000 for others.
	listed := at(1, 10*ms, 0, 20*ms)
	listed.others = 300 * ms * cores
	var charged Interference
	require.InDelta(t, 0.3, charged.Add(at(0, 0, 0, 0), listed).OthersFraction, 1e-9)

	var negative Interference
	require.Zero(t, negative.Add(at(0, 0, 0, 0), at(1, 10*ms, 0, 20*ms)).OthersFraction)
}

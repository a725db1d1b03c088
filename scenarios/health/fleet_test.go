package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// TestCheckFleet checks that a fleet that was late is a finding unless others used much of the
// machine, and that a fleet that refused connections always is.
func TestCheckFleet(t *testing.T) {
	for name, row := range map[string]struct {
		problem   mockfleet.Problem
		disturbed bool
		saturated bool
	}{
		"late":               {mockfleet.Problem{Starved: true, Text: "it was late"}, false, true},
		"late, disturbed":    {mockfleet.Problem{Starved: true, Text: "it was late"}, true, false},
		"refused":            {mockfleet.Problem{Text: "it refused"}, false, true},
		"refused, disturbed": {mockfleet.Problem{Text: "it refused"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var after mockfleet.Status
			after.Health.Problems = []mockfleet.Problem{row.problem}
			h, findings := CheckFleet(mockfleet.Status{}, after, true, row.disturbed)
			require.Equal(t, row.saturated, h.Saturated)
			if !row.saturated {
				require.Empty(t, findings)
				return
			}
			require.Equal(t, []Finding{{FleetSaturated, row.problem.Text}}, findings)
			require.Equal(t, "the fleet was the bottleneck: "+row.problem.Text, findings[0].String())
		})
	}
}

// TestCheckFleet_cores checks that 0.95 n seconds of processor time in a second on n cores are too
// much, unless the time includes the driver's.
func TestCheckFleet_cores(t *testing.T) {
	cores := 1 / cpuFraction(time.Second, time.Second)
	status := func(uptime time.Duration, cpu float64) mockfleet.Status {
		return mockfleet.Status{Process: mockfleet.Process{Uptime: uptime, CPUSeconds: cpu}}
	}
	for name, row := range map[string]struct {
		uptime    time.Duration
		share     float64
		inProcess bool
		want      float64
		saturated bool
	}{
		"busy":              {time.Second, 0.95, false, 0.95, true},
		"not so busy":       {time.Second, 0.85, false, 0.85, false},
		"not for long":      {400 * time.Millisecond, 0.95, false, 0.95, false},
		"with the driver's": {time.Second, 0.95, true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := status(time.Minute, 7)
			after := status(time.Minute+row.uptime, 7+row.share*cores*row.uptime.Seconds())
			h, findings := CheckFleet(before, after, row.inProcess, false)
			require.InDelta(t, row.want, h.CPUFraction, 1e-6)
			require.Equal(t, row.saturated, h.Saturated)
			if row.saturated {
				require.Equal(t, []Finding{{FleetSaturated, "it used over 90% of all cores"}}, findings)
			}
		})
	}
}

func TestWorstFleet(t *testing.T) {
	a := results.FleetHealth{CPUFraction: 0.3, PeakResidentBytes: 9, WakeP90NS: 1, LateAnswers: 7, AcceptQueuePeak: 2,
		Descriptors: 8}
	b := results.FleetHealth{CPUFraction: 0.4, Saturated: true, PeakResidentBytes: 3, WakeP90NS: 5, LateAnswers: 6,
		AcceptQueuePeak: 4, Descriptors: 1}
	want := results.FleetHealth{CPUFraction: 0.4, Saturated: true, PeakResidentBytes: 9, WakeP90NS: 5, LateAnswers: 7,
		AcceptQueuePeak: 4, Descriptors: 8}
	require.Equal(t, want, WorstFleet(a, b))
	require.Equal(t, want, WorstFleet(b, a))
}

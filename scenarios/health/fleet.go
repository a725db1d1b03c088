package health

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// Limits beyond which the fleet, rather than the client, limits the load.
const (
	maxFleetFraction = 0.9                    // share of all cores
	minObserved      = 500 * time.Millisecond // a fleet must be observed for so long before its share counts
)

// CheckFleet returns how the fleet was in a repetition, and a finding for each way in which the
// fleet, rather than the client, limited the load. before and after are the fleet's status before
// and after the repetition. If inProcess is set, the fleet shares the driver's process, and its
// processor time is unknown. If disturbed is set, others used much of the machine, and CheckFleet
// ignores that the fleet was late.
func CheckFleet(before, after mockfleet.Status, inProcess, disturbed bool) (results.FleetHealth, []Finding) {
	observed := after.Uptime - before.Uptime // by the fleet's own clock
	h := results.FleetHealth{
		PeakResidentBytes: after.PeakResidentBytes, Descriptors: after.Descriptors,
		WakeP90NS: int64(after.Health.WakeP90), LateAnswers: after.Health.Late,
		AcceptQueuePeak: after.Health.AcceptQueuePeak,
	}
	if !inProcess {
		busy := time.Duration((after.CPUSeconds - before.CPUSeconds) * float64(time.Second))
		h.CPUFraction = cpuFraction(busy, observed)
	}
	var findings []Finding
	if h.CPUFraction > maxFleetFraction && observed > minObserved {
		text := fmt.Sprintf("it used over %.0f%% of all cores", 100*maxFleetFraction)
		findings = append(findings, Finding{FleetSaturated, text})
	}
	for _, problem := range after.Health.Problems { // problems since the reset before the repetition
		if problem.Starved && disturbed {
			continue // times are inconclusive then anyway, and counts stay right
		}
		findings = append(findings, Finding{FleetSaturated, problem.String()})
	}
	h.Saturated = len(findings) > 0
	return h, findings
}

// WorstFleet returns the worse of two repetitions, value by value.
func WorstFleet(a, b results.FleetHealth) results.FleetHealth {
	return results.FleetHealth{
		CPUFraction:       max(a.CPUFraction, b.CPUFraction),
		Saturated:         a.Saturated || b.Saturated,
		PeakResidentBytes: max(a.PeakResidentBytes, b.PeakResidentBytes),
		WakeP90NS:         max(a.WakeP90NS, b.WakeP90NS),
		LateAnswers:       max(a.LateAnswers, b.LateAnswers),
		AcceptQueuePeak:   max(a.AcceptQueuePeak, b.AcceptQueuePeak),
		Descriptors:       max(a.Descriptors, b.Descriptors),
	}
}

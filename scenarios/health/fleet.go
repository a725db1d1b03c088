package health

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// If a fleet exceeds these, it limits the load rather than the client.
const (
	maxFleetFraction = 0.9                    // of all cores
	minObserved      = 500 * time.Millisecond // a fleet must be observed for so long before its share counts
)

// CheckFleet returns how the fleet was in a repetition, and a finding for each way in which it,
// rather than the client, limited the load. It is given the fleet's status before and after.
// InProcess says that the fleet shares the driver's process, so that its processor time is unknown.
// If others disturbed the machine meanwhile, CheckFleet makes nothing of a fleet that was late.
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
	for _, problem := range after.Health.Problems { // since the reset before the repetition
		if problem.Starved && disturbed {
			continue // times are inconclusive then, and counts stay true
		}
		findings = append(findings, Finding{FleetSaturated, problem.String()})
	}
	h.Saturated = len(findings) > 0
	return h, findings
}

// WorstFleet returns the worst of two repetitions, value by value.
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

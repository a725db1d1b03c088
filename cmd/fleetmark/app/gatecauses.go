package app

import (
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// reportCauses returns the causes of a regression as a report shows them.
func reportCauses(causes []versus.Cause) (all []report.Cause) {
	for _, c := range causes {
		all = append(all, report.Cause(c))
	}
	return all
}

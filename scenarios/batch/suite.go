package batch

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// SuiteRow returns the run's row in the table of a suite.
func (r *Result) SuiteRow() report.SuiteRow {
	result := "passed"
	switch v := r.Judgement.Verdict; v {
	case results.Regressed:
		result = "failed"
	case results.Inconclusive, results.Invalid:
		result = string(v)
	}
	return report.SuiteRow{
		Test: r.Run.Scenario, Result: result, Passed: result == "passed",
		Duration: r.Run.Finished.Sub(r.Run.Started), Notes: r.note(),
	}
}

// note returns why the run failed, or else what it measured, as far as a line has room for it.
func (r *Result) note() string {
	run := r.Run
	switch summary := results.ThresholdSummary(run.Thresholds); {
	case len(run.Invalid) > 0:
		return run.Invalid[0]
	case summary != "":
		return summary
	case len(results.UndecidedThresholds(run.Thresholds)) > 0:
		return results.UndecidedSummary(run.Thresholds)
	case r.Judgement.Compared == results.Regressed || r.Judgement.Compared == results.Inconclusive:
		return report.ComparedSentence(r.Judgement)
	}
	c := run.Counts
	parts := []string{
		fmt.Sprintf("%s of %s devices updated", plaintext.Thousands(c.Updated), plaintext.Thousands(c.Devices)),
	}
	if c.Failed > 0 {
		parts = append(parts, plaintext.Thousands(c.Failed)+" failed")
	}
	medians := results.Medians(r.Records)
	for _, op := range []string{"deliver", "push", "verify"} {
		of, ok := medians[op]
		if _, whole := of[results.UnitRate]; !ok || !whole {
			continue
		}
		for _, shown := range []struct{ unit, name string }{
			{results.UnitP50, "p50 "}, {results.UnitThroughput, ""},
			{results.UnitRetries, "retries a device "}, {results.UnitFailedP99, "failures within "},
		} {
			v, ok := of[shown.unit]
			if ok && (v != 0 || shown.unit == results.UnitP50) {
				parts = append(parts, shown.name+results.FormatValue(v, shown.unit))
			}
		}
		break
	}
	return strings.Join(parts, ", ")
}

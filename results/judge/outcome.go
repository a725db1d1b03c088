package judge

import (
	"math"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// An outcome is what became of a run's devices, and who says so.
type outcome struct {
	results.Counts
	ClientsWordOnly bool
}

// opDevices stands in the place of an operation in the rows of device counts.
const opDevices = "devices"

// deviceRows compare what became of the devices with the baseline, exactly. Updated and failed are judged if
// every device had one operation on both sides (under a load that goes on for a time, the machine's speed
// decides how many there are) and as many failed in each of the baseline's repetitions.
func (c conditions) deviceRows(base *baseline.Scenario, now []results.Record) []Row {
	if c.Outcome == nil || !c.SameWorkload {
		return nil // the rows of metrics say so
	}
	old, run := base.Counts, c.Outcome.Counts
	once := oneOperationPerDevice(old, base.Records) && oneOperationPerDevice(run, now) && !failuresVary(base.Records)
	rows := []Row{}
	add := func(name string, better, old, now int) {
		row := Row{
			Scenario: base.Name, Op: opDevices, Unit: results.Unit{Name: name, Better: better, Exact: true, Class: results.ClassCount},
			Base: constantSummary(old, base.Repetitions), Now: constantSummary(now, c.Repetitions),
			Delta: results.RelativeChange(float64(old), float64(now)),
		}
		row.decideExact()
		rows = append(rows, row)
	}
	if once {
		add("updated", +1, old.Updated, run.Updated)
	}
	if once || old.Failed == 0 {
		add("failed", -1, old.Failed, run.Failed)
	}
	add("lost", -1, old.Lost, run.Lost)
	add("applied_twice", -1, old.AppliedTwice, run.AppliedTwice)
	if c.Outcome.ClientsWordOnly && !base.ClientsWordOnly {
		for i := range rows {
			if r := &rows[i]; r.Verdict != results.Regressed {
				r.Verdict, r.Reason = results.Inconclusive, Reason{Code: Unconfirmed}
			}
		}
	}
	return rows
}

// constantSummary is the summary of n samples that are all the same.
func constantSummary(count, n int) *results.Summary {
	v := float64(count)
	return &results.Summary{N: max(1, n), Median: v, Low: &v, High: &v}
}

// oneOperationPerDevice reports whether each repetition had as many operations as devices.
func oneOperationPerDevice(counts results.Counts, records []results.Record) bool {
	found := false
	for _, r := range records {
		share, ok := r.Value(results.UnitFailed)
		if !ok {
			continue
		}
		if share >= 1 || int(math.Round(float64(r.Ops)/(1-share))) != counts.Devices {
			return false
		}
		found = true
	}
	return found
}

// failuresVary reports whether the share that failed differs between repetitions.
func failuresVary(records []results.Record) bool {
	least, most := math.Inf(1), math.Inf(-1)
	for _, r := range records {
		if share, ok := r.Value(results.UnitFailed); ok {
			least, most = min(least, share), max(most, share)
		}
	}
	return least < most
}

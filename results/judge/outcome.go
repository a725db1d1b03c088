package judge

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// An outcome is the outcome of a run's devices.
type outcome struct {
	results.Counts
	Unconfirmed bool // only the client reports it, and no ledger confirms it
}

// opDevices takes the place of an operation in the rows of device counts.
const opDevices = "devices"

// deviceRows compares the outcome of the devices with the baseline's, exactly. The numbers of
// updated and failed devices are judged only if each device had one operation on both sides, and
// the same number failed in each of the baseline's repetitions. Under a load that ends by time,
// they would depend on the machine's speed.
func (c conditions) deviceRows(base *baseline.Scenario, now []results.Record) []Row {
	if c.Outcome == nil || !c.SameWorkload {
		return nil // the rows of metrics say why nothing is judged
	}
	old, run := base.Counts, c.Outcome.Counts
	once := oneOperationPerDevice(old, base.Records) && oneOperationPerDevice(run, now) && !failuresVary(base.Records)
	rows := []Row{}
	add := func(unit string, old, now int) {
		row := Row{
			Scenario: base.Name, Op: opDevices, Unit: results.DeviceCountUnit(unit),
			Base: constantSummary(old, base.Repetitions), Now: constantSummary(now, c.Repetitions),
			Delta: results.RelativeChange(float64(old), float64(now)),
		}
		row.decideExact()
		rows = append(rows, row)
	}
	if once {
		add(results.UnitUpdated, old.Updated, run.Updated)
	}
	if once || old.Failed == 0 {
		add(results.UnitFailures, old.Failed, run.Failed)
	}
	add(results.UnitLost, old.Lost, run.Lost)
	add(results.UnitAppliedTwice, old.AppliedTwice, run.AppliedTwice)
	if c.Outcome.Unconfirmed && !base.Unconfirmed {
		for i := range rows {
			if r := &rows[i]; r.Verdict != results.Regressed {
				r.Verdict, r.Reason = results.Inconclusive, Reason{Code: Unconfirmed}
			}
		}
	}
	return rows
}

// constantSummary returns the summary of n samples that are all the same.
func constantSummary(count, n int) *results.Summary {
	v := float64(count)
	return &results.Summary{N: max(1, n), Median: v, Low: &v, High: &v}
}

// oneOperationPerDevice reports whether each repetition had one operation for each device, and at
// least one succeeded.
func oneOperationPerDevice(counts results.Counts, records []results.Record) bool {
	loads := ofLoads(records)
	return len(loads) > 0 && !slices.ContainsFunc(loads, func(r results.Record) bool {
		return r.Ops == 0 || r.Ops+r.Failed != int64(counts.Devices)
	})
}

// failuresVary reports whether the number of failures differs between repetitions.
func failuresVary(records []results.Record) bool {
	loads := ofLoads(records)
	return slices.ContainsFunc(loads, func(r results.Record) bool { return r.Failed != loads[0].Failed })
}

// ofLoads returns the records that describe the whole load.
func ofLoads(records []results.Record) (loads []results.Record) {
	for _, r := range records {
		if _, ok := r.Value(results.UnitFailed); ok {
			loads = append(loads, r)
		}
	}
	return loads
}

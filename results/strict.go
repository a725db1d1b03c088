package results

import (
	"cmp"
	"math"
)

// WantPaired says how times are judged that the baseline can't judge.
const WantPaired = "measure both sides here and now with `fleetmark gate --base GITREF`"

// demand makes a metric that was asked for and has no verdict inconclusive.
func (r *JudgedRow) demand(c Conditions) {
	unit, _ := LookupUnit(r.Unit)
	switch {
	case r.Verdict != "" || r.Baseline == nil:
		return
	case r.Note == noteNotAsked, r.Note == noteOtherMachine && c.PortableOnly && !unit.Class.Portable():
		return
	}
	r.Verdict = Inconclusive
	switch r.Note {
	case noteOtherMachine:
		r.Note = "the baseline is from another machine: " + WantPaired
	case noteMoved:
		r.Note = moved(c.Pace) + ": " + WantPaired
	case noteOtherWorkload:
		r.Note = "the baseline measured another workload: measure the baseline anew, or run what it measured"
	case noteUnknownUnit:
		r.Note = "this fleetmark doesn't know the metric: measure the baseline anew"
	default:
		r.Note = cmp.Or(r.Note, "it could not be judged")
	}
}

// An Outcome is what became of a run's devices, and who says so.
type Outcome struct {
	Counts          Counts
	ClientsWordOnly bool
}

// opOutcome stands in the place of an operation in the rows of outcome counts.
const opOutcome = "devices"

// isOutcome reports whether a row is of a count that outcomeRows makes.
func isOutcome(unit string) bool {
	return unit == "updated" || unit == "failed" || unit == "lost" || unit == "applied_twice"
}

// outcomeRows hold what became of the devices against the baseline, exactly. Updated and
// failed are judged where every device had one turn on both sides (under a load that goes
// on for a time, the machine's speed decides how many turns there were) and as many failed
// in each of the baseline's repetitions.
func (c Conditions) outcomeRows(base *BaselineScenario, now []Record) []JudgedRow {
	if c.Outcome == nil || !c.SameWorkload {
		return nil // the rows of metrics say so
	}
	old, run := base.Counts, c.Outcome.Counts
	once := oneTurnEach(old, base.Records) && oneTurnEach(run, now) && !timingDecides(base.Records)
	scenario := base.Name
	rows := []JudgedRow{}
	add := func(name string, better int, old, now int) {
		row := JudgedRow{Scenario: scenario, Op: opOutcome, Unit: name, Baseline: exactSummary(old, base.Repetitions), Now: exactSummary(now, c.Repetitions)}
		row.Delta = relativeChange(float64(old), float64(now))
		row.decideExact(Unit{Name: name, Better: better, Exact: true, Class: ClassCount})
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
			if r := &rows[i]; r.Verdict != Regressed {
				r.Verdict, r.Note = Inconclusive, "it is the client's word only: the baseline's was confirmed by the fleet's ledger"
			}
		}
	}
	return rows
}

func exactSummary(count, n int) *Summary {
	v := float64(count)
	return &Summary{N: max(1, n), Median: v, Low: &v, High: &v}
}

// oneTurnEach reports whether each repetition had as many operations as devices.
func oneTurnEach(counts Counts, records []Record) bool {
	found := false
	for _, r := range records {
		share, ok := r.Value("failed/device")
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

// timingDecides reports whether not as many failed in each repetition.
func timingDecides(records []Record) bool {
	least, most := math.Inf(1), math.Inf(-1)
	for _, r := range records {
		if share, ok := r.Value("failed/device"); ok {
			least, most = min(least, share), max(most, share)
		}
	}
	return least < most
}

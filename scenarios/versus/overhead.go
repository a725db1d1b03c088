package versus

import (
	"context"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios"
)

// pushScenario is the scenario whose operations are pushes alone.
const pushScenario = "gate-push"

// Overhead says how a CPU profile changes a metric of the program that it is taken of. A ratio of 1
// is no change.
type Overhead struct {
	Unit string `json:"unit"`
	*sequential.Ratio
}

// Percent returns the change, and the ends of its interval, in percent.
func (o Overhead) Percent() (estimate, low, high float64) {
	return 100 * (o.Estimate - 1), 100 * (o.Low - 1), 100 * (o.High - 1)
}

// An OverheadError says that the overhead of profiling couldn't be measured. Its verdict is
// results.Invalid if the measurement can't be trusted, for the reasons of Judgement, and
// results.Inconclusive if it took too little time; then Judgement is nil.
type OverheadError struct {
	Verdict   results.Verdict
	Judgement *judge.Judgement
}

// Error doesn't say why; see Judgement.
func (e *OverheadError) Error() string { return "nothing could be told of what profiling costs" }

// MeasureOverhead measures pushes with and without a CPU profile in turns, until the budget of o is
// spent. It sets the sides and the scenario of o, and returns the ratio of processor time first.
func MeasureOverhead(ctx context.Context, o Options) ([]Overhead, error) {
	spec, err := scenarios.Find(pushScenario)
	if err != nil {
		return nil, err
	}
	o.Specs = []scenarios.Spec{spec}
	o.Sides = Sides{Base: o.FleetCommand[0], Now: o.FleetCommand[0]}
	o.Plant, o.Whole = scenarios.Plant{CPUProfile: true}, true
	out, err := Run(ctx, o)
	if err != nil {
		return nil, err
	}
	if out.Judgement.Verdict == results.Invalid {
		return nil, &OverheadError{results.Invalid, out.Judgement}
	}
	var list []Overhead
	for _, unit := range []string{results.UnitCPU, results.UnitMean} {
		for _, row := range out.Judgement.Rows {
			if row.Ratio != nil && row.Unit.Name == unit {
				list = append(list, Overhead{row.Unit.Name, row.Ratio})
			}
		}
	}
	if len(list) == 0 {
		return nil, &OverheadError{Verdict: results.Inconclusive}
	}
	return list, nil
}

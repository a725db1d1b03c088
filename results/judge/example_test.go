package judge_test

import (
	"fmt"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

func ExampleJudge() {
	record := func(requests float64) []results.Record {
		return []results.Record{{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 5000, Values: []results.Value{
			{Unit: "requests/device", Value: requests},
		}}}
	}
	base := &baseline.Page{Scenarios: []baseline.Scenario{{Name: "rollout", WorkloadDigest: "work", Records: record(1)}}}
	run := results.Run{Scenario: "rollout", WorkloadDigest: "work", Status: results.StatusFinished, Valid: true}
	j := judge.Judge(base, run, record(2), judge.Policy{})
	fmt.Printf("%s: %s\n", j.Verdict, report.Sentence(j))
	// Output:
	// regressed: push requests/device went from 1 to 2 (+100.0%)
}

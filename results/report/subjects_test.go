package report

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/results"
)

// gateSubject is what a gate has in hand: two sides measured in turns, and no run directory.
func gateSubject() *Subject {
	machine := testRun().Machine
	s := &Subject{Scenario: "throughput", Command: "fleetmark gate --base main", Notes: []string{"an idle machine was waited for"}}
	s.Base = Side{Label: "main", Revision: "5d3d764", Machine: &machine, Records: sideRecords("throughput", 1)}
	s.Now = Side{Label: "this branch", Revision: "0badcafe", Machine: &machine, Records: sideRecords("throughput", 1.08)}
	s.Judgement = results.Judge(&results.BaselineScenario{Name: "throughput", Records: s.Base.Records}, s.Now.Records,
		results.Conditions{SameMachine: true, SameWorkload: true})
	for i, r := range s.Judgement.Rows {
		ratio := r.Now.Median / r.Baseline.Median
		row := &s.Judgement.Rows[i]
		if unit, _ := results.LookupUnit(r.Unit); unit.Exact {
			continue
		}
		row.Ratio = &results.PairedRatio{Pairs: 12, Estimate: ratio, Low: ratio * 0.985, High: ratio * 1.017, Level: 0.99}
		row.Verdict, row.Note = results.Pass, ""
		if r.Unit == "p99-ns/op" || r.Unit == "ns/op" {
			row.Verdict = results.Regressed
		}
		if r.Unit == "cpu-ns/op" {
			row.Verdict, row.Note = results.Inconclusive, "the pairs disagree: repeat more often"
		}
	}
	s.Judgement.Verdict, s.Judgement.Reason = results.Regressed, "push p99-ns/op went from 1.32ms to 1.43ms (+8.0%), and 1 other metric"
	return s
}

func sideRecords(scenario string, times float64) (records []results.Record) {
	for i := range 12 {
		wobble := 1 + 0.02*math.Sin(float64(i)*2.3)
		records = append(records, results.Record{Scenario: scenario, Op: "push", Repetition: i + 1, Ops: 4000, Values: []results.Value{
			{Unit: "ns/op", Value: 1.01e6 * times * wobble}, {Unit: "p50-ns/op", Value: 0.95e6 * wobble}, {Unit: "p90-ns/op", Value: 1.1e6 * wobble},
			{Unit: "p99-ns/op", Value: 1.32e6 * times * wobble}, {Unit: "p99.9-ns/op", Value: 2.4e6 * wobble * wobble}, {Unit: "ops/s", Value: 60e3 / times / wobble},
			{Unit: "cpu-ns/op", Value: 31e3 * math.Sqrt(times) * wobble}, {Unit: "B/op", Value: 2771 + float64(i%3)}, {Unit: "requests/device", Value: 1},
		}})
	}
	return records
}

// evidence is what a run directory would hold besides.
func evidence() Evidence {
	h := hdrhistogram.New(1, 60_000_000_000, 3)
	for i := range int64(2000) {
		_ = h.RecordValue(900_000 + i*i)
	}
	e := Evidence{Latency: []Latency{{Op: "push", Histogram: h}}}
	for i := range 30 {
		e.Failures = append(e.Failures, Failure{Repetition: 1 + i%2, Device: i, Operation: "push", Class: []string{"integrity", "timeout", "integrity"}[i%3], Status: 200, Attempts: 2, Error: "push device: it said <no>"})
	}
	return e
}

// wholeSubject has every part: a run directory's evidence, a base, thresholds.
func wholeSubject() *Subject {
	run := testRun()
	run.Spec = []byte(`{"name":"rollout","fleet":{"devices":10}}`)
	run.Notes = []string{"the limit was found at 900/s"}
	run.Thresholds = []results.ThresholdOutcome{
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.05, Samples: 2, Measured: true},
		{Threshold: "ops/s > 1/s", Op: "push", Unit: "ops/s", Value: 900, Samples: 2, Measured: true, Held: true},
		{Threshold: "p99-ns/op < 1s", Op: "push", Unit: "p99-ns/op"},
	}
	run.Records = sideRecords("rollout", 1)
	base := testRun()
	base.Records = sideRecords("rollout", 1)
	s := Compare(base, run)
	s.Now.Evidence, s.Base.Evidence = evidence(), evidence()
	return s
}

package report_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/results/timeline"
)

// judged judges records by those of a baseline, from the same machine or another one.
func judged(scenario string, base, now []results.Record, sameMachine bool) *judge.Judgement {
	page := &baseline.Page{Machine: results.Machine{Identity: "one"}, Scenarios: []baseline.Scenario{
		{Name: scenario, WorkloadDigest: "work", Records: base},
	}}
	run := results.Run{Scenario: scenario, WorkloadDigest: "work", Status: results.StatusFinished, Valid: true,
		Machine: page.Machine}
	if !sameMachine {
		run.Machine.Identity = "another"
	}
	return judge.Judge(page, run, now, judge.Policy{})
}

// conclude gives a judgement another verdict, and a reason in words.
func conclude(j *judge.Judgement, v results.Verdict, reason string) {
	j.Verdict, j.Compared, j.Reasons = v, v, []judge.Reason{{Code: judge.GoTestFailed, Text: reason}}
}

// gateInput returns the input of a gate of two sides that were measured in turns, without a run
// directory.
func gateInput() *report.Input {
	machine := testRun().Machine
	s := &report.Input{Scenario: "throughput", Command: "fleetmark gate --base main",
		Notes: []string{"an idle machine was waited for"}}
	s.Base = report.Side{Label: "main", Revision: "5d3d764", Machine: &machine, Records: sideRecords("throughput", 1)}
	s.Now = report.Side{Label: "this branch", Revision: "0badcafe", Machine: &machine,
		Records: sideRecords("throughput", 1.08)}
	s.Judgement = judged("throughput", s.Base.Records, s.Now.Records, true)
	for i, r := range s.Judgement.Rows {
		ratio := r.Now.Median / r.Base.Median
		row := &s.Judgement.Rows[i]
		if r.Unit.Exact {
			continue
		}
		row.Ratio = &sequential.Ratio{Pairs: 12, Estimate: ratio, Low: ratio * 0.985, High: ratio * 1.017, Level: 0.99}
		row.Verdict, row.Reason = results.Pass, judge.Reason{}
		if r.Unit.Name == "p99-ns/op" || r.Unit.Name == "ns/op" {
			row.Verdict = results.Regressed
		}
		if r.Unit.Name == "cpu-ns/op" {
			row.Verdict, row.Reason = results.Inconclusive, judge.Reason{Code: "the pairs disagree: repeat more often"}
		}
	}
	conclude(s.Judgement, results.Regressed, "push p99-ns/op went from 1.32ms to 1.43ms (+8.0%), and 1 other metric")
	return s
}

func sideRecords(scenario string, times float64) (records []results.Record) {
	for i := range 12 {
		wobble := 1 + 0.02*math.Sin(float64(i)*2.3)
		records = append(records, results.Record{Scenario: scenario, Op: "push", Repetition: i + 1, Ops: 4000,
			Values: []results.Value{
				{Unit: "ns/op", Value: 1.01e6 * times * wobble}, {Unit: "p50-ns/op", Value: 0.95e6 * wobble},
				{Unit: "p90-ns/op", Value: 1.1e6 * wobble},
				{Unit: "p99-ns/op", Value: 1.32e6 * times * wobble}, {Unit: "p99.9-ns/op", Value: 2.4e6 * wobble * wobble},
				{Unit: "ops/s", Value: 60e3 / times / wobble},
				{Unit: "cpu-ns/op", Value: 31e3 * math.Sqrt(times) * wobble}, {Unit: "B/op", Value: 2771 + float64(i%3)},
				{Unit: "requests/device", Value: 1},
			}})
	}
	return records
}

// sampleEvidence returns what a run directory would hold besides samples.
func sampleEvidence() evidence.Evidence {
	h := hdrhistogram.New(1, 60_000_000_000, 3)
	for i := range int64(2000) {
		_ = h.RecordValue(900_000 + i*i)
	}
	e := evidence.Evidence{Latency: []evidence.Latency{{Op: "push", Histogram: h}}}
	for i := range 30 {
		e.Failures = append(e.Failures, evidence.Failure{Repetition: 1 + i%2, Device: i, Operation: "push",
			Class: []string{"integrity", "timeout", "integrity"}[i%3], Status: 200, Attempts: 2,
			Error: "push device: it said <no>"})
	}
	return e
}

// wholeInput returns an input with every part: a run directory's evidence, a base, and thresholds.
func wholeInput() *report.Input {
	run := testRun()
	run.Spec = []byte(`{"name":"rollout","fleet":{"devices":10}}`)
	run.Notes = []string{"the limit was found at 900/s"}
	run.Thresholds = []results.ThresholdOutcome{
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.05, Samples: 2, Measured: true},
		{Threshold: "ops/s > 1/s", Op: "push", Unit: "ops/s", Value: 900, Samples: 2, Measured: true, Held: true},
		{Threshold: "p99-ns/op < 1s", Op: "push", Unit: "p99-ns/op"},
	}
	run.Records = sideRecords("rollout", 1)
	run.Groups = []results.Group{
		{Name: "slow", Repetition: 1, Counts: results.Counts{Devices: 4, Updated: 3, Failed: 1}, Succeeded: 3, Failed: 1,
			Failures: map[string]int64{"timeout": 1}, Operations: []results.GroupOperation{
				{Op: "push", Succeeded: 3, Metrics: map[string]float64{"p50-ns/op": 5e6, "failed/device": 0.25}},
			}},
		{Name: "rest", Repetition: 1, Counts: results.Counts{Devices: 6, Updated: 6}, Succeeded: 6,
			Operations: []results.GroupOperation{{Op: "push", Succeeded: 6, Metrics: map[string]float64{"p50-ns/op": 1e6}}}},
	}
	run.Rollouts = []results.Rollout{{Waves: []results.Wave{
		{Number: 1, Size: 10, Reached: 10, Updated: 9, Failed: 1, EndedNS: 2e9, Succeeded: 9, P50NS: 1e6, P99NS: 2e6,
			MaxNS: 3e6},
	}}}
	base := testRun()
	base.Records, base.Groups = sideRecords("rollout", 1), run.Groups
	s := compareInput(base, run)
	s.Now.Evidence, s.Base.Evidence = sampleEvidence(), sampleEvidence()
	return s
}

// withTimeline gives a run a directory with the intervals of each of its repetitions, and a
// resolved scenario, and returns its side as it is read from there.
func withTimeline(t testing.TB, run rundir.Loaded, spec string, repetitions ...[]timeline.Interval) report.Side {
	t.Helper()
	run.Path, run.Spec, run.Operations = t.TempDir(), []byte(spec), nil
	var file []byte
	for _, intervals := range repetitions {
		total := results.Operations{}
		for _, v := range intervals {
			file = v.AppendLine(file)
			total.Succeeded, total.Failed = total.Succeeded+v.Succeeded, total.Failed+v.Failed
		}
		run.Operations = append(run.Operations, total)
	}
	require.NoError(t, os.WriteFile(filepath.Join(run.Path, rundir.TimelineFile), file, 0o600))
	side := report.RunSide(run)
	side.Read()
	return side
}

// timedInput returns the input of a report about a run with intervals, and about a base if there is
// one.
func timedInput(now report.Side, base *report.Side) *report.Input {
	run := *now.Run
	run.Records = sideRecords(run.Scenario, 1)
	in := runInput(run, nil)
	if base != nil {
		in = compareInput(run, run)
		in.Base.Run, in.Base.Evidence = base.Run, base.Evidence
	}
	in.Now.Evidence = now.Evidence
	return in
}

// brokenOff returns a soak that was interrupted after 12 of its 30 minutes, in its first
// repetition.
func brokenOff() rundir.Loaded {
	run := testRun()
	run.Status, run.Repetitions, run.Verdict, run.Records = results.StatusInterrupted, 0, "", nil
	run.RepetitionCounts, run.Counts = nil, results.Counts{Devices: 10}
	run.Partial = &results.Partial{
		Repetition: 1, Of: 1, Seconds: 720, PlannedSeconds: 1800, Planned: 36_000, Succeeded: 14_395, Failed: 5,
		Counts:         results.Counts{Devices: 10, Updated: 9, Failed: 1},
		Contradictions: []string{"device 3: it received <2> pushes"},
	}
	run.Partial.Take([]results.Record{{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 8, Values: []results.Value{
		{Unit: "ops/s", Value: 20}, {Unit: "p99.9-ns/op", Value: 9.2e9}, {Unit: "failed/device", Value: 0.02},
	}}})
	return run
}

// runInput returns the input of a report about a run. If j is nil, the run is judged without a
// baseline.
func runInput(run rundir.Loaded, j *judge.Judgement) *report.Input {
	if j == nil {
		j = judge.Judge(nil, run.Run, run.Records, judge.Policy{})
	}
	return &report.Input{Scenario: run.Scenario, Judgement: j, Now: report.RunSide(run)}
}

// compareInput returns the input of a report about two runs.
func compareInput(base, run rundir.Loaded) *report.Input {
	in := runInput(run, judge.Judge(baseline.FromRun(base.Run, base.Records), run.Run, run.Records, judge.Policy{}))
	in.Base = report.RunSide(base)
	in.Base.Label = "base"
	return in
}

// documentOf returns a document with a result for each input.
func documentOf(inputs ...*report.Input) *report.Document {
	d := &report.Document{Mode: report.ModeReport}
	for _, in := range inputs {
		one := report.New(d.Mode, *in)
		d.Verdict, d.Reason, d.Results = one.Verdict, one.Reason, append(d.Results, one.Results...)
	}
	return d
}

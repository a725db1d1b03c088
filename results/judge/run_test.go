package judge_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// TestJudge_busyMachine checks that the interference in run.json affects the verdict.
func TestJudge_busyMachine(t *testing.T) {
	machine := results.Machine{OS: "linux", Arch: "amd64", GOMAXPROCS: 2, Identity: "0123456789ab"}
	base := &baseline.Page{Machine: machine, Scenarios: []baseline.Scenario{{
		Name: "rollout", WorkloadDigest: "d", Records: sample("ns/op", spread(100, 1, 5)...),
	}}}
	run := results.Run{Scenario: "rollout", WorkloadDigest: "d", Machine: machine, Valid: true}
	slower := sample("ns/op", spread(200, 1, 5)...)
	require.Equal(t, results.Regressed, judge.Judge(base, run, slower, judge.Policy{}).Verdict)
	run.Harness.Interference = &results.Interference{OthersFraction: 0.4}
	j := judge.Judge(base, run, slower, judge.Policy{})
	require.Equal(t, results.Inconclusive, j.Verdict)
	require.Contains(t, report.Sentence(j), "other processes used 40% of all cores meanwhile")
}

func TestJudge_slowerMachine(t *testing.T) {
	slower := rolloutRecords(2, 10, 1.6)
	for _, c := range []struct {
		name        string
		before, now float64 // nanoseconds of a round trip; negative if unknown
		want        results.Verdict
		reason      string
	}{
		{"unknown on both sides", -1, -1, results.Regressed, ""},
		{"unknown in the baseline", -1, 15_000, results.Regressed, ""},
		{"unknown in the run", 15_000, -1, results.Regressed, ""},
		{"zero in the baseline", 0, 15_000, results.Regressed, ""},
		{"the same", 15_000, 15_000, results.Regressed, ""},
		{"noise", 15_000, 15_500, results.Regressed, ""},
		{"noise the other way", 15_500, 15_000, results.Regressed, ""},
		{"slower", 15_000, 24_000, results.Pass, "(the machine is 1.60 times as slow as it was)"},
		{"faster", 30_000, 15_000, results.Pass, "(the machine is 2.00 times as fast as it was)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := func(ns float64) *results.ReferenceSpeed {
				if ns < 0 {
					return nil
				}
				return &results.ReferenceSpeed{RoundTripNS: ns, Blocks: 20}
			}
			base, run := testBaseline(), testRun()
			run.Status = results.StatusFinished
			base.Scenarios[0].ReferenceSpeed, run.Harness.ReferenceSpeed = at(c.before), at(c.now)
			j := judge.Judge(&base, run, slower, judge.Policy{})
			require.Equal(t, c.want, j.Verdict, report.Sentence(j))
			require.Contains(t, report.Sentence(j), c.reason)
		})
	}
}

// withoutRepetitions returns records without those of the first n repetitions, as if no operation
// of these had succeeded.
func withoutRepetitions(records []results.Record, n int) []results.Record {
	return slices.DeleteFunc(records, func(r results.Record) bool { return r.Repetition <= n })
}

// TestJudge_repetitionsThatMeasuredNothing: a repetition in which every device failed has no line
// of samples, and so no failed/device.
func TestJudge_repetitionsThatMeasuredNothing(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Status, run.Repetitions = results.StatusFinished, 10
	require.Equal(t, results.Pass, judge.Judge(&base, run, rolloutRecords(1, 10, 1), judge.Policy{}).Verdict)

	j := judge.Judge(&base, run, withoutRepetitions(rolloutRecords(1, 10, 1), 4), judge.Policy{})
	require.Equal(t, results.Inconclusive, j.Verdict, report.Sentence(j))
	require.Contains(t, report.Sentence(j), "6 of 10 repetitions")

	worse := withoutRepetitions(rolloutRecords(1, 10, 1), 4)
	for i := range worse {
		worse[i].Values = append(slices.Clone(worse[i].Values[:7]), results.Value{Unit: "failed/device", Value: 0.5})
	}
	require.Equal(t, results.Regressed, judge.Judge(&base, run, worse, judge.Policy{}).Verdict, "what is worse is worse")
}

// TestCompare_shownOnly checks that a metric that is shown only has no verdict, however much it
// changed.
func TestCompare_shownOnly(t *testing.T) {
	var old, now []results.Record
	for i := range 8 {
		of := func(ns float64) results.Record {
			return results.Record{Scenario: "x", Op: "push", Repetition: i + 1, Ops: 10, Values: []results.Value{
				{Unit: "ns/op", Value: 1e6}, {Unit: "p75-ns/op", Value: ns}, {Unit: "p95-ns/op", Value: ns},
				{Unit: "max-ns/op", Value: ns},
			}}
		}
		old, now = append(old, of(1e6)), append(now, of(1e9+float64(i)))
	}
	base := &baseline.Scenario{Name: "x", Records: old}
	j := judge.Compare(base, now, judge.Conditions{SameMachine: true, SameWorkload: true, Repetitions: 8, Strict: true})
	require.Equal(t, results.Pass, j.Verdict, report.Sentence(j))
	require.Equal(t, "1 metric judged, none beyond its tolerance", report.Sentence(j))
}

// TestJudge_policy checks that the policy decides what the lack of a verdict means, and that
// thresholds affect the verdict.
func TestJudge_policy(t *testing.T) {
	run := testRun()
	run.Status = results.StatusFinished
	records := rolloutRecords(1, 10, 1)
	base := testBaseline()
	failed := []results.ThresholdOutcome{{Threshold: "ops/s > 1/s", Measured: true}}
	undecided := []results.ThresholdOutcome{{Threshold: "p99-ns/op < 1s", Measured: true, Undecided: "8 operations"}}
	for _, c := range []struct {
		name       string
		base       *baseline.Page
		thresholds []results.ThresholdOutcome
		policy     judge.Policy
		verdict    results.Verdict
		compared   results.Verdict
	}{
		{"no baseline", nil, nil, judge.Policy{}, "", ""},
		{"no baseline, and a verdict required", nil, nil, judge.Policy{Unjudged: judge.RequireVerdict},
			results.Inconclusive, ""},
		{"no baseline, and a threshold failed", nil, failed, judge.Policy{}, results.Regressed, ""},
		{"no baseline, and a threshold undecided", nil, undecided, judge.Policy{}, results.Inconclusive, ""},
		{"pass", &base, nil, judge.Policy{Unjudged: judge.RequireVerdict}, results.Pass, results.Pass},
		{"pass, but a threshold failed", &base, failed, judge.Policy{}, results.Regressed, results.Pass},
		{"pass, but a threshold undecided", &base, undecided, judge.Policy{}, results.Inconclusive, results.Pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			run.Thresholds = c.thresholds
			j := judge.Judge(c.base, run, records, c.policy)
			require.Equal(t, c.verdict, j.Verdict)
			require.Equal(t, c.compared, j.Compared)
		})
	}
}

// TestJudge_aborted checks that a run that a threshold ended early has regressed, whatever its
// repetitions say, and even if its thresholds don't say so.
func TestJudge_aborted(t *testing.T) {
	base := testBaseline()
	failed := []results.ThresholdOutcome{{Threshold: "ops/s > 1/s in every 1s",
		Windows: &results.WindowsOutcome{EndedRun: true}}}
	for _, records := range [][]results.Record{nil, rolloutRecords(1, 10, 1)} {
		for _, thresholds := range [][]results.ThresholdOutcome{nil, failed} {
			for _, page := range []*baseline.Page{nil, &base} {
				for _, unjudged := range []judge.Policy{{}, {Unjudged: judge.RequireVerdict},
					{Unjudged: judge.RequireEveryMetric}} {
					run := testRun()
					run.Status, run.Thresholds = results.StatusAborted, thresholds
					j := judge.Judge(page, run, records, unjudged)
					require.Equal(t, results.Regressed, j.Verdict, "%v %v %v: %v", len(records), page == nil, unjudged, j.Reasons)
					require.True(t, j.Explains(judge.RunAborted))
					require.NotEqual(t, results.Pass, j.Compared)
				}
			}
		}
	}
	run := testRun()
	run.Status, run.Thresholds, run.Valid, run.Invalid = results.StatusAborted, failed, false, []string{"x"}
	require.Equal(t, results.Invalid, judge.Judge(&base, run, nil, judge.Policy{}).Verdict)
}

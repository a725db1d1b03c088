package judge_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// gateCase returns a baseline of rollout, and a run of the same work on the same machine that
// passes.
func gateCase() (baseline.Page, *rundir.Loaded) {
	base, run := testBaseline(), testRun()
	base.Scenarios[0].Counts = results.Counts{Devices: 5000, Updated: 5000}
	run.Status, run.Repetitions, run.Counts = results.StatusFinished, 10, results.Counts{Devices: 5000, Updated: 5000}
	return base, &rundir.Loaded{Run: run, Path: "runs/1", Records: rolloutRecords(1, 10, 1)}
}

// holdGate judges runs as the gate does.
func holdGate(base *baseline.Page, wanted []string, runs []*rundir.Loaded, p judge.Policy) *judge.GateResult {
	p.Unjudged, p.Outcomes = judge.RequireEveryMetric, true
	var judged []judge.ScenarioResult
	for _, r := range runs {
		judged = append(judged, judge.ScenarioResult{Scenario: r.Scenario, Run: r.Path,
			Judgement: judge.Judge(base, r.Run, r.Records, p)})
	}
	return judge.Gate(base, wanted, judged)
}

// TestGate changes a case that passes, and checks the verdict and its reason.
func TestGate(t *testing.T) {
	edit := func(unit string, value func(float64) float64) func(*baseline.Page, *rundir.Loaded) {
		return func(_ *baseline.Page, r *rundir.Loaded) {
			for i := range r.Records {
				for k := range r.Records[i].Values {
					if v := &r.Records[i].Values[k]; v.Unit == unit {
						v.Value = value(v.Value)
					}
				}
			}
		}
	}
	own := func(old, now float64) func(*baseline.Page, *rundir.Loaded) { // a metric that package results doesn't know
		return func(b *baseline.Page, r *rundir.Loaded) {
			for i := range b.Scenarios[0].Records {
				b.Scenarios[0].Records[i].Values = append(b.Scenarios[0].Records[i].Values,
					results.Value{Unit: "widgets", Value: old})
			}
			for i := range r.Records {
				r.Records[i].Values = append(r.Records[i].Values, results.Value{Unit: "widgets", Value: now})
			}
		}
	}
	zero := func(float64) float64 { return 0 }
	elsewhere := func(_ *baseline.Page, r *rundir.Loaded) { r.Machine.Identity = "another" }
	both := func(changes ...func(*baseline.Page, *rundir.Loaded)) func(*baseline.Page, *rundir.Loaded) {
		return func(b *baseline.Page, r *rundir.Loaded) {
			for _, change := range changes {
				change(b, r)
			}
		}
	}
	portable := judge.Policy{Portable: true}
	for _, c := range []struct {
		name   string
		change func(*baseline.Page, *rundir.Loaded)
		o      judge.Policy
		want   results.Verdict
		says   string
	}{
		{"unchanged", both(), judge.Policy{}, results.Pass, "none beyond its tolerance"},
		{"unchanged, portable only", both(), portable, results.Pass, "only portable ones were asked for"},
		{"another machine", elsewhere, judge.Policy{}, results.Inconclusive,
			"another machine: measure both sides here and now with `fleetmark gate --base"},
		{"another machine, portable only", elsewhere, portable, results.Pass, "not judged"},
		{"a request more on another machine",
			both(elsewhere, edit("requests/device", func(v float64) float64 { return v + 1 })), judge.Policy{},
			results.Regressed, "requests/device went from 1 to 2"},
		{"an allocation more, portable only", both(elsewhere, edit("allocs/op", func(v float64) float64 { return v + 1 })),
			portable, results.Regressed, "allocs/op went from 1 to 2"},
		{"times twice as long", edit("ns/op", func(v float64) float64 { return 2 * v }), judge.Policy{}, results.Regressed,
			"ns/op went"},
		{"times twice as long, within the project's tolerance",
			edit("ns/op", func(v float64) float64 { return 2 * v }),
			judge.Policy{Tolerances: results.Tolerances{"ns/op": 1.5}}, results.Pass, ""},
		{"times twice as long, portable only", edit("ns/op", func(v float64) float64 { return 2 * v }), portable,
			results.Pass, ""},
		{"times of zero", edit("ns/op", zero), judge.Policy{}, results.Inconclusive, "0 is no measurement"},
		{"times of zero, portable only", edit("ns/op", zero), portable, results.Inconclusive, "0 is no measurement"},
		{"times of less than zero", edit("ns/op", func(float64) float64 { return -1 }), portable, results.Inconclusive,
			"-1 is no measurement"},
		{"no bytes on the wire", edit("wire-B/device", zero), portable, results.Inconclusive, "0 is no measurement"},
		{"everything zero", func(_ *baseline.Page, r *rundir.Loaded) {
			for i := range r.Records {
				for k := range r.Records[i].Values {
					r.Records[i].Values[k].Value = 0
				}
			}
		}, portable, results.Inconclusive, "0 is no measurement"},
		{"no allocation left", edit("allocs/op", zero), portable, results.Improved, "allocs/op went from 1 to 0"},
		{"a baseline of zero", func(b *baseline.Page, _ *rundir.Loaded) { b.Scenarios[0].Records[0].Values[0].Value = 0 },
			judge.Policy{}, results.Inconclusive, "the baseline's 0 is no measurement"},
		{"a metric that vanished", func(_ *baseline.Page, r *rundir.Loaded) {
			for i := range r.Records {
				r.Records[i].Values = slices.DeleteFunc(r.Records[i].Values,
					func(v results.Value) bool { return v.Unit == "p99-ns/op" })
			}
		}, portable, results.Regressed, "p99-ns/op is missing now"},
		{"an operation that vanished", func(_ *baseline.Page, r *rundir.Loaded) {
			r.Records = slices.DeleteFunc(r.Records, func(r results.Record) bool { return r.Op == "verify" })
		}, portable, results.Regressed, "verify"},
		{"an unknown metric that vanished", func(b *baseline.Page, _ *rundir.Loaded) {
			b.Scenarios[0].Records[0].Values = append(b.Scenarios[0].Records[0].Values, results.Value{Unit: "widgets", Value: 1})
		}, portable, results.Regressed, "widgets is missing now"},
		{"an unknown metric on both sides", func(b *baseline.Page, r *rundir.Loaded) {
			b.Scenarios[0].Records[0].Values = append(b.Scenarios[0].Records[0].Values, results.Value{Unit: "widgets", Value: 1})
			r.Records[0].Values = append(r.Records[0].Values, results.Value{Unit: "widgets", Value: 1})
		}, portable, results.Inconclusive, `doesn't know the metric, and nothing says which way is better: declare it in fleetmark.yaml, as in units: {"widgets": {better: lower}}`},
		{"a metric that was declared, worse", own(100, 120), judge.Policy{Better: map[string]int{"widgets": -1}},
			results.Regressed, "widgets went from 100 to 120"},
		{"a metric that was declared, better", own(100, 120), judge.Policy{Better: map[string]int{"widgets": +1}},
			results.Improved, "widgets went from 100 to 120"},
		{"a metric that was declared, the same", own(100, 100), judge.Policy{Better: map[string]int{"widgets": +1}},
			results.Pass, ""},
		{"a metric that is new", func(_ *baseline.Page, r *rundir.Loaded) {
			r.Records[0].Values = append(r.Records[0].Values, results.Value{Unit: "retries/device", Value: 9})
		}, judge.Policy{}, results.Pass, ""},
		{"no samples", func(_ *baseline.Page, r *rundir.Loaded) { r.Records = nil }, portable, results.Inconclusive,
			"holds no samples"},
		{"too few samples", func(_ *baseline.Page, r *rundir.Loaded) { r.Records, r.Repetitions = r.Records[:2], 1 },
			portable, results.Inconclusive, "too few"},
		{"another scenario", func(b *baseline.Page, r *rundir.Loaded) {
			r.Scenario = "soak"
			for i := range r.Records {
				r.Records[i].Scenario = "soak"
			}
			b.Scenarios[0].Name = "rollout"
		}, portable, results.Inconclusive, "doesn't have the scenario soak"},
		{"another workload", func(_ *baseline.Page, r *rundir.Loaded) { r.WorkloadDigest = "sha256:bb" }, portable,
			results.Inconclusive, "another workload"},
		{"a workload without a name", func(b *baseline.Page, r *rundir.Loaded) {
			r.WorkloadDigest, b.Scenarios[0].WorkloadDigest = "", ""
		}, portable, results.Inconclusive, "another workload"},
		{"a machine that became slower", func(b *baseline.Page, r *rundir.Loaded) {
			b.Scenarios[0].ReferenceSpeed, r.Harness.ReferenceSpeed = &results.ReferenceSpeed{RoundTripNS: 10}, &results.ReferenceSpeed{RoundTripNS: 20}
		}, judge.Policy{}, results.Inconclusive, "2.00 times as slow as it was: measure both sides"},
		{"interrupted", func(_ *baseline.Page, r *rundir.Loaded) { r.Status = results.StatusInterrupted }, portable,
			results.Inconclusive, "was interrupted"},
		{"still running", func(_ *baseline.Page, r *rundir.Loaded) { r.Status = results.StatusRunning }, portable,
			results.Inconclusive, "never ended"},
		{"failed", func(_ *baseline.Page, r *rundir.Loaded) { r.Status = results.StatusFailed }, portable,
			results.Inconclusive, "the run failed"},
		{"invalid", func(_ *baseline.Page, r *rundir.Loaded) {
			r.Valid, r.Invalid = false, []string{"the fleet was on fire"}
		}, portable, results.Invalid, "on fire"},
		{"invalid without a reason", func(_ *baseline.Page, r *rundir.Loaded) { r.Valid = false }, portable,
			results.Invalid, "without a reason"},
		{"invalid and interrupted", func(_ *baseline.Page,
			r *rundir.Loaded) {
			r.Valid, r.Status = false, results.StatusInterrupted
		}, portable, results.Invalid, "without a reason"},
		{"valid, though the fleet was saturated", func(_ *baseline.Page, r *rundir.Loaded) { r.Fleet.Saturated = true },
			portable, results.Invalid, "the fleet was the bottleneck"},
		{"valid, though the harness was saturated", func(_ *baseline.Page, r *rundir.Loaded) { r.Harness.Saturated = true },
			portable, results.Invalid, "the harness was the bottleneck"},
		{"valid, though a device was lost", func(_ *baseline.Page, r *rundir.Loaded) { r.Counts.Lost = 1 }, portable,
			results.Invalid, "1 device lost"},
		{"valid, though an update was applied twice",
			func(_ *baseline.Page, r *rundir.Loaded) { r.Counts.AppliedTwice = 2 }, portable, results.Invalid,
			"2 devices applied an update twice"},
		{"one device not updated", func(_ *baseline.Page, r *rundir.Loaded) { r.Counts.Updated = 4999 }, portable,
			results.Regressed, "devices updated went from 5000 to 4999"},
		{"one device failed", func(_ *baseline.Page, r *rundir.Loaded) { r.Counts.Failed = 1 }, portable, results.Regressed,
			"devices failed went from 0 to 1"},
		{"fewer failures than in the baseline", func(b *baseline.Page, _ *rundir.Loaded) {
			b.Scenarios[0].Counts = results.Counts{Devices: 5000, Updated: 4990, Failed: 10}
		}, portable, results.Improved, ""},
		{"many turns a device, so that speed decides how many are updated", func(b *baseline.Page, r *rundir.Loaded) {
			b.Scenarios[0].Counts, r.Counts = results.Counts{Devices: 7000, Updated: 7000}, results.Counts{Devices: 7000,
				Updated: 6500}
		}, portable, results.Pass, ""},
		{"many turns a device, and one failed", func(b *baseline.Page, r *rundir.Loaded) {
			b.Scenarios[0].Counts, r.Counts = results.Counts{Devices: 7000, Updated: 7000}, results.Counts{Devices: 7000,
				Updated: 6999, Failed: 1}
		}, portable, results.Regressed, "devices failed went from 0 to 1"},
		{"unconfirmed by a ledger", func(_ *baseline.Page, r *rundir.Loaded) { r.Unconfirmed = true }, portable,
			results.Inconclusive, "client's word only"},
		{"a threshold that failed", func(_ *baseline.Page, r *rundir.Loaded) {
			r.Thresholds = []results.ThresholdOutcome{{Threshold: "failed/device == 0", Unit: "failed/device", Value: 1,
				Measured: true}}
		}, portable, results.Regressed, "1 of 1 threshold failed: failed/device == 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, run := gateCase()
			c.change(&base, run)
			g := holdGate(&base, []string{run.Scenario}, []*rundir.Loaded{run}, c.o)
			require.Len(t, g.Scenarios, 1)
			require.Equal(t, c.want, g.Verdict, report.GateSentence(g))
			require.Contains(t, report.GateSentence(g), c.says)
			require.True(t, strings.HasPrefix(report.GateSentence(g), run.Scenario+": "), report.GateSentence(g))
			require.NotContains(t, report.GateSentence(g), "\n")
			require.Equal(t, g.Verdict, g.Scenarios[0].Judgement.Verdict)
		})
	}
}

func TestGate_several(t *testing.T) {
	base, run := gateCase()
	g := holdGate(&base, nil, []*rundir.Loaded{run, run}, judge.Policy{})
	require.Equal(t, results.Pass, g.Verdict)
	require.Equal(t, "each of 2 runs is no worse than the baseline", report.GateSentence(g))

	_, bad := gateCase()
	bad.Path, bad.Counts.Updated = "runs/2", 1
	g = holdGate(&base, nil, []*rundir.Loaded{run, bad}, judge.Policy{})
	require.Equal(t, results.Regressed, g.Verdict)
	require.Contains(t, report.GateSentence(g), "updated went from 5000 to 1")

	g = holdGate(&base, []string{"rollout", "soak"}, []*rundir.Loaded{run}, judge.Policy{})
	require.Equal(t, results.Inconclusive, g.Verdict)
	require.Equal(t, "soak: neither the baseline nor a run has it", report.GateSentence(g))

	other := base.Scenarios[0]
	other.Name = "throughput"
	base.Scenarios = append(base.Scenarios, other)
	g = holdGate(&base, nil, []*rundir.Loaded{run}, judge.Policy{})
	require.Equal(t, results.Inconclusive, g.Verdict, "a scenario without a run isn't a pass")
	require.Equal(t, "throughput: the baseline has it, and no run of it was given", report.GateSentence(g))
	require.Equal(t, results.Pass, holdGate(&base, []string{"rollout"}, []*rundir.Loaded{run}, judge.Policy{}).Verdict)

	g = holdGate(&base, nil, nil, judge.Policy{})
	require.Equal(t, results.Inconclusive, g.Verdict)
	require.Equal(t, results.Inconclusive, holdGate(&baseline.Page{}, nil, nil, judge.Policy{}).Verdict)
}

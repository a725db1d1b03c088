package app

import (
	"errors"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/results/sequential"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

// hostile holds what could break out of any of the output formats.
const hostile = "a|b `c` ``` ~~~\nBenchmarkEvil 1 1 ns/op\r\n::error::x%0A </details></summary><script>alert(1)</script>" +
	"]]>&amp;\"'><!-- @everyone https://example.com/x www.example.com [l](http://e.com) *b* _i_ $m$ \x1b[31m\u202e 𝒳"

// goldenMachine returns a machine that differs from the one the test runs on.
func goldenMachine() results.Machine {
	return results.Machine{
		OS: "linux", Arch: "amd64", CPU: "Example CPU", Cores: 2, GOMAXPROCS: 2, MemoryBytes: 24 << 30,
		Kernel: "6.1.0", GoVersion: "go1.26.0", Identity: "0123456789ab",
	}
}

// goldenRecords returns what a number of repetitions measured of pushes and deliveries. slower
// multiplies the times, and requests is the number of requests to each device.
func goldenRecords(scenario string, repetitions int, slower, requests float64) (list []results.Record) {
	for i := range repetitions {
		wobble := 1 + 0.01*float64(i*5%7-3)/3
		list = append(list, results.Record{Scenario: scenario, Op: "push", Repetition: i + 1, Ops: 4000,
			Values: []results.Value{
				{Unit: "ns/op", Value: math.Round(1.01e6 * slower * wobble)},
				{Unit: "p50-ns/op", Value: math.Round(0.95e6 * wobble)},
				{Unit: "p90-ns/op", Value: math.Round(1.1e6 * wobble)}, {Unit: "p95-ns/op", Value: math.Round(1.2e6 * wobble)},
				{Unit: "p99-ns/op", Value: math.Round(1.32e6 * slower * wobble)},
				{Unit: "p99.9-ns/op", Value: math.Round(2.4e6 * wobble)},
				{Unit: "cpu-ns/op", Value: math.Round(31e3 * wobble)}, {Unit: "allocs/op", Value: 30},
				{Unit: "B/op", Value: 2771 + float64(i%3)},
				{Unit: "failed/device", Value: 0}, {Unit: "requests/device", Value: requests},
				{Unit: "wire-B/device", Value: 4250 * requests},
			}}, results.Record{Scenario: scenario, Op: "deliver", Repetition: i + 1, Ops: 4000, Values: []results.Value{
			{Unit: "ops/s", Value: math.Round(60e3 / slower / wobble)}, {Unit: "MB/s", Value: math.Round(245 / slower / wobble)},
			{Unit: "p50-ns/op", Value: math.Round(1.9e6 * wobble)}, {Unit: "p99-ns/op", Value: math.Round(2.64e6 * wobble)},
			{Unit: "peak-rss-B", Value: 48 << 20},
		}})
	}
	return list
}

// goldenRun returns a run of six repetitions that passes.
func goldenRun(scenario string) *rundir.Loaded {
	begun := time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC)
	run := &rundir.Loaded{
		Path: "runs/20261123T082700Z-" + scenario + "-1a2b3c",
		Run: results.Run{
			Schema: 1, ID: "1a2b3c", Scenario: scenario, WorkloadDigest: "sha256:aa",
			Command: "fleetmark run " + scenario + " --seed 7", Seed: 7,
			Spec: []byte(`{"name":"` + scenario + `","fleet":{"devices":4000}}`), Machine: goldenMachine(),
			Revision: "5d3d764", Started: begun, Finished: begun.Add(90 * time.Second),
			Status: results.StatusFinished, Repetitions: 6, Valid: true,
			Counts: results.Counts{Devices: 4000, Updated: 4000},
			Fleet:  results.FleetHealth{CPUFraction: 0.25, PeakResidentBytes: 64 << 20},
			Harness: results.HarnessHealth{
				CPUFraction: 0.5, LatenessP99NS: 1_500_000, GCCPUFraction: 0.012, PeakResidentBytes: 32 << 20, Dials: 4000,
				Pacing:         &results.Pacing{StarvedFraction: 0.25, BusyWorkersPeak: 64, TimerLatenessP99NS: 2_000_000},
				Ports:          &results.LocalPorts{First: 32768, Last: 60999, TimeWait: 12},
				ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 15400, Blocks: 20},
				Interference:   &results.Interference{OthersFraction: 0.013},
				Profiling:      &results.Profiling{TimedCPUNS: 17_000, ProfiledCPUNS: 17_340, Repetitions: 1},
			},
			Transport: "lean", Addressing: "ip",
		},
		Records: goldenRecords(scenario, 6, 1, 2),
	}
	for range 6 {
		run.RepetitionCounts = append(run.RepetitionCounts, run.Counts)
		run.Operations = append(run.Operations,
			results.Operations{Planned: 4100, Started: 4000, Succeeded: 4000, NotSent: 100, PlanNS: 3e9, DrainNS: 2e8,
				EndedInPlan: 3900, SucceededInPlan: 3900})
	}
	return run
}

// goldenBaseline returns a page with some scenarios, measured on the machine of goldenRun.
func goldenBaseline(repetitions int, names ...string) *baseline.Page {
	base := &baseline.Page{Machine: goldenMachine(), Revision: "0badcafe1234"}
	for _, name := range names {
		base.Scenarios = append(base.Scenarios, baseline.Scenario{
			Name: name, WorkloadDigest: "sha256:aa", Command: "fleetmark run " + name, Repetitions: repetitions,
			Counts: results.Counts{Devices: 4000, Updated: 4000}, Records: goldenRecords(name, repetitions, 1, 2),
			ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 15500, Blocks: 20},
		})
	}
	return base
}

func goldenThresholds() []results.ThresholdOutcome {
	return []results.ThresholdOutcome{
		{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Value: 0.05, Samples: 6, Measured: true},
		{Threshold: "ops/s > 1/s", Op: "deliver", Unit: "ops/s", Value: 900, Samples: 6, Measured: true, Held: true},
		{Threshold: "p99-ns/op < 1s", Op: "push", Unit: "p99-ns/op"},
		{Threshold: "p99.9-ns/op < 1s", Op: "push", Unit: "p99.9-ns/op", Value: 2e6, Samples: 6, Measured: true,
			Undecided: "8 operations: a p99.9 wants 10,000"},
	}
}

// goldenEvidence returns what else a run directory holds.
func goldenEvidence() evidence.Evidence {
	h := hdrhistogram.New(1, 60_000_000_000, 3)
	for i := range int64(2000) {
		_ = h.RecordValue(900_000 + i*i)
	}
	e := evidence.Evidence{Latency: []evidence.Latency{{Op: "push", Histogram: h}}}
	for i := range 30 {
		e.Failures = append(e.Failures, evidence.Failure{
			Repetition: 1 + i%2, Device: i, Operation: "push", Class: []string{"integrity", "timeout", "integrity"}[i%3],
			Status: 200, Attempts: 2, Error: "push device: it said <no>",
		})
	}
	return e
}

// A goldenRunCase is a run, and the page that it is judged by.
type goldenRunCase struct {
	run      *rundir.Loaded
	base     *baseline.Page
	evidence bool
}

func goldenRuns() map[string]goldenRunCase {
	of := func(base *baseline.Page, change func(*rundir.Loaded)) goldenRunCase {
		run := goldenRun("rollout")
		change(run)
		return goldenRunCase{run: run, base: base}
	}
	page := func() *baseline.Page { return goldenBaseline(10, "rollout") }
	other := page()
	other.Machine.Identity = "ba9876543210"
	moved := page()
	moved.Scenarios[0].ReferenceSpeed.RoundTripNS = 30_000
	cases := map[string]goldenRunCase{
		"pass":      of(page(), func(*rundir.Loaded) {}),
		"improved":  of(page(), func(r *rundir.Loaded) { r.Records = goldenRecords("rollout", 6, 0.5, 2) }),
		"regressed": of(page(), func(r *rundir.Loaded) { r.Records = goldenRecords("rollout", 6, 1.3, 3) }),
		"inconclusive": of(page(), func(r *rundir.Loaded) {
			r.Records, r.Repetitions = goldenRecords("rollout", 3, 1.3, 2), 3
		}),
		"disturbed": of(page(), func(r *rundir.Loaded) {
			r.Records = goldenRecords("rollout", 6, 1.3, 2)
			r.Harness.Interference.OthersFraction = 0.97
		}),
		"invalid": of(page(), func(r *rundir.Loaded) {
			r.Valid, r.Fleet.Saturated = false, true
			r.Invalid = []string{"the fleet was the bottleneck: it used 99% of its processors", "2 devices lost"}
			r.Counts.Updated, r.Counts.Lost = 3998, 2
		}),
		"thresholds": of(page(), func(r *rundir.Loaded) {
			r.Thresholds, r.Notes = goldenThresholds(), []string{"the limit was found at 900/s"}
			r.Counts.Updated, r.Counts.Failed = 3800, 200
			r.RepetitionCounts[3] = r.Counts
			r.Operations[3].Succeeded, r.Operations[3].Failed = 3800, 200
		}),
		"no_baseline":      of(nil, func(*rundir.Loaded) {}),
		"not_in_baseline":  of(goldenBaseline(10, "throughput"), func(*rundir.Loaded) {}),
		"another_machine":  of(other, func(*rundir.Loaded) {}),
		"moved_machine":    of(moved, func(*rundir.Loaded) {}),
		"another_workload": of(page(), func(r *rundir.Loaded) { r.WorkloadDigest = "sha256:bb" }),
		"unfinished": of(page(), func(r *rundir.Loaded) {
			r.Status, r.Unfinished, r.Repetitions, r.Finished = results.StatusRunning, true, 5, time.Time{}
			r.Warnings = []string{"samples.txt: the last line was cut off"}
			r.Records = goldenRecords("rollout", 5, 1, 2)
		}),
		"waves": of(nil, func(r *rundir.Loaded) {
			r.Unconfirmed = true
			for i := range 2 {
				r.Rollouts = append(r.Rollouts, results.Rollout{Stopped: true, Waves: []results.Wave{
					{Number: 1, Share: 0.01, Size: 40, Reached: 40, Updated: 40, SoakNS: 5e9, Ended: true, Why: "no device failed"},
					{Number: 2, Share: 0.1, Size: 360, Reached: 20 + i, Updated: 15, Failed: 5 + i, Stopped: true,
						Why: "stopped: 25% failed, more than 5%"},
				}})
			}
		}),
		"broken_off": of(nil, func(r *rundir.Loaded) {
			r.Status, r.Repetitions, r.Records = results.StatusInterrupted, 0, nil
			r.RepetitionCounts, r.Operations, r.Counts = nil, nil, results.Counts{Devices: 10}
			r.Partial = &results.Partial{
				Repetition: 1, Of: 1, Seconds: 720, PlannedSeconds: 1800, Planned: 36_000, Succeeded: 14_395, Failed: 5,
				Counts:         results.Counts{Devices: 10, Updated: 9, Failed: 1},
				Contradictions: []string{"device 3: it received <2> pushes"},
				Values: []results.PartialValue{
					{Op: "push", Unit: "ops/s", Value: 20}, {Op: "push", Unit: "p99.9-ns/op", Value: 9.2e9, Few: 8},
					{Op: "push", Unit: "failed/device", Value: 0.02},
				},
			}
		}),
		"interrupted": of(page(), func(r *rundir.Loaded) { r.Status = results.StatusInterrupted }),
		"ended_early": of(page(), func(r *rundir.Loaded) {
			r.Status, r.Repetitions, r.Records = results.StatusAborted, 5, goldenRecords("rollout", 5, 1, 2)
			slow := 4.2e9
			r.Thresholds = []results.ThresholdOutcome{
				{
					Threshold: "p99-ns/op < 20ms in every 1s for 2 windows", Op: "push", Unit: "p99-ns/op", Value: slow,
					Samples: 6, Measured: true, Windows: &results.WindowsOutcome{
						WidthNS: 1e9, InRow: 2, Judged: 57, Broken: 6, Stalled: 4, Few: 1, Idle: 2, EndedRun: true,
						Breaches: []results.Breach{
							{Repetition: 2, StartNS: 1e9, EndNS: 2e9, Windows: 1, Value: &slow},
							{Repetition: 6, StartNS: 3e9, EndNS: 8e9, Windows: 5, Stalled: 4, Value: &slow, Failed: true},
						},
					},
				},
				{Threshold: "failed/device == 0", Op: "push", Unit: "failed/device", Undecided: "the run was ended early"},
				{
					Threshold: "ops/s > 1/s in every 1s for 2 windows", Op: "push", Unit: "ops/s", Value: 0, Samples: 5,
					Measured: true, Held: true, Windows: &results.WindowsOutcome{
						WidthNS: 1e9, InRow: 2, Judged: 50, Broken: 1, Breaches: []results.Breach{
							{Repetition: 1, EndNS: 1e9, Windows: 1, Value: new(float64)},
						},
					},
				},
			}
		}),
		"hostile": of(page(), func(r *rundir.Loaded) {
			for _, s := range []*string{
				&r.Path, &r.WorkloadDigest, &r.Command, &r.Revision, &r.Transport, &r.Addressing, &r.Machine.CPU,
				&r.Machine.Kernel, &r.Machine.OS,
			} {
				*s = hostile
			}
			r.Valid, r.Invalid, r.Warnings, r.Notes = false, []string{hostile}, []string{hostile}, []string{hostile, hostile}
			r.Thresholds = []results.ThresholdOutcome{{Threshold: hostile, Op: hostile, Unit: hostile, Value: 1e300,
				Measured: true}}
			r.Records = append(r.Records, results.Record{Scenario: "rollout", Op: "a|b`<i>", Repetition: 1, Ops: 1,
				Values: []results.Value{{Unit: "c|d&*", Value: 1}}})
		}),
	}
	thresholds := cases["thresholds"]
	thresholds.evidence = true
	cases["thresholds"] = thresholds
	return cases
}

// judged returns the judgment of `run` and `report`.
func (c goldenRunCase) judged() *judge.Judgement {
	return judge.Judge(c.base, c.run.Run, c.run.Records, judge.Policy{})
}

func (c goldenRunCase) document(mode report.Mode) *report.Document {
	now := report.RunSide(*c.run)
	if c.evidence {
		now.Evidence = goldenEvidence()
	}
	return report.New(mode, report.Input{
		Scenario: c.run.Scenario, Judgement: c.judged(), Base: report.BaselineSide(c.base, c.run.Scenario), Now: now,
	})
}

// goldenGates returns the documents of gates that compare runs with a page.
func goldenGates() map[string]*report.Document {
	gates := map[string]*report.Document{}
	add := func(name string, p judge.Policy, base *baseline.Page, wanted []string, runs ...*rundir.Loaded) {
		p.Unjudged, p.Outcomes = judge.RequireEveryMetric, true
		var sides []report.Side
		var judged []judge.ScenarioResult
		for _, run := range runs {
			sides = append(sides, report.RunSide(*run))
			judged = append(judged, judge.ScenarioResult{
				Scenario: run.Scenario, Run: run.Path, Revision: run.Revision,
				Judgement: judge.Judge(base, run.Run, run.Records, p),
			})
		}
		facts := report.GateFacts{Portable: p.Portable, Baseline: "BASELINE_METRICS.md", Revision: base.Revision}
		gates[name] = report.FromGate(judge.Gate(base, wanted, judged), base, sides, facts)
	}
	slow := goldenRun("throughput")
	slow.Records = goldenRecords("throughput", 6, 1.3, 3)
	failed := goldenRun("rollout")
	failed.Thresholds = goldenThresholds()
	cases := goldenRuns()
	add("pass", judge.Policy{}, goldenBaseline(10, "rollout"), nil, goldenRun("rollout"))
	add("portable", judge.Policy{Portable: true}, cases["another_machine"].base, nil, goldenRun("rollout"))
	add("another_machine", judge.Policy{}, cases["another_machine"].base, nil, goldenRun("rollout"))
	add("moved_machine", judge.Policy{}, cases["moved_machine"].base, nil, goldenRun("rollout"))
	add("another_workload", judge.Policy{}, cases["another_workload"].base, nil, cases["another_workload"].run)
	add("invalid", judge.Policy{}, cases["invalid"].base, nil, cases["invalid"].run)
	add("thresholds", judge.Policy{}, goldenBaseline(10, "rollout"), nil, failed)
	add("several", judge.Policy{}, goldenBaseline(10, "rollout", "throughput", "soak"),
		[]string{"rollout", "throughput", "soak", "nowhere"}, goldenRun("rollout"), slow)
	add("several_pass", judge.Policy{}, goldenBaseline(10, "rollout", "throughput"), nil, goldenRun("rollout"),
		goldenRun("throughput"))
	add("hostile", judge.Policy{}, cases["hostile"].base, nil, cases["hostile"].run)
	return gates
}

// goldenTurn is a comparison of a revision with the working tree, before its document is made.
type goldenTurn struct {
	in  report.Input
	how report.ABTest
}

// newGoldenTurn returns a comparison in which the working tree is slower by a factor.
func newGoldenTurn(slower float64) *goldenTurn {
	machine := goldenMachine()
	g := &goldenTurn{
		in: report.Input{
			Scenario: "gate", Command: "fleetmark gate --base main", Measured: time.Date(2026, 11, 23, 8, 27, 0, 0, time.UTC),
			Base: report.Side{Label: "main", Revision: "5d3d764aaaaaaaaaaaaa", Machine: &machine,
				Records: goldenRecords("gate-push", 12, 1, 2)},
			Now: report.Side{Label: "now", Revision: "0badcafebbbbbbbbbbbb+dirty", Machine: &machine,
				Records: goldenRecords("gate-push", 12, slower, 2)},
		},
		how: report.ABTest{
			Scenarios: []string{"gate-push"}, Machine: &machine, Client: "delivery", Harness: abtest.CurrentHarness,
			Base: "5d3d764aaaaaaaaaaaaa", BaseState: "5d3d764aaaaa", Now: "0badcafebbbbbbbbbbbb+dirty",
			NowState: "0badcafebbbb and 2 changed files",
			Changed:  []string{"delivery/client.go", "a\x1b[31m"}, Differences: []string{"toolchain: go1.25.1, now go1.26.8"},
			Pairs: 12, Dropped: 1, Elapsed: 34 * time.Second, Layouts: 8, LayoutsElapsed: 61 * time.Second,
		},
	}
	run := goldenRun("gate-push")
	run.Repetitions, run.Records = 12, g.in.Now.Records
	j := judge.Judge(goldenBaseline(12, "gate-push"), run.Run, run.Records, judge.Policy{})
	for i, r := range j.Rows {
		if r.P == nil {
			continue
		}
		ratio := r.Now.Median / r.Base.Median
		j.Rows[i].Ratio = &sequential.Ratio{Pairs: 12, Estimate: ratio, Low: ratio * 0.985, High: ratio * 1.017, Level: 0.99}
		if r.Verdict == results.Pass {
			j.Rows[i].Reason = judge.Reason{Code: "passed after 6 pairs"}
		}
	}
	g.in.Judgement = j
	return g
}

// explain adds two causes to a comparison, and one that couldn't be found.
func (g *goldenTurn) explain() {
	low, high := 0.7, 1.2
	g.in.Causes = []report.Cause{{Scenario: "gate-push", Kind: profiles.CPU, Dir: "runs/explained/cpu",
		Flame: "runs/explained/cpu/flame.html", Explanation: &explain.Explanation{
			Unit: "nanoseconds", Sample: "cpu", Paired: true, Base: 50, Now: 50, Operations: [2]int64{1000, 900}, Alpha: 0.01,
			Tests: 99, Notes: []string{"profiled on different machines"},
			Total: explain.Change{Base: 17_000, Now: 18_500, Delta: 1500, Low: 1200, High: 1800, P: 0.0002, Significant: true},
			Causes: []explain.Cause{{
				Function: "own/<delivery>.(*Client).push",
				Change:   explain.Change{Now: 1400, Delta: 1400, Low: 1200, High: 1600, P: 0.0002, Significant: true},
				Share:    0.93, ShareLow: &low, ShareHigh: &high,
				Lines:   []explain.Contribution{{Name: "client.go:77", Delta: 1300}},
				Callees: []explain.Contribution{{Name: "crypto/sha256.block", Delta: 1200}},
				Callers: []explain.Contribution{{Name: "own/delivery.(*Client).Push client.go:60", Delta: 1400}},
			}},
			Functions: []explain.Function{{Name: "crypto/sha256.block", Change: explain.Change{Delta: 1200, Significant: true}}},
		}}, {Scenario: "gate-push", Kind: profiles.Allocs, Dir: "runs/explained/allocs", FlameErr: errors.New("no home"),
		Explanation: &explain.Explanation{
			Unit: "bytes", Sample: "alloc_space", Paired: true, Base: 8, Now: 8, Causes: []explain.Cause{},
			Functions: []explain.Function{},
		}}}
	g.how.Unexplained = errors.New("block of gate-push: nobody waits")
}

// fail makes a comparison one that the working tree's driver ended.
func (g *goldenTurn) fail() {
	g.in.Judgement = &judge.Judgement{
		Verdict: results.Regressed, Compared: results.Regressed, HasBaseline: true,
		Reasons: []judge.Reason{{Code: judge.SideFailed, Side: judge.SideNow, Text: "now the driver failed"}},
	}
	g.how.Failed, g.how.Stacks, g.how.Shared = checkout.Now, "runs/x-gate/goroutines-now.txt", []string{"internal/wire"}
	g.how.Pairs, g.how.Dropped, g.how.Layouts, g.how.LayoutsErr = 0, 0, 0, errors.New("it can't be linked")
}

// goldenTurns are comparisons of a revision with the working tree.
func goldenTurns() map[string]*report.Document {
	pass, regressed, failed := newGoldenTurn(1), newGoldenTurn(1.3), newGoldenTurn(1)
	regressed.explain()
	failed.fail()
	documents := map[string]*report.Document{}
	for name, g := range map[string]*goldenTurn{"pass": pass, "regressed": regressed, "failed": failed} {
		documents[name] = report.FromABTest(report.ModeBase, g.in, g.how)
	}
	return documents
}

// goldenPages names the inputs whose HTML page is kept: each has a section that no other one has.
func goldenPages() []string {
	return []string{"run-broken_off", "run-hostile", "run-inconclusive", "run-no_baseline", "run-thresholds",
		"run-waves", "gate-several", "base-regressed"}
}

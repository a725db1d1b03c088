package results

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gateCase is a baseline of rollout and a run that does the same work on the same
// machine, and passes.
func gateCase() (Baseline, *LoadedRun) {
	base, run := testBaseline(), testRun()
	base.Scenarios[0].Counts = Counts{Devices: 5000, Updated: 5000}
	run.Status, run.Repetitions, run.Counts = StatusFinished, 10, Counts{Devices: 5000, Updated: 5000}
	return base, &LoadedRun{Run: run, Path: "runs/1", Records: rolloutRecords(1, 10, 1)}
}

// TestHoldGate is a change to what passes a case.
func TestHoldGate(t *testing.T) {
	edit := func(unit string, value func(float64) float64) func(*Baseline, *LoadedRun) {
		return func(_ *Baseline, r *LoadedRun) {
			for i := range r.Records {
				for k := range r.Records[i].Values {
					if v := &r.Records[i].Values[k]; v.Unit == unit {
						v.Value = value(v.Value)
					}
				}
			}
		}
	}
	zero := func(float64) float64 { return 0 }
	elsewhere := func(_ *Baseline, r *LoadedRun) { r.Machine.Identity = "another" }
	both := func(changes ...func(*Baseline, *LoadedRun)) func(*Baseline, *LoadedRun) {
		return func(b *Baseline, r *LoadedRun) {
			for _, change := range changes {
				change(b, r)
			}
		}
	}
	portable := GateOptions{PortableOnly: true}
	for _, c := range []struct {
		name   string
		change func(*Baseline, *LoadedRun)
		o      GateOptions
		want   Verdict
		says   string
	}{
		{"unchanged", both(), GateOptions{}, Pass, "none beyond its tolerance"},
		{"unchanged, portable only", both(), portable, Pass, "only portable ones were asked for"},
		{"another machine", elsewhere, GateOptions{}, Inconclusive, "another machine: measure both sides here and now with `fleetmark gate --base"},
		{"another machine, portable only", elsewhere, portable, Pass, "not judged"},
		{"a request more on another machine", both(elsewhere, edit("requests/device", func(v float64) float64 { return v + 1 })), GateOptions{}, Regressed, "requests/device went from 1 to 2"},
		{"an allocation more, portable only", both(elsewhere, edit("allocs/op", func(v float64) float64 { return v + 1 })), portable, Regressed, "allocs/op went from 1 to 2"},
		{"times twice as long", edit("ns/op", func(v float64) float64 { return 2 * v }), GateOptions{}, Regressed, "ns/op went"},
		{"times twice as long, portable only", edit("ns/op", func(v float64) float64 { return 2 * v }), portable, Pass, ""},
		{"times of zero", edit("ns/op", zero), GateOptions{}, Inconclusive, "0 is no measurement"},
		{"times of zero, portable only", edit("ns/op", zero), portable, Inconclusive, "0 is no measurement"},
		{"times of less than zero", edit("ns/op", func(float64) float64 { return -1 }), portable, Inconclusive, "-1 is no measurement"},
		{"no bytes on the wire", edit("wire-B/device", zero), portable, Inconclusive, "0 is no measurement"},
		{"everything zero", func(_ *Baseline, r *LoadedRun) {
			for i := range r.Records {
				for k := range r.Records[i].Values {
					r.Records[i].Values[k].Value = 0
				}
			}
		}, portable, Inconclusive, "0 is no measurement"},
		{"no allocation left", edit("allocs/op", zero), portable, Improved, "allocs/op went from 1 to 0"},
		{"a baseline of zero", func(b *Baseline, _ *LoadedRun) { b.Scenarios[0].Records[0].Values[0].Value = 0 }, GateOptions{}, Inconclusive, "the baseline's 0 is no measurement"},
		{"a metric that vanished", func(_ *Baseline, r *LoadedRun) {
			for i := range r.Records {
				r.Records[i].Values = slices.DeleteFunc(r.Records[i].Values, func(v Value) bool { return v.Unit == "p99-ns/op" })
			}
		}, portable, Regressed, "p99-ns/op is missing now"},
		{"an operation that vanished", func(_ *Baseline, r *LoadedRun) {
			r.Records = slices.DeleteFunc(r.Records, func(r Record) bool { return r.Op == "verify" })
		}, portable, Regressed, "verify"},
		{"a metric that nobody knows", func(b *Baseline, _ *LoadedRun) {
			b.Scenarios[0].Records[0].Values = append(b.Scenarios[0].Records[0].Values, Value{"widgets", 1})
		}, portable, Regressed, "widgets is missing now"},
		{"a metric that nobody knows on both sides", func(b *Baseline, r *LoadedRun) {
			b.Scenarios[0].Records[0].Values = append(b.Scenarios[0].Records[0].Values, Value{"widgets", 1})
			r.Records[0].Values = append(r.Records[0].Values, Value{"widgets", 1})
		}, portable, Inconclusive, "doesn't know the metric"},
		{"a metric that is new", func(_ *Baseline, r *LoadedRun) {
			r.Records[0].Values = append(r.Records[0].Values, Value{"retries/device", 9})
		}, GateOptions{}, Pass, ""},
		{"no samples", func(_ *Baseline, r *LoadedRun) { r.Records = nil }, portable, Inconclusive, "holds no samples"},
		{"too few samples", func(_ *Baseline, r *LoadedRun) { r.Records, r.Repetitions = r.Records[:2], 1 }, portable, Inconclusive, "too few"},
		{"another scenario", func(b *Baseline, r *LoadedRun) {
			r.Scenario = "soak"
			for i := range r.Records {
				r.Records[i].Scenario = "soak"
			}
			b.Scenarios[0].Name = "rollout"
		}, portable, Inconclusive, "doesn't have the scenario soak"},
		{"another workload", func(_ *Baseline, r *LoadedRun) { r.WorkloadDigest = "sha256:bb" }, portable, Inconclusive, "another workload"},
		{"a workload without a name", func(b *Baseline, r *LoadedRun) {
			r.WorkloadDigest, b.Scenarios[0].WorkloadDigest = "", ""
		}, portable, Inconclusive, "another workload"},
		{"a machine that moved", func(b *Baseline, r *LoadedRun) {
			b.Scenarios[0].Yardstick, r.Harness.Yardstick = &Yardstick{RoundTripNS: 10}, &Yardstick{RoundTripNS: 20}
		}, GateOptions{}, Inconclusive, "2.00 times as slow as it was: measure both sides"},
		{"interrupted", func(_ *Baseline, r *LoadedRun) { r.Status = StatusInterrupted }, portable, Inconclusive, "was interrupted"},
		{"still running", func(_ *Baseline, r *LoadedRun) { r.Status = StatusRunning }, portable, Inconclusive, "never ended"},
		{"failed", func(_ *Baseline, r *LoadedRun) { r.Status = StatusFailed }, portable, Inconclusive, "the run failed"},
		{"invalid", func(_ *Baseline, r *LoadedRun) { r.Valid, r.Invalid = false, []string{"the fleet was on fire"} }, portable, Invalid, "on fire"},
		{"invalid without a reason", func(_ *Baseline, r *LoadedRun) { r.Valid = false }, portable, Invalid, "without a reason"},
		{"invalid and interrupted", func(_ *Baseline, r *LoadedRun) { r.Valid, r.Status = false, StatusInterrupted }, portable, Invalid, "without a reason"},
		{"valid, though the fleet was saturated", func(_ *Baseline, r *LoadedRun) { r.Fleet.Saturated = true }, portable, Invalid, "the fleet was the bottleneck"},
		{"valid, though the harness was saturated", func(_ *Baseline, r *LoadedRun) { r.Harness.Saturated = true }, portable, Invalid, "the harness was the bottleneck"},
		{"valid, though a device was lost", func(_ *Baseline, r *LoadedRun) { r.Counts.Lost = 1 }, portable, Invalid, "1 device lost"},
		{"valid, though an update was applied twice", func(_ *Baseline, r *LoadedRun) { r.Counts.AppliedTwice = 2 }, portable, Invalid, "2 devices applied an update twice"},
		{"one device not updated", func(_ *Baseline, r *LoadedRun) { r.Counts.Updated = 4999 }, portable, Regressed, "devices updated went from 5000 to 4999"},
		{"one device failed", func(_ *Baseline, r *LoadedRun) { r.Counts.Failed = 1 }, portable, Regressed, "devices failed went from 0 to 1"},
		{"fewer failed than did", func(b *Baseline, _ *LoadedRun) {
			b.Scenarios[0].Counts = Counts{Devices: 5000, Updated: 4990, Failed: 10}
		}, portable, Improved, ""},
		{"many turns a device, so that speed decides how many are updated", func(b *Baseline, r *LoadedRun) {
			b.Scenarios[0].Counts, r.Counts = Counts{Devices: 7000, Updated: 7000}, Counts{Devices: 7000, Updated: 6500}
		}, portable, Pass, ""},
		{"many turns a device, and one failed", func(b *Baseline, r *LoadedRun) {
			b.Scenarios[0].Counts, r.Counts = Counts{Devices: 7000, Updated: 7000}, Counts{Devices: 7000, Updated: 6999, Failed: 1}
		}, portable, Regressed, "devices failed went from 0 to 1"},
		{"nobody but the client says so", func(_ *Baseline, r *LoadedRun) { r.ClientsWordOnly = true }, portable, Inconclusive, "client's word only"},
		{"a threshold that failed", func(_ *Baseline, r *LoadedRun) {
			r.Thresholds = []ThresholdOutcome{{Threshold: "failed/device == 0", Unit: "failed/device", Value: 1, Measured: true}}
		}, portable, Regressed, "1 of 1 threshold failed: failed/device == 0"},
		{"no alpha that makes sense", both(), GateOptions{Alpha: 2}, Invalid, "alpha 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, run := gateCase()
			c.change(&base, run)
			g := HoldGate(&base, []string{run.Scenario}, []*LoadedRun{run}, c.o)
			require.Len(t, g.Scenarios, 1)
			require.Equal(t, c.want, g.Verdict, g.Reason)
			require.Contains(t, g.Reason, c.says)
			require.True(t, strings.HasPrefix(g.Reason, run.Scenario+": "), g.Reason)
			require.NotContains(t, g.Reason, "\n")
			require.Equal(t, g.Verdict, g.Scenarios[0].Judgement.Verdict)
		})
	}
}

func TestHoldGateOfSeveral(t *testing.T) {
	base, run := gateCase()
	g := HoldGate(&base, nil, []*LoadedRun{run, run}, GateOptions{})
	require.Equal(t, Pass, g.Verdict)
	require.Equal(t, "each of 2 runs is no worse than the baseline", g.Reason)

	_, bad := gateCase()
	bad.Path, bad.Counts.Updated = "runs/2", 1
	g = HoldGate(&base, nil, []*LoadedRun{run, bad}, GateOptions{})
	require.Equal(t, Regressed, g.Verdict)
	require.Contains(t, g.Reason, "updated went from 5000 to 1")

	g = HoldGate(&base, []string{"rollout", "soak"}, []*LoadedRun{run}, GateOptions{})
	require.Equal(t, Inconclusive, g.Verdict)
	require.Equal(t, "soak: neither the baseline nor a run has it", g.Reason)

	other := base.Scenarios[0]
	other.Name = "throughput"
	base.Scenarios = append(base.Scenarios, other)
	g = HoldGate(&base, nil, []*LoadedRun{run}, GateOptions{})
	require.Equal(t, Inconclusive, g.Verdict, "a scenario that vanished is no pass")
	require.Equal(t, "throughput: the baseline has it, and no run of it was given", g.Reason)
	require.Equal(t, Pass, HoldGate(&base, []string{"rollout"}, []*LoadedRun{run}, GateOptions{}).Verdict)

	g = HoldGate(&base, nil, nil, GateOptions{})
	require.Equal(t, Inconclusive, g.Verdict)
	require.Equal(t, Inconclusive, HoldGate(&Baseline{}, nil, nil, GateOptions{}).Verdict)
}

func TestOutcomeRowsKeepEveryDigit(t *testing.T) {
	require.Equal(t, "4999", FormatValue(4999, "updated"))
	require.Equal(t, "1000000", FormatValue(1e6, "failed"))
}

package judge_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

var (
	same  = judge.Conditions{SameMachine: true, SameWorkload: true}
	slow  = judge.Conditions{SameMachine: true, SameWorkload: true, Drift: 1.8}
	tired = judge.Conditions{SameMachine: true, SameWorkload: true, Drift: 1.1}
	busy  = judge.Conditions{SameMachine: true, SameWorkload: true, Others: &results.Interference{OthersFraction: 0.4}}
)

func compare(old, now []results.Record, c judge.Conditions) *judge.Judgement {
	return judge.Compare(&baseline.Scenario{Name: "rollout", Records: old}, now, c)
}

// TestCompare_row judges one row in each case. The p-values were computed by hand: two samples of n
// values that don't overlap have p = 2/C(2n, n), which is 2/70 = 0.0286 for 4 and 2/252 = 0.0079
// for 5.
func TestCompare_row(t *testing.T) {
	const p4, p5 = 2.0 / 70, 2.0 / 252
	for _, c := range []struct {
		name     string
		unit     string
		old, now []float64
		c        judge.Conditions
		want     results.Verdict
		note     string
		p        float64 // 0 if the row isn't tested, -1 if any will do
	}{
		{"slower beyond the tolerance", "ns/op", spread(100, 1, 5), spread(130, 1, 5), same, results.Regressed, "", p5},
		{"slower within the tolerance", "ns/op", spread(100, 1, 5), spread(120, 1, 5), same, results.Pass, "", p5},
		{"faster beyond the tolerance", "ns/op", spread(100, 1, 5), spread(60, 1, 5), same, results.Improved, "", p5},
		{"faster within the tolerance", "ns/op", spread(100, 1, 5), spread(90, .1, 5), same, results.Pass, "", p5},
		{"a tail has more tolerance", "p99-ns/op", spread(100, 1, 5), spread(140, 1, 5), same, results.Pass, "", p5},
		{"a tail beyond it", "p99.9-ns/op", spread(100, 1, 5), spread(160, 1, 5), same, results.Regressed, "", p5},
		{"a rate that fell", "ops/s", spread(100, 1, 5), spread(60, 1, 5), same, results.Regressed, "", p5},
		{"a rate that rose", "MB/s", spread(100, 1, 5), spread(160, 1, 5), same, results.Improved, "", p5},
		{"four samples suffice", "ns/op", spread(100, 1, 4), spread(130, 1, 4), same, results.Regressed, "", p4},
		{"three samples don't", "ns/op", spread(100, 1, 3), spread(130, 1, 3), same, results.Inconclusive,
			"3 and 3 samples are too few", 0.1},
		{"one sample", "ns/op", []float64{1}, []float64{9}, same, results.Inconclusive, "1 and 1 samples are too few", 1},
		{"one sample, unchanged", "allocs/op", []float64{1}, []float64{1}, same, results.Inconclusive, "too few", 1},
		{"noise", "ns/op", []float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 4, 5}, same, results.Pass, "", 1},
		{"far apart but noise", "ns/op", []float64{1, 2, 3, 40, 50}, []float64{1, 2, 30, 40, 50}, same, results.Pass,
			"it may be noise", -1},
		{"equal allocations", "allocs/op", spread(1, 0, 5), spread(1, 0, 5), same, results.Pass, "", 1},
		{"one more allocation", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), same, results.Regressed, "", -1},
		{"allocations on another machine", "allocs/op", spread(1, 0, 10), spread(2, 0, 10),
			judge.Conditions{SameWorkload: true}, results.Regressed, "", -1},
		{"an allocation from none", "allocs/op", spread(0, 0, 10), spread(1, 0, 10), same, results.Regressed, "", -1},
		{"what a repetition allocates once", "allocs/op", spread(0, 0, 10), spread(0.2, 0, 10), same, results.Pass, "", -1},
		{"a byte count's slack", "B/op", spread(0, 0, 10), spread(32, 0, 10), same, results.Pass, "", -1},
		{"bytes beyond the slack", "B/op", spread(0, 0, 10), spread(40, 0, 10), same, results.Regressed, "", -1},
		{"a third of an allocation", "allocs/op", spread(29, 0, 10), spread(29.3, 0, 10), same, results.Pass, "", -1},
		{"an object in three operations, from none", "allocs/op", spread(0, 0, 10), spread(0.33, 0, 10), same,
			results.Regressed, "", -1},
		{"no allocation left", "allocs/op", spread(1, 0, 10), spread(0, 0, 10), same, results.Improved, "", -1},
		{"bytes within the tolerance", "B/op", spread(1000, 1, 10), spread(1040, 1, 10), same, results.Pass, "", -1},
		{"bytes beyond it", "B/op", spread(1000, 1, 10), spread(1060, 1, 10), same, results.Regressed, "", -1},
		{"memory", "peak-rss-B", spread(1000, 1, 10), spread(1300, 1, 10), same, results.Regressed, "", -1},
		{"time on another machine", "ns/op", spread(100, 1, 10), spread(900, 1, 10), judge.Conditions{SameWorkload: true},
			"", "another machine: no verdict", 0},
		{"rate on another machine", "ops/s", spread(100, 1, 10), spread(9, 1, 10), judge.Conditions{SameWorkload: true}, "",
			"another machine: no verdict", 0},
		{"processor time on another machine", "cpu-ns/op", spread(100, 1, 10), spread(900, 1, 10),
			judge.Conditions{SameWorkload: true}, "", "another machine: no verdict", 0},
		{"memory on another machine", "peak-rss-B", spread(100, 1, 10), spread(900, 1, 10),
			judge.Conditions{SameWorkload: true}, "", "another machine: no verdict", 0},
		{"slower on a busy machine", "ns/op", spread(100, 1, 5), spread(130, 1, 5), busy, results.Inconclusive,
			"other processes used 40% of all cores meanwhile", p5},
		{"faster on a busy machine", "ops/s", spread(100, 1, 5), spread(160, 1, 5), busy, results.Inconclusive,
			"other processes used 40% of all cores meanwhile", p5},
		{"slower on a slower machine", "ns/op", spread(100, 1, 5), spread(180, 1, 5), slow, "",
			"machine speed changed: no verdict", 0},
		{"processor time on a slower machine", "cpu-ns/op", spread(100, 1, 5), spread(180, 1, 5), slow, "",
			"machine speed changed: no verdict", 0},
		{"a rate on a slower machine", "ops/s", spread(100, 1, 5), spread(50, 1, 5), slow, "",
			"machine speed changed: no verdict", 0},
		{"no slower than the machine explains", "ns/op", spread(100, 1, 5), spread(136, .1, 5), tired, results.Pass, "", p5},
		{"slower than the machine explains", "ns/op", spread(100, 1, 5), spread(142, .1, 5), tired, results.Regressed, "",
			p5},
		{"a rate no lower than the machine explains", "ops/s", spread(100, 0, 5), spread(69, .1, 5), tired, results.Pass,
			"", -1},
		{"a rate lower than it explains", "ops/s", spread(100, 0, 5), spread(67, .1, 5), tired, results.Regressed, "", -1},
		{"memory doesn't depend on the machine's speed", "peak-rss-B", spread(1000, 1, 10), spread(1250, 1, 10), tired,
			results.Regressed, "", -1},
		{"memory on a slower machine", "peak-rss-B", spread(1000, 1, 10), spread(1300, 1, 10), slow, results.Regressed, "",
			-1},
		{"one more request on a slower machine", "requests/device", spread(2, 0, 5), spread(3, 0, 5), slow,
			results.Regressed, "", 0},
		{"unchanged on a busy machine", "ns/op", spread(100, 1, 5), spread(110, 1, 5), busy, results.Pass, "", p5},
		{"one more allocation on a busy machine", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), busy, results.Regressed,
			"", -1},
		{"another workload", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), judge.Conditions{SameMachine: true}, "",
			"another workload: no verdict", 0},
		{"exact and equal", "requests/device", []float64{2}, []float64{2}, same, results.Pass, "", 0},
		{"exact, one more, one sample", "requests/device", []float64{2}, []float64{3}, same, results.Regressed, "", 0},
		{"exact, the least more", "wire-B/device", []float64{65913.5, 65913.5}, []float64{65913.6}, same, results.Regressed,
			"", 0},
		{"exact, less", "retries/device", []float64{2}, []float64{1}, same, results.Improved, "", 0},
		{"exact, from zero", "failed/device", []float64{0, 0}, []float64{0.0002, 0.0002}, same, results.Regressed, "", 0},
		{"exact, to zero", "failed/device", []float64{0.5}, []float64{0}, same, results.Improved, "", 0},
		{"exact, zero", "failed/device", []float64{0}, []float64{0}, same, results.Pass, "", 0},
		{"exact, another machine", "requests/device", []float64{2}, []float64{3}, judge.Conditions{SameWorkload: true},
			results.Regressed, "", 0},
		{"exact, another workload", "requests/device", []float64{2}, []float64{3}, judge.Conditions{SameMachine: true}, "",
			"another workload: no verdict", 0},
		{"exact, but the run varies for the better", "retries/device", []float64{1, 1, 1}, []float64{0, 1, 1}, same,
			results.Pass, "the run's samples differ", 0},
		{"exact, worse in one repetition", "failed/device", []float64{0, 0, 0}, []float64{0, 0, 0.5}, same,
			results.Inconclusive, "worse in some repetitions", 0},
		{"exact, better but worse in one repetition", "retries/device", []float64{1, 1, 1}, []float64{0, 0, 2}, same,
			results.Inconclusive, "worse in some repetitions", 0},
		{"exact, but the baseline varies", "retries/device", spread(1, .01, 5), spread(1.01, .01, 5), same, results.Pass,
			"tested, not compared exactly", -1},
		{"exact, but it varies, and better", "retries/device", spread(1, .01, 5), spread(.5, .01, 5), same,
			results.Improved, "tested, not compared exactly", p5},
		{"exact, but it varies, and worse", "retries/device", spread(1, .01, 5), spread(1.2, .01, 5), same,
			results.Regressed, "tested, not compared exactly", p5},
		{"exact, but it varies, worse within the tolerance", "wire-B/device", spread(1000, 1, 5), spread(1040, 1, 5), same,
			results.Pass, "tested, not compared exactly", p5},
		{"exact, but it varies, on a slower machine", "retries/device", spread(1, .01, 5), spread(1.2, .01, 5), slow,
			results.Regressed, "tested", p5},
		{"exact, but it varies, and there are few samples", "retries/device", []float64{1, 2}, []float64{1, 3}, same,
			results.Inconclusive, "too few", -1},
		{"missing now", "ns/op", spread(1, 1, 10), nil, same, results.Regressed, "missing now", 0},
		{"missing now, on another machine", "ns/op", spread(1, 1, 10), nil, judge.Conditions{SameWorkload: true},
			results.Regressed, "missing now", 0},
		{"processor time that this machine doesn't tell", "cpu-ns/op", spread(1, 1, 10), nil,
			judge.Conditions{SameWorkload: true}, "", "another machine: no verdict", 0},
		{"memory that this machine doesn't tell", "peak-rss-B", spread(1, 1, 10), nil, judge.Conditions{SameWorkload: true},
			"", "another machine: no verdict", 0},
		{"memory that vanished", "peak-rss-B", spread(1, 1, 10), nil, same, results.Regressed, "missing now", 0},
		{"missing now, of another workload", "ns/op", spread(1, 1, 10), nil, judge.Conditions{SameMachine: true}, "",
			"another workload: no verdict", 0},
		{"unknown", "widgets", spread(1, 1, 10), spread(9, 1, 10), same, "", "unknown metric: no verdict", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := sample(c.unit, c.now...)
			old := sample(c.unit, c.old...)
			if c.now == nil {
				old, now = append(old, sample("requests/device", 1)...), sample("requests/device", 1)
			}
			rows := compare(old, now, c.c).Rows
			at := slices.IndexFunc(rows, func(r judge.Row) bool { return r.Unit.Name == c.unit })
			require.GreaterOrEqual(t, at, 0)
			row := rows[at]
			require.Equal(t, c.want, row.Verdict, report.Note(row))
			require.Contains(t, report.Note(row), c.note)
			switch c.p {
			case 0:
				require.Nil(t, row.P)
			case -1:
				require.NotNil(t, row.P)
			default:
				require.InDelta(t, c.p, *row.P, 1e-12)
			}
		})
	}
}

func TestCompare_delta(t *testing.T) {
	for _, c := range []struct {
		old, now float64
		want     *float64
	}{{100, 150, new(0.5)}, {100, 50, new(-0.5)}, {100, 0, new(-1.0)}, {0, 0, new(0.0)}, {0, 5, nil}, {5, 5, new(0.0)},
		{1e-300, 1e300, nil}} {
		require.Equal(t, c.want, compare(sample("ns/op", c.old), sample("ns/op", c.now), same).Rows[0].Delta, "%v to %v",
			c.old, c.now)
	}
}

func TestCorrect(t *testing.T) {
	// Five tests, computed by hand: 0.001*5, 0.01*4, 0.02*3 = 0.06, then 0.02*2 = 0.04 is
	// raised to 0.06, and 0.9*1.
	p := []float64{0.02, 0.001, 0.9, 0.01, 0.02}
	want := []float64{0.06, 0.005, 0.9, 0.04, 0.06}
	var rows []judge.Row
	for i := range p {
		rows = append(rows, judge.Row{P: &p[i], Base: &results.Summary{N: 10}, Now: &results.Summary{N: 10}})
	}
	small := 0.0001
	rows = append(rows, judge.Row{}, judge.Row{P: &small, Base: &results.Summary{N: 3}, Now: &results.Summary{N: 3}})
	judge.Correct(rows)
	for i := range want {
		require.InDelta(t, want[i], *rows[i].AdjustedP, 1e-12)
	}
	require.Nil(t, rows[5].AdjustedP, "not tested")
	require.Nil(t, rows[6].AdjustedP, "too few samples to count")
}

// TestCompare_manyRows: with five samples, p = 0.0079 suffices for one row but not among eleven,
// where it is corrected to 0.087. A slowdown is then inconclusive, and never a pass.
func TestCompare_manyRows(t *testing.T) {
	many := func(factor float64) []results.Record {
		var records []results.Record
		for i := range 5 {
			r := results.Record{Scenario: "rollout", Op: "push", Ops: 1}
			for _, u := range results.Units() {
				value := 100 + float64(i)
				if u.Name == "ns/op" {
					value *= factor
				}
				if !u.Exact && u.Class != results.ClassMemory && u.Judged() {
					r.Values = append(r.Values, results.Value{Unit: u.Name, Value: value})
				}
			}
			records = append(records, r)
		}
		return records
	}
	j := compare(many(1), many(2), same)
	rows := float64(len(many(1)[0].Values))
	require.Greater(t, rows, 10.0)
	require.Len(t, j.Rows, int(rows))
	require.InDelta(t, rows*2/252, *j.Rows[0].AdjustedP, 1e-12) // the smallest p of 5 against 5 values is 2/252
	require.Equal(t, results.Inconclusive, j.Rows[0].Verdict)
	require.Contains(t, report.Note(j.Rows[0]), fmt.Sprintf("corrected p=%.3f", rows*2/252))
	require.Equal(t, results.Inconclusive, j.Verdict)
	require.Equal(t, results.Pass, compare(many(2), many(1), same).Verdict, "an improvement that may be chance passes")
}

// TestCompare_overall checks how the verdicts of rows combine.
func TestCompare_overall(t *testing.T) {
	pass, worse, better := sample("requests/device", 1), sample("retries/device", 3), sample("failed/device", 1)
	old := append(append(append([]results.Record{}, pass...), sample("retries/device", 3)...),
		sample("failed/device", 1)...)
	few := sample("ns/op", 1)
	at := func(records []results.Record, v float64) []results.Record {
		moved := sample(records[0].Values[0].Unit, v)
		return moved
	}
	join := func(parts ...[]results.Record) []results.Record {
		var all []results.Record
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name     string
		old, now []results.Record
		c        judge.Conditions
		want     results.Verdict
		reason   string
	}{
		{"all pass", old, old, same, results.Pass, "3 metrics judged, none beyond its tolerance"},
		{"one regressed", old, join(pass, at(worse, 6), better), same, results.Regressed,
			"push retries/device went from 3 to 6 (+100.0%)"},
		{"one improved", old, join(pass, worse, at(better, 0)), same, results.Improved,
			"push failed/device went from 100% to 0% (-100.0%)"},
		{"regressed beats improved", old, join(pass, at(worse, 4), at(better, 0)), same, results.Regressed, "retries/device"},
		{"regressed beats inconclusive", join(old, few), join(pass, at(worse, 4), better, few), same, results.Regressed,
			"retries/device"},
		{"inconclusive beats improved", join(old, few), join(pass, worse, at(better, 0), few), same, results.Inconclusive,
			"push ns/op can't be told: 1 and 1 samples are too few"},
		{"several regressed, the most moved first", old, join(at(pass, 1.1), at(worse, 30), better), same,
			results.Regressed, "push retries/device went from 3 to 30 (+900.0%), and 1 other metric"},
		{"a metric that vanished", old, join(pass, worse), same, results.Regressed, "push failed/device is missing now"},
		{"a metric that is new", pass, join(pass, at(worse, 9)), same, results.Pass,
			"1 metric judged, none beyond its tolerance; 1 metric not judged"},
		{"some rows of another machine", join(old, few), join(pass, worse, better, few),
			judge.Conditions{SameWorkload: true}, results.Pass, "1 metric not judged (the baseline is from another machine)"},
		{"nothing measured now", old, nil, same, results.Regressed, "is missing now"},
		{"no baseline", nil, old, same, "", "no baseline"},
		{"another workload", old, join(at(pass, 9), worse, better), judge.Conditions{SameMachine: true}, "",
			"another workload"},
		{"only new metrics in common", nil, old, judge.Conditions{}, "", "no baseline"},
		{"only times of another machine", few, at(few, 9), judge.Conditions{SameWorkload: true}, "",
			"no metric in common that can be judged"},
		{"nothing at all", nil, nil, same, results.Invalid, "the run holds no samples"},
		{"an invalid run", old, old, judge.Conditions{SameMachine: true, SameWorkload: true,
			Invalid: []judge.Reason{{Code: judge.Invalid, Text: "the fleet was saturated"},
				{Code: judge.Invalid, Text: "a device was lost"}}}, results.Invalid, "a device was lost; the fleet was saturated"},
		{"an invalid run that regressed", old, join(pass, at(worse, 9), better),
			judge.Conditions{SameWorkload: true, Invalid: []judge.Reason{{Code: judge.Invalid, Text: "saturated"}}},
			results.Invalid, "saturated"},
		{"a NaN", old, join(old, sample("ns/op", math.NaN())), same, results.Invalid,
			"the run holds a sample that is no number"},
		{"an infinity in the baseline", join(old, sample("ns/op", math.Inf(1))), old, same, results.Invalid,
			"the baseline holds a sample that is no number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := compare(c.old, c.now, c.c)
			require.Equal(t, c.want, j.Verdict, report.Sentence(j))
			require.Contains(t, report.Sentence(j), c.reason)
			if c.want == results.Invalid {
				for _, r := range j.Rows {
					require.Empty(t, r.Verdict, "no row of an invalid run has a verdict")
				}
			}
		})
	}
}

// TestCompare_noise judges runs of the same distribution, and of one that is 1.6 times as slow. The
// values of repetitions vary by 5%.
func TestCompare_noise(t *testing.T) {
	for seed := range uint64(100) {
		old := rolloutRecords(2*seed, 10, 1)
		require.Equal(t, results.Pass, compare(old, rolloutRecords(2*seed+1, 10, 1), same).Verdict, "seed %d", seed)
		require.Equal(t, results.Regressed, compare(old, rolloutRecords(2*seed+1, 10, 1.6), same).Verdict, "seed %d", seed)
	}
}

// TestCompare_missingOperation checks that every metric of an operation that vanished is missing.
func TestCompare_missingOperation(t *testing.T) {
	now := rolloutRecords(1, 10, 1)
	var pushes []results.Record
	for _, r := range now {
		if r.Op == "push" {
			pushes = append(pushes, r)
		}
	}
	j := compare(now, pushes, same)
	require.Equal(t, results.Regressed, j.Verdict)
	for _, r := range j.Rows {
		if r.Op == "verify" {
			require.Equal(t, results.Regressed, r.Verdict)
			require.Equal(t, "missing now", report.Note(r))
		} else {
			require.Equal(t, results.Pass, r.Verdict)
		}
	}
}

// TestJudgeDoesNotChangeItsInput checks that the caller's records and reasons stay as they are.
func TestJudgeDoesNotChangeItsInput(t *testing.T) {
	old, now := rolloutRecords(1, 10, 1), rolloutRecords(2, 10, 1)
	invalid := []judge.Reason{{Code: judge.Invalid, Text: "b"}, {Code: judge.Invalid, Text: "a"}}
	compare(old, now, judge.Conditions{SameMachine: true, SameWorkload: true, Invalid: slices.Clone(invalid)})
	compare(old, now, same)
	require.Equal(t, rolloutRecords(1, 10, 1), old)
	require.Equal(t, rolloutRecords(2, 10, 1), now)

	run := testRun()
	run.Valid, run.Invalid = false, []string{"the fleet was saturated", "2 devices were lost"}
	judge.Judge(nil, run, now, judge.Policy{})
	require.Equal(t, []string{"the fleet was saturated", "2 devices were lost"}, run.Invalid)
}

func TestJudge(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Status = results.StatusFinished
	now := rolloutRecords(2, 10, 1.6)
	require.Equal(t, results.Regressed, judge.Judge(&base, run, now, judge.Policy{}).Verdict)

	moved := run
	moved.Machine.GOMAXPROCS = 1
	j := judge.Judge(&base, moved, now, judge.Policy{})
	require.Equal(t, results.Pass, j.Verdict, "times aren't judged: %s", report.Sentence(j))
	require.Contains(t, report.Sentence(j), "another machine")

	other := run
	other.WorkloadDigest = "sha256:bb"
	require.Empty(t, judge.Judge(&base, other, now, judge.Policy{}).Verdict)
	other.WorkloadDigest, base.Scenarios[0].WorkloadDigest = "", ""
	require.Empty(t, judge.Judge(&base, other, now, judge.Policy{}).Verdict, "an unknown workload is the same as no other")

	other = run
	other.Scenario = "soak"
	require.Contains(t, report.Sentence(judge.Judge(&base, other, now, judge.Policy{})), "doesn't have the scenario soak")
	require.Contains(t, report.Sentence(judge.Judge(nil, run, now, judge.Policy{})), "no baseline")

	bad := run
	bad.Valid, bad.Invalid = false, []string{"the ledger contradicts the client"}
	for _, b := range []*baseline.Page{&base, nil} {
		j := judge.Judge(b, bad, now, judge.Policy{})
		require.Equal(t, results.Invalid, j.Verdict)
		require.Equal(t, "the ledger contradicts the client", report.Sentence(j))
	}
	bad.Invalid = nil
	require.Equal(t, results.Invalid, judge.Judge(&base, bad, now, judge.Policy{}).Verdict)
}

// TestJudge_unendedRun checks that a run that did not end has no verdict, whatever it measured, but
// an invalid one stays invalid.
func TestJudge_unendedRun(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Repetitions = 10
	now := rolloutRecords(2, 10, 1.6)
	for status, reason := range map[results.Status]string{
		results.StatusInterrupted: "the run was interrupted", results.StatusRunning: "the run never ended",
		results.StatusFailed: "the run failed",
	} {
		run.Status = status
		j := judge.Judge(&base, run, now, judge.Policy{})
		require.Empty(t, j.Verdict, status)
		require.Equal(t, reason, report.Sentence(j))
		require.NotEmpty(t, j.Rows, "what was measured is shown beside the baseline")
		require.Empty(t, judge.Judge(&base, run, nil, judge.Policy{}).Rows, "a run without samples doesn't miss every metric")

		bad := run
		bad.Valid, bad.Invalid = false, []string{"the ledger contradicts the client"}
		require.Equal(t, results.Invalid, judge.Judge(&base, bad, now, judge.Policy{}).Verdict)
	}
	early := run
	early.Status, early.Repetitions, early.Valid, early.Invalid = results.StatusInterrupted, 0, false, []string{"the ledger contradicts the client"}
	j := judge.Judge(&base, early, nil, judge.Policy{})
	require.Empty(t, j.Verdict, "no repetition ended, so nothing can be invalid")
	require.Equal(t, "the run was interrupted", report.Sentence(j))
}

// TestCompare_pIsAProbability: if one sample lies within the other, the exact two-sided p-value
// would exceed 1.
func TestCompare_pIsAProbability(t *testing.T) {
	j := compare(sample("ns/op", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), sample("ns/op", 3, 6, 8), same)
	require.NotNil(t, j.Rows[0].P)
	require.LessOrEqual(t, *j.Rows[0].P, 1.0)
	require.Greater(t, *j.Rows[0].P, 0.9)
}

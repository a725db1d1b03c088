package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func ExampleJudge() {
	base := &BaselineScenario{Name: "rollout", Records: []Record{
		{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 5000, Values: []Value{{"requests/device", 1}}},
	}}
	now := []Record{
		{Scenario: "rollout", Op: "push", Repetition: 1, Ops: 5000, Values: []Value{{"requests/device", 2}}},
	}
	j := Judge(base, now, Conditions{SameWorkload: true})
	if err := j.WriteTable(os.Stdout, TableOptions{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// operation  metric           baseline  now    delta  p  verdict
	// ────────────────────────────────────────────────────────────────
	// push       requests/device         1    2  +100.0%     regressed
	//
	// regressed: push requests/device went from 1 to 2 (+100.0%)
}

var (
	same  = Conditions{SameMachine: true, SameWorkload: true}
	slow  = Conditions{SameMachine: true, SameWorkload: true, Pace: 1.8}
	tired = Conditions{SameMachine: true, SameWorkload: true, Pace: 1.1}
	busy  = Conditions{SameMachine: true, SameWorkload: true, Disturbed: "a compiler ran"}
)

func judge(old, now []Record, c Conditions) *Judgement {
	return Judge(&BaselineScenario{Name: "rollout", Records: old}, now, c)
}

// TestJudgeRow is a row a case. The p-values are worked out by hand: two samples
// of n values that don't overlap have p = 2/C(2n, n), which is 2/70 = 0.0286 for
// 4 and 2/252 = 0.0079 for 5.
func TestJudgeRow(t *testing.T) {
	const p4, p5 = 2.0 / 70, 2.0 / 252
	for _, c := range []struct {
		name     string
		unit     string
		old, now []float64
		c        Conditions
		want     Verdict
		note     string
		p        float64 // 0 for none
	}{
		{"slower beyond the tolerance", "ns/op", spread(100, 1, 5), spread(130, 1, 5), same, Regressed, "", p5},
		{"slower within the tolerance", "ns/op", spread(100, 1, 5), spread(120, 1, 5), same, Pass, "", p5},
		{"faster beyond the tolerance", "ns/op", spread(100, 1, 5), spread(60, 1, 5), same, Improved, "", p5},
		{"faster within the tolerance", "ns/op", spread(100, 1, 5), spread(90, .1, 5), same, Pass, "", p5},
		{"a tail has more tolerance", "p99-ns/op", spread(100, 1, 5), spread(140, 1, 5), same, Pass, "", p5},
		{"a tail beyond it", "p99.9-ns/op", spread(100, 1, 5), spread(160, 1, 5), same, Regressed, "", p5},
		{"a rate that fell", "ops/s", spread(100, 1, 5), spread(60, 1, 5), same, Regressed, "", p5},
		{"a rate that rose", "MB/s", spread(100, 1, 5), spread(160, 1, 5), same, Improved, "", p5},
		{"four samples just do", "ns/op", spread(100, 1, 4), spread(130, 1, 4), same, Regressed, "", p4},
		{"three samples don't", "ns/op", spread(100, 1, 3), spread(130, 1, 3), same, Inconclusive, "3 and 3 samples are too few", 0.1},
		{"one sample", "ns/op", []float64{1}, []float64{9}, same, Inconclusive, "1 and 1 samples are too few", 1},
		{"one sample, unchanged", "allocs/op", []float64{1}, []float64{1}, same, Inconclusive, "too few", 1},
		{"noise", "ns/op", []float64{1, 2, 3, 4, 5}, []float64{1, 2, 3, 4, 5}, same, Pass, "", 1},
		{"far apart but noise", "ns/op", []float64{1, 2, 3, 40, 50}, []float64{1, 2, 30, 40, 50}, same, Pass, "not told from noise", -1},
		{"equal allocations", "allocs/op", spread(1, 0, 5), spread(1, 0, 5), same, Pass, "", 1},
		{"one more allocation", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), same, Regressed, "", -1},
		{"allocations on another machine", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), Conditions{SameWorkload: true}, Regressed, "", -1},
		{"an allocation from none", "allocs/op", spread(0, 0, 10), spread(1, 0, 10), same, Regressed, "", -1},
		{"what a repetition allocates once", "allocs/op", spread(0, 0, 10), spread(0.2, 0, 10), same, Pass, "", -1},
		{"a byte count's slack", "B/op", spread(0, 0, 10), spread(32, 0, 10), same, Pass, "", -1},
		{"bytes beyond the slack", "B/op", spread(0, 0, 10), spread(40, 0, 10), same, Regressed, "", -1},
		{"a third of an allocation", "allocs/op", spread(29, 0, 10), spread(29.3, 0, 10), same, Pass, "", -1},
		{"an object in three operations, from none", "allocs/op", spread(0, 0, 10), spread(0.33, 0, 10), same, Regressed, "", -1},
		{"no allocation left", "allocs/op", spread(1, 0, 10), spread(0, 0, 10), same, Improved, "", -1},
		{"bytes within the tolerance", "B/op", spread(1000, 1, 10), spread(1040, 1, 10), same, Pass, "", -1},
		{"bytes beyond it", "B/op", spread(1000, 1, 10), spread(1060, 1, 10), same, Regressed, "", -1},
		{"memory", "peak-rss-B", spread(1000, 1, 10), spread(1300, 1, 10), same, Regressed, "", -1},
		{"time on another machine", "ns/op", spread(100, 1, 10), spread(900, 1, 10), Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"rate on another machine", "ops/s", spread(100, 1, 10), spread(9, 1, 10), Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"processor time on another machine", "cpu-ns/op", spread(100, 1, 10), spread(900, 1, 10), Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"memory on another machine", "peak-rss-B", spread(100, 1, 10), spread(900, 1, 10), Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"slower on a busy machine", "ns/op", spread(100, 1, 5), spread(130, 1, 5), busy, Inconclusive, "a compiler ran meanwhile", p5},
		{"faster on a busy machine", "ops/s", spread(100, 1, 5), spread(160, 1, 5), busy, Inconclusive, "a compiler ran meanwhile", p5},
		{"slower on a slower machine", "ns/op", spread(100, 1, 5), spread(180, 1, 5), slow, "", noteMoved, 0},
		{"processor time on a slower machine", "cpu-ns/op", spread(100, 1, 5), spread(180, 1, 5), slow, "", noteMoved, 0},
		{"a rate on a slower machine", "ops/s", spread(100, 1, 5), spread(50, 1, 5), slow, "", noteMoved, 0},
		{"no slower than the machine explains", "ns/op", spread(100, 1, 5), spread(136, .1, 5), tired, Pass, "", p5},
		{"slower than the machine explains", "ns/op", spread(100, 1, 5), spread(142, .1, 5), tired, Regressed, "", p5},
		{"a rate no lower than the machine explains", "ops/s", spread(100, 0, 5), spread(69, .1, 5), tired, Pass, "", -1},
		{"a rate lower than it explains", "ops/s", spread(100, 0, 5), spread(67, .1, 5), tired, Regressed, "", -1},
		{"memory has nothing to do with pace", "peak-rss-B", spread(1000, 1, 10), spread(1250, 1, 10), tired, Regressed, "", -1},
		{"memory on a slower machine", "peak-rss-B", spread(1000, 1, 10), spread(1300, 1, 10), slow, Regressed, "", -1},
		{"one more request on a slower machine", "requests/device", spread(2, 0, 5), spread(3, 0, 5), slow, Regressed, "", 0},
		{"unchanged on a busy machine", "ns/op", spread(100, 1, 5), spread(110, 1, 5), busy, Pass, "", p5},
		{"one more allocation on a busy machine", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), busy, Regressed, "", -1},
		{"another workload", "allocs/op", spread(1, 0, 10), spread(2, 0, 10), Conditions{SameMachine: true}, "", noteOtherWorkload, 0},
		{"exact and equal", "requests/device", []float64{2}, []float64{2}, same, Pass, "", 0},
		{"exact, one more, one sample", "requests/device", []float64{2}, []float64{3}, same, Regressed, "", 0},
		{"exact, the least more", "wire-B/device", []float64{65913.5, 65913.5}, []float64{65913.6}, same, Regressed, "", 0},
		{"exact, less", "retries/device", []float64{2}, []float64{1}, same, Improved, "", 0},
		{"exact, from zero", "failed/device", []float64{0, 0}, []float64{0.0002, 0.0002}, same, Regressed, "", 0},
		{"exact, to zero", "failed/device", []float64{0.5}, []float64{0}, same, Improved, "", 0},
		{"exact, zero", "failed/device", []float64{0}, []float64{0}, same, Pass, "", 0},
		{"exact, another machine", "requests/device", []float64{2}, []float64{3}, Conditions{SameWorkload: true}, Regressed, "", 0},
		{"exact, another workload", "requests/device", []float64{2}, []float64{3}, Conditions{SameMachine: true}, "", noteOtherWorkload, 0},
		{"exact, but the run varies for the better", "retries/device", []float64{1, 1, 1}, []float64{0, 1, 1}, same, Pass, "the run's samples differ", 0},
		{"exact, worse in one repetition", "failed/device", []float64{0, 0, 0}, []float64{0, 0, 0.5}, same, Inconclusive, "worse in some repetitions", 0},
		{"exact, better but worse in one repetition", "retries/device", []float64{1, 1, 1}, []float64{0, 0, 2}, same, Inconclusive, "worse in some repetitions", 0},
		{"exact, but the baseline varies", "retries/device", spread(1, .01, 5), spread(1.01, .01, 5), same, Pass, "tested, not compared exactly", -1},
		{"exact, but it varies, and better", "retries/device", spread(1, .01, 5), spread(.5, .01, 5), same, Improved, "tested, not compared exactly", p5},
		{"exact, but it varies, and worse", "retries/device", spread(1, .01, 5), spread(1.2, .01, 5), same, Regressed, "tested, not compared exactly", p5},
		{"exact, but it varies, worse within the tolerance", "wire-B/device", spread(1000, 1, 5), spread(1040, 1, 5), same, Pass, "tested, not compared exactly", p5},
		{"exact, but it varies, on a slower machine", "retries/device", spread(1, .01, 5), spread(1.2, .01, 5), slow, Regressed, "tested", p5},
		{"exact, but it varies, and there are few samples", "retries/device", []float64{1, 2}, []float64{1, 3}, same, Inconclusive, "too few", -1},
		{"missing now", "ns/op", spread(1, 1, 10), nil, same, Regressed, noteMissing, 0},
		{"missing now, on another machine", "ns/op", spread(1, 1, 10), nil, Conditions{SameWorkload: true}, Regressed, noteMissing, 0},
		{"processor time that this machine doesn't tell", "cpu-ns/op", spread(1, 1, 10), nil, Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"memory that this machine doesn't tell", "peak-rss-B", spread(1, 1, 10), nil, Conditions{SameWorkload: true}, "", noteOtherMachine, 0},
		{"memory that vanished", "peak-rss-B", spread(1, 1, 10), nil, same, Regressed, noteMissing, 0},
		{"missing now, of another workload", "ns/op", spread(1, 1, 10), nil, Conditions{SameMachine: true}, "", noteOtherWorkload, 0},
		{"unknown", "widgets", spread(1, 1, 10), spread(9, 1, 10), same, "", noteUnknownUnit, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := sample(c.unit, c.now...)
			old := sample(c.unit, c.old...)
			if c.now == nil {
				old, now = append(old, sample("requests/device", 1)...), sample("requests/device", 1)
			}
			rows := judge(old, now, c.c).Rows
			at := slices.IndexFunc(rows, func(r JudgedRow) bool { return r.Unit == c.unit })
			require.GreaterOrEqual(t, at, 0)
			row := rows[at]
			require.Equal(t, c.want, row.Verdict, row.Note)
			require.Contains(t, row.Note, c.note)
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

func TestJudgeDelta(t *testing.T) {
	for _, c := range []struct {
		old, now float64
		want     *float64
	}{{100, 150, new(0.5)}, {100, 50, new(-0.5)}, {100, 0, new(-1.0)}, {0, 0, new(0.0)}, {0, 5, nil}, {5, 5, new(0.0)}, {1e-300, 1e300, nil}} {
		require.Equal(t, c.want, judge(sample("ns/op", c.old), sample("ns/op", c.now), same).Rows[0].Delta, "%v to %v", c.old, c.now)
	}
}

func TestCorrectHolm(t *testing.T) {
	// Five tests, by hand: 0.001*5, 0.01*4, 0.02*3 = 0.06, then 0.02*2 = 0.04 is
	// raised to 0.06, and 0.9*1.
	p := []float64{0.02, 0.001, 0.9, 0.01, 0.02}
	want := []float64{0.06, 0.005, 0.9, 0.04, 0.06}
	var rows []JudgedRow
	for i := range p {
		rows = append(rows, JudgedRow{P: &p[i], Baseline: &Summary{N: 10}, Now: &Summary{N: 10}})
	}
	small := 0.0001
	rows = append(rows, JudgedRow{}, JudgedRow{P: &small, Baseline: &Summary{N: 3}, Now: &Summary{N: 3}})
	correctHolm(rows, 0.05)
	for i := range want {
		require.InDelta(t, want[i], *rows[i].AdjustedP, 1e-12)
	}
	require.Nil(t, rows[5].AdjustedP, "not tested")
	require.Nil(t, rows[6].AdjustedP, "too few samples to count")
}

func TestSmallestP(t *testing.T) {
	// 2/C(n1+n2, n1), with binomials from Pascal's triangle.
	for _, c := range []struct {
		n1, n2 int
		orders float64
	}{{1, 1, 2}, {3, 3, 20}, {4, 4, 70}, {3, 4, 35}, {4, 3, 35}, {5, 5, 252}, {1, 39, 40}, {10, 10, 184756}} {
		require.InEpsilon(t, 2/c.orders, smallestP(c.n1, c.n2), 1e-12)
	}
	require.Equal(t, 1.0, smallestP(0, 5))
	require.Zero(t, smallestP(5000, 5000), "no overflow to NaN")
}

// TestHolmAmongManyRows: with five samples, p = 0.0079 is enough for one row and
// too much among eleven (0.087), so a slowdown is then inconclusive, never a pass.
func TestHolmAmongManyRows(t *testing.T) {
	many := func(factor float64) []Record {
		var records []Record
		for i := range 5 {
			r := Record{Scenario: "rollout", Op: "push", Ops: 1}
			for _, u := range Units() {
				value := 100 + float64(i)
				if u.Name == "ns/op" {
					value *= factor
				}
				if !u.Exact && u.Class != ClassMemory {
					r.Values = append(r.Values, Value{u.Name, value})
				}
			}
			records = append(records, r)
		}
		return records
	}
	j := judge(many(1), many(2), same)
	rows := float64(len(many(1)[0].Values))
	require.Greater(t, rows, 10.0)
	require.Len(t, j.Rows, int(rows))
	require.InDelta(t, rows*2/252, *j.Rows[0].AdjustedP, 1e-12) // the rank test's least p of 5 against 5 is 2/252
	require.Equal(t, Inconclusive, j.Rows[0].Verdict)
	require.Contains(t, j.Rows[0].Note, fmt.Sprintf("corrected p=%.3f", rows*2/252))
	require.Equal(t, Inconclusive, j.Verdict)
	require.Equal(t, Pass, judge(many(2), many(1), same).Verdict, "faster isn't cause for alarm")
}

// TestJudgeOverall is the table of how rows add up.
func TestJudgeOverall(t *testing.T) {
	pass, worse, better := sample("requests/device", 1), sample("retries/device", 3), sample("failed/device", 1)
	old := append(append(append([]Record{}, pass...), sample("retries/device", 3)...), sample("failed/device", 1)...)
	few := sample("ns/op", 1)
	at := func(records []Record, v float64) []Record {
		moved := sample(records[0].Values[0].Unit, v)
		return moved
	}
	join := func(parts ...[]Record) []Record {
		var all []Record
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, c := range []struct {
		name     string
		old, now []Record
		c        Conditions
		want     Verdict
		reason   string
	}{
		{"all pass", old, old, same, Pass, "3 metrics judged, none beyond its tolerance"},
		{"one regressed", old, join(pass, at(worse, 6), better), same, Regressed, "push retries/device went from 3 to 6 (+100.0%)"},
		{"one improved", old, join(pass, worse, at(better, 0)), same, Improved, "push failed/device went from 1 to 0 (-100.0%)"},
		{"regressed beats improved", old, join(pass, at(worse, 4), at(better, 0)), same, Regressed, "retries/device"},
		{"regressed beats inconclusive", join(old, few), join(pass, at(worse, 4), better, few), same, Regressed, "retries/device"},
		{"inconclusive beats improved", join(old, few), join(pass, worse, at(better, 0), few), same, Inconclusive, "push ns/op can't be told: 1 and 1 samples are too few"},
		{"several regressed, the most moved first", old, join(at(pass, 1.1), at(worse, 30), better), same, Regressed, "push retries/device went from 3 to 30 (+900.0%), and 1 other metric"},
		{"a metric that vanished", old, join(pass, worse), same, Regressed, "push failed/device is missing now"},
		{"a metric that is new", pass, join(pass, at(worse, 9)), same, Pass, "1 metric judged, none beyond its tolerance; 1 metric not judged"},
		{"some rows of another machine", join(old, few), join(pass, worse, better, few), Conditions{SameWorkload: true}, Pass, "1 metric not judged (the baseline is from another machine)"},
		{"nothing measured now", old, nil, same, Regressed, "is missing now"},
		{"no baseline", nil, old, same, "", "no baseline"},
		{"another workload", old, join(at(pass, 9), worse, better), Conditions{SameMachine: true}, "", "another workload"},
		{"only new metrics in common", nil, old, Conditions{}, "", "no baseline"},
		{"only times of another machine", few, at(few, 9), Conditions{SameWorkload: true}, "", "no metric in common that can be judged"},
		{"nothing at all", nil, nil, same, Invalid, "the run holds no samples"},
		{"an invalid run", old, old, Conditions{SameMachine: true, SameWorkload: true, Invalid: []string{"the fleet was saturated", "a device was lost"}}, Invalid, "a device was lost; the fleet was saturated"},
		{"an invalid run that regressed", old, join(pass, at(worse, 9), better), Conditions{SameWorkload: true, Invalid: []string{"saturated"}}, Invalid, "saturated"},
		{"a NaN", old, join(old, sample("ns/op", math.NaN())), same, Invalid, "the run holds a sample that is no number"},
		{"an infinity in the baseline", join(old, sample("ns/op", math.Inf(1))), old, same, Invalid, "the baseline holds a sample that is no number"},
		{"an alpha that judges nothing", old, old, Conditions{SameMachine: true, SameWorkload: true, Alpha: math.NaN()}, Invalid, "alpha NaN"},
		{"an alpha that accuses all", old, old, Conditions{SameMachine: true, SameWorkload: true, Alpha: 1}, Invalid, "alpha 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := judge(c.old, c.now, c.c)
			require.Equal(t, c.want, j.Verdict, j.Reason)
			require.Contains(t, j.Reason, c.reason)
			text, err := json.Marshal(j)
			require.NoError(t, err)
			var back Judgement
			require.NoError(t, json.Unmarshal(text, &back))
			require.Equal(t, j.Verdict, back.Verdict)
			require.NoError(t, j.WriteTable(&bytes.Buffer{}, TableOptions{}))
			require.NoError(t, j.WriteMarkdown(&bytes.Buffer{}))
			if c.want == Invalid {
				for _, r := range j.Rows {
					require.Empty(t, r.Verdict, "no row of an invalid run has a verdict")
				}
			}
		})
	}
}

// TestJudgeOnNoise judges runs of the same distribution, and of one that is 1.6
// times as slow, with a spread of 5% among repetitions.
func TestJudgeOnNoise(t *testing.T) {
	for seed := range uint64(100) {
		old := rolloutRecords(2*seed, 10, 1)
		require.Equal(t, Pass, judge(old, rolloutRecords(2*seed+1, 10, 1), same).Verdict, "seed %d", seed)
		require.Equal(t, Regressed, judge(old, rolloutRecords(2*seed+1, 10, 1.6), same).Verdict, "seed %d", seed)
	}
}

// TestJudgeMissingOperation: an operation that vanished whole.
func TestJudgeMissingOperation(t *testing.T) {
	now := rolloutRecords(1, 10, 1)
	var pushes []Record
	for _, r := range now {
		if r.Op == "push" {
			pushes = append(pushes, r)
		}
	}
	j := judge(now, pushes, same)
	require.Equal(t, Regressed, j.Verdict)
	for _, r := range j.Rows {
		if r.Op == "verify" {
			require.Equal(t, Regressed, r.Verdict)
			require.Equal(t, noteMissing, r.Note)
		} else {
			require.Equal(t, Pass, r.Verdict)
		}
	}
}

// TestJudgeDoesNotChangeItsInput: records are the caller's.
func TestJudgeDoesNotChangeItsInput(t *testing.T) {
	old, now := rolloutRecords(1, 10, 1), rolloutRecords(2, 10, 1)
	invalid := append(make([]string, 0, 8), "b", "a")
	judge(old, now, Conditions{SameMachine: true, SameWorkload: true, Invalid: invalid, Alpha: 9})
	judge(old, now, same)
	require.Equal(t, rolloutRecords(1, 10, 1), old)
	require.Equal(t, rolloutRecords(2, 10, 1), now)
	require.Equal(t, []string{"b", "a"}, invalid)

	run := testRun()
	run.Valid, run.Invalid = false, []string{"the fleet was saturated", "2 devices were lost"}
	JudgeRun(nil, run, now)
	require.Equal(t, []string{"the fleet was saturated", "2 devices were lost"}, run.Invalid)
}

func TestJudgeRun(t *testing.T) {
	base, run := testBaseline(), testRun()
	run.Status = StatusFinished
	now := rolloutRecords(2, 10, 1.6)
	require.Equal(t, Regressed, JudgeRun(&base, run, now).Verdict)

	moved := run
	moved.Machine.GOMAXPROCS = 1
	j := JudgeRun(&base, moved, now)
	require.Equal(t, Pass, j.Verdict, "times aren't judged: %s", j.Reason)
	require.Contains(t, j.Reason, "another machine")

	other := run
	other.WorkloadDigest = "sha256:bb"
	require.Empty(t, JudgeRun(&base, other, now).Verdict)
	other.WorkloadDigest, base.Scenarios[0].WorkloadDigest = "", ""
	require.Empty(t, JudgeRun(&base, other, now).Verdict, "an unknown workload is the same as none")

	other = run
	other.Scenario = "soak"
	require.Contains(t, JudgeRun(&base, other, now).Reason, "doesn't have the scenario soak")
	require.Contains(t, JudgeRun(nil, run, now).Reason, "no baseline")

	bad := run
	bad.Valid, bad.Invalid = false, []string{"the ledger contradicts the client"}
	for _, b := range []*Baseline{&base, nil} {
		j := JudgeRun(b, bad, now)
		require.Equal(t, Invalid, j.Verdict)
		require.Equal(t, "the ledger contradicts the client", j.Reason)
	}
	bad.Invalid = nil
	require.Equal(t, Invalid, JudgeRun(&base, bad, now).Verdict)
}

func tableOf(t *testing.T, j *Judgement, o TableOptions) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, j.WriteTable(&text, o))
	return text.String()
}

func TestJudgementTable(t *testing.T) {
	old := append(sample("ns/op", spread(13200, 10, 10)...), sample("B/op", spread(65536, 0, 10)...)...)
	now := append(sample("ns/op", spread(23200, 10, 10)...), sample("B/op", spread(65536, 0, 10)...)...)
	old, now = append(old, sample("retries/device", 0)...), append(now, sample("retries/device", 0.5)...)
	old = append(old, sample("wire-B/device", 5)...)
	require.Equal(t, `operation  metric              baseline           now   delta       p  verdict
────────────────────────────────────────────────────────────────────────────────────
push       ns/op            13.2µs ± 0%   23.2µs ± 0%  +75.5%  <0.001  regressed
           B/op            64.0KiB ± 0%  64.0KiB ± 0%    0.0%   1.000  pass
           wire-B/device             5B             –                  regressed (1)
           retries/device             0           0.5       ?          regressed
(1) missing now

regressed: push wire-B/device is missing now, and 2 other metrics
`, tableOf(t, judge(old, now, same), TableOptions{}))
	require.Equal(t, `operation  metric           now
───────────────────────────────
push       ns/op    23.2µs ± 0%
           B/op    64.0KiB ± 0%

no verdict: no baseline to hold the run against
`, tableOf(t, Judge(nil, now[:20], Conditions{}), TableOptions{}))
	require.Equal(t, `operation  metric     baseline          now   delta  p  verdict
─────────────────────────────────────────────────────────────────────────
push       ns/op   13.2µs ± 0%  23.2µs ± 0%  +75.5%     – another machine
`, strings.Join(strings.SplitAfter(tableOf(t, judge(old[:10], now[:10], Conditions{SameWorkload: true}), TableOptions{}), "\n")[:3], ""))
}

func TestJudgementTableFitsTheTerminal(t *testing.T) {
	j := judge(rolloutRecords(1, 10, 1), rolloutRecords(2, 10, 2), same)
	wide := tableOf(t, j, TableOptions{})
	require.Contains(t, wide, "±")
	width := widest(wide)
	require.Equal(t, wide, tableOf(t, j, TableOptions{Width: width}))
	medium := tableOf(t, j, TableOptions{Width: width - 1})
	require.NotContains(t, medium, "±")
	require.Contains(t, medium, "<0.001")
	narrow := tableOf(t, j, TableOptions{Width: 20})
	require.NotContains(t, narrow, "<0.001")
	require.Contains(t, narrow, "regressed")
}

func TestJudgementTableColor(t *testing.T) {
	j := judge(rolloutRecords(1, 10, 1), rolloutRecords(2, 10, 2), same)
	plain, colored := tableOf(t, j, TableOptions{}), tableOf(t, j, TableOptions{Color: true})
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, colored, "\x1b[31mregressed\x1b[0m")
	require.Equal(t, plain, stripColor(colored), "colour takes no room")
}

func TestJudgementNamesScenariosWhereThereAreSeveral(t *testing.T) {
	other := sample("ns/op", 1)
	other[0].Scenario = "soak"
	text := tableOf(t, Judge(nil, append(sample("ns/op", 1), other...), Conditions{}), TableOptions{})
	require.Contains(t, text, "rollout push")
	require.Contains(t, text, "soak push")
}

func TestFormatValue(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{13200, "ns/op", "13.2µs"}, {1, "ns/op", "1.00ns"}, {0.5, "ns/op", "0.5000ns"}, {1.5e9, "p99-ns/op", "1.50s"}, {999.96, "ns/op", "1.00µs"}, {0, "ns/op", "0s"},
		{65536, "B/op", "64.0KiB"}, {24, "B/op", "24.0B"}, {0, "B/op", "0B"}, {300 << 20, "peak-rss-B", "300MiB"},
		{4100, "ops/s", "4.10k/s"}, {1, "MB/s", "1MB/s"}, {1048.576, "MB/s", "1049MB/s"}, {17.84, "MB/s", "17.8MB/s"}, {5e6, "B/s", "5MB/s"}, {0, "MB/s", "0MB/s"},
		{1, "allocs/op", "1"}, {1.25, "allocs/op", "1.25"}, {29.33924, "allocs/op", "29.34"}, {0.02797, "allocs/op", "0.028"}, {0, "allocs/op", "0"}, {2, "requests/device", "2"}, {0.0002, "failed/device", "0.0002"},
		{65913.5, "wire-B/device", "65913.5B"}, {2.0 / 3, "retries/device", "0.6666666667"}, {-13200, "ns/op", "-13.2µs"}, {5, "widgets", "5.00"},
	} {
		require.Equal(t, c.want, FormatValue(c.value, c.unit), "%v %s", c.value, c.unit)
	}
}

// TestJudgeRunThatDidNotEnd: no verdict, whatever it measured; but what was seen to
// be wrong stays wrong.
func TestJudgeRunThatDidNotEnd(t *testing.T) {
	base, run := testBaseline(), testRun()
	now := rolloutRecords(2, 10, 1.6)
	for status, reason := range map[Status]string{
		StatusInterrupted: "the run was interrupted", StatusRunning: "the run never ended", StatusFailed: "the run failed",
	} {
		run.Status = status
		j := JudgeRun(&base, run, now)
		require.Empty(t, j.Verdict, status)
		require.Equal(t, reason, j.Reason)
		require.NotEmpty(t, j.Rows, "what was measured is shown beside the baseline")
		require.Empty(t, JudgeRun(&base, run, nil).Rows, "nor is anything missing")

		bad := run
		bad.Valid, bad.Invalid = false, []string{"the ledger contradicts the client"}
		require.Equal(t, Invalid, JudgeRun(&base, bad, now).Verdict)
	}
}

// TestJudgePIsAProbability: of two samples that lie in the middle of one another the
// exact test's two-sided value comes out above 1.
func TestJudgePIsAProbability(t *testing.T) {
	j := judge(sample("ns/op", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), sample("ns/op", 3, 6, 8), same)
	require.NotNil(t, j.Rows[0].P)
	require.LessOrEqual(t, *j.Rows[0].P, 1.0)
	require.Greater(t, *j.Rows[0].P, 0.9)
}

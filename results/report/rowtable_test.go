package report

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
)

// sampleOf returns a record of push for each of n values, the first one from, each larger by step.
func sampleOf(unit string, from, step float64, n int) (records []results.Record) {
	for i := range n {
		values := []results.Value{{Unit: unit, Value: from + step*float64(i)}}
		records = append(records, results.Record{Scenario: "rollout", Op: "push", Repetition: i + 1, Ops: 1, Values: values})
	}
	return records
}

// noisyRecords returns repetitions of push and verify with some noise, whose times are multiplied
// by slower.
func noisyRecords(seed uint64, repetitions int, slower float64) (records []results.Record) {
	random := rand.New(rand.NewPCG(seed, 1))
	noise := func() float64 { return 1 + 0.05*random.NormFloat64() }
	for i := range repetitions {
		for _, op := range []string{"push", "verify"} {
			records = append(records, results.Record{Scenario: "rollout", Op: op, Repetition: i + 1, Ops: 5000,
				Values: []results.Value{
					{Unit: "ns/op", Value: 13200 * slower * noise()}, {Unit: "p99-ns/op", Value: 52000 * slower * noise()},
					{Unit: "ops/s", Value: 41000 / slower * noise()}, {Unit: "B/op", Value: 24 + float64(random.IntN(2))},
					{Unit: "allocs/op", Value: 1}, {Unit: "requests/device", Value: 1}, {Unit: "wire-B/device", Value: 65913.5},
					{Unit: "failed/device", Value: 0},
				}})
		}
	}
	return records
}

// judgedBy judges records by those of a baseline of the same machine and workload, after change has
// modified the baseline or the run.
func judgedBy(base, now []results.Record, p judge.Policy, change func(*baseline.Page, *results.Run)) *judge.Judgement {
	page := &baseline.Page{Machine: results.Machine{Identity: "one"}, Scenarios: []baseline.Scenario{
		{Name: "rollout", WorkloadDigest: "work", Records: base},
	}}
	run := results.Run{Scenario: "rollout", WorkloadDigest: "work", Status: results.StatusFinished, Valid: true,
		Machine: page.Machine}
	if change != nil {
		change(page, &run)
	}
	return judge.Judge(page, run, now, p)
}

func elsewhere(_ *baseline.Page, run *results.Run) { run.Machine.Identity = "another" }

// unjudgedOf returns the judgement of records that are compared with nothing.
func unjudgedOf(records []results.Record) *judge.Judgement {
	return judge.Judge(nil, results.Run{Valid: true}, records, judge.Policy{})
}

func tableOf(t *testing.T, j *judge.Judgement, style Style) string {
	t.Helper()
	p := &terminal{Style: style}
	p.judgement(newResult(Input{Judgement: j}, false))
	require.NoError(t, p.err)
	return p.out.String()
}

func TestTerminal_rows(t *testing.T) {
	old := append(sampleOf("ns/op", 13200, 10, 10), sampleOf("B/op", 65536, 0, 10)...)
	now := append(sampleOf("ns/op", 23200, 10, 10), sampleOf("B/op", 65536, 0, 10)...)
	old, now = append(old, sampleOf("retries/device", 0, 0, 1)...), append(now, sampleOf("retries/device", 0.5, 0, 1)...)
	old = append(old, sampleOf("wire-B/device", 5, 0, 1)...)
	require.Equal(t, `operation  metric              baseline           now   delta       p  verdict
────────────────────────────────────────────────────────────────────────────────────
push       ns/op            13.2µs ± 0%   23.2µs ± 0%  +75.5%  <0.001  regressed
           B/op            64.0KiB ± 0%  64.0KiB ± 0%    0.0%   1.000  pass
           wire-B/device             5B             –                  regressed (1)
           retries/device             0           0.5       ?          regressed
(1) missing now

regressed: push wire-B/device is missing now, and 2 other metrics
`, tableOf(t, judgedBy(old, now, judge.Policy{}, nil), Style{}))
	require.Equal(t, `operation  metric           now
───────────────────────────────
push       ns/op    23.2µs ± 0%
           B/op    64.0KiB ± 0%

no verdict: no baseline to hold the run against
`, tableOf(t, unjudgedOf(now[:20]), Style{}))
	other := judgedBy(old[:10], now[:10], judge.Policy{}, elsewhere)
	require.Equal(t, `operation  metric     baseline          now   delta  p  verdict
─────────────────────────────────────────────────────────────────────────
push       ns/op   13.2µs ± 0%  23.2µs ± 0%  +75.5%     – another machine
`, strings.Join(strings.SplitAfter(tableOf(t, other, Style{All: true}), "\n")[:3], ""))
	require.Equal(t, "1 time isn't judged: the baseline is from another machine; `--all` shows it\n\n"+
		"no verdict: the baseline and the run have no metric in common that can be judged\n", tableOf(t, other, Style{}))
}

// TestTerminal_foldsUnjudgedRows checks that key metrics come first, in the order rate, p50, p99,
// failures, those of the whole delivery before those of its parts, and that a line says why the
// other rows weren't judged.
func TestTerminal_foldsUnjudgedRows(t *testing.T) {
	value := func(unit string, v float64) results.Value { return results.Value{Unit: unit, Value: v} }
	var records []results.Record
	for range 10 {
		records = append(records,
			results.Record{Scenario: "rollout", Op: "push", Ops: 5000, Values: []results.Value{
				value("ns/op", 2e6), value("p50-ns/op", 2e6), value("p75-ns/op", 2e6), value("p99-ns/op", 3e6),
			}},
			results.Record{Scenario: "rollout", Op: "deliver", Ops: 5000, Values: []results.Value{
				value("ns/op", 3e6), value("p50-ns/op", 3e6), value("p75-ns/op", 3e6), value("p99-ns/op", 4e6),
				value("ops/s", 4000),
				value("cpu-ns/op", 1e5), value("B/op", 2048), value("failed/device", 0), value("peak-rss-B", 1<<20),
			}})
	}
	head := func(j *judge.Judgement, style Style) string {
		table, _, _ := strings.Cut(tableOf(t, j, style), "\n\n")
		return table + "\n"
	}
	// 2 of the 13 metrics are judged on any machine, and 2 on none.
	require.Equal(t, "operation  metric             baseline           now  delta      p  verdict\n"+
		"───────────────────────────────────────────────────────────────────────────\n"+
		"deliver    ops/s          4.00k/s ± 0%  4.00k/s ± 0%   0.0%         –\n"+
		"           p50-ns/op       3.00ms ± 0%   3.00ms ± 0%   0.0%         –\n"+
		"           p99-ns/op       4.00ms ± 0%   4.00ms ± 0%   0.0%         –\n"+
		"           failed/device            0%            0%   0.0%         pass\n"+
		"push       p50-ns/op       2.00ms ± 0%   2.00ms ± 0%   0.0%         –\n"+
		"           p99-ns/op       3.00ms ± 0%   3.00ms ± 0%   0.0%         –\n"+
		"deliver    B/op           2.00KiB ± 0%  2.00KiB ± 0%   0.0%  1.000  pass\n"+
		"9 times and rates aren't judged: the baseline is from another machine; `--all` shows them\n",
		head(judgedBy(records, records, judge.Policy{}, elsewhere), Style{}))
	require.Contains(t, tableOf(t, judgedBy(records, records, judge.Policy{}, elsewhere), Style{All: true}),
		"           p75-ns/op       2.00ms ± 0%   2.00ms ± 0%   0.0%         – shown\n")

	for name, want := range map[string]struct {
		policy judge.Policy
		change func(*baseline.Page, *results.Run)
		line   string
	}{
		"the same machine": {judge.Policy{}, nil, "2 times aren't judged: for information only; `--all` shows them"},
		"another workload": {judge.Policy{}, func(_ *baseline.Page, run *results.Run) { run.WorkloadDigest = "other" },
			"13 metrics aren't judged: the baseline measured another workload; `--all` shows them"},
		"an invalid run": {judge.Policy{}, func(_ *baseline.Page,
			run *results.Run) {
			run.Valid, run.Invalid = false, []string{"it is"}
		},
			"13 metrics aren't judged: invalid run; `--all` shows them"},
		"a slower machine": {judge.Policy{}, func(base *baseline.Page, run *results.Run) {
			base.Scenarios[0].ReferenceSpeed, run.Harness.ReferenceSpeed = &results.ReferenceSpeed{RoundTripNS: 1}, &results.ReferenceSpeed{RoundTripNS: 2}
		}, "8 times and rates aren't judged: the machine is faster or slower than it was; `--all` shows them"},
		"portable only": {judge.Policy{Portable: true}, nil,
			"9 times and rates aren't judged: not portable; `--all` shows them"},
	} {
		require.Contains(t, head(judgedBy(records, records, want.policy, want.change), Style{}), "\n"+want.line+"\n", name)
	}
	alone := tableOf(t, unjudgedOf(records), Style{})
	require.Contains(t, alone, "p75-ns/op", "without a baseline all rows are shown")
	require.NotContains(t, alone, "--all")
}

// widest returns the width of the table at the beginning of a text, in columns of a terminal.
func widest(text string) int {
	longest := 0
	for line := range strings.Lines(text) {
		if line == "\n" || strings.HasPrefix(line, "left out: ") || strings.HasPrefix(line, "shortened: ") {
			break
		}
		longest = max(longest, texttable.Width(strings.TrimSuffix(line, "\n")))
	}
	return longest
}

func within(width int) Style { return Style{Style: texttable.Style{Width: width}} }

func TestTerminal_fitsItsWidth(t *testing.T) {
	j := judgedBy(noisyRecords(1, 10, 1), noisyRecords(2, 10, 2), judge.Policy{}, nil)
	wide := tableOf(t, j, Style{})
	require.Contains(t, wide, "±")
	width := widest(wide)
	require.Equal(t, wide, tableOf(t, j, within(width)))
	shows := fmt.Sprintf("; COLUMNS=%d shows all\n", width)
	medium := tableOf(t, j, within(width-1))
	require.NotContains(t, medium, "±")
	require.Contains(t, medium, "<0.001")
	require.Contains(t, medium, "\nleft out: intervals"+shows)
	head := func(width int) string {
		first, _, _ := strings.Cut(tableOf(t, j, within(width)), "\n")
		return strings.Join(strings.Fields(first), " ")
	}
	require.Equal(t, "operation metric baseline now delta verdict", head(widest(medium)-1))
	require.Equal(t, "operation metric now delta verdict", head(60))
	narrow := tableOf(t, j, within(60))
	require.Contains(t, narrow, "\nleft out: intervals, baseline, p"+shows)
	require.Contains(t, narrow, "regressed")
	for at := 45; at <= width; at++ {
		require.LessOrEqual(t, widest(tableOf(t, j, Style{Style: texttable.Style{Width: at, Color: true}})), at)
	}
}

func TestTerminal_colorTakesNoRoom(t *testing.T) {
	j := judgedBy(noisyRecords(1, 10, 1), noisyRecords(2, 10, 2), judge.Policy{}, nil)
	plain, colored := tableOf(t, j, Style{}), tableOf(t, j, Style{Style: texttable.Style{Color: true}})
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, colored, "\x1b[31mregressed\x1b[0m")
	escapes := regexp.MustCompile("\x1b\\[[0-9]*m")
	require.Equal(t, plain, escapes.ReplaceAllString(colored, ""))
	narrow := tableOf(t, j, within(60))
	require.Equal(t, narrow, escapes.ReplaceAllString(tableOf(t, j,
		Style{Style: texttable.Style{Width: 60, Color: true}}), ""))
}

func TestTerminal_namesSeveralScenarios(t *testing.T) {
	other := sampleOf("ns/op", 1, 0, 1)
	other[0].Scenario = "soak"
	text := tableOf(t, unjudgedOf(append(sampleOf("ns/op", 1, 0, 1), other...)), Style{})
	require.Contains(t, text, "rollout push")
	require.Contains(t, text, "soak push")
}

// TestTerminal_shortRun checks that a short run says once that medians have no interval, and once
// that percentiles have too few operations.
func TestTerminal_shortRun(t *testing.T) {
	records := []results.Record{{Scenario: "x", Op: "push", Repetition: 1, Ops: 8, Values: []results.Value{
		{Unit: "ns/op", Value: 5e6}, {Unit: "p99.9-ns/op", Value: 9e6}, {Unit: "max-ns/op", Value: 9e6},
	}}}
	text := tableOf(t, unjudgedOf(records), Style{})
	require.NotContains(t, text, "∞")
	require.Equal(t, 1, strings.Count(text, "no ±: 1 repetition can't bound a median; 6 can"))
	require.Contains(t, text, "9.00ms (of 8)")
	require.Equal(t, 1, strings.Count(text, "(of 8)"), "a maximum has no mark")
	require.Contains(t, text, "p99.9 10,000")
}

func TestFoldedLine(t *testing.T) {
	row := func(unit string, code judge.Code) Row {
		u, _ := results.LookupUnit(unit)
		u.Name = unit
		return Row{Row: judge.Row{Unit: u, Reason: judge.Reason{Code: code}}}
	}
	rows := []Row{
		row("B/op", judge.NotInBaseline), row("ns/op", judge.OtherMachine), row("ops/s", judge.OtherMachine),
		row("max-ns/op", judge.ShownOnly), row("widgets/op", judge.UnknownMetric), row("gadgets/op", judge.UnknownMetric),
	}
	require.Equal(t, "2 times and rates aren't judged: the baseline is from another machine; nor are 2 metrics: unknown metric; "+
		"nor is 1 allocation: not in the baseline; `--all` shows them", foldedLine(rows))
	require.Equal(t, "1 time isn't judged: not decided when the gate could end; `--all` shows it",
		foldedLine([]Row{row("ns/op", "")}))
	for _, code := range []judge.Code{judge.AcrossLayouts, judge.OpenAcrossLayouts, judge.PassedAfter, judge.Unsteady} {
		require.Equal(t, "1 time isn't judged: not decided; `--all` shows it", foldedLine([]Row{row("cpu-ns/op", code)}))
	}
}

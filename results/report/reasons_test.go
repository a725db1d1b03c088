package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/sequential"
)

// codes returns every code that package judge declares.
func codes(t *testing.T) (all []judge.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../judge/reason.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				all = append(all, judge.Code(text))
			}
		}
		return true
	})
	return all
}

// TestReasons_words checks the words of every code.
func TestReasons_words(t *testing.T) {
	ns, _ := results.LookupUnit("ns/op")
	requests, _ := results.LookupUnit("requests/device")
	p, change := 0.0871, 0.06
	row := judge.Row{
		Scenario: "rollout", Op: "push", Unit: ns, AdjustedP: &p,
		Base: &results.Summary{N: 3, Median: 1000}, Now: &results.Summary{N: 4, Median: 1100}, Delta: &change,
	}
	layouts := row
	layouts.Ratio = &sequential.Ratio{Estimate: 1.01, Low: 0.99, High: 1.03}
	exact := row
	exact.Unit = requests
	own := row
	own.Unit = results.Unit{Name: "probes/op"}
	tested, said := map[judge.Code]bool{}, map[judge.Code][]string{}
	note := func(r judge.Row, v results.Verdict, reason judge.Reason, want string) {
		t.Helper()
		r.Verdict, r.Reason = v, reason
		require.Equal(t, want, Note(r))
		tested[reason.Code] = true
		said[reason.Code] = append(said[reason.Code], want)
	}
	none, unclear := results.Verdict(""), results.Inconclusive
	for code, want := range map[judge.Code]string{
		judge.OtherMachine: "another machine: no verdict", judge.MachineDrift: "machine speed changed: no verdict",
		judge.OtherWorkload: "another workload: no verdict", judge.NotInBaseline: "not in the baseline",
		judge.NewBenchmark: "not in the base: no verdict", judge.UnknownMetric: "unknown metric: no verdict",
		judge.NoDirection: "nothing says which way is better: no verdict", judge.NotPortable: "not portable: no verdict",
		judge.ShownOnly: "shown: no verdict", judge.RunInvalid: "invalid run: no verdict",
		judge.SidesInvalid: "invalid: no verdict",
		judge.DriverFailed: "not decided before a driver failed: no verdict", "": "",
	} {
		note(row, none, judge.Reason{Code: code}, want)
	}
	both := "measure both sides here and now with `fleetmark gate --base GITREF`"
	declare := `have the benchmarks print a line such as "Unit probes/op better=lower" (in TestMain, say), or declare it under units in fleetmark.yaml`
	note(row, unclear, judge.Reason{Code: judge.OtherMachine}, "the baseline is from another machine: "+both)
	note(row, unclear, judge.Reason{Code: judge.MachineDrift, Value: 1.8},
		"the machine is 1.80 times as slow as it was: "+both)
	note(row, unclear, judge.Reason{Code: judge.MachineDrift, Value: 0.5},
		"the machine is 2.00 times as fast as it was: "+both)
	note(row, unclear, judge.Reason{Code: judge.OtherWorkload},
		"the baseline measured another workload: measure the baseline anew, or run what it measured")
	note(own, unclear, judge.Reason{Code: judge.UnknownMetric},
		`this fleetmark doesn't know the metric, and nothing says which way is better: declare it in fleetmark.yaml, as in units: {"probes/op": {better: lower}}`)
	note(row, results.Regressed, judge.Reason{Code: judge.Missing}, "missing now")
	note(row, unclear, judge.Reason{Code: judge.ImpossibleValue, Side: judge.SideNow},
		"0 is no measurement of it: find out why nothing was measured")
	note(row, unclear, judge.Reason{Code: judge.ImpossibleValue, Side: judge.SideBase, Value: -1},
		"the baseline's -1 is no measurement of it: measure the baseline anew")
	note(exact, unclear, judge.Reason{Code: judge.SomeWorse, Value: 3},
		"worse in some repetitions (3 at worst), though a seed determines it: find out why they differ")
	note(exact, results.Pass, judge.Reason{Code: judge.SamplesDiffer},
		"the run's samples differ among themselves, though a seed determines them: the median is judged")
	note(exact, results.Pass, judge.Reason{Code: judge.BaselineDiffers},
		"the baseline's samples differ among themselves, so timing decides it as well as the seed: it is tested, not compared exactly")
	note(row, unclear, judge.Reason{Code: judge.TooFewSamples},
		"3 and 4 samples are too few to tell a change from noise: repeat more often")
	note(row, unclear, judge.Reason{Code: judge.MaybeChance},
		"worse beyond the tolerance, but among so many metrics it may be chance (corrected p=0.087): repeat more often")
	note(row, results.Pass, judge.Reason{Code: judge.WithinNoise}, "beyond the tolerance, but it may be noise")
	worse := "it may be worse by 61.0%, and only less than 50.0%, twice the tolerance, is a pass: "
	note(row, unclear, judge.Reason{Code: judge.MayBeWorse, Value: 610, Bound: 500, N: 9},
		worse+"about 9 repetitions of both sides would tell")
	note(row, unclear, judge.Reason{Code: judge.MayBeWorse, Value: math.Inf(1), Bound: 500},
		"it may be worse by any amount, and only less than 50.0%, twice the tolerance, is a pass: more repetitions of both sides would tell")
	note(own, unclear, judge.Reason{Code: judge.UndirectedMayChange, Value: 610, Bound: 500},
		worse+"more repetitions of both sides would tell; and nothing says which way is better: "+declare)
	note(own, unclear, judge.Reason{Code: judge.Undirected}, "it changed, and nothing says which way is better: "+declare)
	note(own, results.Pass, judge.Reason{Code: judge.UndirectedUnchanged},
		"nothing says which way is better; it didn't change")
	note(row, unclear, judge.Reason{Code: judge.Interfered, Others: &results.Interference{OthersFraction: 0.4}},
		"other processes used 40% of all cores meanwhile: repeat on a machine at rest")
	note(exact, unclear, judge.Reason{Code: judge.MeasuredInSome, N: 6, Of: 10},
		"only 6 of 10 repetitions measured it: find out what became of the others")
	note(exact, unclear, judge.Reason{Code: judge.Unconfirmed},
		"it is the client's word only: the baseline's was confirmed by the fleet's ledger")

	note(row, unclear, judge.Reason{Code: judge.Undecided},
		"not decided by then: allow more time (--budget), or measure on a quieter machine")
	note(row, unclear, judge.Reason{Code: judge.NotInBase},
		"the base doesn't have the metric, so there is nothing to compare it with")
	note(row, unclear, judge.Reason{Code: judge.IncompleteBlocks}, "some blocks lack it: find out what became of them")
	note(exact, results.Pass, judge.Reason{Code: judge.TimingDetermines},
		"timing determines it too, as the base's own blocks differ: tested")
	note(exact, results.Pass, judge.Reason{Code: judge.Unsteady},
		"its samples differ among themselves: tested, not compared exactly")
	note(row, results.Pass, judge.Reason{Code: judge.PassedAfter, N: 24}, "shown to be no worse after 24 pairs")
	note(own, unclear, judge.Reason{Code: judge.UndirectedInTurns},
		`it changed, and nothing says which way is better: have the benchmarks print a line "Unit probes/op better=lower" (or higher), or declare it under units in fleetmark.yaml`)
	note(own, unclear, judge.Reason{Code: judge.UndirectedInTurns,
		Text: "Unit probes/op better=up: want better=higher or better=lower"},
		"it changed, and nothing says which way is better: Unit probes/op better=up: want better=higher or better=lower")
	note(layouts, results.Pass, judge.Reason{Code: judge.AcrossLayouts, N: 8, Change: &change},
		"+6.0% in this layout; +1.0% (-1.0% to +3.0%) over 8 layouts")
	note(layouts, results.Pass, judge.Reason{Code: judge.LayoutAlone, N: 8, Change: &change},
		"+6.0% in this layout; +1.0% (-1.0% to +3.0%) over 8 layouts: where the code lies in memory, not what it does")
	more := "allow more time (--layout-budget), or measure on a quieter machine"
	note(layouts, unclear, judge.Reason{Code: judge.OpenAcrossLayouts, N: 8, Change: &change},
		"+6.0% in this layout; +1.0% (-1.0% to +3.0%) over 8 layouts: not decided by then: "+more)
	note(row, unclear, judge.Reason{Code: judge.OpenAcrossLayouts, N: 1}, "not decided over 1 layout: "+more)
	note(layouts, unclear, judge.Reason{Code: judge.OpenAcrossLayouts, N: 48, Of: 48, Change: &change},
		"+6.0% in this layout; +1.0% (-1.0% to +3.0%) over 48 layouts: not decided by then: measure on a quieter machine: more time wouldn't help")
	note(row, unclear, judge.Reason{Code: judge.Undecided, N: 399, Of: 400},
		"not decided by then: allow more time (--budget), or measure on a quieter machine")
	note(row, unclear, judge.Reason{Code: judge.Undecided, N: 400, Of: 400},
		"not decided by then: measure on a quieter machine: more time wouldn't help")
	note(row, unclear, judge.Reason{Code: judge.NotInOtherLayouts}, "not measured in other layouts of the code")
	note(row, results.Pass, judge.Reason{Code: judge.IdenticalBinaries},
		"the test binaries of both sides are the same, byte for byte")
	note(row, unclear, judge.Reason{Code: judge.BenchmarkRemoved},
		"it isn't in the working tree any more: put it back, or leave it out of --bench")
	note(row, unclear, judge.Reason{Code: judge.BenchmarkFails, Side: judge.SideBase, Text: "panics"},
		"in the base it panics")
	note(row, unclear, judge.Reason{Code: judge.BenchmarkFails, Side: judge.SideNow, Text: "panics"}, "now it panics")
	note(row, unclear, judge.Reason{Code: judge.NewAndFails, Text: "panics"}, "it isn't in the base, and now it panics")
	note(row, unclear, judge.Reason{Code: judge.RemovedAndFails, Text: "panics"},
		"it isn't in the working tree any more, and in the base it panics")
	note(row, unclear, judge.Reason{Code: judge.FailsOnBothSides, Text: "panics", Base: "fails"},
		"in the base it fails, and now it panics")
	note(row, unclear, judge.Reason{Code: judge.FailsInOtherLayout, Side: judge.SideNow, Text: "panics"},
		"with its functions in another order, now panics")

	says := func(reason judge.Reason, v results.Verdict, want string) {
		t.Helper()
		require.Equal(t, want, clause(reason, v))
		tested[reason.Code] = true
		said[reason.Code] = append(said[reason.Code], want)
	}
	says(judge.Reason{Code: judge.NoBaseline}, none, "no baseline to hold the run against")
	says(judge.Reason{Code: judge.ScenarioNotInBaseline, Name: "soak"}, none,
		"the baseline doesn't have the scenario soak")
	says(judge.Reason{Code: judge.ScenarioNotInBaseline, Name: "soak"}, unclear,
		"the baseline doesn't have the scenario soak: `fleetmark baseline --from` takes it up")
	says(judge.Reason{Code: judge.WorkloadDiffers}, none, "the baseline measured another workload, so nothing is judged")
	says(judge.Reason{Code: judge.WorkloadDiffers}, unclear,
		"the baseline measured another workload (devices, size, load, seed or artifact differ): run what it measured, or measure the baseline anew")
	says(judge.Reason{Code: judge.NoCommonMetric}, none,
		"the baseline and the run have no metric in common that can be judged")
	says(judge.Reason{Code: judge.WithinTolerance, N: 3}, results.Pass, "3 metrics judged, none beyond its tolerance")
	says(judge.Reason{Code: judge.WorstRow, Row: &row, N: 1}, results.Regressed,
		"push ns/op went from 1.00µs to 1.10µs (+6.0%), and 1 other metric")
	says(judge.Reason{Code: judge.RowsUnjudged, N: 2}, none, "2 metrics not judged")
	says(judge.Reason{Code: judge.RowsUnjudged, N: 1, Cause: judge.NotPortable}, none,
		"1 metric not judged (only portable ones were asked for)")
	says(judge.Reason{Code: judge.RowsUnjudged, N: 2, Cause: judge.OtherMachine}, none,
		"2 metrics not judged (the baseline is from another machine)")
	says(judge.Reason{Code: judge.RowsUnjudged, N: 2, Cause: judge.MachineDrift, Value: 1.6}, none,
		"2 metrics not judged (the machine is 1.60 times as slow as it was)")
	says(judge.Reason{Code: judge.RunInterrupted}, none, "the run was interrupted")
	says(judge.Reason{Code: judge.RunInterrupted}, unclear, "the run was interrupted: run it again")
	says(judge.Reason{Code: judge.RunUnfinished}, none, "the run never ended")
	says(judge.Reason{Code: judge.RunUnfinished}, unclear, "the run never ended, or goes on: run it again")
	says(judge.Reason{Code: judge.RunFailed}, none, "the run failed")
	says(judge.Reason{Code: judge.RunFailed}, unclear, "the run failed: run it again")
	says(judge.Reason{Code: judge.RunAborted}, none, "the run was ended early (abort: true)")
	says(judge.Reason{Code: judge.NoSamples}, results.Invalid, "the run holds no samples")
	says(judge.Reason{Code: judge.NoSamples}, unclear, "the run holds no samples: no operation of it succeeded")
	says(judge.Reason{Code: judge.RunMissing, Name: "soak"}, unclear, "the baseline has it, and no run of it was given")
	says(judge.Reason{Code: judge.ScenarioUnknown, Name: "soak"}, unclear, "neither the baseline nor a run has it")
	for want, reason := range map[string]judge.Reason{
		"the run is marked invalid, without a reason":       {Code: judge.InvalidWithoutReason},
		"the run calls itself valid, and says why it isn't": {Code: judge.ValidYetExplained},
		"the fleet was the bottleneck":                      {Code: judge.FleetSaturated},
		"the harness was the bottleneck":                    {Code: judge.HarnessSaturated},
		"2 devices applied an update twice":                 {Code: judge.AppliedTwice, N: 2},
		"neither side measured anything":                    {Code: judge.NothingMeasured},
		"a sentence":                                        {Code: judge.Invalid, Text: "a sentence"},
		"go test failed":                                    {Code: judge.GoTestFailed, Text: "go test failed"},
		"no such revision":                                  {Code: judge.NotJudged, Text: "no such revision"},
		"it panicked":                                       {Code: judge.SideFailed, Text: "it panicked"},
		"it panicked (stacks in runs/x.txt)": {Code: judge.SideFailed, Text: "it panicked",
			Name: "runs/x.txt"},
		"base: it was refused": {Code: judge.LedgerContradicts, Side: judge.SideBase, Text: "it was refused"},
		"the baseline holds a sample that is no number or has no name (NaN)": {Code: judge.DamagedSample,
			Side: judge.SideBase, Text: "NaN"},
		"1 device lost: the client claims updates that the ledger denies": {Code: judge.DevicesLost, N: 1},
		"7 of 10 pairs were dropped; the last one: now: late": {Code: judge.PairsDropped, N: 7,
			Of: 10, Text: "now: late"},
		"the drivers of both sides are the same, byte for byte: nothing is to be measured":         {Code: judge.IdenticalDrivers},
		"the client's command and the files of both sides are the same: nothing is to be measured": {Code: judge.IdenticalFiles},
	} {
		says(reason, results.Invalid, want)
	}
	// Reasons of thresholds and of several runs are part of a whole sentence.
	failed := []results.ThresholdOutcome{{Threshold: "failed/device == 0", Unit: "failed/device", Value: 1,
		Measured: true}}
	j := &judge.Judgement{Thresholds: failed,
		Reasons: []judge.Reason{{Code: judge.ThresholdsFailed, N: 1, Of: 1}, {Code: judge.NoBaseline}}}
	require.Equal(t, "1 of 1 threshold failed: failed/device == 0 (100%)", Sentence(j))
	require.Equal(t, "no baseline to hold the run against", ComparedSentence(j))
	j.Thresholds = []results.ThresholdOutcome{{Threshold: "p99-ns/op < 1s", Undecided: "8 operations: a p99 wants 1,000",
		Measured: true}}
	j.Reasons[0].Code = judge.ThresholdsUndecided
	require.Equal(t, "1 of 1 threshold is inconclusive: p99-ns/op < 1s (8 operations: a p99 wants 1,000)", Sentence(j))
	require.Equal(t, "there is nothing to judge",
		GateSentence(&judge.GateResult{Reasons: []judge.Reason{{Code: judge.NothingToJudge}}}))
	require.Equal(t, "each of 2 runs is no worse than the baseline",
		GateSentence(&judge.GateResult{Reasons: []judge.Reason{{Code: judge.AllRunsPass, N: 2}}}))
	for code, words := range map[judge.Code]string{
		judge.ThresholdsFailed:    "1 of 1 threshold failed: failed/device == 0 (100%)",
		judge.NothingToJudge:      "there is nothing to judge",
		judge.ThresholdsUndecided: "1 of 1 threshold is inconclusive: p99-ns/op < 1s (8 operations: a p99 wants 1,000)",
		judge.AllRunsPass:         "each of 2 runs is no worse than the baseline",
		judge.WorstScenario:       "rollout: push ns/op went from 1.00µs to 1.10µs (+6.0%); and 1 other like it", // see judge.TestGate_several
	} {
		tested[code], said[code] = true, []string{words}
	}
	for _, code := range codes(t) {
		require.True(t, tested[code], "%s has no words", code)
	}
	writeReasons(t, said)
}

// writeReasons writes the table of reasons in docs/reference/verdicts.md. said holds the words that
// the test requires of each code.
func writeReasons(t *testing.T, said map[judge.Code][]string) {
	t.Helper()
	var page strings.Builder
	var rows [][]string
	group := ""
	flush := func() {
		if len(rows) > 0 {
			page.WriteString("### " + strings.TrimSuffix(group, ".") + "\n\n" +
				docpage.Table([]string{"code", "when, and its parameters", "in words"}, rows) + "\n")
			rows = nil
		}
	}
	for _, c := range docpage.ReadSource(t, filepath.Join("..", "judge")).Constants(t, "Code") {
		title, _, _ := strings.Cut(c.Group, ". ")
		if title != group {
			flush()
			group = title
		}
		words := said[judge.Code(c.Value)]
		slices.Sort(words) // some come from maps, in random order
		words = slices.Compact(words)
		for i := range words {
			words[i] = strings.ReplaceAll(markdown.Escape(words[i]), "\\`", "`") // commands stay code
		}
		rows = append(rows, []string{"`" + c.Value + "`", c.Doc, strings.Join(words, "<br>")})
	}
	flush()
	docpage.Check(t, "reference/verdicts.md", "reasons", page.String())
}

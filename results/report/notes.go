package report

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/judge"
)

// Note explains a row's verdict, or says why the row has none. It returns "" if the figures explain
// the verdict.
func Note(r judge.Row) string {
	switch {
	case r.Verdict != "":
		return judgedNote(r)
	case r.Reason.Code == judge.NotInBaseline:
		return unjudged(r.Reason.Code)
	case r.Reason.Code != "":
		return unjudged(r.Reason.Code) + ": no verdict"
	}
	return ""
}

// unjudged returns why a row has no verdict, in a few words for a table's cell.
func unjudged(code judge.Code) string {
	words := map[judge.Code]string{
		judge.OtherMachine:  "another machine",
		judge.MachineDrift:  "machine speed changed",
		judge.OtherWorkload: "another workload",
		judge.NotInBaseline: "not in the baseline",
		judge.NewBenchmark:  "not in the base",
		judge.UnknownMetric: "unknown metric",
		judge.NoDirection:   noDirection,
		judge.NotPortable:   "not portable",
		judge.ShownOnly:     "shown",
		judge.RunInvalid:    "invalid run",
		judge.SidesInvalid:  "invalid",
		judge.DriverFailed:  "not decided before a driver failed",
	}
	return cmp.Or(words[code], "not decided") // such as over some layouts, when another metric had regressed
}

// unjudgedClause returns why rows have no verdict, to end "22 times aren't judged: …".
func unjudgedClause(code judge.Code) string {
	words := map[judge.Code]string{
		"":                  "not decided when the gate could end",
		judge.OtherMachine:  "the baseline is from another machine",
		judge.MachineDrift:  "the machine is faster or slower than it was",
		judge.OtherWorkload: "the baseline measured another workload",
		judge.ShownOnly:     "for information only",
	}
	return cmp.Or(words[code], unjudged(code))
}

// Words that several reasons have in common.
const (
	measureBoth = "measure both sides here and now with `fleetmark gate --base GITREF`"
	noDirection = "nothing says which way is better"
)

// judgedNote returns the explanation of a row's verdict, with advice if the user can act on it.
func judgedNote(r judge.Row) string {
	switch reason := r.Reason; reason.Code {
	case "":
		return ""
	case judge.MachineDrift:
		return driftClause(reason.Value) + ": " + measureBoth
	case judge.UnknownMetric:
		return fmt.Sprintf("this fleetmark doesn't know the metric, and nothing says which way is better: "+
			"declare it in fleetmark.yaml, as in units: {%q: {better: lower}}", r.Unit.Name)
	case judge.ImpossibleValue:
		if reason.Side == judge.SideBase {
			return fmt.Sprintf("the baseline's %v is no measurement of it: measure the baseline anew", reason.Value)
		}
		return fmt.Sprintf("%v is no measurement of it: find out why nothing was measured", reason.Value)
	case judge.SomeWorse:
		worst := results.FormatValue(reason.Value, r.Unit.Name)
		return fmt.Sprintf(
			"worse in some repetitions (%s at worst), though a seed determines it: find out why they differ", worst)
	case judge.TooFewSamples:
		return fmt.Sprintf("%d and %d samples are too few to tell a change from noise: repeat more often",
			r.Base.N, r.Now.N)
	case judge.MaybeChance:
		return fmt.Sprintf("worse beyond the tolerance, but among so many metrics it may be chance "+
			"(corrected p=%.3f): repeat more often", *r.AdjustedP)
	case judge.MayBeWorse:
		return mayBeWorse(r)
	case judge.Interfered:
		return reason.Others.Excess() + " meanwhile: repeat on a machine at rest"
	case judge.MeasuredInSome:
		return fmt.Sprintf("only %d of %d repetitions measured it: find out what became of the others",
			reason.N, reason.Of)
	case judge.Undirected:
		return "it changed, and " + noDirection + ": " + howToDeclare(r.Unit.Name)
	case judge.UndirectedMayChange:
		return mayBeWorse(r) + "; and " + noDirection + ": " + howToDeclare(r.Unit.Name)
	}
	return pairedNote(r)
}

// pairedNote returns the explanation of the verdict of a row whose sides were measured in turns,
// and of any other row whose reason needs no figures.
func pairedNote(r judge.Row) string {
	switch reason := r.Reason; reason.Code {
	case judge.Undecided:
		return "not decided by then: " + moreTime(reason, "--budget")
	case judge.PassedAfter:
		return fmt.Sprintf("shown to be no worse after %d pairs", reason.N)
	case judge.UndirectedInTurns:
		if reason.Text != "" {
			return "it changed, and " + noDirection + ": " + reason.Text
		}
		return fmt.Sprintf("it changed, and %s: have the benchmarks print a line \"Unit %s better=lower\" "+
			"(or higher), or declare it under units in fleetmark.yaml", noDirection, r.Unit.Name)
	case judge.AcrossLayouts, judge.LayoutAlone, judge.OpenAcrossLayouts:
		return layoutsNote(r)
	case judge.BenchmarkFails:
		if reason.Side == judge.SideBase {
			return "in the base it " + reason.Text
		}
		return "now it " + reason.Text
	case judge.NewAndFails:
		return "it isn't in the base, and now it " + reason.Text
	case judge.RemovedAndFails:
		return "it isn't in the working tree any more, and in the base it " + reason.Text
	case judge.FailsOnBothSides:
		return "in the base it " + reason.Base + ", and now it " + reason.Text
	case judge.FailsInOtherLayout:
		return fmt.Sprintf("with its functions in another order, %s %s", reason.Side, reason.Text)
	}
	notes := map[judge.Code]string{
		judge.OtherMachine:  "the baseline is from another machine: " + measureBoth,
		judge.OtherWorkload: "the baseline measured another workload: measure the baseline anew, or run what it measured",
		judge.Missing:       "missing now",
		judge.SamplesDiffer: "the run's samples differ among themselves, though a seed determines them: the median is judged",
		judge.BaselineDiffers: "the baseline's samples differ among themselves, so timing decides it as well as the seed: " +
			"it is tested, not compared exactly",
		judge.WithinNoise:         "beyond the tolerance, but it may be noise",
		judge.Unconfirmed:         "it is the client's word only: the baseline's was confirmed by the fleet's ledger",
		judge.UndirectedUnchanged: noDirection + "; it didn't change",
		judge.NotInBase:           "the base doesn't have the metric, so there is nothing to compare it with",
		judge.IncompleteBlocks:    "some blocks lack it: find out what became of them",
		judge.TimingDetermines:    "timing determines it too, as the base's own blocks differ: tested",
		judge.Unsteady:            "its samples differ among themselves: tested, not compared exactly",
		judge.NotInOtherLayouts:   "not measured in other layouts of the code",
		judge.IdenticalBinaries:   "the test binaries of both sides are the same, byte for byte",
		judge.BenchmarkRemoved:    "it isn't in the working tree any more: put it back, or leave it out of --bench",
	}
	return cmp.Or(notes[r.Reason.Code], string(r.Reason.Code))
}

// mayBeWorse returns by how much a row may be worse, and how many repetitions would decide.
func mayBeWorse(r judge.Row) string {
	text := "it may be worse by any amount"
	if !math.IsInf(r.Reason.Value, 1) {
		text = "it may be worse by " + shareOfBase(r, r.Reason.Value)
	}
	text += fmt.Sprintf(", and only less than %s, twice the tolerance, is a pass: ", shareOfBase(r, r.Reason.Bound))
	if n := r.Reason.N; n > 0 {
		return text + fmt.Sprintf("about %d repetitions of both sides would tell", n)
	}
	return text + "more repetitions of both sides would tell"
}

// shareOfBase formats an amount in a row's unit as a share of the baseline, or as it is if the
// baseline is zero.
func shareOfBase(r judge.Row, amount float64) string {
	if base := math.Abs(r.Base.Median); base > 0 {
		return fmt.Sprintf("%.1f%%", 100*amount/base)
	}
	return results.FormatValue(amount, r.Unit.Name)
}

// howToDeclare returns how to declare which way is better, for a metric that a benchmark reports
// itself.
func howToDeclare(unit string) string {
	return fmt.Sprintf("have the benchmarks print a line such as \"Unit %s better=lower\" (in TestMain, say), "+
		"or declare it under units in fleetmark.yaml", unit)
}

// moreTime returns advice about a metric that wasn't decided: to allow more time with the given
// flag, unless the largest number of pairs was measured.
func moreTime(r judge.Reason, flag string) string {
	if r.Of > 0 && r.N >= r.Of {
		return "measure on a quieter machine: more time wouldn't help"
	}
	return fmt.Sprintf("allow more time (%s), or measure on a quieter machine", flag)
}

// layoutsNote returns what further layouts of the code showed about a row.
func layoutsNote(r judge.Row) string {
	layouts, open := plaintext.Count(r.Reason.N, "layout"), r.Reason.Code == judge.OpenAcrossLayouts
	var text string
	if r.Ratio != nil {
		percent := func(ratio float64) string { return fmt.Sprintf("%+.1f%%", 100*(ratio-1)) }
		text = fmt.Sprintf("%s (%s to %s) over %s",
			percent(r.Ratio.Estimate), percent(r.Ratio.Low), percent(r.Ratio.High), layouts)
	} else { // there are too few layouts for an interval
		text = fmt.Sprintf("not decided over %s: %s", layouts, moreTime(r.Reason, "--layout-budget"))
	}
	if first := r.Reason.Change; first != nil {
		text = fmt.Sprintf("%+.1f%% in this layout; %s", 100**first, text)
	}
	switch {
	case r.Reason.Code == judge.LayoutAlone:
		text += ": where the code lies in memory, not what it does"
	case open && r.Ratio != nil:
		text += ": not decided by then: " + moreTime(r.Reason, "--layout-budget")
	}
	return text
}

// driftClause returns how much slower or faster the machine has become.
func driftClause(drift float64) string {
	if drift < 1 {
		return fmt.Sprintf("the machine is %.2f times as fast as it was", 1/drift)
	}
	return fmt.Sprintf("the machine is %.2f times as slow as it was", drift)
}

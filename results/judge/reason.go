package judge

import "github.com/fleetmark/fleetmark/results"

// A Reason explains a verdict, or why there is none: a code and its parameters. Its zero value
// explains nothing. A reason repeats none of the figures of its [Row], such as how many samples
// there are.
type Reason struct {
	Code Code

	// Parameters. Each code says which it has.
	Side   Side
	Value  float64
	Bound  float64
	Change *float64
	N, Of  int
	Name   string
	Text   string // text from elsewhere: a sentence of run.json, or the message of a process that failed
	Base   string // the same of the base, if both sides have one
	Cause  Code
	Row    *Row
	Others *results.Interference
}

// AboutRun reports whether r says why a run is invalid.
func (r Reason) AboutRun() bool {
	switch r.Code {
	case Invalid, InvalidWithoutReason, ValidYetExplained, FleetSaturated, HarnessSaturated, DevicesLost,
		AppliedTwice, DamagedSample:
		return true
	}
	return false
}

// A Side is one of the two sides of a comparison.
type Side string

// The sides.
const (
	SideBase Side = "base"
	SideNow  Side = "now"
)

// A Code names a kind of reason.
type Code string

// Why a row has no verdict. If every metric is required, a row that could have been judged is
// inconclusive for the same reason.
const (
	OtherMachine  Code = "other-machine"   // the baseline comes from another machine
	MachineDrift  Code = "machine-drift"   // Value: how many times as long the reference benchmark takes as it did
	OtherWorkload Code = "other-workload"  // the baseline measured another workload
	NotInBaseline Code = "not-in-baseline" // the baseline lacks the metric
	NewBenchmark  Code = "new-benchmark"   // the base lacks the benchmark
	UnknownMetric Code = "unknown-metric"  // nothing is known of the metric
	NoDirection   Code = "no-direction"    // nothing says which way is better
	NotPortable   Code = "not-portable"    // only portable metrics were asked for
	ShownOnly     Code = "shown-only"      // the metric is never judged
	RunInvalid    Code = "run-invalid"     // the run's figures mean nothing
	SidesInvalid  Code = "sides-invalid"   // the figures of two sides that took turns mean nothing
	DriverFailed  Code = "driver-failed"   // a driver failed before the row was decided
)

// Why a row has the verdict that it has.
const (
	Missing             Code = "missing"               // the run lacks the metric
	ImpossibleValue     Code = "impossible-value"      // Side: measured Value, which the metric can't have
	SomeWorse           Code = "some-worse"            // some repetitions of an exact metric were worse; Value: the worst
	SamplesDiffer       Code = "samples-differ"        // the run's samples of an exact metric differ
	BaselineDiffers     Code = "baseline-differs"      // the baseline's samples of an exact metric differ: it was tested
	TooFewSamples       Code = "too-few-samples"       // no test of so few samples finds a change
	MaybeChance         Code = "maybe-chance"          // the change isn't significant among so many metrics
	WithinNoise         Code = "within-noise"          // the change is beyond the tolerance, but not significant
	MayBeWorse          Code = "may-be-worse"          // by Value, where less than Bound passes; N repetitions would tell (0: unknown)
	Interfered          Code = "interfered"            // Others used the machine meanwhile
	MeasuredInSome      Code = "measured-in-some"      // only N of Of repetitions measured an exact metric
	Unconfirmed         Code = "unconfirmed"           // the fleet confirmed the baseline's count, but not this one
	Undirected          Code = "undirected"            // it changed, and nothing says which way is better
	UndirectedMayChange Code = "undirected-may-change" // as MayBeWorse, and nothing says which way is better
	UndirectedUnchanged Code = "undirected-unchanged"  // nothing says which way is better, but it didn't change
)

// Why a row of two sides that took turns has the verdict that it has.
const (
	Undecided          Code = "undecided"             // the N pairs, of Of at most, did not decide
	NotInBase          Code = "not-in-base"           // the base lacks the metric
	IncompleteBlocks   Code = "incomplete-blocks"     // some blocks lack the metric
	TimingDetermines   Code = "timing-determines"     // blocks of the base differ in an exact metric, so it was tested
	Unsteady           Code = "unsteady"              // the samples of a steady metric differ, so it was tested
	PassedAfter        Code = "passed-after"          // an analysis after N pairs showed that it is no worse
	UndirectedInTurns  Code = "undirected-in-turns"   // as Undirected; Text: what is wrong with its Unit line, or empty
	AcrossLayouts      Code = "across-layouts"        // decided over N layouts; Change: in the first layout, or nil
	LayoutAlone        Code = "layout-alone"          // as AcrossLayouts; only the layout made the first one worse
	OpenAcrossLayouts  Code = "open-across-layouts"   // as AcrossLayouts, but not decided; Of: how many layouts are measured at most
	NotInOtherLayouts  Code = "not-in-other-layouts"  // not measured in further layouts of the code
	IdenticalBinaries  Code = "identical-binaries"    // the test binaries of both sides are the same
	BenchmarkRemoved   Code = "benchmark-removed"     // the working tree lacks the benchmark
	BenchmarkFails     Code = "benchmark-fails"       // Side: it can't be measured; Text: why
	RemovedAndFails    Code = "removed-and-fails"     // the working tree lacks the benchmark; Text: why the base's fails
	NewAndFails        Code = "new-and-fails"         // the base lacks the benchmark; Text: why it fails now
	FailsOnBothSides   Code = "fails-on-both-sides"   // Text: why now; Base: why in the base
	FailsInOtherLayout Code = "fails-in-other-layout" // Side: it can't be measured in another layout; Text: why
)

// Why a run, or a comparison, has the verdict that it has.
const (
	NoBaseline            Code = "no-baseline"
	ScenarioNotInBaseline Code = "scenario-not-in-baseline" // Name: the scenario
	WorkloadDiffers       Code = "workload-differs"
	NoCommonMetric        Code = "no-common-metric"
	WithinTolerance       Code = "within-tolerance" // N metrics were judged, and none is beyond its tolerance
	WorstRow              Code = "worst-row"        // Row: the one that decided; N: other rows with the same verdict
	RowsUnjudged          Code = "rows-unjudged"    // N rows; Cause: OtherMachine, NotPortable, MachineDrift (Value) or empty
	RunInterrupted        Code = "run-interrupted"
	RunUnfinished         Code = "run-unfinished"
	RunFailed             Code = "run-failed"
	RunAborted            Code = "run-aborted" // a threshold with abort failed, and ended the run early
	NoSamples             Code = "no-samples"
	ThresholdsFailed      Code = "thresholds-failed"    // N of Of thresholds
	ThresholdsUndecided   Code = "thresholds-undecided" // N of Of thresholds

	// Why a run is invalid.
	Invalid              Code = "invalid"                // Text: a sentence of run.json, or of a comparison
	InvalidWithoutReason Code = "invalid-without-reason" // run.json names no reason
	ValidYetExplained    Code = "valid-yet-explained"    // run.json says that the run is valid, and why it isn't
	FleetSaturated       Code = "fleet-saturated"
	HarnessSaturated     Code = "harness-saturated"
	DevicesLost          Code = "devices-lost"   // N devices
	AppliedTwice         Code = "applied-twice"  // N devices
	DamagedSample        Code = "damaged-sample" // Side: holds a record that isn't valid; Text: why
	NothingMeasured      Code = "nothing-measured"

	// About a comparison of two builds, and of Go benchmarks.
	IdenticalDrivers  Code = "identical-drivers"
	IdenticalFiles    Code = "identical-files"
	SideFailed        Code = "side-failed"        // Side: its driver failed; Text: how; Name: the file with its stacks, or empty
	GoTestFailed      Code = "go-test-failed"     // Text: how
	NotJudged         Code = "not-judged"         // Text: what kept the command from judging
	PairsDropped      Code = "pairs-dropped"      // N of Of pairs couldn't be believed; Text: why the last one couldn't
	LedgerContradicts Code = "ledger-contradicts" // Side: its fleet contradicts its client; Text: how
)

// Why several runs have the verdict that they have together.
const (
	RunMissing      Code = "run-missing"      // the baseline has the scenario Name, but there is no run of it
	ScenarioUnknown Code = "scenario-unknown" // neither the baseline nor a run has the scenario Name
	NothingToJudge  Code = "nothing-to-judge"
	WorstScenario   Code = "worst-scenario" // Name: the scenario that decided; N: others with the same verdict
	AllRunsPass     Code = "all-runs-pass"  // N runs
)

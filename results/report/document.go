package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Document is the content of a report. [New], [FromGate] and [FromABTest] build it, with all
// derived figures and sentences. Forms only choose what to show of it, and never change it.
type Document struct {
	Mode     Mode
	ExitCode int // of the command that shows the document

	Verdict results.Verdict // over all results
	Reason  string          // of Verdict, a sentence without a full stop
	Reasons []judge.Reason  // of a gate: the reasons that Reason puts into words, the most important first

	Results []*Result // one for each run, or one for a comparison in turns

	Detail []string // why nothing was judged, such as a compiler's messages; see [NotJudged]

	Gate   *GateFacts // nil unless runs or benchmarks were compared with a page
	ABTest *ABTest    // nil unless two builds were measured in turns

	notJudged bool
}

// A Mode says what a document is about. It is the value of "mode" in JSON.
type Mode string

// The modes.
const (
	ModeRun      Mode = "run"      // a run that was just measured
	ModeReport   Mode = "report"   // a run, or Go benchmarks, measured earlier
	ModeBaseline Mode = "baseline" // runs that a gate compares with a page
	ModeBase     Mode = "base"     // two builds that take turns
	ModeBench    Mode = "bench"    // Go benchmarks of two builds that take turns, or compared with a page
)

// GateFacts says how a gate compared runs or benchmarks with a page.
type GateFacts struct {
	Portable bool   // only portable metrics were compared
	Baseline string // the file of the page
	Revision string // the revision that the page was measured at, or ""
	Command  string // the command that measured the benchmarks, or ""
}

// An Input holds the parts of one result. All but Judgement may be missing; the result then lacks
// what follows from them.
type Input struct {
	Scenario  string
	Judgement *judge.Judgement
	Base, Now Side // Base is the zero Side if Now was compared with nothing

	Causes []Cause  // of a regression
	Notes  []string // a sentence each

	Command  string    // repeats the measurement; by default the command of Now's run
	Measured time.Time // by default when Now's run started
}

// A Result is the outcome of one run, or of one comparison in turns.
type Result struct {
	Scenario string
	Run      *rundir.Loaded // the run that was judged; nil if there is no run directory

	Headline   Headline
	Verdict    results.Verdict // empty if nothing was judged; includes thresholds only in a gate and of an aborted run
	Reason     string          // of Verdict, a sentence without a full stop
	Reasons    []judge.Reason  // the reasons that Reason puts into words, the most important first
	Comparison string          // which sides were compared, as a sentence; empty if only one has a name

	HasBase     bool // there is a second side
	HasBaseline bool // rows were compared with a second side
	Base, Now   Side // their labels are never empty

	Rows       []Row
	Alpha      float64 // the family-wise error rate of the rows that were tested
	Thresholds []results.ThresholdOutcome
	Causes     []Cause

	Invalid  []string // why the run is invalid
	EndState string   // "unfinished", "interrupted", "failed" or "aborted"; empty for a run that finished
	Warnings []string // what is damaged or missing
	Notes    []string

	Command    string // measures it again, or ""
	Measured   time.Time
	Provenance []Fact   // where it was measured, and at which revisions
	Validity   []string // how far the figures can be trusted, a sentence each
}

// New returns the document of one run or comparison.
func New(mode Mode, in Input) *Document {
	r := newResult(in, false)
	return &Document{Mode: mode, Verdict: r.Verdict, Reason: r.Reason, Results: []*Result{r}}
}

// FromBenchmarkPage returns the document of Go benchmarks that a gate compared with a page.
func FromBenchmarkPage(in Input, facts GateFacts) *Document {
	d := New(ModeBench, in)
	d.Gate = &facts
	return d
}

// NotJudged returns the document of a gate that judged nothing. The reasons of the judgement say
// why, and the notes become Detail.
func NotJudged(mode Mode, in Input) *Document {
	d := New(mode, in)
	d.Detail, d.notJudged = in.Notes, true
	return d
}

// FromGate returns the document of a gate that judged runs. runs holds their sides, with their
// Evidence.
func FromGate(g *judge.GateResult, base *baseline.Page, runs []Side, facts GateFacts) *Document {
	d := &Document{
		Mode: ModeBaseline, Verdict: g.Verdict, Reason: GateSentence(g), Reasons: g.Reasons, Gate: &facts,
	}
	for _, s := range g.Scenarios {
		in := Input{Scenario: s.Scenario, Judgement: s.Judgement, Base: BaselineSide(base, s.Scenario)}
		for _, run := range runs {
			if s.Run != "" && run.Run.Path == s.Run {
				in.Now = run
			}
		}
		d.Results = append(d.Results, newResult(in, true))
	}
	return d
}

// newResult returns the result of one run or comparison. Its verdict includes the run's thresholds
// if overall is set, or one of them ended the run; otherwise it is the verdict of the comparison
// alone.
func newResult(in Input, overall bool) *Result {
	run, j := in.Now.Run, in.Judgement
	r := &Result{
		Scenario: in.Scenario, Run: run, HasBaseline: j.HasBaseline, Alpha: j.Alpha,
		Verdict: j.Compared, Reason: ComparedSentence(j), Reasons: j.ComparisonReasons(),
		HasBase: len(in.Base.Records) > 0 || in.Base.Run != nil || j.HasBaseline,
		Base:    in.Base, Now: in.Now, Causes: in.Causes, Notes: in.Notes, Command: in.Command,
		Measured: in.Measured.UTC(),
	}
	if overall || run != nil && run.Status == results.StatusAborted {
		r.Verdict, r.Reason, r.Reasons = j.Verdict, Sentence(j), j.Reasons
	}
	r.Base.Label, r.Now.Label = cmp.Or(in.Base.Label, "baseline"), cmp.Or(in.Now.Label, "now")
	r.Rows = newRows(j.Rows, in.Base.Records, in.Now.Records)
	if run != nil {
		r.Thresholds, r.Invalid, r.EndState = run.Thresholds, invalidReasons(run), endState(run)
		r.Notes = append(slices.Clip(r.Notes), run.Notes...)
		r.Command = cmp.Or(r.Command, run.Command, "fleetmark run "+run.Scenario)
		if in.Measured.IsZero() {
			r.Measured = run.Started.UTC()
		}
		r.Validity = validitySentences(run)
	}
	for _, side := range []Side{in.Base, in.Now} {
		if side.Run != nil {
			r.Warnings = append(r.Warnings, side.Run.Warnings...)
		}
		r.Warnings = append(r.Warnings, side.Evidence.Warnings...)
	}
	r.Headline = newHeadline(r)
	r.Comparison = comparisonSentence(in.Base, r)
	r.Provenance = provenance(r)
	return r
}

// invalidReasons returns why a run is invalid. It returns nil for a run that is valid or goes on.
func invalidReasons(run *rundir.Loaded) []string {
	switch {
	case run.Valid || run.Status == results.StatusRunning:
		return nil
	case len(run.Invalid) == 0:
		return []string{"no reason was recorded"}
	}
	return run.Invalid
}

// endState returns the [Result.EndState] of a run.
func endState(run *rundir.Loaded) string {
	switch {
	case run.Unfinished:
		return "unfinished"
	case run.Status == results.StatusInterrupted, run.Status == results.StatusFailed, run.Status == results.StatusAborted:
		return string(run.Status)
	}
	return ""
}

// Question returns the question that the run's scenario answers, or "" if it is unknown.
func (r *Result) Question() string {
	var s struct {
		Description string `json:"description"`
	}
	for _, side := range []*Side{&r.Now, &r.Base} {
		if side.Run != nil && json.Unmarshal(side.Run.Spec, &s) == nil && s.Description != "" {
			return s.Description
		}
	}
	return ""
}

// EndSentence returns a sentence about a run that didn't finish, in which emphasis is put around
// the state. It returns "" for a run that finished.
func (r *Result) EndSentence(emphasis string) string {
	if r.EndState == "" {
		return ""
	}
	holds := ": it holds the " + plaintext.Count(r.Now.Repetitions(), "repetition") + " that ended before."
	if r.Now.Repetitions() == 0 {
		holds = ": no repetition ended before."
	}
	if r.EndState == string(results.StatusAborted) {
		return "The run was " + emphasis + "ended early" + emphasis + ", when a threshold with abort: true had failed" + holds
	}
	return "The run is " + emphasis + r.EndState + emphasis + holds
}

// OnlyPartial reports whether the run was broken off in its first repetition, so that it has only
// the figures of that part.
func (r *Result) OnlyPartial() bool {
	return r.Run != nil && r.Run.Partial != nil && len(r.Run.RepetitionCounts) == 0
}

// WhyNoRows returns why the result has no rows.
func (r *Result) WhyNoRows() string {
	switch {
	case r.Run != nil && r.Run.Repetitions == 1:
		return "no operation of the repetition succeeded"
	case r.Run != nil && r.Run.Repetitions > 1:
		return "no operation of the " + plaintext.Count(r.Run.Repetitions, "repetition") + " succeeded"
	}
	return "no repetition was completed"
}

// Combined returns one result for a page about all scenarios. If the document has one result, it
// returns that. Otherwise it combines the rows and samples of all results, under the worst verdict.
// It leaves out what belongs to one run, such as its devices, thresholds, scenario and command, and
// turns the reasons why runs are invalid into notes.
func (d *Document) Combined(title string) *Result {
	if len(d.Results) == 1 {
		return d.Results[0]
	}
	all := &Result{Scenario: title, Reason: "there was nothing to judge"}
	if worst := WorstFirst(d.Results); len(worst) > 0 {
		h := worst[0].Headline
		all.Reason, all.Verdict = worst[0].Scenario+": "+h.Reason, h.Verdict
	}
	var base, now Side
	for i, r := range d.Results {
		all.Rows = append(all.Rows, r.Rows...)
		all.HasBaseline, all.HasBase = all.HasBaseline || r.HasBaseline, all.HasBase || r.HasBase
		all.Alpha = max(all.Alpha, r.Alpha)
		base.combine(r.Base, i == 0)
		now.combine(r.Now, i == 0)
		all.Causes = append(all.Causes, r.Causes...)
		for _, reason := range r.Invalid {
			all.Notes = append(all.Notes, r.Scenario+" is invalid: "+reason)
		}
		for _, note := range r.Notes {
			if !slices.Contains(all.Notes, note) {
				all.Notes = append(all.Notes, note)
			}
		}
		all.Warnings = append(all.Warnings, r.Warnings...)
		if all.Measured.IsZero() || !r.Measured.IsZero() && r.Measured.Before(all.Measured) {
			all.Measured = r.Measured
		}
	}
	base.Label, now.Label = cmp.Or(base.Label, "baseline"), cmp.Or(now.Label, "now")
	all.Base, all.Now = base, now
	all.Headline = newHeadline(all)
	all.Provenance = provenance(all)
	return all
}

// WorstFirst returns results in the order in which readers should see them, the worst verdict
// first.
func WorstFirst(list []*Result) []*Result {
	order := []results.Verdict{
		results.Invalid, results.Regressed, results.Inconclusive, "", results.Improved, results.Pass,
	}
	ordered := slices.Clone(list)
	slices.SortStableFunc(ordered, func(a, b *Result) int {
		return slices.Index(order, a.Headline.Verdict) - slices.Index(order, b.Headline.Verdict)
	})
	return ordered
}

// comparisonSentence returns a sentence that names the two sides. It returns "" if the base has no
// name.
func comparisonSentence(base Side, r *Result) string {
	if base.Label == "" && base.Run == nil {
		return ""
	}
	name := func(side Side) string {
		var known []string
		if side.Revision != "" && side.Revision != UnknownRevision {
			known = append(known, "revision "+side.Revision)
		}
		if n := side.Repetitions(); n > 0 {
			known = append(known, plaintext.Count(n, "repetition"))
		}
		if len(known) == 0 {
			return side.Label
		}
		return side.Label + " (" + strings.Join(known, ", ") + ")"
	}
	return name(r.Now) + " is held against " + name(r.Base) + "."
}

// A Headline is the part of a result that every reader sees.
type Headline struct {
	Word    string          // the verdict in a word or two
	Verdict results.Verdict // decides the color; empty if nothing was judged
	Symbol  string          // tells verdicts apart without color
	Reason  string          // a sentence without a full stop
}

// newHeadline returns the headline of a result: the outcome of its thresholds if that is worse than
// its verdict, or else its verdict.
func newHeadline(r *Result) Headline {
	reason := cmp.Or(strings.TrimSuffix(strings.TrimSpace(r.Reason), "."), "no reason was given")
	h := Headline{Word: string(r.Verdict), Verdict: r.Verdict, Reason: reason}
	failed, undecided := results.ThresholdSummary(r.Thresholds), results.UndecidedSummary(r.Thresholds)
	switch {
	case failed == "" || r.Verdict == results.Invalid:
	case r.EndState == string(results.StatusAborted):
		h = Headline{Word: "threshold failed", Verdict: results.Regressed, Reason: failed}
	case r.Verdict == results.Regressed:
		h.Reason += "; " + failed
	default:
		h = Headline{
			Word: "threshold failed", Verdict: results.Regressed,
			Reason: failed + "; against the baseline: " + cmp.Or(string(r.Verdict), noVerdict) + ", " + reason,
		}
	}
	if undecided != "" && (h.Verdict == "" || h.Verdict == results.Pass || h.Verdict == results.Improved) {
		h = Headline{Word: "threshold inconclusive", Verdict: results.Inconclusive, Reason: undecided}
	}
	h.Symbol = Symbol(h.Verdict)
	if h.Symbol == "" {
		h.Symbol = "–"
		if h.Verdict == "" {
			h.Word = noVerdict
		}
		h.Verdict = ""
	}
	return h
}

// noVerdict is shown if there is no verdict.
const noVerdict = "no verdict"

// A look is how forms show a verdict.
type look struct {
	symbol string         // tells verdicts apart without color
	badge  string         // a symbol that is shown in color
	level  string         // of an annotation
	role   texttable.Role // on a terminal
}

func lookOf(v results.Verdict) look {
	looks := map[results.Verdict]look{
		results.Pass:         {"✓", "✅", "notice", texttable.Plain},
		results.Improved:     {"▲", "✅", "notice", texttable.Good},
		results.Regressed:    {"✗", "❌", "error", texttable.Bad},
		results.Inconclusive: {"?", "⚠️", "warning", texttable.Doubtful},
		results.Invalid:      {"!", "⛔", "error", texttable.Bad},
	}
	return cmp.Or(looks[v], look{"", "➖", "warning", texttable.Plain})
}

// Symbol returns a character that tells verdicts apart without color. It returns "" if there is no
// verdict.
func Symbol(v results.Verdict) string { return lookOf(v).symbol }

// Level returns the level of an annotation with a verdict: error, warning or notice.
func Level(v results.Verdict) string { return lookOf(v).level }

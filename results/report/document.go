package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Document is everything that a report says. [New], [FromGate] and [FromABTest] build it once, with all
// that must be derived; renderers only choose what they show. A document isn't changed after that.
type Document struct {
	Mode     Mode
	ExitCode int // of the command that shows the document

	// Verdict and Reason are those over all results. The reason is a sentence without a full stop.
	Verdict results.Verdict
	Reason  string

	Results []*Result // one for each run, or one for a comparison by turns

	Detail []string // why nothing was judged, such as a compiler's lines; see [NotJudged]

	Gate   *GateFacts // nil unless runs or benchmarks were compared with a page
	ABTest *ABTest    // nil unless two builds were measured by turns

	notJudged bool
}

// A Mode is what a document is about. Objects in JSON have its name.
type Mode string

// The modes.
const (
	ModeRun      Mode = "run"      // a run that was just measured
	ModeReport   Mode = "report"   // a run, or Go benchmarks, measured earlier
	ModeBaseline Mode = "baseline" // runs that a gate compares with a page
	ModeBase     Mode = "base"     // two builds that take turns
	ModeBench    Mode = "bench"    // Go benchmarks, of two builds that take turns or compared with a page
)

// GateFacts is what was asked of a gate that compares runs or benchmarks with a page.
type GateFacts struct {
	Portable bool   // only portable metrics
	Baseline string // the page's file
	Revision string // that the page was measured at, or ""
	Command  string // that measured the benchmarks, or ""
}

// Input is what one result is made of. Every part but Judgement may be missing; a report then leaves out
// what it would say of it.
type Input struct {
	Scenario  string
	Judgement *judge.Judgement
	Base, Now Side // Base is the zero Side if Now was compared with nothing

	Causes []Cause  // of a regression
	Notes  []string // worth knowing beside the figures, a sentence each

	Command  string    // how to do it again; if empty, Now's run says it
	Measured time.Time // if zero, Now's run says it
}

// A Result is what came of one run, or of one comparison by turns.
type Result struct {
	Scenario string
	Run      *rundir.Loaded // what was judged; nil if it has no run directory

	Headline   Headline
	Verdict    results.Verdict // of the comparison, without thresholds; empty if nothing was judged
	Reason     string          // of Verdict, a sentence without a full stop
	Reasons    []judge.Reason  // what Reason says in words, the most important first
	Comparison string          // which sides were compared, as a sentence; empty if only one has a name

	HasBase     bool // there is a second side to show
	HasBaseline bool // the rows were compared with something
	Base, Now   Side // their labels are never empty

	Rows       []Row
	Alpha      float64 // the family-wise error rate of the rows that were tested
	Thresholds []results.ThresholdOutcome
	Causes     []Cause

	Invalid  []string // why the figures mean nothing
	EndState string   // of a run that didn't end as it should: "unfinished", "interrupted" or "failed"
	Warnings []string // what was found damaged or missing
	Notes    []string

	Command    string // how to do it again, or ""
	Measured   time.Time
	Provenance []Fact   // where and of what it was measured
	Validity   []string // what bears on whether the figures can be believed, a sentence each
}

// A Side is one of the two sides of a comparison.
type Side struct {
	Label    string // its name, such as "main"; [New] fills in "baseline" and "now"
	Revision string // of the source
	Machine  *results.Machine
	Records  []results.Record

	Run      *rundir.Loaded // nil if there is no run directory
	Evidence                // what else its directory holds; [Side.Read] fills it in
}

// A Cause says which functions made a scenario cost more.
type Cause struct {
	Scenario string
	Kind     profiles.Kind
	Dir      string // with the profiles, or ""
	Flame    string // the page of their difference, or ""
	FlameErr error  // why there is no such page, or nil
	*profiles.Explanation
}

// RunSide returns a run as one of two sides.
func RunSide(run rundir.Loaded) Side {
	return Side{Revision: run.Revision, Machine: &run.Machine, Records: run.Records, Run: &run}
}

// BaselineSide returns a baseline's scenario as one of two sides. It returns the zero Side if base is nil
// or lacks the scenario.
func BaselineSide(base *baseline.Page, scenario string) Side {
	if base == nil {
		return Side{}
	}
	s, ok := base.Scenario(scenario)
	if !ok {
		return Side{}
	}
	return Side{Revision: base.Revision, Machine: &base.Machine, Records: s.Records}
}

// Repetitions returns how often the side was measured.
func (s Side) Repetitions() int {
	if s.Run != nil {
		return s.Run.Repetitions
	}
	most := 0
	for _, r := range s.Records {
		most = max(most, r.Repetition)
	}
	return most
}

// New returns the document of one run or comparison.
func New(mode Mode, in Input) *Document {
	r := newResult(in, false)
	return &Document{Mode: mode, Verdict: r.Verdict, Reason: r.Reason, Results: []*Result{r}}
}

// FromBenchmarkPage returns the document of Go benchmarks that a gate compares with a page.
func FromBenchmarkPage(in Input, facts GateFacts) *Document {
	d := New(ModeBench, in)
	d.Gate = &facts
	return d
}

// NotJudged returns the document of a gate that judged nothing: its verdict is invalid, its reason says why, and its
// notes are the detail.
func NotJudged(mode Mode, in Input) *Document {
	d := New(mode, in)
	d.Detail, d.notJudged = in.Notes, true
	return d
}

// FromGate returns the document of a gate. runs are the sides that it judged, with what their directories
// hold.
func FromGate(g *judge.GateResult, base *baseline.Page, runs []Side, facts GateFacts) *Document {
	d := &Document{Mode: ModeBaseline, Verdict: g.Verdict, Reason: GateSentence(g), Gate: &facts}
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

// newResult returns the result of one run or comparison. Its verdict includes the run's thresholds if
// overall is set; otherwise it is the verdict of the comparison alone.
func newResult(in Input, overall bool) *Result {
	run, j := in.Now.Run, in.Judgement
	r := &Result{
		Scenario: in.Scenario, Run: run, HasBaseline: j.HasBaseline, Alpha: j.Alpha,
		Verdict: j.Compared, Reason: ComparedSentence(j), Reasons: j.ComparisonReasons(),
		HasBase: len(in.Base.Records) > 0 || in.Base.Run != nil || j.HasBaseline,
		Base:    in.Base, Now: in.Now, Causes: in.Causes, Notes: in.Notes, Command: in.Command,
		Measured: in.Measured.UTC(),
	}
	if overall {
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

// invalidReasons returns why a run's figures mean nothing.
func invalidReasons(run *rundir.Loaded) []string {
	switch {
	case run.Valid || run.Status == results.StatusRunning:
		return nil
	case len(run.Invalid) == 0:
		return []string{"no reason was recorded"}
	}
	return run.Invalid
}

// endState returns how a run stands that didn't come to its end. It returns "" for all others.
func endState(run *rundir.Loaded) string {
	switch {
	case run.Unfinished:
		return "unfinished"
	case run.Status == results.StatusInterrupted, run.Status == results.StatusFailed:
		return string(run.Status)
	}
	return ""
}

// onlyPartial reports whether an interruption broke off the run's first repetition, so that only the
// partial one says what became of the devices.
func onlyPartial(run *rundir.Loaded) bool {
	return run.Partial != nil && len(run.RepetitionCounts) == 0
}

// OnlyPartial reports whether the run has no figures but those of a repetition that was broken off.
func (r *Result) OnlyPartial() bool { return r.Run != nil && onlyPartial(r.Run) }

// WhyNoRows says why the result has no rows.
func (r *Result) WhyNoRows() string {
	switch {
	case r.Run != nil && r.Run.Repetitions == 1:
		return "no operation of the repetition succeeded"
	case r.Run != nil && r.Run.Repetitions > 1:
		return "no operation of the " + plaintext.Count(r.Run.Repetitions, "repetition") + " succeeded"
	}
	return "no repetition was completed"
}

// Combined returns one result over all scenarios, for a page about all of them. A document with one result
// returns that. Otherwise rows and samples stand side by side, and the verdict is that of the worst. What
// belongs to one run alone (what became of its devices, its thresholds, its scenario, its command) isn't in it,
// except for the reasons why a run is invalid, which become notes.
func (d *Document) Combined(title string) *Result {
	if len(d.Results) == 1 {
		return d.Results[0]
	}
	all := &Result{Scenario: title, Reason: "there was nothing to judge"}
	if worst := worstFirst(d.Results); len(worst) > 0 {
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

// combine adds what another scenario measured of the same side. What the two don't have in common is left out.
func (s *Side) combine(o Side, first bool) {
	switch {
	case first:
		s.Label, s.Revision, s.Machine = o.Label, o.Revision, o.Machine
	default:
		if s.Label != o.Label {
			s.Label = ""
		}
		if s.Revision != o.Revision {
			s.Revision = ""
		}
		if s.Machine == nil || o.Machine == nil || *s.Machine != *o.Machine {
			s.Machine = nil
		}
	}
	s.Records = append(s.Records, o.Records...)
	s.Latency = append(s.Latency, o.Latency...)
	s.Failures = append(s.Failures, o.Failures...)
}

// worstFirst orders results by how much they must be seen: a comment begins with its worst news.
func worstFirst(list []*Result) []*Result {
	order := []results.Verdict{results.Invalid, results.Regressed, results.Inconclusive, "", results.Improved, results.Pass}
	ordered := slices.Clone(list)
	slices.SortStableFunc(ordered, func(a, b *Result) int {
		return slices.Index(order, a.Headline.Verdict) - slices.Index(order, b.Headline.Verdict)
	})
	return ordered
}

// comparisonSentence says which sides were compared. It returns "" if only one has a name.
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

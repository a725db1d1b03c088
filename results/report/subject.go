package report

import (
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
)

// A Subject is what a report is on: one run, a run held against another or against a
// baseline, or the two sides that a gate measured in turns. Every part may be missing; a
// renderer leaves out what it would have said of it. None of them changes it.
type Subject struct {
	Scenario string

	// Judgement is what the sides came to. Nil stands for that of Now alone, without a baseline.
	Judgement *results.Judgement

	Base Side // what Now is held against; the zero Side where there is nothing
	Now  Side

	Causes  []Cause  // of a regression, as profiles tell
	Notes   []string // worth knowing beside the figures, a sentence each
	Command string   // how to do it again; where empty, Now's run says it

	// Measured is when, for a report that a server keeps; where zero, Now's run says it.
	Measured time.Time
}

// A Cause is why a scenario regressed: which functions cost more.
type Cause struct {
	Scenario string `json:"scenario"`
	Kind     string `json:"kind"` // of the profiles
	*profiles.Explanation
}

// A Side is one of two things that were measured.
type Side struct {
	Label    string // what to call it, such as "main"; where empty, "baseline" and "now"
	Revision string // of the source
	Machine  *results.Machine
	Records  []results.Record

	Run      *results.LoadedRun // nil where there is no run directory
	Evidence                    // what else its directory holds; see [Side.Read]
}

// OfRun is the report on a run and the judgement over it, which may be nil. It reads
// nothing: see [Side.Read] for what the directory holds beside run.json and the samples.
func OfRun(run results.LoadedRun, judgement *results.Judgement) *Subject {
	return &Subject{Scenario: run.Scenario, Judgement: judgement, Now: RunSide(run)}
}

// RunSide is a run as one of two sides.
func RunSide(run results.LoadedRun) Side {
	return Side{Revision: run.Revision, Machine: &run.Machine, Records: run.Records, Run: &run}
}

// BaselineSide is a baseline's scenario as one of two sides; the zero Side where it lacks
// the scenario. The baseline may be nil.
func BaselineSide(base *results.Baseline, scenario string) Side {
	if base == nil {
		return Side{}
	}
	s, ok := base.Scenario(scenario)
	if !ok {
		return Side{}
	}
	return Side{Revision: base.Revision, Machine: &base.Machine, Records: s.Records}
}

// Compare holds a run against another, as if that had been made the baseline, and is the
// report on it.
func Compare(base, now results.LoadedRun) *Subject {
	page := &results.Baseline{Machine: base.Machine, Revision: base.Revision, Scenarios: []results.BaselineScenario{{
		Name: base.Scenario, WorkloadDigest: base.WorkloadDigest, Command: base.Command, Repetitions: base.Repetitions,
		Counts: base.Counts, ClientsWordOnly: base.ClientsWordOnly,
		Interference: base.Harness.Interference, Yardstick: base.Harness.Yardstick, Records: base.Records,
	}}}
	s := OfRun(now, results.JudgeRun(page, now.Run, now.Records))
	s.Base = RunSide(base)
	s.Base.Label = "base"
	return s
}

func (s *Subject) hasBase() bool {
	return len(s.Base.Records) > 0 || s.Base.Run != nil || s.judgement().HasBaseline
}

func (s *Subject) baseLabel() string {
	if s.Base.Label != "" {
		return s.Base.Label
	}
	return "baseline"
}

func (s *Subject) nowLabel() string {
	if s.Now.Label != "" {
		return s.Now.Label
	}
	return "now"
}

func (s *Subject) judgement() *results.Judgement {
	switch {
	case s.Judgement != nil:
		return shortened(s.Judgement)
	case s.Now.Run != nil:
		return results.JudgeRun(nil, s.Now.Run.Run, s.Now.Records)
	}
	return results.Judge(nil, s.Now.Records, results.Conditions{})
}

// maxWord bounds the names and notes of a row before anything is done with them, in bytes:
// no metric of ours has a hundredth of it.
const maxWord = 4096

// shortened is a judgement whose rows have no word beyond that: itself, nearly always.
func shortened(j *results.Judgement) *results.Judgement {
	long := func(r results.JudgedRow) bool {
		return len(r.Scenario) > maxWord || len(r.Op) > maxWord || len(r.Unit) > maxWord || len(r.Note) > maxWord
	}
	if !slices.ContainsFunc(j.Rows, long) {
		return j
	}
	short := *j
	short.Rows = slices.Clone(j.Rows)
	for i := range short.Rows {
		for _, word := range []*string{&short.Rows[i].Scenario, &short.Rows[i].Op, &short.Rows[i].Unit, &short.Rows[i].Note} {
			if len(*word) > maxWord {
				*word = strings.ToValidUTF8((*word)[:maxWord], "") + "…"
			}
		}
	}
	return &short
}

func (s *Subject) thresholds() []results.ThresholdOutcome {
	if s.Now.Run == nil {
		return nil
	}
	return s.Now.Run.Thresholds
}

func (s *Subject) command() string {
	switch {
	case s.Command != "":
		return s.Command
	case s.Now.Run != nil && s.Now.Run.Command != "":
		return s.Now.Run.Command
	case s.Now.Run != nil:
		return "fleetmark run " + s.Now.Run.Scenario
	}
	return ""
}

func (s *Subject) measured() time.Time {
	if s.Measured.IsZero() && s.Now.Run != nil {
		return s.Now.Run.Started.UTC()
	}
	return s.Measured.UTC()
}

// repetitions is how often a side was measured.
func (s Side) repetitions() int {
	if s.Run != nil {
		return s.Run.Repetitions
	}
	most := 0
	for _, r := range s.Records {
		most = max(most, r.Repetition)
	}
	return most
}

// invalid are the reasons why the run's numbers mean nothing.
func (s *Subject) invalid() []string {
	run := s.Now.Run
	if run == nil || run.Valid || run.Status == results.StatusRunning {
		return nil
	}
	if len(run.Invalid) == 0 {
		return []string{"no reason was recorded"}
	}
	return run.Invalid
}

// unended says how a run that did not come to its end stands; empty for all others.
func (s *Subject) unended() string {
	run := s.Now.Run
	switch {
	case run == nil:
		return ""
	case run.Unfinished:
		return "unfinished"
	case run.Status == results.StatusInterrupted, run.Status == results.StatusFailed:
		return string(run.Status)
	}
	return ""
}

// warnings are what was found damaged or missing on either side.
func (s *Subject) warnings() (all []string) {
	for _, side := range []Side{s.Base, s.Now} {
		if side.Run != nil {
			all = append(all, side.Run.Warnings...)
		}
		all = append(all, side.Evidence.Warnings...)
	}
	return all
}

func (s *Subject) notes() []string {
	if s.Now.Run == nil {
		return s.Notes
	}
	return append(s.Notes[:len(s.Notes):len(s.Notes)], s.Now.Run.Notes...)
}

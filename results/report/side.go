package report

import (
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/results/evidence"
	"github.com/fleetmark/fleetmark/results/rundir"
)

// A Side is one of the two sides of a comparison.
type Side struct {
	Label    string // its name, such as "main"; [New] fills in "baseline" and "now"
	Revision string // of the source
	Machine  *results.Machine
	Records  []results.Record

	Run *rundir.Loaded // nil if there is no run directory

	evidence.Evidence // from the run directory; [Side.Read] fills it in
}

// RunSide returns the side of a comparison that a run is.
func RunSide(run rundir.Loaded) Side {
	return Side{Revision: run.Revision, Machine: &run.Machine, Records: run.Records, Run: &run}
}

// BaselineSide returns the side of a comparison that a baseline's scenario is. It returns the zero
// Side if base is nil or lacks the scenario.
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

// Repetitions returns how many times the side was measured.
func (s Side) Repetitions() int {
	if s.Run != nil {
		return s.Run.Repetitions
	}
	repetitions := 0
	for _, r := range s.Records {
		repetitions = max(repetitions, r.Repetition)
	}
	return repetitions
}

// combine adds the records and evidence of o, the same side in another scenario. It clears the
// label, the revision and the machine if they differ.
func (s *Side) combine(o Side, first bool) {
	if first {
		s.Label, s.Revision, s.Machine = o.Label, o.Revision, o.Machine
	}
	if s.Label != o.Label {
		s.Label = ""
	}
	if s.Revision != o.Revision {
		s.Revision = ""
	}
	if s.Machine == nil || o.Machine == nil || *s.Machine != *o.Machine {
		s.Machine = nil
	}
	s.Records = append(s.Records, o.Records...)
	s.Latency = append(s.Latency, o.Latency...)
	s.Timelines = append(s.Timelines, o.Timelines...)
	s.Failures = append(s.Failures, o.Failures...)
}

// Read reads the side's evidence from its run directory. It does nothing without one.
func (s *Side) Read() {
	if s.Run != nil && s.Run.Path != "" {
		s.Evidence = evidence.Read(s.Run)
	}
}

package report

import (
	"slices"

	"github.com/fleetmark/fleetmark/results"
)

// Join is one subject over several scenarios, for a page on all of them: their rows and
// samples side by side, and the verdict of the worst, with its scenario before the reason.
// What belongs to one run alone (what became of its devices, its thresholds, its scenario)
// isn't in it, but for the reasons why a run is invalid, which become notes.
func Join(title string, subjects ...*Subject) *Subject {
	if len(subjects) == 1 {
		return subjects[0]
	}
	all := &Subject{Scenario: title, Judgement: &results.Judgement{Reason: "there was nothing to judge"}}
	for i, s := range worstFirst(subjects) {
		if h := s.headline(); i == 0 {
			all.Command = s.Command
			all.Judgement.Reason = s.Scenario + ": " + h.Reason
			if h.Kind != "none" {
				all.Judgement.Verdict = results.Verdict(h.Kind)
			}
		}
	}
	for i, s := range subjects {
		j := s.judgement()
		all.Judgement.Rows = append(all.Judgement.Rows, j.Rows...)
		all.Judgement.HasBaseline = all.Judgement.HasBaseline || j.HasBaseline
		all.Judgement.Alpha = max(all.Judgement.Alpha, j.Alpha)
		all.Base.join(s.Base, i == 0)
		all.Now.join(s.Now, i == 0)
		all.Causes = append(all.Causes, s.Causes...)
		for _, reason := range s.invalid() {
			all.Notes = append(all.Notes, s.Scenario+" is invalid: "+reason)
		}
		for _, note := range s.notes() {
			if !slices.Contains(all.Notes, note) {
				all.Notes = append(all.Notes, note)
			}
		}
		if at := s.measured(); all.Measured.IsZero() || !at.IsZero() && at.Before(all.Measured) {
			all.Measured = at
		}
	}
	return all
}

// join takes in what another scenario measured of the same side. What the two don't have in
// common is said of neither.
func (s *Side) join(o Side, first bool) {
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
	if o.Run != nil {
		s.Evidence.Warnings = append(s.Evidence.Warnings, o.Run.Warnings...)
	}
	s.Evidence.Warnings = append(s.Evidence.Warnings, o.Evidence.Warnings...)
}

package runner

import (
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// PortionShape returns what the portions and intervals of a scenario have in common. The scenario
// is the whole one.
func PortionShape(s scenarios.Spec) portion.Shape {
	return portion.Shape{Ops: s.Load.Operations(), Planned: s.Load.IsOpen(), Longest: longest(s)}
}

// sendPortion calls Options.OnPortion with what a repetition measured.
func (r *runner) sendPortion(t task, m *measured) {
	if r.o.OnPortion == nil {
		return
	}
	p := r.newPortion(t, m)
	if p.Harness != nil {
		p.Harness.ReferenceSpeed, p.Harness.Interference = r.run.Harness.ReferenceSpeed, r.run.Harness.Interference
	}
	r.o.OnPortion(t.Repetition, p)
}

// newPortion returns the portion of a repetition. What it takes from the recording is that of the
// last load.
func (s *Session) newPortion(t task, m *measured) *portion.Portion {
	e, ops := portion.NewEncoder(), t.load.Operations()
	p := &portion.Portion{
		Phase: string(t.Phase), Number: t.Number,
		ElapsedNS: int64(m.Elapsed), Operations: m.Operations, Retries: m.Retries,
		Workers: m.Workers, InFlightPeak: m.InFlightPeak, MeanBusyNS: int64(m.MeanBusy),
		LongestNS: int64(s.recording.Longest()), Times: e.Times(ops, m.latencies), Lateness: e.Lateness(m.lateness),
		FailedTimes: e.Histogram(s.recording.Failures.Times()), Classes: map[string]int64{},
		Usage: portion.Usage{
			CPUNS: int64(m.usage.cpu), GCFraction: m.usage.gcFraction, GCBusyS: m.usage.gcBusy,
			Bytes: m.usage.bytes, Objects: m.usage.objects, PeakResident: m.usage.peakResident,
		},
		Traffic: portion.NewTraffic(m.traffic),
		NoPort:  m.dialErrors.noPort, NoDescriptor: m.dialErrors.noDescriptor,
		Counts: m.counts, Outcomes: m.outcomes, Notes: m.notes, Findings: m.findings,
		Fleet: m.fleet, Harness: m.harness,
	}
	for class, n := range s.recording.Failures.ByClass() {
		p.Classes[class] = int64(n)
	}
	for _, f := range m.failures {
		excerpt := m.excerpts[f.Device]
		f.Device = s.claims.global(f.Device)
		p.Failures = append(p.Failures, portion.Failure{Failure: f, Fleet: excerpt})
	}
	if m.processes != nil {
		p.Processes = &portion.ProcessUsage{CPUNS: int64(m.processes.CPU), PeakResident: m.processes.PeakResident}
	}
	if m.harness != nil {
		harness := *m.harness
		p.Harness = &harness
	}
	if partial := m.partial; partial != nil {
		p.Interrupted, p.Unwitnessed, p.Contradictions = true, partial.Unwitnessed, partial.Contradictions
		return p // without groups, whose devices aren't counted
	}
	if s.target.Witness() == nil {
		p.Unwitnessed = noLedger
	}
	if m.groups != nil {
		groups, _ := s.recording.Parts()
		for i, g := range groups {
			of := e.Group(ops, g)
			of.Counts = m.groups[i].Counts
			p.Groups = append(p.Groups, of)
		}
	}
	return p
}

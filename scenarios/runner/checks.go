package runner

import (
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// checkOutcome doubts a timed repetition whose operations ended in ways that its figures don't show.
func (r *runner) checkOutcome(m *measured) {
	o := health.Outcome{Operations: results.Operations(m.Operations), RolloutStopped: m.rollout.Stopped, Drain: r.spec.Load.DrainTime()}
	if m.Failed > 0 {
		o.FailureClasses = classesText(r.recording.Failures)
	}
	for _, op := range r.spec.Load.Operations() {
		o.Overflows = append(o.Overflows, health.Overflow{Op: string(op), Count: m.latencies[op].Overflow, Highest: r.recording.Longest()})
	}
	r.doubt(health.CheckOutcome(o))
}

// checkHarness records how the driver was in a timed repetition of a load, and doubts the repetition
// if the driver limited it.
func (r *runner) checkHarness(m *measured, spec scenarios.LoadSpec) {
	m.pacing = m.pacingOf(spec)
	d := health.Driver{
		Elapsed: m.Elapsed, CPU: m.cost.processor, GCFraction: m.cost.gcFraction, GCBusy: seconds(m.cost.gcBusy), PeakResident: m.cost.peakResident, Dials: m.traffic.Dials,
		Descriptors: m.descriptors, Ports: m.ports, NoPort: m.refused.noPort, NoDescriptor: m.refused.noDescriptor,
		Disturbed: m.disturbed, Pacing: m.pacing,
	}
	d.DescriptorLimit, _ = osinfo.DescriptorLimit()
	h, findings := health.CheckHarness(d)
	if r.probe != nil { // a search tries rates that are too high on purpose
		h.Saturated, h.Pacing, h.LatenessP99NS = false, nil, 0
	}
	r.run.Harness = health.WorstHarness(r.run.Harness, h)
	r.doubt(findings)
}

// pacingOf returns how the plan of an open load was kept, or nil for a closed load.
func (m *measured) pacingOf(spec scenarios.LoadSpec) *health.Pacing {
	p := m.lateness
	if p == nil {
		return nil
	}
	return &health.Pacing{
		Planned: m.Operations.Planned, NotSent: m.Operations.NotSent, PlanLength: m.plannedFor(),
		Queued: p.Queued.TotalCount(), Timer: p.Timer.TotalCount(), LatenessP99: time.Duration(p.All().ValueAtQuantile(99)),
		TimerP90: time.Duration(p.Timer.ValueAtQuantile(90)), TimerP99: time.Duration(p.Timer.ValueAtQuantile(99)),
		LastPlanned: p.LastPlanned, Lag: p.FinalLag(), FellBehind: p.FellBehind(pacerOf(spec)),
		BusyPeak: m.InFlightPeak, MaxWorkers: m.Workers, AutoWorkers: spec.AutoWorkers(), Took: m.MeanBusy, PeakRate: peakRate(spec),
	}
}

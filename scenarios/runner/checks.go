package runner

import (
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
)

// checkFleet adds how the fleet was in a timed repetition, and what else had the machine.
func (m *measured) checkFleet(before, after snapshot, inProcess bool) {
	m.before, m.after = before.machine, after.machine
	m.disturbed = new(health.Interference).Add(m.before, m.after).Exceeds()
	fleet, findings := health.CheckFleet(before.fleet, after.fleet, inProcess, m.disturbed)
	m.fleet, m.findings = &fleet, append(m.findings, findings...)
}

// checkOutcome adds findings if a timed repetition's operations ended in ways that its figures don't
// show.
func (s *Session) checkOutcome(m *measured) {
	o := health.Outcome{Operations: results.Operations(m.Operations), RolloutStopped: m.rollout.Stopped, Drain: s.spec.Load.DrainTime()}
	if m.Failed > 0 {
		o.FailureClasses = classesText(s.recording.Failures)
	}
	for _, op := range s.spec.Load.Operations() {
		o.Overflows = append(o.Overflows, health.Overflow{Op: string(op), Count: m.latencies[op].Overflow, Highest: s.recording.Longest()})
	}
	m.findings = append(m.findings, health.CheckOutcome(o)...)
}

// checkHarness adds how the driver was in a timed repetition of a load.
func (m *measured) checkHarness(spec scenarios.LoadSpec) {
	m.pacing = m.pacingOf(spec)
	d := health.Driver{
		Elapsed: m.Elapsed, CPU: m.cost.processor, GCFraction: m.cost.gcFraction, GCBusy: seconds(m.cost.gcBusy), PeakResident: m.cost.peakResident, Dials: m.traffic.Dials,
		Descriptors: m.descriptors, Ports: m.ports, NoPort: m.refused.noPort, NoDescriptor: m.refused.noDescriptor,
		Disturbed: m.disturbed, Pacing: m.pacing,
	}
	d.DescriptorLimit, _ = osinfo.DescriptorLimit()
	h, findings := health.CheckHarness(d)
	m.harness, m.findings = &h, append(m.findings, findings...)
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

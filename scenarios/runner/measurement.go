package runner

import (
	"math"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// measured is everything that one repetition measured, with the findings about it.
type measured struct {
	load.Result
	load.Totals

	started     time.Time       // by the wall clock
	waited      time.Duration   // at the gate
	failedP99   float64         // 99th percentile of the failed operations' response times, ns; 0 if none failed
	usage       usage           // of this process
	processes   *process.Usage  // of the client's processes; nil if the client is in this one
	said        process.Said    // by the client's processes
	traffic     *delivery.Stats // of this repetition alone; nil if the client counts nothing
	latencies   map[delivery.Op]*load.Latencies
	lateness    *load.Lateness // nil for a closed load
	pacing      *health.Pacing // of a timed repetition; nil for a closed load
	dialErrors  dialErrors
	disturbed   bool                // others used much of the machine
	descriptors int                 // descriptors that were open at its end; 0 if unknown
	ports       *results.LocalPorts // local ports at its end; nil if unknown
	bytes       int64               // size of the artifact
	counts      results.Counts
	outcomes    portion.OutcomeDigest // zero without a ledger
	rollout     results.Rollout       // the waves of a rollout; empty for other loads
	service     *serviceRollout       // of a service; nil for other loads
	groups      []results.Group       // of a fleet with groups; nil otherwise
	limit       float64               // the rate that a search found, in operations per second; 0 without a search

	failures []load.Failure                 // a sample of the failed operations
	excerpts map[int]*portion.LedgerExcerpt // what the ledger says about the devices of failures; nil without a ledger
	notes    []string                       // sentences for the reader of the run
	findings []health.Finding               // why the figures can't be trusted

	// Only for a timed repetition whose checks were made; otherwise nil.
	fleet   *results.FleetHealth
	harness *results.HarnessHealth
	// before and after the load; nil if unknown, too
	before, after *health.MachineCPU

	intervals *intervalLog     // of a timed repetition of a run; may be nil
	partial   *results.Partial // what is kept of an interrupted repetition; may be nil
}

// records returns the repetition's lines in samples.txt, one for each operation. Values of the load
// as a whole (rate, processor time, allocations, requests, memory) are in the record of the
// operation that the load asks for, because they can't be divided between the push and the
// verification of a delivery.
func (m *measured) records(s scenarios.Spec, repetition int) []results.Record {
	var list []results.Record
	for _, op := range s.Load.Operations() {
		t := m.latencies[op]
		r := results.Record{Scenario: s.Name, Op: string(op), Repetition: repetition, Ops: t.Count}
		if op == s.Load.Operation {
			r.Failed, r.NotSent = m.Failed, m.Operations.NotSent
		}
		add := func(unit string, v float64) { r.Values = append(r.Values, results.Value{Unit: unit, Value: v}) }
		if t.Count == 0 {
			if op == s.Load.Operation && (m.rollout.Stopped || m.service != nil) { // a rollout that stopped may have updated no device
				m.addCounts(s, add)
				list = append(list, r)
			}
			continue
		}
		if m.service != nil {
			m.service.addTimes(t, add)
		} else {
			addTimes(t, add)
		}
		if op == s.Load.Operation {
			m.addLoadValues(s, op, t, add)
		}
		list = append(list, r)
	}
	return list
}

// addTimes adds the metrics of the times of an operation that succeeded at least once.
func addTimes(t *load.Latencies, add func(unit string, v float64)) {
	add(results.UnitMean, t.Mean())
	for _, p := range []struct {
		unit    string
		percent float64
	}{
		{results.UnitP50, 50}, {results.UnitP75, 75}, {results.UnitP90, 90},
		{results.UnitP95, 95}, {results.UnitP99, 99}, {results.UnitP999, 99.9},
	} {
		add(p.unit, quantile(t.Response, p.percent))
	}
	add(results.UnitMax, float64(t.Response.Max()))
	add(results.UnitServiceP99, quantile(t.Service, 99))
}

// The runtime counts the allocations of the whole process. Some dozens of objects in a repetition
// belong to no operation, such as a pool's list that grew, or the progress that is shown. Divided
// by the number of operations, which depends on how fast the machine is, they would make figures
// differ between machines even for operations that allocate nothing. So figures are rounded to
// these steps. An operation's own objects are whole ones, of 8 bytes or more.
const (
	heapStep       = 8  // bytes
	stepsPerObject = 20 // 0.05 objects
)

func (m *measured) addLoadValues(s scenarios.Spec, op delivery.Op, t *load.Latencies, add func(string, float64)) {
	n, done, seconds := float64(t.Count), float64(t.Count), m.Elapsed.Seconds()
	if plan := m.plannedFor(); plan > 0 {
		done, seconds = float64(m.Operations.SucceededInPlan), plan.Seconds()
	}
	if m.service != nil {
		seconds = m.service.rollout.Seconds()
	}
	add(results.UnitRate, done/seconds)
	if m.limit > 0 {
		add(results.UnitLimit, m.limit)
	}
	if op != delivery.OpVerify {
		add(results.UnitThroughput, done*float64(m.bytes)/1e6/seconds)
	}
	if cpu := m.cpu(); cpu > 0 {
		add(results.UnitCPU, float64(cpu)/n)
	}
	resident := m.usage.peakResident
	if m.processes != nil { // nothing is known of their allocations
		resident = m.processes.PeakResident
	} else {
		add(results.UnitBytes, math.Round(float64(m.usage.bytes)/n/heapStep)*heapStep)
		add(results.UnitAllocations, math.Round(float64(m.usage.objects)/n*stepsPerObject)/stepsPerObject)
	}
	m.addCounts(s, add)
	if resident > 0 {
		add(results.UnitPeakMemory, float64(resident))
	}
}

// cpu returns the processor time of the load: that of the client's processes if it has its own, or
// else that of this process. It is 0 if it isn't known.
func (m *measured) cpu() time.Duration {
	if m.processes != nil {
		return m.processes.CPU
	}
	return m.usage.cpu
}

// addCounts adds the values that are counted rather than timed. They are known even if no operation
// succeeded.
func (m *measured) addCounts(s scenarios.Spec, add func(string, float64)) {
	// These are figures per operation, though they are named per device. Each device has one
	// operation if the load visits each device once, and many if the load has a duration.
	turns := float64(m.Succeeded + m.Failed)
	if m.traffic != nil {
		add(results.UnitRequests, float64(m.traffic.Requests)/turns)
		add(results.UnitWire, math.Round(float64(m.traffic.BytesWritten+m.traffic.BytesRead)/turns))
	}
	if m.service == nil { // of whose requests nobody knows why they were sent
		add(results.UnitRetries, float64(m.Retries)/turns)
	}
	add(results.UnitFailed, float64(m.Failed)/turns)
	if s.Load.Model == scenarios.Rollout {
		share := func(devices int) float64 { return float64(devices) / float64(max(1, m.counts.Devices)) }
		reached, stopped := 0, 0.0
		for _, w := range m.rollout.Waves {
			reached += w.Reached
		}
		if m.rollout.Stopped {
			stopped = 1
		}
		add(results.UnitFailedFleet, share(m.counts.Failed))
		add(results.UnitUpdatedFleet, share(m.counts.Updated))
		add(results.UnitReachedFleet, share(reached))
		add(results.UnitStopped, stopped)
	}
	if m.failedP99 > 0 && m.service == nil {
		add(results.UnitFailedP99, m.failedP99)
	}
}

// plannedFor returns how long the load's plan was, or 0 if it had none.
func (m *measured) plannedFor() time.Duration { return time.Duration(m.Operations.PlanNS) }

// percentiles returns the median and the 99th percentile of an operation's response times, or 0 if
// there are none.
func (m *measured) percentiles(op delivery.Op) (p50, p99 time.Duration) {
	t := m.latencies[op]
	if t == nil || t.Count == 0 {
		return 0, 0
	}
	return time.Duration(quantile(t.Response, 50)), time.Duration(quantile(t.Response, 99))
}

// quantile returns a percentile of a histogram, in nanoseconds.
func quantile(h *hdr.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent))
}

// difference returns what a client counted between two readings, or nil if it doesn't count.
func difference(after, before *delivery.Stats) *delivery.Stats {
	if after == nil || before == nil {
		return nil
	}
	d := since(*after, *before)
	return &d
}

// since returns what a client counted after an earlier reading.
func since(after, before delivery.Stats) delivery.Stats {
	return delivery.Stats{
		Requests: after.Requests - before.Requests, Dials: after.Dials - before.Dials, Reused: after.Reused - before.Reused,
		BytesWritten: after.BytesWritten - before.BytesWritten, BytesRead: after.BytesRead - before.BytesRead,
	}
}

// checkFleet adds the state of the fleet in a timed repetition, and how much others used the
// machine.
func (m *measured) checkFleet(before, after snapshot, inProcess bool) {
	m.before, m.after = before.machine, after.machine
	m.disturbed = new(health.Interference).Add(m.before, m.after).Exceeds()
	fleet, findings := health.CheckFleet(before.fleet, after.fleet, inProcess, m.disturbed)
	m.fleet, m.findings = &fleet, append(m.findings, findings...)
}

// checkOutcome adds findings if a timed repetition's operations ended in ways that its figures
// don't show.
func (s *Session) checkOutcome(m *measured) {
	o := health.Outcome{
		Operations: m.Operations, RolloutStopped: m.rollout.Stopped, Drain: s.spec.Load.DrainTime(),
	}
	if m.Failed > 0 {
		o.FailureClasses = classesText(s.recording.Failures.ByClass())
	}
	for _, op := range s.spec.Load.Operations() {
		o.Overflows = append(o.Overflows, health.Overflow{
			Op: string(op), Count: m.latencies[op].Overflow, Highest: s.recording.Longest(),
		})
	}
	m.findings = append(m.findings, health.CheckOutcome(o)...)
}

// checkHarness adds the state of the driver in a timed repetition.
func (m *measured) checkHarness(spec scenarios.LoadSpec) {
	m.pacing = m.pacingOf(spec)
	d := health.Driver{
		Elapsed: m.Elapsed, CPU: m.usage.cpu, GCFraction: m.usage.gcFraction, GCBusy: seconds(m.usage.gcBusy),
		PeakResident: m.usage.peakResident,
		Descriptors:  m.descriptors, Ports: m.ports, NoPort: m.dialErrors.noPort, NoDescriptor: m.dialErrors.noDescriptor,
		Disturbed: m.disturbed, Pacing: m.pacing,
	}
	if m.traffic != nil {
		d.Dials = m.traffic.Dials
	}
	d.DescriptorLimit, _ = osinfo.DescriptorLimit()
	h, findings := health.CheckHarness(d)
	m.harness, m.findings = &h, append(m.findings, findings...)
}

// pacingOf returns how well the plan of an open load was kept, or nil for a closed load.
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
		BusyPeak: m.InFlightPeak, MaxWorkers: m.Workers, AutoWorkers: spec.AutoWorkers(),
		Took: m.MeanBusy, PeakRate: peakRate(spec),
	}
}

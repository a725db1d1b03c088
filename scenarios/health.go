package scenarios

import (
	"fmt"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// Above these the figures are the fleet's or the harness's, not the client's.
const (
	maxFleetFraction = 0.9                    // of all cores
	leastObserved    = 500 * time.Millisecond // for a share to say anything
)

// judgeFleet takes note of how the fleet was in a timed repetition, and whether it,
// rather than the client, was what limited the load. Where others had the machine meanwhile, that it was
// late says nothing.
func (r *runner) judgeFleet(before, after mockfleet.Status, disturbed bool) {
	h := &r.run.Fleet
	busy := time.Duration((after.CPUSeconds - before.CPUSeconds) * float64(time.Second))
	observed := after.Uptime - before.Uptime // by the fleet's own clock
	share := fraction(busy, observed)
	if r.fleet.kind() == FleetInProcess {
		share = 0 // its processor time can't be told from the driver's
	}
	h.CPUFraction = max(h.CPUFraction, share)
	h.PeakResidentBytes = max(h.PeakResidentBytes, after.PeakResidentBytes)
	saturated := func(format string, args ...any) {
		h.Saturated = h.Saturated || r.probe == nil // in a search only that rate is beyond the limit
		r.bottleneck("the fleet was the bottleneck: " + fmt.Sprintf(format, args...))
	}
	if share > maxFleetFraction && observed > leastObserved {
		saturated("it used over %.0f%% of all cores", 100*maxFleetFraction)
	}
	for _, problem := range after.Health.Problems { // since the reset before the repetition
		if problem.Starved && disturbed {
			continue // then times are inconclusive, and counts are what they are
		}
		saturated("%s", problem)
	}
	h.WakeP90NS = max(h.WakeP90NS, int64(after.Health.WakeP90))
	h.LateAnswers = max(h.LateAnswers, after.Health.Late)
	h.AcceptQueuePeak = max(h.AcceptQueuePeak, after.Health.AcceptQueuePeak)
	h.Descriptors = max(h.Descriptors, after.Descriptors)
}

// judgeRepetition says whether the figures of a timed repetition can be believed.
func (r *runner) judgeRepetition(m *measured) {
	o := m.operations
	if m.done == 0 && !m.rollout.Stopped { // a rollout that stops has done what it is for
		text := "no operation succeeded: " + o.String()
		if m.failed > 0 {
			text += ", by class " + r.failures.classesText()
		}
		r.doubt(text)
	}
	if o.BrokenOff > 0 {
		were := "were"
		if o.BrokenOff == 1 {
			were = "was"
		}
		r.doubt(fmt.Sprintf("%s of %s operations %[3]s still under way %[4]v after the plan's end and %[3]s broken off, so that the longest times are missing: allow more (load.drain), or shorter deadlines of the client",
			plaintext.Thousands(o.BrokenOff), plaintext.Thousands(o.Started), were, r.spec.Load.drain()))
	}
	for _, op := range r.spec.Load.Operations() {
		if t := m.ops[op]; t.clipped > 0 {
			r.doubt(fmt.Sprintf("%d latencies of %s were over %v, more than is recorded", t.clipped, op, r.recorders[0].highest))
		}
	}
}

// Above these the figures are the harness's, not the client's.
const (
	// maxTimerLate is what a tenth of the operations may be late by for which a worker
	// stood ready. It is what a fleet may be late by to look at a request.
	maxTimerLate = 50 * time.Millisecond
	leastReady   = 25 // operations for a tenth to say anything

	// maxGCFraction is the collector's part of the driver's processor time in an open
	// load. Go gives its collector a quarter of the processors while it is at work, and
	// slows those down that allocate beyond that (go.dev/doc/gc-guide): a driver that comes to so
	// much on the whole is collecting all the time, and what it calls latency holds that.
	maxGCFraction = 0.25
	// leastGC is the share of all cores below which the collector is in nobody's way,
	// however little else the driver does.
	leastGC = 0.05
)

// judgeHarness takes note of how the driver was in a timed repetition, and whether it,
// rather than client or fleet, was what limited the load. A driver of a closed load may
// use all the processor time it gets, for that is what is asked: as much as can be had.
// One of an open load is judged by its plan, whatever kept it from it.
func (r *runner) judgeHarness(m *measured) {
	h := &r.run.Harness
	h.CPUFraction = max(h.CPUFraction, fraction(m.cost.processor, m.elapsed))
	h.GCCPUFraction = max(h.GCCPUFraction, m.cost.gcFraction)
	h.PeakResidentBytes = max(h.PeakResidentBytes, m.cost.peakResident)
	h.Dials = max(h.Dials, m.traffic.Dials)
	h.Descriptors = max(h.Descriptors, m.descriptors)
	h.DescriptorLimit, _ = osinfo.DescriptorLimit()
	if m.ports != nil {
		if h.Ports != nil {
			m.ports.TimeWait = max(m.ports.TimeWait, h.Ports.TimeWait)
		}
		h.Ports = m.ports
	}
	saturated := func(format string, args ...any) {
		h.Saturated = h.Saturated || r.probe == nil
		r.bottleneck("the harness was the bottleneck: " + fmt.Sprintf(format, args...))
	}
	if n := m.refused.noPort; n > 0 {
		saturated("%d connections found no free local port or address (EADDRNOTAVAIL)%s", n, afterwards(m.ports))
	}
	if n := m.refused.noDescriptor; n > 0 {
		saturated("%d connections found no free file descriptor, with %d open of %d", n, m.descriptors, h.DescriptorLimit)
	}
	if m.plan != nil {
		r.judgePacing(m, saturated)
	}
}

// afterwards adds what is known of the ports.
func afterwards(p *results.LocalPorts) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("; at the end %v", p)
}

// judgePacing does so for an open load.
func (r *runner) judgePacing(m *measured, saturated func(format string, args ...any)) {
	h, p := &r.run.Harness, m.plan
	if r.probe == nil { // a search goes beyond the limit on purpose
		if h.Pacing == nil {
			h.Pacing = &results.Pacing{}
		}
		h.LatenessP99NS = max(h.LatenessP99NS, int64(p.lateP99()))
		h.Pacing.StarvedFraction = max(h.Pacing.StarvedFraction, p.starvedFraction())
		h.Pacing.BusyWorkersPeak = max(h.Pacing.BusyWorkersPeak, m.busiest)
		h.Pacing.TimerLatenessP99NS = max(h.Pacing.TimerLatenessP99NS, p.ready.ValueAtQuantile(99))
	}
	if m.operations.NotSent > 0 || p.behind(r.spec.Load) {
		r.doubt(r.behindSchedule(m))
	}
	late := time.Duration(p.ready.ValueAtQuantile(90))
	if late > maxTimerLate && p.ready.TotalCount() >= leastReady && m.disturbed == "" {
		saturated("a tenth of the operations for which a worker stood ready was sent %v late or more", late.Round(time.Microsecond))
	}
	collecting := m.cost.gcBusy / m.elapsed.Seconds() / float64(runtime.NumCPU()) // of all cores
	share := m.cost.gcBusy / m.cost.processor.Seconds()
	if m.cost.processor > 0 && share > maxGCFraction && collecting > leastGC {
		saturated("garbage collection took %.0f%% of the driver's processor time, %.0f%% of all cores", 100*share, 100*collecting)
	}
}

// keptFromPlan says what kept a load from its plan: too few workers, or a driver that was late
// although workers stood ready.
func (r *runner) keptFromPlan(m *measured) string {
	p := m.plan
	_, most := r.spec.Load.workers()
	if m.most > 0 {
		most = m.most
	}
	if m.busiest < most {
		return fmt.Sprintf("at most %d of %d workers were busy at once: the driver was too slow", m.busiest, most)
	}
	starved, all := p.starved.TotalCount(), p.starved.TotalCount()+p.ready.TotalCount()
	allow := "allow more (load.workers), or ask for less"
	if r.spec.Load.auto() {
		allow = "no more are started by themselves; name a number (load.workers), or ask for less"
	}
	load := r.spec.Load
	if r.probe != nil {
		load = load.atRate(r.probe.rate)
	}
	if wants := load.wantsWorkers(m.takes); wants != "" {
		allow = wants + ": " + allow
	}
	return fmt.Sprintf("%s of %s operations (%.0f%%) were due while %s: %s", plaintext.Thousands(starved), plaintext.Thousands(all), 100*p.starvedFraction(), allBusy(most), allow)
}

func allBusy(workers int) string {
	if workers == 1 {
		return "the one worker was busy"
	}
	return fmt.Sprintf("all %d workers were busy", workers)
}

// behindSchedule says how far behind its plan a load was, how much of that it didn't send, and what
// kept it.
func (r *runner) behindSchedule(m *measured) string {
	p, kept := m.plan, r.keptFromPlan(m)
	notSent, lasts := "", p.lastPlanned
	if o := m.operations; o.NotSent > 0 {
		lasts = max(lasts, m.plannedFor())
		notSent = fmt.Sprintf("%s of %s planned operations were not sent; ", plaintext.Thousands(o.NotSent), plaintext.Thousands(o.Planned))
	}
	return "behind schedule: " + notSent + fmt.Sprintf("the last operation was sent %v after its time, in a plan of %v; of the latest 1%% each was %v late or more; %s; where a worker stood ready the latest 1%% was %v late or more; the driver used %.0f%% of all cores",
		p.lag().Round(time.Microsecond), lasts.Round(time.Microsecond), p.lateP99().Round(time.Microsecond), kept,
		time.Duration(p.ready.ValueAtQuantile(99)).Round(time.Microsecond), 100*fraction(m.cost.processor, m.elapsed))
}

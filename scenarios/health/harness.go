package health

import (
	"fmt"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Limits beyond which the driver, rather than the client, limits the load.
const (
	// maxTimerLate is how late a tenth of the operations may be sent although a worker was idle. A
	// fleet may be as late in reading a request.
	maxTimerLate  = 50 * time.Millisecond
	minTimerCount = 25 // fewer operations are too few for a tenth of them to mean anything

	// maxGCFraction is the largest share of the driver's processor time that the garbage collector
	// may use in an open load. While it works, Go's collector gets a quarter of the processors, and
	// slows down goroutines that allocate more than that (go.dev/doc/gc-guide). A driver with such
	// a share collects all the time, and its latencies include that.
	maxGCFraction = 0.25
	// minGCFraction is the share of all cores below which the collector disturbs nothing, even if
	// the driver does little else.
	minGCFraction = 0.05
)

// Driver is what was measured of the driver in one repetition.
type Driver struct {
	Elapsed      time.Duration
	CPU          time.Duration // user and system time; 0 if unknown
	GCFraction   float64       // the garbage collector's share of CPU
	GCBusy       time.Duration // processor time of the collector on cores that others may have needed
	PeakResident uint64        // bytes
	Dials        uint64        // connections that the client opened, or tried to

	Descriptors     int                 // file descriptors open at the end; 0 if unknown
	DescriptorLimit uint64              // 0 if unknown
	Ports           *results.LocalPorts // local ports at the end; nil if unknown

	NoPort       int64 // connections that found no free local port or address
	NoDescriptor int64 // connections that found no free file descriptor

	Disturbed bool    // others used much of the machine
	Pacing    *Pacing // nil for a closed load, which has no plan
}

// CheckHarness returns how the driver was in a timed repetition, and a finding for each way in
// which the driver, rather than the client or the fleet, limited the load. The driver of a closed
// load may use all processor time, since such a load is as fast as possible. The driver of an open
// load is judged by its plan, whatever the cause.
func CheckHarness(d Driver) (results.HarnessHealth, []Finding) {
	h := results.HarnessHealth{
		CPUFraction: cpuFraction(d.CPU, d.Elapsed), GCCPUFraction: d.GCFraction, PeakResidentBytes: d.PeakResident,
		Dials: d.Dials, Descriptors: d.Descriptors, DescriptorLimit: d.DescriptorLimit, Ports: d.Ports,
	}
	var findings []Finding
	saturated := func(format string, args ...any) {
		h.Saturated = true
		findings = append(findings, Finding{HarnessSaturated, fmt.Sprintf(format, args...)})
	}
	if d.NoPort > 0 {
		saturated("%d connections found no free local port or address (EADDRNOTAVAIL)%s",
			d.NoPort, portsClause(d.Ports))
	}
	if d.NoDescriptor > 0 {
		saturated("%d connections found no free file descriptor, with %d open of %d",
			d.NoDescriptor, d.Descriptors, d.DescriptorLimit)
	}
	p := d.Pacing
	if p == nil {
		return h, findings
	}
	h.LatenessP99NS = int64(p.LatenessP99)
	h.Pacing = &results.Pacing{
		StarvedFraction: p.queuedFraction(), BusyWorkersPeak: p.BusyPeak, TimerLatenessP99NS: int64(p.TimerP99),
	}
	if p.NotSent > 0 || p.FellBehind {
		findings = append(findings, Finding{BehindSchedule, p.behindSchedule(h.CPUFraction)})
	}
	if p.TimerP90 > maxTimerLate && p.Timer >= minTimerCount && !d.Disturbed {
		saturated("a tenth of the operations for which a worker stood ready was sent %v late or more",
			p.TimerP90.Round(time.Microsecond))
	}
	collecting := d.GCBusy.Seconds() / d.Elapsed.Seconds() / float64(runtime.NumCPU()) // share of all cores
	share := d.GCBusy.Seconds() / d.CPU.Seconds()
	if d.CPU > 0 && share > maxGCFraction && collecting > minGCFraction {
		saturated("garbage collection took %.0f%% of the driver's processor time, %.0f%% of all cores",
			100*share, 100*collecting)
	}
	return h, findings
}

// portsClause returns what is known of the ports, as a clause to end a sentence with.
func portsClause(p *results.LocalPorts) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("; at the end %v", p)
}

// WorstHarness returns the worse of two repetitions, value by value. Values that aren't of a single
// repetition, such as the reference speed, come from a, and the range of ports comes from b.
func WorstHarness(a, b results.HarnessHealth) results.HarnessHealth {
	worst := a
	worst.CPUFraction = max(a.CPUFraction, b.CPUFraction)
	worst.LatenessP99NS = max(a.LatenessP99NS, b.LatenessP99NS)
	worst.GCCPUFraction = max(a.GCCPUFraction, b.GCCPUFraction)
	worst.PeakResidentBytes = max(a.PeakResidentBytes, b.PeakResidentBytes)
	worst.Dials = max(a.Dials, b.Dials)
	worst.Saturated = a.Saturated || b.Saturated
	// A count and its limit are of the same process, or machine.
	if share(a.Descriptors, a.DescriptorLimit) <= share(b.Descriptors, b.DescriptorLimit) {
		worst.Descriptors, worst.DescriptorLimit = b.Descriptors, b.DescriptorLimit
	}
	if p, q := a.Ports, b.Ports; q != nil && (p == nil || portShare(p) <= portShare(q)) {
		ports := *q
		worst.Ports = &ports
	}
	if p, q := a.Pacing, b.Pacing; p == nil {
		worst.Pacing = q
	} else if q != nil {
		worst.Pacing = &results.Pacing{
			StarvedFraction:    max(p.StarvedFraction, q.StarvedFraction),
			BusyWorkersPeak:    max(p.BusyWorkersPeak, q.BusyWorkersPeak),
			TimerLatenessP99NS: max(p.TimerLatenessP99NS, q.TimerLatenessP99NS),
		}
	}
	return worst
}

// share returns n as a share of a limit, or 0 if the limit is unknown.
func share(n int, limit uint64) float64 {
	if limit == 0 {
		return 0
	}
	return float64(n) / float64(limit)
}

// portShare returns the share of the local ports that can't be used again yet.
func portShare(p *results.LocalPorts) float64 {
	return share(p.TimeWait, uint64(max(0, p.Last-p.First+1)))
}

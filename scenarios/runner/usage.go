package runner

import (
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// usage is what the process used of the machine between two snapshots.
type usage struct {
	cpu            time.Duration // user and system time
	gcFraction     float64       // of the processor time
	gcBusy         float64       // seconds of the collector on processors that others may have wanted
	bytes, objects uint64        // allocated
	peakResident   uint64        // bytes
}

// A usageSnapshot is what the process has used of the machine since its start.
type usageSnapshot struct {
	cpu            time.Duration
	gcCPU          float64 // seconds, estimated by the runtime
	gcIdle         float64 // of those, on processors that would have been idle
	bytes, objects uint64
}

// The collector's processor time, as of its last cycle, and the part of it on processors that would
// have been idle.
const (
	metricGC     = "/cpu/classes/gc/total:cpu-seconds"
	metricGCIdle = "/cpu/classes/gc/mark/idle:cpu-seconds"
)

// takeUsage returns what the process has used until now. What it allocates itself isn't counted. To
// count exactly, it stops the world for some microseconds: runtime/metrics doesn't, but has an
// allocation only when the span that it lies in is full, and may miss hundreds.
func takeUsage() usageSnapshot {
	gc := []metrics.Sample{{Name: metricGC}, {Name: metricGCIdle}}
	metrics.Read(gc)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usageSnapshot{
		cpu: osinfo.ProcessorTime(), gcCPU: gc[0].Value.Float64(), gcIdle: gc[1].Value.Float64(),
		bytes: mem.TotalAlloc, objects: mem.Mallocs,
	}
}

// until returns what the process used from one snapshot until a later one.
func (before usageSnapshot) until(after usageSnapshot) usage {
	u := usage{
		cpu:   after.cpu - before.cpu,
		bytes: after.bytes - before.bytes, objects: after.objects - before.objects,
		peakResident: osinfo.PeakResident(),
	}
	if u.cpu > 0 {
		gc := after.gcCPU - before.gcCPU
		u.gcFraction = min(1, gc/u.cpu.Seconds())
		u.gcBusy = max(0, gc-(after.gcIdle-before.gcIdle))
	}
	return u
}

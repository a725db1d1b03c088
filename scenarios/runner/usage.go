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
	gcFraction     float64       // the garbage collector's share of the processor time
	gcBusy         float64       // seconds of the collector on processors that others may have needed
	bytes, objects uint64        // heap bytes and objects that were allocated
	peakResident   uint64        // bytes
}

// A usageSnapshot is what the process has used of the machine since its start.
type usageSnapshot struct {
	cpu            time.Duration
	gcCPU          float64 // seconds, estimated by the runtime
	gcIdle         float64 // the part of gcCPU on processors that would have been idle
	bytes, objects uint64
}

// The metrics of the collector's processor time, as of its last cycle, and of the part of it on
// processors that would have been idle.
const (
	metricGC     = "/cpu/classes/gc/total:cpu-seconds"
	metricGCIdle = "/cpu/classes/gc/mark/idle:cpu-seconds"
)

// takeUsage returns what the process has used until now, not counting its own allocations. It stops
// the world for some microseconds to count exactly: runtime/metrics doesn't stop the world, but
// counts an allocation only when its span is full, and may miss hundreds.
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

package scenarios

import (
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// gauge is the process's use of the machine at a moment; the difference of two is
// what a repetition cost.
type gauge struct {
	wall           time.Time
	processor      time.Duration // user and system time
	gcProcessor    float64       // seconds, estimated by the runtime
	gcIdle         float64       // of those, what nobody else wanted
	bytes, objects uint64        // allocated since the start
}

// metricGC is the collector's processor time, as of its last cycle, and metricGCIdle the
// part of it on processors that would have been idle.
const (
	metricGC     = "/cpu/classes/gc/total:cpu-seconds"
	metricGCIdle = "/cpu/classes/gc/mark/idle:cpu-seconds"
)

// readGauge allocates nothing that it counts. It stops the world for some
// microseconds: the runtime's metrics can be had without, but count an allocation
// only when the span that it lies in is full, hundreds of them late.
func readGauge() gauge {
	gc := []metrics.Sample{{Name: metricGC}, {Name: metricGCIdle}}
	metrics.Read(gc)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return gauge{
		wall: time.Now(), processor: osinfo.ProcessorTime(),
		bytes: mem.TotalAlloc, objects: mem.Mallocs, gcProcessor: gc[0].Value.Float64(), gcIdle: gc[1].Value.Float64(),
	}
}

// cost is what happened between two gauges.
type cost struct {
	wall, processor time.Duration
	gcFraction      float64 // of the processor time
	gcBusy          float64 // seconds that the collector had and others may have wanted
	bytes, objects  uint64
	peakResident    uint64 // bytes
}

func (before gauge) cost(after gauge) cost {
	c := cost{
		wall: after.wall.Sub(before.wall), processor: after.processor - before.processor,
		bytes: after.bytes - before.bytes, objects: after.objects - before.objects,
		peakResident: osinfo.PeakResident(),
	}
	if c.processor > 0 {
		gc := after.gcProcessor - before.gcProcessor
		c.gcFraction = min(1, gc/c.processor.Seconds())
		c.gcBusy = max(0, gc-(after.gcIdle-before.gcIdle))
	}
	return c
}

// fraction is processor time as a share of the whole machine's.
func fraction(processor, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return processor.Seconds() / wall.Seconds() / float64(runtime.NumCPU())
}

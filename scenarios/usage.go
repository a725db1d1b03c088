package scenarios

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// gauge is the process's use of the machine at a moment; the difference of two is
// what a repetition cost.
type gauge struct {
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
		processor: osinfo.ProcessorTime(),
		bytes:     mem.TotalAlloc, objects: mem.Mallocs, gcProcessor: gc[0].Value.Float64(), gcIdle: gc[1].Value.Float64(),
	}
}

// cost is what happened between two gauges.
type cost struct {
	processor      time.Duration
	gcFraction     float64 // of the processor time
	gcBusy         float64 // seconds that the collector had and others may have wanted
	bytes, objects uint64
	peakResident   uint64 // bytes
}

func (before gauge) cost(after gauge) cost {
	c := cost{
		processor: after.processor - before.processor,
		bytes:     after.bytes - before.bytes, objects: after.objects - before.objects,
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

// spareDescriptors is what a driver has open besides connections: standard files,
// the run directory's, the poller, the fleet's pipes and control connections.
const spareDescriptors = 64

// defaultIdle is how many idle connections a driver keeps where neither the
// scenario nor the descriptor limit says otherwise.
const defaultIdle = 512

// mostAutoIdle is how many a driver keeps that starts as many workers as it takes.
const mostAutoIdle = 1024

// Descriptors is how many file descriptors a driver of this scenario wants, with its fleet
// in a process of its own, and how many it must have at least: with fewer idle
// connections than it would keep a driver runs, and opens more of them anew.
func (s Spec) Descriptors() (least, wanted int) {
	workers, _ := s.Load.workers()
	if idle := s.Client.MaxIdle; idle != 0 {
		return workers + idle + spareDescriptors, workers + idle + spareDescriptors
	}
	return 2*workers + spareDescriptors, workers + max(defaultIdle, workers) + spareDescriptors
}

// limitIdle sees that there are descriptors for every worker, and sizes the pool
// of idle connections to what is left.
func (r *runner) limitIdle() error {
	workers, most := r.spec.Load.workers()
	idle := &r.spec.Client.MaxIdle
	explicit := *idle != 0
	if !explicit {
		*idle = max(defaultIdle, min(most, mostAutoIdle, maxIdle), workers)
	}
	r.mostAuto = most
	limit, known := osinfo.DescriptorLimit()
	if !known {
		return nil
	}
	per := 1 // descriptors a connection
	if r.o.Fleet == FleetInProcess {
		per = 2
	}
	need := func(idle int) uint64 { return uint64(per*(workers+idle) + spareDescriptors) }
	least := min(*idle, workers)
	if explicit {
		least = *idle
	}
	if need(least) > limit {
		who, otherwise := fmt.Sprintf("--workers %d", workers), "use fewer workers"
		if explicit {
			who, otherwise = fmt.Sprintf("%s and client.max_idle %d", who, *idle), "lower either"
		}
		return &UsageError{What: fmt.Sprintf("%s: %d file descriptors are needed, the limit is %d: raise it (ulimit -n %d) or %s",
			who, need(least), limit, need(least), otherwise)}
	}
	if r.spec.Load.auto() { // as many as there are descriptors for, an idle connection each
		spare := int(limit)/per - spareDescriptors
		r.mostAuto = max(workers, min(most, spare/2))
		if explicit {
			r.mostAuto = max(workers, min(most, spare-*idle))
		}
		workers = r.mostAuto
	}
	if free := int(limit) - per*workers - spareDescriptors; !explicit {
		*idle = min(*idle, free/per)
	}
	return nil
}

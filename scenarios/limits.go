package scenarios

import (
	"fmt"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

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

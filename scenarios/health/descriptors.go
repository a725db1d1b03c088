package health

import "fmt"

// Numbers of file descriptors and idle connections of a driver, besides its workers' connections.
const (
	reservedDescriptors = 64   // standard files, run directory, poller, the fleet's pipes and control connections
	defaultIdle         = 512  // idle connections, unless the scenario or the descriptor limit says otherwise
	maxAutoIdle         = 1024 // idle connections of a driver that starts as many workers as it needs
)

// Connections describes how many connections a driver may have.
type Connections struct {
	Workers    int // workers at first
	MaxWorkers int // the most workers; more than Workers if the driver starts workers as needed
	MaxIdle    int // idle connections that the driver keeps; 0: as many as are useful
}

// DescriptorNeed returns how many file descriptors the driver must have if its fleet is in another
// process, and how many it can use. With fewer idle connections than it can use, a driver still
// works, but opens connections more often.
func (c Connections) DescriptorNeed() (min, want int) {
	if c.MaxIdle != 0 {
		return c.Workers + c.MaxIdle + reservedDescriptors, c.Workers + c.MaxIdle + reservedDescriptors
	}
	return 2*c.Workers + reservedDescriptors, c.Workers + max(defaultIdle, c.Workers) + reservedDescriptors
}

// Fit returns c with MaxIdle set, and with both MaxIdle and MaxWorkers lowered to what a limit of
// file descriptors has room for. A connection takes perConnection of them: one, or two if its other
// end is in the same process. It returns an error if the limit has no room for the workers, or for
// a MaxIdle that was set. A limit of 0 is unknown, and has room for everything.
func (c Connections) Fit(limit uint64, perConnection int) (Connections, error) {
	auto, explicit := c.MaxWorkers > c.Workers, c.MaxIdle != 0
	if !explicit {
		c.MaxIdle = max(defaultIdle, min(c.MaxWorkers, maxAutoIdle), c.Workers)
	}
	if limit == 0 {
		return c, nil
	}
	needed := c.MaxIdle
	if !explicit {
		needed = min(needed, c.Workers)
	}
	if need := uint64(perConnection*(c.Workers+needed) + reservedDescriptors); need > limit {
		return c, fmt.Errorf("%d file descriptors are needed, the limit is %d: raise it (ulimit -n %[1]d)", need, limit)
	}
	workers := c.Workers
	if auto { // as many workers as there are descriptors for, with an idle connection each
		spare := int(limit)/perConnection - reservedDescriptors
		if explicit {
			spare -= c.MaxIdle
		} else {
			spare /= 2
		}
		c.MaxWorkers = max(c.Workers, min(c.MaxWorkers, spare))
		workers = c.MaxWorkers
	}
	if !explicit {
		c.MaxIdle = min(c.MaxIdle, (int(limit)-perConnection*workers-reservedDescriptors)/perConnection)
	}
	return c, nil
}

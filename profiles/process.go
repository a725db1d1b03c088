package profiles

import (
	"context"
	"errors"
)

// ErrBusy answers a Start while another capture, or another user of the CPU
// profiler such as "go test -cpuprofile", holds this process's profilers.
var ErrBusy = errors.New("this process is being profiled already: stop the other capture first")

// The runtime keeps its profilers and rates, and pprof's driver its settings, once a
// process. Two users at a time would mix them up in silence, so what guards them
// is once a process too: these two slots are the only state of this package.
var (
	capturing = make(slot, 1) // the runtime's profilers
	rendering = make(slot, 1) // pprof's driver
)

// slot is a lock that can be refused or given up waiting for.
type slot chan struct{}

func (s slot) tryAcquire() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slot) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s slot) release() { <-s }

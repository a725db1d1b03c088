package capture

import (
	"errors"

	"golang.org/x/sync/semaphore"
)

// ErrBusy is the error of [Start] while another capture, or another user of the CPU profiler such
// as "go test -cpuprofile", uses this process's profilers.
var ErrBusy = errors.New("this process is being profiled already: stop the other capture first")

// capturing is held by the running capture. A process has one set of profilers and rates, which two
// captures would silently mix up.
var capturing = semaphore.NewWeighted(1)

package capture

import (
	"errors"

	"golang.org/x/sync/semaphore"
)

// ErrBusy is the error of [Start] while another capture, or another user of the CPU profiler such
// as "go test -cpuprofile", holds this process's profilers.
var ErrBusy = errors.New("this process is being profiled already: stop the other capture first")

// capturing is held by the running capture. The runtime has one set of profilers and rates a
// process, and two users at a time would mix them up in silence.
var capturing = semaphore.NewWeighted(1)

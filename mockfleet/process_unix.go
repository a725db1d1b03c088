//go:build unix

package mockfleet

import (
	"errors"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func addressInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// descriptorLimit is how many descriptors the process may have, where that is known.
func descriptorLimit() (uint64, bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}

// processorTime is the processor time that the process has used, in seconds, and the peak of its
// resident memory, in bytes.
func processorTime() (seconds float64, peak uint64) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, 0
	}
	seconds = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	peak = uint64(usage.Maxrss)
	if runtime.GOOS != "darwin" { // where getrusage(2) counts in bytes
		peak *= 1024
	}
	return seconds, peak
}

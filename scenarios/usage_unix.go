//go:build unix

package scenarios

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is user and system time of this process so far.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil { // it fails only for bad arguments
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// DescriptorLimit is how many descriptors this process may have open.
func DescriptorLimit() (uint64, bool) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	return l.Cur, true
}

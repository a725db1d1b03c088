//go:build unix

package osinfo

import (
	"time"

	"golang.org/x/sys/unix"
)

// ProcessorTime returns the user and system time of this process so far. It returns 0 on systems
// other than Unix.
func ProcessorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil { // it fails only for bad arguments
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// DescriptorLimit returns how many file descriptors this process may have open. It reports false if
// the limit can't be read, and on systems other than Unix.
func DescriptorLimit() (uint64, bool) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	return l.Cur, true
}

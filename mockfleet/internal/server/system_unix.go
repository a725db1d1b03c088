//go:build unix

package server

import (
	"errors"
	"io"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// pollSupported reports whether the server can wait for a connection to be readable without a
// buffer for it.
const pollSupported = true

// readNow reads from a socket without blocking. It returns errNothingYet if there is nothing to
// read.
func readNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, errNothingYet
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func addressInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// DescriptorLimit returns how many descriptors the process may have, and whether that is known.
func DescriptorLimit() (uint64, bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}

// CPUTime returns the processor time that the process has used, in seconds, and the peak of its
// resident memory, in bytes. Both are 0 if unknown.
func CPUTime() (seconds float64, peak uint64) {
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

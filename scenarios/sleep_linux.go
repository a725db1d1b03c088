package scenarios

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleeper gives a sleep by the system's clock, which wakes the calling thread within microseconds of
// its time. It may return early.
func sleeper() func(time.Duration) {
	// Otherwise the kernel may add 50 µs, to wake several threads at once. Where it refuses, it does.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func(d time.Duration) {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // a signal ends it early
	}
}

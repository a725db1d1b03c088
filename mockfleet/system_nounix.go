//go:build !unix

package mockfleet

import (
	"errors"
	"syscall"
)

const canPoll = false

// readNow is never called where canPoll is false.
func readNow(uintptr, []byte) (int, error) { return 0, errNothingYet }

// clientLeft is never called where canPoll is false.
func clientLeft(uintptr) bool { return false }

// wsaeAddrInUse is WSAEADDRINUSE of Windows, which package syscall doesn't name.
const wsaeAddrInUse = syscall.Errno(10048)

func addressInUse(err error) bool { return errors.Is(err, wsaeAddrInUse) }

func descriptorLimit() (uint64, bool) { return 0, false }

func processorTime() (seconds float64, peak uint64) { return 0, 0 }

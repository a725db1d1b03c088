//go:build !unix

package server

import (
	"errors"
	"syscall"
)

const pollSupported = false

// readNow is never called where pollSupported is false.
func readNow(uintptr, []byte) (int, error) { return 0, errNothingYet }

// peerClosed is never called where pollSupported is false.
func peerClosed(uintptr) bool { return false }

// wsaeAddrInUse is WSAEADDRINUSE of Windows, which package syscall doesn't name.
const wsaeAddrInUse = syscall.Errno(10048)

func addressInUse(err error) bool { return errors.Is(err, wsaeAddrInUse) }

// DescriptorLimit is not known.
func DescriptorLimit() (uint64, bool) { return 0, false }

// CPUTime is not known.
func CPUTime() (seconds float64, peak uint64) { return 0, 0 }

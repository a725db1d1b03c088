//go:build !unix

package mockfleet

import (
	"errors"
	"syscall"
)

// wsaeAddrInUse is WSAEADDRINUSE of Windows, which package syscall doesn't name.
const wsaeAddrInUse = syscall.Errno(10048)

func addressInUse(err error) bool { return errors.Is(err, wsaeAddrInUse) }

func descriptorLimit() (uint64, bool) { return 0, false }

func processorTime() (seconds float64, peak uint64) { return 0, 0 }

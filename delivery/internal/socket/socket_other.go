//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package socket

import "net"

// Probe looks at a socket without taking a byte from it. This system has no way to
// do so that is cheap enough for every operation: all connections look quiet.
type Probe struct{}

// Open does nothing.
func (*Probe) Open(net.Conn) {}

// IsQuiet reports true.
func (*Probe) IsQuiet() bool { return true }

// HasEnded reports false.
func (*Probe) HasEnded() bool { return false }

// Unacked reports that the system can't tell.
func (*Probe) Unacked() (n int64, known bool) { return 0, false }

// WriteWaiter is for systems whose sockets can be written to while a read is prepared. This one is
// never available.
type WriteWaiter struct{}

// Open does nothing.
func (*WriteWaiter) Open(net.Conn, *Probe, WriteObserver) {}

// IsAvailable reports false.
func (*WriteWaiter) IsAvailable() bool { return false }

// Send writes nothing.
func (*WriteWaiter) Send([]byte, bool) (int, error) { return 0, nil }

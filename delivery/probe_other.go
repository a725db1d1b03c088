//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package delivery

import "net"

// probe looks at a socket without taking a byte from it. This system has no way to
// do so that is cheap enough for every operation: all connections look quiet.
type probe struct{}

func (*probe) open(net.Conn) {}
func (*probe) quiet() bool   { return true }
func (*probe) unsent() int64 { return 0 }

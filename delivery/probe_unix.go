//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package delivery

import (
	"net"
	"syscall"
)

// probe looks at a socket without taking a byte from it and without waiting.
type probe struct {
	raw   syscall.RawConn // nil: nothing to look at
	look  func(fd uintptr)
	calm  bool
	taste [1]byte
	queue unsentProbe
}

// open turns the probe to a network connection. One that isn't a socket can't be
// looked at, and is always quiet.
func (p *probe) open(nc net.Conn) {
	if p.look == nil {
		p.look = p.peek // once, so that a look allocates nothing
	}
	p.raw = nil
	if s, ok := beneath(nc).(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			p.raw = raw
		}
	}
}

// quiet reports whether the socket is open and holds nothing to read. It is Control
// and not Read that runs the look, because Read minds the deadline of the last operation.
func (p *probe) quiet() bool {
	if p.raw == nil {
		return true
	}
	p.calm = false
	return p.raw.Control(p.look) == nil && p.calm
}

func (p *probe) peek(fd uintptr) {
	for {
		_, _, err := syscall.Recvfrom(int(fd), p.taste[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			p.calm = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
			return
		}
	}
}

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
	calm  bool // open, and nothing to read
	over  bool // ended, and nothing to read before its end
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
	if s, ok := socketOf(nc).(syscall.Conn); ok {
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

// ended reports whether the connection has ended, as far as can be seen past what is
// there to read.
func (p *probe) ended() bool {
	if p.raw == nil {
		return false
	}
	p.over = true // a closed one can't be looked at
	return p.raw.Control(p.look) != nil || p.over
}

func (p *probe) peek(fd uintptr) {
	for {
		n, _, err := syscall.Recvfrom(int(fd), p.taste[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			p.calm = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
			p.over = !p.calm && n <= 0
			return
		}
	}
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socket

import (
	"net"
	"syscall"
)

// Probe looks at a socket without taking a byte from it and without waiting. It is not safe for
// concurrent use.
type Probe struct {
	raw      syscall.RawConn // nil: nothing to look at
	peekFunc func(fd uintptr)
	quiet    bool // open, and nothing to read
	ended    bool // ended, and nothing to read before its end
	buf      [1]byte
	queue    sendQueue
}

// Open turns the probe to a connection. One that isn't a socket can't be looked at, and is always
// quiet.
func (p *Probe) Open(nc net.Conn) {
	if p.peekFunc == nil {
		p.peekFunc = p.peek // once, so that a look allocates nothing
	}
	p.raw = nil
	if s, ok := unwrap(nc).(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			p.raw = raw
		}
	}
}

// IsQuiet reports whether the socket is open and holds nothing to read. It uses Control and not
// Read, because Read fails if the deadline of the last operation has passed.
func (p *Probe) IsQuiet() bool {
	if p.raw == nil {
		return true
	}
	p.quiet = false
	return p.raw.Control(p.peekFunc) == nil && p.quiet
}

// HasEnded reports whether the connection has ended, as far as can be seen past what is there to
// read.
func (p *Probe) HasEnded() bool {
	if p.raw == nil {
		return false
	}
	p.ended = true // a closed one can't be looked at
	return p.raw.Control(p.peekFunc) != nil || p.ended
}

func (p *Probe) peek(fd uintptr) {
	for {
		n, _, err := syscall.Recvfrom(int(fd), p.buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			p.quiet = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
			p.ended = !p.quiet && n <= 0
			return
		}
	}
}

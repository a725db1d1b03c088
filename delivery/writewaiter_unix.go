//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package delivery

import (
	"net"
	"os"
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

// ended reports whether the connection has ended, as far as can be seen past what is there to read.
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

// writeWaiter writes a whole request to a bare socket and waits for the answer to begin. The
// usual way would read right after the write, which finds nothing and costs a system
// call; to be told of the answer the wait must be prepared before the write, and only
// here can it be. It also looks at an idle connection when that is as good as sent.
type writeWaiter struct {
	raw     syscall.RawConn // nil: not a bare socket
	run     func(fd uintptr) (done bool)
	probe   *probe
	reused  bool // the connection is not fresh
	request []byte
	trace   *trace
	written int
	err     error
}

// open turns t to a network connection, which the probe is turned to already. One
// that wraps a socket may want to see what is written.
func (t *writeWaiter) open(nc net.Conn, p *probe) {
	if t.run == nil {
		t.run = t.writeThenWait // once, so that no request allocates it
	}
	t.raw, t.probe = nil, p
	if _, ok := nc.(*net.TCPConn); ok {
		t.raw = p.raw
	}
}

func (t *writeWaiter) available() bool { return t.raw != nil }

// send returns when the answer has begun to come, or the wait for it has failed: then reading it
// will say why. written is what the socket took of the request, err what kept it from the rest.
// errStale: nothing was written, because the connection holds something already or has ended.
func (t *writeWaiter) send(request []byte, reused bool, s *trace) (written int, err error) {
	t.request, t.reused, t.trace, t.written, t.err = request, reused, s, 0, nil
	err = t.raw.Read(t.run)
	t.request, t.trace = nil, nil
	if t.err != nil || t.written > 0 {
		err = t.err
	}
	return t.written, err
}

func (t *writeWaiter) writeThenWait(fd uintptr) (done bool) {
	if t.written > 0 {
		return true // woken
	}
	// The wait sees only what comes after it was prepared. A device may have spoken
	// before, unasked, and have no more to say.
	t.probe.peek(fd)
	if !t.probe.calm && t.reused {
		t.err = errStale
		return true
	}
	for {
		n, err := syscall.Write(int(fd), t.request)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true // the usual way waits for room
		case err != nil:
			t.err = os.NewSyscallError("write", err)
			return true
		}
		t.written = n
		t.trace.mark(atWritten)
		return n < len(t.request) || !t.probe.calm
	}
}

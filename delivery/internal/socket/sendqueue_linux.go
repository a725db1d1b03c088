package socket

import (
	"syscall"
	"unsafe"
)

// sendQueue is the answer of a socket that was asked how much of what it took the peer's system has
// not acknowledged (SIOCOUTQ, tcp(7); it has the number of TIOCOUTQ).
type sendQueue struct {
	ask   func(fd uintptr)
	n     int32
	known bool
}

// Unacked returns how many bytes of what was written the peer's system has not acknowledged, and
// reports whether the system can tell.
func (p *Probe) Unacked() (n int64, known bool) {
	if p.raw == nil {
		return 0, false
	}
	q := &p.queue
	if q.ask == nil {
		q.ask = func(fd uintptr) {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&q.n)))
			q.known = errno == 0
		}
	}
	q.n, q.known = 0, false
	if p.raw.Control(q.ask) != nil || !q.known {
		return 0, false
	}
	return int64(q.n), true
}

package delivery

import (
	"syscall"
	"unsafe"
)

// unsentProbe asks a socket how much of what it took the peer's system has not
// acknowledged (SIOCOUTQ, tcp(7); it has the number of TIOCOUTQ).
type unsentProbe struct {
	ask func(fd uintptr)
	n   int32
}

// unsent is 0 where it can't be told.
func (p *probe) unsent() int64 {
	if p.raw == nil {
		return 0
	}
	q := &p.queue
	if q.ask == nil {
		q.ask = func(fd uintptr) {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&q.n))); errno != 0 {
				q.n = 0
			}
		}
	}
	q.n = 0
	if p.raw.Control(q.ask) != nil {
		return 0
	}
	return int64(q.n)
}

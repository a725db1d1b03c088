//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socket

import (
	"net"
	"os"
	"syscall"
)

// WriteWaiter writes a whole request to a bare socket and waits for the answer to begin. Package
// net would read right after the write, which finds nothing yet and costs a system call. To avoid
// that, the wait must be prepared before the write, which package net has no method for. A
// WriteWaiter also looks at an idle connection right before it writes to it.
type WriteWaiter struct {
	raw       syscall.RawConn // nil: not a bare socket
	writeFunc func(fd uintptr) (done bool)
	observer  WriteObserver
	probe     *Probe
	reused    bool // the connection is not fresh
	request   []byte
	written   int
	err       error
}

// Open turns w to a connection, which the probe is turned to already. A connection that wraps a
// socket is not available: it may want to see what is written. observer is told of the
// write of each request.
func (w *WriteWaiter) Open(nc net.Conn, p *Probe, observer WriteObserver) {
	if w.writeFunc == nil {
		w.writeFunc = w.writeThenWait // once, so that no request allocates it
	}
	w.raw, w.probe, w.observer = nil, p, observer
	if _, ok := nc.(*net.TCPConn); ok {
		w.raw = p.raw
	}
}

// IsAvailable reports whether the connection can be written to by Send.
func (w *WriteWaiter) IsAvailable() bool { return w.raw != nil }

// Send returns when the answer has begun to come, or the wait for it has failed: then reading it
// will say why. written is what the socket took of the request, err what kept it from the rest.
// ErrStale means that nothing was written, because the connection, a reused one, holds something
// already or has ended.
func (w *WriteWaiter) Send(request []byte, reused bool) (written int, err error) {
	w.request, w.reused, w.written, w.err = request, reused, 0, nil
	err = w.raw.Read(w.writeFunc)
	w.request = nil
	if w.err != nil || w.written > 0 {
		err = w.err
	}
	return w.written, err
}

func (w *WriteWaiter) writeThenWait(fd uintptr) (done bool) {
	if w.written > 0 {
		return true // woken
	}
	// The wait sees only what comes after it was prepared. A device may have spoken
	// before, unasked, and have no more to say.
	w.probe.peek(fd)
	if !w.probe.quiet && w.reused {
		w.err = ErrStale
		return true
	}
	for {
		n, err := syscall.Write(int(fd), w.request)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true // the usual way waits for room
		case err != nil:
			w.err = os.NewSyscallError("write", err)
			return true
		}
		w.written = n
		w.observer.OnWritten()
		return n < len(w.request) || !w.probe.quiet
	}
}

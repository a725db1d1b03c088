package delivery

import (
	"net"
	"os"
	"syscall"
)

// filePipe sends a part of a file over a socket without the bytes passing through
// this process (sendfile(2)). It names the offset itself, so that any number of
// operations may send the same file at once, which io.Copy from a file can't.
type filePipe struct {
	push   func(fd uintptr) bool // bound once, so that sending allocates nothing
	into   func(fd uintptr)
	socket syscall.RawConn
	in     int
	offset int64
	rest   int
	err    error
}

// send sends n bytes of the file from offset. It ends early with the socket's
// deadline, as a write does, and tells how far it came. ok is false where this file
// or this socket can't do it; then nothing was sent.
func (f *filePipe) send(p *probe, file syscall.RawConn, offset, n int64) (sent int64, ok bool, err error) {
	if p.raw == nil || file == nil {
		return 0, false, nil
	}
	if f.push == nil {
		f.push, f.into = f.some, f.whole
	}
	f.socket, f.offset, f.rest, f.err = p.raw, offset, int(n), nil
	if file.Control(f.into) != nil { // it keeps the file open meanwhile
		return 0, false, nil
	}
	if sent = f.offset - offset; sent == 0 && (f.err == syscall.EINVAL || f.err == syscall.ENOSYS || f.err == syscall.EPERM) {
		return 0, false, nil
	}
	if errno, isErrno := f.err.(syscall.Errno); isErrno {
		f.err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("sendfile", errno)}
	}
	return sent, true, f.err
}

// whole waits for the socket as often as it takes.
func (f *filePipe) whole(file uintptr) {
	f.in = int(file)
	if err := f.socket.Write(f.push); f.err == nil {
		f.err = err
	}
}

// some is one try: true when all is sent, or nothing more can be; false to wait for
// room in the socket.
func (f *filePipe) some(socket uintptr) bool {
	for f.rest > 0 {
		n, err := syscall.Sendfile(int(socket), f.in, &f.offset, f.rest)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			f.err = err
			return true
		case n == 0:
			f.err = cutShort(f.offset, nil)
			return true
		default:
			f.rest -= n
		}
	}
	return true
}

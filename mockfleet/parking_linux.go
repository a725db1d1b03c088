package mockfleet

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lot waits for many sockets at once: an epoll instance, for which Go's own poller waits in turn.
type lot struct {
	file *os.File
	raw  syscall.RawConn
}

func newLot() (*lot, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // a sign to package os: this can be polled
		_ = unix.Close(fd) // the first failure says it
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &lot{file: os.NewFile(uintptr(fd), "epoll")}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		_ = l.file.Close() // likewise
		return nil, err
	}
	return l, nil
}

// watch waits for something to come at a socket, once. What is there already counts.
func (l *lot) watch(fd int) bool {
	event := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)}
	var failed error
	err := l.raw.Control(func(own uintptr) {
		// A socket that was parked before is still in there, asleep.
		if failed = unix.EpollCtl(int(own), unix.EPOLL_CTL_MOD, fd, event); failed == unix.ENOENT {
			failed = unix.EpollCtl(int(own), unix.EPOLL_CTL_ADD, fd, event)
		}
	})
	return err == nil && failed == nil
}

// await gives the descriptors of sockets at which something has come. It fails where the lot is closed.
func (l *lot) await(list []int32) (n int, err error) {
	var events [parkedAtOnce]unix.EpollEvent
	var failed error
	err = l.raw.Read(func(own uintptr) bool {
		for {
			n, failed = unix.EpollWait(int(own), events[:min(len(events), len(list))], 0)
			if failed != unix.EINTR {
				return n != 0
			}
		}
	})
	if err == nil {
		err = os.NewSyscallError("epoll_wait", failed)
	}
	if err != nil {
		return 0, err
	}
	for i := range n {
		list[i] = events[i].Fd
	}
	return n, nil
}

func (l *lot) close() error { return l.file.Close() }

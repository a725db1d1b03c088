package mockfleet

import "golang.org/x/sys/unix"

// clientLeft tells whether the peer of a socket has closed or reset it. Unread data doesn't hide that.
func clientLeft(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0
}

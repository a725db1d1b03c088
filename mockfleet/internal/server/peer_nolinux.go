//go:build unix && !linux

package server

import "golang.org/x/sys/unix"

// peerClosed reports whether the peer of a socket has closed or reset it. Unread data hides a
// close.
func peerClosed(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return false
	}
	return err != nil || n == 0
}

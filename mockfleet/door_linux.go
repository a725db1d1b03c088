package mockfleet

import (
	"errors"

	"golang.org/x/sys/unix"
)

// canShut tells that a port can refuse connections, or stall them, without giving its number away.
const canShut = true

// shutSocket makes a listening socket refuse. It stays bound, and doesn't share, so that nobody else can
// get the port.
func shutSocket(fd int) error {
	err := unix.Shutdown(fd, unix.SHUT_RD)
	return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0))
}

func openSocket(fd int) error { return listenAgain(fd, unix.SOMAXCONN) }

// stallSocket makes a socket listen with a backlog of one connection: once that is there, the kernel drops
// every further one that is begun.
func stallSocket(fd int) error { return listenAgain(fd, 0) }

// listenAgain shares the port once more, with the connections that were accepted at it before.
func listenAgain(fd, backlog int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

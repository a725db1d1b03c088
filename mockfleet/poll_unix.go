//go:build unix

package mockfleet

import (
	"io"

	"golang.org/x/sys/unix"
)

// canPoll tells that a connection's readiness can be awaited without holding a buffer for it.
const canPoll = true

// readNow reads what is there from a socket that doesn't block; errNothingYet where there is nothing.
func readNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, errNothingYet
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

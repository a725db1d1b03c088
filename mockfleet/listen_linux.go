package mockfleet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenLoopback listens on every address of the loopback interface, and of no other. Every address
// of 127.0.0.0/8 being local on Linux, that is one for each device without configuring any.
func listenLoopback(ctx context.Context, port uint16) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var bindErr error
		if err := rc.Control(func(fd uintptr) { bindErr = unix.BindToDevice(int(fd), "lo") }); err != nil {
			return err
		}
		if bindErr != nil {
			// Without it, the fleet would listen on the machine's other interfaces too.
			return fmt.Errorf("%w (SO_BINDTODEVICE: %w)", errNotLoopbackAlone, bindErr)
		}
		return nil
	}}
	return listen(ctx, lc, "tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), port))
}

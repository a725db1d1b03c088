package mockfleet

import (
	"context"
	"errors"
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
		if err := bindLoopback(rc); err != nil {
			// Without it, the fleet would listen on the machine's other interfaces too.
			return fmt.Errorf("%w (SO_BINDTODEVICE: %w)", errNotLoopbackAlone, err)
		}
		return nil
	}}
	return listen(ctx, lc, "tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), port))
}

// preferLoopback binds a socket with a loopback address to the loopback interface. An address alone
// doesn't keep neighbours out: where route_localnet is set, as machines that run containers have it,
// packets to 127.0.0.1 come in over other interfaces. Linux before 5.7 wants CAP_NET_RAW for it; there
// the address has to do, as on other systems.
func preferLoopback(_, _ string, rc syscall.RawConn) error {
	_ = bindLoopback(rc) // see above
	return nil
}

// bindLoopback binds a socket to the loopback interface: what comes over another doesn't find it.
func bindLoopback(rc syscall.RawConn) error {
	var bindErr error
	err := rc.Control(func(fd uintptr) { bindErr = unix.BindToDevice(int(fd), "lo") })
	return errors.Join(err, bindErr)
}

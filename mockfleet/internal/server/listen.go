package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// freePortRange is where port addressing looks for a block of free ports: below it are well-known
// ports, above it those that systems give to clients.
var freePortRange = portRange{10000, 32767}

type portRange struct{ first, last int }

// listenDevices opens the listeners of a fleet: one for each device in port addressing, and a
// single one otherwise. It also returns the address from which the devices' addresses derive.
func listenDevices(ctx context.Context, cfg Config) ([]net.Listener, netip.AddrPort, error) {
	host, port, err := SplitListen(cfg.Listen)
	if err != nil {
		return nil, netip.AddrPort{}, err // Config.Validate has checked it
	}
	var listeners []net.Listener
	switch {
	case cfg.Addressing == address.Port && port == 0:
		listeners, err = listenFreeBlock(ctx, host, freePortRange, cfg.Devices.Len(), cfg.Devices.Seed)
	case cfg.Addressing == address.Port:
		listeners, err = listenBlock(ctx, host, int(port), cfg.Devices.Len())
	case cfg.Addressing == address.IP && address.OnLoopback(cfg.Network):
		listeners, err = one(listenLoopback(ctx, port))
	case cfg.Addressing == address.IP:
		if err := checkRoute(ctx, cfg.Network); err != nil {
			return nil, netip.AddrPort{}, err
		}
		listeners, err = one(Listen(ctx, net.ListenConfig{}, "tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), port)))
	default:
		listeners, err = one(Listen(ctx, net.ListenConfig{}, "tcp", netip.AddrPortFrom(host, port)))
	}
	if err != nil {
		return nil, netip.AddrPort{}, ListenError("listen", cfg.Listen, err)
	}
	at := listeners[0].Addr().(*net.TCPAddr).AddrPort()
	host = at.Addr().Unmap()
	switch {
	case cfg.Addressing == address.IP && cfg.Network.IsValid():
		host = address.DeviceIP(cfg.Network, 0) // other machines reach it, too
	case host.IsUnspecified():
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // an address at which this machine reaches the listener
	}
	return listeners, netip.AddrPortFrom(host, at.Port()), nil
}

func one(l net.Listener, err error) ([]net.Listener, error) { return []net.Listener{l}, err }

// checkRoute returns a *field.Error that says what to do unless this machine has the addresses of a
// device network: it binds sockets to those of the first and of the last device. A route makes all
// addresses of a network the machine's own, so that no device's is missing in between.
func checkRoute(ctx context.Context, network netip.Prefix) error {
	for _, i := range []int{0, address.NetworkCapacity(network) - 1} {
		at := netip.AddrPortFrom(address.DeviceIP(network, i), 0)
		var lc net.ListenConfig
		c, err := lc.ListenPacket(ctx, "udp4", at.String()) // UDP, so that nobody can connect
		if err == nil {
			err = c.Close()
		}
		if err != nil {
			want := "choose another network, or see what keeps a program from using its addresses"
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				want = "make its addresses this machine's own (Linux): sudo " + address.RouteCommand(network)
			}
			return &field.Error{Field: address.NetworkField, Value: network.String(), Want: want, Err: err}
		}
	}
	return nil
}

// Listen opens a listener. It binds one at a loopback address to the loopback interface, if the
// system can.
func Listen(ctx context.Context, lc net.ListenConfig, network string, at netip.AddrPort) (net.Listener, error) {
	if lc.Control == nil && at.Addr().IsLoopback() {
		lc.Control = preferLoopback
	}
	lc.KeepAlive = -1 // the housekeeper expires connections; probes would cost system calls on each
	return lc.Listen(ctx, network, at.String())
}

// listenFreeBlock listens on count ports in a row that are all free. It looks for them from a port
// that depends on the seed, continues after each port that is in use, and tries no port more than
// twice.
func listenFreeBlock(
	ctx context.Context, host netip.Addr, in portRange, count int, seed uint64,
) ([]net.Listener, error) {
	starts := in.last - in.first + 1 - count + 1
	base := in.first + int(random.Mix(seed)%uint64(starts))
	var inUse *portInUseError
	for tried := 0; tried <= 2*(in.last-in.first+1); {
		listeners, err := listenBlock(ctx, host, base, count)
		if !errors.As(err, &inUse) {
			return listeners, err
		}
		tried += inUse.port - base + 1
		if base = inUse.port + 1; base+count-1 > in.last {
			tried += in.last - inUse.port
			base = in.first
		}
	}
	return nil, fmt.Errorf("no %d free ports in a row between %d and %d: %w", count, in.first, in.last, inUse)
}

func listenBlock(ctx context.Context, host netip.Addr, base, count int) ([]net.Listener, error) {
	if base+count-1 > 65535 {
		return nil, fmt.Errorf("%d ports from %d on would go beyond 65535", count, base)
	}
	listeners := make([]net.Listener, 0, count)
	for port := base; port < base+count; port++ {
		l, err := Listen(ctx, net.ListenConfig{}, "tcp", netip.AddrPortFrom(host, uint16(port)))
		if err != nil {
			closeListeners(listeners)
			if addressInUse(err) {
				err = &portInUseError{port: port, err: err}
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

type portInUseError struct {
	port int
	err  error
}

func (e *portInUseError) Error() string { return "port " + strconv.Itoa(e.port) + ": " + e.err.Error() }
func (e *portInUseError) Unwrap() error { return e.err }

func closeListeners(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // there is nothing that a caller could do about it
	}
}

// errNotLoopbackAlone is the error of ip addressing on a system that can't do it.
var errNotLoopbackAlone = errors.New("can't listen on every loopback address and nothing else")

// ListenError returns a *field.Error that says what to do about a listen that failed.
func ListenError(name, address string, err error) error {
	want := "choose another address"
	switch {
	case addressInUse(err):
		want = "choose another port, or port 0 for a free one"
	case errors.Is(err, errNotLoopbackAlone):
		want = "choose port or path addressing; ip takes Linux 5.7 or later, or CAP_NET_RAW"
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		want = "choose a port from 1024 on, or run with the rights that it takes"
	}
	return &field.Error{Field: name, Value: address, Want: want, Err: err}
}

// SplitListen splits host:port. An empty host means every IPv4 address of the machine.
func SplitListen(address string) (netip.Addr, uint16, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "":
		host = "0.0.0.0"
	}
	ip, err := netip.ParseAddr(host)
	return ip.Unmap(), uint16(port), err
}

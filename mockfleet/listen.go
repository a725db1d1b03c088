package mockfleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// blockPorts is where port addressing looks for a block when no port is wanted: below it are
// well-known ports, above it those that systems hand out to clients.
var blockPorts = portRange{10000, 32767}

type portRange struct{ first, last int }

// listenDevices opens the listeners of a fleet: one, or one a device in port addressing. It returns
// the address from which those of the devices derive.
func listenDevices(ctx context.Context, cfg Config) ([]net.Listener, netip.AddrPort, error) {
	host, port, err := splitListen(cfg.Listen)
	if err != nil {
		return nil, netip.AddrPort{}, err // Validate has seen to it
	}
	var listeners []net.Listener
	switch {
	case cfg.Addressing == address.Port && port == 0:
		listeners, err = listenFreeBlock(ctx, host, blockPorts, cfg.Devices, cfg.Seed)
	case cfg.Addressing == address.Port:
		listeners, err = listenBlock(ctx, host, int(port), cfg.Devices)
	case cfg.Addressing == address.IP:
		listeners, err = one(listenLoopback(ctx, port))
	default:
		listeners, err = one(listen(ctx, net.ListenConfig{}, "tcp", netip.AddrPortFrom(host, port)))
	}
	if err != nil {
		return nil, netip.AddrPort{}, listenError("listen", cfg.Listen, err)
	}
	at := listeners[0].Addr().(*net.TCPAddr).AddrPort()
	if host = at.Addr().Unmap(); host.IsUnspecified() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // an address that this machine reaches
	}
	return listeners, netip.AddrPortFrom(host, at.Port()), nil
}

func one(l net.Listener, err error) ([]net.Listener, error) { return []net.Listener{l}, err }

func listen(ctx context.Context, lc net.ListenConfig, network string, at netip.AddrPort) (net.Listener, error) {
	if lc.Control == nil && at.Addr().IsLoopback() {
		lc.Control = preferLoopback
	}
	lc.KeepAlive = -1 // the housekeeper expires connections; probes would cost system calls on each
	return lc.Listen(ctx, network, at.String())
}

// listenFreeBlock looks for count ports in a row that are all free, from a place that depends on the
// seed, going on behind each port that is in use. It tries no port more than twice.
func listenFreeBlock(ctx context.Context, host netip.Addr, in portRange, count int, seed uint64) ([]net.Listener, error) {
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
		l, err := listen(ctx, net.ListenConfig{}, "tcp", netip.AddrPortFrom(host, uint16(port)))
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

// errNotLoopbackAlone is why ip addressing isn't to be had.
var errNotLoopbackAlone = errors.New("can't listen on every loopback address and nothing else")

// listenError says what to do about a listen that failed.
func listenError(name, address string, err error) error {
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

// checkDescriptors tells before the fact that a fleet needs more descriptors than the process may have.
func checkDescriptors(cfg Config) error {
	limit, known := descriptorLimit()
	needed := uint64(descriptorReserve)
	if cfg.Addressing == address.Port {
		needed += uint64(cfg.Devices)
	}
	if !known || needed <= limit {
		return nil
	}
	return &field.Error{
		Field: "devices", Value: strconv.Itoa(cfg.Devices), Err: fmt.Errorf("the process may open %d files", limit),
		Want: fmt.Sprintf("port addressing needs %d of them (ulimit -n), the others need %d", needed, descriptorReserve),
	}
}

// descriptorReserve is for what isn't a listener of a device: a few connections, the control port,
// standard streams, the poller.
const descriptorReserve = 64

// connectionLimit is how many connections a fleet may have open when its Config leaves it open.
func connectionLimit(cfg Config) int {
	if cfg.MaxConnections > 0 {
		return cfg.MaxConnections
	}
	limit, known := descriptorLimit()
	if !known {
		return defaultMaxConnections
	}
	taken := uint64(descriptorReserve / 2)
	if cfg.Addressing == address.Port {
		taken += uint64(cfg.Devices)
	}
	return int(min(defaultMaxConnections, max(limit, taken+1)-taken))
}

// acceptBackoff is how long accepting rests after it failed, as for want of descriptors.
const acceptBackoff = 50 * time.Millisecond

// accept serves what comes in at l, the index-th listener, until it is closed.
func (f *Fleet) accept(l net.Listener, index int) {
	var d *door
	if index < len(f.doors) {
		d = f.doors[index]
	}
	for {
		if d != nil && !d.await(f.done) {
			return
		}
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if d != nil && errors.Is(err, syscall.EINVAL) {
			continue // the door was shut
		}
		if err != nil {
			f.acceptErrors.Add(1)
			if !f.rest(acceptBackoff) {
				return
			}
			continue
		}
		device, ok := f.identify(nc, index)
		if !ok {
			f.registry.refuse()
			_ = nc.Close() // it is none of ours
			continue
		}
		if d != nil {
			d.passed()
		}
		tlsOf := f.securityOf(device)
		if tlsOf.config != nil {
			nc = tls.Server(nc, tlsOf.config)
		}
		c := newConn(f, nc, device)
		c.stalls = tlsOf.stalls
		if !f.registry.add(c) {
			_ = nc.Close() // likewise
			continue
		}
		f.running.Go(c.serve)
	}
}

// identify tells which device a connection is for: -1 where the path will say. Connections that
// aren't for this fleet are refused.
func (f *Fleet) identify(nc net.Conn, index int) (device int, ok bool) {
	switch f.cfg.Addressing {
	case address.Port:
		return index, true
	case address.Path:
		return -1, true
	}
	peer, own := address.IPOf(nc.RemoteAddr()), address.IPOf(nc.LocalAddr())
	if !peer.IsLoopback() { // the interface sees to that; this is the second lock
		return 0, false
	}
	device = address.DeviceOfIP(own)
	return device, device >= 0 && device < f.Devices()
}

// rest waits for d, or until the fleet closes.
func (f *Fleet) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.done:
		return false
	}
}

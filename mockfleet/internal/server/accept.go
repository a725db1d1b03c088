package server

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// acceptBackoff is how long accept waits after a failure, such as a lack of descriptors.
const acceptBackoff = 50 * time.Millisecond

// accept accepts and serves connections at l, the index-th listener, until l is closed.
func (s *Server) accept(l net.Listener, index int) {
	var g *gate
	if index < len(s.gates) {
		g = s.gates[index]
	}
	for {
		if g != nil && !g.await(s.done) {
			return
		}
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if g != nil && errors.Is(err, syscall.EINVAL) {
			continue // the gate was closed
		}
		if err != nil {
			s.acceptErrors.Add(1)
			if !s.rest(acceptBackoff) {
				return
			}
			continue
		}
		device, ok := s.identify(nc, index)
		if !ok {
			s.conns.refuse()
			_ = nc.Close() // the connection is refused, so that an error changes nothing
			continue
		}
		if g != nil {
			g.onAccept()
		}
		tlsOf := s.tlsFor(device)
		if tlsOf.config != nil {
			nc = tls.Server(nc, tlsOf.config)
		}
		c := newConn(s, nc, device)
		c.stallTLS = tlsOf.stall
		if !s.conns.add(c) {
			_ = nc.Close() // likewise
			continue
		}
		s.running.Go(c.serve)
	}
}

// ServeConn serves a connection that the caller accepted, such as one in memory. It reports whether
// the server took it.
func (s *Server) ServeConn(nc net.Conn, device int) bool {
	c := newConn(s, nc, device)
	if !s.conns.add(c) {
		return false
	}
	s.running.Go(c.serve)
	return true
}

// identify returns the device that a connection is for, or -1 in path addressing, where each
// request names its device. ok is false if the connection is for no device, or comes from another
// machine although the devices are on the loopback interface.
func (s *Server) identify(nc net.Conn, index int) (device int, ok bool) {
	switch s.cfg.Addressing {
	case address.Port:
		return index, true
	case address.Path:
		return -1, true
	}
	peer, own := ipOf(nc.RemoteAddr()), ipOf(nc.LocalAddr())
	if address.OnLoopback(s.cfg.Network) && !peer.IsLoopback() {
		return 0, false // the interface that the listener is bound to lets nobody else in; this is a second check
	}
	device = address.DeviceOfIP(s.cfg.Network, own)
	return device, device >= 0 && device < s.store.Len()
}

// ipOf returns the IP address of a TCP address, or the zero Addr of any other.
func ipOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// rest waits for d. It returns false early if the server closes.
func (s *Server) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

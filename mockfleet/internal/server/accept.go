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

// acceptBackoff is how long accepting rests after it failed, as for want of descriptors.
const acceptBackoff = 50 * time.Millisecond

// accept serves what comes in at l, the index-th listener, until it is closed.
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
			_ = nc.Close() // it is none of ours
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

// ServeConn serves a connection that was accepted elsewhere, such as one in memory, like those that the
// server accepts. It reports whether the server took it.
func (s *Server) ServeConn(nc net.Conn, device int) bool {
	c := newConn(s, nc, device)
	if !s.conns.add(c) {
		return false
	}
	s.running.Go(c.serve)
	return true
}

// identify tells which device a connection is for: -1 where the path will say. Connections that
// aren't for this fleet are refused.
func (s *Server) identify(nc net.Conn, index int) (device int, ok bool) {
	switch s.cfg.Addressing {
	case address.Port:
		return index, true
	case address.Path:
		return -1, true
	}
	peer, own := ipOf(nc.RemoteAddr()), ipOf(nc.LocalAddr())
	if !peer.IsLoopback() { // the interface sees to that; this is the second lock
		return 0, false
	}
	device = address.DeviceOfIP(own)
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

// rest waits for d, or until the fleet closes.
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

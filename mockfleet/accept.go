package mockfleet

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

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
	case AddressPort:
		return index, true
	case AddressPath:
		return -1, true
	}
	peer, own := addressOf(nc.RemoteAddr()), addressOf(nc.LocalAddr())
	if !peer.IsLoopback() { // the interface sees to that; this is the second lock
		return 0, false
	}
	device = deviceOfIP(own)
	return device, device >= 0 && device < f.Devices()
}

func addressOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
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

package server

import (
	"crypto/tls"
	"net"
	"syscall"
)

// transport is a connection to a client as a stream of bytes: a socket, and TLS over it if the
// devices speak that.
type transport struct {
	net.Conn
	socket   syscall.RawConn // below TLS; nil if it can't be polled
	traffic  *trafficCounters
	deadline deadline // each read renews it

	belowTLS bool    // read and half-close the connection below TLS
	pollFD   uintptr // the socket's descriptor while reads must not block; 0 otherwise
	filled   bool    // the last read filled its buffer, so that there may be more
	readErr  error   // the last failure to read
}

// Read reads from the connection, without blocking if pollFD is set. It counts the bytes, renews
// the deadline, and keeps an error in readErr, so that a broken connection isn't taken for a
// malformed request.
func (t *transport) Read(p []byte) (n int, err error) {
	if t.pollFD != 0 {
		if n, err = readNow(t.pollFD, p); err == errNothingYet {
			return 0, err
		}
	} else {
		n, err = t.appConn().Read(p)
	}
	t.traffic.in.Add(uint64(max(n, 0)))
	t.filled = n == len(p)
	if err != nil {
		t.readErr = err
		return n, err
	}
	t.deadline.set(stallLimit)
	return n, nil
}

// write writes to the connection, and counts the bytes. It reports whether it wrote all.
func (t *transport) write(b []byte) bool {
	n, err := t.Write(b)
	t.traffic.out.Add(uint64(n))
	return err == nil
}

// reset ends the connection with a RST instead of a FIN.
func (t *transport) reset() {
	under := t.rawConn()
	if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails if the connection has ended already
	}
	_ = under.Close() // likewise
}

// tinyBuffer is the size, in bytes, of the receive buffer for bandwidths below 8 KiB/s. Over
// loopback it passes 80 kB/s at most.
const tinyBuffer = 4 << 10

// setReadBuffer sets the size of the socket's receive buffer, in bytes. A small one makes the
// client's writes block soon after the device stops reading.
func (t *transport) setReadBuffer(to int) {
	if tcp, ok := t.rawConn().(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = tcp.SetReadBuffer(to) // if it fails, the kernel buffers more
	}
}

// appConn returns the connection from which the device reads HTTP: the TLS connection, or the one
// below it if belowTLS is set.
func (t *transport) appConn() net.Conn {
	if t.belowTLS {
		return t.rawConn()
	}
	return t.Conn
}

// rawConn returns the connection below TLS, or the connection itself if it has no TLS.
func (t *transport) rawConn() net.Conn {
	if over, ok := t.Conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return t.Conn
}

// socketOf returns the socket of a connection, or nil if it has none that can be polled.
func socketOf(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok || !pollSupported {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

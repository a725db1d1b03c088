package server

import (
	"crypto/tls"
	"net"
	"syscall"
)

// tinyBuffer is the size of a receive buffer for rates below twice its bytes. Over loopback it takes 80 kB/s.
const tinyBuffer = 4 << 10

// reset ends the connection with a reset instead of the usual end.
func (c *conn) reset() {
	under := c.rawConn()
	if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails if the connection has ended already
	}
	_ = under.Close() // likewise
}

// closeGracefully ends the connection with a FIN, and reads what the client still sends, which would otherwise turn
// the end into a reset.
func (c *conn) closeGracefully() {
	if c.buf == nil {
		c.getBuffers()
	}
	c.linger()
}

// setReadBuffer sets the size of the socket's receive buffer. A small one makes the client feel it when the device
// doesn't read.
func (c *conn) setReadBuffer(to int) {
	if tcp, ok := c.rawConn().(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = tcp.SetReadBuffer(to) // if it fails, the kernel takes some more
	}
}

// appConn returns the connection that the device reads HTTP from: TLS, unless the device acts below it.
func (c *conn) appConn() net.Conn {
	if c.belowTLS {
		return c.rawConn()
	}
	return c.Conn
}

// rawConn returns the connection below TLS, or the connection itself if it has no TLS.
func (c *conn) rawConn() net.Conn {
	if over, ok := c.Conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return c.Conn
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

// Read reads from the connection: within tryServe without blocking. It counts the bytes, renews the deadline, and
// keeps a failure in readErr, so that a broken connection isn't taken for a malformed request.
func (c *conn) Read(p []byte) (n int, err error) {
	if c.fd != 0 {
		if n, err = readNow(c.fd, p); err == errNothingYet {
			return 0, err
		}
	} else {
		n, err = c.appConn().Read(p)
	}
	c.traffic.in.Add(uint64(max(n, 0)))
	c.bufferFull = n == len(p)
	if err != nil {
		c.readErr = err
		return n, err
	}
	c.setDeadline(StallLimit)
	return n, nil
}

// write writes to the connection, and counts the bytes. It reports whether it wrote all.
func (c *conn) write(b []byte) bool {
	n, err := c.Write(b)
	c.traffic.out.Add(uint64(n))
	return err == nil
}

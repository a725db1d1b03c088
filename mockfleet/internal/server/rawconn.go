package server

import (
	"crypto/tls"
	"net"
	"syscall"
)

const (
	// A receive buffer for rates below twice its bytes: over loopback it takes 80 kB/s.
	tinyBuffer = 4 << 10
)

// reset ends the connection with a reset instead of the usual end.
func (c *conn) reset() {
	under := c.rawConn()
	if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails where the connection has ended already
	}
	_ = under.Close() // likewise
}

// closeGracefully ends the connection as one does that has said all: what the client still sends is read,
// so that it doesn't turn the end into a reset.
func (c *conn) closeGracefully() {
	if c.buf == nil {
		c.getBuffers()
	}
	c.linger()
}

// setReadBuffer makes the receive buffer so small that the client feels it when the device doesn't read.
func (c *conn) setReadBuffer(to int) {
	if tcp, ok := c.rawConn().(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = tcp.SetReadBuffer(to) // where it fails, the kernel takes some more
	}
}

// appConn is the connection on the level on which the device speaks.
func (c *conn) appConn() net.Conn {
	if c.belowTLS {
		return c.rawConn()
	}
	return c.Conn
}

// rawConn is the connection below TLS, if there is any.
func (c *conn) rawConn() net.Conn {
	if over, ok := c.Conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return c.Conn
}

// socketOf is the socket of a connection; nil where it has none that can be asked who left.
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

// Read counts what comes in, moves the deadline, and remembers a failure, so that a broken
// connection isn't taken for a malformed request.
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

func (c *conn) write(b []byte) bool {
	n, err := c.Write(b)
	c.traffic.out.Add(uint64(n))
	return err == nil
}

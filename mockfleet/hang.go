package mockfleet

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// hangLimit is how long a stalled upload is held for a client whose leaving can't be seen: while
	// the device doesn't read, the end of the connection waits behind what the client had sent before.
	hangLimit = 2 * time.Minute

	// Bytes of a receive buffer that a client feels; the kernel doubles them. Over loopback the small one
	// takes 600 MB/s, the tiny one 80 kB/s.
	smallBuffer = 16 << 10
	tinyBuffer  = 4 << 10
)

// pause waits for d. It ends early, with false, where the client leaves or the fleet closes. A client
// that closes its half alone counts as gone: on the wire, nothing tells it from one that closed.
func (c *conn) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	c.deadline.Store(0)
	since := time.Now()
	if !c.hang(d) {
		return false
	}
	c.fleet.watch.answered(time.Since(since) - d)
	c.expire(stallLimit)
	return true
}

// hang is pause without the care for the housekeeper's deadline.
func (c *conn) hang(d time.Duration) bool {
	if c.socket == nil || c.inside {
		return c.rest(d)
	}
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return false
	}
	if err := c.socket.Read(clientLeft); !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return c.SetReadDeadline(time.Time{}) == nil
}

// rest waits for d, or until the fleet closes. It doesn't look at the connection.
func (c *conn) rest(d time.Duration) bool {
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	select {
	case <-c.timer.C:
		return true
	case <-c.fleet.done:
		c.timer.Stop()
		return false
	}
}

// swallow reads and drops what comes for at most d, or until the client leaves.
func (c *conn) swallow(d time.Duration) {
	c.deadline.Store(0)
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return
	}
	if c.work == nil {
		c.takeWorkspace()
	}
	s := c.takeSink()
	for {
		_, err := c.work.reader.Read(s.buffer[:])
		c.deadline.Store(0) // each read sets it
		if err != nil {
			return
		}
	}
}

// silence stays with a client that waits for the device's part of a handshake, until it leaves.
func (c *conn) silence() {
	c.belowTLS = true // there, nothing answers what is read
	c.swallow(MaxDelay)
	c.dropWorkspace()
}

// reset ends the connection with a reset instead of the usual end.
func (c *conn) reset() {
	under := c.transport()
	if tcp, ok := under.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // it fails where the connection has ended already
	}
	_ = under.Close() // likewise
}

// endGently ends the connection as one does that has said all: what the client still sends is read,
// so that it doesn't turn the end into a reset.
func (c *conn) endGently() {
	if c.work == nil {
		c.takeWorkspace()
	}
	c.linger()
}

// shrink makes the receive buffer so small that the client feels it when the device doesn't read.
func (c *conn) shrink(to int) {
	if tcp, ok := c.transport().(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = tcp.SetReadBuffer(to) // where it fails, the kernel takes some more
	}
}

// spoken is the connection on the level on which the device speaks.
func (c *conn) spoken() net.Conn {
	if c.belowTLS {
		return c.transport()
	}
	return c.Conn
}

// transport is the connection below TLS, if there is any.
func (c *conn) transport() net.Conn {
	if over, ok := c.Conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return c.Conn
}

// socketOf is the socket of a connection; nil where it has none that can be asked who left.
func socketOf(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok || !canPoll {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

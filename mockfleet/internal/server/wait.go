package server

import (
	"errors"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// sleep waits for d. It returns false early if the client leaves or the fleet closes. A client that
// half-closes counts as gone: on the wire it looks like one that closed.
func (c *conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	c.deadline.clear()
	since := time.Now()
	if !c.hold(d) {
		return false
	}
	c.srv.monitor.responseLate(time.Since(since) - d)
	c.deadline.set(stallLimit)
	return true
}

// hold waits for d as sleep does, but changes no deadline and reports nothing to the monitor.
func (c *conn) hold(d time.Duration) bool {
	if c.socket == nil || c.wait.inCallback {
		return c.sleepUnwatched(d)
	}
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return false
	}
	if err := c.socket.Read(peerClosed); !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return c.SetReadDeadline(time.Time{}) == nil
}

// sleepUnwatched waits for d, or until the fleet closes. It doesn't look at the connection.
func (c *conn) sleepUnwatched(d time.Duration) bool {
	if c.timer == nil {
		c.timer = time.NewTimer(d)
	} else {
		c.timer.Reset(d)
	}
	select {
	case <-c.timer.C:
		return true
	case <-c.srv.done:
		c.timer.Stop()
		return false
	}
}

// discard reads and drops what comes, for at most d or until the client leaves.
func (c *conn) discard(d time.Duration) {
	c.deadline.clear()
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return
	}
	if c.buf == nil {
		c.getBuffers()
	}
	b := c.getBodyBuffer()
	for {
		_, err := c.buf.reader.Read(b.buffer[:])
		c.deadline.clear() // each read sets it
		if err != nil {
			return
		}
	}
}

// stallHandshake discards what the client sends and never answers its handshake, until the client
// leaves.
func (c *conn) stallHandshake() {
	c.belowTLS = true // there, nothing answers what is read
	c.discard(random.MaxDuration)
	c.putBuffers()
}

package nethttp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/delivery/internal/socket"
)

// longWrite is what may take a while to write, in bytes.
const longWrite = 4 << 10

// readBuffer is how much is read of a connection at once, in bytes.
const readBuffer = 4 << 10

// countedConn is a connection of net/http. It counts the bytes on the wire, sends
// artifacts without copying them to and fro, and leaves it to reading to find that
// the peer is gone: a device may answer before it has read everything, and close;
// its answer stands, though the write failed (RFC 9112 §9.5).
type countedConn struct {
	net.Conn
	stats  *exchange.Counters
	chunks *exchange.ChunkPool
	sent   atomic.Int64 // bytes that the socket took

	onClose func()      // nil: nobody counts this connection
	gone    atomic.Bool // the peer takes no more
	looking bool        // a write deadline is set; the writer's own

	mu    sync.Mutex // of the probe: requests may share the connection
	probe socket.Probe
}

func newCountedConn(nc net.Conn, stats *exchange.Counters, chunks *exchange.ChunkPool) *countedConn {
	c := &countedConn{Conn: nc, stats: stats, chunks: chunks}
	c.probe.Open(nc)
	return c
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.stats.Read.Add(uint64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	done := 0
	for !c.gone.Load() {
		// A deadline shows how far a long write has come; it doesn't end it.
		if len(p) > longWrite {
			c.looking = c.SetWriteDeadline(time.Now().Add(exchange.CheckInterval)) == nil
		} else if c.looking {
			c.looking = c.SetWriteDeadline(time.Time{}) != nil
		}
		n, err := c.Conn.Write(p[done:])
		done += n
		c.sent.Add(int64(n))
		c.stats.Written.Add(uint64(n))
		if err == nil || !c.lost(err) && !(c.looking && errors.Is(err, os.ErrDeadlineExceeded)) {
			return done, err
		}
	}
	return len(p), nil
}

// lost notes that the peer takes no more. Reading will say why, and soon: it is
// given a moment and no longer.
func (c *countedConn) lost(err error) bool {
	if err == nil || !exchange.IsPeerGone(err) {
		return false
	}
	c.gone.Store(true)
	return c.SetReadDeadline(time.Now().Add(exchange.CheckInterval)) == nil
}

// ReadFrom is what net/http sends a body by. LimitedReader is how it wraps one.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok {
		if b, ok := l.R.(*requestBody); ok {
			n, err := b.sendTo(c, l.N)
			l.N -= n
			return n, err
		}
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// acked is what the peer's system took of what was written, in bytes.
func (c *countedConn) acked() int64 {
	n, _ := c.unacked()
	return c.sent.Load() - n
}

// unacked is what the peer's system has not acknowledged, in bytes, and whether that is known.
func (c *countedConn) unacked() (n int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.Unacked()
}

// quiet reports whether the connection is open and holds nothing to read.
func (c *countedConn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.IsQuiet()
}

// ended reports whether the connection can be seen to have ended.
func (c *countedConn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probe.HasEnded()
}

// abandon is called before a request is ended that the connection carries alone.
func (c *countedConn) abandon() {
	if n, _ := c.unacked(); n > 0 {
		socket.ResetOnClose(c.Conn)
	}
}

// Close closes the connection, and counts it.
func (c *countedConn) Close() error {
	err := c.Conn.Close()
	if c.onClose != nil {
		c.onClose()
	}
	return err
}
